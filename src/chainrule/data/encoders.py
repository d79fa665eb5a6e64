"""Encoder: a table becomes the array that a network reads."""

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import spec
from chainrule.data.category_column import CategoryColumn
from chainrule.data.date_column import DateColumn
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning, DataError

NUMBERS = "numbers"
MOST_SAID = 4
"""So many columns are named in one warning."""


@spec.register
@dataclass(frozen=True)
class Encoder:
    """Columns that are read, each in its way, and the target.

    ``fit`` on the training part only: center, scale and categories must not know the rows that test the network.

    >>> from chainrule.data.number_column import NumberColumn
    >>> table = Table.of({"area": [1.0, 2.0, 3.0], "color": ["red", "blue", "red"]})
    >>> encoder = Encoder((NumberColumn("area"), CategoryColumn("color"))).fit(table)
    >>> encoder.labels, encoder.encode(table).shape
    (('area', 'color = red', 'color = blue'), (3, 3))
    """

    columns: tuple
    target: Any = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(f"Encoder: columns {twice} are listed more than once. Name each once.")
        if not names:
            raise DataError("Encoder: no columns to read. At least one besides the target is expected.")
        if self.target is not None and self.target.name in names:
            raise DataError(
                f"Encoder: the target {self.target.name!r} is among the columns that are read: the answer would be "
                "given away. Leave it out of columns."
            )
        if NUMBERS in names and self.embedded:
            raise DataError(f"Encoder: beside embedded columns no column may be named {NUMBERS!r}. Rename it.")

    @property
    def embedded(self) -> tuple[CategoryColumn, ...]:
        """The columns that become codes for an embedding."""
        return tuple(c for c in self.columns if isinstance(c, CategoryColumn) and c.method == "embedding")

    @property
    def numeric(self) -> tuple:
        """The columns that become numbers side by side."""
        return tuple(c for c in self.columns if c not in self.embedded)

    @property
    def features(self) -> tuple[tuple[Any, int], ...]:
        """Column and place among its own features of each feature, in the order of the array of numbers: the values of
        number columns come first, then what marks their blanks and what other columns become.
        """
        every = [(column, place) for column in self.numeric for place in range(len(column.labels))]
        return tuple(sorted(every, key=lambda one: not (isinstance(one[0], NumberColumn) and one[1] == 0)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the features, in the order of the array of numbers."""
        return tuple(column.labels[place] for column, place in self.features)

    def fit(self, table: Any) -> "Encoder":
        """The encoder with every column, and the target where it is in the table, learned from the training part."""
        table = self._checked(table)
        columns = tuple(column.fit(table[column.name]) for column in self.columns)
        target = self.target
        if target is not None and target.name in table.names:
            target = target.fit(table[target.name])
        return replace(self, columns=columns, target=target)

    def encode(self, table: Any) -> Any:
        """(n, d) float32; with embedded columns a dict: "numbers" (n, d), and each such column's codes (n,) int32."""
        table = self._checked(table)
        surprises = [s for column in self.columns if (s := column.surprise(table[column.name]))]
        if surprises:
            more = f"; and {len(surprises) - MOST_SAID} more columns" if len(surprises) > MOST_SAID else ""
            warnings.warn("; ".join(surprises[:MOST_SAID]) + more + ".", ChainruleWarning, stacklevel=2)
        parts = {column: column.encode(table[column.name]) for column in self.numeric}
        numbers = np.zeros((table.rows, len(self.features)), np.float32)
        for feature, (column, place) in enumerate(self.features):
            numbers[:, feature] = parts[column][:, place]
        if not self.embedded:
            return numbers
        codes = {column.name: column.encode(table[column.name]) for column in self.embedded}
        return {NUMBERS: numbers, **codes} if parts else codes

    def example(self) -> Any:
        """One row of zeros, encoded: only its shapes and types mean something."""
        numbers = np.zeros((1, len(self.labels)), np.float32)
        codes = {column.name: np.zeros(1, np.int32) for column in self.embedded}
        return ({NUMBERS: numbers, **codes} if self.numeric else codes) if codes else numbers

    def explain(self) -> tuple[str, ...]:
        """One line for each column, in its own name and numbers."""
        return tuple(column.explain() for column in self.columns)

    def _checked(self, table: Any) -> Table:
        """The table, when every column is there and of its kind; all faults are told at once."""
        if isinstance(table, np.ndarray | list):
            raise DataError(
                f"A {type(table).__name__} came, and its columns have no names. Pass a table, a path or a "
                f"dict with the columns {', '.join(c.name for c in self.columns[:12])}."
            )
        table = Table.of(table)
        absent = [column.name for column in self.columns if column.name not in table.names]
        faults = [f"columns {absent} are missing (the table has {list(table.names[:12])})"] if absent else []
        for column in self.columns:
            values = table.columns.get(column.name)
            if isinstance(column, CategoryColumn | DateColumn) or values is None or values.dtype != object:
                continue
            row = next((i for i, v in enumerate(values) if v is not None), 0)
            faults.append(
                f"column {column.name!r} holds words (row {row + 1}: {values[row]!r}), and numbers are expected"
            )
        if faults:
            raise DataError(
                "; ".join(faults) + ". Pass the columns that the encoder was made for; their order is free."
            )
        return table
