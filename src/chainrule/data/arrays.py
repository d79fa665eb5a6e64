"""Bare arrays: what is accepted as X, y and weights, what is refused, and how each fault is told."""

from typing import Any

import numpy as np

from chainrule.data.cells import listed
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, is_one_hot, labels_of
from chainrule.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)


def features(X: Any) -> Any:
    """X as float32 (whole numbers stay whole: uint8 as it is, others int32), or a dict or tuple of such arrays.

    Accepted: arrays in any memory order, lists of lists, frames of numbers, dicts and tuples of arrays for several
    inputs. DataError: NaN and infinity with their places, text, objects, complex or sparse numbers, a single axis, no
    rows, no features, rows of unequal lengths, numbers beyond float32.

    >>> features([[1.5, 2], [3, 4]]).dtype
    dtype('float32')
    """
    if isinstance(X, dict) and X:
        parts: Any = {name: _features(f"X[{name!r}]", part) for name, part in X.items()}
    elif isinstance(X, tuple) and X and all(np.ndim(part) for part in X if hasattr(part, "shape")) and _holds_arrays(X):
        parts = [_features(f"X[{i}]", part) for i, part in enumerate(X)]
        parts = type(X)(*parts) if hasattr(X, "_fields") else tuple(parts)
    else:
        return _features("X", X)
    counts = {place: len(part) for place, part in _named_parts(parts)}
    if len(set(counts.values())) > 1:
        raise DataError(
            f"X has inputs with unequal numbers of rows: {counts}. Each example needs a row in every input."
        )
    return parts


def rows_of(X: Any) -> int:
    """The number of rows of X: of an array, a list, a table, a path, or of the first of several inputs."""
    if isinstance(X, Table):
        return X.rows
    if isinstance(X, str) or hasattr(X, "__fspath__"):
        return Table.of(X).rows
    if isinstance(X, dict):
        return rows_of(next(iter(X.values()))) if X else 0
    if isinstance(X, tuple) and X and _holds_arrays(X):
        return rows_of(X[0])
    shape = getattr(X, "shape", None)
    if not shape and not hasattr(X, "__len__"):
        raise DataError(f"{X!r} came where rows are expected: an array, a list of rows, a frame or a path.")
    return int(shape[0]) if shape else len(X)


def infer_task(y: Any) -> tuple[str, str]:
    """The task that y asks for, and why: "classification", "regression" or "multilabel".

    >>> infer_task(["yes", "no"])
    ('classification', 'y holds 2 labels of text')
    """
    a = _array("y", y)
    if a.ndim == 2 and a.shape[1] == 1:
        a = a[:, 0]
    if a.ndim == 2 and is_one_hot(a):
        return "classification", f"y is one-hot with {a.shape[1]} columns"
    if a.ndim == 2 and a.dtype.kind in "biuf" and np.all((a == 0) | (a == 1)):
        return "multilabel", f"y has {a.shape[1]} columns of 0 and 1"
    if a.ndim != 1 or not len(a):
        return "regression", f"y has shape {a.shape}"
    if a.dtype.kind in "US" or (a.dtype == object and any(isinstance(v, str) for v in a)):
        return "classification", f"y holds {len(set(a.tolist()))} labels of text"
    if a.dtype.kind == "b" or (a.dtype == object and all(isinstance(v, bool) for v in a)):
        return "classification", "y is true or false"
    if a.dtype == object:
        a = np.asarray(a.tolist()) if all(isinstance(v, int) for v in a) else a
    if a.dtype.kind in "iu":
        distinct = len(np.unique(a))
        if distinct <= 2 or distinct <= min(30, len(a) / 3):
            return "classification", f"y holds whole numbers with {distinct} distinct values in {len(a)} rows"
        return "regression", f"y holds {distinct} distinct whole numbers in {len(a)} rows"
    return "regression", "y holds numbers"


def target_of(y: Any, task: str, loss: Any = None) -> Any:
    """The target that turns y into what ``loss`` reads and back: classes, or numbers in one or several columns."""
    from chainrule.data.array_encoder import ArrayTarget

    a = _array("y", y)
    if a.ndim == 2 and a.shape[0] == 1 and a.shape[1] > 1:
        raise DataError(
            f"y has shape {a.shape}: one row with {a.shape[1]} targets. One target per row is expected: write "
            "y.reshape(-1)."
        )
    if task == "classification":
        _refuse_unlabeled(labels_of("y", y))
        return ClassTarget("y").fit(y)
    numbers = target_numbers(y)
    if task == "multilabel" and not np.all((numbers == 0) | (numbers == 1)):
        row, column = np.argwhere((numbers != 0) & (numbers != 1))[0]
        raise DataError(
            f"y[{row}, {column}] is {numbers[row, column]:.6g}: {loss or 'this loss'} needs 0 or 1 in each column."
        )
    return ArrayTarget("y", None if a.ndim == 1 else a.shape[1])


