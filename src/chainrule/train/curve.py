"""Curves in a few lines of text: Unicode braille dots, or plain ASCII where the terminal has no Unicode."""

from collections.abc import Mapping

import numpy as np

BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot of a braille character: four rows of two."""
SCALED_BY_LOGARITHM = 10
"""A range of positive numbers wider than this factor is drawn on a logarithmic scale."""


def curves(lines: Mapping[str, np.ndarray], width: int = 72, height: int = 4, plain: bool = False) -> list[list[str]]:
    """Draw each series over its index in a panel of its own, side by side on one common scale.

    Every line of text comes as its parts, so that they can be colored: the label of the axis, then the panels. The
    first line holds the names. Values that are not finite leave a gap.

    >>> losses = {"training": np.array([4.0, 2.0, 1.0, 1.0]), "validation": np.array([4.0, 3.0, 2.0, 2.0])}
    >>> for parts in curves(losses, width=24, height=2):
    ...     print(" ".join(parts).rstrip())
      training   validation
    4 ⠑⠢⡀⠀⠀⠀⠀⠀⠀⠀ ⠉⠒⠢⢄⣀⠀⠀⠀⠀⠀
    1 ⠀⠀⠈⠑⠢⠤⣀⣀⣀⣀ ⠀⠀⠀⠀⠀⠉⠑⠒⠒⠒
    >>> for parts in curves(losses, width=24, height=3, plain=True):
    ...     print(" ".join(parts).rstrip())
      training   validation
    4 **         ***
        **          *******
    1     ******
    """
    values = np.concatenate([np.asarray(v, float) for v in lines.values()])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    labels = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"] if height > 1 else [f"{low:.3g}"]
    margin = max(map(len, labels))
    cells = max(1, (width - margin) // len(lines) - 1)
    drawn = [_panel(np.asarray(series, float), low, high, cells, height, plain) for series in lines.values()]
    names = [" " * margin, *[f"{name:<{cells}.{cells}}" for name in lines]]
    return [names, *[[f"{label:>{margin}}", *row] for label, row in zip(labels, zip(*drawn, strict=True), strict=True)]]


def _panel(series: np.ndarray, low: float, high: float, width: int, height: int, plain: bool) -> list[str]:
    across, down = (1, 1) if plain else (2, 4)
    at = np.linspace(0, len(series) - 1, across * width)
    with np.errstate(invalid="ignore"):
        values = np.interp(at, np.arange(len(series)), series)
    if low > 0 and high > SCALED_BY_LOGARITHM * low:
        values, low, high = np.log(values), float(np.log(low)), float(np.log(high))
    dots = np.zeros((height * down, across * width), bool)
    before = None
    for i, share in enumerate((high - values) / ((high - low) or 1.0)):
        if not np.isfinite(share):
            before = None
            continue
        row = round(float(np.clip(share, 0, 1)) * (height * down - 1))
        first = row if before is None or abs(row - before) < 2 else before + (1 if row > before else -1)
        dots[min(first, row) : max(first, row) + 1, i] = True
        before = row
    if plain:
        return ["".join("*" if dot else " " for dot in row) for row in dots]
    bits = (dots.reshape(height, 4, width, 2) * BRAILLE[:, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + bit) for bit in row) for row in bits]
