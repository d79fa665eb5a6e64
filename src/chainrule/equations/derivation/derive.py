"""From a subject to the lines of its explanation: trace, lift, back-propagate, name, compose."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.equations.derivation.axes import Axes, label_axes
from chainrule.equations.derivation.backward_lines import Gradient, backward_lines
from chainrule.equations.derivation.compose import Composer
from chainrule.equations.derivation.naming import name_inputs, name_nodes
from chainrule.equations.derivation.paths import plain
from chainrule.equations.derivation.traces import Derived, examples_in, is_trained, one_number, traces
from chainrule.equations.formula import Call, Formula, Line, Number, Place, Symbol, parts
from chainrule.trace.graph import Graph, Index, Node, View, needs, reachable, whole
from chainrule.trace.subject import Subject


@dataclass(frozen=True, eq=False)
class Statement:
    """A printed line with what it is about. ``view``: what the formula says is equal to this."""

    line: Line
    view: View
    place: str
    by: Node | None = None
    """The forward node that a gradient is taken by."""
    order: tuple[int, ...] = ()
    """For each axis of the line's symbol, which axis of ``by`` it is."""


@dataclass(frozen=True, eq=False)
class Derivation:
    """All lines, and what they were made from."""

    subject: Subject
    derived: tuple[Derived, ...]
    pairs: dict[Node, Node]
    """Nodes of the first program with those of the second, when there is one."""
    composer: Composer
    statements: tuple[Statement, ...]
    grows: dict[str, int]
    """Labels whose length is a multiple of N, with how many times it is N."""
    notes: tuple[str, ...]


def derive(subject: Subject) -> Derivation:
    """All lines of a subject."""
    found = traces(subject)
    first, pairs, notes = found.derived[0], found.pairs, [*subject.notes, *found.notes]
    graph, trained = first.graph, _trained(subject, first)
    if not one_number(graph.outputs[0]):
        notes.append("It returns an array, not one number, so there is no gradient to derive.")
    forward = reachable(graph.outputs, graph.links)
    network = set(reachable(graph.outputs[1:], graph.links))
    losses = frozenset(n for n in forward if n not in network) if network else frozenset()
    given = [(n, plain(path_of(subject, n.name))) for n in graph.inputs if n.kind != "key"]
    inputs = name_inputs(given, frozenset(trained), forward)
    later = [n for n in first.order if n not in set(forward)]
    named, lines = name_nodes(graph, forward, later, inputs, losses)
    gradients = backward_lines(first.backward, named, lines, [n for n in trained if n in named])
    preferred = _preferred(graph, _given(subject, graph), first.order, named, lines)
    axes = label_axes(graph, first.order, preferred, named.values(), first.backward.delta)
    growing = _growing(axes, pairs, first.rows or 1)
    fixed = {label: n for label, n in axes.sizes.items() if pairs and label not in growing}
    composer = Composer(graph, axes, named, found.scales, fixed)
    statements = [_forward(composer, n, losses, n is graph.outputs[0].node and not n.shape) for n in lines]
    statements += [_gradient(composer, g) for g in gradients]
    return Derivation(subject, found.derived, pairs, composer, tuple(statements), growing, tuple(notes))


def _trained(subject: Subject, derived: Derived) -> list[Node]:
    return [n for n in derived.graph.inputs if is_trained(subject, n)]


def path_of(subject: Subject, name: str) -> str:
    """The name of an input with its argument's own: ``0[0]['W']`` is ``params[0]['W']``."""
    number = name.split("[")[0].split(".")[0]
    return subject.names[int(number)] + name[len(number) :]


def _growing(axes: Axes, pairs: dict[Node, Node], rows: int) -> dict[str, int]:
    """Labels whose length is a multiple of the number of examples, with how many times it is that."""
    found = {}
    for (node, *where), root in axes.kinds.items():
        if node in pairs and len(where) == 1 and node.shape[where[0]] != pairs[node].shape[where[0]]:
            found[axes.names[root]] = node.shape[where[0]] // rows
    return found


