"""The explanation in a terminal: aligned, at most ``width`` columns, repeated layers folded."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unicodedata import combining

from chainrule.equations.checks.verify import TOLERANCE
from chainrule.equations.prints.fold import folded
from chainrule.equations.prints.legend import FIRST, references

if TYPE_CHECKING:
    from chainrule.equations.explanation import ExplainedLine, Explanation

HEADINGS = {"forward": "Forward", "loss": "Loss", "backward": "Backward", "update": "Update"}
MARKS = {"verified": "✓", "opaque": "?", "failed": "✗"}
_COLORS = {"verified": "\x1b[32m", "opaque": "\x1b[33m", "failed": "\x1b[31m"}
_PLAIN, _FAINT, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"


def page(ex: "Explanation", width: int, fold: bool, color: bool, words: Mapping[int, str] | None = None) -> str:
    """All of an explanation; ``words`` for characters, where a terminal lacks them."""
    words = words or {}
    subject = ex.derivation.subject
    program = f"program: {subject.program}" if subject.program else ""
    out = [*textwrap.wrap(subject.title, width), *filter(None, [program])]
    if subject.preface:
        out += [
            "",
            _styled("Inputs", _BOLD, color),
            *(row for said in subject.preface for row in _wrapped(said, width)),
        ]
    for kind, heading in HEADINGS.items():
        lines = [_spelled(line, words) for line in ex.lines if line.kind == kind]
        if lines:
            out += ["", _styled(heading, _BOLD, color), *section(lines, width, fold, color, words)]
    out += ["", _styled("Legend", _BOLD, color)]
    out += [row for sentence in FIRST for row in _wrapped(sentence, width)]
    out += [row for note in ex.derivation.notes for row in _wrapped(note, width)]
    out += _wrapped(", ".join(f"{a} = {n}{' ' + words if words else ''}" for a, n, words in ex.axes), width, "axes: ")
    out += _legend(ex, width, fold, words)
    out += [row for reference in references(ex.lines) for row in _wrapped(reference, width)]
    return "\n".join([*out, "", *textwrap.wrap(ex.verdict, width), ""]).translate(words)


def _spelled(of: Any, words: Mapping[int, str]) -> Any:
    """A line or an entry with words in place of characters, before its width is measured."""
    said = ("symbol", "text", "words", "shape", "reason")
    return replace(of, **{k: v.translate(words) for k, v in vars(of).items() if k in said}) if words else of


def section(
    lines: "list[ExplainedLine]", width: int, fold: bool, color: bool, words: Mapping[int, str] | None = None
) -> list[str]:
    """Lines of one kind, formulas left, shapes and marks right."""
    out = []
    shape_width = max(len(line.shape) for line in lines)
    marks = {status: mark.translate(words or {}) for status, mark in MARKS.items()}
    symbol_width = min(14, max(len(_left(line)) for line in lines))
    for item in folded(lines) if fold else lines:
        if isinstance(item, str):
            out.append(_styled(f"  … {item}", _FAINT, color))
            continue
        room = width - shape_width - 5 - len(marks["verified"])
        rows = broken(item.text, room, symbol_width)
        mark = marks[item.status]
        tail = f"{item.shape:>{shape_width}} {_styled(mark, _COLORS[item.status], color)}"
        out.append(f"  {_padded(rows[0], room)}  {tail}")
        out += [f"  {row}" for row in rows[1:]]
        if item.status == "failed":
            out += _wrapped(item.reason, width, "    ✗ ")
    return out


def broken(line: str, room: int, symbol_width: int) -> list[str]:
    """A line in rows of at most ``room``, broken before operators, the equals signs below each other."""
    left, right = line.split(" = ", 1)
    head = f"{_padded(left, symbol_width)} = "
    indent = " " * (len(head) if len(head) < room // 2 else 4)
    words, rows, row = right.split(" "), [], head
    for k, word in enumerate(words):
        piece = word if row in (head, indent) else f" {word}"
        ahead = f" {words[k + 1]}" if word in _OPERATORS and k + 1 < len(words) else ""
        if len(row) + len(piece) + len(ahead) > room and row.strip() and row != head:
            rows.append(row)
            row, piece = indent, word
        row += piece
    return [*rows, row]


_OPERATORS = frozenset("+ − ⊙ * /".split())


def verdict(ex: "Explanation") -> str:
    """One sentence on the checks."""
    lines = ex.lines
    counts = {status: sum(line.status == status for line in lines) for status in MARKS}
    total, worst = len(lines), max((e for line in lines for e in line.errors.values()), default=0.0)
    if ex.verified:
        return (
            f"All {total} lines verified: value, gradient by autodiff, and the printed text, in float64; largest "
            f"relative error {worst:.0e} (limit {TOLERANCE:.0e})."
        )
    parts = [f"{counts['verified']} of {total} lines verified"]
    if counts["opaque"]:
        parts.append(f"{counts['opaque']} opaque (computed, not derived)")
    if counts["failed"]:
        parts.append(f"{counts['failed']} FAILED: do not trust them, nor those that use them")
    return "; ".join(parts) + "."


def _padded(shown: str, width: int) -> str:
    """The text with blanks to a width; marks above letters take no room."""
    return shown + " " * (width - sum(not combining(c) for c in shown))


def _left(line: "ExplainedLine") -> str:
    return line.text.split(" = ", 1)[0]


def _legend(ex: "Explanation", width: int, fold: bool, words: Mapping[int, str]) -> list[str]:
    entries = [e for e in ex.legend if not e.symbol.startswith(("δ", "∂"))]  # what these mean is said above
    entries = [_spelled(e, words) for e in entries]
    symbol = min(12, max((len(e.symbol) for e in entries), default=0))
    shape = max((len(e.shape) for e in entries), default=0)
    out = []
    for e in folded(entries) if fold else entries:
        if isinstance(e, str):
            out.append(f"  … {e}")
            continue
        out += _wrapped(
            f"{e.words} ({e.place})" if e.place else e.words,
            width,
            f"  {_padded(e.symbol, symbol)}  {e.shape:<{shape}}  ",
        )
    return out


def _wrapped(sentence: str, width: int, start: str = "  ") -> list[str]:
    if not sentence:
        return [start.rstrip()]
    return textwrap.wrap(sentence, width, initial_indent=start, subsequent_indent=" " * len(start))


def _styled(shown: str, style: str, color: bool) -> str:
    return f"{style}{shown}{_PLAIN}" if color else shown
