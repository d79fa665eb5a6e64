"""An explanation as a page of HTML: numbered lines, then a legend to which every symbol leads. No script, no network.

On the page, a symbol under the pointer shows how it is computed, its shape, what it is, and its numbers.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from zlib import crc32

from chainrule.equations.formula import Line, Symbol
from chainrule.equations.prints import latex, mathml, text
from chainrule.equations.prints.mathml import Box, Link
from chainrule.equations.prints.page_style import SCOPE, STYLE

FOLDED = 40
"""A section with more lines than this shows its layers closed."""

WHOLE = 50
"""A term of at most so many characters is kept on one line where the page is wide."""

STATUSES = {"verified": ("✓", "verified"), "opaque": ("○", "not derived"), "failed": ("✗", "failed")}


@dataclass(frozen=True)
class Row:
    """One printed line: its shape, plain words about it, what its checks say, and its layer."""

    line: Line
    shape: str
    words: str
    status: str
    """verified, opaque or failed."""
    place: str
    values: str = ""
    """Numbers, shown under the pointer."""


@dataclass(frozen=True)
class Entry:
    """One symbol of the legend."""

    symbol: str
    shape: str
    words: str
    values: str = ""


@dataclass(frozen=True)
class View:
    """What the page shows: groups are sections with their lines; axes have a label, a length and words each."""

    title: str
    verdict: str
    notes: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    legend: tuple[Entry, ...]
    axes: tuple[tuple[str, int | str, str], ...]


def page(view: View, whole: bool = True) -> str:
    """A document, or, not ``whole``, the part of one that a notebook shows."""
    prefix = "" if whole else f"{crc32(repr(view).encode()):08x}-"  # a notebook may show several
    rows = [row for _, rows in view.groups for row in rows]
    numbers = {id(row): k for k, row in enumerate(rows, 1)}
    addresses = _addresses(view, rows, prefix)
    parts = [f"<style>{STYLE}{''.join(_tips(view, rows, addresses))}</style>", f'<article class="{SCOPE}">']
    parts += [f"<h1>{escape(view.title)}</h1>", f'<p class="verdict">{escape(view.verdict)}</p>']
    if view.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in view.notes)}</ul>')
    for heading, group in view.groups:
        if group:
            shown = "".join(_blocks(group, numbers, addresses.get, prefix))
            parts.append(f"<section><h2>{escape(heading)}</h2>{shown}</section>")
    parts += [_legend(view.legend, rows, prefix), _axes(view.axes), "</article>"]
    inside = "\n".join(part for part in parts if part)
    return _document(view.title, inside) if whole else inside


def _document(title: str, inside: str) -> str:
    ground = "html { background: #fffdf9; } @media (prefers-color-scheme: dark) { html { background: #191a1c; } }"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{ground} body {{ margin: 0; }} @media print {{ html {{ background: #fff; }} }}</style>
</head>
<body>
{inside}
</body>
</html>
"""


def _addresses(view: View, rows: Sequence[Row], prefix: str) -> dict[str, str]:
    """Where each symbol is defined: in the legend, or else by its line."""
    lines: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        lines.setdefault(row.line.symbol, f"#line-{prefix}{number}")
    return lines | {entry.symbol: f"#{_identity(entry.symbol, prefix)}" for entry in view.legend}


def _identity(symbol: str, prefix: str) -> str:
    return f"sym-{prefix}" + re.sub(r"[^A-Za-z0-9]", lambda c: f"_{ord(c[0]):x}_", symbol)


def _tips(view: View, rows: Sequence[Row], addresses: dict[str, str]) -> Iterable[str]:
    """For each symbol the words that appear under the pointer, as a rule of the style: said once, used everywhere."""
    entries = {entry.symbol: entry for entry in view.legend}
    defined = {row.line.symbol: row for row in reversed(rows) if row.line.kind != "update"}
    for symbol, address in addresses.items():
        entry, row = entries.get(symbol), defined.get(symbol)
        about = entry or row
        if about is None:
            continue
        values = about.values or (row.values if row else "")
        lines = [f"{symbol}  {about.shape}".strip(), text.line(row.line) if row else "", about.words, values]
        shown = _quoted("\n".join(line for line in lines if line))
        yield f'.{SCOPE} a[href="{address}"]:is(:hover, :focus-visible)::after {{ content: "{shown}"; }}\n'


