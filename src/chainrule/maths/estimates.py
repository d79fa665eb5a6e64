"""Estimates: a measured number with the interval that its true value lies in, 95 times of 100."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

NORMAL_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal law."""
CHUNK = 250_000
"""Numbers of one block of bootstrap weights."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; ``low`` and ``high`` are None where the rows are too few for one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Estimates(Mapping):
    """Estimates by name, and why others are left out."""

    estimates: Mapping[str, Estimate]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)


@dataclass(frozen=True)
class Statistic:
    """Numbers that depend on the weights of the rows: weights (..., rows) -> (..., names), NaN where undefined."""

    names: Sequence[str]
    of: Callable[[np.ndarray], np.ndarray]
    undefined: Sequence[str]
    """For each name, the reason when it is undefined."""


def wilson(hits: float, trials: float) -> Estimate:
    """The share of hits, with Wilson's score interval.

    Equation
        center = (hits + u**2 / 2) / (trials + u**2)
        half = u / (trials + u**2) * sqrt(hits * (trials - hits) / trials + u**2 / 4)
        low = center - half
        high = center + half  u = 1.96
    Source
        Wilson 1927

    >>> wilson(8, 10).value
    0.8
    """
    u2 = NORMAL_95**2
    center = (hits + u2 / 2) / (trials + u2)
    half = NORMAL_95 / (trials + u2) * math.sqrt(max(hits * (trials - hits), 0) / trials + u2 / 4)
    share = hits / trials
    return Estimate(share, min(max(center - half, 0.0), share), max(min(center + half, 1.0), share))


def normal(rows: np.ndarray) -> tuple[float, float, float]:
    """The mean of one value per row, and the interval (low, high) of the central limit theorem.

    Equation
        half = u * std(rows) / sqrt(n)
        low = mean(rows) - half
        high = mean(rows) + half  u = 1.96

    >>> normal(np.array([1.0, 1.0]))
    (1.0, 1.0, 1.0)
    """
    mean, half = float(rows.mean()), NORMAL_95 * float(rows.std()) / math.sqrt(len(rows))
    return mean, mean - half, mean + half


def bootstrap(statistics: Sequence[Statistic], weights: np.ndarray, replicates: int) -> Estimates:
    """The statistics at these weights, with the 95 % range over rows drawn again with replacement (always the same)."""
    values = [np.atleast_1d(s.of(weights)) for s in statistics]
    drawn = [[np.asarray(s.of(w)) for s in statistics] for w in _redrawn(weights, replicates)]
    estimates, left_out = {}, {}
    for i, s in enumerate(statistics):
        again = np.concatenate([block[i] for block in drawn]) if drawn else np.empty((0, len(s.names)))
        for j, name in enumerate(s.names):
            if math.isfinite(values[i][j]):
                estimates[name] = _estimate(float(values[i][j]), again[:, j])
            else:
                left_out[name] = s.undefined[j]
    return Estimates(estimates, left_out)


def _estimate(value: float, again: np.ndarray) -> Estimate:
    again = again[np.isfinite(again)]
    if again.size < 2:
        return Estimate(value, None, None)
    low, high = np.percentile(again, (2.5, 97.5))
    # A biased statistic, such as the calibration error, may lie outside the range of its own resamples.
    return Estimate(value, min(float(low), value), max(float(high), value))


def _redrawn(weights: np.ndarray, replicates: int) -> Iterator[np.ndarray]:
    rows = weights.size
    if rows < 2:
        return
    random = np.random.Generator(np.random.Philox(key=0))
    block = max(1, CHUNK // rows)
    for begin in range(0, replicates, block):
        count = min(block, replicates - begin)
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows) * weights
