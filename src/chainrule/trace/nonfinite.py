"""The first operation of a program that gave NaN or infinity although everything that came in was finite."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, jaxpr_as_fun

from chainrule.trace.program import apply, body, function_name, place, program


@dataclass(frozen=True)
class Fault:
    """Where a value stopped being finite: the layer, the function, the operation, and how many numbers are hit."""

    kind: str
    """"nan" or "inf"."""
    operation: str
    """The primitive, such as ``log``; "input" when it came in from outside."""
    place: str = ""
    """The layer, as ``cr.summary`` names it: "2:Dense"; for an input its name."""
    function: str = ""
    """The named function around the operation, such as ``softmax``."""
    bad: int = 0
    size: int = 0
    inputs: tuple[tuple[float, float], ...] = ()
    """The least and the greatest value of each input of the operation."""
    step: int | None = None
    """The round of the loop, where the operation stands in one."""

    def __str__(self) -> str:
        where = f" in {self.function}" if self.function else ""
        where += f" at {self.place}" if self.place else ""
        where += f", step {self.step}" if self.step is not None else ""
        ranges = ", ".join(f"{low:.4g} … {high:.4g}" for low, high in self.inputs)
        came = f"; what came in: {ranges}" if ranges else ""
        return f"{self.operation}{where} gives {self.kind} in {self.bad} of {self.size} numbers{came}."


def first_nonfinite(f: Any, *args: Any) -> Fault | None:
    """Run f(*args) one equation at a time and find where the first NaN or infinity that reaches a result began.

    Infinities that a program makes on purpose and masks away, as attention does, are no fault. ``None`` when
    all results are finite.

    >>> print(first_nonfinite(lambda x: jnp.log(x).sum(), jnp.array([1.0, 0.0])))
    log gives inf in 1 of 2 numbers; what came in: 0 … 1.
    """
    traced = program(f, *args)
    values = jax.tree.leaves(args)
    for name, value in zip(traced.inputs, values, strict=True):
        if kind := _kind(value):
            return _fault(kind, "input", [value], (), place=f"argument {name}")
    return _origin(traced.traced, values)


def _origin(traced: ClosedJaxpr, arguments: Sequence[Any]) -> Fault | None:
    """The fault behind the first result that is not finite.

    Each value that is not finite carries its origin; one that came in so, or was made from constants of the program,
    carries none: it is meant until a NaN comes of it.
    """
    jaxpr = traced.jaxpr
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*traced.consts, *arguments), strict=True))
    origins: dict[Any, Fault | None] = {}
    for e in jaxpr.eqns:
        came = [v.val if isinstance(v, Literal) else values[v] for v in e.invars]
        gave = apply(e, came)
        values.update(zip(e.outvars, gave, strict=True))
        if kind := max(map(_kind, gave), default=""):
            known = [origins[v] for v in e.invars if not isinstance(v, Literal) and origins.get(v)]
            meant = kind == "inf" and any(map(_kind, came))
            fault = known[0] if known else None if meant else _inside(e, came, gave, kind)
            origins.update({v: fault for v, value in zip(e.outvars, gave, strict=True) if _kind(value)})
    for v in jaxpr.outvars:
        if not isinstance(v, Literal) and _kind(values[v]):
            return origins.get(v) or _fault(_kind(values[v]), "constant", [values[v]], ())
    return None


def _inside(e: JaxprEqn, came: list, gave: list, kind: str) -> Fault:
    """The fault that began in this equation, looked up in the program that it calls when it calls one."""
    inner, within = body(e), None
    if inner is not None:
        within = _origin(inner, came)
    elif e.primitive.name == "cond":
        branches = e.params["branches"]
        within = _origin(branches[min(max(int(came[0]), 0), len(branches) - 1)], came[1:])
    elif e.primitive.name == "scan":
        within = _in_scan(e, came)
    elif e.primitive.name == "while":
        within = _in_while(e, came)
    if within is None:
        return _fault(kind, e.primitive.name, gave, came, place=place(e))
    path = "/".join(filter(None, (place(e), within.place)))
    return replace(within, place=path, function=within.function or function_name(e))


def _in_scan(e: JaxprEqn, came: list) -> Fault | None:
    round_, fixed, carried = e.params["jaxpr"], e.params["num_consts"], e.params["num_carry"]
    constants, carry, rows = came[:fixed], came[fixed : fixed + carried], came[fixed + carried :]
    steps = range(e.params["length"])
    for i in reversed(steps) if e.params["reverse"] else steps:
        arguments = [*constants, *carry, *(a[i] for a in rows)]
        gave = jaxpr_as_fun(round_)(*arguments)
        if any(map(_kind, gave)) and (fault := _origin(round_, arguments)):
            return replace(fault, step=i)
        carry = gave[:carried]
    return None


def _in_while(e: JaxprEqn, came: list) -> Fault | None:
    tests, rounds = e.params["cond_nconsts"], e.params["body_nconsts"]
    test, round_ = jaxpr_as_fun(e.params["cond_jaxpr"]), e.params["body_jaxpr"]
    constants, carry, i = came[tests : tests + rounds], came[tests + rounds :], 0
    while test(*came[:tests], *carry)[0]:
        gave = jaxpr_as_fun(round_)(*constants, *carry)
        if any(map(_kind, gave)) and (fault := _origin(round_, [*constants, *carry])):
            return replace(fault, step=i)
        carry, i = gave, i + 1
    return None


def _kind(value: Any) -> str:
    """What is in a value: "nan" before "inf", "" when every number is finite; "nan" is the greatest text."""
    dtype = getattr(value, "dtype", None) or jnp.result_type(value)
    if not jnp.issubdtype(dtype, jnp.inexact) or jnp.isfinite(value).all():
        return ""
    return "nan" if jnp.isnan(value).any() else "inf"


def _fault(kind: str, operation: str, gave: Sequence[Any], came: Sequence[Any], place: str = "") -> Fault:
    wrong = next(value for value in gave if _kind(value))
    ranges = tuple(
        (float(jnp.min(a)), float(jnp.max(a)))
        for a in came
        if jnp.size(a) and jnp.issubdtype(jnp.result_type(a), jnp.floating)
    )
    return Fault(kind, operation, place, "", int((~jnp.isfinite(wrong)).sum()), jnp.size(wrong), ranges)
