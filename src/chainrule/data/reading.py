"""Reading: a file becomes a table; a file that cannot be read says why, and where."""

import codecs
import gzip
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chainrule.data.columns import column_of
from chainrule.data.delimited import delimited_columns
from chainrule.data.foreign import refuse_foreign, refuse_json
from chainrule.data.table import Origin, Table, refuse_names
from chainrule.errors import DataError, LoadError

_DAMAGE = (ValueError, OSError, EOFError, KeyError, SyntaxError, RuntimeError, MemoryError, OverflowError)
_DAMAGE += (zipfile.BadZipFile, zlib.error, struct.error)
"""What NumPy and zipfile raise on damaged files; unknown ways to pack are RuntimeErrors."""


def read_table(
    path: str | os.PathLike,
    header: bool = True,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str = "utf-8",
    missing: Sequence[str] = (),
    text: Sequence[str] = (),
) -> Table:
    """Read CSV or TSV (also .gz), Parquet or NPZ; what the file holds decides, not its name.

    ``header=False`` names the columns c1 … cn. ``delimiter`` and ``decimal`` are found when not given. ``missing``
    adds spellings of a missing value, ``text`` names columns that are read as words whatever they hold.
    LoadError: no readable file. DataError: a file whose rows or cells cannot be used.
    """
    given = {"header": header, "delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    missing, text = ((v,) if isinstance(v, str) else tuple(v) for v in (missing, text))
    if decimal not in (None, ".", ","):
        raise DataError(f"decimal={decimal!r}: '.', ',' or None is expected.")
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise DataError(f"delimiter={delimiter!r}: one character such as ',' is expected.")
    given |= {"missing": missing, "text": text}
    defaults = {"header": True, "encoding": "utf-8", "missing": (), "text": ()}
    options = tuple((name, value) for name, value in given.items() if value != defaults.get(name))
    data = _bytes(path)
    origin = Origin(os.fspath(path), hashlib.sha256(data).hexdigest(), options)
    name = Path(path).name
    try:
        if data[:2] == b"\x1f\x8b":
            data = _unzipped(name, data)
        if data[:4] == b"PAR1":
            columns = _parquet(name, data)
        elif data[:2] == b"PK":
            columns = _npz(name, data)
        else:
            refuse_foreign(name, data)
            text_of_file = _text(name, data, encoding)
            refuse_json(name, text_of_file)
            columns = delimited_columns(name, text_of_file, header, delimiter, decimal, frozenset(missing), text)
    except DataError as e:
        raise DataError(f"{name}: {e}") from e
    return Table(columns, origin)


def _bytes(path: str | os.PathLike) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise LoadError(f"{os.fspath(path)} is {kind}. A file is expected: CSV, TSV, Parquet or NPZ.")
        data = Path(path).read_bytes()
    except FileNotFoundError:
        from chainrule.data.embedded import EMBEDDED

        raise LoadError(
            f"There is no file {os.fspath(path)}. Look at the path; embedded data sets are {', '.join(EMBEDDED)}."
        ) from None
    except (OSError, ValueError) as e:
        reason = str(getattr(e, "strerror", None) or e).rstrip(".")
        raise LoadError(f"{os.fspath(path)} cannot be read: {reason}.") from e
    if not data:
        raise LoadError(f"{os.fspath(path)} is empty: it has 0 bytes.")
    return data


def _unzipped(name: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as e:
        raise LoadError(f"{name} is damaged: it cannot be unpacked ({e}). Fetch or write it again.") from e


def _parquet(name: str, data: bytes) -> dict[str, np.ndarray]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError("Reading Parquet needs pyarrow: pip install pyarrow.") from None
    try:
        frame = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as e:
        raise LoadError(f"{name} is a damaged Parquet file: {e}") from e
    return Table.of(frame).columns


def _npz(name: str, data: bytes) -> dict[str, np.ndarray]:
    if not name.endswith((".npz", ".npz.gz")):
        raise LoadError(f"{name} is a ZIP file. If it is a workbook, save its sheet as CSV; else unpack it first.")
    columns: dict[str, np.ndarray] = {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            held = {key: arrays[key] for key in arrays.files}
    except _DAMAGE as e:
        reason = "it holds Python objects, which are never loaded" if "pickle" in str(e) else str(e).rstrip(".")
        raise LoadError(f"{name} cannot be read: {reason}. Write it again with numpy.savez(path, column=array).") from e
    for key, array in held.items():
        if array.ndim not in (1, 2):
            raise DataError(
                f"array {key!r} has shape {array.shape}. One axis (a column) or two (rows, columns) expected."
            )
        many = {f"{key}{j + 1}": array[:, j] for j in range(array.shape[1])} if array.ndim == 2 else {key: array}
        refuse_names([*columns, *many])
        columns |= {label: column_of(label, values) for label, values in many.items()}
    return Table.of(columns).columns


def _text(name: str, data: bytes, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(f"encoding={encoding!r} is unknown. Write 'utf-8', 'cp1252', 'latin-1' or 'utf-16'.") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf-8":
        raise LoadError(f"{name} is UTF-16. Save it as UTF-8, or read it with encoding='utf-16'.")
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise LoadError(
            f"{name}, line {line}, byte {e.start}: 0x{data[e.start]:02x} is not {encoding}. Save the file as "
            "UTF-8; or, when it was written in a Western encoding, read it with encoding='cp1252'."
        ) from e
    except (UnicodeError, LookupError, TypeError) as e:
        raise LoadError(f"{name} cannot be read with encoding={encoding!r}: {str(e).rstrip('.')}.") from e
    if not isinstance(text, str):
        raise DataError(f"encoding={encoding!r} is not an encoding of text. Write 'utf-8' or 'cp1252'.")
    at = text.find("\0")
    if at >= 0:
        line, byte = text.count("\n", 0, at) + 1, data.find(b"\0")
        raise LoadError(
            f"{name}, line {line}, byte {byte}: a NUL. This is no table of text, or it is damaged. CSV, TSV, "
            "Parquet or NPZ is expected."
        )
    return text
