"""DateColumn: a column of dates becomes a trend, the season, the weekday and the time of day."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from chainrule import spec
from chainrule.data.cells import listed
from chainrule.data.number_column import NumberColumn
from chainrule.data.times import is_day_first, time_of
from chainrule.errors import DataError

DAY = 86_400.0
YEAR = 365.2425 * DAY
"""Seconds."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
UNITS = {"years": YEAR, "days": DAY, "hours": 3600.0, "seconds": 1.0}


@spec.register
@dataclass(frozen=True)
class DateColumn:
    """Dates as the network reads them: a trend, and where on the circles of the year, the week and the day they are.

    Equation
        u = (t - center) / scale
        trend = u / sqrt(1 + (u / 3)**2)
        season = [sin(2 * pi * d / 365.2425), cos(2 * pi * d / 365.2425)]
        weekday = 1.0 * (w[:, None] == weekdays)
        clock = [sin(2 * pi * h / 24), cos(2 * pi * h / 24)]
    Shapes
        t years since 1970, d the day of the year from 0, w the weekday, h the hours since midnight: each (n,) -> (n, k)
    Errors
        DataError for texts that are no dates, for numbers, and for 03/04/2020 when no row says which is the day

    The trend is scaled as a ``NumberColumn`` is. Of the others those that vary in training go in: weekdays, one column
    for each, where dates fall on several days of the month, or else they only tell months apart. In a row without a
    date all are 0, and one more column is 1. A zone such as +02:00 counts: times are those of UTC.

    >>> column = DateColumn("sold").fit(np.array(["2024-01-05", "2024-01-06", "2024-01-07"], object))
    >>> column.labels
    ('sold', 'sold sin(year)', 'sold cos(year)', 'sold on Friday', 'sold on Saturday', 'sold on Sunday')
    >>> column.encode(np.array(["2024-01-06"], object)).astype(float).round(2).tolist()
    [[0.0, 0.09, 1.0, 0.0, 1.0, 0.0]]
    """

    name: str
    center: float | None = None
    scale: float | None = None
    season: bool = False
    weekdays: tuple[str, ...] = ()
    clock: bool = False
    missing: bool = False
    day_first: bool = False

    def __post_init__(self) -> None:
        odd = [day for day in self.weekdays if day not in WEEKDAYS]
        if odd:
            raise DataError(f"DateColumn {self.name!r}: weekdays holds {odd[0]!r}; {', '.join(WEEKDAYS)} are expected.")

    def fit(self, values: np.ndarray) -> "DateColumn":
        """The column with the scale of its trend, and with the circles on which the training part varies."""
        day_first = values.dtype == object and is_day_first(self.name, values)
        seconds = self._seconds(values, day_first)
        trend = NumberColumn(self.name).fit(seconds / YEAR)
        found = _Calendar.of(seconds[~np.isnan(seconds)])
        weekdays = np.unique(found.weekday) if _vary(found.day_of_month) and _vary(found.weekday) else ()
        return replace(
            self,
            center=trend.center,
            scale=trend.scale,
            season=_vary(found.day_of_year),
            weekdays=tuple(WEEKDAYS[w] for w in weekdays),
            clock=_vary(found.hour),
            missing=trend.missing,
            day_first=day_first,
        )

    def encode(self, values: np.ndarray) -> np.ndarray:
        """(n, k) float32, a column for each of ``labels``."""
        seconds = self._seconds(values, self.day_first)
        gone = np.isnan(seconds)
        found = _Calendar.of(np.where(gone, 0.0, seconds))
        features = [*NumberColumn(self.name, self.center, self.scale).encode(seconds / YEAR).T]
        if self.season:
            features += _circle(found.day_of_year * DAY / YEAR)
        features += [found.weekday == WEEKDAYS.index(name) for name in self.weekdays]
        if self.clock:
            features += _circle(found.hour / 24)
        y = [*np.where(gone, 0.0, features), *([gone] if self.missing else [])]
        return np.stack(y, axis=1).astype(np.float32)

    def surprise(self, values: np.ndarray) -> str | None:
        """What came that training never saw, or None."""
        seconds = self._seconds(values, self.day_first)
        gone, said = np.isnan(seconds), []
        if gone.any() and not self.missing:
            rows = listed("row", (np.flatnonzero(gone) + 1).tolist())
            said.append(f"column {self.name!r} is missing in {rows}, and never was in training: the middle stands in")
        came = {WEEKDAYS[w] for w in _Calendar.of(seconds[~gone]).weekday}
        unseen = [day for day in WEEKDAYS if day in came - set(self.weekdays)] if self.weekdays else []
        if unseen:
            said.append(f"column {self.name!r}: training never saw a {' or a '.join(unseen)}")
        return "; ".join(said) or None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the features that this column becomes."""
        circle = (f"{self.name} sin", f"{self.name} cos")
        return (
            self.name,
            *(f"{wave}(year)" for wave in circle if self.season),
            *(f"{self.name} on {day}" for day in self.weekdays),
            *(f"{wave}(day)" for wave in circle if self.clock),
            *((f"{self.name} missing",) if self.missing else ()),
        )

    def explain(self) -> str:
        """The equations in the column's own name and numbers."""
        if self.center is None or self.scale is None:
            return f"u = ({self.name} − median)/IQR,  x̃ = u/√(1 + (u/3)²)"
        length, middle = self.scale * YEAR, np.datetime64(round(self.center * YEAR), "s")
        unit = next((unit for unit, seconds in UNITS.items() if length >= seconds), "seconds")
        shown = str(middle).replace("T", " ") if UNITS[unit] < DAY else str(middle)[:-9]
        lines = [f"u = ({self.name} − {shown})/({length / UNITS[unit]:.4g} {unit}),  x̃ = u/√(1 + (u/3)²)"]
        if self.season:
            lines.append(f"d = the day of the year of {self.name}, from 0,  {_waves('d', YEAR / DAY)}")
        lines += [f"x̃ = 1 where {self.name} is a {day}, else 0" for day in self.weekdays]
        if self.clock:
            lines.append(f"h = the hours of {self.name} since midnight,  {_waves('h', 24)}")
        if self.missing:
            lines.append(f"x̃ = 1 where {self.name} is missing, else 0")
        return ";  ".join(lines)

    def _seconds(self, values: np.ndarray, day_first: bool) -> np.ndarray:
        """Seconds since 1970 in UTC, NaN where nothing is there."""
        if values.dtype.kind == "M":
            return np.where(np.isnat(values), np.nan, values.astype("M8[us]").astype(np.int64) / 1e6)
        if values.dtype.kind in "fiu":
            numbers = np.flatnonzero(~np.isnan(values.astype(np.float64)))
            if len(numbers):
                raise DataError(
                    f"column {self.name!r} holds numbers (row {numbers[0] + 1}: {values[numbers[0]]}), and dates such "
                    "as 2024-03-31 are expected"
                )
            return np.full(len(values), np.nan)
        known = {text: None if text is None else time_of(text, day_first) for text in set(values)}
        odd = [i for i, text in enumerate(values) if text is not None and known[text] is None]
        if odd:
            raise DataError(
                f"column {self.name!r} holds {values[odd[0]]!r} in {listed('row', [i + 1 for i in odd])}, and dates "
                "such as 2024-03-31 or 2024-03-31 14:00 are expected: correct the cells, or leave them blank"
            )
        return np.array([np.nan if text is None else known[text] for text in values], np.float64)


class _Calendar(NamedTuple):
    """What the calendar and the clock say of each time, in UTC."""

    day_of_year: np.ndarray
    day_of_month: np.ndarray
    weekday: np.ndarray
    hour: np.ndarray

    @classmethod
    def of(cls, seconds: np.ndarray) -> "_Calendar":
        days = np.floor(seconds / DAY).astype(np.int64)
        dates = days.astype("M8[D]")
        year, month = ((dates - dates.astype(unit).astype("M8[D]")).astype(np.int64) for unit in ("M8[Y]", "M8[M]"))
        return cls(year, month, (days + 3) % 7, (seconds - days * DAY) / 3600)  # 1970 began on a Thursday


def _circle(turns: np.ndarray) -> list[np.ndarray]:
    return [np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)]


def _waves(letter: str, whole: float) -> str:
    return ",  ".join(f"x̃ = {wave}(2π·{letter}/{whole:.7g})" for wave in ("sin", "cos"))


def _vary(values: np.ndarray) -> bool:
    return len(np.unique(values)) > 1
