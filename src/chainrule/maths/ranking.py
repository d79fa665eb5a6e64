"""Ranking: how well scores put the positive rows first, for many weightings of the rows at once."""

from typing import Any

import numpy as np


class Ranking:
    """Rows sorted once, the highest score first; equal scores share a place."""

    def __init__(self, score: Any, positive: Any) -> None:
        score = np.asarray(score, float)
        self._order = np.argsort(-score, kind="stable")
        ordered = score[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._positive = np.asarray(positive, bool)[self._order].astype(float)

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(AUROC, AUPRC) for weights (..., rows); NaN where one kind of rows has no weight.

        AUROC is the chance that a positive row has a higher score than a negative one, ties counting half (Mann &
        Whitney 1947; Hanley & McNeil 1982). AUPRC is the precision at the place of each positive row, mean over the
        positive rows (Manning, Raghavan & Schuetze 2008, section 8.4), as scikit-learn's average_precision_score.
        """
        w = np.take(weights, self._order, axis=-1)
        positive = w * self._positive
        if self._starts.size < self._order.size:
            w = np.add.reduceat(w, self._starts, axis=-1)
            positive = np.add.reduceat(positive, self._starts, axis=-1)
        seen, hits = np.cumsum(w, axis=-1), np.cumsum(positive, axis=-1)
        negative, total = w - positive, hits[..., -1]
        rest = seen[..., -1] - total
        above = np.sum(negative * (hits - positive / 2), axis=-1)
        precision = _ratio(hits, seen, 0.0)
        return _ratio(above, total * rest), _ratio(np.sum(positive * precision, axis=-1), total)


def _ratio(above: np.ndarray, below: np.ndarray, undefined: float = np.nan) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), undefined), where=below > 0)
