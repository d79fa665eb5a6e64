"""Whole numbers as places of an axis: sums of positions where they are that, else numbers looked up.

JAX writes an index i of an axis of length n as where(i < 0, i + n, i), for -1 is the last place. Where i is never
negative that is i, and is read so.
"""

from collections.abc import Collection, Sequence

import numpy as np

from chainrule.trace.arithmetic import function, is_number, same
from chainrule.trace.evaluate import full
from chainrule.trace.graph import (
    Index,
    Lookup,
    Node,
    Place,
    View,
    along,
    apply,
    number,
    position,
    reachable,
    value_of,
    whole,
)


def place_at(view: View, signed: Collection[Node], shift: int | None = None) -> Place:
    """The number that a view holds as an index, plus the position ``shift``; inputs in ``signed`` may be negative."""
    view = counted_from_the_start(view, signed)
    index = _linear(view)
    if index is None:
        moved = view if shift is None else apply("add", view, position(along(shift), view.shape))
        return Lookup(moved)
    return index if shift is None else _sum(index, along(shift), 1)


def counted_from_the_start(view: View, signed: Collection[Node]) -> View:
    """An index without the choice for negative numbers, where it has none, or where they are known."""
    index = _counted(view)
    if index is None:
        return view
    if never_negative(index, signed):
        return counted_from_the_start(index, signed)
    return view if _known(view) is None else _constant(view)


def _known(view: View) -> np.ndarray | None:
    """The numbers that a view reads, where the program says all that they are made of."""
    known = all(n.op in _SAID and n.kind != "key" for n in reachable([view], {}))
    return full(view, {}) if known and np.prod(view.shape, dtype=float) <= _FEW else None


_SAID = frozenset("number constant position map contract along reshape concat".split())
_FEW = 1 << 20
"""The number of places up to which numbers that are known are computed."""


def _constant(view: View) -> View:
    node = view.node
    value = np.ascontiguousarray(full(whole(node), {}))
    return View(Node("constant", shape=node.shape, kind="int", value=value), view.index, view.shape)


def _counted(view: View) -> View | None:
    """The index i in where(i < 0, i + n, i), or None."""
    choice = view.opened("where")
    if choice is None:
        return None
    test, shifted, index = choice
    compared, parts = test.opened("less"), shifted.opened("add")
    if compared is None or parts is None or not is_number(value_of(compared[1]), 0):
        return None
    return index if same(compared[0], index) and same(parts[0], index) and (value_of(parts[1]) or 0) > 0 else None


def never_negative(view: View, signed: Collection[Node]) -> bool:
    """Whether all numbers that a view reads are known to be 0 or more."""
    known = _known(view)
    if known is not None:
        return bool(np.all(known >= 0))
    fine: set[Node] = set()
    for node in reachable([view], {}):
        if _never_negative(node, fine, signed):
            fine.add(node)
    return view.node in fine


def _never_negative(node: Node, fine: Collection[Node], signed: Collection[Node]) -> bool:
    args = [v.node in fine for v in node.args]
    match node.op:
        case "number" | "constant":
            return node.kind != "key" and bool(np.all(np.asarray(node.value) >= 0))
        case "position":
            return never_negative(whole(node), signed)
        case "input":
            return node.kind == "int" and node not in signed
        case "opaque":
            return (node.name, node.axes) == ("top_k", (1,)) or node.name == "sort" and args[node.axes[0]]
        case "along":
            return node.name in ("argmax", "argmin") or all(args)
        case "map" if node.name == "where":
            return all(args[1:]) or _counted(whole(node)) is not None
        case "map" if node.name in ("maximum", "remainder"):
            return any(args) if node.name == "maximum" else args[0]
        case "map":
            return node.kind == "bool" or node.name in _KEEPING and all(args)
    return node.op in ("contract", "reshape", "concat") and all(args)


_KEEPING = frozenset("add multiply power minimum floor_divide number truncate floor ceil round stop sign".split())
"""Functions that are 0 or more where what they are given is."""


def _linear(view: View) -> Index | None:
    """A view of whole numbers as a sum of positions, if it is one."""
    node, value = view.node, value_of(view)
    if value is not None:
        return Index((), int(value))
    if not view.inside:
        return None
    at = dict(enumerate(view.index))
    if node.op == "position" and node.index is not None and node.index.divisor == 1:
        index = node.index.put(at)
        return index if isinstance(index, Index) else None
    piece = piece_read(view)
    if piece is not view:
        return _linear(piece)
    if (node.op, node.name) not in _SUMS:
        return None
    a, b = (_linear(v.put(at, view.shape)) for v in node.args)
    if a is None or b is None:
        return None
    if node.name != "multiply":
        return _sum(a, b, 1 if node.name == "add" else -1)
    a, b = (a, b) if a.terms else (b, a)
    return None if b.terms else Index(tuple((p, c * b.offset) for p, c in a.terms if b.offset), a.offset * b.offset)


_SUMS = {("map", "add"), ("map", "subtract"), ("map", "multiply")}


def _sum(a: Index, b: Index, sign: int) -> Index:
    sums = dict(a.terms)
    for p, c in b.terms:
        sums[p] = sums.get(p, 0) + sign * c
    return Index(tuple((p, c) for p, c in sums.items() if c), a.offset + sign * b.offset)


def piece_read(view: View) -> View:
    """The piece that a view reads, of arrays one after the other: at a fixed place it is only one of them."""
    node = view.node
    if node.op == "contract" and len(node.args) == 1 and node.args[0].shape == node.shape and view.inside:
        return piece_read(node.args[0].put(dict(enumerate(view.index)), view.shape))  # a copy
    if node.op != "concat" or not isinstance(fixed := view.index[node.axes[0]], Index) or fixed.terms:
        return view
    axis, start = node.axes[0], fixed.offset
    for piece in node.args:
        if start < piece.shape[axis]:
            at = dict(enumerate(view.index)) | {axis: Index((), start)}
            return piece_read(piece.put(at, view.shape))
        start -= piece.shape[axis]
    return view


def places(
    starts: View, batch: Sequence[int], named: Sequence[int], loops: int, space: tuple[int, ...]
) -> dict[int, View]:
    """The start that an array of indices holds for each axis it names; its own axes lie along ``batch``."""
    at = {p: along(p) for p in range(loops)} | {loops + j: along(b) for j, b in enumerate(batch)}
    last = len(starts.shape) - 1
    return {axis: piece_read(starts.put(at | {last: Index((), k)}, space)) for k, axis in enumerate(named)}


def fitting(start: View, room: int, signed: Collection[Node]) -> View:
    """A start moved so that a slice lies inside of an axis, as JAX does; ``room`` is the last that it may have."""
    value = value_of(start)
    if value is not None:
        return number(min(max(value, 0), room), start.shape, "int")
    start = counted_from_the_start(start, signed)
    known = _known(start)
    if known is not None and np.all((known >= 0) & (known <= room)):
        return start
    if _counted(start) is not None or not never_negative(start, signed):
        start = function("maximum", start, number(0, start.shape, "int"))
    return function("minimum", start, number(room, start.shape, "int"))
