"""Kinds: what a column holds, and why we think so."""

import re
from dataclasses import dataclass

import numpy as np

from chainrule.data.cells import is_missing
from chainrule.data.times import time_of

_ID = re.compile(r"(.*[_ .-])?[iI][dD]|.*[a-z]I[dD]|uuid|index|row", re.ASCII)
_TRIED = 1000
"""A date column is recognized on at most this many distinct texts, evenly spaced."""


@dataclass(frozen=True)
class Kind:
    """One of number, category, date, text, constant, identifier, empty; the reason; how many values differ or miss."""

    kind: str
    reason: str
    distinct: int
    missing: int


def kind_of(name: str, values: np.ndarray) -> Kind:
    """The kind of a column of a table. Numbers with few distinct values stay numbers.

    >>> kind_of("color", np.array(["red", "blue", "red", None], object))
    Kind(kind='category', reason='2 distinct texts in 3 rows', distinct=2, missing=1)
    """
    gone = is_missing(values)
    present = values[~gone]
    missing, rows = int(gone.sum()), len(present)
    if not rows:
        return Kind("empty", "every value is missing", 0, missing)
    distinct = np.unique(present) if values.dtype != object else sorted(set(present))
    count = len(distinct)
    if count == 1:
        shown = f"{distinct[0]:.6g}" if values.dtype != object else repr(distinct[0])[:30]
        return Kind("constant", f"every value is {shown}", 1, missing)
    kind, reason = _of_numbers(name, present, count) if values.dtype != object else _of_texts(present, list(distinct))
    return Kind(kind, reason, count, missing)


def _of_numbers(name: str, values: np.ndarray, count: int) -> tuple[str, str]:
    rows = len(values)
    if count == rows and rows >= 5 and np.all(values == np.floor(values)):
        if np.all(np.diff(values) == 1):
            return "identifier", f"whole numbers that count the rows, from {values[0]:.0f} to {values[-1]:.0f}"
        if _ID.fullmatch(name):
            return "identifier", f"named {name!r}, whole numbers, all {rows} differ"
    return "number", f"numbers from {values.min():.6g} to {values.max():.6g}"


def _of_texts(values: np.ndarray, distinct: list[str]) -> tuple[str, str]:
    rows, count = len(values), len(distinct)
    tried = distinct[:: max(1, count // _TRIED)]
    dates = sum(time_of(text) is not None or time_of(text, day_first=True) is not None for text in tried)
    if dates >= 0.95 * len(tried):
        return "date", f"{dates} of {len(tried)} texts are dates, such as {tried[0]}"
    spaced = sum(" " in text for text in distinct) / count
    length = float(np.median([len(text) for text in distinct]))
    short = spaced < 0.5 and length <= 40
    if count >= 0.95 * rows and rows >= 10 and short:
        return "identifier", f"{count} distinct short texts in {rows} rows"
    if count <= max(20, rows / 20) or (short and rows >= 4 * count):
        return "category", f"{count} distinct texts in {rows} rows"
    return "text", f"{count} distinct texts in {rows} rows, about {length:.0f} characters each"