def _refuse_unlabeled(labels: list) -> None:
    """Refuse -1 beside 0, 1, 2: it marks rows without a label in scikit-learn and elsewhere."""
    bare = {type(label) for label in labels} == {int}
    if bare and min(labels) == -1 and max(labels) >= 2:
        at = [i + 1 for i, label in enumerate(labels) if label == -1]
        raise DataError(
            f"y holds -1 in {listed('row', at)} beside labels up to {max(labels)}: -1 usually marks rows without a "
            "label. Drop these rows, or give that class another label."
        )


def target_numbers(y: Any) -> np.ndarray:
    """Targets as (rows, columns) float32; words, missing and infinite values are refused with their places."""
    a = _array("y", y)
    if not len(a):
        raise DataError("y is empty. One target per row is expected.")
    if a.ndim not in (1, 2):
        raise DataError(f"y has shape {a.shape}. One axis (n,) or two (n, columns) are expected: reshape it.")
    if a.dtype.kind in "US" or (a.dtype == object and any(isinstance(v, str) for v in a.flat)):
        labels_of("y", a)
        raise DataError(
            f"y holds words such as {a.flat[0]!r}, and this loss needs numbers. Take cr.cross_entropy for labels."
        )
    return _finite32("y", _numeric("y", a)).astype(np.float32).reshape(len(a), -1)


def sample_weights(weights: Any, rows: int) -> np.ndarray:
    """Weights of the rows as float64: finite, at least 0, not all 0, one per row."""
    w = _array("sample_weight", weights)
    if w.ndim == 2 and w.shape[1] == 1:
        w = w[:, 0]
    if w.shape != (rows,):
        raise DataError(
            f"sample_weight has shape {w.shape}, and there are {rows} rows. One weight per row is expected."
        )
    w = _numeric("sample_weight", w).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(w) | (w < 0))
    if len(bad):
        raise DataError(
            f"sample_weight[{bad[0]}] is {w[bad[0]]} ({len(bad)} such). Finite weights of at least 0 are expected."
        )
    if not w.any():
        raise DataError("sample_weight is 0 in every row, so nothing would be learned. At least one must be above 0.")
    return w


def _features(place: str, X: Any) -> np.ndarray:
    a = _array(place, X)
    named = getattr(X, "column_names", getattr(X, "columns", None))
    names = list(map(str, named)) if named is not None and a.ndim == 2 else None
    if a.ndim == 0:
        raise DataError(f"{place} is {X!r}: a single value. An array with rows and features is expected.")
    if a.dtype.kind == "U" or (a.dtype == object and any(isinstance(v, str) for v in a.flat)):
        found = next(v for v in a.flat if isinstance(v, str))
        raise DataError(
            f"{place} holds words such as {str(found)[:40]!r}. Numbers are expected; cr.design reads tables with words."
        )
    if not len(a):
        raise DataError(f"{place} has shape {a.shape}: no rows. At least one is expected.")
    if a.ndim == 1:
        raise DataError(
            f"{place} has shape {a.shape}: one axis. Rows and features are expected: {place}.reshape(-1, 1) "
            f"for one feature, {place}.reshape(1, -1) for one row."
        )
    if 0 in a.shape:
        raise DataError(f"{place} has shape {a.shape}: no features. At least one is expected.")
    return np.ascontiguousarray(_finite32(place, _numeric(place, a), names))


