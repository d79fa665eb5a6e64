"""A program as mathematics: nodes that each compute one array, and views that place an array in a space of indices.

A view reads a node at an index for each of its axes: a position of the space (``x[n, d]``), a sum of multiples of
positions (``x[n, 2 i + u - 1]``: convolution, slices, padding), or the value of a whole-number array (``E[ids[n]]``).
A position that no index names repeats the node along it. So transposes, broadcasts and slices are no operations of
their own: they are how the next operation reads.

A read outside of an array, or between two of its numbers, gives 0; a negative number looked up counts from the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Index:
    """(sum of coefficient * position + offset) / divisor. Without terms: a fixed place."""

    terms: tuple[tuple[int, int], ...] = ()
    offset: int = 0
    divisor: int = 1

    @cached_property
    def plain(self) -> int | None:
        """The position, when the index is one and nothing else."""
        alone = len(self.terms) == 1 and self.terms[0][1] == 1 and self.offset == 0 and self.divisor == 1
        return self.terms[0][0] if alone else None

    def positions(self) -> frozenset[int]:
        """The positions of the space that the index names."""
        return frozenset(p for p, _ in self.terms)

    def put(self, at: "Mapping[int, Place]") -> "Place":
        """The index with each of its positions replaced by an index over another space.

        A quotient and a number looked up can only take the place of an index that is a position and nothing else.
        """
        if self.plain is not None:
            return at[self.plain]
        sums, offset = {}, self.offset
        for p, c in self.terms:
            index = at[p]
            if isinstance(index, Lookup) or index.divisor != 1:
                raise ValueError(f"{index} cannot be a part of {self}.")
            offset += c * index.offset
            for q, d in index.terms:
                sums[q] = sums.get(q, 0) + c * d
        return Index(tuple((q, c) for q, c in sums.items() if c), offset, self.divisor)


@dataclass(frozen=True, eq=False)
class Lookup:
    """The whole number that a view holds, as an index."""

    view: "View"
    plain = None
    divisor = 1

    def positions(self) -> frozenset[int]:
        """The positions of the space that the looked-up view names."""
        return self.view.positions()

    def put(self, at: "Mapping[int, Place]", shape: tuple[int, ...]) -> "Lookup":
        """The same in another space."""
        return Lookup(self.view.put(at, shape))


Place = Index | Lookup


@lru_cache
def along(position: int) -> Index:
    """The index that is a position."""
    return Index(((position, 1),))


@dataclass(frozen=True, eq=False)
class Node:
    """One array of the program and how it is computed. Nodes are told apart by identity, never by value.

    ``op`` says what ``args`` mean:

    input      an argument of the program; ``name`` is its path
    number     one number known to the program; ``value``
    constant   an array known to the program; ``value``
    drawn      random numbers, made from a key alone; ``value`` is one draw
    position   the value of ``index`` at each place of the shape
    map        ``name`` applied number by number; every arg fills the node's own space
    contract   the product of the args, summed over the positions of their space that follow the node's own
    along      ``name`` (max, softmax, ...) over the positions ``axes`` of its one arg's space; those that vanish
               (``name`` in REDUCTIONS) come last in that space; ``cross_entropy`` has scores and labels
    reshape    the numbers of its one arg in another shape
    concat     the args one after the other along the position ``axes[0]``
    carry      in a loop: position 0 is the step, and the value at a step is that of ``links[node]`` at the step before;
               at the first step args[0], which lacks position 0. ``reverse``: after, and last
    opaque     what has no rule: output number ``axes[0]`` of ``call``
    """

    op: str
    args: tuple["View", ...] = ()
    shape: tuple[int, ...] = ()
    kind: str = "float"
    """"float", "int" or "bool"."""
    name: str = ""
    axes: tuple[int, ...] = ()
    index: Index | None = None
    value: Any = None
    call: Callable | None = None
    reverse: bool = False
    place: str = ""
    """The layer in which the program computes it, as ``cr.summary`` names it."""
    limits: tuple[int, int] | None = None
    """The least and the largest of an input's whole numbers; elsewhere those that the type holds, where others could
    come out."""

    def __repr__(self) -> str:
        return f"{self.op}:{self.name}{list(self.shape)}"


@dataclass(frozen=True, eq=False)
class View:
    """A node read in a space: one index for each axis of the node; ``shape`` is the space."""

    node: Node
    index: tuple[Place, ...]
    shape: tuple[int, ...]

    def positions(self) -> frozenset[int]:
        """The positions along which what is read may change."""
        return frozenset().union(*(i.positions() for i in self.index))

    @property
    def plain(self) -> tuple[int, ...] | None:
        """The position that each axis of the node lies along, when all are different and fill their positions."""
        places = tuple(i.plain for i in self.index)
        whole = all(p is not None and self.shape[p] == n for p, n in zip(places, self.node.shape, strict=True))
        return places if whole and len(set(places)) == len(places) else None  # type: ignore[return-value]

    @property
    def whole(self) -> bool:
        """Whether the view is the node itself, axis by axis."""
        return self.plain == tuple(range(len(self.shape)))

    @property
    def inside(self) -> bool:
        """Whether every read falls into the array, at a place that is a sum of positions."""
        if self.plain is not None:
            return True
        for i, n in zip(self.index, self.node.shape, strict=True):
            if isinstance(i, Lookup) or i.divisor != 1:
                return False
            reach = [c * (self.shape[p] - 1) for p, c in i.terms]
            if i.offset + sum(r for r in reach if r < 0) < 0 or i.offset + sum(r for r in reach if r > 0) >= n:
                return False
        return True

    def opened(self, name: str) -> "tuple[View, ...] | None":
        """The arguments of the node, if it is an elementwise one of that name, read as the view reads the node.

        None where that is outside of it too: a read outside is 0, and f(0) is not.
        """
        if self.node.op != "map" or self.node.name != name or not self.inside:
            return None
        at = dict(enumerate(self.index))
        return tuple(v.put(at, self.shape) for v in self.node.args)

    def put(self, at: Mapping[int, Place], shape: Sequence[int]) -> "View":
        """The same reading in another space: ``at`` gives each position that is named as an index there."""
        return View(
            self.node,
            tuple(i.put(at, tuple(shape)) if isinstance(i, Lookup) else i.put(at) for i in self.index),
            tuple(shape),
        )

    def move(self, at: Sequence[int | None], shape: Sequence[int]) -> "View":
        """The same reading where position p has become ``at[p]``; None for positions that are dropped (read at 0)."""
        return self.put({p: Index() if q is None else along(q) for p, q in enumerate(at)}, shape)


@dataclass
class Graph:
    """What ``lift`` makes of a program."""

    inputs: list[Node] = field(default_factory=list)
    outputs: list[View] = field(default_factory=list)
    links: dict[Node, View] = field(default_factory=dict)
    """For each carry, what it hands on; the space has the step at position 0, like the carry's own."""
    traced: dict[Node, tuple[tuple[int, ...], View]] = field(default_factory=dict)
    """For each node that is a variable of the traced program: its key (see ``float64.Key``) and the variable's space,
    loops first, as a view of the node."""
    twins: dict[Node, tuple[tuple[tuple[int, ...], View], ...]] = field(default_factory=dict)
    """Further variables that are computed apart and are equal, where equal nodes were merged."""


