"""Formulas as Unicode text: the notation is fixed in ``docs/notation.md``, and the checks read it back from there."""

import math

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

_SUPERSCRIPTS = dict(enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹"))
NAMES = {
    "sigmoid": "σ",
    "sqrt": "√",
    "relu": "ReLU",
    "silu": "SiLU",
    "binary_cross_entropy": "BCE",
    "gelu": "GELU",
    "normal_cdf": "Φ",
    "normal_pdf": "φ",
    "arcsinh": "asinh",
}
"""Functions whose name in print is not their own."""

SUM, TERM, SCALED, POWER, ATOM = range(1, 6)
"""How tightly a formula holds together: a + b, a ⊙ b, a b, a², a."""


def line(of: Line) -> str:
    """One line: ``z1 = x W1 + b1``."""
    left = f"{of.symbol}[{', '.join(of.labels)}]" if of.indexed and of.labels else of.symbol
    return f"{left} = {text(of.formula)}"


def text(f: Formula, tightness: int = SUM) -> str:
    """A formula, in brackets when it holds together less than ``tightness``."""
    shown, has = _shown(f)
    return shown if has >= tightness else f"({shown})"


def _shown(f: Formula) -> tuple[str, int]:
    match f:
        case Number():
            return _number(f)
        case Symbol(name, index, transposed):
            read = "" if index is None else "[" + ", ".join(text(i) for i in index) + "]"
            return f"{name}{read}{'ᵀ' if transposed else ''}", ATOM
        case Place():
            return _place(f)
        case Sum(terms):
            return _sum(terms), SUM
        case Negative(body):
            return f"−{text(body, TERM)}", SUM
        case Product(factors):
            return _product(factors)
        case Quotient(top, bottom):
            return f"{text(top, TERM)} / {text(bottom, POWER)}", TERM
        case Matrix(left, right):
            return f"{text(left, POWER)} {text(right, POWER)}", SCALED
        case Power(base, exponent):
            return _power(base, exponent), POWER
        case Total(labels, body):
            return f"Σ_{_labels(labels)} {text(body, ATOM)}", POWER
        case Test(relation, left, right):
            return f"1[{text(left)} {relation} {text(right)}]", ATOM
        case Call(name, args, labels):
            inside = ", ".join(text(a) for a in args)
            if name == "reshape":
                return f"reshape({inside}; {', '.join(labels)})", ATOM
            return f"{NAMES.get(name, name)}{'_' + _labels(labels) if labels else ''}({inside})", ATOM
    raise TypeError(f)


def _labels(labels: tuple[str, ...]) -> str:
    return labels[0] if len(labels) == 1 else "{" + ",".join(labels) + "}"


def _number(f: Number) -> tuple[str, int]:
    if f.power == 0:
        return (digits(f.value), ATOM) if f.value >= 0 else (f"−{digits(-f.value)}", SUM)
    n = "N" if abs(f.power) == 1 else "N" + "".join(_SUPERSCRIPTS[int(c)] for c in str(abs(f.power)))
    if f.power > 0:
        return (n, POWER) if f.value == 1 else (f"{digits(f.value)} {n}", SCALED)
    return f"{digits(f.value)} / {n}", TERM


def digits(value: float) -> str:
    """The shortest decimal that is read back as the same number."""
    if isinstance(value, bool):
        return str(int(value))
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value)).replace("-", "−")


def _place(f: Place) -> tuple[str, int]:
    out = ""
    for label, c in f.terms:
        one = label if abs(c) == 1 else f"{abs(c)} {label}"
        out += (" − " if c < 0 else " + ") + one if out else ("−" if c < 0 else "") + one
    if f.offset or not out:
        out += (f" {'+' if f.offset > 0 else '−'} {abs(f.offset)}") if out else str(f.offset).replace("-", "−")
    if f.divisor == 1:
        simple = len(f.terms) + bool(f.offset) == 1 and not out.startswith("−") and " " not in out
        return out, ATOM if simple or out.isdigit() else SUM
    return f"{out} / {f.divisor}" if out.isalnum() else f"({out}) / {f.divisor}", TERM


def _sum(terms: tuple[tuple[int, Formula], ...]) -> str:
    out = ""
    for sign, f in terms:
        body = text(f, TERM)
        out += (" + " if sign > 0 else " − ") + body if out else ("" if sign > 0 else "−") + body
    return out


def _product(factors: tuple[Formula, ...]) -> tuple[str, int]:
    """Single numbers beside what they multiply, ⊙ between arrays."""
    beside = [f for f in factors if _single(f)]
    arrays = [f for f in factors if not _single(f)] or [beside.pop()]
    if not beside:
        return " ⊙ ".join(text(f, TERM if k == 0 else SCALED) for k, f in enumerate(factors)), TERM
    head = " ".join([*(text(f, SCALED if k == 0 else POWER) for k, f in enumerate(beside)), text(arrays[0], POWER)])
    return (head, SCALED) if len(arrays) == 1 else (" ⊙ ".join([head, *(text(f, SCALED) for f in arrays[1:])]), TERM)


def _single(f: Formula) -> bool:
    """Whether a factor is a number that may stand beside another: 2, 3 N, η."""
    return isinstance(f, Symbol) and f.single or isinstance(f, Number) and f.power >= 0 and f.value >= 0


def _power(base: Formula, exponent: Formula) -> str:
    shown = text(base, ATOM)
    if isinstance(exponent, Number) and exponent.power == 0 and float(exponent.value).is_integer():
        if 1 < exponent.value < 100:
            return shown + "".join(_SUPERSCRIPTS[int(c)] for c in str(int(exponent.value)))
    return f"{shown}^{text(exponent, ATOM)}"
