"""Lines in the convention whose examples are columns, and the labeled values by which lines are read at any place."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from chainrule.equations import grammar, text
from chainrule.equations.axes import bare, fresh
from chainrule.equations.derive import Derivation
from chainrule.equations.formula import (
    Call,
    Formula,
    Line,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Test,
    Total,
    parts,
    symbols,
)
from chainrule.equations.meaning import Labeled
from chainrule.equations.readings import Known, known
from chainrule.equations.values import arguments
from chainrule.equations.verify import TOLERANCE, Check
from chainrule.errors import CannotExplain
from chainrule.trace.evaluate import ALONG, ELEMENTWISE
from chainrule.trace.graph import Node

_RELATIONS = {
    "<": "less",
    "≤": "less_equal",
    ">": "greater",
    "≥": "greater_equal",
    "=": "equal",
    "≠": "not_equal",
}
_LEFT_OUT = {"max": -np.inf, "argmax": -np.inf, "min": np.inf, "argmin": np.inf}
"""What stands for a place outside of an axis within these functions."""


def mapped(f: Formula, change: Callable[[Formula], Formula]) -> Formula:
    """The formula with each of its parts changed."""
    match f:
        case Symbol(_, index) if index is not None:
            return replace(f, index=tuple(map(change, index)))  # type: ignore[arg-type]
        case Sum(terms):
            return Sum(tuple((sign, change(t)) for sign, t in terms))
        case Product(factors):
            return Product(tuple(map(change, factors)))
        case Quotient(a, b) | Power(a, b):
            return type(f)(change(a), change(b))
        case Test(relation, a, b):
            return Test(relation, change(a), change(b))
        case Negative(body):
            return Negative(change(body))
        case Total(labels, body):
            return Total(labels, change(body))
        case Call(name, args, labels):
            return Call(name, tuple(map(change, args)), labels)
    return f


def operand(of: Symbol, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """The labels of one side of a matrix product: of a transposed one the last two exchanged, primes from the left."""
    own, out = list(labels[of.name]), []
    if not of.transposed:
        return own
    for label in [*own[:-2], own[-1], own[-2]]:
        out.append(fresh(label, out))
    return out


def calls(f: Formula) -> list[Call]:
    """The functions in a formula, in reading order."""
    own = [f] if isinstance(f, Call) else []
    return own + [call for p in parts(f) for call in calls(p)]


def columns(line: Line, labels: Mapping[str, Sequence[str]], turned: frozenset[str]) -> Line | None:
    """The line for arrays of which those in ``turned`` have their two axes exchanged; None if it stays as it is.

    ``labels`` are those of all symbols before. z = x W + b becomes z = Wᵀ x + b, and ∂L/∂W = xᵀ δz becomes x δzᵀ.
    """
    own = line.labels[::-1] if line.symbol in turned else line.labels
    new = replace(line, labels=own, formula=_exchanged(line.formula, labels, turned))
    return None if new == line else new


def _exchanged(f: Formula, labels: Mapping[str, Sequence[str]], turned: frozenset[str]) -> Formula:
    def inner(g: Formula) -> Formula:
        return _exchanged(g, labels, turned)

    match f:
        case Symbol(name, index, _) if index is not None and name in turned:
            return replace(f, index=tuple(map(inner, index))[::-1])
        case Matrix(left, right):
            return _product(left, right, labels, turned)
        case Call("CE", (Symbol(name) as z, y)) if name in turned:
            rest, last = labels[name]
            read = Symbol(name, (y, Place(((rest, 1),))))  # type: ignore[arg-type]
            return Sum(((1, Call("logsumexp", (z,), (last,))), (-1, read)))
        case Call(_, (Symbol(name, None) as x,), ()) if name in turned and f.name in ALONG:
            return Call(f.name, (x,), (labels[name][-1],))
    return mapped(f, inner)


def _product(left: Symbol, right: Symbol, labels: Mapping[str, Sequence[str]], turned: frozenset[str]) -> Matrix:
    """The product as it is, or turned round where a row of it belonged to an example or it was a row alone."""
    ranks = len(labels[left.name]), len(labels[right.name])
    first, last = operand(left, labels)[0], operand(right, labels)[-1]
    round_ = ranks == (1, 2) or ranks == (2, 2) and _is_rows(turned, labels, first, last)
    pair = [_side(s, round_ and len(labels[s.name]) == 2, s.name in turned) for s in (left, right)]
    return Matrix(*(pair[::-1] if round_ else pair))


def _is_rows(turned: frozenset[str], labels: Mapping[str, Sequence[str]], first: str, last: str) -> bool:
    rows = {bare(labels[name][0]) for name in turned}
    return bare(first) in rows and bare(last) not in rows


def _side(of: Symbol, round_: bool, turned: bool) -> Symbol:
    return replace(of, transposed=of.transposed != (round_ != turned))


def turned(derivation: Derivation) -> frozenset[str]:
    """The symbols whose axes change places: matrices with a row for each example, unless they are rearranged whole."""
    rows, labels = example_labels(derivation), labels_of(derivation)
    found = {n for n, own in labels.items() if len(own) == 2 and bare(own[0]) in rows and bare(own[1]) not in rows}
    moved = [f for s in derivation.statements for f in calls(s.line.formula) if _moves(f)]
    read = [(f.name, {name for arg in f.args for name in symbols(arg)}) for f in moved]
    for _ in read:  # what is put together with an array that stays as it is stays too
        for how, names in read:
            found -= names if how != "concat" or not names <= found else set()
    return frozenset(found)


def _moves(f: Call) -> bool:
    return f.name in ("reshape", "concat") or f.name.startswith("opaque")


def labels_of(derivation: Derivation) -> dict[str, tuple[str, ...]]:
    """The labels of all symbols, examples being rows."""
    composer = derivation.composer
    labels = {name: composer.natural(node) for node, name in composer.names.items() if node.kind != "key"}
    return labels | {s.line.symbol: s.line.labels for s in derivation.statements}


def lines(derivation: Derivation) -> tuple[Line, ...]:
    """All lines with examples as columns; lines of arrays with more axes stay as they are."""
    labels, found = labels_of(derivation), turned(derivation)
    return tuple(columns(s.line, labels, found) or s.line for s in derivation.statements)


def verify(derivation: Derivation, seed: int = 0) -> tuple[Check, ...]:
    """A check for each of ``lines``: its print, read back with exchanged arrays, is the exchanged value."""
    found, turned_lines = turned(derivation), lines(derivation)
    errors: list[dict[str, float]] = [{} for _ in turned_lines]
    reasons = [""] * len(turned_lines)
    for k, derived in enumerate(derivation.derived):
        at = known(derivation, derived, arguments(derivation, derived, seed + k))
        values = {n: Labeled(v.value.T, v.labels[::-1]) if n in found else v for n, v in at.values.items()}
        at = replace(at, values=values)
        for i, line in enumerate(turned_lines):
            if any(f.name.startswith("opaque ") for f in calls(line.formula)):
                reasons[i] = "opaque"
                continue
            try:
                errors[i][f"printed at N = {at.examples}"] = _error(at.value(text.line(line)), line, values)
            except grammar.NotationError as e:
                errors[i][f"printed at N = {at.examples}"], reasons[i] = np.inf, str(e)
    return tuple(map(_check, errors, reasons))


def _check(errors: dict[str, float], reason: str) -> Check:
    if reason == "opaque":
        return Check("opaque", reason="An operation in it has no rule: it is computed, and not derived.")
    failed = [f"{name} differs by {e:.1e}" for name, e in errors.items() if not e <= TOLERANCE]
    return Check("failed" if failed else "verified", errors, reason or "; ".join(failed))


def _error(got: np.ndarray, line: Line, values: Mapping[str, Labeled]) -> float:
    """The largest difference from the symbol's value, relative to the largest number that goes into the line."""
    expected = np.asarray(values[line.symbol].value, float)
    if got.shape != expected.shape or not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return np.inf
    names = [n for n in symbols(line.formula) if line.kind != "backward" or n[0] in "δ∂g"]
    finite = [np.abs(a[np.isfinite(a)]) for a in (np.asarray(values[n].value, float) for n in (line.symbol, *names))]
    scale = max((float(a.max()) for a in finite if a.size), default=0.0) or 1.0
    return (
        float(np.abs(np.subtract(got, expected, where=np.isfinite(got), out=np.zeros(got.shape))).max(initial=0))
        / scale
    )


