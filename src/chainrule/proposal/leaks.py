"""Leaks: a column that decides the target alone is rarely known when a prediction is needed."""

import warnings
from collections.abc import Sequence

import numpy as np

from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning

ALONE = {"numbers": 0.9999, "classes": 0.99}
"""Above this a column alone decides the target: rank correlation, or the share of the errors that it removes."""
ALMOST = {"numbers": 0.99, "classes": 0.8}
"""The same among values of one moment: most of what a forecast would have to find out."""
BINS = 32


def warn_leaks(table: Table, names: Sequence[str], target: str, classes: bool, same_time: bool) -> tuple[str, ...]:
    """Warn of every column that decides the target alone, and give their names.

    With ``same_time`` the rows follow each other in time and the target is that of its own row: then a column that
    decides it almost alone is named too.
    """
    y = table[target]
    kind = "classes" if classes else "numbers"
    alone = {name: decides(table[name], y, classes) for name in names}
    leaks = tuple(name for name in names if alone[name] > ALONE[kind])
    if leaks:
        warnings.warn(
            f"{_named(leaks)} alone {'decides' if len(leaks) == 1 else 'decide'} {target!r} in these {table.rows:,} "
            "rows: a copy of the target under another name? If it is not known when you predict, leave it out: "
            f"drop={list(leaks)!r} (--drop {','.join(leaks)}).",
            ChainruleWarning,
            stacklevel=3,
        )
    if not same_time:
        return leaks
    almost = [n for n in names if n not in leaks and max(alone[n], _one_class(table[n], y, classes)) > ALMOST[kind]]
    if almost:
        warnings.warn(
            f"{_named(almost)} of the same moment almost alone {'decides' if len(almost) == 1 else 'decide'} "
            f"{target!r}. To predict it before it happens, take the target one row later: ahead=1 (--ahead 1).",
            ChainruleWarning,
            stacklevel=3,
        )
    return leaks + tuple(almost)


def decides(x: np.ndarray, y: np.ndarray, classes: bool) -> float:
    """How far one column alone decides the target, from 0 to 1.

    For classes, the share of the majority guess's errors that the column removes; for numbers, the rank correlation,
    or the share of the variance that the means of equal values explain. Each row is judged without itself.

    >>> rows = np.arange(100.0)
    >>> words = np.where(rows < 50, "no", "yes").astype(object)
    >>> round(decides(rows, -(rows**3), classes=False), 6), decides(words, rows < 50, classes=True)
    (1.0, 1.0)
    """
    groups, few = _groups(x)
    if classes:
        codes = np.unique(y.astype(str), return_inverse=True)[1]
        skill = _errors_removed(groups, codes)
        return skill if few else max(skill, float(_in_runs(x, codes)))
    if few:
        return _variance_explained(groups, y)
    seen = ~np.isnan(x)
    return _rank_correlation(x[seen], y[seen])


def _groups(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """A code for each row: its value where values repeat, else its bin, all of equal size; blanks have their own."""
    blank = np.isnan(x) if x.dtype.kind == "f" else np.array([value is None for value in x])
    seen = x[~blank]
    values, codes = np.unique(seen if x.dtype.kind == "f" else seen.astype(str), return_inverse=True)
    few = x.dtype != float or 2 * len(values) <= len(seen)
    if not few:
        codes = (np.argsort(np.argsort(seen, kind="stable")) * BINS) // max(len(seen), 1)
    groups = np.full(len(x), -1)
    groups[~blank] = codes
    return groups + 1, few


def _errors_removed(groups: np.ndarray, codes: np.ndarray) -> float:
    """1 - errors of each group's majority / errors of the majority of all; a row does not vote for itself."""
    counts = np.zeros((groups.max() + 1, codes.max() + 1), int)
    np.add.at(counts, (groups, codes), 1)
    ranked = np.sort(counts, axis=1)
    most = ranked[:, -1]
    second = ranked[:, -2] if counts.shape[1] > 1 else np.zeros_like(most)
    wrong = counts.sum() - most[most - 1 > second].sum()
    guessed_wrong = len(codes) - counts.sum(axis=0).max()
    return max(0.0, 1.0 - float(wrong / guessed_wrong)) if guessed_wrong else 0.0


def _one_class(x: np.ndarray, y: np.ndarray, classes: bool) -> float:
    """The best that the column does at telling one frequent class from all others."""
    if not classes:
        return 0.0
    groups, labels = _groups(x)[0], y.astype(str)
    frequent = [
        label for label, count in zip(*np.unique(labels, return_counts=True), strict=True) if 10 * count > len(y)
    ]
    return max((_errors_removed(groups, (labels == label).astype(int)) for label in frequent), default=0.0)


def _in_runs(x: np.ndarray, codes: np.ndarray) -> bool:
    """Whether thresholds on x separate the classes without an error: each class is one run of the sorted rows."""
    seen = ~np.isnan(x)
    ordered = codes[seen][np.argsort(x[seen], kind="stable")]
    return bool(seen.sum() > 2 * BINS and np.count_nonzero(np.diff(ordered)) == len(np.unique(codes)) - 1)


def _variance_explained(groups: np.ndarray, y: np.ndarray) -> float:
    """1 - mean squared error of the means of the other rows of each group / variance of the target."""
    count, total = np.bincount(groups), np.bincount(groups, weights=y)
    others = count[groups] - 1
    guess = np.where(others > 0, (total[groups] - y) / np.maximum(others, 1), y.mean())
    return max(0.0, 1.0 - float(np.mean((y - guess) ** 2) / np.var(y)))


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(x), rankdata(y)])
    if len(x) < 10 or np.any(np.ptp(ranks, axis=1) == 0):
        return 0.0
    return float(min(1.0, abs(np.corrcoef(ranks)[0, 1])))


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return (
        ("Column " if len(names) == 1 else "Columns ")
        + shown
        + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    )
