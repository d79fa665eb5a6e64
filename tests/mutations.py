"""Wrong versions of what makes and prints the lines of explanations: derivative rules, rewrites, brackets and signs.

A mutation replaces functions of chainrule while it is applied, by pytest's monkeypatch; no file is touched. Each says
something false by construction, and ``TRUE`` lists the few that turn out to say something else that is true, with why.
"""

import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from chainrule.equations import formula
from chainrule.equations.checks import meaning
from chainrule.equations.derivation import algebra, axes, backward, compose, merge, rules, traces
from chainrule.equations.derivation.algebra import Ratio
from chainrule.equations.derivation.compose import Composer
from chainrule.equations.formula import Call, Matrix, Number, Place, Power, Sum, Symbol, Total
from chainrule.equations.prints import text
from chainrule.trace import evaluate, lift_elementwise, pull
from chainrule.trace.graph import Index, Node, View, along, apply, number, value_of, whole

SEED = 1


@dataclass(frozen=True)
class Mutation:
    """A fault to be put in: ``change`` makes the wrong version of each ``attribute`` of its module, class or table."""

    name: str
    places: tuple[tuple[Any, Any], ...]
    change: Callable[[Any], Any]
    op: str = ""
    """The operation that programs must have to meet it."""
    level: str = "lines"
    """What must be made again: "lines" (everything), "print" or "reader"."""

    def put_in(self, patch: Any) -> None:
        """Replace the right versions by the wrong one until the patch is undone."""
        for owner, attribute in self.places:
            if isinstance(owner, dict):
                patch.setitem(owner, attribute, self.change(owner[attribute]))
            else:
                patch.setattr(owner, attribute, self.change(getattr(owner, attribute)))


TRUE: dict[str, str] = {
    "slope of relu: y for argument 0": "max(x, 0) is positive where x is",
    "brackets: Number in Quotient": "in a / 3 N the multiple 3 N binds before the quotient",
    "brackets: Power in Total": "in Σ_d a^p the power binds before the sum",
}
"""Mutations that are no faults, with the reason."""


def mutations() -> list[Mutation]:
    """All of them, always the same."""
    made = [*_slopes(), *_operations(), *_pulls(), *_passes(), *_rewrites(), *_formulas(), *_algebra(), *_prints()]
    made += [*_brackets(), *_functions()]
    names = [m.name for m in made]
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
    return made


# ------------------------------------------------------------------------------------- the table of derivatives

RELATIVES = {
    "sin": "cos",
    "cos": "sin",
    "sinh": "cosh",
    "cosh": "sinh",
    "greater": "less",
    "less": "greater",
    "sigmoid": "tanh",
    "sqrt": "cbrt",
    "exp": "expm1",
    "log": "log1p",
    "sign": "number",
    "normal_pdf": "normal_cdf",
    "normal_cdf": "normal_pdf",
    "digamma": "lgamma",
    "truncate": "floor",
}


def _slopes() -> Iterator[Mutation]:
    rng = random.Random(SEED)
    singles = [n for n, rule in rules.SLOPES.items() if len(inspect.signature(rule).parameters) == 2]
    for name, rule in rules.SLOPES.items():
        if name in ("number", "normal_cdf"):
            continue  # one makes numbers of yes and no, by which nothing is derived; no program is read as the other
        count = len(inspect.signature(rule).parameters) - 1
        wrongs = [*_of_whole(count), *_of_parts(rule, count)]
        if count == 1:
            foreign = rng.choice([n for n in singles if n != name])
            wrongs.append((f"the slope of {foreign}", lambda r, foreign=foreign: rules.SLOPES[foreign]))
        for what, wrong in wrongs:
            if _drawn(wrong(rule), count) != _drawn(rule, count):
                yield Mutation(f"slope of {name}: {what}", ((rules.SLOPES, name),), wrong, name)


def _of_whole(count: int) -> Iterator[tuple[str, Callable]]:
    """Wrong versions of a whole rule: ((what is wrong), (rule -> rule))."""
    for k in range(count):
        yield f"sign of {k}", lambda r, k=k: _at(r, k, rules._neg)
        yield f"twice {k}", lambda r, k=k: _at(r, k, lambda s: rules._mul(number(2, s.shape), s))
        yield f"y for argument {k}", lambda r, k=k: lambda *v: r(*v[:k], v[-1], *v[k + 1 :])
        yield f"argument {k} for y", lambda r, k=k: lambda *v: r(*v[:-1], v[k])
    if count == 2:
        yield "slopes exchanged", lambda r: lambda *v: tuple(reversed(r(*v)))
        yield "arguments exchanged", lambda r: lambda a, b, y: r(b, a, y)
    if count == 3:
        yield "choices exchanged", lambda r: lambda *v: (r(*v)[0], *reversed(r(*v)[1:]))


def _at(rule: Callable, k: int, change: Callable[[View], View]) -> Callable:
    def wrong(*views: View) -> tuple[View | None, ...]:
        return tuple(change(s) if j == k and s is not None else s for j, s in enumerate(rule(*views)))

    return wrong


def _of_parts(rule: Callable, count: int) -> Iterator[tuple[str, Callable]]:
    """One place of one slope changed: a term or factor dropped, operands exchanged, a number, a function."""
    arguments = _stand_ins(count)
    for k, slope in enumerate(rule(*arguments)):
        for path, view in _paths(slope, {v.node for v in arguments}) if slope is not None else ():
            for what, change in _of_part(view):
                here = f"{what} at {k}{''.join(f'.{p}' for p in path)}"
                only = lambda v, name=view.node.name, change=change: change(v) if v.node.name == name else v  # noqa: E731
                yield here, lambda r, k=k, path=path, only=only: _at(r, k, lambda s: _changed(s, path, only))


