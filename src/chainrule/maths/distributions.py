"""Distributions: what a network's output says about y, beyond one number.

Each is a frozen dataclass of arrays and a JAX pytree. Entropies are in nats.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

from chainrule.errors import DesignError
from chainrule.maths.activations import log_softmax, sigmoid, softmax, softplus

ROOT_TAU = math.sqrt(2 * math.pi)


class Distribution:
    """A probability law of y for each output; its numbers have the shape of the outputs."""

    mean: Any
    """The expected y."""
    variance: Any
    """The expected squared distance from the mean."""

    def log_prob(self, y: Any) -> Any:
        """The log density of y, or the log probability where y is discrete."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The expected -log_prob, in nats."""
        raise NotImplementedError

    def quantile(self, q: Any) -> Any:
        """The least y that is not exceeded with probability q or more, for q between 0 and 1."""
        raise NotImplementedError

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> Any:
        """Independent draws of shape (*shape, *outputs): quantiles of uniform numbers."""
        mean = jnp.asarray(self.mean)
        least = jnp.finfo(mean.dtype).tiny
        return self.quantile(jax.random.uniform(key, (*shape, *mean.shape), mean.dtype, least, 1.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """The bell curve, behind the squared error.

    Equation
        log_prob = -(((y - mean) / scale) ** 2) / 2 - log(scale) - log(2 * pi) / 2
        variance = scale**2
        entropy = log(scale) + (1 + log(2 * pi)) / 2
    Source
        Gauss 1809

    >>> float(Normal(jnp.array(0.0), jnp.array(2.0)).variance)
    4.0
    """

    mean: Any
    scale: Any

    def log_prob(self, y):
        """A parabola around the mean."""
        return -(((y - self.mean) / self.scale) ** 2) / 2 - jnp.log(self.scale) - math.log(ROOT_TAU)

    @property
    def variance(self):
        """The squared scale."""
        return self.scale**2

    def entropy(self):
        """Grows with the log of the scale."""
        return jnp.log(self.scale) + 0.5 + math.log(ROOT_TAU)

    def quantile(self, q):
        """The mean plus so many scales."""
        return self.mean + self.scale * special.ndtri(q)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Laplace(Distribution):
    """A sharp peak with exponential tails, behind the absolute error.

    Equation
        log_prob = -abs(y - mean) / scale - log(2 * scale)
        variance = 2 * scale**2
        entropy = 1 + log(2 * scale)
    Source
        Laplace 1774

    >>> float(Laplace(jnp.array(0.0), jnp.array(1.0)).quantile(0.5))
    0.0
    """

    mean: Any
    scale: Any

    def log_prob(self, y):
        """A tent around the mean."""
        return -jnp.abs(y - self.mean) / self.scale - jnp.log(2 * self.scale)

    @property
    def variance(self):
        """Twice the squared scale."""
        return 2 * self.scale**2

    def entropy(self):
        """Grows with the log of the scale."""
        return 1 + jnp.log(2 * self.scale)

    def quantile(self, q):
        """Logarithmic towards both ends."""
        return self.mean - self.scale * jnp.sign(q - 0.5) * jnp.log(2 * jnp.minimum(q, 1 - q))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class HuberDensity(Distribution):
    """Normal within delta of the mean, exponential beyond it: behind the Huber loss.

    Equation
        total = sqrt(2 * pi) * erf(delta / sqrt(2)) + 2 / delta * exp(-(delta**2) / 2)
        r = abs(y - mean)
        log_prob = -where(r <= delta, r**2 / 2, delta * (r - delta / 2)) - log(total)
        core = sqrt(2 * pi) * erf(delta / sqrt(2))
        variance = (core + 4 * (1 / delta + 1 / delta**3) * exp(-(delta**2) / 2)) / total
        entropy = log(total) + (core / 2 + 2 / delta * exp(-(delta**2) / 2)) / total
    Source
        Huber 1964, section 4 (his least favorable density)

    >>> float(HuberDensity(jnp.array(3.0), jnp.array(1.0)).quantile(0.5))
    3.0
    """

    mean: Any
    delta: Any

    @property
    def _core(self):
        return ROOT_TAU * special.erf(self.delta / math.sqrt(2))

    @property
    def _edge(self):
        return jnp.exp(-(self.delta**2) / 2)

    @property
    def _total(self):
        return self._core + 2 / self.delta * self._edge

    def log_prob(self, y):
        """A parabola near the mean, straight lines far from it."""
        r = jnp.abs(y - self.mean)
        return -jnp.where(r <= self.delta, r**2 / 2, self.delta * (r - self.delta / 2)) - jnp.log(self._total)

    @property
    def variance(self):
        """Of the normal core and the exponential tails together."""
        tails = 4 * (1 / self.delta + 1 / self.delta**3) * self._edge
        return jnp.broadcast_to((self._core + tails) / self._total, jnp.shape(self.mean))

    def entropy(self):
        """The log of the total, plus the expected loss."""
        loss = (self._core / 2 + 2 / self.delta * self._edge) / self._total
        return jnp.broadcast_to(jnp.log(self._total) + loss, jnp.shape(self.mean))

    def quantile(self, q):
        """The inverse of the exponential tail, or of the normal core."""
        side, delta, total = jnp.minimum(q, 1 - q), self.delta, self._total
        tail = self._edge / (delta * total)
        beyond = (jnp.log(jnp.minimum(side, tail) * delta * total) - delta**2 / 2) / delta
        within = special.ndtri(special.ndtr(-delta) + jnp.maximum(side - tail, 0) * total / ROOT_TAU)
        return self.mean - jnp.sign(q - 0.5) * jnp.where(side < tail, beyond, within)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class AsymmetricLaplace(Distribution):
    """A tent whose sides fall at the rates q and 1 - q, so that its q-quantile is the location.

    Equation
        r = y - location
        log_prob = log(q * (1 - q)) - maximum(q * r, (q - 1) * r)
        mean = location + (1 - 2 * q) / (q * (1 - q))
        variance = (1 - 2 * q + 2 * q**2) / (q * (1 - q)) ** 2
        entropy = 1 - log(q * (1 - q))
    Source
        Koenker & Machado 1999, equation 5; Yu & Zhang 2005 for the moments

    >>> round(float(AsymmetricLaplace(jnp.array(3.0), jnp.array(0.9)).quantile(0.9)), 3)
    3.0
    """

    location: Any
    q: Any

    def log_prob(self, y):
        """Minus the pinball loss, and a constant."""
        r = y - self.location
        return jnp.log(self.q * (1 - self.q)) - jnp.maximum(self.q * r, (self.q - 1) * r)

    @property
    def mean(self):
        """Right of the location when q < 1/2."""
        return self.location + (1 - 2 * self.q) / (self.q * (1 - self.q))

    @property
    def variance(self):
        """Of the two exponential sides together."""
        v = (1 - 2 * self.q + 2 * self.q**2) / (self.q * (1 - self.q)) ** 2
        return jnp.broadcast_to(v, jnp.shape(self.location))

    def entropy(self):
        """One nat more than the log of 1 / (q (1 - q))."""
        return jnp.broadcast_to(1 - jnp.log(self.q * (1 - self.q)), jnp.shape(self.location))

    def quantile(self, q):
        """Logarithmic on each side of the location."""
        left = jnp.log(jnp.minimum(q / self.q, 1)) / (1 - self.q)
        right = -jnp.log(jnp.minimum((1 - q) / (1 - self.q), 1)) / self.q
        return self.location + jnp.where(q < self.q, left, right)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Bernoulli(Distribution):
    """A coin whose log-odds of 1 are given, behind the binary cross-entropy.

    Equation
        log_prob = y * log(sigmoid(logits)) + (1 - y) * log(sigmoid(-logits))
        mean = sigmoid(logits)
        variance = sigmoid(logits) * sigmoid(-logits)
        entropy = -sigmoid(logits) * log(sigmoid(logits)) - sigmoid(-logits) * log(sigmoid(-logits))
    Source
        Bernoulli 1713

    >>> float(Bernoulli(jnp.array(0.0)).mean)
    0.5
    """

    logits: Any

    def log_prob(self, y):
        """Finite for every finite log-odds."""
        return -y * softplus(-self.logits) - (1 - y) * softplus(self.logits)

    @property
    def mean(self):
        """The probability of 1."""
        return sigmoid(self.logits)

    @property
    def variance(self):
        """At most 1/4."""
        return sigmoid(self.logits) * sigmoid(-self.logits)

    def entropy(self):
        """At most log 2."""
        z = jnp.abs(self.logits)
        return softplus(-z) + z * sigmoid(-z)

    def quantile(self, q):
        """0 up to the probability of 0, then 1."""
        return jnp.where(q <= sigmoid(-self.logits), 0, 1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Categorical(Distribution):
    """One of k classes, behind the cross-entropy; y is the class's index, and moments are those of its one-hot.

    Equation
        log_prob = sum(one_hot(y, k) * log_softmax(logits), axis=-1)
        mean = softmax(logits)
        variance = softmax(logits) * (1 - softmax(logits))
        entropy = -sum(softmax(logits) * log_softmax(logits), axis=-1)
    Shapes
        logits (..., k)   y (...) -> log_prob, entropy (...)   mean, variance (..., k)
    Errors
        DesignError when a quantile is asked for: classes have no order
    Source
        Bridle 1990

    >>> round(float(Categorical(jnp.zeros(4)).entropy()), 4)
    1.3863
    """

    logits: Any

    def log_prob(self, y):
        """NaN for an index that is no class."""
        each = jax.nn.one_hot(y, self.logits.shape[-1], dtype=bool)
        chosen = jnp.sum(jnp.where(each, log_softmax(self.logits), 0), axis=-1)
        return jnp.where(jnp.any(each, axis=-1), chosen, jnp.nan)

    @property
    def mean(self):
        """The probability of each class."""
        return softmax(self.logits)

    @property
    def variance(self):
        """Of the indicator of each class."""
        return softmax(self.logits) * (1 - softmax(self.logits))

    def entropy(self):
        """At most log k."""
        return -jnp.sum(softmax(self.logits) * log_softmax(self.logits), axis=-1)

    def quantile(self, q):
        """Refused."""
        raise DesignError("Categorical has no quantiles: its classes have no order. Look at mean, or at sample.")

    def sample(self, key, shape=()):
        """Indices of classes."""
        return jax.random.categorical(key, self.logits, shape=(*shape, *self.logits.shape[:-1]))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Poisson(Distribution):
    """Counts of independent events at a given log rate, behind the Poisson loss.

    Equation
        log_prob = y * log_rate - exp(log_rate) - gammaln(y + 1)
        mean = exp(log_rate)
        variance = exp(log_rate)
    Source
        Poisson 1837; Evans & Boersma 1988 for the entropy at large rates

    >>> int(Poisson(jnp.log(3.0)).quantile(0.5))
    3
    """

    log_rate: Any

    def log_prob(self, y):
        """For y = 0, 1, 2, ..."""
        return y * self.log_rate - jnp.exp(self.log_rate) - special.gammaln(y + 1.0)

    @property
    def mean(self):
        """The rate."""
        return jnp.exp(self.log_rate)

    @property
    def variance(self):
        """The rate again."""
        return jnp.exp(self.log_rate)

    def entropy(self):
        """A sum over the counts that matter, up to a rate of 200; beyond it an asymptotic series."""
        rate = jnp.exp(jnp.asarray(self.log_rate))
        low, high = jnp.minimum(rate, 200.0), jnp.maximum(rate, 200.0)
        counts = jnp.arange(512, dtype=rate.dtype)
        log_p = counts * jnp.log(low)[..., None] - low[..., None] - special.gammaln(counts + 1)
        series = jnp.log(ROOT_TAU * jnp.sqrt(high)) + 0.5 - 1 / (12 * high) - 1 / (24 * high**2) - 19 / (360 * high**3)
        return jnp.where(rate <= 200, -jnp.sum(jnp.exp(log_p) * log_p, axis=-1), series)

    def quantile(self, q):
        """The least count whose cumulated probability is at least q, by bisection."""
        rate = jnp.exp(jnp.asarray(self.log_rate))
        q, rate = jnp.broadcast_arrays(jnp.asarray(q, rate.dtype), rate)

        def halve(_, bounds):
            low, high = bounds
            middle = jnp.floor((low + high) / 2)
            enough = special.gammaincc(middle + 1, rate) >= q
            return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

        start = -jnp.ones_like(rate), jnp.ceil(rate + 40 * jnp.sqrt(rate) + 40)
        return jax.lax.fori_loop(0, 64, halve, start)[1].astype(int)

    def sample(self, key, shape=()):
        """Whole numbers."""
        rate = jnp.exp(jnp.asarray(self.log_rate))
        return jax.random.poisson(key, rate, (*shape, *rate.shape))
