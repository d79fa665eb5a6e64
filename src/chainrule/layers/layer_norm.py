"""LayerNorm: the features of every example get mean 0 and variance 1."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.layers.layer import Layer, Params, expect_features, parameter_dtype


@spec.register
class LayerNorm(Layer):
    """Normalize the features of each example by their own mean and variance, then scale and shift them.

    Equation
        m = mean(x, -1, keepdims=True)
        v = var(x, -1, keepdims=True)
        y = (x - m) / sqrt(v + epsilon) * scale + shift
    Derivative
        dL/dx = (d - mean(d, -1) - h * mean(d * h, -1)) / sqrt(v + epsilon)     d = g * scale
        h = (x - m) / sqrt(v + epsilon)                                         g = dL/dy
    Shapes
        x (..., n)   scale, shift (n) -> (..., n)
    Start
        scale = 1, shift = 0
    Errors
        ShapeError when the last axis of x is not n, or n is 1: one feature minus its own mean is always 0
    Source
        Ba, Kiros & Hinton 2016, equation 4; epsilon is 1e-5 in PyTorch and 1e-3 in Keras

    >>> net = LayerNorm()
    >>> x = jnp.array([[1.0, 3.0], [10.0, 30.0]])
    >>> net(net.init(jax.random.key(0), x), x).round(2).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    shifts = ("scale", "shift")

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise DesignError(f"LayerNorm needs epsilon > 0, and {self.epsilon!r} came.")

    def init(self, key: jax.Array, x: Any) -> Params:
        """No scaling and no shift at the start."""
        n, dtype = x.shape[-1], parameter_dtype(x)
        if n == 1:
            raise ShapeError(
                f"{self} normalizes over features, and x has one: shape {x.shape}. One feature minus its "
                "own mean is 0 for every input. Remove this layer, or normalize before the features end."
            )
        return {"scale": jnp.ones(n, dtype), "shift": jnp.zeros(n, dtype)}

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = (x - m) / sqrt(v + epsilon) * scale + shift``."""
        expect_features(self, p["scale"].shape[0], x)
        m, v = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
        return (x - m) * lax.rsqrt(v + self.epsilon) * p["scale"] + p["shift"]
