"""Materials: the rows that a design trains on, cut, encoded and weighted, and a record of where they came from."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from chainrule.data import arrays
from chainrule.data.ahead import look_ahead
from chainrule.data.folds import folds
from chainrule.data.source import ArraySource
from chainrule.data.splits import duplicates_across, expect_groups, holdout
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, usable_rows
from chainrule.errors import DataError
from chainrule.train.descent import Rows
from chainrule.train.design import Design
from chainrule.train.record import DataRecord, hash_of, record_of_table
from chainrule.train.weights import weights

PART = 1024
"""Held-out rows are evaluated in parts of at most this many."""
WEIGHT = "\0weight"
"""The column in which the weights of rows go with a table; no file has a column of that name."""


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
    held_out: Any = None
    """Inputs of the rows held out, as they came."""
    folds: np.ndarray | None = None
    """The member of the ensemble that each row to train on is left out by, when each has a part of its own."""

    @property
    def left_out(self) -> tuple[Any, Rows, np.ndarray | None] | None:
        """What a run keeps as ``left_out``; None when all rows are learned from."""
        if self.folds is not None:
            return self.train.x, self.train, self.folds
        return None if self.held is None else (self.train.x, self.held, None)


def from_table(
    design: Design, data: Any, fitted: bool = False, sample_weight: Any = None, validation: Any = None
) -> Materials:
    """Cut a table by the recipe's split and encode it; the encoder learns from the training part only."""
    table = Table.of(data)
    others = None if validation is None else Table.of(validation)
    record = record_of_table(table, sample_weight, None if others is None else dict(others.columns))
    if sample_weight is not None:
        given = arrays.sample_weights(sample_weight, table.rows)
        table = Table({**table.columns, WEIGHT: given}, table.origin)
    split, encoder = design.recipe.split, design.encoder
    if split.group is not None:
        expect_groups(split.group, table[split.group])
    table = with_target(design, table)
    labels = None
    if isinstance(encoder.target, ClassTarget):
        labels = encoder.target if fitted else encoder.target.fit(table[encoder.target.name])
    codes = None if labels is None else labels.encode(table[labels.name])
    order = None if split.time is None else table[split.time]
    groups = None if split.group is None else table[split.group]

    def cut(rows: np.ndarray, fraction: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if fraction is None or fraction == "cross":
            return rows, rows[:0]
        parts = (values if values is None else values[rows] for values in (codes, groups, order))
        kept, held = holdout(len(rows), fraction, seed, *parts)
        return rows[kept], rows[held]

    learning, testing = cut(np.arange(table.rows), split.test, design.recipe.seed)
    training, holding = cut(learning, split.validation, design.recipe.seed + 1)
    if not fitted:
        encoder = encoder.fit(table.take(training))
    if labels is not None:
        encoder = replace(encoder, target=labels)
    design = replace(design, encoder=encoder)
    name = encoder.target.name
    source = ArraySource(_encoded(design, table))
    held = Rows(*source.take(holding)) if len(holding) else None
    aside = table.take(holding) if len(holding) else None
    if others is not None:
        aside = with_target(design, others)
        held = _encoded(design, aside)
    seen = table.select([name, *(column.name for column in encoder.columns)])
    twice = duplicates_across(seen, training, np.setdiff1d(np.arange(table.rows), training))
    kept, tested = table.take(learning), table.take(testing)
    train, own = taught(Rows(*source.take(training)), "training"), None
    if split.cross:
        parts = (values if values is None else values[training] for values in (codes, groups))
        own = weighed(train, folds(len(training), design.recipe.ensemble, design.recipe.seed + 1, *parts))
    return Materials(
        design,
        train,
        taught(held, "held-out"),
        record,
        (tested, tested[name]) if len(testing) else None,
        (kept, kept[name]),
        twice,
        aside,
        own,
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
    if recipe.split.group is not None:
        raise DataError(
            f"fit: group={recipe.split.group!r} names a column, and arrays came, whose columns have no names. Pass a "
            "table, or leave group out of the split."
        )
    x = encoder.encode(x)
    labels, y = y, encoder.target.encode(y)
    count = arrays.rows_of(x)
    if len(y) != count:
        raise DataError(f"fit: X has {count} rows and y has {len(y)}. Each row needs one target.")
    w = weights(design, labels, sample_weight)
    record = DataRecord(
        "arrays",
        hash_of(x, y),
        count,
        shapes=encoder.inputs,
        weights=hash_of(sample_weight),
        validation=hash_of(validation),
    )
    codes = y if isinstance(encoder.target, ClassTarget) else None
    part = None if validation is not None else recipe.split.validation
    training, holding, own = np.arange(count), np.arange(0), None
    source = ArraySource((x, y, w))

    def rows(at: np.ndarray) -> Rows:
        return Rows(*source.take(at))

    if part == "cross":
        own = weighed(Rows(x, y, w), folds(count, recipe.ensemble, recipe.seed + 1, codes))
    elif part is not None:
        training, holding = holdout(count, part, recipe.seed + 1, codes)
    held = rows(holding) if len(holding) else None
    if validation is not None:
        held = given(design, validation)
    twice = 0
    if len(holding) and isinstance(x, np.ndarray):
        twice = duplicates_across(np.column_stack([x.reshape(count, -1), y.reshape(count, -1)]), training, holding)
    aside = None if held is None else held.x
    return Materials(
        design,
        taught(rows(training), "training"),
        taught(held, "held-out"),
        record,
        None,
        (x, labels),
        twice,
        aside,
        own,
    )


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


def filled(rows: Rows, count: int) -> Rows:
    """The rows and, up to ``count`` of them, copies of the last one of weight 0."""
    at = np.minimum(np.arange(count), len(rows.w) - 1)
    more = Rows(*jax.tree.map(lambda a: a[at], (rows.x, rows.y, rows.w)))
    return more._replace(w=np.where(np.arange(count) < len(rows.w), more.w, 0))


def in_parts(held: Rows, count: int | None = None) -> Rows:
    """The rows in parts of equal size, filled up to whole parts and to ``count`` rows with rows of weight 0."""
    count = max(len(held.w), count or 0)
    size = min(PART, count)
    parts = -(-count // size)
    return Rows(*jax.tree.map(lambda a: a.reshape(parts, size, *a.shape[1:]), tuple(filled(held, parts * size))))


def _encoded(design: Design, table: Table) -> Rows:
    labels, given = table[design.encoder.target.name], table.columns.get(WEIGHT)
    return Rows(design.encoder.encode(table), design.encoder.target.encode(labels), weights(design, labels, given))


def taught(rows: Any, what: str) -> Any:
    """The rows, when one of them has a weight above 0."""
    if rows is not None and not np.any(rows.w > 0):
        raise DataError(f"fit: the weights of all {what} rows are 0, so they say nothing. Give some of them a weight.")
    return rows


def weighed(rows: Rows, folds: np.ndarray) -> np.ndarray:
    """The folds, when each holds a row of a weight above 0: else a member's validation would measure nothing."""
    empty = np.flatnonzero(np.bincount(folds, weights=rows.w > 0) == 0)
    if len(empty):
        raise DataError(
            f'fit: validation="cross" gives each network of the ensemble rows of its own to leave out, and those of '
            f"{len(empty)} of {folds.max() + 1} have the weight 0. Leave rows of weight 0 out of the data, or say "
            "validation=0.2."
        )
    return folds
