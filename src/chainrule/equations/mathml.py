"""Formulas as they stand in a textbook: a tree of boxes, named as in MathML, and its print as MathML Core.

LaTeX is written from the same boxes, so that brackets, subscripts and fractions are decided once.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from chainrule.equations.formula import (
    Call,
    Formula,
    Line,
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
)
from chainrule.equations.text import NAMES, digits, text

Link = Callable[[str], str | None]
"""From the name of a symbol to the address of its definition."""


@dataclass(frozen=True)
class Box:
    """A piece of print. ``tag`` is MathML's name of it, or one of

    symbol   a name with its scripts; ``note`` is the name in formulas
    fence    its parts in the brackets ``note``
    name     a function's name
    """

    tag: str
    parts: "tuple[Box | str, ...]" = ()
    note: str = ""


CASES, SUM, TERM, SCALED, POWER, ATOM = range(6)
"""How tightly a formula holds together: cases, a + b, a ⊙ b, 2 a, a² or a fraction, a."""

UNDER = {"max": "max", "min": "min", "argmax": "arg max", "argmin": "arg min", "any": "any", "all": "all"}
"""Functions along axes whose labels stand below them."""

NAMED = NAMES | {
    "maximum": "max",
    "minimum": "min",
    "lgamma": "log Γ",
    "digamma": "ψ",
    "truncate": "trunc",
    "remainder": "rem",
    "arcsinh": "arsinh",
    "asinh": "arsinh",
    "arccosh": "arcosh",
    "arctanh": "artanh",
}
FENCES = {"abs": "||", "floor": "⌊⌋", "ceil": "⌈⌉"}
ACCENTS = {"\u0303": "~", "\u0304": "¯", "\u0305": "¯", "\u0302": "^", "\u0307": "˙"}
MARKS = {"₋": "−", "′": "′", "″": "″", "‴": "‴"}

_RAISED = {ord(c): str(k) for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_NAME = re.compile(
    r"(?P<base>(?:[^\W\d_⁰¹²³⁴-⁹₀-₉][\u0300-\u036f]*)+)(?P<power>[⁰¹²³⁴-⁹]*)(?P<mark>[₋′″‴]*)"
    r"(?P<subs>\d*[^\W\d_⁰¹²³⁴-⁹₀-₉]*(?:_[^\W_]+)*)(?P<marks>[₋′″‴]*)"
)
_MATRIX = re.compile(r"([WUV])([a-z]{1,2})")
"""Wx and Whh are W with the subscripts x and hh; other names of several letters are words."""


# ---------------------------------------------------------------------------------------------- names


@dataclass(frozen=True)
class Name:
    """A name taken apart: what stands on the line, below and above it."""

    base: Box
    below: tuple[Box, ...] = ()
    above: tuple[Box, ...] = ()


def name(of: str) -> Name:
    """A symbol's or label's name: δz1 is δ with the subscript z1, ∂L/∂W1 a fraction, h₋ has a minus above."""
    if of.startswith("∂") and "/" in of:
        return Name(Box("mfrac", tuple(_differential(part) for part in of.split("/", 1))))
    if of[0] == "δ" and len(of) > 1 and of[1].isalpha():
        return Name(Box("mi", ("δ",)), (scripted(name(of[1:])),))
    found = _NAME.fullmatch(unicodedata.normalize("NFD", of))
    if not found:
        return Name(Box("mi", (of,)))
    base, subs = found["base"], found["subs"]
    first = re.match(r"(\d*)([^\W\d_]*)", subs)
    below = [w for w in (first[0] if first else "", *subs.split("_")[1:]) if w]
    if matrix := _MATRIX.fullmatch(base):
        base, below = matrix[1], [matrix[2], *below]
    above = [Box("mn", (found["power"].translate(_RAISED),))] if found["power"] else []
    above += [Box("mo", (MARKS[mark],)) for mark in found["mark"] + found["marks"]]
    return Name(_letters(base), _listed(map(_word, below)), tuple(above))


def _differential(of: str) -> Box:
    return Box("mrow", (Box("mo", ("∂",)), scripted(name(of.removeprefix("∂")))))


def _letters(of: str) -> Box:
    if len(of) == 2 and of[1] in ACCENTS:
        return Box("mover", (Box("mi", (of[0],)), Box("mo", (ACCENTS[of[1]],))))
    return Box("mi", (unicodedata.normalize("NFC", of),))


def _word(of: str) -> Box:
    number, letters = re.fullmatch(r"(\d*)(.*)", of).groups()  # type: ignore[union-attr]
    parts = [Box("mn", (number,))] if number else []
    return _row([*parts, _letters(letters)] if letters else parts)


def _listed(boxes: Iterable[Box]) -> tuple[Box, ...]:
    out: list[Box] = []
    for box in boxes:
        out += [Box("mo", (",",)), box] if out else [box]
    return tuple(out)


def scripted(of: Name) -> Box:
    """A name as one box."""
    below, above = _row(of.below), _row(of.above)
    if of.below and of.above:
        return Box("msubsup", (of.base, below, above))
    return Box("msub", (of.base, below)) if of.below else Box("msup", (of.base, above)) if of.above else of.base


def symbol(of: str) -> Box:
    """A name alone, as a legend shows it."""
    return Box("symbol", (scripted(name(of)),), of)


# ------------------------------------------------------------------------------------------- formulas


def tree(f: Formula, tightness: int = CASES, small: bool = False, last: bool = True) -> Box:
    """A formula, in brackets when it holds together less than ``tightness``.

    ``small``: within a script, where fractions have no room; ``last``: nothing follows that a sum would swallow.
    """
    box, has = _set(f, small)
    return box if has >= tightness and (last or not _open(f)) else Box("fence", (box,), "()")


def _open(f: Formula) -> bool:
    """Whether the end of a formula is that of a sum over labels."""
    match f:
        case Total():
            return True
        case Product(factors):
            return _open(factors[-1])
        case Negative(body):
            return _open(body)
    return False


def _set(f: Formula, small: bool) -> tuple[Box, int]:
    match f:
        case Number():
            return _number(f, small)
        case Symbol():
            return _symbol(f)
        case Place():
            return _place(f)
        case Sum():
            return _row(pieces(f, small)), SUM
        case Negative(body):
            return _row([_sign("−", "prefix"), tree(body, TERM, small)]), SUM
        case Product(factors):
            scaled = isinstance(factors[0], Number) and len(factors) == 2
            return _row(pieces(f, small)), SCALED if scaled else TERM
        case Quotient(top, bottom):
            if small:
                return _row([tree(top, TERM, True, False), Box("mo", ("/",)), tree(bottom, POWER, True, False)]), TERM
            return Box("mfrac", (tree(top), tree(bottom))), POWER
        case Matrix(left, right):
            return _row([tree(left, POWER), Box("mspace"), tree(right, POWER)]), SCALED
        case Power(base, exponent):
            return _power(base, exponent), POWER
        case Total(labels, body):
            return _row([_under(Box("mo", ("∑",)), labels), tree(body, TERM, small)]), TERM
        case Test(relation, left, right):
            inside = _row([tree(left, SUM, small), _sign(relation), tree(right, SUM, small)])
            return _row([Box("mn", ("1",), "indicator"), Box("fence", (inside,), "[]")]), ATOM
        case Call():
            return _call(f, small)
    raise TypeError(f)


def pieces(f: Formula, small: bool = False) -> list[Box]:
    """A formula in the parts between which a line may be broken."""
    match f:
        case Sum(terms):
            out = []
            for k, (sign, term) in enumerate(terms):
                body = tree(term, TERM, small)
                signed = k > 0 or sign < 0
                mark = _sign("+" if sign > 0 else "−", "infix" if k else "prefix")
                out.append(_row([mark, body]) if signed else body)
            return out
        case Product((Number() as first, second, *rest)) if first.value >= 0:
            alone = not rest
            head = [tree(first, SCALED, small), Box("mspace"), tree(second, POWER, small, alone)]
            if isinstance(second, Total) and alone:
                head[2] = tree(second, TERM, small)
            if isinstance(second, Number) or (isinstance(second, Power) and isinstance(second.base, Number)):
                head[1] = _sign("⋅")
            return [_row(head), *_factors(rest, small)]
        case Product((first, *rest)):
            return [tree(first, TERM, small, not rest), *_factors(rest, small)]
    return [tree(f, small=small)]


def _factors(factors: Sequence[Formula], small: bool) -> list[Box]:
    last = len(factors) - 1
    needs = [TERM if isinstance(f, Total) else SCALED for f in factors]
    return [_row([_sign("⊙"), tree(f, needs[k], small, k == last)]) for k, f in enumerate(factors)]


def _number(f: Number, small: bool) -> tuple[Box, int]:
    if f.value < 0:
        return _row([_sign("−", "prefix"), tree(Number(-f.value, f.power), TERM, small)]), SUM
    shown, _, exponent = digits(f.value).partition("e")
    box, has = Box("mn", (shown,)), ATOM
    if exponent:
        ten = Box("msup", (Box("mn", ("10",)), _row([Box("mo", ("−",)), Box("mn", (str(-int(exponent.replace("−", "-"))),))])))
        box, has = (ten, POWER) if shown == "1" else (_row([box, _sign("⋅"), ten]), TERM)
    if f.power == 0:
        return box, has
    n = Box("mi", ("N",))
    n = n if abs(f.power) == 1 else Box("msup", (n, Box("mn", (str(abs(f.power)),))))
    if f.power > 0:
        return (n, POWER) if f.value == 1 else (_row([box, Box("mspace"), n]), SCALED)
    return (_row([box, Box("mo", ("/",)), n]), TERM) if small else (Box("mfrac", (box, n)), POWER)


def _symbol(f: Symbol, above: Box | None = None) -> tuple[Box, int]:
    """A symbol where it is read: labels below it, or in brackets where it has a subscript or they are compound."""
    own, shown = name(f.name), Box("symbol", (scripted(name(f.name)),), f.name)
    above = Box("mi", ("⊤",)) if f.transposed else above
    fraction = own.base.tag == "mfrac"
    labels = [i.label if isinstance(i, Place) else None for i in f.index or ()]
    if labels and None not in labels and not own.below and not fraction:
        own = Name(own.base, _spaced([label_box(label) for label in labels if label]), own.above)
        shown = Box("symbol", (scripted(own),), f.name)
    elif labels:
        head = Box("fence", (shown,), "()") if fraction else shown
        inside = _listed(tree(i, small=True) for i in f.index or ())
        shown = _row([head, Box("fence", inside, "[]")])
        return (shown, ATOM) if above is None else (Box("msup", (Box("fence", (shown,), "()"), above)), POWER)
    if above is None:
        return shown, POWER if fraction or own.above else ATOM
    if fraction or own.above:
        return Box("msup", (Box("fence", (shown,), "()"), above)), POWER
    return Box("symbol", (scripted(Name(own.base, own.below, (above,))),), f.name), POWER


def label_box(of: str) -> Box:
    """A label."""
    return scripted(name(of))


def _spaced(boxes: Sequence[Box]) -> tuple[Box, ...]:
    out: list[Box] = []
    for box in boxes:
        out += [Box("mspace"), box] if out else [box]
    return tuple(out)


def _place(f: Place) -> tuple[Box, int]:
    parts: list[Box] = []
    for label, c in f.terms:
        if parts or c < 0:
            parts.append(_sign("−" if c < 0 else "+", "infix" if parts else "prefix"))
        parts += [Box("mn", (str(abs(c)),)), Box("mspace")] if abs(c) != 1 else []
        parts.append(label_box(label))
    if f.offset or not parts:
        if parts or f.offset < 0:
            parts.append(_sign("−" if f.offset < 0 else "+", "infix" if parts else "prefix"))
        parts.append(Box("mn", (str(abs(f.offset)),)))
    loose = len(f.terms) + bool(f.offset) > 1 or any(c < 0 for _, c in f.terms) or f.offset < 0
    has = SUM if loose else ATOM if len(parts) == 1 else SCALED
    if f.divisor == 1:
        return _row(parts), has
    top = Box("fence", (_row(parts),), "()") if loose else _row(parts)
    return _row([top, Box("mo", ("/",)), Box("mn", (str(f.divisor),))]), TERM


def _power(base: Formula, exponent: Formula) -> Box:
    above = tree(exponent, small=True)
    if isinstance(base, Symbol) and not base.transposed and isinstance(exponent, Number):
        return _symbol(base, above)[0]
    return Box("msup", (tree(base, ATOM), above))


def _under(operator: Box, labels: Sequence[str]) -> Box:
    return Box("munder", (operator, _row(_listed(map(label_box, labels)))))


def _call(f: Call, small: bool) -> tuple[Box, int]:
    args, (first, *others) = f.args, f.args
    match f.name:
        case "sqrt":
            return Box("msqrt", (tree(first, small=small),)), ATOM
        case "cbrt":
            return Box("mroot", (tree(first, small=small), Box("mn", ("3",)))), ATOM
        case "exp" if len(text(first)) <= 12 and not small:
            return Box("msup", (Box("mi", ("e",)), tree(first, small=True))), POWER
        case "exp2":
            return Box("msup", (Box("mn", ("2",)), tree(first, small=True))), POWER
        case "expm1":
            return _set(Sum(((1, Call("exp", args)), (-1, Number(1)))), small)
        case "log1p":
            return _set(Call("log", (Sum(((1, Number(1)), (1, first))),)), small)
        case "logaddexp":
            return _set(Call("log", (Sum(tuple((1, Call("exp", (a,))) for a in args)),)), small)
        case "floor_divide":
            return _set(Call("truncate", (Quotient(first, others[0]),)), small)
        case "abs" | "floor" | "ceil":
            return Box("fence", (tree(first, small=small),), FENCES[f.name]), ATOM
        case "number" | "isfinite" if f.name == "number":
            inside = Box("fence", (tree(first, small=small),), "[]")
            return _row([Box("mn", ("1",), "indicator"), inside]), ATOM
        case "and" | "or":
            sign = "∧" if f.name == "and" else "∨"
            return _row([_condition(first, SCALED), _sign(sign), _condition(others[0], SCALED)]), TERM
        case "not":
            return _row([Box("mo", ("¬",)), _condition(first, ATOM)]), SCALED
        case "where" if not small:
            return _cases(_choices(f)), CASES
        case "before" | "after" if not small:
            return _cases(_steps(f)), CASES
    return _applied(f, small), ATOM


def _applied(f: Call, small: bool) -> Box:
    """A function's name, the labels that it works along, and its arguments."""
    inside = list(_listed(tree(a, small=small) for a in f.args))
    if f.name.startswith("opaque "):
        head = Box("mtext", (f.name,), "opaque")
    elif f.name == "reshape":
        head = Box("name", ("reshape",))
        inside += [Box("mo", (";",)), *_listed(map(label_box, f.labels))]
    elif f.name == "prod":
        head = _under(Box("mo", ("∏",)), f.labels)
    elif f.name in UNDER and f.labels:
        head = _under(Box("name", (UNDER[f.name],)), f.labels)
    else:
        head = Box("name", (NAMED.get(f.name, f.name.replace("_", " ")),))
        head = Box("msub", (head, _row(_listed(map(label_box, f.labels))))) if f.labels else head
    return _row([head, Box("fence", tuple(inside), "()")])


