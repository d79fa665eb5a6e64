"""Ahead: the target of a row is what came some rows later ("tomorrow")."""

from collections import Counter

import numpy as np

from chainrule.data.table import Table
from chainrule.data.times import times_of
from chainrule.errors import DataError


def look_ahead(table: Table, target: str, time: str | None, steps: int) -> Table:
    """The table sorted by ``time``, with the target of ``steps`` rows later in a new column, ``"weather +1"``.

    Today's target stays among the columns; the last rows, whose future is unknown, are left out. DataError: a time
    that occurs twice (several series in one table), too few rows, a time that cannot be read.

    >>> table = Table.of({"day": ["2024-01-02", "2024-01-01", "2024-01-03"], "rain": [1, 0, 2]})
    >>> look_ahead(table, "rain", "day", 1)["rain +1"].tolist()
    [1.0, 2.0]
    """
    if time is None:
        raise DataError("To look ahead, the column that orders the rows is needed: time='date' (--time date).")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise DataError(f"Rows to look ahead: {steps!r}. A whole number of at least 1 is expected.")
    if steps >= table.rows:
        raise DataError(
            f"Looking {steps} rows ahead leaves none of {table.rows} rows. Look at most {table.rows - 1} ahead."
        )
    name = f"{target} +{steps}"
    if name in table.names:
        raise DataError(f"The table has a column {name!r} already. Rename it, or use it as the target.")
    times = times_of(time, table[time])
    twice = [t for t, count in Counter(times.tolist()).items() if count > 1]
    if twice:
        row = int(np.flatnonzero(times == twice[0])[0])
        raise DataError(
            f"time column {time!r}: {len(twice)} times occur more than once, such as {table[time][row]}, so "
            "it is unclear which row comes later. If the table holds several series, keep one of them."
        )
    ordered = table.take(np.argsort(times, kind="stable"))
    today = ordered.take(slice(0, ordered.rows - steps))
    return Table({**today.columns, name: ordered[target][steps:]}, table.origin)
