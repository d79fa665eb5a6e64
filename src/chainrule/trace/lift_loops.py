"""Loops and branches: a loop's body is lifted once, each array in it with the step as one more axis."""

from typing import Any

import jax
from jax.extend.core import JaxprEqn, Literal

from chainrule.trace.arithmetic import function
from chainrule.trace.graph import Index, Node, View, along, materialized, number, position, value_of, whole
from chainrule.trace.lift_elementwise import where
from chainrule.trace.lift_shapes import simple
from chainrule.trace.lifter import Lifter, Site, kind, lifts


@lifts("scan")
def _scan(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    inner, steps = e.params["jaxpr"], e.params["length"]
    fixed, carried, back = e.params["num_consts"], e.params["num_carry"], e.params["reverse"]
    if not steps:
        return [*came[fixed : fixed + carried], *(number(0, site.space(v), kind(v)) for v in e.outvars[carried:])]
    step = len(site.loops)
    inside = Site(site.key, site.place, (*site.loops, steps))
    constants = [_into(v, step, inside.space(w)) for v, w in zip(came, inner.jaxpr.invars[:fixed], strict=False)]
    start, rows = came[fixed : fixed + carried], [simple(v, site.place) for v in came[fixed + carried :]]
    carries, links = [], {}
    for i, (v, first) in enumerate(zip(inner.jaxpr.invars[fixed : fixed + carried], start, strict=True)):
        each = _each_step(inner.jaxpr, v, inner.jaxpr.outvars[i])
        if each == 0:  # handed on as it is
            carries.append(_into(first, step, inside.space(v)))
        elif each is not None and isinstance(value_of(first), int):
            carries.append(_counter(value_of(first), each, step, steps, back, inside.space(v)))
        else:
            node = Node("carry", (first,), inside.space(v), kind(v), axes=(step,), reverse=back, place=site.place)
            lifter.graph.traced[node] = ((*site.key, -1, i), whole(node))
            carries.append(whole(node))
            links[node] = i
    gave = lifter.walk(inner, [*constants, *carries, *rows], inside)
    lifter.graph.links.update((node, gave[i]) for node, i in links.items())
    last = 0 if back else steps - 1
    final = [
        materialized(_at(simple(view, site.place), step, last, site.space(v)), site.place)
        for view, v in zip(gave[:carried], e.outvars[:carried], strict=True)
    ]
    return [*final, *gave[carried:]]


def _each_step(jaxpr: Any, before: Any, after: Any) -> int | None:
    """What a step adds to a number that a loop carries: 0 if it is handed on as it is, None if that is not known."""
    if after is before:
        return 0
    for e in jaxpr.eqns:
        if after in e.outvars and e.primitive.name == "add" and e.invars[0] is before:
            added = e.invars[1]
            return int(added.val) if isinstance(added, Literal) and kind(before) == "int" else None
    return None


def _counter(first: int, each: int, step: int, steps: int, back: bool, space: tuple[int, ...]) -> View:
    """A whole number that grows by the same number at each step."""
    index = Index(((step, -each),), first + each * (steps - 1)) if back else Index(((step, each),), first)
    return position(index, space)


def _into(view: View, step: int, space: tuple[int, ...]) -> View:
    """A view from outside of a loop, the same at each step."""
    return view.move([p + (p >= step) for p in range(len(view.shape))], space)


def _at(view: View, step: int, place: int, space: tuple[int, ...]) -> View:
    """A view in a loop at one step."""
    at = {p: along(p - (p > step)) for p in range(len(view.shape))} | {step: Index((), place)}
    return view.put(at, space)


@lifts("platform_index")
def _platform(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    """Which of several programs runs on this machine."""
    here = jax.default_backend()
    k = next(i for i, names in enumerate(e.params["platforms"]) if names is None or here in names)
    return number(k, site.space(e.outvars[0]), "int")


@lifts("cond")
def _cond(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View] | None:
    """Each branch is lifted, and the one that the number names is chosen; one with a loop or noise stays whole."""
    which, *arguments = came
    if (known := value_of(which)) is not None:
        k = min(max(int(known), 0), len(e.params["branches"]) - 1)
        return lifter.walk(e.params["branches"][k], arguments, Site((*site.key, -2 - k), site.place, site.loops))
    before = len(lifter.graph.traced)
    branches = [
        lifter.walk(b, arguments, Site((*site.key, -2 - k), site.place, site.loops))
        for k, b in enumerate(e.params["branches"])
    ]
    if any(n.op in ("carry", "drawn") for n in list(lifter.graph.traced)[before:]):
        return None
    out = list(branches[-1])
    for k in reversed(range(len(branches) - 1)):
        for i, view in enumerate(branches[k]):
            choice = which.move(range(len(site.loops)), view.shape)
            out[i] = _chosen(choice, k, len(branches), view, out[i], site.place)
    return out


def _chosen(which: View, k: int, count: int, this: View, other: View, place: str) -> View:
    """The result of branch k where the number says so; of two branches, a test that came as a number chooses."""
    test = which.opened("number")
    if count == 2 and test and test[0].node.kind == "bool":
        return where(test[0], other, this, place)
    return where(function("equal", which, number(k, which.shape, "int"), place=place), this, other, place)
