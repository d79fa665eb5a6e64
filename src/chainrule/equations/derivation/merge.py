"""Equal computations become one node, so that what is computed twice is said once."""

from typing import Any

from chainrule.equations.derivation.backward import Backward
from chainrule.trace.graph import Graph, Lookup, Node, View, moved, reachable, standing


class Merger:
    """Old nodes to new ones, in an order in which they can be computed."""

    def __init__(self) -> None:
        self.new: dict[Node, Node] = {}
        self.known: dict[Any, Node] = {}

    def add(self, node: Node) -> None:
        """Find or make the node that stands for this one."""
        if node in self.new:
            return
        same = moved(node, tuple(map(self.view, node.args)))
        key = _key(same)
        self.new[node] = same if key is None else self.known.setdefault(key, same)

    def view(self, view: View) -> View:
        """The view of the node that stands for another."""
        return standing(view, self.new)


def merged(graph: Graph) -> Graph:
    """A graph with every computation once: the first of equal nodes stays, with the variables of the others."""
    merger = Merger()
    for node in [*graph.inputs, *reachable(graph.outputs, graph.links)]:
        merger.add(node)
    return _graph(graph, merger)


def merged_gradients(backward: Backward) -> Backward:
    """The same for the gradients of a merged graph, whose own nodes stay as they are."""
    graph, merger = backward.graph, Merger()
    parts = [v for ps in backward.parts.values() for _, v in ps]
    order = reachable([*graph.outputs, *backward.delta.values()], graph.links)
    for node in [*graph.inputs, *reachable(graph.outputs, graph.links), *order, *reachable(parts, graph.links)]:
        merger.add(node)
    return Backward(
        _graph(graph, merger),
        {merger.new[n]: merger.view(v) for n, v in backward.delta.items()},
        {
            merger.new[n]: [(merger.new.get(m) if m else None, merger.view(v)) for m, v in parts]
            for n, parts in backward.parts.items()
        },
        {merger.new[c]: merger.new[r] for c, r in backward.after.items() if r in merger.new},
    )


def _graph(graph: Graph, merger: Merger) -> Graph:
    result = Graph([merger.new[n] for n in graph.inputs], [merger.view(v) for v in graph.outputs])
    result.links = {merger.new[c]: merger.view(v) for c, v in graph.links.items() if c in merger.new}
    for node, (key, view) in graph.traced.items():
        if node in merger.new:
            new = merger.new[node]
            variable = key, View(new, view.index, view.shape)
            if new in result.traced:
                result.twins[new] = (*result.twins.get(new, ()), variable)
            else:
                result.traced[new] = variable
    result.twins |= {merger.new[n]: v for n, v in graph.twins.items() if n in merger.new}
    return result


def _key(node: Node) -> Any:
    """What two nodes must share to be the same computation; None for what is never shared."""
    if node.op in ("input", "drawn", "carry", "opaque", "constant"):
        return None
    args = tuple((id(v.node), v.shape, tuple(map(_index, v.index))) for v in node.args)
    return node.op, node.name, node.axes, node.index, node.value, node.kind, node.shape, args


def _index(index: Any) -> Any:
    if isinstance(index, Lookup):
        return "lookup", id(index.view.node), tuple(map(_index, index.view.index))
    return index