def example_labels(derivation: Derivation) -> frozenset[str]:
    """The labels, without primes, of axes that have one place for each example."""
    grows = derivation.grows
    if grows or derivation.derived[0].rows is None:
        return frozenset(label for label, times in grows.items() if times == 1)
    return frozenset(derivation.composer.axes.kind(n, 0) for n in data_of(derivation) if n.shape)


def data_of(derivation: Derivation) -> list[Node]:
    """The inputs of the program that are data and no parameters."""
    return [n for n in derivation.composer.names if n.op == "input" and not n.name.startswith("0")]


class Reader:
    """The numbers of formulas whose symbols all have places, for many values of the labels at once."""

    def __init__(self, own: Known) -> None:
        self.own = own

    def grown(self, at: Mapping[str, np.ndarray], labels: Sequence[str]) -> dict[str, np.ndarray]:
        """The values of labels with one more axis for each of ``labels``, which takes all its values there."""
        rank, more = max((a.ndim for a in at.values()), default=0), len(labels)
        out: dict[str, np.ndarray] = {label: a.reshape(a.shape + (1,) * more) for label, a in at.items()}
        for k, label in enumerate(labels):
            out[label] = np.arange(self.own.sizes[bare(label)]).reshape(
                (1,) * (rank + k) + (-1,) + (1,) * (more - 1 - k)
            )
        return out

    def full(self, f: Formula, at: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value at all places of the labels."""
        return np.broadcast_to(self.value(f, at), np.broadcast_shapes(*(a.shape for a in at.values())))

    def value(self, f: Formula, at: Mapping[str, np.ndarray]) -> Any:
        """The value, of a shape that meets that of the labels."""
        match f:
            case Number(value, power):
                return float(value) * float(self.own.examples) ** power
            case Place(all_, offset, divisor):
                return (sum(c * at[label] for label, c in all_) + offset) / divisor
            case Symbol():
                return self.read(f, at)[0]
            case Sum(all_):
                return sum(sign * self.value(t, at) for sign, t in all_)
            case Product(factors):
                return math.prod(self.value(x, at) for x in factors)
            case Quotient(a, b):
                return np.divide(self.value(a, at), self.value(b, at))
            case Negative(body):
                return -self.value(body, at)
            case Power(a, b):
                return np.power(np.asarray(self.value(a, at), float), self.value(b, at))
            case Test(relation, a, b):
                return ELEMENTWISE[_RELATIONS[relation]](self.value(a, at), self.value(b, at)) * 1.0
            case Total(labels, body):
                return self.full(body, self.grown(at, labels)).sum(tuple(range(-len(labels), 0)))
            case Call(name, args, ()) if name in ELEMENTWISE:
                return np.asarray(ELEMENTWISE[name](*(self.value(a, at) for a in args))) * 1.0
            case Call("reshape", (Symbol(name),)):
                return self.own.values[name].value[self.places(f, at)] * 1.0
            case Call(_, (body,), labels) if labels:
                return self.along(f, body, at)
        raise CannotExplain(f"{text.text(f)} has no entries that can be written out.")

    def places(self, f: Call, at: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
        """The places of its one symbol that a new arrangement reads."""
        lengths = [self.own.sizes[bare(label)] for label in f.labels]
        flat = sum(at[label] * math.prod(lengths[k + 1 :]) for k, label in enumerate(f.labels))
        return np.unravel_index(flat, self.own.values[f.args[0].name].value.shape)  # type: ignore[union-attr]

    def source(self, f: Call, at: Mapping[str, np.ndarray]) -> Symbol:
        """The same, at one place, as a symbol."""
        return Symbol(f.args[0].name, tuple(Place((), int(k)) for k in self.places(f, at)))  # type: ignore[union-attr]

    def along(self, f: Call, body: Formula, at: Mapping[str, np.ndarray]) -> Any:
        """A function along axes; what lies outside of an axis is left out of a maximum."""
        grown = self.grown(at, f.labels)
        every = self.full(body, grown)
        if f.name in _LEFT_OUT:
            every = np.where(self.inside(body, grown, True), every, _LEFT_OUT[f.name])
        flat = every.reshape(*every.shape[: every.ndim - len(f.labels)], -1)
        if f.name in ("softmax", "log_softmax"):
            logs = self.value(body, at) - special.logsumexp(flat, axis=-1)
            return logs if f.name == "log_softmax" else np.exp(logs)
        return ALONG[f.name](flat, (flat.ndim - 1,)) if f.name != "mean" else flat.mean(-1)

    def read(self, f: Symbol, at: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Any]:
        """What a symbol holds at its places, 0 outside of its axes, and where it lies inside."""
        value, places, inside = self.own.values[f.name].value, [], np.asarray(True)
        for entry, n in zip(f.index or (), value.shape, strict=True):
            place = np.asarray(self.value(entry, at))
            place = np.where(place < 0, place + n, place) if isinstance(entry, Symbol) else place
            inside = inside & (place == np.floor(place)) & (place >= 0) & (place < n)
            places.append(np.clip(place, 0, n - 1).astype(int))
        return np.where(inside, value[tuple(places)] * 1.0, 0.0), inside

    def inside(self, f: Formula, at: Mapping[str, np.ndarray], everywhere: bool = False) -> Any:
        """Where all factors, or everywhere all symbols, are read inside of their axes."""
        match f:
            case Symbol():
                return self.read(f, at)[1]
            case Product() | Negative() | Power():
                return math.prod((self.inside(p, at, everywhere) for p in parts(f)), start=np.asarray(True))
            case Total() | Place() | Number():
                return np.asarray(True)
        return math.prod((self.inside(p, at, True) for p in parts(f)), start=np.asarray(True)) if everywhere else True

    def summed(self, f: Total, at: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, ...]]:
        """The labels of a sum with all their values, and the places at which there is something to add."""
        grown = self.grown(at, f.labels)
        shape = np.broadcast_shapes(*(a.shape for a in grown.values()))
        return grown, np.nonzero(np.broadcast_to(self.inside(f.body, grown), shape))

    def terms(self, f: Formula, at: Mapping[str, np.ndarray]) -> list[tuple[float, ...]]:
        """A sum at single values of the labels as the factors of each of its terms."""
        match f:
            case Sum(all_):
                return [(*t, -1.0) if sign < 0 else t for sign, part in all_ for t in self.terms(part, at)]
            case Negative(body):
                return [(*t, -1.0) for t in self.terms(body, at)]
            case Quotient(top, bottom):
                return [(*t, float(1 / self.value(bottom, at))) for t in self.terms(top, at)]
            case Product(factors) if any(isinstance(x, Total) for x in factors):
                k = next(k for k, x in enumerate(factors) if isinstance(x, Total))
                rest = [float(self.value(x, at)) for x in factors[:k] + factors[k + 1 :]]
                return [(*rest, *t) for t in self.terms(factors[k], at)]
            case Product(factors):
                return [tuple(float(self.value(x, at)) for x in factors)]
            case Total(_, body):
                grown, where = self.summed(f, at)
                columns = [self.full(x, grown)[where].tolist() for x in _factors(body)]
                return list(zip(*columns, strict=True))
        return [(float(self.value(f, at)),)]


def _factors(f: Formula) -> list[Formula]:
    match f:
        case Product(factors):
            return [y for x in factors for y in _factors(x)]
        case Negative(body):
            return [Number(-1.0), *_factors(body)]
        case Quotient(top, bottom):
            return [*_factors(top), Quotient(Number(1), bottom)]
    return [f]
