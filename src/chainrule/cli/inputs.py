"""What commands are given: a table by the name of its data, columns by theirs, a run by its path."""

import difflib
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from chainrule.errors import ChainruleWarning

if TYPE_CHECKING:
    from chainrule.data.table import Table
    from chainrule.train.materials import DataRecord


UsageError = cast(type[Exception], typer.BadParameter.__base__)
NEAR = 0.75
"""How alike a name must be to be offered for another one."""


def read(data: str, no_header: bool = False, decimal: str | None = None) -> "Table":
    """The table in a file or of an embedded name."""
    from chainrule.data.table import Table

    return Table.of(data, **options(no_header, decimal))


def read_for(record: "DataRecord", data: str, no_header: bool = False, decimal: str | None = None) -> "Table":
    """The table in a file, read as a run's own data was, where nothing else is said."""
    from chainrule.data.table import Table

    said = options(no_header, decimal)
    recorded = dict(record.options) if said or Path(data).exists() else {}
    with warnings.catch_warnings():  # how commas are read was said when the design was made
        warnings.filterwarnings("ignore", r".*: numbers were read with", ChainruleWarning)
        return Table.of(data, **recorded | said)


def options(no_header: bool, decimal: str | None) -> dict[str, Any]:
    """The options of ``read_table`` that were said."""
    return ({"header": False} if no_header else {}) | ({} if decimal is None else {"decimal": decimal})


def run_path(run: str) -> Path:
    """Where a run is: ``last`` is the newest one's directory."""
    from chainrule.train import directory

    return directory.last_run() if run == "last" and not Path(run).exists() else Path(run)


def listed(given: Iterable[str] | None) -> list[str]:
    """The names in ``--drop a,b --drop c``."""
    return [name.strip() for part in given or () for name in part.split(",") if name.strip()]


def columns(table: "Table", option: str, given: Iterable[str] | None, target: str | None = None) -> list[str]:
    """The columns that an option names, which the table must have and which are not the target.

    A name may hold commas itself.
    """
    names = [name for part in given or () for name in ([part] if part in table.names else listed([part]))]
    for name in names:
        column(table, option, name)
        if name == target:
            raise typer.BadParameter(f"{name!r} is the target: leave it out here.", param_hint=option)
    return names


def column(table: "Table", option: str, name: str) -> str:
    """A column that an option names; wrong use when the table has none of that name."""
    if name in table.names:
        return name
    close = difflib.get_close_matches(name, table.names, 1, NEAR)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise typer.BadParameter(
        f"the table has no column {name!r}.{meant} Its columns: {shown(table)}.", param_hint=option
    )


def short_name(data: str) -> str:
    """The name of data in a run's directory: ``houses`` for ``some/houses.csv.gz``."""
    name = re.sub(r"\.(csv|tsv|txt|parquet|npz|gz|pq)\b", "", Path(data).name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.+-]+", "_", name).strip("._-") or "run"


def own_target(table: "Table", data: str) -> str:
    """The target of embedded data; for a file it must be named."""
    from chainrule.data.embedded import EMBEDDED, default_target

    if data in EMBEDDED and not Path(data).exists():
        return default_target(data)
    raise UsageError(f"--target is missing; the columns are {shown(table)}.")


def shown(table: "Table") -> str:
    """The columns of a table, the first dozen by name."""
    more = len(table.names) - 12
    return f"{', '.join(table.names[:12])}{f' and {more} more' if more > 0 else ''}"
