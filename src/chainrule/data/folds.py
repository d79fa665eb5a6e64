"""Folds: every row is left out by one part of an ensemble, whose answer for it is honest."""

from typing import Any

import numpy as np

from chainrule.data.splits import STREAM, codes_of
from chainrule.errors import DataError


def folds(rows: int, count: int, seed: int, labels: Any = None, groups: Any = None) -> np.ndarray:
    """The fold of each row, 0 to count - 1: equal in size up to one row, every one holding some.

    ``labels``: each class is spread over all folds. ``groups``: rows of one group are in one fold, and the folds are
    as equal as the groups allow. Groups decide before labels.

    >>> folds(7, 3, seed=0).tolist()
    [0, 0, 1, 2, 2, 1, 0]
    """
    if rows < count:
        raise DataError(
            f"{rows} rows cannot be cut into {count} folds, one for each network of the ensemble. Say a smaller "
            "ensemble, or ensemble=1."
        )
    shuffled = np.random.Generator(np.random.Philox(key=[int(seed), STREAM])).permutation(rows)
    if groups is not None:
        return _whole_groups(codes_of(groups), shuffled, count)
    if labels is not None:
        shuffled = shuffled[np.argsort(codes_of(labels)[shuffled], kind="stable")]
    fold = np.empty(rows, np.int64)
    fold[shuffled] = np.arange(rows) % count
    return fold


def _whole_groups(codes: np.ndarray, shuffled: np.ndarray, count: int) -> np.ndarray:
    """Groups, the largest first and equal ones in random order, each into the fold that holds the fewest rows."""
    sizes = np.bincount(codes)
    if len(sizes) < count:
        raise DataError(
            f"The rows belong to {len(sizes)} group{'s' * (len(sizes) > 1)}, which cannot be cut into {count} folds, "
            f"one for each network of the ensemble. Say ensemble={len(sizes)} or less."
        )
    drawn = list(dict.fromkeys(codes[shuffled].tolist()))
    held, fold_of = np.zeros(count, np.int64), np.empty(len(sizes), np.int64)
    for group in sorted(drawn, key=lambda g: -sizes[g]):
        fold_of[group] = held.argmin()
        held[fold_of[group]] += sizes[group]
    return fold_of[codes]
