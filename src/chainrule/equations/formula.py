"""Formulas: what the lines of an explanation say, as trees. Every print (text, LaTeX, HTML, NumPy) is made from these.

Axes have labels (n examples, d features, ...), and arrays meet by label: ``x[n, d] + b[d]`` adds b to each row. A value
that has two axes of one kind calls the second t′. Where the labels of a symbol are not the ones it was defined with,
the formula says them: ``k[n, t′, e]``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Place:
    """A number made of labels, (2 i + u - 1) / 2, as an index or a value; divided, it names a place only if whole."""

    terms: tuple[tuple[str, int], ...] = ()
    offset: int = 0
    divisor: int = 1

    @property
    def label(self) -> str | None:
        """The label, when the place is one and nothing else."""
        alone = len(self.terms) == 1 and self.terms[0][1] == 1 and self.offset == 0 and self.divisor == 1
        return self.terms[0][0] if alone else None


@dataclass(frozen=True)
class Symbol:
    """An array with a name. ``index``: where it is read, one entry for each of its axes; None is just as defined."""

    name: str
    index: "tuple[Place | Symbol, ...] | None" = None
    transposed: bool = False
    """Whether its last two axes change places, as an operand of a matrix product."""
    single: bool = False
    """Whether it is one number, which stands beside what it multiplies."""


@dataclass(frozen=True)
class Number:
    """value * N ** power, N being the number of examples."""

    value: float
    power: int = 0


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, the first one often +."""

    terms: "tuple[tuple[int, Formula], ...]"


@dataclass(frozen=True)
class Product:
    """Factors number by number, a Number first if there is one."""

    factors: "tuple[Formula, ...]"


@dataclass(frozen=True)
class Quotient:
    """Top over bottom, number by number."""

    top: "Formula"
    bottom: "Formula"


@dataclass(frozen=True)
class Negative:
    """Minus the body."""

    body: "Formula"


@dataclass(frozen=True)
class Power:
    """Base to an exponent, number by number."""

    base: "Formula"
    exponent: "Formula"


@dataclass(frozen=True)
class Matrix:
    """A matrix product: the left's last axis with the right's last but one (or only); leading axes are alike."""

    left: Symbol
    right: Symbol


@dataclass(frozen=True)
class Total:
    """The sum of the body over labels."""

    labels: tuple[str, ...]
    body: "Formula"


@dataclass(frozen=True)
class Call:
    """A function. ``labels``: the axes it works along; none is number by number, or the last axis of a bare symbol."""

    name: str
    args: "tuple[Formula, ...]"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Test:
    """1 where the relation (one of < ≤ > ≥ = ≠) holds, else 0."""

    relation: str
    left: "Formula"
    right: "Formula"


Formula = Place | Symbol | Number | Sum | Product | Quotient | Negative | Power | Matrix | Total | Call | Test


@dataclass(frozen=True)
class Line:
    """symbol = formula. ``labels`` are the symbol's own, in order; ``indexed`` lines write them out on the left."""

    symbol: str
    labels: tuple[str, ...]
    formula: Formula
    kind: str = "forward"
    """forward, loss, backward or update."""
    indexed: bool = False


def parts(f: Formula) -> "tuple[Formula, ...]":
    """The formulas that a formula is made of, in reading order."""
    match f:
        case Symbol(_, index, _):
            return tuple(index or ())
        case Sum(terms):
            return tuple(t for _, t in terms)
        case Product(factors):
            return factors
        case Quotient(a, b) | Power(a, b) | Matrix(a, b) | Test(_, a, b):
            return (a, b)
        case Negative(body) | Total(_, body):
            return (body,)
        case Call(_, args, _):
            return args
    return ()


def symbols(f: Formula) -> list[str]:
    """The names in a formula, in reading order, each once."""
    own = [f.name] if isinstance(f, Symbol) else []
    return list(dict.fromkeys([*own, *(name for part in parts(f) for name in symbols(part))]))


def mapped(f: Formula, change: Callable[[Formula], Formula]) -> Formula:
    """The formula with each of its parts changed."""
    match f:
        case Symbol(_, index) if index is not None:
            return replace(f, index=tuple(map(change, index)))  # type: ignore[arg-type]
        case Sum(terms):
            return Sum(tuple((sign, change(t)) for sign, t in terms))
        case Product(factors):
            return Product(tuple(map(change, factors)))
        case Quotient(a, b) | Power(a, b):
            return type(f)(change(a), change(b))
        case Test(relation, a, b):
            return Test(relation, change(a), change(b))
        case Negative(body):
            return Negative(change(body))
        case Total(labels, body):
            return Total(labels, change(body))
        case Call(name, args, labels):
            return Call(name, tuple(map(change, args)), labels)
    return f


def calls(f: Formula) -> list[Call]:
    """The functions in a formula, in reading order."""
    own = [f] if isinstance(f, Call) else []
    return own + [call for p in parts(f) for call in calls(p)]