def _of_part(view: View) -> Iterator[tuple[str, Callable[[View], View]]]:
    name = view.node.name
    if value_of(view) is not None:
        yield "number + 1", lambda v: number((value_of(v) or 0) + 1, v.shape, v.node.kind)
    if view.node.op == "map" and len(view.node.args) == 2:
        yield f"only the left of {name}", lambda v: _operands(v)[0]
        yield f"only the right of {name}", lambda v: _operands(v)[1]
        yield f"{name} turned round", lambda v: apply(v.node.name, *_operands(v)[::-1], kind=v.node.kind)
    if view.node.op == "map" and name in RELATIVES:
        yield f"{RELATIVES[name]} for {name}", lambda v: apply(RELATIVES[name], *_operands(v), kind=v.node.kind)


def _stand_ins(count: int) -> list[View]:
    return [whole(Node("input", shape=(3,), name=f"v{k}")) for k in range(count + 1)]


def _paths(view: View, ends: set[Node], path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], View]]:
    if view.node not in ends:
        yield path, view
        for k, v in enumerate(view.node.args):
            yield from _paths(v, ends, (*path, k))


def _operands(view: View) -> list[View]:
    return [v.put(dict(enumerate(view.index)), view.shape) for v in view.node.args]


def _changed(view: View, path: tuple[int, ...], change: Callable[[View], View]) -> View:
    """A slope with one of its parts changed; as it is where known numbers were worked out on the way."""
    if not path:
        return change(view)
    operands = _operands(view)
    if len(operands) <= path[0]:
        return view
    operands[path[0]] = _changed(operands[path[0]], path[1:], change)
    return apply(view.node.name, *operands, kind=view.node.kind)


def _drawn(rule: Callable, count: int) -> str:
    """The slopes of a rule in writing, the same for the same slopes; a + b and b + a are."""

    def shown(v: View | None) -> str:
        if v is None:
            return ""
        parts = [shown(a) for a in v.node.args]
        if v.node.name in ("add", "multiply", "equal"):
            parts.sort()
        return f"{v.node.name or v.node.value}({', '.join(parts)})"

    try:
        return " | ".join(map(shown, rule(*_stand_ins(count))))
    except TypeError:  # a rule of another number of arguments
        return "none"


# ------------------------------------------------------------------------------------- rules of whole operations


def _rule(name: str, what: str, wrong: Callable, of: str = "along") -> Mutation:
    """A wrong rule: ``wrong(right, node, g)`` gives the gradients."""
    change = lambda right: lambda node, g: wrong(right, node, g) if name in (node.name, node.op) else right(node, g)  # noqa: E731
    return Mutation(f"gradient through {name}: {what}", ((rules._OPERATIONS, of),), change, name)


def _back(node: Node, factors: list[View]) -> list[View | None]:
    """Factors in the space of a node's argument, pulled back through it; no gradient by further arguments."""
    return [pull.pulled(node.args[0], factors), *[None] * (len(node.args) - 1)]


def _wide(node: Node, g: View) -> View:
    return g.move(range(len(node.shape)), node.args[0].shape)


def _operations() -> Iterator[Mutation]:
    x = lambda n: n.args[0]  # noqa: E731
    probabilities = lambda n: rules.function_along("softmax", x(n), n.axes)  # noqa: E731
    yield _rule("softmax", "without the sum", lambda r, n, g: _back(n, [rules._mul(whole(n), g)]))
    yield _rule("softmax", "p (1 − p)", lambda r, n, g: _back(n, [g, rules.SLOPES["sigmoid"](x(n), whole(n))[0]]))
    yield _rule("softmax", "the gradient alone", lambda r, n, g: _back(n, [g]))
    yield _rule(
        "softmax", "over another axis", lambda r, n, g: r(replace(n, axes=((n.axes[0] + 1) % len(n.shape),)), g)
    )
    yield _rule("log_softmax", "without the sum", lambda r, n, g: _back(n, [g]))
    yield _rule("log_softmax", "that of softmax", lambda r, n, g: r(replace(n, name="softmax"), g))
    yield _rule("log_softmax", "half", lambda r, n, g: _back(n, [rules._sub(g, probabilities(n))]))
    yield _rule("logsumexp", "that of a sum", lambda r, n, g: _back(n, [_wide(n, g)]))
    yield _rule("logsumexp", "sign", lambda r, n, g: r(n, rules._neg(g)))
    yield _rule("logsumexp", "that of a maximum", lambda r, n, g: r(replace(n, name="max"), g))
    yield _rule("prod", "not divided", lambda r, n, g: _back(n, [_wide(n, g), _wide(n, whole(n))]))
    yield _rule("prod", "that of a sum", lambda r, n, g: _back(n, [_wide(n, g)]))
    yield _rule("cross_entropy", "without the target", lambda r, n, g: _back(n, [_wide(n, g), probabilities(n)]))
    yield _rule("cross_entropy", "sign", lambda r, n, g: [rules._neg(r(n, g)[0]), None])
    yield _rule("cross_entropy", "twice", lambda r, n, g: [rules._add(r(n, g)[0], r(n, g)[0]), None])
    for name in ("max", "min"):
        yield _rule(name, "to all places", lambda r, n, g: _back(n, [_wide(n, g)]))
        other = {"max": "min", "min": "max"}[name]
        yield _rule(name, f"that of {other}", lambda r, n, g, other=other: _back(n, _chosen(n, g, other)))
        yield _rule(name, "sign", lambda r, n, g: r(n, rules._neg(g)))
    for what, wrong in _OF_PRODUCTS.items():
        yield _rule("contract", what, wrong, "contract")
    yield _rule("reshape", "turned", lambda r, n, g: r(n, _turned(g)), "reshape")
    yield _rule("reshape", "backwards", lambda r, n, g: r(n, _reversed(g, 0)), "reshape")
    yield _rule("concat", "pieces exchanged", lambda r, n, g: _pieces_exchanged(n, g), "concat")
    yield _rule("concat", "one place further", lambda r, n, g: r(n, _shifted(g, n.axes[0], 1)), "concat")
    yield _rule("concat", "the first piece for all", lambda r, n, g: [r(n, g)[0]] * len(n.args), "concat")
    product = ((rules, "times_slope"),)
    yield Mutation("g slope: g alone", product, lambda right: lambda g, slope: g, "tanh")
    yield Mutation("g slope: the slope alone", product, lambda right: lambda g, slope: slope, "tanh")
    yield Mutation("g slope: sign lost", product, lambda right: lambda g, s: right(g, _unsigned(s)), "cos")
    yield Mutation("g slope: twice the slope", product, lambda right: lambda g, s: rules._mul(right(g, s), s), "tanh")


