"""Splits: which rows teach, and which are held out. Equal seeds give equal splits."""

from typing import Any

import numpy as np

from chainrule.data.cells import is_missing, listed
from chainrule.data.table import Table
from chainrule.data.times import times_of
from chainrule.errors import DataError

STREAM = 2**32 + 1
"""The random stream of splits: permutations of epochs use 0, 1, 2, … below 2**32."""


def holdout(
    rows: int, fraction: float, seed: int, labels: Any = None, groups: Any = None, order: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (train, test), each sorted; ``fraction`` of the rows, rounded, is held out, and no part is empty.

    ``labels``: every class is held out in proportion and keeps at least one row for training; a class with one row
    stays there. ``groups``: rows of one group stay together. ``order``: a column of times or numbers, the last part is
    held out, and rows of one time stay together. Groups and order decide before labels.

    >>> train, test = holdout(10, 0.2, seed=0)
    >>> len(train), len(test)
    (8, 2)
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise DataError(f"The part to hold out is {fraction!r}. A fraction between 0 and 1 such as 0.2 is expected.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise DataError(f"seed={seed!r}: a whole number of at least 0 is expected.")
    for what, values in (("labels", labels), ("groups", groups), ("order", order)):
        if values is not None and len(values) != rows:
            raise DataError(f"{what} has {len(values)} values for {rows} rows. One per row is expected.")
    if rows < 2:
        raise DataError(
            f"{rows} row cannot be split into a part that teaches and one that is held out. At least 2 are needed."
        )
    size = min(max(round(rows * fraction), 1), rows - 1)
    shuffled = np.random.Generator(np.random.Philox(key=[int(seed), STREAM])).permutation(rows)
    if order is not None and groups is not None:
        raise DataError("A split follows groups or a time order, not both. Pass one of them.")
    if order is not None:
        test = _last(times_of("order", order), size)
    elif groups is not None:
        test = _whole_groups(codes_of(groups), shuffled, size)
    elif labels is not None:
        test = _stratified(codes_of(labels), shuffled, size)
    else:
        test = shuffled[:size]
    held = np.zeros(rows, bool)
    held[test] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def duplicates_across(data: Any, a: Any, b: Any) -> int:
    """How many of the rows ``b`` occur among the rows ``a`` too, in a table or an array."""
    columns = list(data.columns.values()) if isinstance(data, Table) else [np.asarray(data).reshape(len(data), -1)]
    keys = [codes_of(c)[:, None] if c.dtype == object else np.where(c == 0, 0, c).reshape(len(c), -1) for c in columns]
    whole = np.ascontiguousarray(np.concatenate([key.astype(np.float64) for key in keys], axis=1))
    rows = [row.tobytes() for row in whole]
    taught = {rows[i] for i in np.asarray(a)}
    return sum(rows[i] in taught for i in np.asarray(b))


def _stratified(codes: np.ndarray, shuffled: np.ndarray, size: int) -> np.ndarray:
    """Quotas by largest remainder, at most all but one row of each class."""
    counts = np.bincount(codes)
    room = np.maximum(counts - 1, 0)
    if not room.any():
        raise DataError(
            f"Each of the {len(counts)} classes has one row, so none can be held out. Add rows, or pass "
            "validation=None."
        )
    ideal = counts * (size / len(codes))
    quota = np.minimum(np.floor(ideal).astype(int), room)
    size = min(size, int(room.sum()))
    drawn = np.empty(
        len(counts), int
    )  # where each class first comes among the shuffled rows: equal claims are settled so
    drawn[codes[shuffled[::-1]]] = np.arange(len(codes))[::-1]
    while quota.sum() < size:
        gap = np.where(quota < room, ideal - quota, -np.inf)
        short = size - int(quota.sum())
        quota[np.lexsort((drawn, -gap))[: min(short, int((quota < room).sum()))]] += 1
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.cumsum(counts) - counts
    return np.concatenate([by_class[start : start + n] for start, n in zip(starts, quota, strict=True)])


def _whole_groups(codes: np.ndarray, shuffled: np.ndarray, size: int) -> np.ndarray:
    """Groups in random order, as long as the held-out part comes nearer to its size; at least one, never all."""
    counts = np.bincount(codes)
    if len(counts) < 2:
        raise DataError("groups holds one group, which cannot be split. At least two groups are needed.")
    held: list[int] = []
    total = 0
    for group in dict.fromkeys(codes[shuffled].tolist()):
        nearer = abs(total + counts[group] - size) < abs(total - size)
        if nearer and len(held) < len(counts) - 1:
            held.append(group)
            total += int(counts[group])
    if not held:
        held = [int(counts.argmin())]
    return np.flatnonzero(np.isin(codes, held))


def _last(times: np.ndarray, size: int) -> np.ndarray:
    """The last rows in time, the border moved to the nearest change of time."""
    ranked = np.argsort(times, kind="stable")
    borders = np.flatnonzero(np.diff(times[ranked]) > 0) + 1
    if not len(borders):
        raise DataError(
            "All rows have the same time, so none is later. Choose another time column, or split at random."
        )
    wanted = len(times) - size
    return ranked[borders[np.abs(borders - wanted).argmin()] :]


def expect_groups(name: str, values: np.ndarray) -> None:
    """Refuse a column of groups in which a row has none: nothing would say with which rows it must stay."""
    gone = np.flatnonzero(is_missing(values))
    if len(gone):
        rows = listed("row", (gone + 1).tolist())
        raise DataError(
            f"group column {name!r} is missing in {rows}. Every row needs its group: fill them in, or leave these rows "
            "out."
        )


def codes_of(values: Any) -> np.ndarray:
    """A number for each distinct value, in order of first appearance."""
    code: dict = {}
    return np.array([code.setdefault(v, len(code)) for v in np.asarray(values).tolist()], np.int64)
