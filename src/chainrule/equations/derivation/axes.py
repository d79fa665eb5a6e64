"""Labels of axes: axes that must have the same length because of how they are used get the same label."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.equations.formula import Symbol
from chainrule.trace.graph import Graph, Lookup, Node, View

PRIMES = ("", "′", "″", "‴", "⁗")


@dataclass(frozen=True)
class Axes:
    """The label of each axis of each node, and of each position of the space in which a node is computed."""

    kinds: Mapping[Any, Any]
    """(node, axis) and (node, "space", position) to the representative of its kind."""
    names: Mapping[Any, str]
    sizes: Mapping[str, int]

    def kind(self, node: Node, axis: int) -> str:
        """The label of an axis without primes."""
        return self.names[self.kinds[node, axis]]

    def of(self, node: Node) -> tuple[str, ...]:
        """The labels of a node's axes: the second of a kind has a prime."""
        out: list[str] = []
        for axis in range(len(node.shape)):
            out.append(fresh(self.kind(node, axis), out))
        return tuple(out)

    def space(self, node: Node, position: int) -> str:
        """The label, without primes, of a position of the space in which a node is computed."""
        return self.names[self.kinds[node, "space", position]]


def bare(label: str) -> str:
    """The label without its primes."""
    return label.rstrip("".join(PRIMES))


def fresh(label: str, taken: Iterable[str]) -> str:
    """The label of this kind with as few primes as make it differ from those that are taken."""
    taken, stem, count = set(taken), bare(label), 0
    while (new := stem + PRIMES[-1] * (count // 4) + PRIMES[count % 4]) in taken:
        count += 1
    return new


def label_axes(
    graph: Graph,
    order: Sequence[Node],
    preferred: Mapping[Any, str],
    taken: Iterable[str],
    gradients: Mapping[Node, View] | None = None,
) -> Axes:
    """Labels for the axes of nodes. ``preferred`` names (node, axis) first come first served; the rest get letters.

    ``taken``: the names of arrays, which labels must not have.
    """
    union = _Union()
    for node in order:
        _join(union, node, graph)
    for node, view in (gradients or {}).items():  # the axes of a gradient are those of what L is derived by
        for axis, (index, size) in enumerate(zip(view.index, view.node.shape, strict=True)):
            if index.plain is not None and view.shape[index.plain] == size:
                union.join((view.node, axis), (node, index.plain))
    kinds = {element: union.find(element) for element in union.parent}
    sizes = {}
    for node in order:
        sizes |= {kinds[node, a]: n for a, n in enumerate(node.shape)}
        if node.args:
            sizes |= {kinds[node, "space", p]: n for p, n in enumerate(space_of(node))}
    names: dict[Any, str] = {}
    taken = {*taken, "N"}
    for element, name in preferred.items():
        root = kinds.get(element)
        if root is not None and root not in names:
            names[root] = _unused(name, {*taken, *names.values()})
    spare = iter(_letters())
    for root in sizes:
        if root not in names:
            names[root] = next(s for s in spare if s not in taken and s not in names.values())
    return Axes(kinds, names, {names[root]: n for root, n in sizes.items()})


def _unused(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    stem = name.rstrip("0123456789")
    return next(f"{stem}{k}" for k in range(2, 10**6) if f"{stem}{k}" not in taken)


def _letters() -> Iterable[str]:
    for k in range(10**6):
        for letter in "efgqrsowuvabcijlm":
            yield letter + (str(k + 1) if k else "")


class _Union:
    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def find(self, x: Any) -> Any:
        self.parent.setdefault(x, x)
        root = x
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[x] != root:
            self.parent[x], x = root, self.parent[x]
        return root

    def join(self, a: Any, b: Any) -> None:
        self.parent[self.find(b)] = self.find(a)


def space_of(node: Node) -> tuple[int, ...]:
    """The lengths of the space in which a node is computed."""
    return node.shape if node.op in ("reshape", "concat", "opaque", "carry") else node.args[0].shape


def _join(union: _Union, node: Node, graph: Graph) -> None:
    for axis in range(len(node.shape)):
        union.find((node, axis))
    if not node.args:
        return
    for p in range(len(space_of(node))):
        union.find((node, "space", p))
        if p < len(node.shape):
            union.join((node, p), (node, "space", p))
    if node.op == "reshape":
        _reshape(union, node, node.args[0])
        return
    if node.op == "concat":
        for view in node.args:
            for axis in range(len(node.shape)):
                if axis != node.axes[0]:
                    _view(union, node, view, {p: p for p in range(len(node.shape)) if p != node.axes[0]})
        return
    if node.op == "carry":
        rest = [p for p in range(len(node.shape)) if p != node.axes[0]]
        _view(union, node, node.args[0], dict(enumerate(rest)))
        if node in graph.links:
            _view(union, node, graph.links[node], {p: p for p in range(len(node.shape))})
        return
    if node.op == "opaque":
        for view in node.args:
            if view.shape and node.shape and view.shape[0] == node.shape[0]:
                _view(union, node, view, {0: 0})
        return
    for view in node.args:
        _view(union, node, view, {p: p for p in range(len(view.shape))})


def _view(union: _Union, node: Node, view: View, at: Mapping[int, int]) -> None:
    """Join the axes of what a view reads with the positions of the space of ``node`` that they lie along."""
    for axis, (index, size) in enumerate(zip(view.index, view.node.shape, strict=True)):
        if isinstance(index, Lookup):
            _view(union, node, index.view, at)
        elif (p := index.plain) is not None and p in at and view.shape[p] == size:
            union.join((node, "space", at[p]), (view.node, axis))


def _reshape(union: _Union, node: Node, view: View) -> None:
    """Axes before and after the ones that were merged or parted stay what they are."""
    old, new = view.shape, node.shape
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    same = [(k, k) for k in range(first)] + [(len(old) - 1 - k, len(new) - 1 - k) for k in range(last)]
    for a, b in same:
        union.join((node, b), (view.node, a))


def operand(of: Symbol, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """The labels of one side of a matrix product: of a transposed one the last two exchanged, primes from the left."""
    own, out = list(labels[of.name]), []
    if not of.transposed:
        return own
    for label in [*own[:-2], own[-1], own[-2]]:
        out.append(fresh(label, out))
    return out