def _quoted(words: str) -> str:
    """Text in a string of a style sheet; the characters that could end it are written as numbers."""
    return re.sub(r'["\\<&\n\r\f]', lambda c: f"\\{ord(c[0]):x} ", words)


def _blocks(rows: Sequence[Row], numbers: dict[int, int], link: Link, prefix: str) -> Iterable[str]:
    """The lines of a section; in a long one those of each layer can be folded."""
    blocks = [(place, list(block)) for place, block in groupby(rows, key=lambda row: row.place.split("/")[0])]
    folded = len(rows) > FOLDED and len(blocks) > 1
    for place, block in blocks if folded else [("", list(rows))]:
        before = ["", *(row.place for row in block)]
        lines = "".join(
            _line(row, numbers[id(row)], row.place if row.place not in (above, place) else "", link, prefix)
            for row, above in zip(block, before, strict=False)
        )
        lines = f'<div class="lines">{lines}</div>'
        if not place:
            yield lines
            continue
        failed = sum(row.status == "failed" for row in block)
        count = f"{len(block)} line{'s' * (len(block) > 1)}"
        mark = f' <span class="failed">✗ {failed} failed</span>' if failed else ""
        is_open = " open" if failed else ""
        yield f"<details{is_open}><summary><b>{escape(place)}</b> · {count}{mark}</summary>{lines}</details>"


def _line(row: Row, number: int, place: str, link: Link, prefix: str) -> str:
    """One line of the page; ``place`` is its layer, where it is not the one of the line above."""
    left, right = sides(row.line, link)
    mark, meaning = STATUSES.get(row.status, ("", row.status))
    words = f'<span class="place">{escape(place)}</span> ' * bool(place) + escape(row.words)
    words = f'<div class="words">{words}</div>' * bool(words)
    return (
        f'<div class="line" id="line-{prefix}{number}"><div class="formula"><div class="left">{left}</div>'
        f'<div class="right">{right}</div></div><div class="shape">{escape(row.shape)}</div>'
        f'<div class="status {escape(row.status)}" role="img" aria-label="{escape(meaning)}" title="{escape(meaning)}">'
        f'{mark or escape(meaning)}</div><div class="number">({number})</div>{words}</div>\n'
    )


def sides(line: Line, link: Link) -> tuple[str, str]:
    """The left side of a line, and = with the right side: several elements, between which a line may be broken."""
    left = mathml.written([mathml.left(line)], link)
    equals, right = Box("mo", ("=",), "infix"), []
    for k, term in enumerate(mathml.terms(line.formula)):
        parts = [[part] for part in term] if k else [[equals, term[0]], *([part] for part in term[1:])]
        shown = "<wbr>".join(mathml.written(part, link) for part in parts)
        short = sum(map(latex.width, term)) <= WHOLE
        right.append(f'<span class="term">{shown}</span>' if short and len(parts) > 1 else shown)
    return left, "<wbr>".join(right)


def _legend(legend: Sequence[Entry], rows: Sequence[Row], prefix: str) -> str:
    if not legend:
        return ""
    first = {row.line.symbol: k for k, row in reversed(list(enumerate(rows, 1))) if row.line.kind != "update"}
    out = []
    for entry in legend:
        where = first.get(entry.symbol)
        where = f' <a href="#line-{prefix}{where}">({where})</a>' if where else ""
        values = f"<pre>{escape(entry.values)}</pre>" if entry.values else ""
        out.append(
            f'<tr id="{_identity(entry.symbol, prefix)}"><td>{mathml.formula(Symbol(entry.symbol))}</td>'
            f'<td class="shape">{escape(entry.shape)}</td><td>{escape(entry.words)}{where}{values}</td></tr>\n'
        )
    return _table("Symbols", ("Symbol", "Shape", "Meaning"), out)


def _axes(axes: Sequence[tuple[str, int | str, str]]) -> str:
    rows = [
        f"<tr><td>{mathml.written([mathml.label(label)])}</td><td>{escape(str(length))}</td><td>{escape(words)}</td></tr>\n"
        for label, length, words in axes
    ]
    return _table("Axes", ("Label", "Length", "Meaning"), rows) if rows else ""


def _table(heading: str, names: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f"<section><h2>{heading}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{''.join(rows)}</tbody></table></section>"
    )
