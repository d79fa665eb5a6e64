"""Markup: text becomes HTML here and nowhere else; what is not Html is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


class Html(str):
    """Text that is HTML already."""


def safe(part: Any) -> Html:
    """A part of a page: HTML as it is, everything else escaped; a percent sign stays beside its number.

    >>> safe("a < b"), safe(Html("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    return part if isinstance(part, Html) else Html(escape(str(part)).replace(" %", "\N{NARROW NO-BREAK SPACE}%"))


def joined(parts: Iterable[Any], between: str = "") -> Html:
    """Parts of a page in a row."""
    return Html(between.join(safe(part) for part in parts))


def tag(name: str, *inside: Any, **attributes: Any) -> Html:
    """An element; ``class_`` is the attribute class, and None leaves an attribute out.

    >>> tag("p", "1 < 2", class_="faint")
    '<p class="faint">1 &lt; 2</p>'
    """
    said = "".join(
        f' {k.rstrip("_").replace("_", "-")}="{escape(str(v))}"' for k, v in attributes.items() if v is not None
    )
    return Html(f"<{name}{said}>{joined(inside)}</{name}>")


def paragraph(*text: Any, class_: str | None = None) -> Html:
    """A paragraph."""
    return tag("p", *text, class_=class_)


def section(identity: str, title: str, *inside: Any) -> Html:
    """A section with its heading, to which the list of contents leads."""
    return tag("section", tag("h2", title), *inside, id=identity)


def table(
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    caption: str = "",
    numbers: Sequence[int] = (),
    wraps: bool = False,
) -> Html:
    """A table that scrolls by itself where it is wider than the page, or ``wraps`` its cells.

    Columns ``numbers`` stand to the right.
    """

    def cells(kind: str, row: Sequence[Any], scope: str | None) -> Html:
        return joined(
            tag(
                "th" if kind == "th" or j == 0 else "td",
                cell,
                scope=scope if kind == "th" else "row" if j == 0 else None,
                class_="number" if j in numbers else None,
            )
            for j, cell in enumerate(row)
        )

    body = joined(tag("tr", cells("td", row, None)) for row in rows)
    said = tag("caption", caption) if caption else ""
    inner = tag(
        "table",
        said,
        tag("thead", tag("tr", cells("th", head, "col"))),
        tag("tbody", body),
        class_="wraps" if wraps else None,
    )
    return tag("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption or str(head[0]))


def folded(summary: Any, *inside: Any, is_open: bool = False) -> Html:
    """A part that opens on demand."""
    begin = "<details open>" if is_open else "<details>"
    return Html(f"{begin}{tag('summary', summary)}{joined(inside)}</details>")
