"""The model file: plain data and arrays in one file, checksummed, written whole or not at all.

The bytes are safetensors': the length of a header, the header in JSON, then the arrays one after the other. The
header's metadata hold ``chainrule``, a JSON text with the format's number, the data and the SHA-256 of every array,
and ``sha256``, the seal: the SHA-256 of the header itself, written with zeros in the seal's place. Reading
believes nothing: what was understood, written again, must be the header that came, bit for bit.

Nothing in a file becomes code, a path or a place in memory: names are only compared, and sizes must add up to
the size of the file before an array is allocated.
"""

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from io import BufferedIOBase, BytesIO
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError, LoadError
from chainrule.train.replacing import replacing

FORMAT = 1
LONGEST_HEADER = 100_000_000
"""As in safetensors: a header is read into memory before anything is known about it."""
MOST_AXES = 64
"""As in NumPy."""
DEEPEST = 200
"""Data nested deeper could exhaust the stack of whoever walks through them."""
DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype("uint8"),
    "I8": np.dtype("int8"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(jnp.bfloat16),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
_UNSEALED = "0" * 64
_FOREIGN = {
    b"PK\x03\x04": "a zip archive, as PyTorch, Keras and NumPy write them",
    b"\x89HDF": "an HDF5 file, as Keras wrote them",
    b"\x80": "a pickle, which could run any code and is never opened",
}


def write(path: str | os.PathLike, data: dict, tensors: Mapping[str, Any]) -> None:
    """Write plain JSON data and named arrays to one file. The same input gives the same bytes.

    A file that was there is replaced in one instant, or, whatever happens, stays as it is: a LoadError says so.
    DesignError when the data are not plain JSON, an array's type has no place in a file, or an array whose name
    starts with ``params/`` is not finite.
    """
    parts = encode(data, tensors)
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            raise OSError("it is not a regular file")
        with replacing(target) as file:
            for part in parts:
                file.write(part)
    except OSError as e:
        kept = "The file that was there is intact." if os.path.isfile(target) else "Nothing was written."
        raise LoadError(f"{path} cannot be written: {e.strerror or e}. {kept}") from e


def read(path: str | os.PathLike) -> tuple[dict, dict[str, np.ndarray]]:
    """(data, tensors) of a file that ``write`` wrote. LoadError, and nothing else, for any other file."""
    try:
        with open(path, "rb", opener=_opened) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LoadError("This is not a regular file. Pass the file that run.save(path) wrote.")
            return _parse(file, status.st_size)
    except LoadError as e:
        raise LoadError(f"{path}: {e}") from e
    except FileNotFoundError as e:
        raise LoadError(f"{path} does not exist. Pass the file that run.save(path) wrote.") from e
    except (OSError, ValueError) as e:  # ValueError: a NUL in the path
        raise LoadError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}.") from e


