"""What commands are given: a table by the name of its data, columns by theirs, a run by its path."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from chainrule.data.table import Table
    from chainrule.train.run import Run


def read(data: str, no_header: bool = False, options: dict[str, Any] | None = None) -> "Table":
    """The table in a file or of an embedded name; ``options`` are those that a run's own data was read with."""
    from chainrule.data.table import Table

    return Table.of(data, **(options or {}) | ({"header": False} if no_header else {}))


def read_for(run: "Run", data: str, no_header: bool = False) -> "Table":
    """The table in a file, read as the run's own data was."""
    file = Path(data).exists() or no_header
    return read(data, no_header, dict(run.record.options) if file else None)


def listed(given: Iterable[str] | None) -> list[str]:
    """The names in ``--drop a,b --drop c``."""
    return [name.strip() for part in given or () for name in part.split(",") if name.strip()]


def columns(table: "Table", option: str, given: Iterable[str] | None) -> list[str]:
    """The columns that an option names, which the table must have; a name may hold commas itself."""
    names = [name for part in given or () for name in ([part] if part in table.names else listed([part]))]
    for name in names:
        column(table, option, name)
    return names


def column(table: "Table", option: str, name: str) -> str:
    """A column that an option names; wrong use when the table has none of that name."""
    if name in table.names:
        return name
    close = difflib.get_close_matches(name, table.names, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise typer.BadParameter(f"the table has no column {name!r}.{meant} {shown(table)}", param_hint=option)


def short_name(data: str) -> str:
    """The name of data in a run's directory: ``houses`` for ``some/houses.csv.gz``."""
    name = re.sub(r"\.(csv|tsv|txt|parquet|npz|gz|pq)\b", "", Path(data).name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.+-]+", "_", name).strip("._-") or "run"


def own_target(table: "Table", data: str) -> str:
    """The target of embedded data; for a file it must be named."""
    from chainrule.data.embedded import EMBEDDED, default_target

    if data in EMBEDDED and not Path(data).exists():
        return default_target(data)
    raise typer.BadParameter(f"which column is to be predicted? {shown(table)}", param_hint="--target")


def shown(table: "Table") -> str:
    """The columns of a table in a sentence."""
    more = len(table.names) - 12
    return f"Its columns: {', '.join(table.names[:12])}{f' and {more} more' if more > 0 else ''}."
