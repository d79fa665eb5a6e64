"""NumPy expressions as text, with a label for each axis: arrays that meet by label are made to meet by position."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainrule.equations.formula import Number

CHOICE, SUM, MATRIX, TERM, POWER, ATOM = range(6)
"""How tightly an expression holds together: a if c else b, a + b, a @ b, a * b, a**b, a."""


@dataclass(frozen=True)
class Code:
    """An expression. ``truth``: its values are yes and no, with which NumPy adds and subtracts differently."""

    text: str
    labels: tuple[str, ...] = ()
    tight: int = ATOM
    truth: bool = False

    def within(self, tight: int) -> str:
        """The text, in brackets when it holds together less than ``tight``."""
        return self.text if self.tight >= tight else f"({self.text})"

    @property
    def number(self) -> "Code":
        """The same with 1 and 0 for yes and no."""
        return Code(f"1.0 * {self.within(POWER)}", self.labels, TERM) if self.truth else self


def aligned(code: Code, order: Sequence[str]) -> Code:
    """The expression with its axes in an order that may have more labels: those that it lacks get the length 1.

    Labels in front of its own first one are left to NumPy.
    """
    own = [label for label in order if label in code.labels]
    code = transposed(code, own)
    if not own:
        return code
    entries = [":" if label in own else "None" for label in order[order.index(own[0]) :]]
    while entries and entries[-1] == ":":
        entries.pop()
    if not entries:
        return code
    return Code(f"{code.within(ATOM)}[{', '.join(entries)}]", code.labels, ATOM, code.truth)


def transposed(code: Code, order: Sequence[str]) -> Code:
    """The expression with its axes, all of them, in an order."""
    order = tuple(order)
    if order == code.labels:
        return code
    if len(order) == 2:
        return Code(f"{code.within(ATOM)}.T", order, ATOM, code.truth)
    places = [code.labels.index(label) for label in order]
    moved = [k for k, p in enumerate(places) if k != p]
    if len(moved) == 2:
        a, b = (k - len(order) if k >= len(order) - 2 else k for k in moved)
        return Code(f"np.swapaxes({code.text}, {a}, {b})", order, ATOM, code.truth)
    return Code(f"np.transpose({code.text}, ({', '.join(map(str, places))}))", order, ATOM, code.truth)


def joined(codes: Sequence[Code], order: Sequence[str]) -> tuple[list[Code], tuple[str, ...]]:
    """Expressions that meet number by number, and the labels of what they make together.

    The labels come in the order of the one that has them all, or as ``order`` says.
    """
    found = dict.fromkeys(label for code in codes for label in code.labels)
    whole = [code.labels for code in codes if len(code.labels) == len(found)]
    union = whole[0] if whole else tuple(sorted(found, key=order.index))
    return [aligned(code, union) for code in codes], union


def axes(labels: Sequence[str], over: Iterable[str]) -> str:
    """The places of labels as the argument ``axis``."""
    places = [labels.index(label) for label in over]
    shown = [str(p - len(labels) if p == len(labels) - 1 and p > 0 else p) for p in places]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def over(code: Code, method: str, labels: Sequence[str]) -> Code:
    """A method that removes axes: ``a.sum(axis=0)``."""
    rest = tuple(label for label in code.labels if label not in labels)
    argument = f"axis={axes(code.labels, labels)}" if rest else ""
    return Code(f"{code.within(ATOM)}.{method}({argument})", rest)


def letters(labels: Iterable[str]) -> dict[str, str]:
    """A letter for each label, its own first one where it is free."""
    found: dict[str, str] = {}
    for label in labels:
        own = [c for c in label if c.isascii() and c.isalpha()][:1]
        wishes = [*own, *(c.upper() for c in own), *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
        found.setdefault(label, next(c for c in wishes if c not in found.values()))
    return found


def einsum(codes: Sequence[Code], labels: Sequence[str]) -> Code:
    """The sum of the product of expressions over all labels that are not kept."""
    names = letters(label for code in [Code("", tuple(labels)), *codes] for label in code.labels)
    sides = ",".join("".join(names[label] for label in code.labels) for code in codes)
    result = "".join(names[label] for label in labels)
    faster = ", optimize=True" if len(codes) > 1 else ""
    shown = ", ".join(code.number.text for code in codes)
    return Code(f'np.einsum("{sides}->{result}", {shown}{faster})', tuple(labels))


def product(codes: Sequence[Code], order: Sequence[str]) -> Code:
    """Factors number by number."""
    if len(codes) == 1:
        return codes[0]
    parts, labels = joined(codes, order)
    if all(part.truth for part in parts):
        parts[0] = parts[0].number
    shown = [parts[0].within(TERM), *(part.within(POWER) for part in parts[1:])]
    return Code(" * ".join(shown), labels, TERM)


def quotient(top: Code, bottom: Code, order: Sequence[str]) -> Code:
    """Top over bottom, number by number."""
    (a, b), labels = joined([top.number, bottom.number], order)
    return Code(f"{a.within(TERM)} / {b.within(POWER)}", labels, TERM)


def added(terms: Sequence[tuple[int, Code]], order: Sequence[str]) -> Code:
    """Terms with their signs."""
    parts, labels = joined([code for _, code in terms], order)
    if parts[0].truth and (terms[0][0] < 0 or all(part.truth for part in parts[:2])):
        parts[0] = parts[0].number  # NumPy neither negates yes and no nor takes the difference
    text = ""
    for (sign, _), part in zip(terms, parts, strict=True):
        shown = part.within(MATRIX)
        text += (" + " if sign > 0 else " - ") + shown if text else shown if sign > 0 else f"-{negated(part)}"
    return Code(text, labels, SUM if len(terms) > 1 else TERM)


def negated(code: Code) -> str:
    """The text behind a minus sign."""
    return f"({code.text})" if code.tight == POWER else code.within(TERM)


def total(codes: Sequence[Code], summed: Sequence[str], order: Sequence[str]) -> Code:
    """The sum over labels of a product of expressions: a matrix product, a sum along axes or einsum."""
    if len(codes) == 1:
        return over(codes[0].number if codes[0].truth else codes[0], "sum", summed)
    if all(set(code.labels) == set(codes[0].labels) for code in codes):
        return over(product(codes, order), "sum", summed)
    kept = sorted({label for code in codes for label in code.labels} - set(summed), key=order.index)
    if len(codes) == 2 and len(summed) == 1:
        for left, right in (codes, codes[::-1]):
            matrix = _matrix(left.number, right.number, summed[0])
            if matrix is not None and list(matrix.labels) == kept:
                return matrix
    return einsum(codes, kept)


def _matrix(left: Code, right: Code, inner: str) -> Code | None:
    """One array @ the other, when that is the sum over one label of their product."""
    if [label for label in left.labels if label in right.labels] != [inner] or len(right.labels) > 2:
        return None
    if left.labels.index(inner) < len(left.labels) - 1:
        if len(left.labels) != 2:
            return None
        left = transposed(left, left.labels[::-1])
    if right.labels.index(inner) > 0:
        right = transposed(right, right.labels[::-1])
    rest = (*left.labels[:-1], *right.labels[1:])
    return Code(f"{left.within(TERM)} @ {right.within(POWER)}", rest, MATRIX)


def literal(value: float) -> Code:
    """A number; whole ones without a point."""
    if not math.isfinite(value):
        return Code("np.nan") if math.isnan(value) else Code("np.inf") if value > 0 else Code("-np.inf", (), TERM)
    whole = float(value).is_integer() and abs(value) < 1e15
    return Code(str(int(value)) if whole else repr(float(value)).replace("e+", "e"), (), ATOM if value >= 0 else TERM)


def number(of: Number) -> Code:
    """A number times a power of N."""
    if of.power == 0:
        return literal(of.value)
    rows = "N" if abs(of.power) == 1 else f"N**{abs(of.power)}"
    value = literal(of.value)
    if of.power < 0:
        return Code(f"{value.within(TERM)} / {rows}", (), TERM)
    return (
        Code(rows, (), ATOM if of.power == 1 else POWER) if of.value == 1 else Code(f"{value.text} * {rows}", (), TERM)
    )


def linear(terms: Iterable[tuple[str, int]], offset: int) -> Code:
    """Multiples of whole numbers and an offset: 2 * u - 1."""
    text, count = "", 0
    for name, c in terms:
        if c == 0:
            continue
        size = name if abs(c) == 1 else f"{abs(c)} * {name}"
        text += (" + " if c > 0 else " - ") + size if text else ("" if c > 0 else "-") + size
        count += 1
    if not text:
        return Code(str(offset), (), ATOM if offset >= 0 else TERM)
    if offset > 0 and text.startswith("-"):
        return Code(f"{offset} - {text[1:]}", (), SUM)
    if offset:
        return Code(f"{text} {'+' if offset > 0 else '-'} {abs(offset)}", (), SUM)
    return Code(text, (), ATOM if text.isidentifier() else SUM if count > 1 else TERM)
