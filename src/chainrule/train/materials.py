"""Materials: the rows that a design trains on, cut, encoded and weighted, and a record of where they came from."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from chainrule import spec
from chainrule.data import arrays
from chainrule.data.ahead import look_ahead
from chainrule.data.source import ArraySource
from chainrule.data.splits import duplicates_across, holdout
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, usable_rows
from chainrule.errors import DataError
from chainrule.train.descent import Rows
from chainrule.train.design import Design

PART = 1024
"""Held-out rows are evaluated in parts of at most this many."""


@spec.register
@dataclass(frozen=True)
class DataRecord:
    """What is kept of the data on disk: a path and its hash, or the shapes and the hash of arrays."""

    kind: str
    sha256: str
    rows: int
    path: str | None = None
    options: tuple = ()
    shapes: tuple = ()


@dataclass(frozen=True)
class Materials:
    """A design whose encoder is fitted, the rows to train on and to hold out, and the part kept for the test."""

    design: Design
    train: Rows
    held: Rows | None
    record: DataRecord
    test: tuple[Any, Any] | None = None
    learned: tuple[Any, Any] | None = None
    """Inputs and targets of all rows but the test's, as they came: what baselines are fitted on."""
    duplicates: int = 0
    """Held-out rows that occur among the training rows too."""


