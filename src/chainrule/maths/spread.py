"""Spread: how large errors are at each x, learned from errors that were seen; and how unusual an x is."""

from dataclasses import dataclass

import numpy as np

STEPS = 50
SLACK = 1.0
"""The weight of the ridge, in rows: with few rows the spread stays near a constant one."""
BOUND = 3.0
"""By so much at most the logarithm of the variance departs from its middle: errors are up to e**1.5 times as large."""


@dataclass(frozen=True, eq=False)
class Spread:
    """The standard deviation of errors, as a function of features.

    Equation
        s(x) = scale * exp(clip(f @ w, -3, 3) / 2),  f = (features - center) / width
    Shapes
        features (rows, d) -> (rows,)
    Source
        Harvey 1976, Econometrica 44 (multiplicative heteroscedasticity), by Fisher's scoring
    """

    center: np.ndarray
    width: np.ndarray
    w: np.ndarray
    scale: np.ndarray | float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The standard deviation at each row."""
        f = (features - self.center) / self.width
        return self.scale * np.exp(np.clip(f @ self.w, -BOUND, BOUND) / 2)


def spread(features: np.ndarray, errors: np.ndarray) -> Spread:
    """The spread that makes the errors most likely, were they normal: the minimum of sum(log s**2 + e**2/s**2)."""
    center, width = features.mean(axis=0), features.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    f = (features - center) / width
    mean = float(np.mean(errors**2)) or 1.0
    r, w = errors**2 / mean, np.zeros(f.shape[1])
    ridge = SLACK + len(w)
    information = f.T @ f + ridge * np.eye(len(w))  # that of the log-variance does not depend on w
    for _ in range(STEPS):
        log_variance = np.clip(f @ w, -BOUND, BOUND)
        ratio = np.minimum(r * np.exp(-log_variance), 10.0)  # one wild error must not decide
        step = np.linalg.solve(information, f.T @ (ratio - ratio.mean()) - ridge * w)
        w = w + step
        if np.abs(step).max(initial=0) < 1e-6:
            break
    left = r * np.exp(-np.clip(f @ w, -BOUND, BOUND))
    return Spread(center, width, w, float(np.sqrt(mean * left.mean())))


@dataclass(frozen=True, eq=False)
class Typical:
    """Where rows usually lie, and how far from there the rows that were seen lie.

    Equation
        d(x)**2 = sum(((x - center) @ whitening)**2),  ood(x) = share of the seen rows with a smaller d
    Shapes
        features (rows, d) -> (rows,), from 0 (in the middle) to 1 (farther away than every row seen)
    Source
        Lee, Lee, Lee & Shin 2018, arXiv:1807.03888, section 2.1 (Mahalanobis distance)
    """

    center: np.ndarray
    whitening: np.ndarray
    distances: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """How unusual each row is."""
        near = np.searchsorted(self.distances, self.distance(features), side="left")
        return near / len(self.distances)

    def distance(self, features: np.ndarray) -> np.ndarray:
        """The distance of each row from the middle, in standard deviations."""
        u, w = features - self.center, self.whitening
        return np.sqrt(((u @ w if w.ndim == 2 else u * w) ** 2).sum(axis=1))


MOST_FEATURES, MOST_ROWS, PARTS = 512, 4096, 5
"""Above so many features they count as uncorrelated; so many rows suffice; distances are those of rows left out."""


def typical(features: np.ndarray) -> Typical:
    """What is typical for these rows; the distances of rows are measured from what the other rows say."""
    at = np.linspace(0, len(features) - 1, min(len(features), MOST_ROWS)).astype(int)
    x = features[at].astype(np.float64)
    part = np.arange(len(x)) % PARTS
    distances = [
        Typical(*_shape(x[part != p]), np.zeros(0)).distance(x[part == p]) for p in range(PARTS) if (part == p).any()
    ]
    return Typical(*_shape(x), np.sort(np.concatenate(distances)))


def _shape(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Center and whitening of rows; few rows are believed less than the variances of the features alone."""
    center, rows, d = x.mean(axis=0), *x.shape
    variance = x.var(axis=0)
    floor = max(float(variance.mean()), 1e-12) * 1e-3
    if d > MOST_FEATURES:
        return center, 1 / np.sqrt(variance + floor)
    believed = rows / (rows + d)
    covariance = believed * np.cov(x.T, bias=True).reshape(d, d) + (1 - believed) * np.diag(variance)
    values, vectors = np.linalg.eigh(covariance)
    return center, vectors / np.sqrt(np.maximum(values, 0) + floor)
