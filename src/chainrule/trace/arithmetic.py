"""Arithmetic of views, with what is known beforehand worked out: x * 1 is x, 5 - 0 is 5."""

from typing import Any

import numpy as np

from chainrule.trace.graph import View, apply, number, value_of

_KNOWN = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": lambda a, b: np.power(float(a) if b < 0 else a, b),
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}


def function(name: str, *views: View, place: str = "", kind: str | None = None) -> View:
    """``apply`` with what is known beforehand worked out: 5 - 0 is 5, 0 - x is -x, where(True, a, b) is a."""
    values = [value_of(v) for v in views]
    if all(v is not None for v in values) and name in _KNOWN and views[0].node.kind != "key":
        with np.errstate(all="ignore"):
            result = _KNOWN[name](*values)
        if np.isfinite(result):
            whole_ = all(v.node.kind == "int" for v in views) and name != "divide"
            label = "bool" if isinstance(result, np.bool_) else "int" if whole_ else "float"
            return number(result.item(), views[0].shape, label)
    if name == "where" and values[0] is not None:
        return views[1] if values[0] else views[2]
    if name == "where" and is_number(values[1], 1) and is_number(values[2], 0):
        return apply("number", views[0], place=place, kind="float")
    a, b = (*values, None, None)[:2]
    if name in ("add", "subtract") and is_number(b, 0) or name in ("multiply", "divide", "power") and is_number(b, 1):
        return views[0]
    if name == "subtract" and is_number(a, 0):
        return function("negative", views[1], place=place, kind=kind)
    if name == "add" and is_number(a, 0) or name == "multiply" and is_number(a, 1):
        return views[1]
    return apply(name, *views, place=place, kind=kind)


def is_number(value: Any, wanted: int) -> bool:
    """Whether a known number is the one that is wanted; yes and no are none."""
    return value is not None and not isinstance(value, bool) and value == wanted


def same(a: View, b: View) -> bool:
    """Whether two views read the same numbers: the same node, or equal numbers, in the same way."""
    if value_of(a) is not None:
        return value_of(a) == value_of(b)
    return a.node is b.node and a.index == b.index