def _unsigned(slope: View) -> View:
    return _operands(slope)[0] if slope.node.name == "negative" else slope


def _chosen(node: Node, g: View, name: str) -> list[View]:
    best = rules.function_along(name, node.args[0], node.axes)
    return [_wide(node, g), apply("number", apply("equal", node.args[0], _wide(node, best)), kind="float")]


_OF_PRODUCTS: dict[str, Callable] = {
    "its own factor for the others": lambda r, n, g: [pull.pulled(v, [_wide(n, g), v]) for v in n.args],
    "the gradient alone": lambda r, n, g: [pull.pulled(v, [_wide(n, g)]) for v in n.args],
    "the others alone": lambda r, n, g: r(n, number(1.0, g.shape)),
    "others twice": lambda r, n, g: [
        pull.pulled(v, [_wide(n, g), *2 * [w for w in n.args if w is not v]]) for v in n.args
    ],
    "only by the first": lambda r, n, g: [r(n, g)[0], *[None] * (len(n.args) - 1)],
    "only by the last": lambda r, n, g: [*[None] * (len(n.args) - 1), r(n, g)[-1]],
    "sign": lambda r, n, g: r(n, rules._neg(g)),
}


def _turned(view: View) -> View:
    """The numbers of an array in the order of its transpose."""
    if len(view.shape) < 2:
        return view
    order = (*range(1, len(view.shape)), 0)
    return rules.reshaped(view.move(order, [view.shape[order.index(p)] for p in range(len(order))]), view.shape)


def _reversed(view: View, axis: int) -> View:
    at = {p: along(p) for p in range(len(view.shape))} | {axis: Index(((axis, -1),), view.shape[axis] - 1)}
    return rules.materialized(view).put(at, view.shape)


def _shifted(view: View, axis: int, by: int) -> View:
    at = {p: along(p) for p in range(len(view.shape))} | {axis: Index(((axis, 1),), by)}
    return rules.materialized(view).put(at, view.shape)


def _pieces_exchanged(node: Node, g: View) -> list[View | None]:
    found = rules._of_concat(replace(node, args=node.args[::-1]), g)[::-1]
    return list(found)


# ------------------------------------------------------------------------------------- reading turned around

_PULLED = (rules, "pulled"), (backward, "pulled")


def _pulls() -> Iterator[Mutation]:
    both = lambda what, change, op="": Mutation(f"pulled: {what}", _PULLED, change, op)  # noqa: E731
    yield both("square arrays turned", lambda right: lambda v, f: _flipped(right(v, f)), "softmax")
    yield both("the last factor lost", lambda right: lambda v, f: right(v, f[:-1] or f))
    yield both("the first factor twice", lambda right: lambda v, f: right(v, [*f, f[0]]))
    yield both("sign", lambda right: lambda v, f: rules._neg(right(v, f)))
    yield both("half", lambda right: lambda v, f: rules._mul(number(0.5, v.node.shape), right(v, f)))
    yield both("the index forgotten", lambda right: lambda v, f: right(_unshifted(v), f), "concat")
    inner = lambda what, name, change, op="": Mutation(f"pulled: {what}", ((pull, name),), change, op)  # noqa: E731
    yield inner("the sum lost", "contract", lambda right: lambda views, keep: right(_first(views, keep), keep))
    yield inner("the last place not summed", "contract", lambda right: lambda v, keep: right(_short(v, keep), keep))
    for what, change in _SOLUTIONS.items():
        wrong = lambda right, change=change: lambda *a: (p := right(*a)) and (p[0], change(p[1]))  # noqa: E731
        yield inner(what, "_solved", wrong, "max" if what == "divisor lost" else "contract")
    for relation in ("not_equal", "less", "greater_equal"):
        yield inner(
            f"1[a {relation} i]",
            "_reads",
            lambda right, relation=relation: lambda *a: _related(right(*a), relation),
            "embedding",
        )
    yield inner(
        "looked up one further", "_reads", lambda right: lambda i, a, s: _moved_up(right(i, a, s), a), "embedding"
    )
    yield inner("everywhere", "_reads", lambda right: lambda i, a, s: number(1.0, s), "embedding")


_SOLUTIONS: dict[str, Callable[[Index], Index]] = {
    "offset one more": lambda i: replace(i, offset=i.offset + 1),
    "offset one less": lambda i: replace(i, offset=i.offset - 1),
    "offset's sign": lambda i: replace(i, offset=-i.offset),
    "divisor lost": lambda i: replace(i, divisor=1),
    "divisor one more": lambda i: replace(i, divisor=i.divisor + 1),
    "other terms' sign": lambda i: replace(i, terms=(i.terms[0], *((p, -c) for p, c in i.terms[1:]))),
    "other terms lost": lambda i: replace(i, terms=i.terms[:1]),
    "all terms' sign": lambda i: replace(i, terms=tuple((p, -c) for p, c in i.terms)),
    "coefficient one more": lambda i: replace(i, terms=((i.terms[0][0], i.terms[0][1] + 1), *i.terms[1:])),
}


