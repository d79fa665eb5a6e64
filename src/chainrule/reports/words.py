"""Words: numbers, shares and intervals as they are said on the page."""

import math


def number(value: float | None) -> str:
    """Three or four digits, and commas between thousands.

    >>> number(0.123456), number(48123.4), number(12.0), number(3.2e-7), number(4.56e9), number(None)
    ('0.123', '48,123', '12', '3.2e−7', '4.56e9', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        digits, power = f"{value:.2e}".split("e")
        text = f"{float(digits):g}e{int(power)}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{3 if abs(value) < 1 else 4}g}"
    return text.replace("-", "−")


def share(value: float) -> str:
    """A share in percent.

    >>> share(0.9737), share(1.0)
    ('97.4 %', '100 %')
    """
    return f"{100 * value:.1f} %".replace("100.0", "100").replace("-", "−")


def score(value: float | None) -> str:
    """A metric, in the digits of ``print(scores)``.

    >>> score(0.97), score(-1e-6), score(3129.95)
    ('0.970', '0.000', '3,130')
    """
    if value is None or abs(value) >= 100:
        return number(value)
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def level(value: float) -> str:
    """A share that was chosen, not measured.

    >>> level(0.9), level(0.955)
    ('90 %', '95.5 %')
    """
    return f"{100 * value:g} %"


def interval(low: float | None, high: float | None, said=number) -> str:
    """From one number to another.

    >>> interval(0.9, 0.95, share)
    '90.0 % to 95.0 %'
    """
    return "–" if low is None or high is None else f"{said(low)} to {said(high)}"


def clipped(text: object, most: int = 28) -> str:
    """A text that is not longer than so many characters."""
    said = str(text)
    return said if len(said) <= most else said[: most - 1] + "…"
