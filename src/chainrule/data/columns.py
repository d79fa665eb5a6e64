"""Columns: values of any kind become float64 with NaN, or text with None."""

import datetime
import decimal
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data.cells import MISSING, absent, listed, refuse_infinite, text_column
from chainrule.errors import DataError


def column_of(name: str, values: Any) -> np.ndarray:
    """Numbers become float64 (NaN is missing); words, booleans and dates become text (None is missing)."""
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(
            f"column {name!r} is {values!r}, of type {type(values).__name__}. A list or an array with one value "
            f"per row is expected; one row is written {{{name!r}: [{values!r}]}}."
        )
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()
    if not isinstance(values, np.ndarray):
        return _of_objects(name, list(values))
    if values.ndim != 1:
        raise DataError(
            f"column {name!r} has shape {values.shape}. One axis is expected: one value per row. "
            "Give each of its columns a name of its own."
        )
    kind = values.dtype.kind
    if kind in "fiu":
        column = values.astype(np.float64)
        refuse_infinite(name, column, range(1, len(column) + 1), "row")
        return column
    if kind == "M":
        return _shorten(np.where(np.isnat(values), "", np.datetime_as_string(values)).tolist())
    if kind in "bUO":
        return _of_objects(name, values.tolist())
    raise DataError(
        f"column {name!r} is of type {values.dtype}. Numbers, words, booleans or dates are expected: "
        "convert it, or leave it out."
    )


def _of_objects(name: str, items: Sequence) -> np.ndarray:
    """A list of Python values as a column."""
    kinds = [_kind(item) for item in items]
    present = set(kinds) - {"missing"}
    for i, kind in enumerate(kinds):
        if kind == "other":
            raise DataError(
                f"column {name!r}, row {i + 1} holds {str(items[i])[:40]!r} of type "
                f"{type(items[i]).__name__}. Numbers, "
                "words, booleans or dates are expected: take it apart into columns, or leave the column out."
            )
    if len(present) > 1:
        found = "; ".join(
            f"{kind}s in {listed('row', [i + 1 for i, k in enumerate(kinds) if k == kind])}" for kind in sorted(present)
        )
        raise DataError(f"column {name!r} mixes types: {found}. Make them all numbers, or all words.")
    if present <= {"number"}:
        try:
            column = np.array([np.nan if k == "missing" else float(v) for k, v in zip(kinds, items, strict=True)])
        except OverflowError:
            raise DataError(f"column {name!r} holds a whole number too large for float64 (1.8e308).") from None
        refuse_infinite(name, column, range(1, len(column) + 1), "row")
        return column.astype(np.float64)
    if present == {"date"}:
        return _shorten(["" if k == "missing" else v.isoformat() for k, v in zip(kinds, items, strict=True)])
    return text_column(["" if k == "missing" else str(v).strip() for k, v in zip(kinds, items, strict=True)], MISSING)


def _kind(item: Any) -> str:
    if isinstance(item, str):
        return "missing" if item.strip() in MISSING else "word"
    if item is None or type(item).__module__.startswith("pandas") and absent(item):
        return "missing"
    if isinstance(item, bool | np.bool_):
        return "boolean"
    if isinstance(item, numbers.Real | decimal.Decimal):
        return "missing" if absent(item) else "number"
    if isinstance(item, datetime.date):
        return "date"
    return "other"


def _shorten(texts: list[str]) -> np.ndarray:
    """ISO texts, without a time of day when every one is midnight."""
    midnight = all(text[10:].strip("T0:.") == "" for text in texts)
    return text_column([text[:10] if midnight else text for text in texts])
