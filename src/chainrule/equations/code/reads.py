"""Symbols read at places, as NumPy: slices where a place is one label, index arrays for lookups, zeros outside."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainrule.equations.code.arrays import POWER, Code, added, joined, linear, literal
from chainrule.equations.code.places import At, Axis, axis_labels, axis_text, beyond, sliced, trimmed
from chainrule.equations.derivation.axes import bare, fresh
from chainrule.equations.formula import Line, Place, Symbol
from chainrule.equations.prints.text import line as printed
from chainrule.errors import CannotExplain


@dataclass
class Names:
    """What a function's lines are written with."""

    names: Mapping[str, str]
    """The Python name of each symbol."""
    labels: Mapping[str, tuple[str, ...]]
    """The labels of each symbol's axes."""
    sizes: Mapping[str, int]
    rows: str
    """The label whose length N is the data's, or nothing."""
    variables: Mapping[str, str]
    """The Python name of each label, as the variable of a loop."""
    helpers: set[str] = field(default_factory=set)
    """Functions of ``code_helpers`` that are called."""
    counts_rows: bool = False
    """Whether N is used."""
    extra: dict[str, str] = field(default_factory=dict)
    """Expressions that have a statement of their own ahead of the line, with their names."""


class Reader:
    """Writes what one line reads."""

    def __init__(self, names: Names, line: Line, steps: Mapping[str, str], local: Mapping[str, frozenset[str]]):
        self.names = names
        self.line = line
        self.order = list(line.labels)
        """Labels in the order in which new arrays have them."""
        self.fixed = {label: (variable, 0) for label, variable in steps.items()}
        """Labels that are variables of loops here, each with what is added to it."""
        self.steps = frozenset(steps)
        """Labels of loops that are statements, in which arrays may still be growing."""
        self.local = local
        """Symbols that are kept for one step only, with the labels that they lack therefore."""
        self.outside = 0.0
        """What a place outside of an array reads."""
        self.ahead: list[tuple[str, str]] = []
        """Statements that the line needs before it."""

    def cannot(self, why: str) -> CannotExplain:
        """The error that names the line."""
        return CannotExplain(f"The line {printed(self.line)!r} has no NumPy form here: {why}.")

    def size(self, label: str) -> int | None:
        """The length of a label; None when only the data knows it."""
        kind = bare(label)
        return None if kind == self.names.rows else self.names.sizes.get(kind)

    def length(self, label: str) -> str:
        """The length of a label as code."""
        if bare(label) == self.names.rows:
            self.names.counts_rows = True
            return "N"
        size = self.size(label)
        if size is None:
            raise self.cannot(f"the length of the label {label} is not known")
        return str(size)

    def own(self, name: str) -> tuple[str, ...]:
        """The labels of a symbol, in order."""
        if name not in self.names.labels:
            raise self.cannot(f"nothing says what {name} is")
        return self.names.labels[name]

    def symbol(self, f: Symbol) -> Code:
        """A symbol as a formula reads it."""
        return self.read(f.name, self.entries(f))

    def entries(self, f: Symbol) -> tuple["Place | Symbol", ...]:
        """One index for each axis of a symbol."""
        if f.index is not None:
            return f.index
        labels = list(self.own(f.name))
        if f.transposed:
            labels = swapped(labels)
            labels[-2:] = labels[:-3:-1]
        return tuple(Place(((label, 1),)) for label in labels)

    def read(self, name: str, entries: Sequence["Place | Symbol | str"]) -> Code:
        """A symbol read at one entry for each axis; a string is the label under which an axis is read whole."""
        own = self.own(name)
        if len(own) != len(entries):
            raise self.cannot(f"{name} has {len(own)} axes and is read at {len(entries)} places")
        kept = [k for k, label in enumerate(own) if label not in self.local.get(name, ())]
        axes = [self._axis(own[k], entries[k]) for k in kept]
        sizes = [self.size(own[k]) for k in kept]
        text = self.names.names[name]
        free = [label for axis in axes if not isinstance(axis, Code) for label in axis_labels(axis)]
        scattered = len(set(free)) < len(free) or any(isinstance(a, At) and self._scattered(a) for a in axes)
        scattered |= any(isinstance(a, At) and n is None and a.low < 0 for a, n in zip(axes, sizes, strict=True))
        padded = any(isinstance(a, At) and beyond(a, n) != (0, 0) for a, n in zip(axes, sizes, strict=True))
        divided = any(isinstance(a, At) and a.divisor != 1 for a in axes)
        looked_up = any(isinstance(a, Code) for a in axes)
        if scattered or (looked_up and (padded or divided)):
            return self._gathered(text, axes, [own[k] for k in kept])
        if looked_up:
            return self._looked_up(text, axes, sizes)
        if padded or divided:
            return self._widened(text, axes, sizes)
        return sliced(text, axes, sizes, self.size)

    def place(self, of: Place) -> Code:
        """A number made of labels, as a value."""
        at = self._at(of)
        code = self._count(at)
        return code if at.divisor == 1 else Code(f"{code.within(POWER)} / {at.divisor}", code.labels, POWER - 1)

    def _axis(self, own: str, entry: "Place | Symbol | str") -> Axis:
        if isinstance(entry, str):
            return entry
        if isinstance(entry, Symbol):
            return self.symbol(entry)
        label = entry.label
        if label is not None and label not in self.fixed:
            sizes = self.size(own), self.size(label)
            if bare(own) == bare(label) or (sizes[0] == sizes[1] and None not in sizes):
                return label
        return self._at(entry)

    def _at(self, of: Place) -> At:
        free, fixed, offset = [], [], of.offset
        low = high = of.offset
        for label, c in of.terms:
            reach = c * ((self.size(label) or 1) - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
            if label in self.fixed:
                variable, shift = self.fixed[label]
                fixed.append((variable, c))
                offset += c * shift
            else:
                free.append((label, c))
        return At(tuple(free), tuple(fixed), offset, of.divisor, low, high)

    def _scattered(self, at: At) -> bool:
        """Whether a place is no slice."""
        if len(at.free) != 1:
            return len(at.free) > 1
        ((label, c),) = at.free
        return self.size(label) is None or (c < 0 and bool(at.fixed))

    def _count(self, at: At) -> Code:
        """The numbers of a place, before they are divided."""
        terms = []
        for label, c in at.free:
            count = Code(f"np.arange({self.length(label)})", (label,))
            terms.append((1 if c > 0 else -1, count if abs(c) == 1 else Code(f"{abs(c)} * {count.text}", (label,), 3)))
        if at.fixed or at.offset or not terms:
            rest = linear(at.fixed, at.offset)
            minus = not at.fixed and at.offset < 0 and bool(terms)
            terms.append((-1, Code(str(-at.offset))) if minus else (1, rest))
        return added(terms, self.order) if len(terms) > 1 or terms[0][0] < 0 else terms[0][1]

    def _numbers(self, axis: Axis, own: str) -> Code:
        """An axis as an array of places."""
        if isinstance(axis, Code):
            return Code(f"{axis.within(POWER)} % {self.length(own)}", axis.labels, POWER - 1)
        at = self._at(Place(((axis, 1),))) if isinstance(axis, str) else axis
        code = self._count(at)
        return code if at.divisor == 1 else Code(f"{code.within(POWER)} / {at.divisor}", code.labels, POWER - 1)

    def _gathered(self, text: str, axes: Sequence[Axis], own: Sequence[str]) -> Code:
        parts, labels = joined([self._numbers(a, o) for a, o in zip(axes, own, strict=True)], self.order)
        self.names.helpers.add("read")
        outside = f", outside={literal(self.outside).text}" if self.outside else ""
        return Code(f"read({text}, {', '.join(p.text for p in parts)}{outside})", labels)

    def _looked_up(self, text: str, axes: Sequence[Axis], sizes: Sequence[int | None]) -> Code:
        shared = {label for a in axes if isinstance(a, Code) for label in a.labels}
        listed = [not axis_labels(a) or not shared.isdisjoint(axis_labels(a)) for a in axes]
        first, last = listed.index(True), len(listed) - 1 - listed[::-1].index(True)
        if not all(listed[first : last + 1]):
            first, last = 0, len(axes) - 1
        chosen = []
        for axis in axes[first : last + 1]:
            at = self._at(Place(((axis, 1),))) if isinstance(axis, str) else axis
            chosen.append(at if isinstance(at, Code) else self._count(at))
        parts, middle = joined(chosen, self.order)
        ahead = [axis_text(a, n, self.size) for a, n in zip(axes[:first], sizes[:first], strict=True)]
        after = [axis_text(a, n, self.size) for a, n in zip(axes[last + 1 :], sizes[last + 1 :], strict=True)]
        before, behind = (
            [label for a in some for label in axis_labels(a)] for some in (axes[:first], axes[last + 1 :])
        )
        shown = trimmed([*ahead, *(p.text for p in parts), *after])
        return Code(f"{text}[{', '.join(shown)}]", (*before, *middle, *behind))

    def _widened(self, text: str, axes: Sequence[Axis], sizes: Sequence[int | None]) -> Code:
        """A slice of a copy with zeros around, and between if places are divided, made once ahead of the line."""
        done = [isinstance(a, At) and not a.free and beyond(a, n) == (0, 0) and a.divisor == 1 and self._settled(a)
                for a, n in zip(axes, sizes, strict=True)]  # fmt: skip
        if any(done):
            shown = [
                linear(a.fixed, a.offset).text if d and isinstance(a, At) else ":"
                for a, d in zip(axes, done, strict=True)
            ]
            text = f"{text}[{', '.join(trimmed(shown))}]"
            axes = [a for a, d in zip(axes, done, strict=True) if not d]
            sizes = [n for n, d in zip(sizes, done, strict=True) if not d]
        stem = text.split("[")[0]
        fill = "" if self.outside == 0 else f", {literal(self.outside).text}"
        for k, axis in enumerate(axes):
            if isinstance(axis, At) and axis.divisor != 1:
                self.names.helpers.add("spread")
                text = f"spread({text}, {k}, {axis.divisor}{fill})"
        margins = [beyond(a, n) if isinstance(a, At) else (0, 0) for a, n in zip(axes, sizes, strict=True)]
        if any(m != (0, 0) for m in margins):
            around = f", constant_values={literal(self.outside).text}" if self.outside else ""
            text = f"np.pad({text}, ({', '.join(map(str, margins))}{',' if len(margins) == 1 else ''}){around})"
        widths: list[int | None] = []
        places: list[Axis] = []
        for axis, n, (low, high) in zip(axes, sizes, margins, strict=True):
            divisor = axis.divisor if isinstance(axis, At) else 1
            widths.append(n if n is None else (n - 1) * divisor + 1 + low + high)
            places.append(replace(axis, offset=axis.offset + low) if isinstance(axis, At) else axis)
        return sliced(self._named(f"{stem}_wide", text), places, widths, self.size)

    def _settled(self, at: At) -> bool:
        """Whether a place depends on no other variables than those of loops that are statements."""
        return all(any(self.fixed[label][0] == v for label in self.steps) for v, _ in at.fixed)

    def _named(self, stem: str, text: str) -> str:
        """A name for an expression, given a statement ahead of the line unless an earlier one serves."""
        if text not in self.names.extra:
            taken = {*self.names.names.values(), *self.names.variables.values(), *self.names.extra.values()}
            name = next(n for k in itertools.count(1) if (n := stem if k == 1 else f"{stem}{k}") not in taken)
            self.names.extra[text] = name
            self.ahead.append((name, text))
        return self.names.extra[text]


def swapped(labels: Sequence[str]) -> list[str]:
    """The labels of a transposed array: the last two exchanged, primes counted from the left."""
    out: list[str] = []
    for label in [*labels[:-2], labels[-1], labels[-2]]:
        out.append(fresh(label, out))
    return out
