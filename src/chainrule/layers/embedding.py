"""Embedding: a learned vector for each of a fixed number of things."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule import spec
from chainrule.errors import DataError
from chainrule.layers.layer import Layer, Params, expect_count
from chainrule.maths.initializers import RandomNormal

_standard = RandomNormal(std=1.0)


@spec.register
class Embedding(Layer):
    """Replace each whole number 0 … size-1 by its own learned vector: one row of a table.

    Equation
        y = E[x]
    Derivative
        dL/dE = one_hot(x).T @ g        rows of E that x does not name get 0; g = dL/dy
    Shapes
        x (...) whole numbers   E (size, dim) -> (..., dim)
    Start
        E ~ init, by default normal with standard deviation 1, the spread of a standardized feature
    Errors
        DataError when x is not of whole numbers, or holds one outside 0 … size-1. Inside a compiled program values
        cannot be refused: there such a vector is NaN, so that no plausible wrong number comes out
    Source
        Bengio et al. 2003, section 2; PyTorch starts with standard deviation 1 too, Keras uniform in ±0.05

    >>> net = Embedding(size=10, dim=3)
    >>> x = jnp.array([[1, 2, 1]])
    >>> net(net.init(jax.random.key(0), x), x).shape
    (1, 3, 3)
    """

    size: int
    dim: int
    draw: Callable = field(metadata={"name": "init"})

    def __init__(self, size: int, dim: int, init: Callable = _standard) -> None:
        expect_count(self, "size", size)
        expect_count(self, "dim", dim)
        spec.freeze(self, size=size, dim=dim, draw=init)

    def init(self, key: jax.Array, x: Any) -> Params:
        """The table."""
        return {"E": self.draw(key, (self.size, self.dim), jnp.zeros(()).dtype)}

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = E[x]``."""
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise DataError(
                f"{self} takes whole numbers, and x has dtype {x.dtype}. Encode categories as 0, 1, 2, … "
                "of an integer dtype."
            )
        known = None if isinstance(x, Tracer) or not x.size else np.asarray(x)
        if known is not None and not 0 <= known.min() <= known.max() < self.size:
            raise DataError(f"{self} knows 0 … {self.size - 1}, and x holds {known.min()} … {known.max()}.")
        return jnp.asarray(p["E"]).at[x].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
