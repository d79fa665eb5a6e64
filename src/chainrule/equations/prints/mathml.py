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
from chainrule.equations.prints.text import NAMES, digits, text


@dataclass(frozen=True)
class Box:
    """A piece of print: an element of MathML, or a "symbol" (``note``: its name), "fence" (its brackets), "name"."""

    tag: str
    parts: "tuple[Box | str, ...]" = ()
    note: str = ""


Link = Callable[[str], str | None]
"""From the name of a symbol to the address of its definition."""

CASES, SUM, TERM, SCALED, POWER, ATOM = range(6)
"""How tightly a formula holds together: cases, a + b, a ⊙ b, 2 a, a² or a fraction, a."""

COMMA, SPACE, SLASH = Box("mo", (",",)), Box("mspace"), Box("mo", ("/",))
IF, OTHERWISE = Box("mtext", ("if\u00a0",)), Box("mtext", ("otherwise",))
FENCES = {"abs": "||", "floor": "⌊⌋", "ceil": "⌈⌉"}
UNDER = {"max": "max", "min": "min", "argmax": "arg max", "argmin": "arg min", "prod": "∏", "any": "any", "all": "all"}
"""Functions along axes whose labels stand below them."""

_OTHERS = "maximum=max minimum=min digamma=ψ truncate=trunc remainder=rem asinh=arsinh arccosh=arcosh arctanh=artanh"
PRINTED = NAMES | {"arcsinh": "arsinh", "lgamma": "log Γ"} | dict(re.findall(r"(\S+)=(\S+)", _OTHERS))