REDUCTIONS = frozenset("max min argmax argmin prod any all logsumexp cross_entropy".split())
"""Functions along axes that leave one number."""

COMPARISONS = frozenset("equal not_equal less less_equal greater greater_equal isfinite and or not".split())
"""Elementwise functions whose values are yes or no."""

SHARED = 0.5
"""``value`` of a maximum or minimum whose slope, where its two numbers are equal, is half of each."""

WHOLE = frozenset("floor_divide argmax argmin".split())


def whole(node: Node) -> View:
    """A node as a view of itself."""
    return View(node, tuple(map(along, range(len(node.shape)))), node.shape)


def number(value: Any, shape: Sequence[int] = (), kind: str = "float") -> View:
    """A number, the same everywhere in a space."""
    return View(Node("number", value=value, kind=kind), (), tuple(shape))


def scattered(view: View) -> bool:
    """Whether an index of the view skips or repeats numbers: then it is no slice, and reads may fall outside."""
    return any(isinstance(i, Lookup) or i.divisor != 1 or len(i.terms) > 1 for i in view.index)


def value_of(view: View) -> Any:
    """The number that a view holds everywhere, or None."""
    return view.node.value if view.node.op == "number" else None


def compact(views: Iterable[View], extra: Iterable[int] = ()) -> tuple[list[int], tuple[View, ...]]:
    """The positions that the views name (and ``extra`` ones), and the views in the space of these alone."""
    views = tuple(views)
    used = sorted(frozenset(extra).union(*(v.positions() for v in views)))
    at = {p: along(k) for k, p in enumerate(used)}
    space = tuple(views[0].shape[p] for p in used)
    return used, tuple(v.put(at, space) for v in views)