def parse(blob: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """(data, tensors) of the bytes of a file; LoadError for bytes that are not exactly what was written."""
    return _parse(BytesIO(blob), len(blob))


def encode(data: dict, tensors: Mapping[str, Any]) -> list[bytes | memoryview]:
    """The bytes of a file, in parts: the arrays are not copied."""
    arrays = {name: np.asarray(array) for name, array in tensors.items()}
    arrays = {name: a.astype(a.dtype.newbyteorder("<"), copy=False) for name, a in arrays.items()}
    for name, array in arrays.items():
        if array.dtype not in _CODES or name == "__metadata__":
            raise DesignError(f"The array {name!r} of type {array.dtype} has no place in a model file.")
        if _broken(name, array):
            raise DesignError(f"{name} holds NaN or infinite numbers: a file of them could not be loaded.")
    # Wide types first: every array then begins at a multiple of its item size.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    entries, begin = {}, 0
    for name in names:
        end = begin + arrays[name].nbytes
        shape = list(arrays[name].shape)
        entries[name] = {"dtype": _CODES[arrays[name].dtype], "shape": shape, "data_offsets": [begin, end]}
        begin = end
    digests = {name: hashlib.sha256(_raw(arrays[name])).hexdigest() for name in names}
    try:
        text = _json({"format": FORMAT, "data": data, "sha256": digests})
    except (TypeError, ValueError, RecursionError) as e:
        raise DesignError(f"The data of a model file must be plain JSON of finite numbers: {e}.") from e
    if _deep(data):
        raise DesignError(f"The data of a model file may be nested {DEEPEST} levels deep, and these are deeper.")
    seal = hashlib.sha256(_header(text, _UNSEALED, entries)).hexdigest()
    header = _header(text, seal, entries)
    if len(header) > LONGEST_HEADER:
        raise DesignError(f"The data of this model take {len(header):,} bytes; a file holds {LONGEST_HEADER:,}.")
    return [len(header).to_bytes(8, "little"), header, *(_raw(arrays[name]) for name in names)]


def flatten(tree: Any, prefix: str) -> dict[str, np.ndarray]:
    """The leaves of a tree, each under its path: ``params/0/W``. A "/" in a key is written "~1", a "~" "~0".

    >>> flatten(({"W": 1.0}, [2, 3]), "params")
    {'params/0/W': array(1.), 'params/1/0': array(2), 'params/1/1': array(3)}
    """
    leaves = [(_path(prefix, keys), np.asarray(leaf)) for keys, leaf in jax.tree.leaves_with_path(tree)]
    tensors = dict(leaves)
    if len(tensors) < len(leaves):
        raise DesignError(f"Two arrays under {prefix!r} have the same path: their keys differ only in type.")
    return tensors


def unflatten(tensors: Mapping[str, np.ndarray], prefix: str, like: Any) -> Any:
    """The tree of arrays that ``flatten`` took apart, shaped like ``like``.

    LoadError lists every array that is missing, not expected, of another shape or type, or wider than JAX is
    set to compute.
    """
    leaves, structure = jax.tree.flatten_with_path(like)
    wanted = {_path(prefix, keys): leaf for keys, leaf in leaves}
    given = {name: a for name, a in tensors.items() if name == prefix or name.startswith(f"{prefix}/")}
    said = [f"{name}: {_said(wanted[name])} is missing" for name in wanted if name not in given]
    said += [f"{name}: {_said(given[name])} is not expected" for name in given if name not in wanted]
    for name, leaf in wanted.items():
        if name in given and _said(given[name]) != _said(leaf):
            said.append(f"{name}: {_said(given[name])} came, and {_said(leaf)} is expected")
        elif jax.dtypes.canonicalize_dtype(leaf.dtype) != leaf.dtype:
            said.append(f'{name}: {leaf.dtype} needs jax.config.update("jax_enable_x64", True)')
    if said:
        raise LoadError(f"The arrays under {prefix!r} do not fit this network. " + "; ".join(said) + ".")
    return jax.tree.unflatten(structure, [jnp.asarray(given[name]) for name in wanted])


def _parse(file: BufferedIOBase, size: int) -> tuple[dict, dict[str, np.ndarray]]:
    try:
        entries, content = _understood(file, size)
        digests = content["sha256"]
        return content["data"], {name: _tensor(file, name, e, digests[name]) for name, e in entries.items()}
    except MemoryError as e:
        raise LoadError(f"There is not enough memory for this file of {size:,} bytes.") from e


def _understood(file: BufferedIOBase, size: int) -> tuple[dict[str, dict], dict]:
    """The entries of the arrays and the content of a sound header."""
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(LONGEST_HEADER, size - 8):
        kind = next((kind for magic, kind in _FOREIGN.items() if first.startswith(magic)), None)
        raise LoadError(
            f"This is {kind}, not a model file of chainrule." if kind else "This is no model file, or a part of one."
        )
    header = file.read(length)
    entries = _loaded(header)
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("chainrule"), str):
        raise LoadError("This is a safetensors file that chainrule did not write: it says nothing of a network.")
    content = _loaded(metadata["chainrule"])
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise LoadError(
            f"This file has format {version}, and this version of chainrule reads format {FORMAT}. "
            "Upgrade: pip install --upgrade chainrule."
        )
    if _end_of(entries) != size - 8 - length:
        raise LoadError("This file is damaged: its arrays do not fill it. Take another copy.")
    text = metadata["chainrule"]
    seal = hashlib.sha256(_header(text, _UNSEALED, entries)).hexdigest()
    if header != _header(text, seal, entries):
        raise LoadError("This file is damaged: its header is not the one that was written. Take another copy.")
    data, digests = content.get("data"), content.get("sha256")
    fine = content.keys() == {"format", "data", "sha256"} and type(version) is int and version == FORMAT
    fine = fine and isinstance(data, dict) and isinstance(digests, dict) and digests.keys() == entries.keys()
    if not fine or _deep(data):
        raise LoadError("This file says that chainrule wrote it, and its contents are others. Do not trust it.")
    return entries, content


