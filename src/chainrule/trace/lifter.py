"""A graph in the making: each equation of a traced program becomes nodes and views, by the table of ``lifts``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from chainrule.errors import CannotExplain
from chainrule.trace.float64 import called, decimal, lifted_equation
from chainrule.trace.graph import Graph, Node, View, materialized, number, whole
from chainrule.trace.program import function_name, is_key, scope


@dataclass(frozen=True)
class Site:
    """Where an equation stands: its key, the layer around it, and the lengths of the loops around it."""

    key: tuple[int, ...] = ()
    place: str = ""
    loops: tuple[int, ...] = ()
    ruled: bool = False
    """Whether a function around it brings its own derivative, in which a kink has the slope of its flat side."""

    def inside(self, layer: str, i: int) -> "Site":
        """The site of equation number i, in a layer, of the program that stands at this site."""
        return Site((*self.key, i), "/".join(filter(None, (self.place, layer))), self.loops, self.ruled)

    def space(self, variable: Any) -> tuple[int, ...]:
        """The space of a variable: the loops around it, then its own axes."""
        return (*self.loops, *getattr(variable.aval, "shape", ()))


_COMPLEX = (np.dtype("complex64"), np.dtype("complex128"))
Rule = Callable[["Lifter", JaxprEqn, list[View], Site], list[View] | View | None]
RULES: dict[str, Rule] = {}


def lifts(*primitives: str) -> Callable[[Rule], Rule]:
    """Enter a rule for primitives: (lifter, equation, views in, site) -> views out, or None where it does not apply."""

    def enter(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(primitives, rule))
        return rule

    return enter


@dataclass
class Lifter:
    """The graph, and how programs are read into it."""

    graph: Graph = field(default_factory=Graph)
    signed: set[Node] = field(default_factory=set)
    """Inputs of whole numbers that may be negative."""

    def walk(self, traced: ClosedJaxpr, arguments: Sequence[View], site: Site) -> list[View]:
        """The outputs of a program for views of its inputs, in the space of the site."""
        jaxpr = traced.jaxpr
        env = dict(zip(jaxpr.invars, arguments, strict=True))
        env |= {v: known(c, site.space(v)) for v, c in zip(jaxpr.constvars, traced.consts, strict=True)}

        def read(v: Any) -> View:
            return known(v.val, site.space(v)) if isinstance(v, Literal) else env[v]

        stack, layer = None, ""
        for i, e in enumerate(jaxpr.eqns):
            if e.source_info.name_stack is not stack:  # its text is long in deep networks
                stack, layer = e.source_info.name_stack, scope(e)
            here = site.inside(layer, i)
            gave = self.equation(e, [read(v) for v in e.invars], here)
            for k, (v, view) in enumerate(zip(e.outvars, gave, strict=True)):
                env[v] = view
                self.note(view, (*here.key, k))
        return [read(v) for v in jaxpr.outvars]

    def equation(self, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
        """What an equation gives."""
        if all(0 in getattr(v.aval, "shape", ()) for v in e.outvars) and "key" not in map(kind, e.outvars):
            return [number(0, site.space(v), kind(v)) for v in e.outvars]  # arrays without numbers
        if self.random(came):
            return [whole(Node("drawn", shape=site.space(v), kind=kind(v), place=site.place)) for v in e.outvars]
        inner = called(e)
        if inner is not None:
            ruled = e.primitive.name == "custom_jvp_call"
            gave = self.walk(inner, came, replace(site, ruled=site.ruled or ruled))
            if ruled:
                self.rename(gave, site)
            return gave
        if any(getattr(v.aval, "dtype", None) in _COMPLEX for v in (*e.invars, *e.outvars)):
            where = f" in {site.place}" if site.place else ""
            raise CannotExplain(
                f"{e.primitive.name}{where} computes with complex numbers, which have no rule here. Write it with real "
                "and imaginary parts, or explain what comes before and after it."
            )
        rule = RULES.get(e.primitive.name)
        gave = rule(self, e, came, site) if rule else None
        if gave is None:
            return self.opaque(e, came, site)
        gave = gave if isinstance(gave, list) else [gave]
        return [self.limited(v, view) for v, view in zip(e.outvars, gave, strict=True)]

    def limited(self, variable: Any, view: View) -> View:
        """A view of whole numbers that knows what their type holds."""
        node = view.node
        fresh = node.kind == "int" and node.limits is None and node not in self.graph.traced
        if not fresh or (node.op, node.name) not in _GROWING or kind(variable) != "int":
            return view
        held = np.iinfo(variable.aval.dtype)
        return View(replace(node, limits=(int(held.min), int(held.max))), view.index, view.shape)

    def random(self, came: Sequence[View]) -> bool:
        """Whether an equation makes random numbers, or goes on with them and nothing that the network computes."""
        known = all(v.node.op in ("number", "constant", "drawn", "position") or v.node.kind == "key" for v in came)
        return known and any(v.node.op == "drawn" or v.node.kind == "key" for v in came)

    def opaque(self, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
        """An equation that has no rule: it is computed as JAX does, and said to be not derived."""
        came = [v if v.node.kind == "key" else materialized(v, site.place) for v in came]
        call = lifted_equation(e)
        if not came:
            return [known(value, site.space(v)) for v, value in zip(e.outvars, call(), strict=True)]
        for _ in site.loops:
            call = jax.vmap(call, in_axes=0, out_axes=0)
        name = function_name(e) or _own_name(e) or e.primitive.name
        return [
            whole(Node("opaque", tuple(came), site.space(v), kind(v), name, (k,), call=call, place=site.place))
            for k, v in enumerate(e.outvars)
        ]

    def rename(self, views: Sequence[View], site: Site) -> None:
        """Let nodes that were made inside of an equation be its outputs: what is inside need not be looked at then."""
        for k, view in enumerate(views):
            key, _ = self.graph.traced.get(view.node, ((), None))
            if key[: len(site.key)] == site.key and view.plain is not None:
                self.graph.traced[view.node] = ((*site.key, k), view)

    def note(self, view: View, key: tuple[int, ...]) -> None:
        """Remember which variable of the program a node is, the first time it appears as one."""
        if view.node in self.graph.traced or view.node.op in ("number", "constant"):
            return
        if view.plain is not None:
            self.graph.traced[view.node] = (key, view)


_GROWING = {("map", name) for name in "add subtract multiply negative power abs truncate number".split()}
_GROWING |= {("contract", ""), ("along", "prod")}
"""Operations whose whole numbers may be larger than those that come in, or of a narrower type."""


def _own_name(e: JaxprEqn) -> str:
    """The name of a function that brings its own derivative."""
    inner = e.params.get("call_jaxpr")
    info = inner.jaxpr.debug_info if isinstance(inner, ClosedJaxpr) else None
    return info.func_name if info is not None else ""


def known(value: Any, shape: Sequence[int]) -> View:
    """A number or an array of the program, in a space that ends with its axes."""
    if is_key(value):
        own = np.shape(value)
        node = Node("constant", shape=own, value=value, kind="key")
        return whole(node).move(range(len(shape) - len(own), len(shape)), shape)
    array = np.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise CannotExplain("The program computes with complex numbers, which have no rule here.")
    if array.dtype.kind == "V":  # bfloat16 and other types that NumPy does not know
        array = array.astype(np.float64)
    label = {"b": "bool", "i": "int", "u": "int"}.get(array.dtype.kind, "float")
    if array.ndim == 0:
        return number(decimal(array[()]), shape, label)
    if label == "float":
        array = array.astype(np.float64)
    if array.size and np.all(array == array.flat[0]):
        return number(array.flat[0].item(), shape, label)
    node = Node("constant", shape=array.shape, kind=label, value=array)
    ahead = len(shape) - array.ndim
    return whole(node).move(range(ahead, len(shape)), shape)


def kind(variable: Any) -> str:
    """What a variable holds: "float", "int", "bool", "complex" or "key"."""
    dtype = getattr(variable.aval, "dtype", None)
    if dtype is None:
        return "float"
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return "key"
    kinds = {jnp.bool_: "bool", jnp.integer: "int", jnp.complexfloating: "complex"}
    return next((name for t, name in kinds.items() if jnp.issubdtype(dtype, t)), "float")
