"""Information: how uncertain a distribution is, and how far it is from another."""

import math
from typing import Any

import numpy as np

from chainrule.errors import DataError, ShapeError


def entropy(p: Any, base: float = 2) -> Any:
    """The expected surprise of p along the last axis; in bits, unless another base is given.

    Equation
        entropy(p) = -sum(p * log(p), axis=-1) / log(base)
    Shapes
        p (..., k) -> (...)
    Errors
        DataError unless p is at least 0 and sums to 1
    Source
        Shannon 1948, section 6; 0 log 0 = 0

    >>> entropy([0.5, 0.25, 0.25])
    1.5
    """
    p = _probabilities("p", p)
    return _result(-_times_log(p, p), base)


def cross_entropy(p: Any, q: Any, base: float = 2) -> Any:
    """The expected surprise when q is believed and p is true; infinite when q rules out what happens.

    Equation
        cross_entropy(p, q) = -sum(p * log(q), axis=-1) / log(base)
    Shapes
        p (..., k)   q (..., k) -> (...)
    Errors
        DataError unless both are at least 0 and sum to 1; ShapeError when they differ in shape
    Source
        Good 1952; equals entropy(p) + kl_divergence(p, q)

    >>> cross_entropy([0.5, 0.5], [0.25, 0.75]) > entropy([0.5, 0.5])
    True
    """
    p, q = _pair(p, q)
    return _result(-_times_log(p, q), base)


def kl_divergence(p: Any, q: Any, base: float = 2) -> Any:
    """What believing q costs when p is true; 0 only for q = p, infinite when q rules out what happens.

    Equation
        kl_divergence(p, q) = sum(p * log(p / q), axis=-1) / log(base)
    Shapes
        p (..., k)   q (..., k) -> (...)
    Errors
        DataError unless both are at least 0 and sum to 1; ShapeError when they differ in shape
    Source
        Kullback & Leibler 1951, equation 2.4

    >>> kl_divergence([1.0, 0.0], [0.5, 0.5])
    1.0
    """
    p, q = _pair(p, q)
    return _result(_times_log(p, p) - _times_log(p, q), base)


def mutual_information(joint: Any, base: float = 2) -> float:
    """What each of two variables says about the other, from the table of their joint probabilities.

    Equation
        rows = sum(joint, axis=1, keepdims=True)
        columns = sum(joint, axis=0, keepdims=True)
        mutual_information(joint) = sum(joint * log(joint / (rows * columns))) / log(base)
    Shapes
        joint (a, b) -> a number
    Errors
        DataError unless joint is at least 0 and sums to 1; ShapeError unless it has two axes
    Source
        Shannon 1948, section 12

    >>> mutual_information([[0.5, 0.0], [0.0, 0.5]])
    1.0
    """
    table = np.asarray(joint, float)
    if table.ndim != 2:
        raise ShapeError(f"joint must be a table with two axes, and shape {table.shape} came.")
    product = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    return kl_divergence(table.ravel(), product.ravel(), base)


def _times_log(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """P log q, with 0 log 0 = 0."""
    with np.errstate(divide="ignore"):
        return np.where(p > 0, p, 0) * np.where(p > 0, np.log(q), 0)


def _result(terms: np.ndarray, base: float) -> Any:
    if isinstance(base, bool) or not 0 < base < math.inf or base == 1:
        raise DataError(f"base must be a number above 0 other than 1 (2 for bits, math.e for nats), and {base!r} came.")
    total = np.sum(terms, axis=-1) / math.log(base) + 0.0  # + 0.0 turns -0.0 into 0.0
    return float(total) if total.ndim == 0 else total


def _probabilities(name: str, p: Any) -> np.ndarray:
    p = np.asarray(p, float)
    if not p.ndim or not p.shape[-1]:
        raise ShapeError(f"{name} must hold the probabilities of one or more outcomes, and shape {p.shape} came.")
    if not np.all(p >= 0) or not np.allclose(p.sum(axis=-1), 1, rtol=0, atol=1e-5):
        raise DataError(f"{name} must be at least 0 and sum to 1, and this came: {np.array2string(p, threshold=8)}.")
    return p


def _pair(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    p, q = _probabilities("p", p), _probabilities("q", q)
    if p.shape != q.shape:
        raise ShapeError(f"p of shape {p.shape} meets q of shape {q.shape}: equal shapes are expected.")
    return p, q