def _flipped(view: View) -> View:
    n = len(view.shape)
    square = n > 1 and view.shape[-1] == view.shape[-2]
    return view.move([*range(n - 2), n - 1, n - 2], view.shape) if square else view


def _unshifted(view: View) -> View:
    index = tuple(replace(i, offset=0) if isinstance(i, Index) and i.terms else i for i in view.index)
    return View(view.node, index, view.shape)


def _first(views: list[View], keep: list[int]) -> list[View]:
    space = views[0].shape
    at = {p: along(p) if p in keep else Index() for p in range(len(space))}
    return [v.put(at, [n if p in keep else 1 for p, n in enumerate(space)]) for v in views]


def _short(views: list[View], keep: list[int]) -> list[View]:
    space = [n if p in keep or n == 1 else n - 1 for p, n in enumerate(views[0].shape)]
    return [View(v.node, v.index, tuple(space)) for v in views]


def _related(reads: View, relation: str) -> View:
    (equal,) = _operands(reads)
    return apply("number", apply(relation, *_operands(equal)), kind="float")


def _moved_up(reads: View, a: int) -> View:
    (equal,) = _operands(reads)
    there, at = _operands(equal)
    return apply("number", apply("equal", there, apply("add", at, number(1, at.shape, "int"))), kind="float")


# ------------------------------------------------------------------------------------- the backward pass, loops, N


def _passes() -> Iterator[Mutation]:
    made = lambda what, name, change, op="": Mutation(f"backward: {what}", ((backward, name),), change, op)  # noqa: E731
    yield made("the last contribution lost", "_sum", lambda right: lambda views: right(views[:-1] or views))
    yield made("the first contribution lost", "_sum", lambda right: lambda views: right(views[1:] or views))
    yield made("the first contribution twice", "_sum", lambda right: lambda views: right([*views, views[0]]))
    yield made("contributions subtracted", "_sum", lambda right: lambda views: _difference(right, views))
    turned = lambda right: lambda views: (p := right(views)) and (p[0][::-1], p[1])  # noqa: E731
    yield made("pieces in the other order", "_pieces", turned, "concat")
    first = lambda right: lambda views: (p := right(views)) and ([p[0][0]] * len(p[0]), p[1])  # noqa: E731
    yield made("the first piece for all", "_pieces", first, "concat")
    yield made("only one reader", "_pieces", lambda right: lambda v: (p := right(v)) and (p[0][:1], p[1]), "concat")
    skipped = lambda right: lambda *a: None  # noqa: E731
    yield made("nothing from the step after", "_from_the_step_after", skipped, "carry")
    yield made("nothing from after the loop", "_from_the_step_after", lambda r: lambda *a: r(*a[:3], []), "carry")
    yield made("the end for each step", "_from_the_step_after", _with_end, "carry")
    yield made("steps in the wrong direction", "_from_the_step_after", _with_steps_turned, "carry")
    yield made("nothing to the start", "_to_the_step_before", _unstarted, "carry")
    yield made("the last step to the start", "_to_the_step_before", _restarted, "carry")
    half = lambda right: lambda r, c, d, a: right(r, c, rules._mul(number(0.5, d.shape), d), a)  # noqa: E731
    yield made("half to the step before", "_to_the_step_before", half, "carry")
    sign = lambda right: lambda r, c, d, a: right(r, c, rules._neg(d), a)  # noqa: E731
    yield made("the step before with the other sign", "_to_the_step_before", sign, "carry")
    start = (((backward, "number"),), lambda right: lambda v, shape, *k: right(2.0 if v == 1 else v, shape, *k))
    yield Mutation("backward: ∂L/∂L = 2", *start)
    start = (((backward, "number"),), lambda right: lambda v, shape, *k: right(-1.0 if v == 1 else v, shape, *k))
    yield Mutation("backward: ∂L/∂L = −1", *start)


def _difference(right: Callable, views: list[View]) -> View:
    return right(views) if len(views) < 2 else rules._sub(right(views[:1]), right(views[1:]))


def _with_end(right: Callable) -> Callable:
    """What comes from outside of a loop is added at each step, and nothing comes from the step after."""

    def wrong(result: Any, node: Node, carry: Node, finals: list[View]) -> None:
        right(result, node, carry, finals)
        (step,) = carry.axes
        places = [p for p in range(len(carry.shape)) if p != step]
        start = result.after[carry].args[0].move(places, carry.shape)
        result.parts[node][-1] = (None, pull.pulled(result.graph.links[carry], [start]))

    return wrong


def _with_steps_turned(right: Callable) -> Callable:
    def wrong(result: Any, node: Node, carry: Node, finals: list[View]) -> None:
        right(result, node, carry, finals)
        back = result.after[carry] = replace(result.after[carry], reverse=carry.reverse)
        result.parts[node][-1] = (None, pull.pulled(result.graph.links[carry], [whole(back)]))

    return wrong


def _unstarted(right: Callable) -> Callable:
    def wrong(result: Any, carry: Node, delta: View, active: set[Node]) -> None:
        right(result, carry, delta, active)
        found = result.parts.get(carry.args[0].node)
        if found and found[-1][0] is carry:
            found[-1] = (carry, number(0.0, carry.args[0].node.shape))

    return wrong


def _restarted(right: Callable) -> Callable:
    def wrong(result: Any, carry: Node, delta: View, active: set[Node]) -> None:
        (step,) = carry.axes
        right(result, carry, delta, active)
        found = result.parts.get(carry.args[0].node)
        if found and found[-1][0] is carry:
            place = Index((), 0 if carry.reverse else carry.shape[step] - 1)
            at = {p: along(p - (p > step)) for p in range(len(carry.shape))} | {step: place}
            g = rules.materialized(delta).put(at, carry.args[0].shape)
            found[-1] = (carry, pull.pulled(carry.args[0], [g]))

    return wrong


