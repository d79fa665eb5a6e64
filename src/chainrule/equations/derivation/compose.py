"""From nodes to formulas: what has a name is a symbol, everything else is written out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainrule.equations.derivation import algebra
from chainrule.equations.derivation.axes import Axes, bare, fresh
from chainrule.equations.formula import (
    Call,
    Formula,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Sum,
    Symbol,
    Test,
    Total,
)
from chainrule.trace.graph import REDUCTIONS, Graph, Index, Lookup, Node, View

RELATIONS = {
    "less": "<",
    "less_equal": "≤",
    "greater": ">",
    "greater_equal": "≥",
    "equal": "=",
    "not_equal": "≠",
}


@dataclass
class Composer:
    """What formulas are made with: the names of nodes, the labels of axes, and the numbers that grow with N."""

    graph: Graph
    axes: Axes
    names: dict[Node, str]
    scales: Mapping[Node, Number] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    """Labels whose length does not grow with N: sums over them, divided by it, are means."""

    def natural(self, node: Node) -> tuple[str, ...]:
        """The labels that a node is defined with."""
        return self.axes.of(node)

    def line(self, node: Node) -> Formula:
        """How a named node is computed."""
        return self.written(node, self.natural(node))

    def turned(self, formula: Formula, labels: Sequence[str]) -> Formula:
        """A lone symbol whose axes come in another order than ``labels`` says so: a[n, t, f] = b[n, f, t]."""
        if not isinstance(formula, Symbol) or formula.index is not None:
            return formula
        own = next(self.natural(node) for node, name in self.names.items() if name == formula.name)
        if own == tuple(label for label in labels if label in own):
            return formula
        return replace(formula, index=tuple(Place(((label, 1),)) for label in own))

    def read(self, view: View, space: Sequence[str]) -> Formula:
        """What a view reads, in a space whose positions have these labels."""
        node = view.node
        if node.op == "number":
            return algebra.formula(algebra.ratio(self.scales.get(node) or Number(node.value)))
        if node in self.names:
            return self.symbol(view, space)
        if node.op == "position" and node.index is not None:
            return _place(node.index.put(dict(enumerate(view.index))), space)  # type: ignore[arg-type]
        return self.written(node, [space[i.plain] for i in view.index])  # type: ignore[index]

    def symbol(self, view: View, space: Sequence[str]) -> Symbol:
        """A named node; its index is said where it is not read as defined."""
        entries = tuple(self.entry(i, space) for i in view.index)
        plain = tuple(e.label if isinstance(e, Place) else None for e in entries)
        name, single = self.names[view.node], not view.node.shape
        return Symbol(name, None if plain == self.natural(view.node) else entries, single=single)

    def entry(self, index: Index | Lookup, space: Sequence[str]) -> "Place | Symbol":
        """One index of a symbol."""
        return self.symbol(index.view, space) if isinstance(index, Lookup) else _place(index, space)

    def written(self, node: Node, own: Sequence[str]) -> Formula:
        """How a node is computed, its axes having the labels ``own``."""
        match node.op:
            case "map":
                return self.elementwise(node, own)
            case "contract":
                return self.contraction(node, own)
            case "along":
                return self.along(node, own)
            case "reshape":
                return Call("reshape", (self.symbol(node.args[0], self.natural(node.args[0].node)),), tuple(own))
            case "concat":
                return self.concatenation(node, own)
            case "carry":
                (step,) = node.axes
                rest = [label for p, label in enumerate(own) if p != step]
                args = (self.read(self.graph.links[node], own), self.read(node.args[0], rest))
                return Call("after" if node.reverse else "before", args, (own[step],))
            case "position" if node.index is not None:
                return _place(node.index, own)
            case "opaque":
                args = tuple(
                    Symbol(self.names.get(v.node, "key")) if v.node.op != "number" else Number(v.node.value)
                    for v in node.args
                )
                return Call(f"opaque {node.name}", args)
        raise TypeError(f"{node!r} has no formula: it must have a name.")

    def concatenation(self, node: Node, own: Sequence[str]) -> Formula:
        """Arrays one after the other; the axis along which they lie keeps their own labels.

        Where the others do not keep theirs, the sum of all: each read from where it starts is 0 outside of itself.
        """
        (axis,) = node.axes
        args = tuple(
            self.symbol(v, [self.natural(v.node)[p] if p == axis else label for p, label in enumerate(own)])
            for v in node.args
        )
        if all(arg.index is None for arg in args):
            return Call("concat", args, (own[axis],))
        terms, start = [], 0
        for view in node.args:
            places = tuple(Place(((label, 1),), -start if p == axis else 0) for p, label in enumerate(own))
            terms.append((1, Symbol(self.names[view.node], places)))
            start += view.shape[axis]
        return Sum(tuple(terms))

    def elementwise(self, node: Node, own: Sequence[str]) -> Formula:
        """An operation on numbers."""
        args = [self.read(v, own) for v in node.args]
        name = node.name
        match name:
            case "add":
                return algebra.plus(args[0], args[1])
            case "subtract":
                return algebra.plus(args[0], args[1], -1)
            case "multiply":
                return self.mean(algebra.times(args[0], args[1]))
            case "divide":
                return self.mean(algebra.over(args[0], args[1]))
            case "negative":
                return algebra.formula(algebra.ratio(Negative(args[0])))
            case "power":
                return Power(args[0], args[1])
            case "number":
                return args[0]  # true and false are 1 and 0
        if name in RELATIONS:
            return Test(RELATIONS[name], args[0], args[1])
        return Call(name, tuple(args))

    def mean(self, f: Formula) -> Formula:
        """A sum over labels that is divided by their lengths, as a mean."""
        r = algebra.ratio(f)
        for k, top in enumerate(r.tops):
            if not isinstance(top, Total) or any(bare(label) not in self.lengths for label in top.labels):
                continue
            count = math.prod(self.lengths[bare(label)] for label in top.labels)
            whole = r.whole * count
            if count > 1 and whole.denominator == 1 and r.whole.denominator != 1:
                tops = (*r.tops[:k], Call("mean", (top.body,), top.labels), *r.tops[k + 1 :])
                return algebra.formula(replace(r, whole=whole, tops=tops))
        return f

    def contraction(self, node: Node, own: Sequence[str]) -> Formula:
        """A sum of products: a matrix product where it is one."""
        space = self.space(node, own)
        rank = len(node.shape)
        if len(node.args) == 2 and len(space) > rank:
            product = self.matrix(node, space)
            if product is not None:
                return product
        body: Formula = self.read(node.args[0], space)
        for view in node.args[1:]:
            body = algebra.times(body, self.read(view, space))
        if isinstance(body, Number) and body.value == 0:
            return body
        outside, body = _constant(body)
        total = Total(tuple(space[rank:]), body) if len(space) > rank else body
        return total if outside is None else algebra.times(outside, total)

    def space(self, node: Node, own: Sequence[str]) -> list[str]:
        """Labels for all positions of the space in which a node is computed: its own axes', then others."""
        space = list(own)
        for p in range(len(own), len(node.args[0].shape)):
            space.append(fresh(self.axes.space(node, p), space))
        return space

    def along(self, node: Node, own: Sequence[str]) -> Formula:
        """A function along axes."""
        space = self.space(node, own) if node.name in REDUCTIONS else list(own)
        labels = tuple(space[a] for a in node.axes)
        if node.name == "cross_entropy":
            return Call("CE", tuple(self.read(v, space) for v in node.args))
        arg = self.read(node.args[0], space)
        if isinstance(arg, Symbol) and arg.index is None and labels == self.natural(node.args[0].node)[-1:]:
            labels = ()
        return Call(node.name, (arg,), labels)

    def matrix(self, node: Node, space: Sequence[str]) -> Formula | None:
        """The product of two symbols as matrices, summed over further labels if both have them; None if it is none."""
        a, b = node.args
        if a.plain is None or b.plain is None or a.node not in self.names or b.node not in self.names:
            return None
        rank = len(node.shape)
        found = []
        for left, right in ((a, b), (b, a)):
            for flip_left in (False, True):
                for flip_right in (False, True):
                    product = self._product(left, right, flip_left, flip_right, space, rank)
                    if product is not None:
                        formula, order = product
                        found.append((order != sorted(order), flip_left + flip_right, len(found), formula))
        return min(found, key=lambda f: f[:3])[3] if found else None

    def _product(
        self, left: View, right: View, flip_left: bool, flip_right: bool, space: Sequence[str], rank: int
    ) -> tuple[Formula, list[int]] | None:
        """Left right, as the notation reads it, with the order in which the positions come out."""
        sides = []
        for view, flip in ((left, flip_left), (right, flip_right)):
            places = list(view.plain or ())
            labels = list(self.natural(view.node))
            if flip:
                if len(places) < 2:
                    return None
                places[-2:] = places[:-3:-1]
                labels = _renamed([*labels[:-2], labels[-1], labels[-2]])
            sides.append((places, labels))
        (pl, ll), (pr, lr) = sides
        inner = pr[-2] if len(pr) > 1 else pr[0] if pr else None
        if not pl or inner is None or pl[-1] != inner or inner < rank:
            return None
        ahead = dict(zip(pr[:-2], lr[:-2], strict=True))
        known = dict(zip(pl[:-1], ll[:-1], strict=True))
        if any(p not in pl[: -2 if len(pr) > 1 else -1] or known[p] != label for p, label in ahead.items()):
            return None
        if set(ll[:-1]) & set(lr[:-2]) != set(ahead.values()):
            return None
        result = list(pl[:-1])
        if len(pr) > 1:
            if pr[-1] in pl:
                return None
            known[pr[-1]] = fresh(lr[-1], ll[:-1])
            result.append(pr[-1])
        if set(result) != set(range(len(space))) - {inner}:
            return None
        if any(known[p] != space[p] for p in result):
            return None
        product: Formula = Matrix(
            Symbol(self.names[left.node], transposed=flip_left), Symbol(self.names[right.node], transposed=flip_right)
        )
        outer = tuple(str(space[p]) for p in result if p >= rank)
        return (Total(outer, product) if outer else product), [p for p in result if p < rank]


def _renamed(labels: Sequence[str]) -> list[str]:
    """Labels whose primes count from the left."""
    out: list[str] = []
    for label in labels:
        out.append(fresh(label, out))
    return out


def _place(index: Index, space: Sequence[str]) -> Place:
    return Place(tuple((space[p], c) for p, c in index.terms), index.offset, index.divisor)


def _constant(f: Formula) -> tuple[Formula | None, Formula]:
    """A number in front of a product, and the rest: it may stand before the sum sign."""
    r = algebra.ratio(f)
    alone = algebra.Ratio(r.whole, r.decimal, r.power)
    rest = algebra.formula(algebra.Ratio(tops=r.tops, bottoms=r.bottoms))
    if not r.tops or alone == algebra.Ratio():
        return None, f
    return algebra.formula(alone), rest
