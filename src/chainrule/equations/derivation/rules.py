"""The derivative table: what a small change of each argument does to each operation.

``SLOPES`` has the elementwise functions: from the arguments and the value y the derivative by each argument (None
where there is none), all in one space. ``pulled`` carries a gradient through the indices by which an argument was
read; with it one rule serves every product: matrix products, convolutions, sums, slices and lookups alike.
"""

import math
from collections.abc import Callable

from chainrule.trace.arithmetic import function
from chainrule.trace.graph import (
    SHARED,
    Index,
    Node,
    View,
    along,
    apply,
    contract,
    function_along,
    materialized,
    number,
    position,
    reshaped,
    value_of,
    whole,
)
from chainrule.trace.pull import pulled

Slope = Callable[..., tuple[View | None, ...]]


def _n(value: float, like: View) -> View:
    return number(value, like.shape)


def _add(a: View, b: View) -> View:
    return function("add", a, b)


def _sub(a: View, b: View) -> View:
    return function("subtract", a, b)


def _mul(a: View, b: View) -> View:
    return function("multiply", a, b)


def _div(a: View, b: View) -> View:
    return function("divide", a, b)


def _neg(a: View) -> View:
    return function("negative", a)


def _pow(a: View, exponent: float) -> View:
    return function("power", a, number(exponent, a.shape))


def _test(name: str, a: View, b: View | float) -> View:
    return apply(name, a, b if isinstance(b, View) else _n(b, a))


def _where_chosen(name: str, a: View, b: View, y: View) -> View:
    """1 where the first is chosen; two that are equal share it, but for a number that the program counts as none."""
    known = value_of(a) is not None or value_of(b) is not None
    return _test(name, a, b) if known and y.node.value is None else _shared(name, a, b)


def _shared(name: str, a: View, b: View) -> View:
    chosen = apply("number", _test(name, a, b), kind="float")
    return _add(chosen, _div(apply("number", _test("equal", a, b), kind="float"), _n(2, a)))


def _relu(a: View, y: View) -> tuple[View | None, ...]:
    """1 where a is positive; at 0 what the program has there: 0, 1, or 1/2 of a maximum."""
    at_zero = y.node.value
    return (_shared("greater", a, _n(0, a)) if at_zero == SHARED else _test(_RELU[at_zero], a, 0),)


_RELU = {None: "greater", 1: "greater_equal"}


def _power(a: View, b: View, y: View) -> tuple[View | None, ...]:
    down = function("subtract", b, _n(1, b))
    return _mul(b, function("power", a, down)), _mul(y, function("log", a))


def _choice(c: View, a: View, b: View, y: View) -> tuple[View | None, ...]:
    return None, apply("number", c, kind="float"), _sub(_n(1, c), apply("number", c, kind="float"))


