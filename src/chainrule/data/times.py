"""Times: dates written in the common ways become seconds since 1970."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chainrule.errors import DataError

_MONTHS = {m: i for i, m in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(.*)", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(.*)", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?,?[ -](\d{4})(.*)", re.ASCII)
_MONTH_NAMED = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})(.*)", re.ASCII)
_CLOCK = re.compile(r"[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


def time_of(text: str, day_first: bool = False) -> float | None:
    """Seconds since 1970 (without a zone: UTC), or None when the text is no date.

    >>> time_of("1970-01-02"), time_of("2 Jan 1970 00:00"), time_of("soon")
    (86400.0, 86400.0, None)
    """
    text = text.strip()
    if m := _YEAR_FIRST.fullmatch(text):
        year, month, day, clock = m[1], m[2], m[3] or 1, m[4]
    elif m := _YEAR_LAST.fullmatch(text):
        day, month = (m[1], m[3]) if day_first or m[2] == "." else (m[3], m[1])
        year, clock = m[4], m[5]
    elif m := _DAY_NAMED.fullmatch(text):
        day, month, year, clock = m[1], _MONTHS.get(m[2][:3].lower(), 0), m[3], m[4]
    elif m := _MONTH_NAMED.fullmatch(text):
        month, day, year, clock = _MONTHS.get(m[1][:3].lower(), 0), m[2], m[3], m[4]
    else:
        return None
    try:
        seconds = datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    if not clock.strip():
        return seconds
    t = _CLOCK.fullmatch(clock)
    if t is None or int(t[1]) > 24 or int(t[2]) > 59 or int(t[3] or 0) > 60:
        return None
    seconds += int(t[1]) * 3600 + int(t[2]) * 60 + int(t[3] or 0) + float(f"0.{t[4] or 0}")
    if t[5] and t[5] != "Z":
        ahead = int(t[5][1:3]) * 3600 + int(t[5][-2:]) * 60
        seconds += ahead if t[5][0] == "-" else -ahead
    return seconds


def times_of(name: str, values: Any) -> np.ndarray:
    """A column of times as float64 that sorts: numbers as they are, dates as seconds since 1970.

    DataError names the rows without a time, and dates such as 03/04/2020 when nothing says which is the day.
    """
    values = np.asarray(values)
    if values.dtype.kind == "M":
        values = np.datetime_as_string(values).astype(object)
    if values.dtype.kind in "iuf":
        bad = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
        if len(bad):
            raise DataError(f"time column {name!r}: row {bad[0] + 1} has no time. Every row needs one.")
        return values.astype(np.float64)
    day_first = is_day_first(name, values)
    seconds = np.empty(len(values), np.float64)
    for i, text in enumerate(values):
        found = None if text is None else time_of(str(text), day_first)
        if found is None:
            raise DataError(
                f"time column {name!r}: row {i + 1} holds {text!r}. A date such as 2024-03-31 or 2024-03-31 "
                "14:00 is expected."
            )
        seconds[i] = found
    return seconds


def is_day_first(name: str, values: Iterable) -> bool:
    """Whether dates such as 31/03/2020 begin with the day, as the column itself shows."""
    pairs = [
        (int(m[1]), int(m[3])) for v in values if v is not None and (m := _YEAR_LAST.match(str(v))) and m[2] != "."
    ]
    day_first, month_first = any(a > 12 for a, _ in pairs), any(b > 12 for _, b in pairs)
    if day_first and month_first:
        raise DataError(
            f"time column {name!r} mixes dates with the day first and with the month first. Write 2024-03-31."
        )
    if pairs and not day_first and not month_first and any(a != b for a, b in pairs):
        raise DataError(
            f"time column {name!r}: nothing says whether {pairs[0][0]}/{pairs[0][1]} begins with the day or "
            "the month. Write dates as 2024-03-31."
        )
    return day_first
