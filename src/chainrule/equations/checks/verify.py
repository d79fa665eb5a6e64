"""The checks: each line against the program, in value, in gradient and in print.

value     what the graph computes for the line is what the program's own variable holds
gradient  what it computes for a gradient is autodiff's gradient by that variable
printed   the printed text, read back by an independent reader and computed in NumPy from the program's values of the
          symbols in it, is the program's value of the symbol on its left; at two numbers of examples where N is one
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.equations.checks import grammar
from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.readings import Known, computed, labeled, lengths
from chainrule.equations.checks.values import Values, arguments, checked_values, program_values
from chainrule.equations.derivation.derive import Derivation, Statement
from chainrule.equations.derivation.traces import Derived
from chainrule.equations.formula import Call, Formula, parts
from chainrule.equations.prints import text
from chainrule.errors import CannotExplain
from chainrule.trace.evaluate import full
from chainrule.trace.graph import Node, View, whole
from chainrule.trace.magnitude import magnitude

TOLERANCE = 1e-9
"""The largest error of a verified line, relative to the numbers that were added up to the entry."""

SMALL = 1e-6
"""An entry is judged by what was added up to it, and at least by this part of the largest in its array."""

Reading = tuple[Known, Mapping[Statement, np.ndarray], Mapping[Statement, float]]
"""What the reader knows; for each line the sizes of what is added up in it; the errors of the graph there."""


@dataclass(frozen=True)
class Check:
    """What was found about one line."""

    status: str
    """verified, opaque or failed."""
    errors: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


@np.errstate(all="ignore")  # what is not finite is compared like the rest
def verify(derivation: Derivation, seed: int = 0) -> tuple[Check, ...]:
    """A check for each statement."""
    first, pairs = derivation.derived[0], derivation.pairs
    lines = {n for s in derivation.statements for n in (s.view.node, s.by) if n is not None}
    values = checked_values(first, lines, arguments(derivation, first, seed))
    _expect_a_number(derivation, values)
    views = {s: s.view for s in derivation.statements}
    sizes = _sizes(views, values.graph)
    readings = [(_first(derivation, values), sizes, {})]
    for other in derivation.derived[1:]:
        inputs = arguments(derivation, other, seed + 1)
        graph, own = computed(other, inputs), program_values(other, [pairs[n] for n in lines], inputs)
        views = {s: _paired(s, other, pairs) for s in derivation.statements}
        sizes = _sizes(views, graph)
        errors = {
            s: _error(full(view, graph), own[view.node], sizes[s])
            for s, view in views.items()
            if s.by is None and view.node in own
        }
        readings.append((labeled(derivation, other, pairs, {**graph, **own}), sizes, errors))
    return tuple(_check(s, values, readings) for s in derivation.statements)


def _check(statement: Statement, values: Values, readings: Sequence[Reading]) -> Check:
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
    for known, sizes, found in readings:
        at = "" if known is readings[0][0] else f" at N = {known.examples}"
        if statement in found:
            errors[f"value{at}"] = found[statement]
        try:
            got = known.value(text.line(statement.line))
        except grammar.NotationError as e:
            errors[f"printed{at}"], reason = np.inf, str(e)
            continue
        errors[f"printed{at}"] = _error(got, known.values[statement.line.symbol].value, sizes[statement])
    failed = [name for name, e in errors.items() if not e <= TOLERANCE]
    if failed and not reason:
        reason = "; ".join(f"{name} differs by {errors[name]:.1e}" for name in failed)
    if not failed and own.size and not np.isfinite(np.asarray(own, float)).any():
        failed, reason = ["value"], "none of its numbers is finite here, so there is nothing to compare"
    return Check("failed" if failed else "verified", errors, reason)


def _expect_a_number(derivation: Derivation, values: Values) -> None:
    """CannotExplain when the loss is no finite number: nothing that follows from it could be compared."""
    loss = derivation.derived[0].graph.outputs[0]
    found = np.asarray(full(loss, values.graph), float)
    if not found.size or np.isfinite(found).any():
        return
    for name, leaf in _leaves(derivation):
        bad = np.argwhere(~np.isfinite(leaf))
        if len(bad):
            raise CannotExplain(
                f"The loss is {found.flat[0]}, and {name} holds {leaf[tuple(bad[0])]} at {tuple(map(int, bad[0]))}: "
                "equations can be checked only at numbers. Leave these examples out, or fill in what is missing."
            )
    line = next((s.line for s in derivation.statements if not np.isfinite(full(s.view, values.graph)).all()), None)
    where = "" if line is None else f": the first line that is not finite is {text.line(line)}"
    raise CannotExplain(
        f"The loss is {found.flat[0]} at these inputs{where}. Scale the inputs, or start from other parameters."
    )


def _leaves(derivation: Derivation) -> Iterator[tuple[str, np.ndarray]]:
    """The inputs of floating-point numbers, by their names."""
    subject = derivation.subject
    for name, tree in zip(subject.names, (subject.params, *subject.data), strict=True):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if jnp.issubdtype(getattr(leaf, "dtype", np.result_type(leaf)), np.floating):
                yield name + jax.tree_util.keystr(path), np.asarray(leaf, float)


def _paired(statement: Statement, derived: Derived, pairs: Mapping[Node, Node]) -> View:
    """What a line is about at another number of examples."""
    if statement.by is None or statement.view.whole:
        return whole(pairs[statement.view.node])
    return derived.backward.delta[pairs[statement.by]]


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


def _sizes(views: Mapping[Statement, View], values: Mapping[Node, np.ndarray]) -> dict[Statement, np.ndarray]:
    """How large the numbers were that are added up to each entry of each line: they may cancel to nothing."""
    found: dict[Statement, np.ndarray] = {}
    known: dict[Node, np.ndarray] = {}
    for statement, view in views.items():
        if view.node not in known:
            known[view.node] = _judged(magnitude(whole(view.node), values, known))
        found[statement] = full(view, ChainMap(known, values))  # type: ignore[arg-type]
    return found


def _judged(sizes: np.ndarray) -> np.ndarray:
    finite = sizes[np.isfinite(sizes)]
    largest = float(finite.max()) if finite.size else 0.0
    return (
        np.where(np.isfinite(sizes), np.maximum(sizes, SMALL * largest), largest) if largest else np.ones(sizes.shape)
    )


def _error(got: np.ndarray, expected: np.ndarray, sizes: np.ndarray) -> float:
    """The largest error of an entry, relative to its size; what is not finite must be the same."""
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    if got.shape != expected.shape or not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return np.inf
    finite = np.isfinite(got)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return np.inf
    return float((np.abs(got - expected)[finite] / sizes[finite]).max()) if finite.any() else 0.0