SLOPES: dict[str, Slope] = {
    "add": lambda a, b, y: (_n(1, y), _n(1, y)),
    "subtract": lambda a, b, y: (_n(1, y), _n(-1, y)),
    "multiply": lambda a, b, y: (b, a),
    "divide": lambda a, b, y: (_div(_n(1, b), b), _neg(_div(a, _pow(b, 2)))),
    "power": _power,
    "maximum": lambda a, b, y: (_where_chosen("greater", a, b, y), _where_chosen("less", a, b, y)),
    "minimum": lambda a, b, y: (_where_chosen("less", a, b, y), _where_chosen("greater", a, b, y)),
    "where": _choice,
    "arctan2": lambda a, b, y: (
        _div(b, _add(_pow(a, 2), _pow(b, 2))),
        _neg(_div(a, _add(_pow(a, 2), _pow(b, 2)))),
    ),
    "logaddexp": lambda a, b, y: (function("sigmoid", _sub(a, b)), function("sigmoid", _sub(b, a))),
    "binary_cross_entropy": lambda z, y, out: (_sub(function("sigmoid", z), y), _neg(z)),
    "remainder": lambda a, b, y: (_n(1, y), _neg(apply("truncate", _div(a, b), kind="int"))),
    "negative": lambda a, y: (_n(-1, y),),
    "number": lambda a, y: (_n(1, y),),
    "exp": lambda a, y: (y,),
    "exp2": lambda a, y: (_mul(_n(math.log(2), y), y),),
    "log": lambda a, y: (_div(_n(1, a), a),),
    "log1p": lambda a, y: (_div(_n(1, a), _add(_n(1, a), a)),),
    "expm1": lambda a, y: (_add(y, _n(1, y)),),
    "tanh": lambda a, y: (_sub(_n(1, y), _pow(y, 2)),),
    "sigmoid": lambda a, y: (_mul(y, _sub(_n(1, y), y)),),
    "sin": lambda a, y: (function("cos", a),),
    "cos": lambda a, y: (_neg(function("sin", a)),),
    "tan": lambda a, y: (_add(_n(1, y), _pow(y, 2)),),
    "arcsin": lambda a, y: (_div(_n(1, a), function("sqrt", _sub(_n(1, a), _pow(a, 2)))),),
    "arccos": lambda a, y: (_neg(_div(_n(1, a), function("sqrt", _sub(_n(1, a), _pow(a, 2))))),),
    "arctan": lambda a, y: (_div(_n(1, a), _add(_n(1, a), _pow(a, 2))),),
    "sinh": lambda a, y: (function("cosh", a),),
    "cosh": lambda a, y: (function("sinh", a),),
    "arcsinh": lambda a, y: (_div(_n(1, a), function("sqrt", _add(_pow(a, 2), _n(1, a)))),),
    "arccosh": lambda a, y: (_div(_n(1, a), function("sqrt", _sub(_pow(a, 2), _n(1, a)))),),
    "arctanh": lambda a, y: (_div(_n(1, a), _sub(_n(1, a), _pow(a, 2))),),
    "sqrt": lambda a, y: (_div(_n(0.5, y), y),),
    "cbrt": lambda a, y: (_div(_n(1, y), _mul(_n(3, y), _pow(y, 2))),),
    "abs": lambda a, y: (function("sign", a),),
    "erf": lambda a, y: (_mul(_n(2 / math.sqrt(math.pi), a), function("exp", _neg(_pow(a, 2)))),),
    "erfc": lambda a, y: (_mul(_n(-2 / math.sqrt(math.pi), a), function("exp", _neg(_pow(a, 2)))),),
    "erfinv": lambda a, y: (_mul(_n(math.sqrt(math.pi) / 2, y), function("exp", _pow(y, 2))),),
    "lgamma": lambda a, y: (function("digamma", a),),
    "relu": _relu,
    "softplus": lambda a, y: (function("sigmoid", a),),
    "silu": lambda a, y: (_add(function("sigmoid", a), _mul(y, _sub(_n(1, a), function("sigmoid", a)))),),
    "gelu": lambda a, y: (_add(function("normal_cdf", a), _mul(a, function("normal_pdf", a))),),
    "normal_cdf": lambda a, y: (function("normal_pdf", a),),
}
"""Slopes by each argument; functions that are flat (floor, sign, comparisons) have none."""


def gradients(node: Node, g: View) -> list[View | None]:
    """For each argument of a node the gradient of L by the array that it reads, given g = dL/dnode."""
    if node.op == "map":
        return _of_map(node, g)
    rule = _OPERATIONS.get(node.op)
    return rule(node, g) if rule else [None] * len(node.args)


def _of_map(node: Node, g: View) -> list[View | None]:
    rule = SLOPES.get(node.name)
    slopes = rule(*node.args, whole(node)) if rule else (None,) * len(node.args)
    out: list[View | None] = []
    for view, slope in zip(node.args, slopes, strict=True):
        differs = slope is not None and view.node.kind == "float" and view.node.op not in ("number", "constant")
        out.append(pulled(view, [times_slope(g, slope)]) if differs and slope is not None else None)
    return out


def times_slope(g: View, slope: View) -> View:
    """The product of g and a slope: of a slope 1 / b it is g / b, of -1 it is -g."""
    if value_of(slope) == -1:
        return _neg(g)
    if parts := slope.opened("negative"):
        return _neg(times_slope(g, parts[0]))
    if parts := slope.opened("divide"):
        return _div(_mul(g, parts[0]), parts[1])
    return _mul(g, slope)


def _of_contract(node: Node, g: View) -> list[View | None]:
    space, rank = node.args[0].shape, len(node.shape)
    ahead = g.move(range(rank), space)
    out: list[View | None] = []
    for i, view in enumerate(node.args):
        others = [v for j, v in enumerate(node.args) if j != i]
        out.append(pulled(view, [ahead, *others]) if view.node.kind == "float" else None)
    return out