def from_table(design: Design, data: Any, fitted: bool = False, validation: Any = None) -> Materials:
    """Cut a table by the recipe's split and encode it; the encoder learns from the training part only."""
    table = Table.of(data)
    record = record_of_table(table)
    split, encoder = design.recipe.split, design.encoder
    table = with_target(design, table)
    labels = None
    if isinstance(encoder.target, ClassTarget):
        labels = encoder.target if fitted else encoder.target.fit(table[encoder.target.name])
    codes = None if labels is None else labels.encode(table[labels.name])
    order = None if split.time is None else table[split.time]

    def cut(rows: np.ndarray, fraction: float | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
        parts = (values if values is None else values[rows] for values in (codes, order))
        kept, held = _cut(len(rows), fraction, seed, *parts)
        return rows[kept], rows[held]

    learning, testing = cut(np.arange(table.rows), split.test, design.recipe.seed)
    training, holding = cut(learning, split.validation, design.recipe.seed + 1)
    if not fitted:
        encoder = encoder.fit(table.take(training))
    if labels is not None and isinstance(encoder.target, ClassTarget):
        encoder = replace(encoder, target=labels)
    design = replace(design, encoder=encoder)
    name = encoder.target.name
    source = ArraySource(_encoded(design, table))
    held = Rows(*source.take(holding)) if len(holding) else None
    if validation is not None:
        held = _encoded(design, with_target(design, Table.of(validation)))
    seen = table.select([name, *(column.name for column in encoder.columns)])
    twice = duplicates_across(seen, training, np.setdiff1d(np.arange(table.rows), training))
    kept, tested = table.take(learning), table.take(testing)
    return Materials(
        design,
        Rows(*source.take(training)),
        held,
        record,
        (tested, tested[name]) if len(testing) else None,
        (kept, kept[name]),
        twice,
    )


def with_target(design: Design, table: Table) -> Table:
    """The rows that have a target: looked up ahead in time when the design says so, blanks left out with a warning."""
    split, name = design.recipe.split, design.encoder.target.name
    if split.ahead and name not in table.names:
        table = look_ahead(table, name.rsplit(" +", 1)[0], split.time, split.ahead)
    return usable_rows(table, name)


def from_arrays(design: Design, x: Any, y: Any, sample_weight: Any = None, validation: Any = None) -> Materials:
    """Cut arrays by the recipe's split; the numbers stay as they are."""
    encoder, recipe = design.encoder, design.recipe
    x = encoder.encode(x)
    labels, y = y, encoder.target.encode(y)
    count = arrays.rows_of(x)
    if len(y) != count:
        raise DataError(f"fit: X has {count} rows and y has {len(y)}. Each row needs one target.")
    w = weights(design, labels, sample_weight)
    record = DataRecord("arrays", hash_of(x, y, w), count, shapes=encoder.inputs)
    codes = y if isinstance(encoder.target, ClassTarget) else None
    fraction = None if validation is not None else recipe.split.validation
    training, holding = _cut(count, fraction, recipe.seed + 1, codes, None)

    source = ArraySource((x, y, w))

    def rows(at: np.ndarray) -> Rows:
        return Rows(*source.take(at))

    held = rows(holding) if len(holding) else None
    if validation is not None:
        held = given(design, validation)
    if not np.any(w[training] > 0):
        raise DataError("fit: the sample weights of all training rows are 0, so nothing would be learned.")
    twice = 0
    if len(holding) and isinstance(x, np.ndarray):
        twice = duplicates_across(np.column_stack([x.reshape(count, -1), y.reshape(count, -1)]), training, holding)
    return Materials(design, rows(training), held, record, None, (x, labels), twice)


def given(design: Design, validation: Any) -> Rows:
    """The rows of ``validation=(X_val, y_val)``."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise DataError(
            f"fit: validation={type(validation).__name__}: a fraction such as 0.2, a pair (X_val, y_val) or None is "
            "expected."
        )
    x, y = design.encoder.encode(validation[0]), design.encoder.target.encode(validation[1])
    if len(y) != arrays.rows_of(x):
        raise DataError(f"fit: validation has {arrays.rows_of(x)} rows of X and {len(y)} of y.")
    return Rows(x, y, weights(design, validation[1], None))


def weights(design: Design, labels: Any, sample_weight: Any) -> np.ndarray:
    """One weight per row: the sample's times its class's, with mean 1."""
    rows = len(labels)
    w = np.ones(rows) if sample_weight is None else arrays.sample_weights(sample_weight, rows)
    if design.recipe.class_weight is None:
        return w.astype(np.float32)
    target = design.encoder.target
    if not isinstance(target, ClassTarget):
        raise DataError("fit: class_weight needs classes, and this is a regression. Use sample_weight.")
    codes = target.encode(labels)
    return (w * class_weights(design.recipe.class_weight, target, codes)[codes]).astype(np.float32)


def class_weights(given: Any, target: ClassTarget, codes: np.ndarray) -> np.ndarray:
    """The weight of each class: pairs of label and weight, or "balanced": rows / (classes * rows of the class)."""
    counts = np.bincount(codes, minlength=len(target.classes))
    if given == "balanced":
        return len(codes) / (len(counts) * np.maximum(counts, 1))
    pairs = dict(given)
    unknown = [label for label in pairs if label not in target.classes]
    if unknown:
        raise DataError(f"fit: class_weight names {unknown}, and the classes are {list(target.classes)}.")
    values = np.array([pairs.get(label, 1.0) for label in target.classes], float)
    if not np.all(np.isfinite(values)) or np.any(values < 0) or not np.any(values > 0):
        raise DataError(f"fit: class_weight must be finite numbers of at least 0, not all 0; {given} came.")
    return values


def in_parts(held: Rows) -> Rows:
    """The rows in parts of equal size, the last one filled with rows of weight 0."""
    count = len(held.w)
    size = min(PART, count)
    parts = -(-count // size)
    at = np.minimum(np.arange(parts * size), count - 1).reshape(parts, size)
    filled = Rows(*jax.tree.map(lambda a: a[at], (held.x, held.y, held.w)))
    return filled._replace(w=np.where(np.arange(parts * size).reshape(parts, size) < count, filled.w, 0))


def record_of_table(table: Table) -> DataRecord:
    """Where a table came from: its file and hash, or the hash of its contents."""
    if table.origin is not None:
        return DataRecord("file", table.origin.sha256, table.rows, table.origin.path, table.origin.options)
    return DataRecord("table", hash_of(dict(table.columns)), table.rows, shapes=tuple(table.names))


def hash_of(*trees: Any) -> str:
    """SHA-256 of every array: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(trees):
        a = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}{a.dtype}{a.shape}".encode())
        digest.update(repr(a.tolist()).encode() if a.dtype == object else np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()


def _encoded(design: Design, table: Table) -> Rows:
    labels = table[design.encoder.target.name]
    return Rows(design.encoder.encode(table), design.encoder.target.encode(labels), weights(design, labels, None))


def _cut(rows: int, fraction: float | None, seed: int, labels: Any, order: Any) -> tuple[np.ndarray, np.ndarray]:
    if fraction is None:
        return np.arange(rows), np.arange(0)
    return holdout(rows, fraction, seed, labels=labels, order=order)
