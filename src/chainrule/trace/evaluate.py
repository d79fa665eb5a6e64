"""The value of every node of a graph, in NumPy and double precision."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from scipy import special

from chainrule.errors import CannotExplain
from chainrule.trace.graph import Index, Lookup, Node, View, along


def evaluate(nodes: Iterable[Node], known: Mapping[Node, Any]) -> dict[Node, np.ndarray]:
    """The values of nodes, given in an order in which they can be computed; those of ``known`` are taken as they are.

    Inputs, draws and the carries of loops must be known.
    """
    values = dict(known)
    for node in nodes:
        if node not in values:
            value = compute(node, values)
            values[node] = value if node.kind == "key" else np.asarray(value)
            if node.limits is not None:
                _expect_held(node, values[node], node.limits)
    return values


def _expect_held(node: Node, value: np.ndarray, limits: tuple[int, int]) -> None:
    """CannotExplain where a whole number is none of the program's type."""
    wrapped = value[(value < limits[0]) | (value > limits[1])]
    if wrapped.size:
        where = f" in {node.place}" if node.place else ""
        raise CannotExplain(
            f"A whole number{where} becomes {wrapped[0]:g}, and its type holds those from {limits[0]} to {limits[1]}: "
            "JAX makes another of it without a word, and an equation does not. Use a wider type, or x.astype(float)."
        )


def compute(node: Node, values: Mapping[Node, Any]) -> Any:
    """The value of one node from those of its arguments."""
    match node.op:
        case "number" | "constant":
            return node.value
        case "position" if node.index is not None:
            return _places(node.index, node.shape, range(len(node.shape)))
        case "map":
            return np.broadcast_to(ELEMENTWISE[node.name](*(read(v, values) for v in node.args)), node.shape)
        case "contract":
            return _contracted(node, values)
        case "along" if node.name == "cross_entropy":
            scores, labels = (full(v, values) for v in node.args)
            picked = np.take_along_axis(scores, labels[..., :1].astype(int), -1)[..., 0]
            return special.logsumexp(scores, axis=-1) - picked
        case "along":
            arg = np.array(full(node.args[0], values, outside=_NEUTRAL.get(node.name, 0.0)))
            return ALONG[node.name](arg, node.axes)
        case "reshape":
            return full(node.args[0], values).reshape(node.shape)
        case "concat":
            return np.concatenate([full(v, values) for v in node.args], node.axes[0])
        case "opaque":
            return _called(node, values)
    raise ValueError(f"{node!r} has no value of its own.")


def _called(node: Node, values: Mapping[Node, Any]) -> Any:
    """An output of an operation that has no rule, computed by JAX in double precision."""
    came = [values.get(v.node, v.node.value) if v.node.kind == "key" else full(v, values) for v in node.args]
    with jax.enable_x64(True):
        value = node.call(*came)[node.axes[0]]  # type: ignore[misc]
        return value if node.kind == "key" else np.asarray(value)


def full(view: View, values: Mapping[Node, Any], outside: float = 0.0) -> np.ndarray:
    """What a view reads, with every axis of its space."""
    return np.broadcast_to(read(view, values, outside), view.shape)


def read(view: View, values: Mapping[Node, Any], outside: float = 0.0) -> np.ndarray:
    """What a view reads, of length 1 along the positions that it does not name."""
    value = np.asarray(values[view.node] if view.node in values else compute(view.node, values))
    if value.dtype.kind in "iu" and value.itemsize < 8:
        value = value.astype(np.int64)
    rank, places = len(view.shape), view.plain
    if places is not None:
        order = sorted(range(len(places)), key=places.__getitem__)
        shape = [1] * rank
        for axis, p in enumerate(places):
            shape[p] = value.shape[axis]
        return value.transpose(order).reshape(shape)
    if not value.size:
        return np.full((1,) * rank, outside)
    at, valid = [], np.ones((1,) * rank, bool)
    for i, size in zip(view.index, view.node.shape, strict=True):
        if isinstance(i, Lookup):
            place = read(i.view, values).astype(int)
            place = np.where(place < 0, place + size, place)
            _expect_inside(place, size, view)
        else:
            place, exact = _divided(_places(i, view.shape, range(rank)), i.divisor)
            valid = valid & exact
        valid = valid & (place >= 0) & (place < size)
        at.append(np.clip(place, 0, size - 1))
    return np.where(valid, value[tuple(np.broadcast_arrays(*at))] if at else value, outside)


def _expect_inside(place: np.ndarray, size: int, view: View) -> None:
    """CannotExplain where a number looked up is no place of the axis that it reads."""
    outside = place[(place < 0) | (place >= size)]
    if outside.size:
        of = f" of {view.node.place}" if view.node.place else ""
        raise CannotExplain(
            f"An array{of} of shape {view.node.shape} is read at place {outside[0]:g} of an axis of length {size}. "
            "JAX takes another place or NaN there without a word, and an equation has neither: keep indices inside, or "
            'say what is meant outside, jnp.clip(i, 0, n - 1) or x.at[i].get(mode="clip").'
        )


