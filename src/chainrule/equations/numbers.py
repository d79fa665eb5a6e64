"""The lines with real numbers: all of them for one example, or one entry of one line as the sum that it is."""

import math
import textwrap
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.readings import Known, known
from chainrule.equations.checks.values import arguments
from chainrule.equations.columns import data_of, example_labels
from chainrule.equations.derivation.axes import bare
from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.derivation.resized import resized
from chainrule.equations.derivation.traces import examples_in
from chainrule.equations.entries import Reader
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
)
from chainrule.equations.prints import text
from chainrule.equations.prints.layout import broken
from chainrule.equations.steps import explicit, named
from chainrule.errors import CannotExplain
from chainrule.trace.graph import reachable

WIDTH = 80
"""Columns of what is printed."""
_OWN: "weakref.WeakKeyDictionary[Derivation, Known]" = weakref.WeakKeyDictionary()


def own_numbers(derivation: Derivation) -> Known:
    """The values of all symbols for the subject's own data, at its own number of examples."""
    if derivation not in _OWN:
        _OWN[derivation] = _own(derivation)
    return _OWN[derivation]


def _own(derivation: Derivation) -> Known:
    first = derivation.derived[0]
    if not derivation.pairs:
        return known(derivation, first, arguments(derivation, first, None))
    rows, _ = examples_in(derivation.subject)
    assert rows is not None  # there are pairs
    try:
        own = resized(derivation, rows)
    except CannotExplain as e:
        found = known(derivation, first, arguments(derivation, first, None))
        examples = "taken in turn" if rows < found.examples else f"the first of {rows}"
        note = f"N is {found.examples} here, examples {examples}: {str(e)[0].lower()}{str(e)[1:]}"
        return replace(found, given=min(rows, found.examples), note=note)
    return known(derivation, own, arguments(derivation, own, None))


@dataclass(frozen=True, eq=False)
class Numbers:
    """All symbols with their numbers: the row of one example where there are rows, whole arrays elsewhere."""

    example: int
    header: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    lines: tuple[tuple[str, str], ...]
    """What is printed: each symbol with its line, or with itself for what the program is given."""

    def __str__(self) -> str:
        wide = min(10, max(len(line.split(" = ")[0]) for _, line in self.lines))
        out = [row for sentence in self.header for row in textwrap.wrap(sentence, WIDTH)]
        for name, line in self.lines:
            out += _rows(line, self.values[name], wide)
        return "\n".join(out)


def numbers(derivation: Derivation, example: int = 0) -> Numbers:
    """The lines with the numbers of one example of the subject's own data; CannotExplain where there is none."""
    own, labels = own_numbers(derivation), example_labels(derivation)
    count = own.given if labels else 1
    if not 0 <= example < count:
        raise CannotExplain(f"Examples are numbered 0 to {count - 1}, and example {example} was asked for.")
    values = {name: _row(v, example, labels) for name, v in own.values.items()}
    given = [n for node, n in derivation.composer.names.items() if node.op in ("input", "constant", "drawn")]
    lines = [(name, name) for name in given if name in values]
    lines += [(s.line.symbol, text.line(s.line)) for s in derivation.statements]
    return Numbers(example, _header(derivation, own, example, values), values, tuple(lines))


def _row(of: Labeled, example: int, labels: frozenset[str]) -> np.ndarray:
    axis = next((k for k, label in enumerate(of.labels) if bare(label) in labels), None)
    return of.value if axis is None else np.take(of.value, example, axis)


