"""Reads the executable lines of docstrings, and evaluates them in plain NumPy, independent of the code."""

import inspect
import re

import numpy as np
from scipy import special


def lines(obj, section):
    """The lines of one section of a docstring, such as "Equation"; empty when there is no such section."""
    text = inspect.cleandoc(obj.__doc__ or "").splitlines()
    if section not in text:
        return []
    body = text[text.index(section) + 1 :]
    end = next((i for i, line in enumerate(body) if line and not line.startswith(" ")), len(body))
    return [line.strip() for line in body[:end] if line.strip()]


def equations(obj):
    """[(lhs, rhs)] of the Equation section; what follows two spaces is a remark."""
    return [_sides(re.split(r"\s{2,}", line)[0]) for line in lines(obj, "Equation")]


def derivatives(obj):
    """[(lhs, rhs)] of the Derivative section, such as ("dL/dx", "g @ W.T"); several may share a line."""
    parts = [part for line in lines(obj, "Derivative") for part in re.split(r"\s{2,}", line)]
    return [_sides(part) for part in parts if re.match(r"d\w+/d\w+ = ", part)]


def evaluate(rhs, **values):
    """The value of one expression: NumPy's names, a few functions of the field, and the values given."""
    return eval(rhs, {"__builtins__": {}, **_NAMES, **values})


def solve(obj, **values):
    """All left sides of the Equation section, evaluated in order: later lines may use earlier ones."""
    for lhs, rhs in equations(obj):
        values[lhs] = evaluate(rhs, **values)
    return values


def _sides(equation):
    lhs, found, rhs = equation.partition(" = ")
    assert found, f"{equation!r} is no equation: one line, lhs = rhs, is expected"
    return lhs.split("(")[0].strip(), rhs.strip()


def _softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


_NAMES = {name: getattr(np, name) for name in np.__all__} | {
    "erf": special.erf,
    "gammaln": special.gammaln,
    "log_softmax": lambda z: special.log_softmax(z, axis=-1),
    "one_hot": lambda y, k: np.eye(k)[y],
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": special.expit,
    "softmax": _softmax,
    "softplus": lambda z: np.logaddexp(z, 0),
}