def _rewrites() -> Iterator[Mutation]:
    """Two different computations merged, a number taken for one that grows, arithmetic that is none."""
    for what, field in {"names": 1, "axes": 2, "values": 4, "arguments": 7}.items():
        hidden = lambda right, k=field: lambda n: (key := right(n)) and (*key[:k], None, *key[k + 1 :])  # noqa: E731
        yield Mutation(f"merged whatever the {what}", ((merge, "_key"),), hidden, "")
    blind = lambda right: lambda i: i if isinstance(i, Index) and not i.offset else Index()  # noqa: E731
    yield Mutation("merged whatever the index", ((merge, "_index"),), blind, "concat")
    for what, change in {
        "1 / N for N": lambda f: Number(f.value, -f.power),
        "N² for N": lambda f: Number(f.value, 2 * f.power),
        "twice": lambda f: Number(2 * f.value, f.power),
        "a number for N": lambda f: Number(f.value * 5**f.power),
    }.items():
        wrong = lambda right, c=change: lambda *a: {n: c(f) for n, f in (right(*a) or {}).items()}  # noqa: E731
        yield Mutation(f"scales: {what}", ((traces, "scales"),), wrong)
    yield Mutation("scales: N for a number", ((traces, "scales"),), lambda right: _grown(right, 1))
    yield Mutation("scales: 1 / N for a number", ((traces, "scales"),), lambda right: _grown(right, -1))
    table = lift_elementwise.FUNCTIONS
    swaps = "add:subtract mul:add div:multiply sub:add max:minimum min:maximum exp:exp2 exp2:exp log:log1p log1p:log "
    swaps += "expm1:exp tanh:sin sin:cos cos:sin tan:tanh asin:arctan acos:arcsin atan:arcsin sinh:cosh cosh:sinh "
    swaps += "asinh:arctan acosh:arcsinh atanh:arcsinh logistic:tanh sqrt:cbrt cbrt:sqrt abs:relu erf:erfc erfc:erf "
    swaps += "erf_inv:erf lgamma:digamma gt:greater_equal ge:less lt:greater eq:not_equal ne:equal pow:multiply "
    swaps += "atan2:subtract rem:divide neg:abs stop_gradient:number"
    for primitive, other in (pair.split(":") for pair in swaps.split()):
        wrong = lambda right, other=other: other  # noqa: E731
        yield Mutation(f"{primitive} read as {other}", ((table, primitive),), wrong, table[primitive])


def _grown(right: Callable, power: int) -> Callable:
    """Each number that does not grow with N is said to do so, so that it is right at the first N only."""

    def wrong(pairs: dict[Node, Node], rows: tuple[int, int]) -> dict[Node, Number]:
        same = {
            a: Number(a.value / rows[0] ** power, power)
            for a in pairs
            if a.op == "number" and a.kind == "float" and a.value not in (0, 1, -1)
        }
        return same | (right(pairs, rows) or {})

    return wrong


# ------------------------------------------------------------------------------------- how formulas are made


def _formulas() -> Iterator[Mutation]:
    made = lambda what, name, change, op="": Mutation(f"composer: {what}", ((Composer, name),), change, op)  # noqa: E731
    function = lambda what, name, change, op="": Mutation(f"composer: {what}", ((compose, name),), change, op)  # noqa: E731
    whole_index = lambda right: lambda self, view, space: replace(right(self, view, space), index=None)  # noqa: E731
    yield made("symbols without places", "symbol", whole_index, "softmax")
    yield made("labels from the right", "space", lambda right: lambda s, n, own: right(s, n, own)[::-1], "softmax")
    yield made("a mean of every quotient", "mean", lambda right: lambda self, f: _meant(f))
    yield function("places one further", "_place", lambda right: lambda i, s: _moved(right(i, s), 1), "max")
    yield function("places one before", "_place", lambda right: lambda i, s: _moved(right(i, s), -1), "max")
    yield function("numbers before Σ lost", "_constant", lambda right: lambda f: (None, right(f)[1]))
    yield function("numbers before Σ twice", "_constant", lambda right: lambda f: (right(f)[0], f))
    yield function("primes lost", "fresh", lambda right: lambda label, taken: axes.bare(label), "softmax")
    yield function("one prime too many", "fresh", lambda right: lambda label, taken: right(label, [*taken, label]))
    for name, relation in compose.RELATIONS.items():
        other = {"<": ">", ">": "<", "≤": ">", "≥": "<", "=": "≠", "≠": "="}[relation]
        exchanged = lambda right, other=other: other  # noqa: E731
        yield Mutation(f"composer: {other} for {relation}", ((compose.RELATIONS, name),), exchanged, name)


def _meant(f: Any) -> Any:
    if isinstance(f, formula.Quotient) and isinstance(f.top, Total):
        return Call("mean", (f.top.body,), f.top.labels)
    return f


def _moved(place: Place, by: int) -> Place:
    return replace(place, offset=place.offset + by)