_ACCENTS = {"\u0303": "~", "\u0304": "¯", "\u0305": "¯", "\u0302": "^", "\u0307": "˙"}
_RAISED = {ord(c): str(k) for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_LETTER = r"[^\W\d_⁰¹²³⁴-⁹₀-₉]"
_NAME = re.compile(
    rf"(?P<base>(?:{_LETTER}[\u0300-\u036f]*)+)(?P<power>[⁰¹²³⁴-⁹]*)(?P<mark>[₋₊′″‴]*)"
    rf"(?P<number>\d*)(?P<letters>{_LETTER}*)(?P<words>(?:_[^\W_]+)*)(?P<marks>[₋₊′″‴]*)"
)
_MATRIX = re.compile(r"([WUV])([a-z]{1,2})")
"""Wx and Whh are W with the subscripts x and hh; other names of several letters are words."""
_TALL = frozenset("mfrac munder mtable msqrt mroot".split())

Name = tuple[Box, tuple[Box, ...], tuple[Box, ...]]
"""A name taken apart: what stands on the line, below it and above it."""


def name(of: str) -> Name:
    """The parts of a name: δz1 is δ with z1 below, ∂L/∂W1 a fraction, and h₋ has a minus above."""
    if of.startswith("∂") and "/∂" in of:
        sides = (_row([Box("mo", ("∂",)), scripted(name(part))]) for part in of[1:].split("/∂", 1))
        return Box("mfrac", tuple(sides)), (), ()
    if of[0] == "δ" and len(of) > 1 and of[1].isalpha():
        return Box("mi", ("δ",)), (scripted(name(of[1:])),), ()
    found = _NAME.fullmatch(unicodedata.normalize("NFD", of))
    if not found:
        return Box("mi", (of,)), (), ()
    base, words = found["base"], found["words"].split("_")[1:]
    while len(base) > 1 and not found["number"] and words and len(words[0]) > 1 and not words[0].isdigit():
        base += "_" + words.pop(0)  # dense_kernel is one word
    first = [_word(w) for w in (found["number"], found["letters"]) if w]
    below = [_row(first)] * bool(first) + [_word(w) for w in words]
    if matrix := _MATRIX.fullmatch(base):
        base, below = matrix[1], [_word(matrix[2]), *below]
    marks = found["mark"] + found["marks"]
    above = [Box("mn", (found["power"].translate(_RAISED),))] if found["power"] else []
    above += [Box("mo", ("−" if mark == "₋" else "+",)) for mark in marks if mark in "₋₊"]
    primes = [Box("mo", ("′",), "postfix")] * sum(" ′″‴".index(mark) for mark in marks if mark in "′″‴")
    return _row([_word(base), *primes]), _joined(below), tuple(above)


def _word(of: str) -> Box:
    if of.isdigit():
        return Box("mn", (of,))
    if len(of) == 2 and of[1] in _ACCENTS:
        return Box("mover", (Box("mi", (of[0],)), Box("mo", (_ACCENTS[of[1]],))))
    return Box("mi", (unicodedata.normalize("NFC", of),))


def scripted(of: Name) -> Box:
    """The parts of a name as one box."""
    base, below, above = of
    if below and above:
        return Box("msubsup", (base, _row(below), _row(above)))
    return Box("msub", (base, _row(below))) if below else Box("msup", (base, _row(above))) if above else base


def label(of: str) -> Box:
    """A label."""
    return scripted(name(of))


def left(of: Line) -> Box:
    """The left side of a line, with its labels where the line is indexed."""
    return tree(Symbol(of.symbol, tuple(Place(((label, 1),)) for label in of.labels) if of.indexed else None))


def tree(f: Formula, tightness: int = CASES, small: bool = False, last: bool = True) -> Box:
    """A formula, in brackets when it holds together less than ``tightness``.

    ``small``: within a script, where fractions have no room; ``last``: nothing follows that a sum would swallow.
    """
    box, has = _set(f, small)
    return box if has >= tightness and (last or not _open(f)) else Box("fence", (box,), "()")


def tall(of: Box | str) -> bool:
    """Whether a box is too high for brackets of the usual size."""
    return isinstance(of, Box) and (of.tag in _TALL or any(map(tall, of.parts)))


def _open(f: Formula) -> bool:
    """Whether the end of a formula is that of a sum over labels."""
    match f:
        case Product((*_, end)) | Negative(end):
            return _open(end)
        case Total() | Quotient(Total() | Product((Number(), Total())), Number()):
            return True
    return False


def _set(f: Formula, small: bool) -> tuple[Box, int]:
    match f:
        case Number():
            return _number(f, small)
        case Symbol():
            return _symbol(f)
        case Place():
            return _place(f)
        case Sum() | Negative():
            return _row(pieces(f, small)), SUM
        case Product(factors):
            scaled = isinstance(factors[0], Number) and len(factors) == 2
            return _row(pieces(f, small)), SCALED if scaled else TERM
        case Quotient(Total() | Product((Number(), Total())) as top, Number() as bottom):
            *number, total = top.factors if isinstance(top, Product) else (top,)
            ahead = tree(Quotient(number[0] if number else Number(1), bottom), POWER, small)
            return _row([ahead, SPACE, tree(total, POWER, small)]), SCALED
        case Quotient(top, bottom):
            if small:
                return _row([tree(top, TERM, True, False), SLASH, tree(bottom, POWER, True, False)]), TERM
            return Box("mfrac", (tree(top), tree(bottom))), POWER
        case Matrix(a, b):
            return _row([tree(a, POWER), SPACE, tree(b, POWER)]), SCALED
        case Power(base, exponent):
            above = tree(exponent, small=True)
            if isinstance(base, Symbol) and not base.transposed and isinstance(exponent, Number):
                return _symbol(base, above)[0], POWER
            return Box("msup", (tree(base, ATOM), above)), POWER
        case Total():
            return _row(pieces(f, small)), POWER
        case Test():
            return _indicator(f), ATOM
        case Call():
            return _call(f, small)
    raise TypeError(f)


def terms(f: Formula, small: bool = False) -> list[list[Box]]:
    """A formula in its terms, before which a line is best broken, each in parts before which it may be."""
    out: list[list[Box]] = []
    for sign, term in f.terms if isinstance(f, Sum) else ():
        mark = [_sign("+" if sign > 0 else "−", "infix" if out else "prefix")] if out or sign < 0 else []
        first, *rest = _split(term, small)
        out.append([_row([*mark, first]), *rest])
    return out or [pieces(f, small)]


def pieces(f: Formula, small: bool = False) -> list[Box]:
    """A formula in the parts between which a line may be broken."""
    match f:
        case Sum():
            return [piece for term in terms(f, small) for piece in term]
        case Product((Number() as first, second, *rest)) if first.value >= 0:
            bare = isinstance(second, Number) or (isinstance(second, Power) and isinstance(second.base, Number))
            between = _sign("⋅") if bare else SPACE
            head = [tree(first, SCALED, small), between, tree(second, POWER, small, not rest)]
            return [_row(head), *_factors(rest, small)]
        case Product((first, *rest)):
            return [tree(first, TERM, small, not rest), *_factors(rest, small)]
        case Negative(body) | Total(_, body):
            sign = _under(Box("mo", ("∑",)), f.labels) if isinstance(f, Total) else _sign("−", "prefix")
            first, *rest = _split(body, small)
            return [_row([sign, first]), *rest]
    return [tree(f, small=small)]


def _split(f: Formula, small: bool) -> list[Box]:
    """The parts of what follows a sign or a sum sign: a product's and a sum's own, else one."""
    return pieces(f, small) if isinstance(f, Product | Total) else [tree(f, TERM, small)]


def _factors(factors: Sequence[Formula], small: bool) -> list[Box]:
    last = len(factors) - 1
    return [_row([_sign("⊙"), tree(f, SCALED, small, k == last)]) for k, f in enumerate(factors)]


def _number(f: Number, small: bool) -> tuple[Box, int]:
    if f.value < 0:
        return _row(pieces(Negative(Number(-f.value, f.power)), small)), SUM
    shown, _, tens = digits(f.value).partition("e")
    box, has = Box("mi" if shown == "NaN" else "mn", (shown,)), ATOM
    if tens:
        power = Box("msup", (Box("mn", ("10",)), tree(Number(int(tens.replace("−", "-"))))))
        box, has = (power, POWER) if shown == "1" else (_row([box, _sign("⋅"), power]), SCALED)
    if f.power == 0:
        return box, has
    n = scripted((Box("mi", ("N",)), (), (Box("mn", (str(abs(f.power)),)),) if abs(f.power) > 1 else ()))
    if f.power > 0:
        return (n, POWER) if f.value == 1 else (_row([box, SPACE, n]), SCALED)
    return (_row([box, SLASH, n]), TERM) if small else (Box("mfrac", (box, n)), POWER)


def _symbol(f: Symbol, above: Box | None = None) -> tuple[Box, int]:
    """A symbol where it is read: labels below it, or in brackets where it has a subscript or they are compound."""
    base, below, own = name(f.name)
    above = Box("mi", ("⊤",)) if f.transposed else above
    fraction = base.tag == "mfrac"
    brackets = below or fraction or not all(isinstance(i, Place) and i.label for i in f.index or ())
    if f.index and not brackets:
        below = _joined((tree(i) for i in f.index), SPACE)
    if above and not own and not fraction and not (f.index and brackets):
        return Box("symbol", (scripted((base, below, (above,))),), f.name), POWER
    shown, has = Box("symbol", (scripted((base, below, own)),), f.name), POWER if fraction or own else ATOM
    if f.index and brackets:
        inside = Box("fence", _joined(tree(i, small=True) for i in f.index), "[]")
        shown, has = _row([Box("fence", (shown,), "()") if fraction else shown, inside]), ATOM
    base = shown if has == ATOM else Box("fence", (shown,), "()")
    return (Box("msup", (base, above)), POWER) if above else (shown, has)


def _place(f: Place) -> tuple[Box, int]:
    out: list[Box] = []
    for letter, c in [*f.terms, ("", f.offset)] if f.offset or not f.terms else f.terms:
        if out or c < 0:
            out.append(_sign("−" if c < 0 else "+", "infix" if out else "prefix"))
        out += [Box("mn", (str(abs(c)),))] if abs(c) != 1 or not letter else []
        out += [SPACE] if abs(c) != 1 and letter else []
        out += [label(letter)] if letter else []
    loose = any(box.note for box in out)
    if f.divisor == 1:
        return _row(out), SUM if loose else ATOM if len(out) == 1 else SCALED
    return _row([Box("fence", (_row(out),), "()") if loose else _row(out), SLASH, Box("mn", (str(f.divisor),))]), TERM


_MEANINGS: dict[str, Callable[..., Formula]] = {
    "exp2": lambda a: Power(Number(2), a),
    "expm1": lambda a: Sum(((1, Call("exp", (a,))), (-1, Number(1)))),
    "log1p": lambda a: Call("log", (Sum(((1, Number(1)), (1, a))),)),
    "logaddexp": lambda a, b: Call("log", (Sum(((1, Call("exp", (a,))), (1, Call("exp", (b,))))),)),
    "floor_divide": lambda a, b: Call("truncate", (Quotient(a, b),)),
}


def _call(f: Call, small: bool) -> tuple[Box, int]:
    args, (first, *others) = f.args, f.args
    if f.name in _MEANINGS:
        return _set(_MEANINGS[f.name](*args), small)
    match f.name:
        case "sqrt" | "cbrt":
            inside, third = tree(first, small=small), Box("mn", ("3",))
            return Box("mroot", (inside, third)) if f.name == "cbrt" else Box("msqrt", (inside,)), ATOM
        case "exp" if len(text(first)) <= 12 and not small:
            return Box("msup", (Box("mi", ("e",)), tree(first, small=True))), POWER
        case "abs" | "floor" | "ceil":
            return Box("fence", (tree(first, small=small),), FENCES[f.name]), ATOM
        case "number":
            return _indicator(first), ATOM
        case "and" | "or":
            sign = _sign("∧" if f.name == "and" else "∨")
            return _row([_condition(first, SCALED), sign, _condition(others[0], SCALED)]), TERM
        case "not":
            return _row([Box("mo", ("¬",)), _condition(first, ATOM)]), SCALED
        case "where" if not small:
            return _cases(_choices(f)), CASES
        case "before" | "after" if not small:
            return _cases(_steps(f)), CASES
    return _applied(f, small), ATOM


def _applied(f: Call, small: bool) -> Box:
    """A function's name, the labels that it works along, and its arguments."""
    inside = _joined(tree(a, small=small) for a in f.args)
    head = Box("name", (PRINTED.get(f.name, f.name.replace("_", " ")),))
    if f.name.startswith("opaque "):
        head = Box("mtext", (f.name,), "opaque")
    elif f.name == "reshape":
        inside += (Box("mo", (";",)), *_joined(map(label, f.labels)))
    elif f.name in UNDER and f.labels:
        head = _under(Box("mo" if f.name == "prod" else "name", (UNDER[f.name],)), f.labels)
    elif f.labels:
        head = Box("msub", (head, _row(_joined(map(label, f.labels)))))
    return _row([head, Box("fence", inside, "()")])


def _under(operator: Box, labels: Iterable[str]) -> Box:
    return Box("munder", (operator, _row(_joined(map(label, labels)))))


def _indicator(f: Formula) -> Box:
    return _row([Box("mn", ("𝟙",)), Box("fence", (_condition(f),), "[]")])


def _condition(f: Formula, tightness: int = SUM) -> Box:
    """What must hold, without the 1 in front of it."""
    match f:
        case Test(relation, a, b):
            box = _row([tree(a, SUM), _sign(relation), tree(b, SUM)])
            return box if tightness <= SUM else Box("fence", (box,), "()")
        case Call("and" | "or" | "not" | "isfinite" | "any" | "all"):
            return tree(f, tightness)
    return _condition(Test("≠", f, Number(0)), tightness)


def _choices(f: Formula) -> list[tuple[Box, Box]]:
    if isinstance(f, Call) and f.name == "where":
        return [(tree(f.args[1], SUM), _row([IF, _condition(f.args[0])])), *_choices(f.args[2])]
    return [(tree(f, SUM), OTHERWISE)]


def _steps(f: Call) -> list[tuple[Box, Box]]:
    """A value at the step before or after, and what it is where there is no such step."""
    (step,), (value, start) = f.labels, f.args
    shift = tree(Place(((step, 1),), -1 if f.name == "before" else 1))
    moved = _row([tree(value, ATOM), Box("fence", (shift,), "[]")])
    end = [_sign("="), Box("mn", ("0",))] if f.name == "before" else [Box("mtext", ("\u00a0is last",))]
    return [(tree(start, SUM), _row([IF, label(step), *end])), (moved, OTHERWISE)]


def _cases(rows: Iterable[tuple[Box, Box]]) -> Box:
    return Box("mtable", tuple(Box("mtr", tuple(Box("mtd", (cell,)) for cell in row)) for row in rows))


def _sign(of: str, form: str = "infix") -> Box:
    return Box("mo", (of,), form)


def _row(boxes: Sequence[Box]) -> Box:
    return boxes[0] if len(boxes) == 1 else Box("mrow", tuple(boxes))


def _joined(boxes: Iterable[Box], between: Box = COMMA) -> tuple[Box, ...]:
    return tuple(part for box in boxes for part in (between, box))[1:]


def formula(f: Formula, link: Link = lambda name: None) -> str:
    """A formula as one ``<math>`` element; each symbol is a link where ``link`` knows its address."""
    return written([tree(f)], link)


def written(boxes: Iterable[Box], link: Link = lambda name: None) -> str:
    """Boxes as one ``<math>`` element."""
    return f'<math displaystyle="true">{"".join(_element(box, link) for box in boxes)}</math>'


_ATTRIBUTES = {"mspace": ' width="0.2em"', "mover": ' accent="true"', "mtable": ' class="cases"'}
_ATTRIBUTES |= dict.fromkeys("⊙⋅", ' lspace="0.2222em" rspace="0.2222em"')  # which browsers leave out


def _element(of: Box | str, link: Link) -> str:
    if isinstance(of, str):
        return escape(of.replace(" ", "\u2009"))
    inside = "".join(_element(part, link) for part in of.parts)
    match of.tag:
        case "symbol":  # browsers do not follow links of MathML's own elements, but those of HTML inside of them
            address = link(of.note)
            if address is None:
                return f'<mrow class="symbol">{inside}</mrow>'
            return f'<mi class="symbol"><a href="{escape(address)}"><math>{inside}</math></a></mi>'
        case "fence":
            stretchy = str(tall(of)).lower()
            before, after = (f'<mo form="{form}" stretchy="{stretchy}">' for form in ("prefix", "postfix"))
            return f"<mrow>{before}{of.note[0]}</mo>{inside}{after}{of.note[1]}</mo></mrow>"
    note = f' {"form" if of.tag == "mo" else "class"}="{of.note}"' if of.note else ""
    tag = "mi" if of.tag == "name" else of.tag
    element = f"<{tag}{note}{_ATTRIBUTES.get(inside if tag == 'mo' else tag, '')}>{inside}</{tag}>"
    return f'<mrow><mo form="prefix">{{</mo>{element}</mrow>' if of.tag == "mtable" else element