def spread(node: Node, used: Sequence[int], shape: Sequence[int]) -> View:
    """A node whose axis k lies along ``used[k]``, read in a space that may have more positions."""
    return View(node, tuple(map(along, used)), tuple(shape))


def apply(name: str, *views: View, kind: str | None = None, place: str = "") -> View:
    """An elementwise function of views of one space; computed once where all of them repeat."""
    used, args = compact(views)
    if kind is None:
        kind = "bool" if name in COMPARISONS else "int" if name in WHOLE else _kind(name, views)
    return spread(Node("map", args, args[0].shape, kind, name, place=place), used, views[0].shape)


def _kind(name: str, views: Sequence[View]) -> str:
    kinds = [v.node.kind for v in views[name == "where" :]]
    return next((k for k in ("float", "int", "bool") if k in kinds), "float")


def contract(views: Sequence[View], keep: Sequence[int], place: str = "") -> View:
    """The sum of the product of the views over all positions that are not kept; the space is ``keep``, in its order.

    Summing over a position that no view names is multiplying by its size.
    """
    shape = views[0].shape
    named = frozenset().union(*(v.positions() for v in views))
    factor = int(np.prod([n for p, n in enumerate(shape) if p not in named and p not in keep], dtype=int))
    kept = [p for p in keep if p in named]
    summed = [p for p in range(len(shape)) if p in named and p not in kept]
    order = [*kept, *summed]
    at = {p: along(k) for k, p in enumerate(order)}
    space = tuple(shape[p] for p in order)
    args = tuple(v.put(at, space) for v in views)
    out = tuple(shape[p] for p in keep)
    if not summed and not any(map(scattered, views)):  # nothing is summed: a product number by number
        for view in views[1:]:
            views = (apply("multiply", views[0], view, place=place),)
        result = views[0].put({p: along(keep.index(p)) for p in named}, out)
    else:
        kind = next((k for k in ("float", "int", "bool") if any(v.node.kind == k for v in views)), "float")
        node = Node("contract", args, tuple(shape[p] for p in kept), "int" if kind == "bool" else kind, place=place)
        result = spread(node, [keep.index(p) for p in kept], out)
    return result if factor == 1 else apply("multiply", number(factor, out), result, place=place)


def materialized(view: View, place: str = "") -> View:
    """The view as a node of its own, which has every axis of the space."""
    if view.whole:
        return view
    node = Node("contract", (view,), view.shape, view.node.kind, place=place)
    return whole(node)


