"""Windows that move over an array: place s i + d u - p is in window i, at its place u.

Convolution is a sum of products, z[n, i, k] = sum over u, c of x[n, s i + d u - p, c] W[u, c, k]; pooling a maximum or
a sum of a[n, s i + d u - p, c] over u.
"""

from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn, Literal

from chainrule.trace.arithmetic import function
from chainrule.trace.graph import (
    Index,
    View,
    along,
    contract,
    function_along,
    materialized,
    reshaped,
    value_of,
)
from chainrule.trace.lifter import Lifter, Site, lifts


@lifts("conv_general_dilated")
def _convolution(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    q, k = e.params, len(site.loops)
    if q["batch_group_count"] != 1:
        return None
    x, w = (materialized(v, site.place) for v in came)
    (xb, xc, *xs), (wk, wc, *ws), (ob, oc, *os) = ([k + a for a in spec] for spec in q["dimension_numbers"])
    groups = q["feature_group_count"]
    w_shape, out = w.shape, site.space(e.outvars[0])
    if groups > 1:  # channel g * (C / groups) + c of x, channel g * (K / groups) + k of the result: two axes each
        x = _parted(x, xc, groups, site.place)
        w = _parted(w, wk, groups, site.place)
    rank = len(out)
    window = [rank + i for i in range(len(ws))]
    channel, group = rank + len(ws), rank + len(ws) + 1
    space = [*out, *(w_shape[a] for a in ws), w_shape[wc]]
    if groups > 1:
        space[oc] = w_shape[wk] // groups
        space.append(groups)
    at_x, at_w = {p: along(p) for p in range(k)}, {p: along(p) for p in range(k)}
    at_x |= {xb: along(ob), xc: along(channel)}
    at_w |= {wk: along(oc), wc: along(channel)} | {a: along(window[i]) for i, a in enumerate(ws)}
    for i, a in enumerate(xs):
        terms = ((os[i], q["window_strides"][i]), (window[i], q["rhs_dilation"][i]))
        if w_shape[ws[i]] == 1:
            terms = terms[:1]
        at_x[a] = Index(terms, -q["padding"][i][0], q["lhs_dilation"][i])
    if groups == 1:
        views = [View(v.node, tuple(at[p] for p in range(rank)), tuple(space)) for v, at in ((x, at_x), (w, at_w))]
        return contract(views, range(rank), site.place)
    views = [
        View(v.node, tuple(_with_group(at, split, group, rank)), tuple(space))
        for v, at, split in ((x, at_x, xc), (w, at_w, wk))
    ]
    keep = [p for q_ in range(rank) for p in ((group, q_) if q_ == oc else (q_,))]
    return reshaped(contract(views, keep, site.place), out, site.place)


def _parted(view: View, axis: int, groups: int, place: str) -> View:
    shape = list(view.shape)
    shape[axis : axis + 1] = [groups, shape[axis] // groups]
    return materialized(reshaped(view, shape, place), place)


def _with_group(at: dict[int, Index], split: int, group: int, rank: int) -> list[Index]:
    """The indices of an array whose axis ``split`` was parted into groups and members."""
    return [i for p in range(rank) for i in ((along(group), at[p]) if p == split else (at[p],))]


_POOLS = {"reduce_window_max": "max", "reduce_window_min": "min", "reduce_window_sum": "add", "reduce_window": ""}


@lifts(*_POOLS)
def _pool(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    name = _POOLS[e.primitive.name] or _combiner(e.params["jaxpr"])
    if len(came) > 2 or not name:
        return None
    windows = _windows(e, came[0], site)
    rank = len(came[0].shape)
    if name == "add":
        if len(came) == 2 and value_of(came[1]) != 0:  # it would be added for each place outside
            return None
        return contract([windows], range(rank), site.place)
    largest = function_along(name, windows, range(rank, len(windows.shape)), site.place)
    if len(came) == 1 or _nothing(name, value_of(came[1])):
        return largest
    start = came[1].move(range(len(site.loops)), largest.shape)
    return function("maximum" if name == "max" else "minimum", largest, start, place=site.place)


def _windows(e: JaxprEqn, array: View, site: Site) -> View:
    """An array read in the space of windows: which window, then the places in it."""
    q, k, array = e.params, len(site.loops), materialized(array, site.place)
    space = [*site.space(e.outvars[0])]
    index = [along(p) for p in range(k)]
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    for p, (size, stride, (low, _), base, dilation) in enumerate(zip(*(q[n] for n in names), strict=True), k):
        terms = ((p, stride),)
        if size > 1:
            terms += ((len(space), dilation),)
            space.append(size)
        whole = terms == ((p, 1),) and (low, base) == (0, 1)
        index.append(along(p) if whole else Index(terms, -low, base))
    return View(array.node, tuple(index), tuple(space))


def _combiner(inner: Any) -> str:
    """The function of two numbers that a program is: "add", "max", "min" or ""."""
    jaxpr = getattr(inner, "jaxpr", inner)
    if len(jaxpr.eqns) != 1 or jaxpr.eqns[0].outvars != jaxpr.outvars or len(jaxpr.invars) != 2:
        return ""
    (e,) = jaxpr.eqns
    both = not any(isinstance(v, Literal) for v in e.invars) and {*e.invars} == {*jaxpr.invars}
    return e.primitive.name if both and e.primitive.name in ("add", "max", "min") else ""


def _nothing(name: str, start: Any) -> bool:
    """Whether a number changes no maximum (minimum) of numbers that 32 bits can hold."""
    if start is None:
        return False
    least = float(np.finfo(np.float32).min)
    return start <= least if name == "max" else start >= -least
