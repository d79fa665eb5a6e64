"""Standardize: features in units of their own spread, measured once on the training rows."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.layers.layer import Layer, Params, expect_features, parameter_dtype


@spec.register
class Standardize(Layer):
    """Subtract each feature's mean over the training rows and divide by its standard deviation.

    Measured once before training (``prepare``), part of the saved parameters, never trained. A feature that is
    constant in training is only shifted to 0.

    Equation
        y = (x - mean) / std
    Derivative
        dL/dx = g / std        g = dL/dy
    Shapes
        x (..., n)   mean, std (n) -> (..., n)
    Start
        mean = 0, std = 1 until ``prepare`` has seen the training rows
    Errors
        ShapeError when the last axis of x is not n
    Source
        LeCun et al. 1998, section 4.3; StandardScaler of scikit-learn (biased variance)

    >>> net, x = Standardize(), jnp.array([[1.0, 5.0], [3.0, 5.0]])
    >>> p = net.prepare(net.init(jax.random.key(0), x), x)
    >>> net(p, x).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    fixed = ("mean", "std")

    def init(self, key: jax.Array, x: Any) -> Params:
        """The identity."""
        n, dtype = x.shape[-1], parameter_dtype(x)
        return {"mean": jnp.zeros(n, dtype), "std": jnp.ones(n, dtype)}

    def prepare(self, p: Params, x: Any) -> Params:
        """Mean and spread of the training rows."""
        expect_features(self, p["mean"].shape[0], x)
        x, rows = jnp.asarray(x, p["mean"].dtype), tuple(range(x.ndim - 1))
        mean = jnp.mean(x, rows)
        std = jnp.sqrt(jnp.mean((x - mean) ** 2, rows))
        # a constant such as 0.1 comes out with a spread of a few roundings of its mean
        constant = std <= 8 * jnp.finfo(x.dtype).eps * jnp.abs(mean)
        return {"mean": mean, "std": jnp.where(constant, 1, std)}

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = (x - mean) / std``."""
        expect_features(self, p["mean"].shape[0], x)
        return (x - p["mean"]) / p["std"]
