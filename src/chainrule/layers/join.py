"""Several arrays become one: Concatenate, Add, and Select to take one of them."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.layers.layer import Layer, Params


@spec.register
class Concatenate(Layer):
    """Put the arrays of a tuple or dict one after the other along an axis; a dict in the order of its sorted names.

    Equation
        y = concatenate(x, axis)
    Derivative
        dL/dx = split(g, axis)        every array gets back its own part of g = dL/dy
    Shapes
        x ((..., a), (..., b)) -> (..., a + b)
    Start
        no parameters
    Errors
        DesignError when x is a single array; ShapeError, with all shapes, when they differ in another axis
    Source
        numpy.concatenate

    >>> Concatenate()({}, (jnp.ones((1, 2)), jnp.zeros((1, 1)))).tolist()
    [[1.0, 1.0, 0.0]]
    """

    axis: int = -1

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = concatenate(x, axis)``."""
        arrays = _several(self, x)
        try:
            return jnp.concatenate(arrays, self.axis)
        except (TypeError, ValueError) as e:
            raise ShapeError(
                f"{self} joins along axis {self.axis}, and all other axes must agree; shapes "
                f"{[a.shape for a in arrays]} came."
            ) from e


@spec.register
class Add(Layer):
    """Add the arrays of a tuple or dict, all of one shape.

    Equation
        y = sum(x, 0)
    Derivative
        dL/dx_i = g        for every array; g = dL/dy
    Shapes
        x ((...), (...)) -> (...)
    Start
        no parameters
    Errors
        DesignError when x is a single array; ShapeError, with all shapes, when they differ
    Source
        He et al. 2016

    >>> Add()({}, (jnp.ones(2), jnp.ones(2))).tolist()
    [2.0, 2.0]
    """

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x_1 + x_2``, and so on."""
        arrays = _several(self, x)
        if len({a.shape for a in arrays}) > 1:
            raise ShapeError(f"{self} adds arrays of one shape; shapes {[a.shape for a in arrays]} came.")
        return sum(arrays[1:], arrays[0])


@spec.register
class Select(Layer):
    """Take one entry of a tuple or dict: one of several inputs, or one branch's output.

    Equation
        y = x[entry]
    Derivative
        dL/dx = g at this entry, 0 at the others        g = dL/dy
    Shapes
        as the entry
    Start
        no parameters
    Errors
        DesignError when x has no such entry, with the entries that it has
    Source
        Python's x[entry]

    >>> Select("age")({}, {"age": jnp.ones(1), "text": jnp.zeros(1)}).tolist()
    [1.0]
    """

    entry: int | str

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x[entry]``."""
        entry: Any = self.entry
        if not isinstance(x, tuple | list | dict):
            raise DesignError(f"{self} takes one entry of a tuple or dict, and {type(x).__name__} came.")
        entries = list(x) if isinstance(x, dict) else list(range(len(x)))
        if entry not in entries:
            raise DesignError(f"{self}: x has the entries {entries}.")
        return x[entry]


def _several(layer: Layer, x: Any) -> list:
    if not isinstance(x, tuple | list | dict) or not x:
        raise DesignError(
            f"{layer} joins the arrays of a tuple or dict, and {type(x).__name__} came. Put Parallel(…) "
            "before it, or give several inputs."
        )
    return jax.tree.leaves(x)
