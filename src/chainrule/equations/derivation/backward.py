"""Back-propagation on a graph: from the output to the inputs, the gradient by each node is the sum over its readers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chainrule.equations.derivation.rules import gradients, pulled
from chainrule.trace.arithmetic import function
from chainrule.trace.graph import (
    Graph,
    Index,
    Node,
    View,
    along,
    concatenated,
    materialized,
    number,
    reachable,
    whole,
)


@dataclass
class Backward:
    """The gradients of one output of a graph."""

    graph: Graph
    delta: dict[Node, View] = field(default_factory=dict)
    """dL/dnode, in the node's own space."""
    parts: dict[Node, list[tuple[Node | None, View]]] = field(default_factory=dict)
    """What each reader of a node contributes to its gradient; None is the next step of a loop."""
    after: dict[Node, Node] = field(default_factory=dict)
    """For the carry of a loop, the carry that brings its gradient back from the step after."""


def backward(graph: Graph, wrt: Sequence[Node]) -> Backward:
    """The gradients of the graph's only output, a single number, by all nodes between it and ``wrt``."""
    out = graph.outputs[0]
    order = reachable(graph.outputs, graph.links)
    active = _dependent(order, graph, wrt)
    result = Backward(graph)
    linked: dict[Node, list[Node]] = {}
    for carry, view in graph.links.items():
        if carry in active and view.node in active:
            linked.setdefault(view.node, []).append(carry)
    finals: dict[Node, list[View]] = {}
    result.parts[out.node] = [(None, pulled(out, [number(1.0, out.shape)]))]
    for node in reversed(order):
        if node not in active:
            continue
        for carry in linked.get(node, ()):
            _from_the_step_after(result, node, carry, finals.pop(node, []))
        if node not in result.parts:
            continue
        delta = _sum([v for _, v in result.parts[node]])
        if not delta.whole and delta.node.op != "number":
            delta = materialized(delta)  # a part, or a repetition, of another gradient has a line of its own
        result.delta[node] = delta
        if node.op == "carry":
            _to_the_step_before(result, node, delta, active)
            continue
        for view, g in zip(node.args, gradients(node, delta), strict=True):
            if g is not None and view.node in active:
                if view.node in linked and _leaves_loop(node, linked[view.node][0], graph):
                    finals.setdefault(view.node, []).append(delta)
                else:
                    result.parts.setdefault(view.node, []).append((node, g))
    for carry, back in result.after.items():  # only now: what a carry hands on may be a carry that comes before it
        delta = result.delta.setdefault(carry, number(0.0, carry.shape))
        graph.links[back] = materialized(delta)
    return result


def _leaves_loop(node: Node, carry: Node, graph: Graph) -> bool:
    """Whether a node is what a loop carries, at its last step."""
    if node.op != "contract" or len(node.args) != 1 or not graph.links[carry].whole:
        return False
    (view,), (step,) = node.args, carry.axes
    last = Index((), 0 if carry.reverse else carry.shape[step] - 1)
    rest = [i.plain for p, i in enumerate(view.index) if p != step]
    return view.index[step] == last and rest == list(range(len(node.shape))) == list(range(len(view.shape)))


def _from_the_step_after(result: Backward, node: Node, carry: Node, finals: list[View]) -> None:
    """What the step after sends back to a node that a loop carries; at the last step, what comes from outside."""
    (step,) = carry.axes
    rest = tuple(n for p, n in enumerate(carry.shape) if p != step)
    start = _sum(finals) if finals else number(0.0, rest)
    back = Node("carry", (start,), carry.shape, "float", axes=(step,), reverse=not carry.reverse, place=carry.place)
    result.after[carry] = back
    part = pulled(result.graph.links[carry], [whole(back)])
    result.parts.setdefault(node, []).append((None, part))


def _to_the_step_before(result: Backward, carry: Node, delta: View, active: set[Node]) -> None:
    """Hand the gradient of a carry to the step before, and at the first step to what the loop started with."""
    (start,) = carry.args
    if start.node in active:
        (step,) = carry.axes
        first = carry.shape[step] - 1 if carry.reverse else 0
        at = {p: along(p - (p > step)) for p in range(len(carry.shape))} | {step: Index((), first)}
        g = materialized(delta).put(at, start.shape)
        result.parts.setdefault(start.node, []).append((carry, pulled(start, [g])))


def _sum(views: list[View]) -> View:
    """The sum of contributions; those that fill an axis piece by piece are put one after the other."""
    pieces = _pieces(views)
    if pieces is not None:
        return concatenated(*pieces)
    total = views[0]
    for view in views[1:]:
        total = function("add", total, view)
    return total


def _pieces(views: list[View]) -> tuple[list[View], int] | None:
    """Views that each read a node shifted along one and the same axis, side by side: the nodes, and the axis."""
    found = []
    for view in views:
        shifts = [
            (i.terms[0][0], -i.offset, n)
            for i, n in zip(view.index, view.node.shape, strict=True)
            if isinstance(i, Index)
            and i.divisor == 1
            and len(i.terms) == 1
            and i.terms[0][1] == 1
            and view.shape[i.terms[0][0]] != n
        ]
        places = [i for i in view.index if isinstance(i, Index)]
        if len(shifts) != 1 or len(view.index) != len(view.shape) or len(places) < len(view.index):
            return None
        (axis, start, size), at = shifts[0], dict(enumerate(map(along, range(len(view.shape)))))
        found.append(
            (
                start,
                size,
                axis,
                View(
                    view.node,
                    tuple(i.put(at) if k != axis else along(axis) for k, i in enumerate(places)),
                    tuple(size if p == axis else n for p, n in enumerate(view.shape)),
                ),
            )
        )
    found.sort(key=lambda f: f[0])
    axes, reached = {f[2] for f in found}, 0
    for start, size, _, piece in found:
        if start != reached or not piece.whole:
            return None
        reached += size
    if len(axes) != 1 or reached != views[0].shape[found[0][2]]:
        return None
    return [f[3] for f in found], found[0][2]


def _dependent(order: Iterable[Node], graph: Graph, wrt: Sequence[Node]) -> set[Node]:
    """The nodes through which the output depends on ``wrt``, smoothly."""
    active, grown = set(wrt), True
    while grown:
        grown = False
        for node in order:
            if node in active or node.kind != "float" or (node.op, node.name) == ("map", "stop"):
                continue
            args = list(node.args) + ([graph.links[node]] if node in graph.links else [])
            if any(v.node in active for v in args):
                active.add(node)
                grown = True
    return active