def _places(index: Index, shape: tuple[int, ...], axes: Iterable[int]) -> np.ndarray:
    """The sum of an index at each place of a space, before it is divided."""
    rank = len(tuple(axes))
    total = np.full((1,) * rank, index.offset)
    for p, c in index.terms:
        total = total + c * np.arange(shape[p]).reshape([-1 if q == p else 1 for q in range(rank)])
    return total


def _divided(places: np.ndarray, divisor: int) -> tuple[np.ndarray, np.ndarray]:
    return places // divisor, places % divisor == 0


def _contracted(node: Node, values: Mapping[Node, Any]) -> np.ndarray:
    """The sum of products; positions that stand in a sum of positions are walked one by one, the rest is einsum."""
    space, rank = node.args[0].shape, len(node.shape)
    sums = [i.terms for v in node.args for i in v.index if isinstance(i, Index) and len(i.terms) > 1]
    walked = sorted({p for terms in sums for p, _ in terms if p >= rank})
    if not walked:
        return np.broadcast_to(_product([read(v, values) for v in node.args], space, rank), node.shape)
    total: Any = 0.0
    for places in itertools.product(*(range(space[p]) for p in walked)):
        at = {p: along(p) for p in range(len(space))} | {p: Index((), n) for p, n in zip(walked, places, strict=True)}
        total = total + _product([read(v.put(at, space), values) for v in node.args], space, rank)
    return np.broadcast_to(total, node.shape)


def _product(arrays: Sequence[np.ndarray], space: tuple[int, ...], rank: int) -> np.ndarray:
    """The product of arrays in a space, summed over its positions after the first ``rank``."""
    operands, named = [], set()
    for array in arrays:
        axes = [p for p, n in enumerate(array.shape) if n != 1]
        named.update(axes)
        operands += [np.asarray(array, float).reshape([array.shape[p] for p in axes]), axes]
    kept = [p for p in range(rank) if p in named]
    large = math.prod(space[p] for p in named) > _SMALL and len(arrays) > 1
    out = np.einsum(*operands, kept, optimize=large)
    return np.reshape(out, [space[p] if p in named else 1 for p in range(rank)])


_SMALL = 1 << 14
"""The number of products up to which it costs more to look for a good order of them than to add them up."""


def _softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return special.softmax(x, axis=axes)


def _arg(f: Any) -> Any:
    def place(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), -1)
        return f(flat, axis=-1)

    return place


_NEUTRAL = {"max": -np.inf, "min": np.inf, "argmax": -np.inf, "argmin": np.inf, "prod": 1.0}

ALONG = {
    "max": lambda x, axes: x.max(axes),
    "min": lambda x, axes: x.min(axes),
    "prod": lambda x, axes: np.prod(x, axes, dtype=float),
    "any": lambda x, axes: x.astype(bool).any(axes),
    "all": lambda x, axes: x.astype(bool).all(axes),
    "argmax": _arg(np.argmax),
    "argmin": _arg(np.argmin),
    "logsumexp": lambda x, axes: special.logsumexp(x, axis=axes),
    "softmax": _softmax,
    "log_softmax": lambda x, axes: special.log_softmax(x, axis=axes),
}


def _not_zero(divisor: Any) -> Any:
    if np.any(np.asarray(divisor) == 0):
        raise CannotExplain(
            "A whole number is divided by 0: JAX gives -1 or the number itself without a word, and an equation has no "
            "value. Divide by jnp.where(n == 0, 1, n), or by floating-point numbers."
        )
    return divisor


ELEMENTWISE: dict[str, Any] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": lambda a, b: np.trunc(np.asarray(a) / _not_zero(b)).astype(int),
    "remainder": lambda a, b: np.fmod(a, b if np.result_type(a, b).kind == "f" else _not_zero(b)),
    "power": lambda a, b: np.power(np.asarray(a, float), b),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "arctan2": np.arctan2,
    "logaddexp": np.logaddexp,
    "binary_cross_entropy": lambda z, y: y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z),
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "where": lambda c, a, b: np.where(np.asarray(c, bool), a, b),
    "number": lambda a: np.asarray(a) * 1,
    "truncate": lambda a: np.trunc(a).astype(int),
    "stop": np.asarray,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": special.expit,
    "softplus": lambda a: np.logaddexp(a, 0),
    "silu": lambda a: a * special.expit(a),
    "gelu": lambda a: a * special.ndtr(a),
    "round": np.rint,
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "normal_cdf": special.ndtr,
    "normal_pdf": lambda a: np.exp(-np.square(a) / 2) / np.sqrt(2 * np.pi),
    **{
        name: getattr(np, name)
        for name in "negative exp exp2 log log1p expm1 tanh sin cos tan arcsin arccos arctan sinh cosh arcsinh arccosh "
        "arctanh sqrt cbrt abs sign floor ceil isfinite".split()
    },
}
