"""Reading and writing at places that are numbers of the program: E[ids], x[i], x.at[i].set(v), dynamic slices.

A place that is a sum of positions becomes an index like that of a slice; any other is looked up. Places are taken to
lie inside of the array, which is what a program means by them: outside, JAX clips them or gives NaN, a graph gives 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jax.extend.core import JaxprEqn

from chainrule.trace.arithmetic import function
from chainrule.trace.graph import (
    Index,
    Lookup,
    Node,
    Place,
    View,
    along,
    apply,
    contract,
    materialized,
    number,
    position,
    value_of,
)
from chainrule.trace.lift_shapes import simple
from chainrule.trace.lifter import Lifter, Site, lifts
from chainrule.trace.pull import pulled


def place_at(view: View, shift: int | None = None) -> Place:
    """The number that a view holds as an index, plus the position ``shift``."""
    index = _linear(view)
    if index is None:
        moved = view if shift is None else apply("add", view, position(along(shift), view.shape))
        return Lookup(moved)
    return index if shift is None else _sum(index, along(shift), 1)


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
    if node.op == "concat":
        piece = _piece(view)
        return None if piece is view else _linear(piece)
    copied = node.op == "contract" and len(node.args) == 1 and node.args[0].shape == node.shape
    if not copied and (node.op, node.name) not in _SUMS:
        return None
    a, *others = [_linear(v.put(at, view.shape)) for v in node.args]
    if copied or a is None or others[0] is None:
        return a if copied else None
    b = others[0]
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


def _piece(view: View) -> View:
    """The piece that a view reads, of arrays one after the other: at a fixed place it is only one of them."""
    node = view.node
    if node.op != "concat" or not isinstance(fixed := view.index[node.axes[0]], Index) or fixed.terms:
        return view
    axis, start = node.axes[0], fixed.offset
    for piece in node.args:
        if start < piece.shape[axis]:
            at = dict(enumerate(view.index)) | {axis: Index((), start)}
            return _piece(piece.put(at, view.shape))
        start -= piece.shape[axis]
    return view


def _places(
    starts: View, batch: Sequence[int], named: Sequence[int], loops: int, space: tuple[int, ...]
) -> dict[int, View]:
    """The start that an array of indices holds for each axis it names; its own axes lie along ``batch``."""
    at = {p: along(p) for p in range(loops)} | {loops + j: along(b) for j, b in enumerate(batch)}
    last = len(starts.shape) - 1
    return {axis: _piece(starts.put(at | {last: Index((), k)}, space)) for k, axis in enumerate(named)}


@lifts("gather")
def _gather(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    d, k, space = e.params["dimension_numbers"], len(site.loops), site.space(e.outvars[0])
    array, starts = simple(came[0], site.place), simple(came[1], site.place)
    windows = [k + a for a in d.offset_dims]
    batch = [p for p in range(k, len(space)) if p not in windows]
    sizes = e.params["slice_sizes"]
    gone = {*d.collapsed_slice_dims, *d.operand_batching_dims}
    along_windows = iter(windows)
    window = {a: None if a in gone else next(along_windows) for a in range(len(sizes))}
    shared = {a: batch[j] for a, j in zip(d.operand_batching_dims, d.start_indices_batching_dims, strict=True)}
    places = _places(starts, batch, d.start_index_map, k, space)
    return _read(array, _indices(array.shape, k, sizes, window, shared, places), space, site.place)


def _indices(
    shape: Sequence[int],
    loops: int,
    sizes: Sequence[int],
    window: Mapping[int, int | None],
    shared: Mapping[int, int],
    places: Mapping[int, View],
) -> list[Place]:
    """For each axis of an array, where slices of some sizes read or write it.

    ``window`` has the position along a slice, ``shared`` the positions of axes that go along with the indices, and
    ``places`` where slices start.
    """
    found: list[Place] = [along(p) for p in range(loops)]
    for a, size in enumerate(sizes):
        p = window[a]
        if a in shared:
            found.append(along(shared[a]))
        elif p is not None and size == shape[loops + a]:
            found.append(along(p))
        elif a in places:
            found.append(place_at(places[a], p if size > 1 else None))
        else:
            found.append(Index() if p is None else along(p))
    return found


def _read(array: View, index: Sequence[Place], space: tuple[int, ...], place: str) -> View:
    """An array read at indices for its positions; what is looked up is computed at once."""
    view = array.put(dict(enumerate(index)), space)
    return materialized(view, place) if any(isinstance(i, Lookup) for i in view.index) else view


def _fitting(start: View, room: int) -> View:
    """A start that is a known number, moved so that the slice lies inside, as JAX does."""
    value = value_of(start)
    return start if value is None else number(min(max(value, 0), room), start.shape, "int")


@lifts("dynamic_slice")
def _dynamic_slice(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, space, array = len(site.loops), site.space(e.outvars[0]), simple(came[0], site.place)
    sizes = e.params["slice_sizes"]
    room = [n - size for n, size in zip(array.shape[k:], sizes, strict=True)]
    places = {a: _fitting(v.move(range(k), space), n) for a, (v, n) in enumerate(zip(came[1:], room, strict=True))}
    window = {a: k + a for a in range(len(sizes))}
    return _read(array, _indices(array.shape, k, sizes, window, {}, places), space, site.place)


@lifts("dynamic_update_slice")
def _dynamic_update_slice(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    array, update, *starts = came
    k, sizes = len(site.loops), e.invars[1].aval.shape  # type: ignore[attr-defined]
    room = [n - size for n, size in zip(array.shape[k:], sizes, strict=True)]
    places = {a: _fitting(v.move(range(k), update.shape), n) for a, (v, n) in enumerate(zip(starts, room, strict=True))}
    window = {a: k + a for a in range(len(sizes))}
    return _written(array, update, _indices(array.shape, k, sizes, window, {}, places), True, site.place)


@lifts("scatter", "scatter-add", "scatter-sub", "scatter-mul")
def _scatter(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    d, k = e.params["dimension_numbers"], len(site.loops)
    array, starts, update = came[0], simple(came[1], site.place), came[2]
    windows = [k + a for a in d.update_window_dims]
    batch = [p for p in range(k, len(update.shape)) if p not in windows]
    gone = {*d.inserted_window_dims, *d.operand_batching_dims}
    along_windows = iter(windows)
    axes = range(len(array.shape) - k)
    window = {a: None if a in gone else next(along_windows) for a in axes}
    sizes = [1 if (p := window[a]) is None else update.shape[p] for a in axes]
    shared = {a: batch[j] for a, j in zip(d.operand_batching_dims, d.scatter_indices_batching_dims, strict=True)}
    places = _places(starts, batch, d.scatter_dims_to_operand_dims, k, update.shape)
    index = _indices(array.shape, k, sizes, window, shared, places)
    if e.primitive.name == "scatter":
        return _written(array, update, index, e.params["unique_indices"], site.place)
    if e.primitive.name == "scatter-mul":
        factor = _written(number(1, array.shape), update, index, e.params["unique_indices"], site.place)
        return factor and function("multiply", array, factor, place=site.place)
    target = Node("input", shape=array.shape)  # stands for what the updates are added to
    added = pulled(View(target, tuple(index), update.shape), [update])
    name = "add" if e.primitive.name == "scatter-add" else "subtract"
    return function(name, array, added, place=site.place)


def _written(array: View, update: View, index: Sequence[Place], unique: bool, place: str) -> View | None:
    """An array in which the numbers at some places are those of an update; None if one place may be written twice."""
    rank = len(array.shape)
    space, at, tests = list(array.shape), {}, []
    for a, i in enumerate(index):  # update positions that an axis of the array tells
        if isinstance(i, Lookup) or i.divisor != 1 or len(i.terms) != 1 or i.terms[0][1] != 1 or i.terms[0][0] in at:
            tests.append((a, i))
            continue
        p = i.terms[0][0]
        at[p] = Index(((a, 1),), -i.offset)
        if i.offset > 0:
            tests.append((a, ("greater_equal", i.offset)))
        if i.offset + update.shape[p] < array.shape[a]:
            tests.append((a, ("less", i.offset + update.shape[p])))
    for p, n in enumerate(update.shape):
        if p not in at:
            at[p] = along(len(space)) if n > 1 else Index()
            space += [n] if n > 1 else []
    if len(space) > rank and not unique:
        return None
    shape = tuple(space)
    within = [_test(a, test, at, shape) for a, test in tests]
    update = update.put(at, shape)
    if not within:
        return update
    there = within[0]
    for other in within[1:]:
        there = apply("and", there, other, place=place)
    if len(space) > rank:
        keep, one = range(rank), apply("number", there, kind="float")
        there = apply("greater", contract([one], keep, place), number(0, array.shape), place=place)
        update = contract([update, one], keep, place)
    return function("where", there, update, array, place=place)


def _test(a: int, test: Any, at: dict[int, Index], shape: tuple[int, ...]) -> View:
    """Whether place ``a`` of the array is the one that an index of the update names, or lies on a side of a number."""
    here = position(along(a), shape)
    if isinstance(test, tuple):
        return apply(test[0], here, number(test[1], shape, "int"))
    moved = test.put(at, shape) if isinstance(test, Lookup) else test.put(at)
    if isinstance(moved, Lookup):
        return apply("equal", here, moved.view)
    there = position(moved, shape) if moved.terms else number(moved.offset, shape, "int")
    return apply("equal", here, there)
