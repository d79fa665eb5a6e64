"""Primitives that move numbers, sum them and multiply matrices: nearly all of them are only views."""

import math

from jax.extend.core import JaxprEqn

from chainrule.trace.arithmetic import function
from chainrule.trace.graph import (
    Index,
    View,
    along,
    apply,
    concatenated,
    contract,
    function_along,
    materialized,
    number,
    position,
    reshaped,
    scattered,
    value_of,
)
from chainrule.trace.lift_elementwise import where
from chainrule.trace.lifter import Lifter, Site, kind, lifts


@lifts("transpose")
def _transpose(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, order = len(site.loops), e.params["permutation"]
    at = [*range(k), *(k + order.index(axis) for axis in range(len(order)))]
    return came[0].move(at, site.space(e.outvars[0]))


@lifts("broadcast_in_dim")
def _broadcast(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, space = len(site.loops), site.space(e.outvars[0])
    at = {p: along(p) for p in range(k)}
    for axis, target in enumerate(e.params["broadcast_dimensions"]):
        grows = came[0].shape[k + axis] != space[k + target]
        at[k + axis] = Index() if grows else along(k + int(target))
    return came[0].put(at, space)


@lifts("reshape")
def _reshape(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, view = len(site.loops), came[0]
    if not any(p < k for p in view.positions()):  # the same in every round of the loops
        inner = view.move([0] * k + list(range(len(view.shape) - k)), view.shape[k:])
        shaped = reshaped(inner, site.space(e.outvars[0])[k:], site.place)
        return shaped.move(range(k, k + len(shaped.shape)), site.space(e.outvars[0]))
    return reshaped(view, site.space(e.outvars[0]), site.place)


@lifts("squeeze")
def _squeeze(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    return _without_ones(e, came[0], site)


@lifts("expand_dims")
def _expand(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    return _without_ones(e, came[0], site)


def _without_ones(e: JaxprEqn, view: View, site: Site) -> View:
    k = len(site.loops)
    gone = {d % (len(view.shape) - k) for d in e.params["dimensions"]}
    at, out = dict((p, along(p)) for p in range(k)), k
    for axis in range(len(view.shape) - k):
        at[k + axis] = Index() if axis in gone else along(out)
        out += axis not in gone
    return view.put(at, site.space(e.outvars[0]))


@lifts("slice")
def _slice(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, view = len(site.loops), simple(came[0], site.place)
    starts = e.params["start_indices"]
    strides = e.params["strides"] or (1,) * len(starts)
    at = {p: along(p) for p in range(k)}
    at |= {k + a: Index(((k + a, s),), o) for a, (o, s) in enumerate(zip(starts, strides, strict=True))}
    return view.put(at, site.space(e.outvars[0]))


@lifts("rev")
def _reverse(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, view = len(site.loops), simple(came[0], site.place)
    at = {p: along(p) for p in range(len(view.shape))}
    at |= {k + d: Index(((k + d, -1),), view.shape[k + d] - 1) for d in e.params["dimensions"]}
    return view.put(at, view.shape)


@lifts("split")
def _split(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    axis, view, start, parts = len(site.loops) + e.params["axis"], simple(came[0], site.place), 0, []
    for v, size in zip(e.outvars, e.params["sizes"], strict=True):
        at = {p: along(p) for p in range(len(view.shape))} | {axis: Index(((axis, 1),), start)}
        parts.append(view.put(at, site.space(v)))
        start += int(size)
    return parts


@lifts("pad")
def _pad(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    """x[(a - low) / (interior + 1)], 0 outside; another filling is chosen where a read of ones gives 0."""
    k, view, space = len(site.loops), materialized(came[0], site.place), site.space(e.outvars[0])
    at = {p: along(p) for p in range(k)}
    for axis, (low, _, interior) in enumerate(e.params["padding_config"]):
        at[k + axis] = Index(((k + axis, 1),), -low, interior + 1)
    padded = contract([View(view.node, tuple(at[p] for p in range(len(space))), space)], range(len(space)), site.place)
    filling = came[1].move(range(k), space)
    if value_of(filling) == 0:
        return padded
    ones = materialized(number(1, view.shape))
    inside = contract([View(ones.node, tuple(at[p] for p in range(len(space))), space)], range(len(space)))
    return where(apply("equal", inside, number(1, space)), padded, filling, site.place)


@lifts("concatenate")
def _concatenate(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    axis = len(site.loops) + e.params["dimension"]
    pieces = [v for v in came if v.shape[axis]]
    return concatenated(pieces, axis, site.place) if len(pieces) > 1 else pieces[0]


@lifts("stack")
def _stack(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    axis, space = len(site.loops) + e.params["axis"], site.space(e.outvars[0])
    at = [p + (p >= axis) for p in range(len(space) - 1)]
    shape = [1 if p == axis else n for p, n in enumerate(space)]
    return concatenated([v.move(at, shape) for v in came], axis, site.place)


@lifts("unstack")
def _unstack(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    axis, view = len(site.loops) + e.params["axis"], simple(came[0], site.place)
    at = {p: along(p - (p > axis)) for p in range(len(view.shape))}
    return [view.put(at | {axis: Index((), k)}, site.space(v)) for k, v in enumerate(e.outvars)]


@lifts("tile")
def _tile(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    """Each axis of length n that is repeated becomes two, copies and n, which are then read as one."""
    k, view = len(site.loops), came[0]
    at, shape = list(range(k)), list(view.shape[:k])
    for size, copies in zip(view.shape[k:], e.params["reps"], strict=True):
        shape += [copies, size] if copies > 1 else [size]
        at.append(len(shape) - 1)
    return reshaped(view.move(at, shape), site.space(e.outvars[0]), site.place)


@lifts("iota")
def _iota(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    view = position(along(len(site.loops) + e.params["dimension"]), site.space(e.outvars[0]))
    return apply("number", view, kind="float") if kind(e.outvars[0]) == "float" else view


@lifts("reduce_sum")
def _sum(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k, view = len(site.loops), simple(came[0], site.place)
    gone = {k + a for a in e.params["axes"]}
    if not gone:
        return came[0]
    return contract([view], [p for p in range(len(view.shape)) if p not in gone], site.place)


_ALONG = {
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_and": "all",
    "reduce_or": "any",
    "argmax": "argmax",
    "argmin": "argmin",
}


@lifts(*_ALONG)
def _along(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    if e.primitive.name in ("reduce_and", "reduce_or") and came[0].node.kind != "bool":
        return None  # of whole numbers they take the bits
    axes = [len(site.loops) + a for a in e.params["axes"]]
    if not axes:
        return came[0]
    if 0 in (came[0].shape[a] for a in axes):
        return _of_nothing(e, site)
    array = simple(came[0], site.place)  # the zeros around an array are numbers like others
    return function_along(_ALONG[e.primitive.name], array, axes, site.place)


def _of_nothing(e: JaxprEqn, site: Site) -> View | None:
    """What a reduction makes of no numbers, if it makes something."""
    made = {"reduce_max": -math.inf, "reduce_min": math.inf, "reduce_prod": 1, "reduce_and": True, "reduce_or": False}
    label = kind(e.outvars[0])
    if e.primitive.name not in made or label == "int" and e.primitive.name != "reduce_prod":
        return None
    return number(made[e.primitive.name], site.space(e.outvars[0]), label)


@lifts("cumsum")
def _cumsum(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    """The sum over s of x[s] 1[s <= t], or 1[s >= t] from the end."""
    view = materialized(came[0], site.place)
    axis, rank = len(site.loops) + e.params["axis"], len(view.shape)
    space = (*view.shape, view.shape[axis])
    at = {p: along(rank if p == axis else p) for p in range(rank)}
    test = "greater_equal" if e.params["reverse"] else "less_equal"
    within = apply(test, position(along(rank), space), position(along(axis), space))
    return contract([view.put(at, space), within], range(rank), site.place)


@lifts("dot_general")
def _dot(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    k = len(site.loops)
    a, b = (simple(v, site.place) for v in came)
    (ca, cb), (ba, bb) = ([[k + i for i in axes] for axes in pair] for pair in e.params["dimension_numbers"])
    loops = list(range(k))
    free_a = [p for p in range(k, len(a.shape)) if p not in (*ca, *ba)]
    free_b = [p for p in range(k, len(b.shape)) if p not in (*cb, *bb)]
    order_a = [*loops, *ba, *free_a, *ca]
    at_a = {p: i for i, p in enumerate(order_a)}
    batch, rest = len(loops) + len(ba), len(order_a)
    space = (*(a.shape[p] for p in order_a), *(b.shape[p] for p in free_b))
    at_b = {p: p for p in loops} | {p: k + i for i, p in enumerate(bb)}
    at_b |= {p: batch + len(free_a) + i for i, p in enumerate(cb)} | {p: rest + i for i, p in enumerate(free_b)}
    out = [*range(batch + len(free_a)), *range(rest, len(space))]
    views = [v.put({p: along(q) for p, q in at.items()}, space) for v, at in ((a, at_a), (b, at_b))]
    if len(out) == len(space):  # nothing is summed: an outer or elementwise product
        return function("multiply", *(v.put({p: along(p) for p in out}, space) for v in views), place=site.place)
    product = contract(views, out, site.place)
    if kind(e.outvars[0]) == "bool":  # or, instead of a sum
        return function("not_equal", product, number(0, product.shape, "int"), place=site.place)
    return product


def simple(view: View, place: str) -> View:
    """The view, computed first when it skips or shifts: what a product or a slice reads is then a whole array."""
    axes = zip(view.index, view.node.shape, strict=True)
    plain = all(
        view.shape[i.plain] <= n if i.plain is not None else not i.positions() and n == 1 for i, n in axes
    ) and not scattered(view)
    return view if plain else materialized(view, place)
