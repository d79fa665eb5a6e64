"""A program's graph at any number of examples, from what it is at two: no number that is equal by chance joins it."""

from collections.abc import Sequence
from dataclasses import replace

from chainrule.equations.derivation.backward import Backward
from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.derivation.traces import Derived, traced_at
from chainrule.errors import CannotExplain
from chainrule.trace.graph import Graph, Lookup, Node, Place, View


def resized(derivation: Derivation, rows: int) -> Derived:
    """The program at ``rows`` examples, its nodes in the order of the first trace.

    CannotExplain when the program holds a table that is as long as the data: what it is there is not known.
    """
    first, second = derivation.derived
    resizing = _Resizing(derivation, rows)
    for node in first.order:
        resizing.add(node)
    old, new, pairs = first.backward, resizing.new, derivation.pairs
    graph = Graph([new[n] for n in old.graph.inputs], list(map(resizing.view, old.graph.outputs, second.graph.outputs)))
    graph.links = {new[c]: resizing.view(v, second.graph.links[pairs[c]]) for c, v in old.graph.links.items()}
    graph.traced = {new[n]: (key, resizing.moved(v)) for n, (key, v) in old.graph.traced.items() if n in new}
    graph.twins = {
        new[n]: tuple((key, resizing.moved(v)) for key, v in twins) for n, twins in old.graph.twins.items() if n in new
    }
    delta = {new[n]: resizing.view(v, second.backward.delta[pairs[n]]) for n, v in old.delta.items() if n in new}
    after = {new[c]: new[r] for c, r in old.after.items()}
    backward = Backward(graph, delta, {}, after)
    return Derived(rows, traced_at(derivation.subject, rows), backward, tuple(new[n] for n in first.order))


class _Resizing:
    """Nodes at two numbers of examples to nodes at another."""

    def __init__(self, derivation: Derivation, rows: int) -> None:
        self.pairs, self.scales, self.rows = derivation.pairs, derivation.composer.scales, rows
        self.n, self.m = (d.rows or 0 for d in derivation.derived)
        self.new: dict[Node, Node] = {}

    def add(self, a: Node) -> None:
        b = self.pairs[a]
        if a.op == "constant" and a.shape != b.shape:
            raise CannotExplain("A table that the program holds is as long as the data.")
        value = a.value
        if a in self.scales:
            scale = self.scales[a]
            value = scale.value * self.rows**scale.power
        args = tuple(map(self.view, a.args, b.args))
        self.new[a] = replace(a, args=args, shape=self.lengths(a.shape, b.shape), value=value)

    def lengths(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        grown = [(q - p) // (self.m - self.n) for p, q in zip(a, b, strict=True)]
        return tuple(p + k * (self.rows - self.n) for p, k in zip(a, grown, strict=True))

    def view(self, v: View, w: View) -> View:
        index = tuple(map(self.place, v.index, w.index))
        return View(self.new[v.node], index, self.lengths(v.shape, w.shape))

    def place(self, i: Place, j: Place) -> Place:
        return Lookup(self.view(i.view, j.view)) if isinstance(i, Lookup) and isinstance(j, Lookup) else i

    def moved(self, v: View) -> View:
        """The view of a node that is a variable of the program: only where its axes lie is read."""
        at = v.plain or ()
        shape = list(v.shape)
        for axis, p in enumerate(at):
            shape[p] = self.new[v.node].shape[axis]
        return View(self.new[v.node], v.index, tuple(shape))
