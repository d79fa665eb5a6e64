"""chainrule data: the embedded data sets, and what a table holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DECIMAL, JSON, NO_HEADER
from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal, width
from chainrule.proposal.names import counted

if TYPE_CHECKING:
    from chainrule.data.table import Table

NAME = Annotated[
    str | None, typer.Argument(metavar="NAME", show_default=False, help="An embedded data set, or a file.")
]

EXAMPLES = (
    "chainrule data",
    "chainrule data breast_cancer",
    "chainrule data houses.csv",
)


def data(
    name: NAME = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """List the embedded data sets, or show one.

    Of one: its columns with their kinds, and its first rows. A file is shown in the same way.
    """
    terminal = Terminal(json, ascii=ascii)
    if name is None:
        overview(terminal)
    else:
        one(name, inputs.read(name, no_header, decimal), terminal)


def overview(terminal: Terminal) -> None:
    """Say which data sets are embedded."""
    from chainrule.data.embedded import EMBEDDED

    table([("name", "predicts", "what it is"), *((n, e.target, e.description) for n, e in EMBEDDED.items())], terminal)
    terminal.title("Next")
    terminal.say(f"  {pasted('data', 'breast_cancer')}")
    terminal.say(f"  {pasted('fit', 'breast_cancer')}")
    sets = {n: {"target": e.target, "task": e.task, "description": e.description} for n, e in EMBEDDED.items()}
    terminal.answer({"data": sets})


def one(name: str, rows: "Table", terminal: Terminal) -> None:
    """Say what one table holds."""
    from chainrule.data.embedded import EMBEDDED
    from chainrule.data.kinds import kind_of

    known = EMBEDDED.get(name)
    if known is not None and rows.origin is not None and rows.origin.path == name:
        terminal.paragraph(f"{name}: {known.description}")
        terminal.say()
    kinds = {label: kind_of(label, rows[label]) for label in rows.names}
    lines = [(label, k.kind, f"{k.missing or ''}", k.reason) for label, k in kinds.items()]
    table([("column", "kind", "missing", "why"), *lines], terminal)
    terminal.title("First rows")
    terminal.say(fitting(rows))
    terminal.answer(
        {
            "name": name,
            "rows": rows.rows,
            "columns": [
                {"name": label, "kind": k.kind, "reason": k.reason, "distinct": k.distinct, "missing": k.missing}
                for label, k in kinds.items()
            ],
            "first": [{label: plain(rows[label][i]) for label in rows.names} for i in range(min(5, rows.rows))],
        }
    )


def fitting(rows: "Table") -> str:
    """The first rows, with as many columns as the terminal is wide."""
    for count in range(min(8, len(rows.names)), 0, -1):
        lines = str(rows.select(rows.names[:count])).splitlines()[:-1]
        if max(map(len, lines)) <= width() or count == 1:
            left = len(rows.names) - count
            return "\n".join(
                [*lines, counted(rows.rows, "row") + (f", and {counted(left, 'more column')}" if left else "")]
            )
    return ""


def plain(cell: Any) -> str | float | None:
    """A cell as JSON has it; a missing one is null."""
    return None if cell is None or cell != cell else cell if isinstance(cell, str) else float(cell)


def table(lines: list[tuple[str, ...]], terminal: Terminal) -> None:
    """Columns of text under their heads; the last one is wrapped to the terminal's width."""
    widths = [max(map(len, column)) for column in list(zip(*lines, strict=True))[:-1]]
    margin = " " * (sum(widths) + 2 * len(widths))
    for line in lines:
        begin = "".join(f"{cell:<{w}}  " for cell, w in zip(line, widths, strict=False))
        terminal.paragraph(line[-1], begin, margin)
