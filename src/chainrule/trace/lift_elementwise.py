"""Elementwise primitives: each is one function of numbers; numbers that the program knows are computed at once."""

from dataclasses import replace

import numpy as np
from jax.extend.core import JaxprEqn
from jax.lax import RoundingMethod

from chainrule.trace.arithmetic import function, is_number, same
from chainrule.trace.graph import SHARED, Index, View, along, apply, number, value_of
from chainrule.trace.lifter import Lifter, Site, kind, lifts

FUNCTIONS = {
    "add": "add",
    "add_any": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "rem": "remainder",
    "pow": "power",
    "max": "maximum",
    "min": "minimum",
    "atan2": "arctan2",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "and": "and",
    "or": "or",
    "xor": "not_equal",
    "not": "not",
    "neg": "negative",
    "exp": "exp",
    "exp2": "exp2",
    "log": "log",
    "log1p": "log1p",
    "expm1": "expm1",
    "tanh": "tanh",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "logistic": "sigmoid",
    "sqrt": "sqrt",
    "cbrt": "cbrt",
    "abs": "abs",
    "sign": "sign",
    "floor": "floor",
    "ceil": "ceil",
    "erf": "erf",
    "erfc": "erfc",
    "erf_inv": "erfinv",
    "lgamma": "lgamma",
    "is_finite": "isfinite",
    "stop_gradient": "stop",
}
"""The function of a graph that each primitive is."""


@lifts(*FUNCTIONS)
def _elementwise(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    name = FUNCTIONS[e.primitive.name]
    if e.primitive.name in ("and", "or", "xor", "not") and any(v.node.kind != "bool" for v in came):
        return None  # of whole numbers they take the bits
    came = [fitted(v, site.space(e.outvars[0])) for v in came]
    if name == "divide" and all(v.node.kind == "int" for v in came):
        name = "floor_divide"
    if name in ("maximum", "minimum") and value_of(came[0]) is not None:
        came = came[::-1]
    if name not in ("maximum", "minimum"):
        return function(name, *came, place=site.place)
    slope = None if site.ruled else SHARED
    if name == "maximum" and is_number(value_of(came[1]), 0):
        return relu(came[0], slope, site.place)
    made = function(name, *came, place=site.place)
    return made if value_of(made) is not None else _with_slope(made, slope)


def relu(view: View, slope: float | None, place: str) -> View:
    """A view where it is positive, else 0; ``slope``: the derivative at 0, if it is not 0."""
    return _with_slope(apply("relu", view, place=place), slope)


def _with_slope(view: View, slope: float | None) -> View:
    return View(replace(view.node, value=slope), view.index, view.shape)


def fitted(view: View, space: tuple[int, ...]) -> View:
    """The view in a space that may be longer along its axes of length 1: there it repeats."""
    if view.shape == space:
        return view
    if len(view.shape) < len(space):  # a single number in each round of the loops
        return view.move(range(len(view.shape)), space)
    return view.put({p: Index() if view.shape[p] != n else along(p) for p, n in enumerate(space)}, space)


@lifts("round")
def _round(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    if e.params["rounding_method"] != RoundingMethod.TO_NEAREST_EVEN:
        return None
    return function("round", came[0], place=site.place)


@lifts("square")
def _square(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    return function("power", came[0], number(2, came[0].shape, "int"), place=site.place, kind=came[0].node.kind)


@lifts("integer_pow")
def _integer_pow(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    return function("power", came[0], number(e.params["y"], came[0].shape, "int"), place=site.place)


@lifts("rsqrt")
def _rsqrt(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    root = function("sqrt", came[0], place=site.place)
    return function("divide", number(1, root.shape), root, place=site.place)


@lifts("clamp")
def _clamp(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    low, x, high = (fitted(v, site.space(e.outvars[0])) for v in came)
    return function("minimum", function("maximum", x, low, place=site.place), high, place=site.place)


@lifts("select_n")
def _select(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View:
    which, *cases = (fitted(v, site.space(e.outvars[0])) for v in came)
    if which.node.kind == "bool":
        return where(which, cases[1], cases[0], site.place)
    result = cases[-1]
    for k, case in reversed(list(enumerate(cases[:-1]))):
        result = where(apply("equal", which, number(k, which.shape, "int")), case, result, site.place)
    return result


def where(which: View, yes: View, no: View, place: str) -> View:
    """The choice between two arrays; keeping what is positive is relu."""
    test = which.node.name
    compared = which.opened(test)
    if compared is not None and len(compared) == 2 and is_number(value_of(compared[1]), 0):
        if test in ("greater", "greater_equal") and is_number(value_of(no), 0) and same(compared[0], yes):
            return relu(yes, 1 if test == "greater_equal" else None, place)
        if test in ("less", "less_equal") and is_number(value_of(yes), 0) and same(compared[0], no):
            return relu(no, 1 if test == "less" else None, place)
    return function("where", which, yes, no, place=place)


@lifts("convert_element_type")
def _convert(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> View | None:
    wanted, has = kind(e.outvars[0]), came[0].node.kind
    if has == wanted:
        narrower = wanted == "int" and value_of(came[0]) is None and _narrower(e)
        return apply("number", came[0], kind="int", place=site.place) if narrower else came[0]
    value = value_of(came[0])
    if value is not None:
        return number({"float": float, "int": int, "bool": bool}[wanted](value), came[0].shape, wanted)
    if wanted == "bool":
        return function("not_equal", came[0], number(0, came[0].shape, has), place=site.place)
    if wanted == "int" and has == "float":
        return apply("truncate", came[0], kind="int", place=site.place)
    return apply("number", came[0], kind=wanted, place=site.place)


def _narrower(e: JaxprEqn) -> bool:
    """Whether whole numbers become of a type that does not hold all of the old one; more bits of one kind hold all."""
    old, new = (np.dtype(v.aval.dtype) for v in (e.invars[0], e.outvars[0]))  # type: ignore[attr-defined]
    return new.itemsize < old.itemsize or old.kind == "i" and new.kind == "u"


@lifts("copy", "copy_p", "reduce_precision", "optimization_barrier", "name", "device_put", "sharding_constraint")
def _unchanged(lifter: Lifter, e: JaxprEqn, came: list[View], site: Site) -> list[View]:
    return came
