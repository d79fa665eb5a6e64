"""Dense: every output sees every input."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.layers.layer import Layer, Params, expect_count, expect_features, parameter_dtype
from chainrule.maths.initializers import lecun_normal


@spec.register
class Dense(Layer):
    """An affine map of the last axis.

    Equation
        y = x @ W + b
    Derivative
        dL/dx = g @ W.T      dL/dW = x.T @ g      dL/db = sum(g, 0)      g = dL/dy
    Shapes
        x (..., n)   W (n, units)   b (units) -> (..., units)
    Start
        W ~ init, by default LeCun normal: Var(W) = 1/n keeps the variance of a linear map; before relu, he_normal
        does. b = 0
    Errors
        ShapeError when the last axis of x is not n
    Source
        Rosenblatt 1958; LeCun et al. 1998, section 4.6; He et al. 2015, equation 10

    >>> net = Dense(3)
    >>> p = net.init(jax.random.key(0), jnp.ones((5, 4)))
    >>> net(p, jnp.ones((5, 4))).shape
    (5, 3)
    """

    units: int
    use_bias: bool
    draw: Callable = field(metadata={"name": "init"})

    def __init__(self, units: int, use_bias: bool = True, init: Callable = lecun_normal) -> None:
        expect_count(self, "units", units)
        spec.freeze(self, units=units, use_bias=use_bias, draw=init)

    def init(self, key: jax.Array, x: Any) -> Params:
        """W from the initializer, b = 0."""
        n, dtype = x.shape[-1], parameter_dtype(x)
        W = self.draw(key, (n, self.units), dtype)
        return {"W": W, "b": jnp.zeros(self.units, dtype)} if self.use_bias else {"W": W}

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x @ W + b``."""
        expect_features(self, p["W"].shape[0], x)
        y = x @ p["W"]
        return y + p["b"] if self.use_bias else y