def _algebra() -> Iterator[Mutation]:
    made = lambda what, owner, name, change, op="": Mutation(f"algebra: {what}", ((owner, name),), change, op)  # noqa: E731
    inverse = {
        "of the number only": lambda r: Ratio(1 / r.whole, 1 / r.decimal, -r.power, r.tops, r.bottoms),
        "not of the number": lambda r: Ratio(r.whole, r.decimal, -r.power, r.bottoms, r.tops),
        "not of N": lambda r: Ratio(1 / r.whole, 1 / r.decimal, r.power, r.bottoms, r.tops),
        "without the bottom": lambda r: Ratio(1 / r.whole, 1 / r.decimal, -r.power, r.bottoms, ()),
        "without the top": lambda r: Ratio(1 / r.whole, 1 / r.decimal, -r.power, (), r.tops),
        "none": lambda r: r,
    }
    for what, wrong in inverse.items():
        yield made(f"inverse {what}", Ratio, "inverse", lambda right, wrong=wrong: wrong)
    products = {
        "without the right one's bottoms": lambda p, a, b: replace(p, bottoms=a.bottoms),
        "without the left one's tops": lambda p, a, b: replace(p, tops=b.tops),
        "without the right one's number": lambda p, a, b: replace(p, whole=a.whole, decimal=a.decimal),
        "without the right one's N": lambda p, a, b: replace(p, power=a.power),
        "with N the other way": lambda p, a, b: replace(p, power=a.power - b.power),
        "bottoms for tops": lambda p, a, b: replace(p, tops=p.bottoms, bottoms=p.tops),
    }
    for what, change in products.items():
        wrong = lambda right, c=change: lambda a, b: c(right(a, b), a, b)  # noqa: E731
        yield made(f"product {what}", Ratio, "times", wrong)
    ratios = {
        "sign lost": lambda r: replace(r, whole=abs(r.whole), decimal=abs(r.decimal)),
        "number lost": lambda r: replace(r, whole=r.whole / abs(r.whole)),
        "number rounded": lambda r: replace(r, whole=r.whole.limit_denominator(3) or r.whole),
        "decimal rounded": lambda r: replace(r, decimal=float(f"{r.decimal:.6g}")),
        "number turned round": lambda r: replace(r, whole=1 / r.whole),
        "N lost": lambda r: replace(r, power=0),
        "equal factors once": lambda r: replace(r, tops=tuple(dict.fromkeys(r.tops))),
        "equal divisors once": lambda r: replace(r, bottoms=tuple(dict.fromkeys(r.bottoms))),
        "the last factor lost": lambda r: replace(r, tops=r.tops[:-1]) if len(r.tops) > 1 else r,
        "the last divisor lost": lambda r: replace(r, bottoms=r.bottoms[:-1]),
    }
    for what, change in ratios.items():
        wrong = lambda right, c=change: lambda r: right(c(r))  # noqa: E731
        yield made(f"formula: {what}", algebra, "formula", wrong, "power" if "equal" in what else "")
    sums = {
        "minus for plus": lambda right: lambda a, b, sign=1: right(a, b, -sign),
        "plus for minus": lambda right: lambda a, b, sign=1: right(a, b),
        "a − b as b − a": lambda right: lambda a, b, sign=1: right(b, a, sign),
        "the right one lost": lambda right: lambda a, b, sign=1: a,
    }
    for what, change in sums.items():
        yield made(f"sum: {what}", algebra, "plus", change, "subtract")
    once = lambda right: lambda f, sign: [(sign, t) for _, t in right(f, 1)]  # noqa: E731
    yield made("sum: signs within lost", algebra, "_terms", once, "subtract")
    one = lambda right: lambda f: isinstance(f, Number) and f.value in (0, 1)  # noqa: E731
    yield made("sum: 1 taken for 0", algebra, "_zero", one, "sigmoid")
    yield made("power: exponent one more", algebra, "_gathered", lambda right: _exponents(right, 1), "layer")


def _exponents(right: Callable, more: int) -> Callable:
    def wrong(factors: Any) -> list[Any]:
        return [Power(f.base, Number(f.exponent.value + more)) if _whole_power(f) else f for f in right(factors)]

    return wrong


def _whole_power(f: Any) -> bool:
    return isinstance(f, Power) and isinstance(f.exponent, Number)


# ------------------------------------------------------------------------------------- how formulas are printed


def _prints() -> Iterator[Mutation]:
    """One thing in each line: the outermost one of its kind says something else."""
    for what, change in _trees():
        wrong = lambda right, change=change: lambda of: right(replace(of, formula=first_changed(of.formula, change)))  # noqa: E731
        yield Mutation(f"line: {what}", ((text, "line"),), wrong, level="print")
    marks = {
        "ᵀ lost": ("ᵀ", ""),
        "primes lost": ("′", ""),
        "σ for √": ("√", "σ"),
        "/ for ⊙": ("⊙", "/"),
        "⊙ for /": ("/", "⊙"),
    }
    marks |= {
        "− for +": ("+", "−"),
        "+ for −": ("−", "+"),
        "² for ³": ("³", "²"),
        "³ for ²": ("²", "³"),
        "Σ lost": ("Σ_", "mean_"),
    }
    marks |= {"N for 2 N": ("2 / N", "1 / N"), "N lost": (" / N", ""), "before for after": ("after", "before")}
    marks |= {
        "after for before": ("before", "after"),
        "softmax for its log": ("log_softmax", "softmax"),
        "max for min": ("min", "max"),
    }
    for what, (old, new) in marks.items():
        yield Mutation(
            f"text: {what}", ((text, "line"),), lambda right, o=old, n=new: _replaced(right, o, n), level="print"
        )
    six = lambda right: lambda value: right(float(f"{value:.6g}"))  # noqa: E731
    yield Mutation("text: six digits", ((text, "digits"),), six, level="print")
    twelve = lambda right: lambda value: right(round(value * (1 + 3e-9), 12))  # noqa: E731
    yield Mutation("text: the ninth digit", ((text, "digits"),), twelve, level="print")
    labels = lambda right: lambda of: right(replace(of, labels=of.labels[::-1]))  # noqa: E731
    yield Mutation("text: labels of the left exchanged", ((text, "line"),), labels, level="print")


def _replaced(right: Callable, old: str, new: str) -> Callable:
    """The first place of a mark in what stands right of the equals sign."""

    def wrong(of: Any) -> str:
        left, equals, rest = right(of).partition(" = ")
        return left + equals + rest.replace(old, new, 1)

    return wrong


