"""Losses for numbers: each is -log_prob of a distribution, up to a factor and a constant."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammaln

from chainrule.errors import DesignError, ShapeError
from chainrule.maths.distributions import AsymmetricLaplace, HuberDensity, Laplace, Normal, Poisson
from chainrule.maths.loss import Loss, paired
from chainrule.maths.row_metrics import per_example

LARGEST_EXPONENT = 40.0
"""Beyond it, exp goes on as its tangent: finite where exp itself overflows, and still pulling back."""


def tangent_exp(x: Any) -> Any:
    """exp(x), and its tangent at 40 from there on."""
    c = LARGEST_EXPONENT
    return jnp.exp(jnp.minimum(x, c)) * (1 + jnp.maximum(x - c, 0))


@dataclass(frozen=True, repr=False)
class MeanSquaredError(Loss, name="mean_squared_error"):
    """The squared distance; its best constant is the mean of y.

    Equation
        mean_squared_error(z, y) = mean((z - y) ** 2, axis=-1)
    Derivative
        dL/dz = 2 * (z - y) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z and y differ in shape
    Source
        Legendre 1805. -log_prob of a normal law: L = 2 * NLL - log(2 * pi) with Normal(z, 1), mean over k

    >>> MeanSquaredError()(jnp.array([[1.0], [4.0]]), jnp.array([1.0, 2.0])).tolist()
    [0.0, 4.0]
    """

    def formula(self, z, y):
        """mean((z - y)**2)."""
        return per_example((z - paired(self, z, y)) ** 2)

    def distribution(self, z: Any) -> Normal:
        """Normal(z, 1): the scale is the network's own unit, and says nothing about the noise in y."""
        return Normal(z, jnp.ones_like(z))


@dataclass(frozen=True, repr=False)
class MeanAbsoluteError(Loss, name="mean_absolute_error"):
    """The distance; its best constant is the median of y.

    Equation
        mean_absolute_error(z, y) = mean(abs(z - y), axis=-1)
    Derivative
        dL/dz = sign(z - y) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z and y differ in shape
    Source
        Boscovich 1757. -log_prob of a Laplace law: L = NLL - log(2) with Laplace(z, 1), mean over k

    >>> MeanAbsoluteError()(jnp.array([[1.0], [4.0]]), jnp.array([1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    metrics = ("mean_squared_error", "mean_absolute_error")

    def formula(self, z, y):
        """mean(abs(z - y))."""
        return per_example(jnp.abs(z - paired(self, z, y)))

    def distribution(self, z: Any) -> Laplace:
        """Laplace(z, 1): the scale is the network's own unit, and says nothing about the noise in y."""
        return Laplace(z, jnp.ones_like(z))


