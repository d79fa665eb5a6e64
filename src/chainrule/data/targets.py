"""Targets: the column that is predicted, as numbers for training and back in its own units and labels."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import spec
from chainrule.data.cells import absent, is_missing, listed
from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning, DataError


@spec.register
@dataclass(frozen=True)
class NumberTarget:
    """A number, standardized for training: z = (y - mean)/std.

    >>> target = NumberTarget("price").fit(np.array([1.0, 3.0]))
    >>> target.encode([1.0, 3.0]).tolist(), target.decode(np.array([[1.0]])).tolist()
    ([[-1.0], [1.0]], [3.0])
    """

    name: str
    mean: float = 0.0
    std: float = 1.0

    def fit(self, values: Any) -> "NumberTarget":
        """The target with mean and standard deviation of the training part; a constant target is refused."""
        y = finite_numbers(self.name, values)
        if len(y) < 2 or y.min() == y.max():
            raise DataError(
                f"target {self.name!r} is {y[0]:.6g} in all {len(y)} rows, so there is nothing to learn. "
                "Choose another target."
            )
        std = float(y.std())
        if not 0 < std < np.inf:
            raise DataError(
                f"target {self.name!r} runs from {y.min():.4g} to {y.max():.4g}: measure it in other units."
            )
        return replace(self, mean=float(y.mean()), std=std)

    def encode(self, values: Any) -> np.ndarray:
        """(n, 1) float32."""
        y = finite_numbers(self.name, values)
        return ((y - self.mean) / self.std).astype(np.float32)[:, None]

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Values (n, 1) of the network's scale, in the target's own units: (n,)."""
        return np.asarray(values, np.float64).reshape(len(values)) * self.std + self.mean

    def explain(self) -> str:
        """The equation in the target's own name and numbers."""
        return f"{self.name} = {self.mean:.4g} + {self.std:.4g}·z"


@spec.register
@dataclass(frozen=True)
class CountTarget:
    """Counts: whole numbers of at least 0, as they are."""

    name: str

    def fit(self, values: Any) -> "CountTarget":
        """The target itself; values that are no counts are refused."""
        self.encode(values)
        return self

    def encode(self, values: Any) -> np.ndarray:
        """(n, 1) float32."""
        y = finite_numbers(self.name, values)
        bad = np.flatnonzero((y < 0) | (y != np.floor(y)))
        if len(bad):
            raise DataError(
                f"target {self.name!r} holds {y[bad[0]]:.6g} in {listed('row', (bad + 1).tolist())}: counts are whole "
                "numbers of at least 0. Take NumberTarget for other numbers."
            )
        return y.astype(np.float32)[:, None]

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Expected counts (n, 1) as (n,)."""
        return np.asarray(values, np.float64).reshape(len(values))

    def explain(self) -> str:
        """The equation in the target's own name."""
        return f"{self.name} = z"


@spec.register
@dataclass(frozen=True)
class ClassTarget:
    """Labels, in their own type and sorted: the code of a label is its place among the classes.

    >>> target = ClassTarget("kind").fit(["b", "a", "b"])
    >>> target.classes, target.encode(["a", "b"]).tolist(), target.decode(np.array([1])).tolist()
    (('a', 'b'), [0, 1], ['b'])
    """

    name: str
    classes: tuple[Any, ...] = ()

    def fit(self, values: Any) -> "ClassTarget":
        """The target with the labels that occur; fewer than two are refused, and so are labels that never repeat."""
        labels = labels_of(self.name, values)
        classes = tuple(sorted(set(labels)))
        if np.ndim(values) == 2 and np.shape(values)[1] > 1:
            classes = tuple(range(np.shape(values)[1]))
        if len(classes) < 2:
            raise DataError(
                f"target {self.name!r} is {labels[0]!r} in all {len(labels)} rows: one class. At least two "
                "are needed to learn to tell them apart."
            )
        if len(classes) > max(20, len(labels) / 2):
            raise DataError(
                f"target {self.name!r} has {len(classes)} classes in {len(labels)} rows: most labels occur "
                "once, and cannot be learned. For numbers take a regression loss such as 'mse'."
            )
        return replace(self, classes=classes)

    def encode(self, values: Any) -> np.ndarray:
        """(n,) int32 codes; an unknown label is refused with its row."""
        labels = labels_of(self.name, values)
        code = {label: i for i, label in enumerate(self.classes)}
        if self.classes and isinstance(self.classes[0], str):
            labels = [label if isinstance(label, str) else str(label) for label in labels]
        unknown = [i for i, label in enumerate(labels) if label not in code]
        if unknown:
            shown = ", ".join(map(repr, self.classes[:10])) + (", …" if len(self.classes) > 10 else "")
            raise DataError(
                f"target {self.name!r} holds {labels[unknown[0]]!r} in "
                f"{listed('row', [i + 1 for i in unknown])}, and the "
                f"classes are {shown}. Correct the label, or train again with it."
            )
        return np.array([code[label] for label in labels], np.int32)

    def decode(self, codes: Any) -> np.ndarray:
        """Labels in their own type."""
        return np.array(self.classes)[np.asarray(codes)]

    def explain(self) -> str:
        """Which code means which label."""
        return f"{self.name}: " + ", ".join(f"{i} {label}" for i, label in enumerate(self.classes))