def first_changed(f: Any, change: Callable[[Any], Any]) -> Any:
    """The formula with the outermost, leftmost part that a change does anything to changed."""
    new = change(f)
    if new is not None and new != f:
        return new
    for name in getattr(f, "__dataclass_fields__", ()):
        value = getattr(f, name)
        if isinstance(value, tuple):
            for k, item in enumerate(value):
                inner = item[1] if isinstance(item, tuple) and len(item) == 2 and isinstance(f, Sum) else item
                changed = first_changed(inner, change)
                if changed != inner:
                    changed = (item[0], changed) if inner is not item else changed
                    return replace(f, **{name: (*value[:k], changed, *value[k + 1 :])})
        elif hasattr(value, "__dataclass_fields__"):
            changed = first_changed(value, change)
            if changed != value:
                return replace(f, **{name: changed})
    return f


def _when(kind: type, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda f: change(f) if isinstance(f, kind) else None


def _trees() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    changes: dict[type, dict[str, Callable[[Any], Any]]] = {
        Matrix: {
            "operands exchanged": lambda f: Matrix(f.right, f.left),
            "left turned": lambda f: replace(f, left=replace(f.left, transposed=not f.left.transposed)),
            "right turned": lambda f: replace(f, right=replace(f.right, transposed=not f.right.transposed)),
            "both turned": lambda f: Matrix(
                replace(f.left, transposed=not f.left.transposed), replace(f.right, transposed=not f.right.transposed)
            ),
            "⊙ for a matrix product": lambda f: formula.Product((f.left, f.right)),
            "the left twice": lambda f: Matrix(f.left, f.left),
        },
        Symbol: {
            "index lost": lambda f: replace(f, index=None),
            "places exchanged": lambda f: f.index and replace(f, index=f.index[::-1]),
            "places rotated": lambda f: f.index and len(f.index) > 2 and replace(f, index=(*f.index[1:], f.index[0])),
            "first place fixed": lambda f: f.index and replace(f, index=(Place(), *f.index[1:])),
            "last place fixed": lambda f: f.index and replace(f, index=(*f.index[:-1], Place())),
            "one more ᵀ": lambda f: None if f.index or f.single else replace(f, transposed=not f.transposed),
        },
        Place: {
            "place one further": lambda f: replace(f, offset=f.offset + 1),
            "place one before": lambda f: replace(f, offset=f.offset - 1),
            "place mirrored": lambda f: replace(f, terms=tuple((n, -c) for n, c in f.terms)),
            "stride one more": lambda f: (
                len(f.terms) > 1 and replace(f, terms=((f.terms[0][0], f.terms[0][1] + 1), *f.terms[1:]))
            ),
            "second term lost": lambda f: replace(f, terms=f.terms[:1]),
            "second term's sign": lambda f: replace(f, terms=(*f.terms[:1], *((n, -c) for n, c in f.terms[1:]))),
            "divisor lost": lambda f: replace(f, divisor=1),
            "divisor one more": lambda f: f.divisor > 1 and replace(f, divisor=f.divisor + 1),
            "offset lost": lambda f: replace(f, offset=0),
            "place doubled": lambda f: replace(f, terms=tuple((n, 2 * c) for n, c in f.terms)),
            "prime lost": lambda f: replace(f, terms=tuple((axes.bare(n), c) for n, c in f.terms)),
            "prime added": lambda f: replace(f, terms=tuple((n + "′", c) for n, c in f.terms)),
        },
        Number: {
            "number one more": lambda f: replace(f, value=f.value + 1),
            "number halved": lambda f: replace(f, value=f.value / 2),
            "number's sign": lambda f: replace(f, value=-f.value),
            "number's ninth digit": lambda f: replace(f, value=f.value * (1 + 4e-9)),
            "1 / N for N": lambda f: replace(f, power=-f.power),
            "N² for N": lambda f: replace(f, power=2 * f.power),
            "N lost": lambda f: replace(f, power=0),
            "5 for N": lambda f: f.power and Number(f.value * 5**f.power),
        },
        Sum: {
            "first sign": lambda f: Sum(((-f.terms[0][0], f.terms[0][1]), *f.terms[1:])),
            "last sign": lambda f: Sum((*f.terms[:-1], (-f.terms[-1][0], f.terms[-1][1]))),
            "first term lost": lambda f: Sum(f.terms[1:]) if len(f.terms) > 2 else f.terms[1][1],
            "last term lost": lambda f: Sum(f.terms[:-1]) if len(f.terms) > 2 else f.terms[0][1],
            "signs exchanged": lambda f: Sum(tuple((-s, t) for s, t in f.terms)),
            "last term twice": lambda f: Sum((*f.terms, f.terms[-1])),
            "⊙ for +": lambda f: formula.Product(tuple(t for _, t in f.terms)),
        },
        formula.Product: {
            "first factor lost": lambda f: _product(f.factors[1:]),
            "last factor lost": lambda f: _product(f.factors[:-1]),
            "last factor twice": lambda f: _product((*f.factors, f.factors[-1])),
            "divided by the last factor": lambda f: formula.Quotient(_product(f.factors[:-1]), f.factors[-1]),
            "+ for ⊙": lambda f: Sum(tuple((1, x) for x in f.factors)),
        },
        formula.Quotient: {
            "turned round": lambda f: formula.Quotient(f.bottom, f.top),
            "bottom lost": lambda f: f.top,
            "top lost": lambda f: f.bottom,
            "⊙ for /": lambda f: formula.Product((f.top, f.bottom)),
            "bottom squared": lambda f: formula.Quotient(f.top, Power(f.bottom, Number(2))),
        },
        formula.Negative: {"minus lost": lambda f: f.body},
        Power: {
            "power lost": lambda f: f.base,
            "exponent one more": lambda f: Power(f.base, Number(f.exponent.value + 1)) if _whole_power(f) else None,
            "base and exponent exchanged": lambda f: Power(f.exponent, f.base),
            "exponent's sign": lambda f: Power(f.base, formula.Negative(f.exponent)),
        },
        Total: {
            "Σ lost": lambda f: f.body,
            "mean for Σ": lambda f: Call("mean", (f.body,), f.labels),
            "Σ over one label less": lambda f: Total(f.labels[1:], f.body) if len(f.labels) > 1 else None,
            "Σ over one label more": lambda f: Total((*f.labels, f.labels[0] + "′"), f.body),
            "Σ of squares": lambda f: Total(f.labels, Power(f.body, Number(2))),
            "max for Σ": lambda f: Call("max", (f.body,), f.labels),
            "Σ twice": lambda f: formula.Product((Number(2), f)),
            "Σ of the first factor": lambda f: _factored(f, 0),
            "Σ of the last factor": lambda f: _factored(f, -1),
        },
        Call: {
            "arguments exchanged": lambda f: replace(f, args=f.args[::-1]),
            "the argument for the function": lambda f: f.args[0],
            "the last argument for the function": lambda f: f.args[-1],
            "the first argument for all": lambda f: replace(f, args=f.args[:1] * len(f.args)),
            "labels lost": lambda f: replace(f, labels=()),
            "labels exchanged": lambda f: replace(f, labels=f.labels[::-1]),
            "minus the function": lambda f: formula.Negative(f),
        },
        formula.Test: {
            "sides exchanged": lambda f: formula.Test(f.relation, f.right, f.left),
            "the left side for the test": lambda f: f.left,
            **{
                f"{new} for {old}": lambda f, o=old, n=new: f.relation == o and replace(f, relation=n)
                for old, new in ("><", "<>", "=≠", "≠=", "≤>", "≥<", "=≤")
            },
        },
    }
    for kind, table in changes.items():
        for what, change in table.items():
            yield (
                what if kind.__name__ in what else f"{kind.__name__.lower()}: {what}",
                _when(kind, lambda f, c=change: c(f) or None),
            )
    for old, new in _CALLS.items():
        yield f"{new} for {old}", _when(Call, lambda f, o=old, n=new: replace(f, name=n) if f.name == o else None)


_CALLS = {
    "sigmoid": "tanh",
    "tanh": "sigmoid",
    "relu": "softplus",
    "softplus": "relu",
    "silu": "gelu",
    "gelu": "silu",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log1p",
    "log1p": "log",
    "sin": "cos",
    "cos": "sin",
    "sinh": "cosh",
    "cosh": "sinh",
    "sqrt": "cbrt",
    "abs": "relu",
    "sign": "abs",
    "erf": "erfc",
    "normal_cdf": "normal_pdf",
    "normal_pdf": "normal_cdf",
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "mean": "max",
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "logsumexp": "max",
    "argmax": "argmin",
    "before": "after",
    "after": "before",
    "prod": "mean",
}


def _product(factors: tuple[Any, ...]) -> Any:
    return factors[0] if len(factors) == 1 else formula.Product(factors) if factors else Number(1)


def _factored(f: Total, k: int) -> Any:
    """One factor alone under the sum, the others outside of it."""
    if not isinstance(f.body, formula.Product):
        return None
    rest = [x for x in f.body.factors if x is not f.body.factors[k]]
    return formula.Product((*rest, Total(f.labels, f.body.factors[k]))) if rest else None


def _brackets() -> Iterator[Mutation]:
    """The brackets of one kind of formula within one other kind are left away, wherever formulas have them."""
    for pair in BRACKETS.split():
        inner, outer = (getattr(formula, name) for name in pair.split("/"))
        change = lambda right, o=outer, i=inner: _without_brackets(o, i)  # noqa: E731
        yield Mutation(f"brackets: {inner.__name__} in {outer.__name__}", ((text, "text"),), change, level="print")


BRACKETS = """Sum/Product Sum/Quotient Sum/Power Sum/Total Product/Quotient Product/Total Quotient/Power Quotient/Total
    Matrix/Total Number/Quotient Power/Total"""
"""What stands in brackets in what: other pairs never have any, for a minus goes in front of products and quotients."""


def _without_brackets(outer: type, inner: type) -> Callable:
    around: list[Any] = [None]

    def wrong(f: Any, tightness: int = text.SUM) -> str:
        parent = around[-1]
        around.append(f)
        try:
            shown, has = text._shown(f)
        finally:
            around.pop()
        bare = isinstance(parent, outer) and isinstance(f, inner)
        return shown if has >= tightness or bare else f"({shown})"

    return wrong


def _functions() -> Iterator[Mutation]:
    """What is computed is not what is printed: a function of the graph, or of the reader, is another."""
    graph = evaluate.ELEMENTWISE
    swaps = "sigmoid:tanh softplus:relu silu:gelu gelu:silu tanh:sigmoid exp:expm1 sin:cos relu:softplus sqrt:cbrt "
    swaps += "log:log1p log1p:log maximum:minimum abs:relu erf:erfc lgamma:digamma normal_cdf:normal_pdf "
    swaps += "add:subtract multiply:add"
    for name, other in (pair.split(":") for pair in swaps.split()):
        yield Mutation(
            f"graph: {other} computed for {name}", ((graph, name),), lambda right, o=other: graph[o], name, "reader"
        )
    for name, other in (pair.split(":") for pair in "max:min logsumexp:max softmax:log_softmax argmax:argmin".split()):
        yield Mutation(
            f"graph: {other} computed for {name}",
            ((evaluate.ALONG, name),),
            lambda right, o=other: evaluate.ALONG[o],
            name,
            "reader",
        )
    read = meaning._BY_NUMBER
    swaps = (
        "σ:Φ softplus:ReLU SiLU:GELU GELU:SiLU tanh:sin exp:expm1 sin:cos √:cbrt log:log1p Φ:φ >:< <:> =:≠ ^:⊙ /:⊙ ⊙:/"
    )
    for name, other in (pair.split(":") for pair in swaps.split()):
        yield Mutation(
            f"reader: {other} read for {name}", ((read, name),), lambda right, o=other: read[o], "", "reader"
        )