@dataclass(frozen=True, repr=False)
class Huber(Loss, name="huber"):
    """Squared near 0, straight beyond delta: outliers pull with a bounded force.

    Equation
        r = abs(z - y)
        huber(z, y) = mean(where(r <= delta, r**2 / 2, delta * (r - delta / 2)), axis=-1)
    Derivative
        dL/dz = clip(z - y, -delta, delta) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z and y differ in shape; DesignError when delta is not a finite number above 0
    Source
        Huber 1964. L = NLL - log(total) with HuberDensity(z, delta), mean over k; PyTorch's HuberLoss, Keras' Huber

    >>> Huber(delta=1.0)(jnp.array([[0.5], [3.0]]), jnp.array([0.0, 0.0])).tolist()
    [0.125, 2.5]
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        delta = self.delta
        if isinstance(delta, bool) or not isinstance(delta, int | float) or not 0 < delta < math.inf:
            raise DesignError(f"Huber: delta must be a finite number above 0, and {delta!r} came.")

    def formula(self, z, y):
        """A parabola that goes on as its tangents."""
        r = jnp.abs(z - paired(self, z, y))
        return per_example(jnp.where(r <= self.delta, r**2 / 2, self.delta * (r - self.delta / 2)))

    def distribution(self, z: Any) -> HuberDensity:
        """HuberDensity(z, delta): normal in the middle, exponential tails."""
        return HuberDensity(z, jnp.asarray(self.delta, z.dtype))


@dataclass(frozen=True, repr=False)
class Quantile(Loss, name="quantile"):
    """The pinball loss; its best constant is the q-quantile of y.

    Equation
        r = y - z
        quantile(z, y) = mean(maximum(q * r, (q - 1) * r), axis=-1)
    Derivative
        dL/dz = where(y > z, -q, 1 - q) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z and y differ in shape; DesignError unless 0 < q < 1
    Source
        Koenker & Bassett 1978. L = NLL + log(q * (1 - q)) with AsymmetricLaplace(z, q), mean over k

    >>> Quantile(0.75)(jnp.array([[0.0], [3.0]]), jnp.array([2.0, 1.0])).tolist()
    [1.5, 0.5]
    """

    q: float

    def __post_init__(self) -> None:
        if not isinstance(self.q, float) or not 0 < self.q < 1:
            raise DesignError(f"Quantile: q must be a number between 0 and 1, such as 0.9, and {self.q!r} came.")

    def formula(self, z, y):
        """A tent whose sides rise at the rates q and 1 - q."""
        r = paired(self, z, y) - z
        return per_example(jnp.maximum(self.q * r, (self.q - 1) * r))

    def distribution(self, z: Any) -> AsymmetricLaplace:
        """AsymmetricLaplace(z, q), whose q-quantile is z."""
        return AsymmetricLaplace(z, jnp.asarray(self.q, z.dtype))


@dataclass(frozen=True, repr=False)
class GaussianNLL(Loss, name="gaussian_nll"):
    """The network says a mean and a log variance for each target, and pays for both.

    Equation
        m = z[:, :k]
        s = z[:, k:]
        gaussian_nll(z, y) = mean((s + (y - m) ** 2 * exp(-s) + log(2 * pi)) / 2, axis=-1)
    Derivative
        dL/dm = (m - y) * exp(-s) / k
        dL/ds = (1 - (y - m) ** 2 * exp(-s)) / (2 * k)
    Shapes
        z (rows, 2k): k means, then k log variances   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z has not twice as many columns as y
    Source
        Nix & Weigend 1994. L = NLL with Normal(m, exp(s / 2)), mean over k. Below s = -40, exp(-s) goes on as its
        tangent, so that nothing overflows; PyTorch bounds the variance from below by 1e-6 instead, and leaves the
        constant out unless full=True

    >>> round(float(GaussianNLL()(jnp.array([[1.0, 0.0]]), jnp.array([1.0]))[0]), 4)  # log(2 * pi) / 2
    0.9189
    """

    def width(self, targets: int) -> int:
        """A mean and a log variance for each target."""
        return 2 * targets

    def formula(self, z, y):
        """-log_prob of Normal(m, exp(s / 2))."""
        m, s = _halves(self, z)
        r = paired(self, m, y) - m
        return per_example((s + r**2 * tangent_exp(-s) + math.log(2 * math.pi)) / 2)

    def distribution(self, z: Any) -> Normal:
        """Normal(m, exp(s / 2)), with s kept within +-40."""
        m, s = _halves(self, z)
        return Normal(m, jnp.exp(jnp.clip(s, -LARGEST_EXPONENT, LARGEST_EXPONENT) / 2))

    def predict(self, z: Any) -> Any:
        """The mean."""
        return _halves(self, z)[0]


@dataclass(frozen=True, repr=False)
class PoissonNLL(Loss, name="poisson_nll"):
    """For counts: the network says the log of their rate.

    Equation
        poisson_nll(z, y) = mean(exp(z) - y * z + gammaln(y + 1), axis=-1)
    Derivative
        dL/dz = (exp(z) - y) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        ShapeError when z and y differ in shape
    Source
        Nelder & Wedderburn 1972. L = NLL with Poisson(z), mean over k. Above z = 40, exp goes on as its tangent, so
        that nothing overflows; PyTorch and Keras leave the constant gammaln(y + 1) out

    >>> PoissonNLL()(jnp.array([[0.0]]), jnp.array([1.0])).tolist()
    [1.0]
    """

    def formula(self, z, y):
        """-log_prob of Poisson(z)."""
        y = paired(self, z, y)
        return per_example(tangent_exp(z) - y * z + gammaln(y + 1))

    def distribution(self, z: Any) -> Poisson:
        """Poisson(z), with z at most 40."""
        return Poisson(jnp.minimum(z, LARGEST_EXPONENT))

    def predict(self, z: Any) -> Any:
        """The rate exp(z)."""
        return jnp.exp(jnp.minimum(z, LARGEST_EXPONENT))


def _halves(loss: Loss, z: Any) -> tuple[Any, Any]:
    if z.shape[-1] % 2:
        raise ShapeError(
            f"{loss!r} reads a mean and a log variance for each target, so outputs come in pairs, and {z.shape[-1]} "
            "came. End the network with cr.Dense(2 * targets)."
        )
    k = z.shape[-1] // 2
    return z[..., :k], z[..., k:]


mean_squared_error = MeanSquaredError()
mean_absolute_error = MeanAbsoluteError()
huber = Huber()
gaussian_nll = GaussianNLL()
poisson_nll = PoissonNLL()


def quantile(q: float) -> Quantile:
    """The pinball loss of the q-quantile: ``Quantile(q)``.

    Equation
        loss(z, y) = mean(maximum(q * (y - z), (q - 1) * (y - z)), axis=-1)
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1 -> (rows,)
    Errors
        DesignError unless 0 < q < 1
    Source
        Koenker & Bassett 1978

    >>> quantile(0.9)
    Quantile(q=0.9)
    """
    return Quantile(q)
