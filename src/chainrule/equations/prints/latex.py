"""Formulas as LaTeX, for documents that use amsmath: written from the boxes of ``mathml``."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from chainrule.equations.formula import Formula, Line
from chainrule.equations.prints.mathml import Box, left, name, scripted, tall, terms, tree

WIDEST = 68
"""Characters that one printed line holds; longer ones are broken before a + or a ⊙ outside of brackets."""

_OPERATORS = frozenset("log exp sin cos tan sinh cosh tanh arcsin arccos arctan max min".split())
_SIGNS = {
    "⊙": r"\odot",
    "⋅": r"\cdot",
    "−": "-",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "∧": r"\land",
    "∨": r"\lor",
    "¬": r"\lnot",
    "∑": r"\sum",
    "∏": r"\prod",
    "∂": r"\partial",
    "∞": r"\infty",
    "⊤": r"\top",
    "ℓ": r"\ell",
    "′": r"\prime",
    "𝟙": r"\mathbf{1}",  # \mathbb has no digits in pdflatex's fonts
}
_ACCENTS = {"~": r"\tilde", "¯": r"\bar", "^": r"\hat", "˙": r"\dot"}
_LATIN = {"alpha": "A", "beta": "B", "epsilon": "E", "zeta": "Z", "eta": "H", "iota": "I", "kappa": "K", "mu": "M"}
_LATIN |= {"nu": "N", "omicron": "O", "rho": "P", "tau": "T", "chi": "X"}
_BRACKETS = {"⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil"}
_WORDS = _SIGNS | {
    "ᵀ": r"^{\top}",
    "₋": "^{-}",
    "₊": "^{+}",
    "√": r"\sqrt{\,}",
    "×": r"\times",
    "→": r"\to",
    "Σ": r"\sum",
}
_WORDS |= {c: f"^{k}" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} | {c: f"_{k}" for k, c in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_ESCAPES = {c: "\\" + c for c in "#$%&_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def line(of: Line) -> str:
    r"""One line: ``z_{1} = x \, W_{1} + b_{1}``."""
    return f"{_written(left(of))} = {formula(of.formula)}"


def formula(f: Formula) -> str:
    """A formula in LaTeX's math mode."""
    return _written(tree(f))


def symbol(of: str) -> str:
    """A symbol alone."""
    return _written(scripted(name(of)))


def document(
    groups: Sequence[tuple[str, Sequence[Line]]], legend: Sequence[tuple[str, str, str]] = (), title: str = ""
) -> str:
    """A document for pdflatex: a section with aligned equations for each group, and a legend.

    ``groups`` have a heading and lines each; the legend's entries are a symbol, its shape and words about it.
    """
    parts = [_HEAD]
    parts += [rf"\section*{{{plain(title)}}}"] if title else []
    for heading, lines in groups:
        if lines:
            parts += [rf"\subsection*{{{plain(heading)}}}", r"\begin{align*}"]
            parts += [" \\\\\n".join(map(_aligned, lines)), r"\end{align*}"]
    if legend:
        rows = [rf"${symbol(s)}$ & {plain(shape)} & {plain(words)} \\" for s, shape, words in legend]
        parts += [
            r"\subsection*{Symbols}",
            r"\renewcommand{\arraystretch}{1.4}",
            r"\begin{longtable}{@{}llp{0.6\textwidth}@{}}",
            *rows,
            r"\end{longtable}",
        ]
    return "\n".join([*parts, r"\end{document}", ""])


_HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{amsmath, amssymb, longtable}
\usepackage[margin=2.5cm]{geometry}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\begin{document}"""


def _aligned(of: Line) -> str:
    """A line with its = aligned, broken where it is too long: before a term, or within one that is too long itself."""
    rows, used = [f"{_written(left(of))} &= "], width(left(of)) + 2
    for k, term in enumerate(terms(of.formula)):
        whole = [Box("mrow", tuple(term))]
        for j, part in enumerate(whole if width(whole[0]) <= WIDEST - 4 else term):
            if k + j and used + width(part) > WIDEST:
                rows.append(r"&\quad")
                used = 4
            rows[-1] = _next(rows[-1], _written(part))
            used += width(part)
    return " \\\\\n".join(row.strip() for row in rows)


def width(of: Box | str) -> float:
    """About how many characters wide a box is."""
    if isinstance(of, str):
        return len(of)
    widths = [width(part) for part in of.parts]
    match of.tag:
        case "mfrac" | "munder":
            return max(widths)
        case "mtable":
            return max(sum(width(cell) for cell in row.parts) for row in of.parts if isinstance(row, Box)) + 2
        case "msub" | "msup":
            return widths[0] + 0.7 * widths[1]
        case "msubsup":
            return widths[0] + 0.7 * max(widths[1:])
        case "fence":
            return sum(widths) + 2
        case "mo" if of.note == "infix":
            return 3
    return sum(widths)


def _written(of: Box | str) -> str:
    if isinstance(of, str):
        return _letters(of)
    parts = [_written(part) for part in of.parts]
    match of.tag:
        case "mi":
            return _name(of.parts[0], r"\mathrm")  # type: ignore[arg-type]
        case "name":
            return _name(of.parts[0], r"\operatorname")  # type: ignore[arg-type]
        case "mo" if of.note == "postfix":
            return "'"
        case "mo":
            return f" {parts[0]} " if of.note == "infix" else parts[0] + " " * (parts[0] in ",;")
        case "mtext":
            return rf"\text{{{plain(of.parts[0])}}}"  # type: ignore[arg-type]
        case "mspace":
            return r"\,"
        case "fence":
            return _fence(of, _sequence(parts))
        case "mfrac":
            return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
        case "msqrt":
            return rf"\sqrt{{{parts[0]}}}"
        case "mroot":
            return rf"\sqrt[{parts[1]}]{{{parts[0]}}}"
        case "mover":
            return f"{_ACCENTS[of.parts[1].parts[0]]}{{{parts[0]}}}"  # type: ignore[union-attr, index]
        case "munder":
            operator = parts[0].replace(r"\operatorname{", r"\operatorname*{")
            return f"{operator}_{{{parts[1]}}} "
        case "msub" | "msup" | "msubsup":
            return _scripts(of, parts)
        case "mtable":
            rows = r" \\ ".join(parts)
            return rf"\begin{{cases}} {rows} \end{{cases}}"
        case "mtr":
            return " & ".join(parts)
    return _sequence(parts)


def _scripts(of: Box, parts: Sequence[str]) -> str:
    base, *scripts = parts
    base = f"{{{base}}}" if base.endswith("'") else base
    below = f"_{{{scripts[0]}}}" if of.tag != "msup" else ""
    return base + below + (f"^{{{scripts[-1]}}}" if of.tag != "msub" else "")


def _fence(of: Box, inside: str) -> str:
    before, after = (_BRACKETS.get(c, c) for c in of.note)
    if tall(of):
        return rf"\left{before} {inside} \right{after}"
    return _next(before, inside) + after


def _sequence(parts: Iterable[str]) -> str:
    out = ""
    for part in parts:
        out = _next(out, part)
    return out


def _next(out: str, part: str) -> str:
    """Two pieces side by side: a command is kept apart from a letter that follows it."""
    apart = re.search(r"\\[a-zA-Z]+$", out) and part[:1].isalpha()
    return f"{out}{' ' if apart else ''}{part}"


def _name(of: str, command: str) -> str:
    if of in _OPERATORS:
        return "\\" + of
    shown = _letters(of)
    return shown if len(of) == 1 else rf"{command}{{{shown}}}"


def _letters(of: str) -> str:
    return _sequence(_letter(c) for c in of)


def _letter(c: str) -> str:
    """A character in math mode."""
    if c in _SIGNS or c == " ":
        return _SIGNS.get(c, r"\,")
    if c.isascii() and c not in "\\~^":
        return c if c in "<>" else _ESCAPES.get(c, c)
    return _greek(c) or rf"\text{{{plain(c)}}}"


def _greek(c: str) -> str:
    """The command for a Greek letter; nothing for what is none. Capitals that look Latin have no command."""
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(c, ""))
    if not found:
        return ""
    letter = found[2].lower().replace("lamda", "lambda")
    if found[1] == "SMALL":
        return "o" if letter == "omicron" else "\\" + letter
    return rf"\mathrm{{{_LATIN[letter]}}}" if letter in _LATIN else "\\" + letter.capitalize()


def plain(words: str) -> str:
    """Words as LaTeX's text; a character that pdflatex's fonts lack is named by its number."""
    return "".join(map(_plain, unicodedata.normalize("NFC", words)))


def _plain(c: str) -> str:
    if c in _WORDS or _greek(c):
        return rf"\ensuremath{{{_WORDS.get(c) or _greek(c)}}}"
    if c in _ESCAPES or c == "\u00a0":
        return _ESCAPES.get(c, "~")
    latin = ord(c) < 0x180 and "LATIN" in unicodedata.name(c, "")
    return c if c.isascii() or latin or c in "–—…’" else f"U+{ord(c):04X}"