def _header(derivation: Derivation, own: Known, example: int, values: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Which example it is, what it should be, and what the network makes of it."""
    graph, names = derivation.derived[0].graph, derivation.composer.names
    network = set(reachable(graph.outputs[1:], graph.links))
    aims = [names[n] for n in data_of(derivation) if (n not in network if network else names[n] == "y")]
    facts = [f"{name} = {_array(values[name], WIDTH)[0]}" for name in aims if name in values]
    for view in graph.outputs[1:]:
        name = names.get(view.node, "")
        if name in values and view.whole:
            facts.append(_prediction(name, values[name], [values[a] for a in aims if a in values]))
    title = f"Example {example} of 0 to {own.given - 1}: " if own.given > 1 else "The numbers: "
    return tuple(filter(None, (title + ("; ".join(facts) or f"N = {own.examples}"), own.note)))


def _prediction(name: str, value: np.ndarray, targets: Sequence[np.ndarray]) -> str:
    classes = any(t.dtype.kind in "iu" and t.ndim == value.ndim - 1 == 0 for t in targets)
    if classes:
        return f"predicted {int(value.argmax())}, the place of the largest of {name}"
    return f"predicted {name} = {_array(value, WIDTH // 2)[0]}"


def _rows(line: str, value: np.ndarray, wide: int) -> list[str]:
    """A line with its numbers, the equals signs below each other."""
    left, _, formula = line.partition(" = ")
    head = f"{left:<{wide}} = "
    shown = _array(value, WIDTH - wide - 3)
    if not formula or [formula] == shown:
        return [head + shown[0], *(" " * len(head) + row for row in shown[1:])]
    rows = broken(line, WIDTH, wide)
    if len(shown) == 1 and len(rows[-1]) + 3 + len(shown[0]) <= WIDTH:
        return [*rows[:-1], f"{rows[-1]} = {shown[0]}"]
    return [*rows, " " * wide + f" = {shown[0]}", *(" " * (wide + 3) + row for row in shown[1:])]


def _array(value: np.ndarray, room: int) -> list[str]:
    """An array in rows: up to 8 numbers, matrices up to 4 by 4, of larger ones the first three and the last."""
    shown = _format(value)
    if value.ndim == 0:
        return [shown(value[()])]
    if value.ndim > 2:
        rows = _array(value[(0,) * (value.ndim - 2)], room)
        return [*rows, f"(the first of {'×'.join(map(str, value.shape[:-2]))} such matrices)"]
    if value.ndim == 1:
        every = [shown(v) for v in value]
        few = [every[:k] + ["…"] + every[-1:] for k in (3, 2, 1)]
        ways = [", ".join(w) for w in ([every] if len(every) <= 8 else []) + few]
        return [f"[{next((w for w in ways if len(w) <= room - 2), ways[-1])}]"]
    kept = [*range(3), len(value) - 1] if len(value) > 4 else range(len(value))
    columns = value if value.shape[1] <= 4 else value[:, [0, 1, 2, -1]]
    cells = [[shown(v) for v in columns[k]] for k in kept]
    widest = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [[f"{c:>{w}}" for c, w in zip(row, widest, strict=True)] for row in cells]
    if value.shape[1] > 4:
        rows = [[*row[:3], "…", row[3]] for row in rows]
    joined = [f"[{', '.join(row)}]" for row in rows]
    joined = [*joined[:3], "…", joined[3]] if len(value) > 4 else joined
    return ["[" * (k == 0) + " " * (k > 0) + row + "]" * (k == len(joined) - 1) for k, row in enumerate(joined)] or [
        "[]"
    ]


def _format(value: np.ndarray) -> Callable[[Any], str]:
    """How the numbers of one array are written: three digits of the largest, the same decimals in all."""
    finite = np.abs(value[np.isfinite(value)].astype(float))
    largest = float(finite.max(initial=0.0))
    if value.dtype.kind in "biu" or largest < 1e5 and np.array_equal(finite, np.round(finite)):
        return lambda v: _written(int(v) if math.isfinite(v) else v)
    if 1e-4 <= largest < 1e5:
        places = max(0, 2 - math.floor(math.log10(largest)))
        return lambda v: _written(f"{round(float(v), places) + 0.0:.{places}f}")
    return lambda v: _written(f"{v + 0.0:.2e}" if v else 0)


def _written(number: Any) -> str:
    words = {"inf": "∞", "-inf": "−∞", "nan": "NaN"}
    return words.get(str(number), f"{number}".replace("-", "−"))


@np.errstate(all="ignore")
def terms(
    derivation: Derivation, symbol: str, index: Sequence[int] | int = ()
) -> tuple[list[tuple[float, ...]], float]:
    """The entry of a line as a sum of products: the factors of each term, and the entry itself.

    What is no sum is one term with one factor. CannotExplain for places outside of the symbol.
    """
    name, at, formula = _entry(derivation, symbol, index)
    own = own_numbers(derivation)
    place = {label: np.asarray(k) for label, k in at.items()}
    return Reader(own).terms(formula, place), float(own.values[name].value[tuple(_places(own, name, index))])


@np.errstate(all="ignore")
def expand(
    derivation: Derivation, symbol: str, index: Sequence[int] | int = (), terms: int = 12, digits: int = 3
) -> str:
    """One entry of a line written out: its formula with places, the same with numbers, and what it is.

    ``terms``: how many terms of each sum are shown; of the others their number and sum are said. CannotExplain for
    places outside of the symbol, and for operations that are not derived.
    """
    name, at, formula = _entry(derivation, symbol, index)
    own = own_numbers(derivation)
    places = _places(own, name, index)
    left = f"{name}[{', '.join(map(str, places))}]" if places else name
    reader = Reader(own)
    value = float(own.values[name].value[tuple(places)])
    stages = [] if formula == Symbol(name, ()) else [_Writer(reader, terms, n).text(formula, at) for n in (0, digits)]
    stages = list(dict.fromkeys([*stages, _short(value, digits)]))
    rows = [broken(f"{left if k == 0 else ''} = {stage}", WIDTH, len(left)) for k, stage in enumerate(stages)]
    return "\n".join(row for each in rows for row in each)


def _places(own: Known, name: str, index: Sequence[int] | int) -> list[int]:
    """The index with all its numbers counted from 0."""
    shape, labels = own.values[name].value.shape, own.values[name].labels
    given = (index,) if isinstance(index, int | np.integer) else tuple(index)
    if len(given) != len(shape) or any(not -n <= k < n for k, n in zip(given, shape, strict=True)):
        raise CannotExplain(
            f"{name} has the shape {shape}, with the labels ({', '.join(labels)}), and the index {given} came: give "
            f"{len(shape)} whole numbers, each less than its length."
        )
    return [int(k) % n for k, n in zip(given, shape, strict=True)]


def _entry(derivation: Derivation, symbol: str, index: Sequence[int] | int) -> tuple[str, dict[str, int], Formula]:
    """The symbol that is meant, the values of the labels at one of its places, and what is read or computed there."""
    name, own = named(derivation, symbol), own_numbers(derivation)
    if name not in own.values:
        raise CannotExplain(f"{name} is a key for random numbers, which has no entries.")
    places, labels = _places(own, name, index), own.values[name].labels
    at = dict(zip(labels, places, strict=True))
    symbols = {n: v.labels for n, v in own.values.items()}
    line = next((s.line for s in derivation.statements if s.line.symbol == name), None)
    if line is None:
        return name, at, Symbol(name, tuple(Place((), k) for k in places))
    f = line.formula
    if not isinstance(f, Call):
        return name, at, explicit(f, symbols)
    if f.name == "concat":
        axis = labels.index(f.labels[0])
        for arg in f.args:
            length = own.values[arg.name].value.shape[axis]  # type: ignore[union-attr]
            if places[axis] < length:
                break
            places[axis] -= length
        read = list(explicit(arg, symbols).index or ())  # type: ignore[union-attr]
        read[axis] = Place((), places[axis])
        return name, at, Symbol(arg.name, tuple(read))  # type: ignore[union-attr]
    if f.name in ("before", "after"):
        (step,) = f.labels
        edge = 0 if f.name == "before" else own.sizes[bare(step)] - 1
        moved = at | {step: at[step] + (-1 if f.name == "before" else 1)}
        return (
            (name, at, explicit(f.args[1], symbols))
            if at[step] == edge
            else (name, moved, explicit(f.args[0], symbols))
        )
    if f.name.startswith("opaque"):
        raise CannotExplain(
            f"{name} is made by {f.name}, which is computed and not derived: its entries have no terms."
        )
    return name, at, explicit(f, symbols)


@dataclass(frozen=True)
class _Writer:
    """Writes formulas at single values of labels: with the symbols, or with their numbers in ``digits`` digits."""

    reader: Reader
    limit: int
    digits: int

    def text(self, f: Formula, at: Mapping[str, int], tightness: int = text.SUM) -> str:
        """A formula, in brackets when it holds together less than ``tightness``."""
        if isinstance(f, Number) and not self.digits:
            return text.text(f, tightness)
        shown, has = self.shown(f, at)
        return shown if has >= tightness else f"({shown})"

    def shown(self, f: Formula, at: Mapping[str, int]) -> tuple[str, int]:
        match f:
            case Symbol(name, index) if not self.digits:
                places = ",".join(self.text(i, at) for i in index or ())
                return (f"{name}[{places}]" if index else name), text.ATOM
            case Symbol() | Number() | Place():
                number = _short(self.reader.value(f, _arrays(at)), self.digits or 17)
                return number, text.SUM if number.startswith("−") else text.ATOM
            case Sum(all_):
                return _summed([(sign, self.text(t, at, text.SUM if sign > 0 else text.TERM)) for sign, t in all_])
            case Product(factors):
                return "·".join(self.text(x, at, text.POWER) for x in factors), text.TERM
            case Quotient(a, b):
                return f"{self.text(a, at, text.TERM)} / {self.text(b, at, text.POWER)}", text.TERM
            case Negative(body):
                return f"−{self.text(body, at, text.TERM)}", text.SUM
            case Power(base, exponent):
                return f"{self.text(base, at, text.ATOM)}^{self.text(exponent, at, text.ATOM)}", text.POWER
            case Test(relation, a, b):
                return f"1[{self.text(a, at)} {relation} {self.text(b, at)}]", text.ATOM
            case Total():
                return _summed(self.items(f, at, " + "))
            case Call("reshape"):
                return self.shown(self.reader.source(f, _arrays(at)), at)
            case Call(name, (body,), labels) if labels:
                return self.along(name, body, labels, at)
            case Call(name, args):
                return f"{text.NAMES.get(name, name)}({', '.join(self.text(a, at) for a in args)})", text.ATOM
        raise TypeError(f)

    def along(self, name: str, body: Formula, labels: tuple[str, ...], at: Mapping[str, int]) -> tuple[str, int]:
        """A function along axes as what it says about their numbers."""
        one, every = Call("exp", (body,)), Total(labels, Call("exp", (body,)))
        count = math.prod(self.reader.own.sizes[bare(label)] for label in labels)
        spelled = {
            "softmax": Quotient(one, every),
            "log_softmax": Sum(((1, body), (-1, Call("log", (every,))))),
            "logsumexp": Call("log", (every,)),
            "mean": Quotient(Total(labels, body), Number(count)),
        }
        if name in spelled:
            return self.shown(spelled[name], at)
        return f"{name}({', '.join(item for _, item in self.items(Total(labels, body), at))})", text.ATOM

    def items(self, f: Total, at: Mapping[str, int], joint: str = "") -> list[tuple[int, str]]:
        """The first terms of a sum, and what is left out."""
        grown, where = self.reader.summed(f, _arrays(at))
        count, here = len(where[0]), dict(at)
        shown = self.limit if count > self.limit + 1 else count
        tight = text.TERM if joint and not isinstance(f.body, Symbol) else text.SUM
        out = []
        for k in range(shown):
            here |= {label: int(where[-len(f.labels) + i][k]) for i, label in enumerate(f.labels)}
            out.append((1, self.text(f.body, here, tight)))
        if count > shown:
            rest = self.reader.full(f.body, grown)[tuple(w[shown:] for w in where)].sum()
            total = f", sum {_short(rest, self.digits)}" if self.digits and joint else ""
            out.append((1, f"… ({count - shown:,} more{' terms' if joint else ''}{total})"))
        return out or [(1, "0")]


def _summed(items: Sequence[tuple[int, str]]) -> tuple[str, int]:
    shown = "".join((" + " if sign > 0 else " − ") + item for sign, item in items)
    shown = shown.replace(" + −", " − ").removeprefix(" + ")
    return ("−" + shown[3:] if shown.startswith(" − ") else shown), text.SUM


def _arrays(at: Mapping[str, int]) -> dict[str, np.ndarray]:
    return {label: np.asarray(k) for label, k in at.items()}


def _short(value: Any, digits: int) -> str:
    return _written(f"{float(value) + 0.0:.{digits}g}")
