"""The numbers of formulas at places: single entries of a line, and the terms of its sums."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from chainrule.equations.checks.readings import Known
from chainrule.equations.derivation.axes import bare
from chainrule.equations.formula import (
    Call,
    Formula,
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
from chainrule.equations.prints import text
from chainrule.errors import CannotExplain
from chainrule.trace.evaluate import ALONG, ELEMENTWISE

_RELATIONS = {
    "<": "less",
    "≤": "less_equal",
    ">": "greater",
    "≥": "greater_equal",
    "=": "equal",
    "≠": "not_equal",
}
_LEFT_OUT = {"max": -np.inf, "argmax": -np.inf, "min": np.inf, "argmin": np.inf}
"""What stands for a place outside of an axis within these functions."""


class Reader:
    """The numbers of formulas whose symbols all have places, for many values of the labels at once."""

    def __init__(self, own: Known) -> None:
        self.own = own

    def grown(self, at: Mapping[str, np.ndarray], labels: Sequence[str]) -> dict[str, np.ndarray]:
        """The values of labels with one more axis for each of ``labels``, which takes all its values there."""
        rank, more = max((a.ndim for a in at.values()), default=0), len(labels)
        out: dict[str, np.ndarray] = {label: a.reshape(a.shape + (1,) * more) for label, a in at.items()}
        for k, label in enumerate(labels):
            out[label] = np.arange(self.own.sizes[bare(label)]).reshape(
                (1,) * (rank + k) + (-1,) + (1,) * (more - 1 - k)
            )
        return out

    def full(self, f: Formula, at: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value at all places of the labels."""
        return np.broadcast_to(self.value(f, at), np.broadcast_shapes(*(a.shape for a in at.values())))

    def value(self, f: Formula, at: Mapping[str, np.ndarray]) -> Any:
        """The value, of a shape that meets that of the labels."""
        match f:
            case Number(value, power):
                return float(value) * float(self.own.examples) ** power
            case Place(all_, offset, divisor):
                return (sum(c * at[label] for label, c in all_) + offset) / divisor
            case Symbol():
                return self.read(f, at)[0]
            case Sum(all_):
                return sum(sign * self.value(t, at) for sign, t in all_)
            case Product(factors):
                return math.prod(self.value(x, at) for x in factors)
            case Quotient(a, b):
                return np.divide(self.value(a, at), self.value(b, at))
            case Negative(body):
                return -self.value(body, at)
            case Power(a, b):
                return np.power(np.asarray(self.value(a, at), float), self.value(b, at))
            case Test(relation, a, b):
                return ELEMENTWISE[_RELATIONS[relation]](self.value(a, at), self.value(b, at)) * 1.0
            case Total(labels, body):
                return self.full(body, self.grown(at, labels)).sum(tuple(range(-len(labels), 0)))
            case Call(name, args, ()) if name in ELEMENTWISE:
                return np.asarray(ELEMENTWISE[name](*(self.value(a, at) for a in args))) * 1.0
            case Call("reshape", (Symbol(name),)):
                return self.own.values[name].value[self.places(f, at)] * 1.0
            case Call(_, (body,), labels) if labels:
                return self.along(f, body, at)
        raise CannotExplain(f"{text.text(f)} has no entries that can be written out.")

    def places(self, f: Call, at: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
        """The places of its one symbol that a new arrangement reads."""
        lengths = [self.own.sizes[bare(label)] for label in f.labels]
        flat = sum(at[label] * math.prod(lengths[k + 1 :]) for k, label in enumerate(f.labels))
        return np.unravel_index(flat, self.own.values[f.args[0].name].value.shape)  # type: ignore[union-attr]

    def source(self, f: Call, at: Mapping[str, np.ndarray]) -> Symbol:
        """The same, at one place, as a symbol."""
        return Symbol(f.args[0].name, tuple(Place((), int(k)) for k in self.places(f, at)))  # type: ignore[union-attr]

    def along(self, f: Call, body: Formula, at: Mapping[str, np.ndarray]) -> Any:
        """A function along axes; what lies outside of an axis is left out of a maximum."""
        grown = self.grown(at, f.labels)
        every = self.full(body, grown)
        if f.name in _LEFT_OUT:
            every = np.where(self.inside(body, grown, True), every, _LEFT_OUT[f.name])
        flat = every.reshape(*every.shape[: every.ndim - len(f.labels)], -1)
        if f.name in ("softmax", "log_softmax"):
            logs = self.value(body, at) - special.logsumexp(flat, axis=-1)
            return logs if f.name == "log_softmax" else np.exp(logs)
        return ALONG[f.name](flat, (flat.ndim - 1,)) if f.name != "mean" else flat.mean(-1)

    def read(self, f: Symbol, at: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Any]:
        """What a symbol holds at its places, 0 outside of its axes, and where it lies inside."""
        value, places, inside = self.own.values[f.name].value, [], np.asarray(True)
        for entry, n in zip(f.index or (), value.shape, strict=True):
            place = np.asarray(self.value(entry, at))
            place = np.where(place < 0, place + n, place) if isinstance(entry, Symbol) else place
            inside = inside & (place == np.floor(place)) & (place >= 0) & (place < n)
            places.append(np.clip(place, 0, n - 1).astype(int))
        return np.where(inside, value[tuple(places)] * 1.0, 0.0), inside

    def inside(self, f: Formula, at: Mapping[str, np.ndarray], everywhere: bool = False) -> Any:
        """Where all factors, or everywhere all symbols, are read inside of their axes."""
        match f:
            case Symbol():
                return self.read(f, at)[1]
            case Product() | Negative() | Power():
                return math.prod((self.inside(p, at, everywhere) for p in parts(f)), start=np.asarray(True))
            case Total() | Place() | Number():
                return np.asarray(True)
        return math.prod((self.inside(p, at, True) for p in parts(f)), start=np.asarray(True)) if everywhere else True

    def summed(self, f: Total, at: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, ...]]:
        """The labels of a sum with all their values, and the places at which there is something to add."""
        grown = self.grown(at, f.labels)
        shape = np.broadcast_shapes(*(a.shape for a in grown.values()))
        return grown, np.nonzero(np.broadcast_to(self.inside(f.body, grown), shape))

    def terms(self, f: Formula, at: Mapping[str, np.ndarray]) -> list[tuple[float, ...]]:
        """A sum at single values of the labels as the factors of each of its terms."""
        match f:
            case Sum(all_):
                return [(*t, -1.0) if sign < 0 else t for sign, part in all_ for t in self.terms(part, at)]
            case Negative(body):
                return [(*t, -1.0) for t in self.terms(body, at)]
            case Quotient(top, bottom):
                return [(*t, float(1 / self.value(bottom, at))) for t in self.terms(top, at)]
            case Product(factors) if any(isinstance(x, Total) for x in factors):
                k = next(k for k, x in enumerate(factors) if isinstance(x, Total))
                rest = [float(self.value(x, at)) for x in factors[:k] + factors[k + 1 :]]
                return [(*rest, *t) for t in self.terms(factors[k], at)]
            case Product(factors):
                return [tuple(float(self.value(x, at)) for x in factors)]
            case Total(_, body):
                grown, where = self.summed(f, at)
                columns = [self.full(x, grown)[where].tolist() for x in _factors(body)]
                return list(zip(*columns, strict=True))
        return [(float(self.value(f, at)),)]


def _factors(f: Formula) -> list[Formula]:
    match f:
        case Product(factors):
            return [y for x in factors for y in _factors(x)]
        case Negative(body):
            return [Number(-1.0), *_factors(body)]
        case Quotient(top, bottom):
            return [*_factors(top), Quotient(Number(1), bottom)]
    return [f]
