"""Chain: composition, the place where the chain rule lives."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import jax

from chainrule import spec
from chainrule.errors import ChainruleError, DesignError, ShapeError
from chainrule.layers.layer import Layer, Params, as_layer, name_of, split_key


@spec.register
class Chain(Layer):
    """Apply layers one after the other; a plain function counts as a layer without parameters.

    Equation
        y = f_L(p_L, ... f_2(p_2, f_1(p_1, x)))
    Derivative
        dL/dx_i = J_i.T @ dL/dx_(i+1)         the chain rule, from the last layer to the first
    Shapes
        as its layers say; sizes of inputs are inferred, never typed
    Errors
        ShapeError names the layer that cannot take what comes, by its place: ``2:Dense``
    Source
        Rumelhart, Hinton & Williams 1986

    >>> from chainrule.layers.dense import Dense
    >>> net = Chain(Dense(8), jax.nn.relu, Dense(2))
    >>> p = net.init(jax.random.key(0), jax.numpy.ones((5, 4)))
    >>> net(p, jax.numpy.ones((5, 4))).shape
    (5, 2)
    """

    variadic = "layers"

    layers: tuple

    def __init__(self, *layers: Layer | Callable) -> None:
        if not layers:
            raise DesignError("Chain() has no layers: write them one after the other, cr.Chain(cr.Dense(8), cr.relu).")
        for part in layers:
            as_layer(part)
        spec.freeze(self, layers=layers)

    @property
    def parts(self) -> tuple[Layer, ...]:
        """The layers, functions among them as layers."""
        return tuple(map(as_layer, self.layers))

    def init(self, key: jax.Array, x: Any) -> Params:
        """One entry of parameters for each layer."""
        params = []
        for i, (f, k) in enumerate(zip(self.parts, split_key(key, len(self.layers)), strict=True)):
            with at(i, f, x):
                params.append(f.init(k, x))
                x = jax.eval_shape(f, params[-1], x)
        return tuple(params)

    def prepare(self, p: Params, x: Any) -> Params:
        """Prepare each layer on the rows as they reach it."""
        params = []
        for i, (f, q) in enumerate(zip(self.parts, p, strict=True)):
            with at(i, f, x):
                params.append(f.prepare(q, x))
                x = f(params[-1], x)
        return tuple(params)

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """Each layer after the other, each with its own key."""
        if len(p) != len(self.layers):
            raise ShapeError(
                f"This Chain has {len(self.layers)} layers, and parameters for {len(p)} came. "
                "Draw them with net.init(key, x)."
            )
        params = []
        for i, (f, q, k) in enumerate(zip(self.parts, p, split_key(key, len(p)), strict=True)):
            with at(i, f, x):
                x, q = f.run(q, x, k)
            params.append(q)
        return x, tuple(params)


@contextmanager
def at(place: int | str, part: Layer, x: Any):
    """Name the place in a container, in traced programs and in the errors that arise there."""
    where = f"{place}:{name_of(part)}"
    try:
        with jax.named_scope(where):
            yield
    except ShapeError as e:
        raise ShapeError(f"{where}: {e}") from e
    except ChainruleError:
        raise
    except (TypeError, ValueError, IndexError, KeyError) as e:
        shapes = jax.tree.map(lambda a: f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else str(a), x)
        raise DesignError(f"{where}: {part} cannot take {shapes}: {e}") from e
