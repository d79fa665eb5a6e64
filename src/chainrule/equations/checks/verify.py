"""The checks: each line against the program, in value, in gradient and in print.

value     what the graph computes for the line is what the program's own variable holds
gradient  what it computes for a gradient is autodiff's gradient by that variable
printed   the printed text, read back by an independent reader and computed in NumPy from the program's values of the
          symbols in it, is the program's value of the symbol on its left; at two numbers of examples where N is one
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.equations.checks import grammar
from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.readings import Known, computed, labeled, lengths
from chainrule.equations.checks.values import Values, arguments, checked_values
from chainrule.equations.derivation.derive import Derivation, Statement
from chainrule.equations.formula import Call, Formula, parts
from chainrule.equations.prints import text
from chainrule.trace.evaluate import full
from chainrule.trace.graph import Node, whole
from chainrule.trace.magnitude import magnitude

TOLERANCE = 1e-9
"""The largest error of a verified line, relative to the largest number that went into it."""

Reading = tuple[Known, Mapping[Statement, float]]
"""What the reader knows, and for each line the largest sum of sizes of what is added up in it."""


@dataclass(frozen=True)
class Check:
    """What was found about one line."""

    status: str
    """verified, opaque or failed."""
    errors: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


def verify(derivation: Derivation, seed: int = 0) -> tuple[Check, ...]:
    """A check for each statement."""
    first = derivation.derived[0]
    lines = {n for s in derivation.statements for n in (s.view.node, s.by) if n is not None}
    values = checked_values(first, lines, arguments(derivation, first, seed))
    readings = [(_first(derivation, values), _scales(derivation.statements, {}, values.graph))]
    for other in derivation.derived[1:]:  # at another number of examples, with what the graph computes there
        found, pairs = computed(other, arguments(derivation, other, seed + 1)), derivation.pairs
        readings.append((labeled(derivation, other, pairs, found), _scales(derivation.statements, pairs, found)))
    return tuple(_check(derivation, s, values, readings) for s in derivation.statements)


def _check(derivation: Derivation, statement: Statement, values: Values, readings: Sequence[Reading]) -> Check:
    if _opaque(statement.line.formula):
        return Check(
            "opaque", reason=f"{_opaque(statement.line.formula)} has no rule: it is computed, and not derived."
        )
    errors: dict[str, float] = {}
    own, node = full(statement.view, values.graph), statement.view.node
    scale = readings[0][1][statement]
    if statement.by is None and node in values.program:
        errors["value"] = _error(own, values.program[node], scale)
    if statement.by is not None and statement.by in values.gradient:
        errors["gradient"] = _error(own, values.gradient[statement.by].transpose(statement.order), scale)
    reason = ""
    for k, (reading, scales) in enumerate(readings):
        name = f"printed at N = {reading.examples}" if k else "printed"
        try:
            got = reading.value(text.line(statement.line))
        except grammar.NotationError as e:
            errors[name], reason = np.inf, str(e)
            continue
        expected = reading.values[statement.line.symbol].value
        errors[name] = _error(got, expected, scales[statement])
    failed = [name for name, e in errors.items() if not e <= TOLERANCE]
    if failed and not reason:
        reason = "; ".join(f"{name} differs by {errors[name]:.1e}" for name in failed)
    return Check("failed" if failed else "verified", errors, reason)


def _first(derivation: Derivation, values: Values) -> Known:
    """The reading from the program's own values, and the graph's for what is no variable of the program."""
    known = {}
    for node, name in derivation.composer.names.items():
        value = values.program.get(node, values.graph.get(node))
        if value is not None:
            known[name] = Labeled(np.asarray(value), derivation.composer.natural(node))
    for statement in derivation.statements:
        if statement.by is not None:
            slope = values.gradient.get(statement.by)
            value = full(statement.view, values.graph) if slope is None else slope.transpose(statement.order)
            known[statement.line.symbol] = Labeled(value, statement.line.labels)
    return Known(known, lengths(derivation, {}), derivation.derived[0].rows or 1)


def _opaque(formula: Formula) -> str:
    """The operation in a formula that has no rule, or ""."""
    if isinstance(formula, Call) and formula.name.startswith("opaque "):
        return formula.name
    return next(filter(None, map(_opaque, parts(formula))), "")


def _scales(
    statements: Sequence[Statement], pairs: Mapping[Node, Node], values: Mapping[Node, np.ndarray]
) -> dict[Statement, float]:
    """How large the numbers were that are added up in each line: they may cancel to nothing."""
    found: dict[Statement, float] = {}
    known: dict[Node, float] = {}
    for statement in statements:
        node = pairs.get(statement.view.node, statement.view.node)
        if node not in known:
            known[node] = magnitude(whole(node), values, known)
        found[statement] = known[node] or 1.0
    return found


def _error(got: np.ndarray, expected: np.ndarray, scale: float) -> float:
    """The largest difference, relative to a scale; what is not finite must be the same."""
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    if got.shape != expected.shape or not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return np.inf
    finite = np.isfinite(got)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return np.inf
    return float(np.abs(got[finite] - expected[finite]).max() / scale) if finite.any() else 0.0
