"""Reading and writing at places that are numbers of the program: E[ids], x[i], x.at[i].set(v), dynamic slices.

A place that is a sum of positions becomes an index like that of a slice; any other is looked up. Places are taken to
lie inside of the array, which is what a program means by them, unless it says what happens outside.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn
from jax.lax import GatherScatterMode

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
)
from chainrule.trace.lift_elementwise import where
from chainrule.trace.lift_places import counted_from_the_start, fitting, place_at, places
from chainrule.trace.lift_shapes import simple
from chainrule.trace.lifter import Lifter, Site, lifts
from chainrule.trace.pull import pulled


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
    starting = places(starts, batch, d.start_index_map, k, space)
    if e.params["mode"] == GatherScatterMode.CLIP:
        starting = _fitted(starting, array.shape[k:], sizes, lifter.signed)
    fill = e.params["fill_value"]
    if e.params["mode"] != GatherScatterMode.FILL_OR_DROP or fill is None or not np.isfinite(fill):
        return _read(array, _indices(array.shape, k, sizes, window, shared, starting, lifter.signed), space, site.place)
    starting = {a: counted_from_the_start(v, lifter.signed) for a, v in starting.items()}
    near = _fitted(starting, array.shape[k:], sizes, lifter.signed)
    read = _read(array, _indices(array.shape, k, sizes, window, shared, near, lifter.signed), space, site.place)
    for a, start in starting.items():
        if near[a] is not start:
            read = where(function("equal", start, near[a]), read, number(fill, space), site.place)
    return read


def _fitted(
    starting: Mapping[int, View], shape: Sequence[int], sizes: Sequence[int], signed: Collection[Node]
) -> dict[int, View]:
    """Starts of slices, moved so that these lie inside of an array."""
    return {a: fitting(start, shape[a] - sizes[a], signed) for a, start in starting.items()}


def _indices(
    shape: Sequence[int],
    loops: int,
    sizes: Sequence[int],
    window: Mapping[int, int | None],
    shared: Mapping[int, int],
    starting: Mapping[int, View],
    signed: Collection[Node],
) -> list[Place]:
    """For each axis of an array, where slices of some sizes read or write it.

    ``window`` has the position along a slice, ``shared`` the positions of axes that go along with the indices, and
    ``starting`` where slices start.
    """
    found: list[Place] = [along(p) for p in range(loops)]
    for a, size in enumerate(sizes):
        p = window[a]
        if a in shared:
            found.append(along(shared[a]))
        elif p is not None and size == shape[loops + a]:
            found.append(along(p))
        elif a in starting:
            found.append(place_at(starting[a], signed, p if size > 1 else None))
        else:
            found.append(Index() if p is None else along(p))
    return found


def _read(array: View, index: Sequence[Place], space: tuple[int, ...], place: str) -> View:
    """An array read at indices for its positions; what is looked up is computed at once."""
    view = array.put(dict(enumerate(index)), space)
    return materialized(view, place) if any(isinstance(i, Lookup) for i in view.index) else view


@lifts("dynamic_slice")
def _dynamic_slice(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, space, array = len(site.loops), site.space(e.outvars[0]), simple(came[0], site.place)
    sizes = e.params["slice_sizes"]
    starting = {a: v.move(range(k), space) for a, v in enumerate(came[1:])}
    starting = _fitted(starting, array.shape[k:], sizes, lifter.signed)
    window = {a: k + a for a in range(len(sizes))}
    return _read(array, _indices(array.shape, k, sizes, window, {}, starting, lifter.signed), space, site.place)


@lifts("dynamic_update_slice")
def _dynamic_update_slice(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    array, update, *starts = came
    k, sizes = len(site.loops), e.invars[1].aval.shape  # type: ignore[attr-defined]
    starting = {a: v.move(range(k), update.shape) for a, v in enumerate(starts)}
    starting = _fitted(starting, array.shape[k:], sizes, lifter.signed)
    window = {a: k + a for a in range(len(sizes))}
    index = _indices(array.shape, k, sizes, window, {}, starting, lifter.signed)
    return _written(array, update, index, True, site.place)


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
    starting = places(starts, batch, d.scatter_dims_to_operand_dims, k, update.shape)
    if e.params["mode"] == GatherScatterMode.CLIP:
        starting = _fitted(starting, array.shape[k:], sizes, lifter.signed)
    index = _indices(array.shape, k, sizes, window, shared, starting, lifter.signed)
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
