"""Functions that NumPy lacks. A generated module holds copies of those that it calls, and nothing else of chainrule."""

import inspect
import math
import re
from collections.abc import Iterable

import numpy as np


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow."""
    return np.exp(-np.logaddexp(0, -a))


def silu(a):
    """The sigmoid of a, times a."""
    return a * sigmoid(a)


def erf(a):
    """The error function."""
    return np.vectorize(math.erf, otypes=[float])(a)


def erfc(a):
    """1 - erf(a), exact where erf(a) is almost 1."""
    return np.vectorize(math.erfc, otypes=[float])(a)


def erfinv(a):
    """The inverse of erf: a good guess, then Newton's method with Halley's correction."""
    y = np.minimum(np.abs(np.asarray(a, float)), 1 - 2**-53)
    s = 2 / (0.147 * np.pi) + np.log1p(-y * y) / 2
    x = np.sqrt(np.sqrt(s * s - np.log1p(-y * y) / 0.147) - s)
    for _ in range(4):
        step = np.where(y < 0.5, erf(x) - y, (1 - y) - erfc(x)) * np.sqrt(np.pi) / 2 * np.exp(x * x)
        x = x - step / (1 + x * step)
    return np.where(np.abs(a) == 1, np.inf, x) * np.sign(a)


def normal_cdf(a):
    """The probability that a standard normal variable is below a."""
    return erfc(-a / np.sqrt(2)) / 2


def normal_pdf(a):
    """The density of the standard normal distribution."""
    return np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi)


def gelu(a):
    """The probability that a standard normal variable is below a, times a."""
    return a * normal_cdf(a)


def lgamma(a):
    """The logarithm of the absolute value of the gamma function."""
    return np.vectorize(math.lgamma, otypes=[float])(a)


def digamma(a):
    """The derivative of lgamma: its series at a + 10, and the recurrence down from there."""
    a = np.asarray(a, float)
    x = np.where(a > 0, a, 1 - a)
    near = sum(1 / (x + k) for k in range(10))
    x = x + 10
    series = 1 / 12 - (1 / 120 - (1 / 252 - (1 / 240 - 1 / 132 / x**2) / x**2) / x**2) / x**2
    value = np.log(x) - 1 / (2 * x) - series / x**2 - near
    return np.where(a > 0, value, value - np.pi / np.tan(np.pi * np.where(a > 0, 0.5, a)))


def binary_cross_entropy(z, y):
    """-y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z)), without overflow."""
    return np.logaddexp(0, z) - y * z


def softmax(a, axis):
    """exp(a) / sum of exp(a) along an axis."""
    e = np.exp(a - np.max(a, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def log_softmax(a, axis):
    """The logarithm of softmax."""
    a = a - np.max(a, axis, keepdims=True)
    return a - np.log(np.sum(np.exp(a), axis, keepdims=True))


def logsumexp(a, axis):
    """The logarithm of the sum of exp(a) along an axis."""
    top = np.max(a, axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    return np.log(np.sum(np.exp(a - top), axis)) + np.squeeze(top, axis)


def spread(a, axis, step, between=0.0):
    """The numbers of a along an axis with step - 1 others between them."""
    shape = list(np.shape(a))
    shape[axis] = (shape[axis] - 1) * step + 1
    out = np.full(shape, between)
    out[(slice(None),) * axis + (slice(None, None, step),)] = a
    return out


def read(a, *places, outside=0.0):
    """What an array has at places, one array of them for each axis; ``outside`` where it has nothing."""
    places = np.broadcast_arrays(*places)
    there = [(0 <= k) & (k < size) & (k == np.floor(k)) for k, size in zip(places, np.shape(a), strict=True)]
    there = np.all(there, axis=0)
    return np.where(there, a[tuple(np.where(there, k, 0).astype(int) for k in places)], outside)


HELPERS = {
    f.__name__: f
    for f in (
        sigmoid,
        silu,
        erf,
        erfc,
        erfinv,
        normal_cdf,
        normal_pdf,
        gelu,
        lgamma,
        digamma,
        binary_cross_entropy,
        softmax,
        log_softmax,
        logsumexp,
        spread,
        read,
    )
}


def sources(names: Iterable[str]) -> list[str]:
    """The sources of helpers and of those that they call, in the order of this file."""
    needed, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [n for n in HELPERS if n != name and re.search(rf"\b{n}\(", _source(name))]
    return [_source(name) for name in HELPERS if name in needed]


def _source(name: str) -> str:
    return inspect.getsource(HELPERS[name]).rstrip()
