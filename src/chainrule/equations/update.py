"""The rule of an optimizer as lines: the program of one step is traced and lifted, and each line is checked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from chainrule.equations.checks import grammar
from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.readings import Known
from chainrule.equations.checks.verify import TOLERANCE
from chainrule.equations.derivation.axes import label_axes
from chainrule.equations.derivation.compose import Composer
from chainrule.equations.derivation.merge import merged
from chainrule.equations.derivation.naming import LONGEST, free, must_be_symbols, readers_of
from chainrule.equations.explanation import ExplainedLine
from chainrule.equations.formula import Line, symbols
from chainrule.equations.prints import text
from chainrule.equations.prints.legend import Entry
from chainrule.trace.evaluate import evaluate
from chainrule.trace.float64 import values_and_gradients
from chainrule.trace.graph import Graph, Node, reachable
from chainrule.trace.lift import lift
from chainrule.trace.program import Program, program
from chainrule.trace.subject import Update

NEXT, HAT = "₊", "\N{COMBINING CIRCUMFLEX ACCENT}"
OTHERWISE = {"W": "θ", "β1": "ρ1", "β2": "ρ2"}
"""The letters of Goodfellow et al., chapter 8, for those that a network has taken already."""


@dataclass(frozen=True, eq=False)
class _Rule:
    """A traced rule with the names of its nodes, and the nodes that get a line."""

    program: Program
    graph: Graph
    names: dict[Node, str]
    lines: tuple[Node, ...]
    words: Mapping[str, str]


def update_statements(
    update: Update, taken: Collection[str] = ()
) -> tuple[tuple[ExplainedLine, ...], tuple[Entry, ...]]:
    """The lines of an optimizer's rule, each checked, and the legend of their symbols.

    ``taken``: the symbols of the network, which the rule's own must not be.

    >>> def descent(W, g, rate):
    ...     return (W - rate * g,)
    >>> args = np.array([1.0, -2.0]), np.array([0.5, 3.0]), 0.1
    >>> words = "any parameter", "its gradient", "the learning rate", "the parameter after the step"
    >>> lines, entries = update_statements(Update(descent, args, ("W", "g", "η"), ("W",), words))
    >>> str(lines[0]), lines[0].status
    ('W₊ = W − η g', 'verified')
    """
    rule = _rule(update, taken)
    order = reachable(rule.graph.outputs, {})
    axes = label_axes(rule.graph, [*rule.graph.inputs, *order], {(n, 0): "i" for n in order if n.shape}, ())
    composer = Composer(rule.graph, axes, rule.names)
    program, computed = _values(rule, update, order)
    reader = Known(
        {rule.names[n]: Labeled(program.get(n, computed[n]), composer.natural(n)) for n in rule.names},
        {label: len(update.args[0]) for label in axes.sizes},
        1,
    )
    lines = []
    for node in rule.lines:
        line = Line(rule.names[node], composer.natural(node), composer.line(node), "update")
        shape = f"like {rule.names[rule.graph.inputs[0]]}" if node.shape else "1"
        lines.append(_checked(line, node, shape, computed[node], reader))
    return tuple(lines), _legend(rule, lines)


def _rule(update: Update, taken: Collection[str]) -> _Rule:
    """Trace, lift and name."""
    shapes = [jax.ShapeDtypeStruct(np.shape(a), jax.dtypes.canonicalize_dtype(np.result_type(a))) for a in update.args]
    traced = program(update.function, *shapes)
    graph = merged(lift(traced.traced, traced.inputs))
    own = {name: _free_name(name, taken) for name in (*update.names, *update.results)}
    names = {node: own[name] for node, name in zip(graph.inputs, update.names, strict=True)}
    words = {own[name]: words for name, words in zip(update.names, update.words, strict=False)}
    after = {}
    for view, name, said in zip(graph.outputs, update.results, update.words[len(update.names) :], strict=True):
        new = own[name] + (NEXT if name in update.names else "")
        if view.node.op not in ("input", "number"):
            after[view.node] = new
            words[new] = said
    first, *rest = graph.outputs
    order = reachable([first, *rest[::-1]], {})  # what is remembered comes first, in its own order
    lines = _named(graph, order, names, after, words)
    return _Rule(traced, graph, names, tuple(lines), words)


def _free_name(name: str, taken: Collection[str]) -> str:
    """The name, or another one when it is taken."""
    if name in OTHERWISE and any(other in taken for other in OTHERWISE if other[0] == name[0]):
        name = OTHERWISE[name]
    return next(n for n in (name, *(f"{name}_{k}" for k in range(2, 99))) if n not in taken)


def _named(
    graph: Graph, order: Sequence[Node], names: dict[Node, str], after: Mapping[Node, str], words: dict[str, str]
) -> list[Node]:
    """Enter names for what is computed, and return the nodes that get a line: all named ones but counts."""
    readers, must, weighs = readers_of(order, graph), must_be_symbols(order, graph), {}
    lines: list[Node] = []
    for node in order:
        if node in names or node.op == "number":
            continue
        weighs[node] = 1 + sum(weighs.get(v.node, 0) for v in node.args if v.node not in names)
        heavy = weighs[node] > free(node) and len(readers.get(node, ())) > 1
        if node in after:
            names[node] = after[node]
        elif (hat := _hat(node, names)) and hat not in names.values():
            names[node] = hat
            words[hat] = f"{names[node.args[0].node]} without its bias towards its start at 0"
        elif heavy or node in must or weighs[node] > LONGEST or node.op in ("opaque", "drawn", "constant"):
            names[node] = f"u{1 + sum(known.startswith('u') for known in names.values())}"
            words[names[node]] = "a step of the calculation"
        else:
            continue
        weighs[node] = 0
        if node.kind != "int" and node.op not in ("drawn", "constant"):
            lines.append(node)
    return lines


def _hat(node: Node, names: Mapping[Node, str]) -> str:
    """m̂ for a node that is m₊ over a single number that is computed, else nothing."""
    if node.op != "map" or node.name != "divide" or node.args[1].node.shape or node.args[1].node.op != "map":
        return ""
    name = names.get(node.args[0].node, "")
    return f"{name[0]}{HAT}{name[1:-1]}" if name.endswith(NEXT) else ""


def _values(
    rule: _Rule, update: Update, order: Sequence[Node]
) -> tuple[dict[Node, np.ndarray], dict[Node, np.ndarray]]:
    """What the program itself has for each named node, and what the graph computes, in double precision."""
    graph = rule.graph
    keys = {graph.traced[n][0]: n for n in rule.names if n in graph.traced}
    found, _ = values_and_gradients(rule.program.traced, update.args, frozenset(keys), frozenset())
    program = {n: np.asarray(found[k]).reshape(n.shape) for k, n in keys.items() if k in found}
    given = {n: v for n, v in program.items() if n.op in ("input", "opaque", "drawn")}
    return program, evaluate([*graph.inputs, *order], given)


def _checked(line: Line, node: Node, shape: str, computed: np.ndarray, reader: Known) -> ExplainedLine:
    """A line with what was found: its value and its print against the program."""
    printed, errors, reason = text.line(line), {}, ""
    status = "opaque" if node.op == "opaque" else "verified"
    if status == "opaque":
        reason = f"opaque {node.name} has no rule: it is computed by the program."
    else:
        expected = reader.values[line.symbol].value
        errors["value"] = _error(computed, expected)
        try:
            errors["printed"] = _error(reader.value(printed), expected)
        except grammar.NotationError as e:
            errors["printed"], reason = np.inf, str(e)
        failed = [name for name, e in errors.items() if not e <= TOLERANCE]
        if failed:
            status = "failed"
            reason = reason or "; ".join(f"{name} differs by {errors[name]:.1e}" for name in failed)
    return ExplainedLine(line.symbol, printed, "update", shape, "", status, errors, reason, line)


def _error(got: Any, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    scale = float(np.abs(expected).max()) or 1.0
    return float(np.abs(np.asarray(got, float) - expected).max() / scale)


def _legend(rule: _Rule, lines: Sequence[ExplainedLine]) -> tuple[Entry, ...]:
    """What the lines read, inputs first, then what they compute."""
    read = {name for line in lines for name in symbols(line.line.formula)}
    shown = [n for n in rule.names if rule.names[n] in read or n in rule.lines]
    like = f"like {rule.names[rule.graph.inputs[0]]}"
    first = rule.graph.inputs[0]
    return tuple(
        Entry(rule.names[n], "any" if n is first else like if n.shape else "1", rule.words[rule.names[n]])
        for n in shown
    )
