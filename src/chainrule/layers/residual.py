"""Residual: a layer that learns the change instead of the result."""

from collections.abc import Callable
from typing import Any

import jax

from chainrule import spec
from chainrule.errors import ShapeError
from chainrule.layers.chain import at
from chainrule.layers.layer import Layer, Params, as_layer


@spec.register
class Residual(Layer):
    """Add what goes in to what comes out, so that signal and gradient have a straight way past the inner layer.

    Equation
        y = x + f(x)
    Derivative
        dL/dx = g + J.T @ g        J = df/dx, g = dL/dy
    Shapes
        x (...) -> (...); f must keep the shape
    Start
        as f says. With a last layer that starts at 0, the block starts as the identity
    Errors
        ShapeError when f changes the shape, with both shapes
    Source
        He et al. 2016, equation 1

    >>> import jax.numpy as jnp
    >>> Residual(jnp.negative)(({},), jnp.ones((1, 2))).tolist()
    [[0.0, 0.0]]
    """

    f: Layer | Callable

    def __post_init__(self) -> None:
        as_layer(self.f)

    @property
    def parts(self) -> tuple[Layer, ...]:
        """The inner layer."""
        return (as_layer(self.f),)

    def init(self, key: jax.Array, x: Any) -> Params:
        """The inner layer's parameters."""
        (f,) = self.parts
        with at(0, f, x):
            return (f.init(key, x),)

    def prepare(self, p: Params, x: Any) -> Params:
        """Prepare the inner layer on the same rows."""
        (f,) = self.parts
        with at(0, f, x):
            return (f.prepare(p[0], x),)

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """``y = x + f(x)``."""
        (f,) = self.parts
        with at(0, f, x):
            y, q = f.run(p[0], x, key)
        if y.shape != x.shape:
            raise ShapeError(
                f"{self} adds f(x) to x: x has shape {x.shape} and f(x) {y.shape}. Let f end in a layer "
                f"that gives {x.shape[-1:] or x.shape} features, or put a Dense of the new width before."
            )
        return x + y, (q,)
