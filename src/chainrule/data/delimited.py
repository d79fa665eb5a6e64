"""Delimited: the text of a CSV or TSV file becomes columns; what cannot be taken apart is told by its line."""

import csv
import io
import warnings
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np

from chainrule.data import cells
from chainrule.data.table import refuse_names
from chainrule.errors import ChainruleWarning, DataError

DELIMITERS = "\t;|,"
"""Looked for in this order where two fit equally well: a decimal comma is no delimiter."""
_SAMPLE_ROWS, _SAMPLE_CHARACTERS = 40, 1_000_000


def delimited_columns(
    name: str,
    content: str,
    header: bool,
    delimiter: str | None,
    decimal: str | None,
    missing: frozenset[str],
    as_text: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """The columns of a delimited text; the options are those of ``read_table``."""
    rows, lines, delimiter = _rows(content, delimiter)
    if len(rows) <= header:
        raise DataError("there are no rows" + (", only a header." if rows else ": the file is blank."))
    width = len(rows[0])
    names = [f"c{j + 1}" for j in range(width)]
    if header:
        names = [cell.strip() or names[j] for j, cell in enumerate(rows[0])]
        rows, lines = rows[1:], lines[1:]
    _refuse_names(names)
    absent = sorted(set(as_text) - set(names))
    if absent:
        raise DataError(f"text={absent}: there is no such column. The columns: {', '.join(names[:12])}.")
    columns, commas, plain = {}, {}, {}
    for label, column in zip(names, zip(*rows, strict=True), strict=True):
        texts = [cell.strip() for cell in column]
        columns[label], how = _column(label, texts, lines, delimiter, decimal, missing, label in as_text)
        if how == "plain":
            plain[label] = texts
        elif how:
            commas.setdefault(how, []).append(label)
    if header:
        _warn_header(name, names, columns)
    _warn_commas(name, commas, plain, decimal)
    return columns


def _rows(text: str, delimiter: str | None) -> tuple[list[list[str]], list[int], str]:
    """The rows that are not blank, the line that each begins on, and the delimiter."""
    delimiter = delimiter or _sniffed(text)
    if delimiter != "\t":
        return *_parsed(text, delimiter, quoted=True), delimiter
    try:
        rows, lines = _parsed(text, delimiter, quoted=True)
        plain = all(after - before == 1 for before, after in zip(lines, lines[1:], strict=False))
    except DataError:
        plain = False
    if plain:
        return rows, lines, delimiter
    return *_parsed(text, delimiter, quoted=False), delimiter  # in tabbed text a quote is often only a quote


def _sniffed(text: str) -> str:
    best, best_share = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            rows = csv.reader(io.StringIO(text[:_SAMPLE_CHARACTERS], newline=""), delimiter=delimiter)
            widths = Counter(len(row) for row in islice(rows, _SAMPLE_ROWS) if row)
        except csv.Error:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        share = count / max(1, sum(widths.values()))
        if width > 1 and share > best_share:
            best, best_share = delimiter, share
    return best


def _parsed(text: str, delimiter: str, quoted: bool) -> tuple[list[list[str]], list[int]]:
    rows, lines = [], []
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=quoted)
    begin = 1
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as e:
        raise DataError(
            f"the row that begins on line {begin} cannot be taken apart: {e}. Look for a quote that is not "
            "closed; a quote "
            'inside a quoted cell is written twice: "".'
        ) from e
    widths = Counter(map(len, rows))
    if len(widths) > 1:
        expected = len(rows[0])
        at = next(i for i, row in enumerate(rows) if len(row) != expected)
        ragged = sum(count for width, count in widths.items() if width != expected)
        raise DataError(
            f"line {lines[at]} has {len(rows[at])} cell{'' if len(rows[at]) == 1 else 's'}, and line {lines[0]} has "
            f"{expected} ({ragged} of {len(rows)} rows differ; the delimiter is {delimiter!r}). Give every row "
            f"{expected} cells, or quote cells that contain {delimiter!r}."
        )
    return rows, lines


def _column(
    name: str,
    texts: list[str],
    lines: list[int],
    delimiter: str,
    decimal: str | None,
    missing: frozenset,
    as_text: bool,
) -> tuple[np.ndarray, str]:
    """One column, and how its numbers were read: "plain", a remark on commas, or "" for words."""
    words = cells.MISSING | missing
    if as_text:
        return cells.text_column(texts, words), ""
    gone = words | cells.DASHES
    at = [i for i, text in enumerate(texts) if text not in gone]
    present = texts if len(at) == len(texts) else [texts[i] for i in at]
    numbers, how = _numbers(name, present, decimal, delimiter)
    if numbers is None:
        cells.refuse_mixed(name, present, [lines[i] for i in at], "line", decimal)
        return cells.text_column(texts, words), ""
    values = np.full(len(texts), np.nan)
    values[at] = numbers
    cells.refuse_infinite(name, values, lines, "line")
    return values, how


def _numbers(name: str, texts: list[str], decimal: str | None, delimiter: str) -> tuple[np.ndarray | None, str]:
    plain = None if decimal == "," else cells.plain_numbers(texts)
    if plain is not None:
        return plain, "plain"
    if decimal == "," or any("," in text for text in texts):
        found = cells.comma_numbers(name, texts, decimal, delimiter)
        if found is not None:
            return found
    return (cells.plain_numbers(texts) if decimal == "," else None), "plain"


def _refuse_names(names: list[str]) -> None:
    try:
        refuse_names(names)
    except DataError as e:
        numeric = sum(cells.plain_numbers([text]) is not None for text in names)
        if numeric <= len(names) / 2:
            raise
        raise DataError(f"{e} The first row looks like data: read with header=False (--no-header).") from None


def _warn_header(file: str, names: list[str], columns: dict[str, np.ndarray]) -> None:
    over = [name for name in names if columns[name].dtype != object and not np.isnan(columns[name]).all()]
    if over and all(cells.plain_numbers([name]) is not None or name in cells.MISSING for name in over):
        warnings.warn(
            f"{file}: the first row is taken as names of columns, and it looks like data: {', '.join(names[:6])}. "
            "If the file has no header, read it with header=False (--no-header).",
            ChainruleWarning,
            stacklevel=5,
        )


def _warn_commas(file: str, commas: dict[str, list[str]], plain: dict[str, Any], decimal: str | None) -> None:
    if not commas:
        return
    if "decimal commas" in commas and decimal is None:
        for name, texts in plain.items():
            if cells.reads_as_thousands(texts):
                raise DataError(
                    f"{commas['decimal commas'][0]!r} has decimal commas, and {name!r} has points as in "
                    f"{next(t for t in texts if '.' in t)!r}. Say what a point means: decimal=',' (--decimal ,) "
                    "if it stands between thousands."
                )
    if decimal is None:
        said = "; ".join(f"{how} in {', '.join(map(repr, names[:6]))}" for how, names in commas.items())
        example = "3,14 is 3.14" if "decimal commas" in commas else "1,234 is 1234"
        warnings.warn(
            f"{file}: numbers were read with {said} ({example}). Say it for certain with decimal=',' or decimal='.' "
            "(--decimal , or --decimal .).",
            ChainruleWarning,
            stacklevel=5,
        )
