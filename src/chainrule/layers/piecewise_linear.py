"""PiecewiseLinear: a number as how far it fills each of a few bins of equal share."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer, Params, expect_count, expect_features, parameter_dtype


@spec.register
class PiecewiseLinear(Layer):
    """Cut each feature into bins of equal share of the training rows, and say how far it fills each bin.

    Bins below the number are full (1), those above are empty (0), and the one it is in is filled in part. A layer after
    it draws a bent line through the edges, where a single number allows a straight one. The first bin goes on below
    the least number of training, the last one above the largest. ``features``: only the first so many are cut, the
    others pass as they are. Edges are measured once before training (``prepare``) and never trained.

    Equation
        u = (x[..., :len(low), None] - low) * slope
        e = where(arange(bins) > 0, maximum(u, 0), u)
        f = where(arange(bins) < bins - 1, minimum(e, 1), e)
        y = concatenate([f.reshape(*x.shape[:-1], -1), x[..., len(low):]], -1)
    Derivative
        dL/dx = sum(g * slope, -1)        over the bins that x is in; g = dL/dy
    Shapes
        x (..., n)   low, slope (k, bins) -> (..., k * bins + n - k)        k = features, or n
    Start
        bins of equal width from -1 to 1 until ``prepare`` has seen the training rows. A bin between two equal quantiles
        has the slope 0, so that it is always 0
    Errors
        DesignError when bins or features are not whole numbers of at least 1; ShapeError when x has not n features, or
        fewer than are to be cut
    Source
        Gorishniy, Rubachev & Babenko 2022, "On Embeddings for Numerical Features", equation 1 and section 3.2.1

    >>> net, x = PiecewiseLinear(bins=2), jnp.array([[0.0], [1.0], [4.0]])
    >>> p = net.prepare(net.init(jax.random.key(0), x), x)
    >>> net(p, jnp.array([[0.5], [2.5], [7.0]])).tolist()
    [[0.5, 0.0], [1.0, 0.5], [1.0, 2.0]]
    """

    fixed = ("low", "slope")

    bins: int = 8
    features: int | None = None

    def __post_init__(self) -> None:
        expect_count(self, "bins", self.bins)
        if self.features is not None:
            expect_count(self, "features", self.features)

    def init(self, key: jax.Array, x: Any) -> Params:
        """Bins of equal width from -1 to 1."""
        n, dtype = x.shape[-1], parameter_dtype(x)
        k = n if self.features is None else self.features
        if k > n:
            raise ShapeError(f"{self} cuts {k} features, and x has shape {x.shape}: its last axis is {n}.")
        return _bins(jnp.tile(jnp.linspace(-1, 1, self.bins + 1, dtype=dtype), (k, 1)))

    def prepare(self, p: Params, x: Any) -> Params:
        """Bins of equal share of the training rows."""
        self._expect(p, x)
        k, dtype = *p["low"].shape[:1], p["low"].dtype
        rows = jnp.asarray(x, dtype)[..., :k].reshape(-1, k)
        return _bins(jnp.quantile(rows, jnp.linspace(0, 1, self.bins + 1, dtype=dtype), axis=0).T)

    def __call__(self, p: Params, x: Any) -> Any:
        """How far each of the first features fills each bin, and the other features."""
        self._expect(p, x)
        k, bin_ = len(p["low"]), jnp.arange(self.bins)
        u = (x[..., :k, None] - p["low"]) * p["slope"]
        e = jnp.where(bin_ > 0, jnp.maximum(u, 0), u)
        f = jnp.where(bin_ < self.bins - 1, jnp.minimum(e, 1), e).reshape(*x.shape[:-1], -1)
        return f if k == x.shape[-1] else jnp.concatenate([f, x[..., k:]], -1)

    def _expect(self, p: Params, x: Any) -> None:
        if self.features is None:
            expect_features(self, len(p["low"]), x)
        elif not x.ndim or x.shape[-1] < self.features:
            raise ShapeError(f"{self} cuts the first {self.features} features, and x has shape {x.shape}.")


def _bins(edges: Any) -> Params:
    """Where each bin begins, and 1 / its width; the slope 0 where it has none but for roundings."""
    low, width = edges[:, :-1], jnp.diff(edges)
    number = jnp.finfo(edges.dtype)
    wide = width > jnp.maximum(8 * number.eps * jnp.abs(edges).max(1, keepdims=True), 8 * number.tiny)
    return {"low": low, "slope": jnp.where(wide, 1 / jnp.where(wide, width, 1), 0)}
