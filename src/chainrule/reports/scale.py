"""Scales: from numbers to places on an axis, with ticks at round numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Axis:
    """One axis of a chart: what it counts, from where to where."""

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False

    def place(self, values: Any) -> np.ndarray:
        """Places between 0 and 1, where the values lie within the axis."""
        f = np.log10 if self.log else np.asarray
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high, v = f(self.low), f(self.high), f(np.asarray(values, float))
        return np.asarray((v - low) / ((high - low) or 1.0))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round numbers, and how they are written.

        >>> Axis("share", 0, 1, percent=True).ticks[1]
        (0.25, '25 %')
        >>> [text for _, text in Axis("price", 0, 480_000).ticks]
        ['0', '100,000', '200,000', '300,000', '400,000']
        >>> [text for _, text in Axis("loss", 0.002, 3, log=True).ticks]
        ['0.01', '0.1', '1']
        """
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = range(first, last + 1, max(1, (last - first) // 4))
            found = [10.0**k for k in powers]
            if len(found) < 2:
                found = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
                found = [v for v in found if self.low <= v <= self.high]
            return [
                (v, f"{v:g}" if 1e-4 <= v < 1e5 else f"{v:.0e}".replace("-", "−").replace("e+", "e")) for v in found
            ]
        step = step_of(
            (self.high - self.low) / (4 if self.percent else 5), (1, 2, 2.5, 5, 10) if self.percent else (1, 2, 5, 10)
        )
        count = math.floor((self.high - self.low) / step + 1e-6)
        start = math.ceil(self.low / step - 1e-6) * step
        found = [start + k * step for k in range(count + 1) if start + k * step <= self.high + 1e-6 * step]
        return [(v, self._written(v, step)) for v in found]

    def _written(self, value: float, step: float) -> str:
        if self.percent:
            return f"{100 * value:.{_decimals(100 * step)}f} %".replace("-", "−")
        if max(abs(self.low), abs(self.high)) >= 1e7 or step < 1e-4:
            return f"{value:.3g}".replace("-", "−").replace("e+0", "e")
        return f"{value + 0.0:,.{_decimals(step)}f}".replace("-", "−")


def step_of(about: float, sizes: tuple[float, ...] = (1, 2, 5, 10)) -> float:
    """The round number at or above ``about``.

    >>> step_of(0.23), step_of(70_000)
    (0.5, 100000.0)
    """
    power = 10.0 ** math.floor(math.log10(about))
    return next(size * power for size in sizes if size * power >= about * (1 - 1e-9))


def axis(label: str, *values: Any, log: bool = False, zero: bool = False, percent: bool = False) -> Axis:
    """An axis with room for all finite values; ``log`` holds only where all are above 0 and their range is wide."""
    v = np.concatenate([np.ravel(np.asarray(a, float)) for a in values])
    v = v[np.isfinite(v)]
    if not v.size:
        return Axis(label, 0.0, 1.0, percent=percent)
    low, high = float(v.min()), float(v.max())
    if log and low > 0 and high > 10 * low:
        return Axis(label, low / 1.15, high * 1.15, log=True)
    low = min(low, 0.0) if zero else low
    room = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return Axis(label, low if zero and low == 0 else low - room, high + room, percent=percent)


def _decimals(step: float) -> int:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return digits + (abs(step * 10**digits - round(step * 10**digits)) > 1e-6)