def _of_along(node: Node, g: View) -> list[View | None]:
    (x, *labels), name = node.args, node.name
    y = whole(node)
    if name in ("softmax", "log_softmax"):
        keep = [p for p in range(len(x.shape)) if p not in node.axes]
        if name == "softmax":
            total = contract([_mul(y, g)], keep).move(keep, x.shape)
            return [pulled(x, [_mul(y, _sub(g, total))])]
        total = contract([g], keep).move(keep, x.shape)
        return [pulled(x, [_sub(g, _mul(function_along("softmax", x, node.axes), total))])]
    kept = range(len(node.shape))
    g, y = g.move(kept, x.shape), y.move(kept, x.shape)
    if name == "cross_entropy":
        true = apply("number", _test("equal", position(along(node.axes[0]), x.shape), labels[0]), kind="float")
        return [pulled(x, [_mul(g, _sub(function_along("softmax", x, node.axes), true))]), None]
    if name == "logsumexp":
        return [pulled(x, [_mul(g, function_along("softmax", x, node.axes))])]
    if name == "prod":
        return [pulled(x, [_mul(g, _product_of_others(node, x))])]
    if name in ("max", "min"):
        return [_of_extreme(node, x, g, y)]
    return [None]


def _product_of_others(node: Node, x: View) -> View:
    """The product of all numbers but one, for each of them: y / x where x is not 0, and right where it is."""
    rank, count = len(x.shape), len(node.axes)
    space = (*x.shape, *(x.shape[p] for p in node.axes))
    again = [rank + node.axes.index(p) if p in node.axes else p for p in range(rank)]
    tests = [_test("equal", position(along(again[p]), space), position(along(p), space)) for p in node.axes]
    itself = tests[0]
    for test in tests[1:]:
        itself = apply("and", itself, test)
    others = function("where", itself, number(1, space), x.move(again, space))
    return function_along("prod", others, range(rank, rank + count))


def _of_extreme(node: Node, x: View, g: View, y: View) -> View:
    """Through a maximum to the number that it came from: shared by equals, or in windows to the first of them."""
    kept = list(range(len(node.shape)))
    if x.plain is not None:
        there = apply("number", apply("equal", x, y), kind="float")
        count = contract([there], kept).move(kept, x.shape)
        return pulled(x, [_div(_mul(g, there), count)])
    first = function_along(f"arg{node.name}", x, node.axes).move(kept, x.shape)
    terms, step = [], 1
    for p in reversed(node.axes):
        terms.append((p, step))
        step *= x.shape[p]
    chosen = apply("equal", first, position(Index(tuple(terms[::-1])), x.shape))
    return pulled(x, [g, apply("number", chosen, kind="float")])


def _of_reshape(node: Node, g: View) -> list[View | None]:
    return [pulled(node.args[0], [reshaped(g, node.args[0].shape)])]


def _of_concat(node: Node, g: View) -> list[View | None]:
    (axis,), start, out = node.axes, 0, []
    g = materialized(g)
    for view in node.args:
        at = {p: along(p) for p in range(len(view.shape))} | {axis: Index(((axis, 1),), start)}
        out.append(pulled(view, [g.put(at, view.shape)]) if view.node.kind == "float" else None)
        start += view.shape[axis]
    return out


def _of_opaque(node: Node, g: View) -> list[View | None]:
    import jax

    g = materialized(g)
    call, which = node.call, node.axes[0]
    out: list[View | None] = []
    for i, view in enumerate(node.args):
        if view.node.kind != "float":
            out.append(None)
            continue

        def back(*came, i=i):
            def one(x):
                return call(*came[:i], x, *came[i + 1 : -1])[which]  # type: ignore[misc]

            y, pull = jax.vjp(one, came[i])
            return [pull(jax.numpy.asarray(came[-1], y.dtype))[0]]

        back_node = Node("opaque", (*node.args, g), view.shape, "float", f"{node.name}'", (0,), call=back)
        out.append(pulled(view, [whole(back_node)]))
    return out


_OPERATIONS: dict[str, Callable[[Node, View], list[View | None]]] = {
    "contract": _of_contract,
    "along": _of_along,
    "reshape": _of_reshape,
    "concat": _of_concat,
    "opaque": _of_opaque,
}
