"""Products and sums of formulas in one normal form: 2 (z − y) / N, never 1 / N ⊙ 2 ⊙ (z + −1 ⊙ y)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from chainrule.equations.formula import Call, Formula, Negative, Number, Power, Product, Quotient, Sum


@dataclass(frozen=True)
class Ratio:
    """whole * decimal * N ** power * tops / bottoms."""

    whole: Fraction = Fraction(1)
    decimal: float = 1.0
    power: int = 0
    tops: tuple[Formula, ...] = ()
    bottoms: tuple[Formula, ...] = ()

    def times(self, other: "Ratio") -> "Ratio":
        """The product of two."""
        return Ratio(
            self.whole * other.whole,
            self.decimal * other.decimal,
            self.power + other.power,
            (*self.tops, *other.tops),
            (*self.bottoms, *other.bottoms),
        )

    def inverse(self) -> "Ratio":
        """One over it."""
        return Ratio(1 / self.whole, 1 / self.decimal, -self.power, self.bottoms, self.tops)


def ratio(f: Formula) -> Ratio:
    """A formula as a ratio."""
    match f:
        case Number(value, power):
            if isinstance(value, bool) or value == 0 or not abs(value) < 1e300:
                return Ratio(tops=(f,))
            if float(value).is_integer() and abs(value) < 2**53:
                return Ratio(Fraction(int(value)), 1.0, power)
            exact = Fraction(value).limit_denominator(10_000)
            if abs(exact - Fraction(value)) <= 4e-16 * abs(value):
                return Ratio(exact, 1.0, power)  # 0.08333333333333333 is 1 / 12
            return _root(value, power) or Ratio(Fraction(1), value, power)
        case Negative(body):
            return replace(ratio(body), whole=-ratio(body).whole)
        case Product(factors):
            total = Ratio()
            for factor in factors:
                total = total.times(ratio(factor))
            return total
        case Quotient(top, bottom):
            return ratio(top).times(ratio(bottom).inverse())
    return Ratio(tops=(f,))


def _root(value: float, power: int) -> Ratio | None:
    """A number that is the root of a whole one, or one over it, as such: 0.5773502691896258 is 1 / √3."""
    for square, over_it in ((value * value, False), (1 / (value * value), True)):
        whole = round(square)
        if 2 <= whole < 10**6 and abs(square - whole) < 1e-14 * whole:
            part = (Call("sqrt", (Number(whole),)),)
            sign = Fraction(-1 if value < 0 else 1)
            return Ratio(sign, 1.0, power, *(((), part) if over_it else (part, ())))
    return None


def formula(r: Ratio) -> Formula:
    """A ratio as a formula: a number first, minus outside, numbers below the line where they divide."""
    if not (r.tops or r.bottoms or r.power):
        lone = float(r.whole) * r.decimal
        return Negative(_lone(-lone)) if lone < 0 else _lone(lone)
    top_number, bottom_number = r.whole.numerator, r.whole.denominator
    negative = (top_number < 0) != (r.decimal < 0)
    value: float = abs(top_number) if abs(r.decimal) == 1.0 else abs(top_number) * abs(r.decimal)
    if abs(top_number) != 1 and bottom_number != 1 and len(repr(value / bottom_number)) <= 5:
        value, bottom_number = value / bottom_number, 1  # 0.9 x, where 2 x / 3 has no short decimal
    if any(isinstance(t, Number) and t.value == 0 for t in r.tops):
        return Number(0)
    tops, bottoms = _gathered(r.tops), _gathered(r.bottoms)
    top_power, bottom_power = max(r.power, 0), max(-r.power, 0)
    if value != 1 or top_power or not tops:
        tops = [Number(value, top_power), *tops]
    if bottom_number != 1 or bottom_power:
        bottoms = [Number(bottom_number, bottom_power), *bottoms]
    top = tops[0] if len(tops) == 1 else Product(tuple(tops))
    result: Formula = top
    if bottoms:
        result = Quotient(top, bottoms[0] if len(bottoms) == 1 else Product(tuple(bottoms)))
    return Negative(result) if negative else result


def _lone(value: float) -> Number:
    return Number(int(value) if value.is_integer() and value < 2**53 else value)


def _gathered(factors: Iterable[Formula]) -> list[Formula]:
    """Equal factors as a power."""
    counts: dict[Formula, int] = {}
    for f in factors:
        counts[f] = counts.get(f, 0) + 1
    return [f if k == 1 else Power(f, Number(k)) for f, k in counts.items()]


def times(a: Formula, b: Formula) -> Formula:
    """A ⊙ b."""
    return formula(ratio(a).times(ratio(b)))


def over(a: Formula, b: Formula) -> Formula:
    """A / b."""
    return formula(ratio(a).times(ratio(b).inverse())) if not _zero(b) else Quotient(a, b)


def plus(a: Formula, b: Formula, sign: int = 1) -> Formula:
    """A + b, or a − b."""
    terms = [*_terms(a, 1), *_terms(b, sign)]
    terms = _alike([(s, f) for s, f in terms if not _zero(f)])
    if not terms:
        return Number(0)
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] > 0 else Negative(terms[0][1])
    ahead = next((k for k, (s, _) in enumerate(terms) if s > 0), 0)
    return Sum((terms[ahead], *terms[:ahead], *terms[ahead + 1 :])) if ahead and len(terms) == 2 else Sum(tuple(terms))


def _terms(f: Formula, sign: int) -> list[tuple[int, Formula]]:
    match f:
        case Sum(terms):
            return [(sign * s, t) for s, t in terms]
        case Negative(body):
            return _terms(body, -sign)
        case Number(value, power) if value < 0:
            return [(-sign, Number(-value, power))]
    return [(sign, f)]


def _alike(terms: list[tuple[int, Formula]]) -> list[tuple[int, Formula]]:
    """Terms that differ only by a fraction in front as one: z / 2 + z / 2 is z."""
    counts: dict[Ratio, Fraction] = {}
    for sign, f in terms:
        one = replace(ratio(f), whole=Fraction(1))
        counts[one] = counts.get(one, Fraction(0)) + sign * ratio(f).whole
    if len(counts) == len(terms):
        return terms
    return [term for one, n in counts.items() if n for term in _terms(formula(replace(one, whole=n)), 1)]


def _zero(f: Formula) -> bool:
    return isinstance(f, Number) and f.value == 0
