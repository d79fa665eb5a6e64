"""What is kept of the data on disk: where they came from, and hashes that tell whether they are still the same."""

import hashlib
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from chainrule import spec
from chainrule.data.table import Table
from chainrule.errors import DataError


@spec.register
@dataclass(frozen=True)
class DataRecord:
    """A path and its hash, or the shapes and the hash of arrays; further hashes for what else was given."""

    kind: str
    sha256: str
    rows: int
    path: str | None = None
    options: tuple = ()
    shapes: tuple = ()
    weights: str = ""
    validation: str = ""


def record_of_table(table: Table, weights: Any = None, validation: Any = None) -> DataRecord:
    """Where a table came from: its file and hash, or the hash of its contents."""
    others = {"weights": hash_of(weights), "validation": hash_of(validation)}
    if table.origin is not None:
        return DataRecord("file", table.origin.sha256, table.rows, table.origin.path, table.origin.options, **others)
    return DataRecord("table", hash_of(dict(table.columns)), table.rows, shapes=tuple(table.names), **others)


def expect_same(where: Any, was: DataRecord, now: DataRecord) -> None:
    """Refuse to go on with a training on other data than it was begun with."""
    for name, given in (("sample_weight", "weights"), ("validation", "validation")):
        before, after = getattr(was, given), getattr(now, given)
        if before and not after:
            raise DataError(f"{where} was begun with {name}=…: pass the same: cr.resume(path, X, y, {name}=…).")
        if before != after:
            raise DataError(f"{where} was begun with another {name}, or with none. Pass what was given to fit.")
    if was.sha256 != now.sha256:
        raise DataError(
            f"The data has changed since {where} was begun: {was.path or 'the arrays'} had SHA-256 {was.sha256[:12]}…, "
            f"and now {now.sha256[:12]}…. Restore it, or train again."
        )


def hash_of(*trees: Any) -> str:
    """SHA-256 of every array, with names, types and shapes; "" of nothing."""
    leaves = jax.tree_util.tree_leaves_with_path(trees)
    if not leaves:
        return ""
    digest = hashlib.sha256()
    for path, leaf in leaves:
        a = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}{a.dtype}{a.shape}".encode())
        digest.update(repr(a.tolist()).encode() if a.dtype == object else np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()
