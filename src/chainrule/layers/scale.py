"""Scale: one learned factor for each feature."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.layers.layer import Layer, Params, expect_features, parameter_dtype


@spec.register
class Scale(Layer):
    """Multiply each feature by a learned factor.

    At the end of a Residual branch a small start, such as 0.1 or 0, lets a very deep network begin near the identity.

    Equation
        y = x * scale
    Derivative
        dL/dx = g * scale      dL/dscale = sum(g * x, 0)      g = dL/dy
    Shapes
        x (..., n)   scale (n) -> (..., n)
    Start
        scale = start
    Errors
        ShapeError when the last axis of x is not n
    Source
        Touvron et al. 2021 (LayerScale); De & Smith 2020 (SkipInit)

    >>> net, x = Scale(start=0.5), jnp.ones((1, 2))
    >>> net(net.init(jax.random.key(0), x), x).tolist()
    [[0.5, 0.5]]
    """

    shifts = ("scale",)

    start: float = 1.0

    def init(self, key: jax.Array, x: Any) -> Params:
        """Every factor at its start."""
        return {"scale": jnp.full(x.shape[-1], self.start, parameter_dtype(x))}

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x * scale``."""
        expect_features(self, p["scale"].shape[0], x)
        return x * p["scale"]