def function_along(name: str, view: View, axes: Sequence[int], place: str = "") -> View:
    """A function over some positions of a space: a reduction, whose space lacks them, or one number for each."""
    rank = len(view.shape)
    axes = [a % rank for a in axes]
    used, (arg,) = compact([view], axes)
    inner = [used.index(a) for a in axes]
    kind = "int" if name in WHOLE else "bool" if name in ("any", "all") else view.node.kind
    if name not in REDUCTIONS:
        node = Node("along", (arg,), arg.shape, kind, name, tuple(inner), place=place)
        return spread(node, used, view.shape)
    kept = [k for k in range(len(used)) if k not in inner]
    order = [*kept, *inner]
    at = {old: along(new) for new, old in enumerate(order)}
    arg = arg.put(at, tuple(arg.shape[k] for k in order))
    shape = arg.shape[: len(kept)]
    node = Node("along", (arg,), shape, kind, name, tuple(range(len(kept), len(order))), place=place)
    rest = [p for p in range(rank) if p not in axes]
    return spread(node, [rest.index(used[k]) for k in kept], tuple(view.shape[p] for p in rest))


def reshaped(view: View, shape: Sequence[int], place: str = "") -> View:
    """The numbers of a view in another shape; axes of length 1 come and go without an operation."""
    shape = tuple(shape)
    old = [p for p, n in enumerate(view.shape) if n != 1]
    new = [p for p, n in enumerate(shape) if n != 1]
    if [view.shape[p] for p in old] == [shape[p] for p in new]:
        places = dict(zip(old, new, strict=True))
        return view.put({p: along(places[p]) if p in places else Index() for p in range(len(view.shape))}, shape)
    node = Node("reshape", (materialized(view, place),), shape, view.node.kind, place=place)
    return whole(node)


def concatenated(views: Sequence[View], axis: int, place: str = "") -> View:
    """Views one after the other along a position."""
    shape = list(views[0].shape)
    shape[axis] = sum(v.shape[axis] for v in views)
    kind = next((k for k in ("float", "int", "bool") if any(v.node.kind == k for v in views)), "float")
    node = Node("concat", tuple(materialized(v, place) for v in views), tuple(shape), kind, axes=(axis,), place=place)
    return whole(node)


def position(index: Index, shape: Sequence[int]) -> View:
    """The value of an index at each place of a space: 0, 1, 2, ... for a plain one."""
    at = sorted(index.positions())
    moved = index.put({p: along(k) for k, p in enumerate(at)})
    assert isinstance(moved, Index)
    node = Node("position", shape=tuple(shape[p] for p in at), kind="int", index=moved)
    return spread(node, at, shape)


def reachable(outputs: Iterable[View], links: dict[Node, View]) -> list[Node]:
    """The nodes that outputs need, each after what it is computed from; a carry's link comes after the carry."""
    done: set[Node] = set()
    waiting: list[Node] = [v.node for v in outputs]
    order: list[Node] = []
    while waiting:
        new = needed_first(waiting.pop(), done)
        order += new
        waiting += [links[node].node for node in new if node in links]
    return order


def needed_first(root: Node, done: set[Node]) -> list[Node]:
    """A node and what it needs, each after what it is computed from, without those that are done; now they are."""
    order: list[Node] = []
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready:
            done.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((needed, False) for needed in needs(node) if needed not in done)
    return order


def standing(view: View, new: Mapping[Node, Node]) -> View:
    """The view that reads, where it reads a node, the one that stands for it now."""
    index = tuple(Lookup(standing(i.view, new)) if isinstance(i, Lookup) else i for i in view.index)
    if new[view.node] is view.node and not any(isinstance(i, Lookup) for i in index):
        return view
    return View(new[view.node], index, view.shape)


def moved(node: Node, args: tuple[View, ...]) -> Node:
    """The node with other arguments; itself where they are its own."""
    return node if all(a is b for a, b in zip(args, node.args, strict=True)) else replace(node, args=args)


def needs(node: Node) -> list[Node]:
    """The nodes that a node is computed from, in reading order reversed (for a stack)."""
    found = []
    for view in node.args:
        found.append(view.node)
        found.extend(i.view.node for i in view.index if isinstance(i, Lookup))
    return found[::-1]
