"""Convolution as the sum that it is: z[n, i, k] = sum over u, c of x[n, s i + d u - p, c] W[u, c, k]."""

from jax.extend.core import JaxprEqn

from chainrule.trace.graph import Index, View, along, contract, materialized, reshaped
from chainrule.trace.lift import Lifter, Site, lifts


@lifts("conv_general_dilated")
def _convolution(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    q, k = e.params, len(site.loops)
    if q["batch_group_count"] != 1:
        return None
    x, w = (materialized(v, site.place) for v in came)
    (xb, xc, *xs), (wk, wc, *ws), (ob, oc, *os) = ([k + a for a in spec] for spec in q["dimension_numbers"])
    groups = q["feature_group_count"]
    x_shape, w_shape, out = list(x.shape), list(w.shape), site.space(e.outvars[0])
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
