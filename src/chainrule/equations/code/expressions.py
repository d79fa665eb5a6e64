"""Formulas as NumPy expressions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from chainrule.equations.code.arrays import (
    ATOM,
    CHOICE,
    MATRIX,
    POWER,
    SUM,
    TERM,
    Code,
    added,
    einsum,
    joined,
    literal,
    negated,
    number,
    product,
    quotient,
    total,
    transposed,
)
from chainrule.equations.code.reads import Reader, swapped
from chainrule.equations.derivation.axes import fresh
from chainrule.equations.formula import (
    Call,
    Formula,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Test,
    Total,
    parts,
)

RELATIONS = {"<": "<", "≤": "<=", ">": ">", "≥": ">=", "=": "==", "≠": "!="}

WALKED = frozenset("mean max min prod any all argmax argmin".split())
"""Functions along axes that are made of one array for each place of a window."""


class Expressions(Reader):
    """Writes what formulas are made of; functions are left to ``Writer``."""

    def formula(self, f: Formula) -> Code:
        """A formula as an expression."""
        match f:
            case Number():
                self.names.counts_rows |= f.power != 0
                return number(f)
            case Symbol():
                return self.symbol(f)
            case Place():
                return self.place(f)
            case Sum(terms):
                return added([(sign, self.formula(t)) for sign, t in terms], self.order)
            case Negative(body):
                code = self.formula(body).number
                return Code(f"-{negated(code)}", code.labels, TERM)
            case Product(factors):
                return product([self.formula(x) for x in factors], self.order)
            case Quotient(top, bottom):
                return quotient(self.formula(top), self.formula(bottom), self.order)
            case Power(base, exponent):
                return self.power(base, exponent)
            case Matrix(left, right):
                return self.matrix(left, right)
            case Total(labels, body):
                return self.total(labels, body)
            case Test(relation, left, right):
                (a, b), labels = joined([self.formula(left), self.formula(right)], self.order)
                return Code(f"{a.within(SUM)} {RELATIONS[relation]} {b.within(SUM)}", labels, CHOICE, True)
            case Call():
                return self.call(f)
        raise TypeError(f)

    def power(self, base: Formula, exponent: Formula) -> Code:
        """A base to an exponent; numbers that NumPy would take for whole are written as decimals."""
        top = self.formula(base)
        if isinstance(base, Number) and base.power == 0:
            top = replace(top, text=repr(float(base.value)))
        if isinstance(exponent, Number) and exponent.power == 0:
            up = literal(exponent.value) if exponent.value >= 0 else Code(repr(float(exponent.value)))
        else:
            up = self.formula(exponent)
        (a, b), labels = joined([top.number, up.number], self.order)
        shown = a.within(ATOM), b.within(ATOM)
        simple = all(s.lstrip("-").replace(".", "").replace("_", "").isalnum() for s in shown)
        return Code(shown[0] + ("**" if simple else " ** ") + shown[1], labels, POWER)

    @contextmanager
    def bound(self, labels: Sequence[str]) -> Iterator[None]:
        """Within a sum or maximum its labels are its own."""
        fixed = self.fixed
        self.fixed = {label: v for label, v in fixed.items() if label not in labels}
        self.order.extend(label for label in labels if label not in self.order)
        yield
        self.fixed = fixed

    @contextmanager
    def walking(self, labels: Sequence[str]) -> Iterator[None]:
        """Within a loop over labels each of them is a number."""
        fixed = self.fixed
        self.fixed = fixed | {label: (self.names.variables[label], 0) for label in labels}
        yield
        self.fixed = fixed

    def matrix(self, left: Symbol, right: Symbol) -> Code:
        """A matrix product; the axis that vanishes has the label ·."""
        a, b = self.side(left), self.side(right)
        ahead = a[:-1]
        order_a = [*a[:-2], "·", a[-2]] if left.transposed else [*ahead, "·"]
        order_b = ["·"]
        if len(b) > 1:
            last = fresh(b[-1], ahead)
            order_b = [*b[:-2], last, "·"] if right.transposed else [*b[:-2], "·", last]
        self.order.extend(dict.fromkeys(x for x in (*order_a, *order_b) if x not in self.order))
        codes = [self.read(s.name, self.whole(labels)) for s, labels in ((left, order_a), (right, order_b))]
        return _multiplied(codes[0], codes[1], self.order)

    def side(self, f: Symbol) -> list[str]:
        """The labels of an operand of a matrix product, as it stands there."""
        labels = [e.label or "" if isinstance(e, Place) else "" for e in self.entries(replace(f, transposed=False))]
        if not all(labels) or len(labels) < 1 + f.transposed:
            raise self.cannot(f"{f.name} is used as a vector or matrix, and its axes are not plain")
        return swapped(labels) if f.transposed else labels

    def whole(self, labels: Sequence[str]) -> list[Place | str]:
        """Entries for the axes of a symbol under other labels; those of loops are read at their step."""
        return [Place(((label, 1),)) if label in self.fixed else label for label in labels]

    def total(self, labels: Sequence[str], body: Formula) -> Code:
        """A sum over labels."""
        with self.bound(labels):
            walked = self.walked(body, labels)
            with self.walking(walked):
                code = self._summed([label for label in labels if label not in walked], body)
            return self.around(walked, labels, code, lambda text, loops: f"sum({text} {loops})")

    def _summed(self, labels: Sequence[str], body: Formula) -> Code:
        negative = False
        while isinstance(body, Negative):
            negative, body = not negative, body.body
        tops, bottoms = _factors(body)
        over_, under = [self.formula(f) for f in tops], [self.formula(f) for f in bottoms]
        for k, code in enumerate(under):
            if code.labels and over_:
                over_[-1], under[k] = quotient(over_[-1], code, self.order), Code("1")
        front = [code for code in over_ if not code.labels and code.text != "1"]
        codes = [code for code in over_ if code.labels]
        found = {label for code in codes for label in code.labels}
        for label in labels:
            if label not in found:
                front.insert(0, Code(self.length(label)))
        summed = [label for label in labels if label in found]
        result = total(codes, summed, self.order) if summed else product(codes or [Code("1")], self.order)
        if front:
            result = product([*front, result], self.order) if result.text != "1" else product(front, self.order)
        for code in under:
            result = result if code.text == "1" else quotient(result, code, self.order)
        return Code(f"-{negated(result)}", result.labels, TERM) if negative else result

    def walked(self, body: Formula, bound: Sequence[str]) -> list[str]:
        """Labels of the places made of several that a loop goes along, so that the rest of each place is a slice."""
        left = [{label for label, _ in p.terms if label not in self.fixed} for p in places(body)]
        chosen: list[str] = []
        while left := [p - set(chosen) for p in left if len(p - set(chosen)) > 1]:
            sizes = {label: n for p in left for label in p if (n := self.size(label)) is not None}
            if not sizes:
                return []
            chosen.append(min(sizes, key=lambda label: (sizes[label], label not in bound, self.order.index(label))))
        return sorted(chosen, key=self.order.index)

    def around(
        self, walked: Sequence[str], bound: Sequence[str], code: Code, gather: Callable[[str, str], str]
    ) -> Code:
        """Loops around an expression: gathered over the labels that vanish, an array over the others."""
        if not walked:
            return code

        def loop(label: str) -> str:
            return f"for {self.names.variables[label]} in range({self.length(label)})"

        gone, kept = [x for x in bound if x in walked], [x for x in walked if x not in bound]
        text = gather(code.text, " ".join(map(loop, gone))) if gone else code.text
        for label in reversed(kept):
            text = f"[{text} {loop(label)}]"
        return Code(f"np.array({text})" if kept else text, (*kept, *code.labels))

    def call(self, f: Call) -> Code:
        """A function."""
        raise NotImplementedError


def _multiplied(a: Code, b: Code, order: Sequence[str]) -> Code:
    """The sum over the label · of a product, by @ where the axes lie as it takes them."""
    if len(a.labels) > 1 and a.labels[-1] != "·":
        a = transposed(a, [x for x in a.labels if x != "·"] + ["·"])
    if len(b.labels) > 1:
        b = transposed(b, [*b.labels[:-2], *sorted(b.labels[-2:], key=lambda x: x != "·")])
    plain = len(b.labels) <= 2 and not set(a.labels) & set(b.labels) - {"·"}
    alike = len(a.labels) == len(b.labels) > 2 and a.labels[:-2] == b.labels[:-2]
    if plain or alike:
        return Code(
            f"{a.within(TERM)} @ {b.within(POWER)}", (*a.labels[:-1], *b.labels[-1:] * (len(b.labels) > 1)), MATRIX
        )
    kept = sorted({*a.labels, *b.labels} - {"·"}, key=order.index)
    return einsum([a, b], kept)


def _factors(f: Formula) -> tuple[list[Formula], list[Formula]]:
    """The factors above and below of a product."""
    match f:
        case Product(factors):
            sides = [_factors(x) for x in factors]
            return [x for top, _ in sides for x in top], [x for _, bottom in sides for x in bottom]
        case Quotient(top, bottom):
            above, below = _factors(top), _factors(bottom)
            return above[0] + below[1], above[1] + below[0]
    return [f], []


def places(f: Formula) -> list[Place]:
    """The places of several labels at which a formula reads, but for those within sums and maxima of its own."""
    match f:
        case Symbol(_, index, _):
            own = [e for e in index or () if isinstance(e, Place) and len(e.terms) > 1]
            return own + [p for e in index or () if isinstance(e, Symbol) for p in places(e)]
        case Place() | Total():
            return []
        case Call(name, _, _) if name in WALKED:
            return []
    return [p for part in parts(f) for p in places(part)]
