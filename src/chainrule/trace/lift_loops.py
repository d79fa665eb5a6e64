"""Loops and branches: a loop's body is lifted once, each array in it with the step as one more axis."""

from jax.extend.core import JaxprEqn

from chainrule.trace.graph import Index, Node, View, along, apply, materialized, number, whole
from chainrule.trace.lift import Lifter, Site, kind, lifts
from chainrule.trace.lift_elementwise import where
from chainrule.trace.lift_shapes import simple


@lifts("scan")
def _scan(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    inner, steps = e.params["jaxpr"], e.params["length"]
    fixed, carried, back = e.params["num_consts"], e.params["num_carry"], e.params["reverse"]
    step = len(site.loops)
    inside = Site(site.key, site.place, (*site.loops, steps))
    constants = [_into(v, step, inside.space(w)) for v, w in zip(came, inner.jaxpr.invars[:fixed], strict=False)]
    start, rows = came[fixed : fixed + carried], [simple(v, site.place) for v in came[fixed + carried :]]
    carries = []
    for i, (v, first) in enumerate(zip(inner.jaxpr.invars[fixed : fixed + carried], start, strict=True)):
        node = Node("carry", (first,), inside.space(v), kind(v), axes=(step,), reverse=back, place=site.place)
        lifter.graph.traced[node] = ((*site.key, -1, i), whole(node))
        carries.append(whole(node))
    gave = lifter.walk(inner, [*constants, *carries, *rows], inside)
    lifter.graph.links.update((c.node, v) for c, v in zip(carries, gave, strict=False))
    last = 0 if back else steps - 1
    final = [
        materialized(_at(simple(view, site.place), step, last, site.space(v)), site.place)
        for view, v in zip(gave[:carried], e.outvars[:carried], strict=True)
    ]
    return [*final, *gave[carried:]]


def _into(view: View, step: int, space: tuple[int, ...]) -> View:
    """A view from outside of a loop, the same at each step."""
    return view.move([p + (p >= step) for p in range(len(view.shape))], space)


def _at(view: View, step: int, place: int, space: tuple[int, ...]) -> View:
    """A view in a loop at one step."""
    at = {p: along(p - (p > step)) for p in range(len(view.shape))} | {step: Index((), place)}
    return view.put(at, space)


@lifts("cond")
def _cond(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    """Each branch is lifted, and the one that the number names is chosen."""
    which, *arguments = came
    branches = [
        lifter.walk(b, arguments, Site((*site.key, -2 - k), site.place, site.loops))
        for k, b in enumerate(e.params["branches"])
    ]
    out = list(branches[-1])
    for k in reversed(range(len(branches) - 1)):
        for i, view in enumerate(branches[k]):
            choice = which.move(range(len(site.loops)), view.shape)
            chosen = apply("equal", choice, number(k, view.shape, "int"), place=site.place)
            out[i] = where(chosen, view, out[i], site.place)
    return out
