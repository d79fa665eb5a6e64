"""Lines in the convention whose examples are columns, each checked as it is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.equations.checks import grammar
from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.readings import known
from chainrule.equations.checks.values import arguments
from chainrule.equations.checks.verify import TOLERANCE, Check
from chainrule.equations.derivation.axes import bare, operand
from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.formula import (
    Call,
    Formula,
    Line,
    Matrix,
    Place,
    Sum,
    Symbol,
    calls,
    mapped,
    symbols,
)
from chainrule.equations.prints import text
from chainrule.trace.evaluate import ALONG
from chainrule.trace.graph import Node


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
