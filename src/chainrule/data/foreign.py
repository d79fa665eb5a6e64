"""Foreign: files that hold no table that is read here, told by how they begin, and what to do with each."""

import json
from pathlib import Path

from chainrule.errors import LoadError

_PANDAS = {
    b"\x89HDF": ("HDF5", "read_hdf"),
    b"ARROW1": ("Feather", "read_feather"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "read_excel"),
}
"""How files begin that pandas reads: what they are, and its function."""
_OTHERS = {
    b"SQLite format 3\0": ("an SQLite database", "export its table as CSV"),
    b"\x93NUMPY": ("one NumPy array", "write it with its columns by numpy.savez(path, column=array)"),
    b"\x80": ("a pickle, which could run any code and is never opened", "write the table in it as CSV"),
    b"%PDF": ("PDF", "copy the table in it to a CSV file"),
    b"\x89PNG": ("an image", "write its pixels with numpy.savez(path, pixels=array)"),
    b"<!DOCTYPE": ("a web page", "fetch the data itself, in place of the page about it"),
    b"<html": ("a web page", "fetch the data itself, in place of the page about it"),
}


def refuse_foreign(name: str, data: bytes) -> None:
    """LoadError for a file of a known kind that is no table here."""
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8:
        raise _foreign(
            name, "a model file (safetensors)", "name the data; a model is RUN in `chainrule predict RUN DATA`"
        )
    for begin, (what, reader) in _PANDAS.items():
        if data.startswith(begin):
            raise _foreign(name, what, _by_pandas(name, reader))
    for begin, (what, remedy) in _OTHERS.items():
        if data[: len(begin)].lower() == begin.lower():
            raise _foreign(name, what, remedy)


def refuse_json(name: str, text: str) -> None:
    """LoadError for JSON, or for one JSON value after another."""
    begin = text.lstrip()
    if begin[:1] not in ("{", "["):
        return
    try:
        _, end = json.JSONDecoder().raw_decode(begin)
        rest = begin[end:].lstrip()
    except (ValueError, RecursionError):
        rest = "" if name.lower().endswith((".json", ".jsonl", ".ndjson")) else "no JSON"
    if rest[:1] in ("", "{", "["):
        raise _foreign(name, "JSON", _by_pandas(name, "read_json", ", lines=True" if rest else ""))


def _by_pandas(name: str, reader: str, more: str = "") -> str:
    csv = Path(name).with_suffix(".csv").name
    return f'convert it, for example with pandas.{reader}("{name}"{more}).to_csv("{csv}", index=False)'


def _foreign(name: str, what: str, remedy: str) -> LoadError:
    return LoadError(f"{name} is {what}; chainrule reads CSV, TSV (also .gz), Parquet, NPZ: {remedy}.")
