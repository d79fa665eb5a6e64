"""BatchNorm: every feature gets mean 0 and variance 1 over the batch."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.layers.layer import Layer, Params, expect_features, parameter_dtype


@spec.register
class BatchNorm(Layer):
    """Normalize each feature by its mean and variance over the batch, then scale and shift it.

    Training uses the statistics of the batch and remembers their running averages; the exact pass uses the
    averages. Rows of a batch influence each other, so batches are never padded.

    Equation
        y = (x - mean) / sqrt(var + epsilon) * scale + shift
    Derivative
        dL/dx = scale / sqrt(var + epsilon) * (g - mean(g, 0) - h * mean(g * h, 0))    in training, g = dL/dy
        h = (x - mean) / sqrt(var + epsilon)
    Shapes
        x (..., n)   scale, shift, mean, var (n) -> (..., n); statistics over all axes but the last
    Start
        scale = 1, shift = 0; running mean 0 and variance 1
    Errors
        ShapeError when the last axis of x is not n, or when a training batch has one value per feature: its
        variance is 0 and says nothing
    Source
        Ioffe & Szegedy 2015, algorithms 1 and 2: the batch is normalized with its biased variance, and the running
        average is of the unbiased one, as in PyTorch (Keras averages the biased one). ``momentum`` is the part of
        the old average that is kept: 0.9 here is 0.1 in PyTorch and 0.9 in Keras.

    >>> net = BatchNorm()
    >>> x = jnp.array([[1.0], [3.0]])
    >>> y, p = net.run(net.init(jax.random.key(0), x), x, jax.random.key(1))
    >>> y.round(2).tolist(), round(float(p["mean"][0]), 4)
    ([[-1.0], [1.0]], 0.2)
    """

    shifts = ("scale", "shift")
    fixed = ("mean", "var")

    momentum: float = 0.9
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1 or not self.epsilon > 0:
            raise DesignError(
                f"BatchNorm needs 0 <= momentum < 1 and epsilon > 0; momentum={self.momentum!r} and "
                f"epsilon={self.epsilon!r} came."
            )

    @property
    def mixes_rows(self) -> bool:
        """The statistics of the batch tie its rows together."""
        return True

    def init(self, key: jax.Array, x: Any) -> Params:
        """The identity, up to epsilon, until statistics are known."""
        zeros, ones = jnp.zeros(x.shape[-1], parameter_dtype(x)), jnp.ones(x.shape[-1], parameter_dtype(x))
        return {"scale": ones, "shift": zeros, "mean": zeros, "var": ones}

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """The statistics of the batch with a key, the running ones without."""
        expect_features(self, p["scale"].shape[0], x)
        mean, var = p["mean"], p["var"]
        if key is not None:
            mean, var = self._statistics(x)
            p = self._remember(p, mean, var, x.size // x.shape[-1])
        return (x - mean) * lax.rsqrt(var + self.epsilon) * p["scale"] + p["shift"], p

    def _statistics(self, x: Any) -> tuple[Any, Any]:
        if x.size == x.shape[-1]:
            raise ShapeError(
                f"{self} got a training batch with one value per feature, x of shape {x.shape}: its "
                "variance is 0. Use batches of at least 2 rows."
            )
        rows = tuple(range(x.ndim - 1))
        return jnp.mean(x, rows), jnp.var(x, rows)

    def _remember(self, p: Params, mean: Any, var: Any, count: int) -> Params:
        a = self.momentum
        new = {"mean": a * p["mean"] + (1 - a) * mean, "var": a * p["var"] + (1 - a) * var * count / (count - 1)}
        return p | jax.tree.map(lambda old, s: lax.stop_gradient(s).astype(old.dtype), {k: p[k] for k in new}, new)