def _forward(composer: Composer, node: Node, losses: frozenset[Node], last: bool) -> Statement:
    labels = composer.natural(node)
    formula = composer.turned(composer.line(node), labels)
    kind = "loss" if node in losses or last or composer.names[node] == "ℓ" else "forward"
    return Statement(
        Line(composer.names[node], labels, formula, kind, _indexed(formula, labels)), whole(node), node.place
    )


def _gradient(composer: Composer, gradient: Gradient) -> Statement:
    by = gradient.by if gradient.alias else gradient.view.node
    labels = composer.natural(by)  # type: ignore[arg-type]
    formula = composer.read(gradient.view, labels) if gradient.alias else composer.line(gradient.view.node)
    formula = composer.turned(formula, labels)
    place = gradient.by.place if gradient.by is not None else ""
    line = Line(gradient.name, labels, formula, "backward", _indexed(formula, labels))
    return Statement(line, gradient.view, place, gradient.by, gradient.order)


def _indexed(formula: Formula, labels: tuple[str, ...]) -> bool:
    """Whether the left side says its labels: where a symbol is read elsewhere than as defined, or axes change order."""
    if isinstance(formula, Call) and formula.name == "reshape" and formula.labels != labels:
        return True
    return _reads(formula)


def _reads(formula: Formula) -> bool:
    if isinstance(formula, Symbol) and formula.index is not None:
        return True
    return any(_reads(p) for p in parts(formula) if not isinstance(p, Place | Number))


def _given(subject: Subject, graph: Graph) -> list[Node]:
    """The inputs that hold examples; all of the data when none is known to."""
    _, which = examples_in(subject)
    data = [n for n in graph.inputs if not n.name.startswith("0")]
    return [n for n, w in zip(data, which, strict=True) if w] if which else data


def _preferred(
    graph: Graph, given: Sequence[Node], order: Sequence[Node], named: dict[Node, str], lines: Sequence[Node]
) -> dict[Any, str]:
    """Labels that readers expect: n examples, d inputs, t steps, i j places of a picture, h1, h2 units, k outputs."""
    read = {needed for node in order for needed in needs(node)}
    data = [n for n in given if n.kind in ("float", "int") and n in read]
    outputs = [v.node for v in graph.outputs[1:] if v.node.shape]
    wanted: dict[Any, str] = {(node, 0): "n" for node in data if node.shape}
    wanted |= {(node, len(node.shape) - 1): "k" for node in outputs if len(node.shape) > 1}
    for node in data:
        if node.shape:
            two = "nd" if node.kind == "float" else "nt"  # rows of whole numbers are sequences of symbols
            letters = {1: "n", 2: two, 3: "ntd", 4: "nijc", 5: "nlijc"}.get(len(node.shape), "")
            for axis, letter in enumerate(letters):
                wanted.setdefault((node, axis), letter)
    for node in lines:
        if node.op == "carry":
            wanted[node, node.axes[0]] = "t"
    wanted |= {place: letter for place, letter in _windows(order).items() if place not in wanted}
    numbered = [n for n in lines if named[n].startswith("z") and n.shape]
    for number, node in enumerate(numbered, 1):
        wanted.setdefault((node, len(node.shape) - 1), f"h{number}")
    spare = iter("efgqrsomlwacb")
    roles: dict[tuple[str, int], str] = {}
    for node in graph.inputs:  # the same axes of the same weights of other layers get the same letter, and a number
        if node.name.startswith("0") and node in named:
            for axis in range(len(node.shape)):
                role = re.split(r"[\d_]", named[node])[0], axis
                if role not in roles:
                    roles[role] = next(spare, "e")
                wanted.setdefault((node, axis), roles[role])
    return wanted


def _windows(order: Sequence[Node]) -> dict[Any, str]:
    """Where a window moves over an array: i, j for the places it moves to, u, v for the places in it."""
    wanted: dict[Any, str] = {}
    for node in order:
        for view in node.args:
            moving = [i for i in view.index if isinstance(i, Index) and len(i.terms) == 2]
            for axis, index in enumerate(moving[:3]):
                for p in index.positions():
                    wanted.setdefault((node, "space", p), ("ijl" if p < len(node.shape) else "uvw")[axis])
    return wanted
