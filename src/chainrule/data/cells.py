"""Cells: which texts are numbers, and which say that nothing is there."""

import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from chainrule.errors import DataError

MISSING = frozenset(("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None"))
"""Texts that say that nothing is there."""
DASHES = frozenset(("-", "."))
"""Texts that say so among numbers only: among words they may be a label, as + and - are."""

_POINT = re.compile(r"[+-]?(?=[\d.])(?:[1-9]\d{0,2}(?:,\d{3})+|\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(?=[\d,])(?:[1-9]\d{0,2}(?:\.\d{3})+|\d*)(?:,\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_POINT_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_SHOWN = 4


def absent(value: Any) -> bool:
    """Whether a Python value says that nothing is there: None, NaN, pandas' NA and NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def is_missing(values: np.ndarray) -> np.ndarray:
    """Where nothing is there in a column of a table: NaN among numbers, None among words."""
    return np.isnan(values) if values.dtype != object else np.array([v is None for v in values], bool)


def plain_numbers(texts: Sequence[str]) -> np.ndarray | None:
    """The texts as float64, or None when one of them is not a number written with digits and a decimal point."""
    try:
        values = np.array([float(text) for text in texts], np.float64)
    except ValueError:
        return None
    joined = "".join(texts)
    return values if joined.isascii() and "_" not in joined else None


def comma_numbers(
    name: str, texts: Sequence[str], decimal: str | None, delimiter: str
) -> tuple[np.ndarray, str] | None:
    """The texts as float64 and how their commas were read, or None when they are no such numbers.

    ``decimal`` "," reads 1.234,5 as 1234.5, "." reads 1,234.5 as 1234.5, and None finds out which.
    """
    point = decimal != "," and all(map(_POINT.fullmatch, texts))
    comma = decimal != "." and all(map(_COMMA.fullmatch, texts))
    if point and comma and delimiter != ",":
        example = next(text for text in texts if "," in text)
        raise DataError(
            f"column {name!r}: {example!r} can be {example.replace(',', '.')} or {example.replace(',', '')}. "
            "Say which: decimal=',' or decimal='.' (--decimal , or --decimal .)."
        )
    if not point and not comma:
        return None
    swapped = [t.replace(",", "") if point else t.replace(".", "").replace(",", ".") for t in texts]
    values = plain_numbers(swapped)
    return None if values is None else (values, "commas between thousands" if point else "decimal commas")


def reads_as_thousands(texts: Sequence[str]) -> bool:
    """Whether every point in the texts may stand between thousands: 1.234 and 12.345.678."""
    dotted = [text for text in texts if "." in text and text not in DASHES]
    return bool(dotted) and all(map(_POINT_THOUSANDS.fullmatch, dotted))


def text_column(texts: Sequence[str], missing: Collection[str] = MISSING) -> np.ndarray:
    """The texts as they are, None where nothing is there."""
    column = np.empty(len(texts), object)
    column[:] = [None if text in missing else text for text in texts]
    return column


def refuse_infinite(name: str, values: np.ndarray, places: Sequence, what: str) -> None:
    """Refuse infinities, naming where they are."""
    if np.isinf(values).any():
        infinite = np.flatnonzero(np.isinf(values)).tolist()
        raise DataError(
            f"column {name!r} holds infinity in {listed(what, [places[i] for i in infinite])}. A finite number or a "
            "blank is expected: correct the cells, or leave them blank."
        )


def words_among(texts: Sequence[str], decimal: str | None) -> list[int]:
    """The positions of the texts that are no numbers, under the reading of points and commas that reads the most."""
    point = [i for i, text in enumerate(texts) if plain_numbers([text]) is None and not _POINT.fullmatch(text)]
    comma = [i for i, text in enumerate(texts) if not _COMMA.fullmatch(text)]
    return point if decimal == "." else min(point, comma, key=len)


def refuse_mixed(name: str, texts: Sequence[str], places: Sequence, what: str, decimal: str | None) -> None:
    """Refuse a column of numbers in which a few cells are words; few distinct numbers among words are labels."""
    words = words_among(texts, decimal)
    numbers = len(texts) - len(words)
    if not words or numbers < 3 or numbers < 0.8 * len(texts):
        return
    distinct = len(set(texts)) - len({texts[i] for i in words})
    if distinct <= 10 and distinct <= numbers / 2:
        return
    found = ", ".join(f"{what} {places[i]}: {texts[i]!r}" for i in words[:_SHOWN])
    spellings = tuple(dict.fromkeys(texts[i] for i in words))
    raise DataError(
        f"column {name!r} holds numbers in {numbers:,} rows and words in {len(words):,} ({found}"
        f"{', …' if len(words) > _SHOWN else ''}). Correct them; or read them as missing with "
        f"missing={spellings[:_SHOWN]!r}; or read the column as words with text=({name!r},)."
    )


def listed(what: str, places: Collection) -> str:
    """``row 3``, ``rows 3, 5, 8`` or ``12 rows (3, 5, 8, 9, …)``."""
    shown = ", ".join(str(place) for place in list(places)[:_SHOWN])
    if len(places) > _SHOWN:
        return f"{len(places)} {what}s ({shown}, …)"
    return f"{what}{'s' if len(places) > 1 else ''} {shown}"