def _array(place: str, values: Any) -> np.ndarray:
    """Anything array-like as an array, frames of narwhals' backends among them."""
    if isinstance(values, np.ndarray):
        if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
            raise DataError(
                f"{place} is masked in {int(np.ma.getmaskarray(values).sum())} places. Fill them: {place}.filled(…)."
            )
        return np.asarray(values)
    if type(values).__module__.startswith("scipy.sparse"):
        raise DataError(
            f"{place} is sparse ({type(values).__name__}). A dense array is expected: pass {place}.toarray()."
        )
    if values is None:
        raise DataError(f"{place} is None. An array or a list is expected.")
    if isinstance(values, set | frozenset) or (hasattr(values, "__next__") and not hasattr(values, "__array__")):
        raise DataError(
            f"{place} is a {type(values).__name__}, which has no rows to go back to. Pass np.array(list({place}))."
        )
    if isinstance(values, Table):
        return np.column_stack(list(values.columns.values()))
    if isinstance(values, list | tuple):
        return _of_list(place, values)
    try:
        a = np.asarray(values)
    except Exception as e:  # foreign arrays raise errors of their own kinds
        raise DataError(f"{place} is a {type(values).__name__} that cannot be read as an array: {e}.") from e
    if a.ndim == 0 and a.dtype == object:
        raise DataError(
            f"{place} is a {type(values).__name__}. An array, a list of lists or a frame of numbers is expected."
        )
    return a


def _of_list(place: str, values: Any) -> np.ndarray:
    flat = not any(isinstance(v, list | tuple) or getattr(v, "shape", ()) for v in values)
    if flat and len({type(v) for v in values}) > 1:
        a = np.empty(len(values), object)
        a[:] = values
        return a if any(isinstance(v, str) or v is None for v in values) else np.asarray(values)
    try:
        return np.asarray(values)
    except ValueError:
        lengths = [len(v) if hasattr(v, "__len__") else 1 for v in values]
        odd = next((i for i, n in enumerate(lengths) if n != lengths[0]), 0)
        raise DataError(
            f"{place} has rows of unequal lengths: row {odd} has {lengths[odd]}, row 0 has {lengths[0]}. Give "
            "every row the same features."
        ) from None
    except OverflowError:
        raise DataError(f"{place} holds a whole number that no array can hold. Measure it in other units.") from None


def _numeric(place: str, a: np.ndarray) -> np.ndarray:
    """Real numbers, or a DataError that says what came."""
    if a.dtype.kind in "fiu":
        return a
    if a.dtype.kind == "b" or a.dtype.name == "bfloat16":
        return a.astype(np.float32)
    if a.dtype == object:
        bad = [
            at
            for at, v in np.ndenumerate(a)
            if not isinstance(v, int | float | np.number | np.bool_) or isinstance(v, complex)
        ]
        if not bad:
            try:
                return a.astype(np.float64)
            except OverflowError:
                raise DataError(f"{place} holds a whole number beyond float64. Measure it in other units.") from None
        at = ", ".join(map(str, bad[0]))
        raise DataError(
            f"{place}[{at}] is {str(a[bad[0]])[:40]!r} of type {type(a[bad[0]]).__name__} ({len(bad)} such). "
            "Numbers are expected."
        )
    if a.dtype.kind == "c":
        raise DataError(
            f"{place} is complex. Real numbers are expected: pass the real and imaginary parts as features."
        )
    raise DataError(f"{place} is of type {a.dtype}. Numbers are expected: convert it first.")


def _finite32(place: str, a: np.ndarray, names: list[str] | None = None) -> np.ndarray:
    """float32 (or whole numbers) without NaN or infinity, none of them made here."""
    if a.dtype.kind in "iu":
        if a.dtype == np.uint8:
            return a
        if a.size and (int(a.min()) < -(2**31) or int(a.max()) >= 2**31):
            raise DataError(f"{place} holds whole numbers up to {int(a.max())}; int32 ends at 2147483647. Pass floats.")
        return a.astype(np.int32)
    with np.errstate(over="ignore"):
        narrow = a.astype(np.float32)
    fine = np.isfinite(narrow)
    if fine.all():
        return narrow
    bad = np.argwhere(~fine)
    at = tuple(bad[0])
    where = f"{place}[{', '.join(map(str, at))}]" + (f" (column {names[at[1]]!r})" if names else "")
    count = f" ({len(bad)} such values, in {listed('row', sorted(set(bad[:, 0].tolist())))}, counted from 0)"
    if np.isfinite(a[at]):
        raise DataError(f"{where} is {a[at]:.4g}{count}: float32 ends at {_LARGEST:.3g}. Measure it in other units.")
    raise DataError(f"{where} is {a[at]}{count}. Finite numbers are expected: drop these rows or fill them in.")


def _holds_arrays(X: tuple) -> bool:
    return any(getattr(part, "shape", ()) for part in X) or any(isinstance(part, dict) for part in X)


def _named_parts(parts: Any) -> list[tuple[str, np.ndarray]]:
    pairs = parts.items() if isinstance(parts, dict) else enumerate(parts)
    return [(str(name), part) for name, part in pairs]