def _end_of(entries: dict[str, Any]) -> int | None:
    """Where the last array ends, when each begins where the one before ends; else None."""
    end = 0
    for entry in entries.values():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            return None
        shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
        if not isinstance(dtype, str) or dtype not in DTYPES or not _sizes(shape):
            return None
        begin, end = end, end + math.prod(shape) * DTYPES[dtype].itemsize
        if not _sizes(offsets) or offsets != [begin, end]:
            return None
    return end


def _sizes(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) <= MOST_AXES
    return numbers and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _tensor(file: BufferedIOBase, name: str, entry: dict, digest: Any) -> np.ndarray:
    dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
    raw = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    if file.readinto(raw.data) != raw.size or hashlib.sha256(raw.data).hexdigest() != digest:
        raise LoadError(f"This file is damaged: the array {name!r} is not the one that was written.")
    if entry["dtype"] == "BOOL" and raw.size and raw.max() > 1:
        raise LoadError(f"The array {name!r} of truth values holds others than 0 and 1.")
    try:
        array = raw.view(dtype).reshape(shape)
    except ValueError as e:  # an empty array with axes whose product is beyond memory
        raise LoadError(f"The array {name!r} has the impossible shape {shape}.") from e
    if _broken(name, array):
        raise LoadError(f"{name} holds NaN or infinite numbers: this network cannot compute anything.")
    return array


def _broken(name: str, array: np.ndarray) -> bool:
    return name.startswith("params/") and not bool(np.all(np.isfinite(array)))


def _deep(data: Any) -> bool:
    level = [data]
    for _ in range(DEEPEST):
        inner = [x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list | tuple)]
        if not inner:
            return False
        level = list(chain.from_iterable(inner))
    return True


def _header(text: str, seal: str, entries: dict[str, dict]) -> bytes:
    header = _json({"__metadata__": {"chainrule": text, "sha256": seal}, **entries}, sort=False).encode()
    return header + b" " * (-len(header) % 8)


def _json(value: Any, sort: bool = True) -> str:
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), allow_nan=False)


def _loaded(text: str | bytes) -> dict:
    def distinct(pairs: list[tuple[str, Any]]) -> dict:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("a key comes twice")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=distinct, parse_constant=refuse)
        if not isinstance(value, dict):
            raise ValueError("it is not an object")
        return value
    except (ValueError, RecursionError) as e:
        raise LoadError(f"This is no model file, or a damaged one: its header cannot be read ({e}).") from e


def _raw(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO must not wait for its writer


def _path(prefix: str, keys: tuple) -> str:
    names = (str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in keys)
    return "/".join([prefix, *(name.replace("~", "~0").replace("/", "~1") for name in names)])


def _said(leaf: Any) -> str:
    return f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