def _condition(f: Formula, tightness: int = SUM) -> Box:
    """What must hold, without the 1 in front of it."""
    match f:
        case Test(relation, left, right):
            box = _row([tree(left, SUM), _sign(relation), tree(right, SUM)])
            return box if tightness <= SUM else Box("fence", (box,), "()")
        case Call("and" | "or" | "not"):
            return tree(f, tightness)
    return _row([tree(f, SUM), _sign("≠"), Box("mn", ("0",))])


def _choices(f: Formula) -> list[tuple[Box, Box]]:
    if isinstance(f, Call) and f.name == "where":
        condition = _row([Box("mtext", ("if ",)), _condition(f.args[0])])
        return [(tree(f.args[1], SUM), condition), *_choices(f.args[2])]
    return [(tree(f, SUM), Box("mtext", ("otherwise",)))]


def _steps(f: Call) -> list[tuple[Box, Box]]:
    """A value at the step before or after, and what it is where there is no such step."""
    (step,), (value, start) = f.labels, f.args
    shift = Place(((step, 1),), -1 if f.name == "before" else 1)
    head = tree(value, ATOM) if not isinstance(value, Symbol) or value.index else _symbol(value)[0]
    moved = _row([head, Box("fence", (tree(shift),), "[]")])
    first = [label_box(step), _sign("="), Box("mn", ("0",))] if f.name == "before" else [label_box(step)]
    first = [Box("mtext", ("if ",)), *first, *([] if f.name == "before" else [Box("mtext", (" is last",))])]
    return [(tree(start, SUM), _row(first)), (moved, Box("mtext", ("otherwise",)))]


def _cases(rows: Iterable[tuple[Box, Box]]) -> Box:
    return Box("mtable", tuple(Box("mtr", (Box("mtd", (a,)), Box("mtd", (b,)))) for a, b in rows))


def _sign(of: str, form: str = "infix") -> Box:
    return Box("mo", (of,), form)


def _row(boxes: Sequence[Box]) -> Box:
    return boxes[0] if len(boxes) == 1 else Box("mrow", tuple(boxes))


# --------------------------------------------------------------------------------------------- MathML
