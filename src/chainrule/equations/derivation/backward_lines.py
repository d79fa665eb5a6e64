"""The lines of back-propagation: δ for each line of the forward pass, from the last to the first, and ∂L/∂W."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.equations.derivation.backward import Backward
from chainrule.equations.derivation.naming import LONGEST, Numbering, free, must_be_symbols, readers_of
from chainrule.trace.graph import Graph, Node, View, needed_first, reachable, whole


@dataclass(frozen=True, eq=False)
class Gradient:
    """A line of back-propagation: a name for what a view reads; ``by`` is the forward node that L is derived by."""

    name: str
    view: View
    by: Node | None
    alias: bool
    """Whether what it reads has another name already: δa2 = δz3."""
    order: tuple[int, ...] = ()
    """For each axis of the line's symbol, which axis of ``by`` it is."""


def backward_lines(
    backward: Backward, named: dict[Node, str], forward: Sequence[Node], trained: Sequence[Node]
) -> list[Gradient]:
    """Lines in an order in which they can be computed; the names of their nodes are entered in ``named``."""
    graph = backward.graph
    targets = [n for n in reversed(forward) if n in backward.delta]
    pending = [n for n in trained if n in backward.delta and n in named]
    views = [backward.delta[n] for n in [*targets, *pending]]
    order = reachable(views, graph.links)
    own = [n for n in order if n not in named]
    must, readers = must_be_symbols(order, graph), readers_of(own, graph)
    must |= {v.node for v in views if v.plain is None and v.node.op not in ("number", "position")}
    ahead = reachable(graph.outputs, graph.links)
    passed = set(ahead)
    waits = _named_readers(ahead, graph, named, backward)
    back = {r: c for c, r in backward.after.items()}
    lines: list[Gradient] = []
    numbering = Numbering(named.values())
    seen: set[Node] = set(named)
    weighs: dict[Node, int] = {}

    def emit(name: str, by: Node) -> None:
        view = backward.delta[by]
        for node in needed_first(view.node, seen):
            if node in named or node.op in ("number", "position") or node.kind == "key":
                continue
            weighs[node] = 1 + sum(weighs.get(v.node, 0) for v in node.args if v.node not in named)
            shared = len(readers.get(node, ())) > 1 and weighs[node] > free(node)
            heavy = weighs[node] > LONGEST
            plain = node.op == "along" and node.args[0].node in named and node.args[0].plain is not None
            always = node.op in ("reshape", "concat", "carry", "opaque", "along") and not plain
            own_line = node is view.node and (node not in must or _fills(view))
            if own_line or node in passed or not (node in must or shared or heavy or always):
                continue  # lines of the forward pass come first: what they have no name for gets none here
            if node in back:
                after = f"δ{_linked(graph, back[node], named)}₊"
                named[node] = numbering.next("g") if after in named.values() else after
            else:
                named[node] = numbering.next("g")
            weighs[node] = 0
            lines.append(Gradient(named[node], whole(node), None, False))
        fresh = view.node not in named and view.node not in passed and view.node.op not in ("number", "position")
        if fresh and _fills(view):
            named[view.node] = name
            weighs[view.node] = 0
            lines.append(Gradient(name, whole(view.node), by, False, view.plain or ()))
        else:
            lines.append(Gradient(name, view, by, True, tuple(range(len(view.shape)))))

    done: set[Node] = set()
    for node in targets:
        emit(f"δ{named[node]}", node)
        done.add(node)
        for parameter in [p for p in pending if p in waits and waits[p] <= done]:
            emit(f"∂L/∂{named[parameter]}", parameter)
            pending.remove(parameter)
    for parameter in pending:
        emit(f"∂L/∂{named[parameter]}", parameter)
    return lines


def _fills(view: View) -> bool:
    """Whether a view reads each number of its node once, and has no other axes."""
    return view.plain is not None and len(view.plain) == len(view.shape)


def _linked(graph: Graph, carry: Node, named: dict[Node, str]) -> str:
    return named.get(graph.links[carry].node, "h")


def _named_readers(
    order: Sequence[Node], graph: Graph, named: dict[Node, str], backward: Backward
) -> dict[Node, set[Node]]:
    """For each forward node the named nodes that first read it, be it through others without a name."""
    found: dict[Node, set[Node]] = {}
    readers = readers_of(order, graph)
    for node in reversed(order):
        out: set[Node] = set()
        for reader in readers.get(node, ()):
            if reader in backward.delta:
                out |= {reader} if reader in named else found.get(reader, set())
        found[node] = out
    return found
