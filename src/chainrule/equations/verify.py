"""The checks: each line against the program, in value, in gradient and in print.

value     what the graph computes for the line is what the program's own variable holds
gradient  what it computes for a gradient is autodiff's gradient by that variable
printed   the printed text, read back by an independent reader and computed in NumPy from the program's values of the
          symbols in it, is the program's value of the symbol on its left; at two numbers of examples where N is one
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.equations import grammar, meaning, text
from chainrule.equations.axes import space_of
from chainrule.equations.derive import Derivation, Derived, Statement
from chainrule.equations.formula import Call, Formula, parts
from chainrule.equations.values import Values, arguments, checked_values, graph_values
from chainrule.trace.evaluate import full
from chainrule.trace.graph import Node, whole
from chainrule.trace.magnitude import magnitude

TOLERANCE = 1e-9
"""The largest error of a verified line, relative to the largest number that went into it."""


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
    readings = [_first(derivation, values)]
    if len(derivation.derived) > 1:
        readings.append(_second(derivation, seed))
    return tuple(_check(derivation, s, values, readings) for s in derivation.statements)


def _check(derivation: Derivation, statement: Statement, values: Values, readings: "list[_Reading]") -> Check:
    if _opaque(statement.line.formula):
        return Check(
            "opaque", reason=f"{_opaque(statement.line.formula)} has no rule: it is computed, and not derived."
        )
    errors: dict[str, float] = {}
    computed, node = full(statement.view, values.graph), statement.view.node
    scale = readings[0].scales[statement]
    if statement.by is None and node in values.program:
        errors["value"] = _error(computed, values.program[node], scale)
    if statement.by is not None and statement.by in values.gradient:
        errors["gradient"] = _error(computed, values.gradient[statement.by].transpose(statement.order), scale)
    reason = ""
    for reading in readings:
        name = "printed" if reading is readings[0] else f"printed at N = {reading.examples}"
        try:
            got = reading.evaluated(statement)
        except grammar.NotationError as e:
            errors[name], reason = np.inf, str(e)
            continue
        expected = reading.values[statement.line.symbol].value
        errors[name] = _error(got, expected, reading.scales[statement])
    failed = [name for name, e in errors.items() if not e <= TOLERANCE]
    if failed and not reason:
        reason = "; ".join(f"{name} differs by {errors[name]:.1e}" for name in failed)
    return Check("failed" if failed else "verified", errors, reason)


@dataclass(frozen=True)
class _Reading:
    """What an independent reader knows: symbols with their values, labels with their lengths."""

    values: Mapping[str, meaning.Labeled]
    sizes: Mapping[str, int]
    examples: int
    vocabulary: grammar.Vocabulary
    scales: Mapping[Statement, float]
    """For each line the largest sum of sizes of what is added up in it."""

    def evaluated(self, statement: Statement) -> np.ndarray:
        """The value of the printed line."""
        parsed = grammar.parse(text.line(statement.line), self.vocabulary)
        return meaning.evaluate(parsed, self.values, self.sizes, self.examples).value


def _first(derivation: Derivation, values: Values) -> _Reading:
    """The reading from the program's own values, and the graph's for what is no variable of the program."""
    known = {}
    for node, name in derivation.composer.names.items():
        value = values.program.get(node, values.graph.get(node))
        if value is not None:
            known[name] = meaning.Labeled(np.asarray(value), derivation.composer.natural(node))
    for statement in derivation.statements:
        if statement.by is not None:
            slope = values.gradient.get(statement.by)
            value = full(statement.view, values.graph) if slope is None else slope.transpose(statement.order)
            known[statement.line.symbol] = meaning.Labeled(value, statement.line.labels)
    return _reading(derivation, known, derivation.derived[0], {}, values.graph)


def _second(derivation: Derivation, seed: int) -> _Reading:
    """The reading at another number of examples, with the values that the graph computes there."""
    other = derivation.derived[1]
    inputs = arguments(derivation, other, seed + 1)
    if other.graph.links or any(n.op in ("drawn", "opaque") for n in other.order):
        values = checked_values(other, (), inputs).graph
    else:
        values = graph_values(other, inputs)
    known = {}
    for node, name in derivation.composer.names.items():
        twin = derivation.pairs.get(node)
        if twin in values:
            known[name] = meaning.Labeled(np.asarray(values[twin]), derivation.composer.natural(node))
    for statement in derivation.statements:
        if statement.line.symbol not in known and statement.by is not None:
            view = other.backward.delta[derivation.pairs[statement.by]]
            known[statement.line.symbol] = meaning.Labeled(full(view, values), statement.line.labels)
    return _reading(derivation, known, other, derivation.pairs, values)


def _reading(
    derivation: Derivation,
    known: dict[str, meaning.Labeled],
    derived: Derived,
    pairs: Mapping[Node, Node],
    values: Mapping[Node, np.ndarray],
) -> _Reading:
    axes, sizes = derivation.composer.axes, {}
    for element, root in axes.kinds.items():
        node = pairs.get(element[0], element[0])
        space = element[1] == "space"
        shape = space_of(node) if space else node.shape
        sizes[axes.names[root]] = shape[element[2] if space else element[1]]
    scales = _scales(derivation.statements, pairs, values)
    return _Reading(known, sizes, derived.rows or 1, grammar.Vocabulary(known, sizes), scales)


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
