"""Table: named columns of equal length, and where they came from."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.columns import column_of
from chainrule.errors import DataError


@dataclass(frozen=True)
class Origin:
    """The file that a table was read from: its path, the SHA-256 of its bytes, the options that are not defaults."""

    path: str
    sha256: str
    options: tuple = ()


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns by name: float64 for numbers (NaN is missing), objects for text (None is missing).

    >>> table = Table.of({"area": [551.1, None], "kind": ["benign", "malignant"]})
    >>> table.rows, table.names
    (2, ('area', 'kind'))
    """

    columns: dict[str, np.ndarray]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"The columns of a table need equal lengths, and these came: {lengths}.")

    @staticmethod
    def of(data: Any, **options: Any) -> "Table":
        """The table in ``data``: a Table, a path, an embedded name, a dict of lists or arrays, or a frame.

        Frames are those of pandas, polars and pyarrow. ``options`` are those of ``read_table``. An existing file wins
        over an embedded data set of that name. DataError or LoadError says what cannot be read, and the remedy.
        """
        if isinstance(data, str | os.PathLike):
            return _named(data, options)
        if options:
            raise DataError(f"{sorted(options)} are options for reading a file, and a {type(data).__name__} came.")
        if isinstance(data, Table):
            return data
        pairs = list(data.items()) if isinstance(data, Mapping) else _frame(data)
        refuse_names([name for name, _ in pairs])
        table = Table({name: column_of(name, values) for name, values in pairs})
        if not table.rows:
            raise DataError("The table has no rows. At least one is expected.")
        return table

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def __getitem__(self, name: str) -> np.ndarray:
        self._expect([name])
        return self.columns[name]

    def take(self, indices: Any) -> "Table":
        """The rows at ``indices``, in that order."""
        return Table({name: column[indices] for name, column in self.columns.items()}, self.origin)

    def select(self, names: Iterable[str]) -> "Table":
        """The columns ``names``, in that order."""
        names = list(names)
        self._expect(names)
        return Table({name: self.columns[name] for name in names}, self.origin)

    def drop(self, names: Iterable[str]) -> "Table":
        """All columns but ``names``."""
        left_out = {names} if isinstance(names, str) else set(names)
        self._expect(left_out)
        return Table({name: c for name, c in self.columns.items() if name not in left_out}, self.origin)

    def __str__(self) -> str:
        names = self.names[:8]
        cells = [[name for name in names]]
        cells += [[_shown(self.columns[name][i]) for name in names] for i in range(min(5, self.rows))]
        widths = [max(len(row[j]) for row in cells) for j in range(len(names))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([*lines, f"{self.rows} rows, {len(self.columns)} columns"])

    def __repr__(self) -> str:
        return f"Table({self.rows} rows, {len(self.columns)} columns)"

    def _expect(self, names: Iterable[str]) -> None:
        absent = [name for name in names if name not in self.columns]
        if absent:
            shown = ", ".join(self.names[:12]) + (", …" if len(self.names) > 12 else "")
            raise DataError(f"The table has no column {', '.join(map(repr, absent))}. Its columns: {shown}.")


def refuse_names(names: list) -> None:
    """Refuse names of columns that are not text, or that occur twice."""
    if not names:
        raise DataError("The table has no columns. At least one is expected.")
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise DataError(
            f"The columns {odd[:6]} have names that are not text. Name them: frame.columns = frame.columns.map(str)."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{len(twice)} names of columns occur more than once: {', '.join(map(repr, twice[:8]))}. "
            "Each column needs a name of its own: rename or remove the doubles."
        )


def _named(data: Any, options: dict) -> Table:
    from chainrule.data.embedded import EMBEDDED, embedded
    from chainrule.data.reading import read_table

    if data in EMBEDDED and not os.path.exists(data) and not options:
        return embedded(str(data))
    return read_table(data, **options)


def _frame(data: Any) -> list[tuple[str, Any]]:
    import narwhals as nw

    if not hasattr(data, "collect"):
        names = getattr(data, "column_names", getattr(data, "columns", None))
        if names is not None:
            refuse_names(list(names))
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        lazy = " Call .collect() on it first." if hasattr(data, "collect") else ""
        raise DataError(
            f"A {type(data).__name__} came where a table is expected: a path, a dict of columns, or a frame "
            f"of pandas, polars or pyarrow.{lazy}"
        ) from None
    pairs = []
    for name in frame.columns:
        series = frame[name]
        numeric = series.dtype.is_numeric()
        pairs.append((name, series.cast(nw.Float64).to_numpy() if numeric else series.to_list()))
    return pairs


def _shown(cell: Any) -> str:
    if cell is None or cell != cell:
        return "missing"
    return f"{cell:.6g}" if isinstance(cell, float) else cell if len(cell) <= 20 else cell[:19] + "…"