def labels_of(name: str, values: Any) -> list:
    """Labels as Python text, whole numbers or booleans: (n,), (n, 1) or one-hot (n, k).

    DataError: missing labels, fractions, several axes, mixed types.
    """
    y = np.asarray(values) if not isinstance(values, list | tuple) else _labels_array(name, values)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    elif y.ndim == 2 and is_one_hot(y):
        y = y.argmax(axis=1)
    if y.ndim != 1:
        raise DataError(
            f"target {name!r} has shape {y.shape}. One label per row is expected, (n,), or one-hot (n, classes)."
        )
    if not len(y):
        raise DataError(f"target {name!r} is empty. One label per row is expected.")
    if y.dtype.kind not in "biufUO":
        raise DataError(f"target {name!r} is of type {y.dtype}. Labels are text, whole numbers or booleans.")
    labels = y.tolist()
    gone = [i + 1 for i, v in enumerate(labels) if absent(v)]
    if gone:
        raise DataError(f"target {name!r} is missing in {listed('row', gone)}. Drop these rows, or fill them in.")
    labels = [v.item() if isinstance(v, np.generic) else v for v in labels]
    labels = [int(v) if isinstance(v, float) and v.is_integer() else v for v in labels]
    odd = [i for i, v in enumerate(labels) if not isinstance(v, str | bool | int)]
    if odd:
        raise DataError(
            f"target {name!r} holds {labels[odd[0]]!r} in {listed('row', [i + 1 for i in odd])}. Labels are "
            "text, whole numbers or booleans; for other numbers take a regression loss such as 'mse'."
        )
    kinds = {type(v).__name__ for v in labels}
    if len(kinds) > 1:
        raise DataError(
            f"target {name!r} mixes labels of types {sorted(kinds)}. Make them all text, or all whole numbers."
        )
    return labels


def _labels_array(name: str, values: Any) -> np.ndarray:
    """A list as an array that keeps each label's own type: NumPy would make ["a", 1] all text."""
    if any(isinstance(v, list | tuple | np.ndarray) for v in values):
        try:
            return np.asarray(values)
        except ValueError as e:
            raise DataError(f"target {name!r} cannot be read as an array: {e}.") from None
    y = np.empty(len(values), object)
    y[:] = values
    return y


def is_one_hot(y: np.ndarray) -> bool:
    """Whether every row has a single 1, and 0 elsewhere."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        return False
    return bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))


def whole(values: np.ndarray) -> np.ndarray:
    """A table's float64 column as int64 when every number in it is whole, so that it can be told from measurements."""
    if (
        values.dtype.kind == "f"
        and len(values)
        and np.all(np.abs(values) < 2**53)
        and np.all(values == np.floor(values))
    ):
        return values.astype(np.int64)
    return values


def finite_numbers(name: str, values: Any) -> np.ndarray:
    """A target of one axis, or (n, 1), as float64 (n,); words, missing and infinite values are refused."""
    try:
        y = np.asarray(values)
    except ValueError as e:
        raise DataError(f"target {name!r} cannot be read as an array: {e}.") from None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or not len(y):
        raise DataError(f"target {name!r} has shape {y.shape}. One number per row is expected, (n,).")
    if y.dtype == object and all(v is None or isinstance(v, int | float | np.number) for v in y):
        y = np.array([np.nan if v is None else v for v in y], np.float64)
    if y.dtype.kind not in "biuf":
        raise DataError(
            f"target {name!r} holds {y[0]!r}, and numbers are expected. For labels take a classification loss."
        )
    y = y.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise DataError(
            f"target {name!r} is {y[bad[0]]} in {listed('row', (bad + 1).tolist())}. Drop these rows, or fill them in."
        )
    return y


def usable_rows(table: Table, target: str) -> Table:
    """The rows that have a target; one warning says how many were left out. DataError when none has one."""
    values = table[target]
    gone = is_missing(values)
    if gone.all():
        raise DataError(f"target {target!r} is missing in all {table.rows} rows. Choose another target.")
    if not gone.any():
        return table
    rows = (np.flatnonzero(gone) + 1).tolist()
    warnings.warn(
        f"target {target!r} is missing in {listed('row', rows)}: left out, {table.rows - len(rows)} rows remain.",
        ChainruleWarning,
        stacklevel=2,
    )
    return table.take(np.flatnonzero(~gone))
