"""Conformal prediction: intervals and sets that hold the truth as often as they say, whatever the network is.

Held-out rows show how far answers lie from the truth (their scores); a new answer is given the room that the wanted
share of them needed. With an ensemble whose members left out different rows, each member answers for its own ones.
"""

from collections.abc import Sequence

import numpy as np


def interval(
    predictions: np.ndarray, scales: np.ndarray, scores: Sequence[np.ndarray], coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    """The interval around the answers of each member that holds the truth with at least about this probability.

    Where members disagree by more than the coverage asks for, the two ends change places.

    Equation
        upper = the k-th least of {m_j(x) + s(x) r_i : row i left out by member j},  k = ceil(coverage * (n + 1))
        lower = the k-th largest of {m_j(x) - s(x) r_i}
    Shapes
        predictions (members, rows), scales (rows,), scores: for each member the r_i = |y_i - m_j(x_i)| / s(x_i) of
        the rows that it left out -> lower (rows,), upper (rows,); infinite where n + 1 rows are too few
    Source
        Barber, Candès, Ramdas & Tibshirani 2021, arXiv:1905.02928, CV+; with one member split conformal prediction
        (Lei et al. 2018, arXiv:1604.04173)
    """
    one, other = -_least(-predictions, scales, scores, coverage), _least(predictions, scales, scores, coverage)
    return np.minimum(one, other), np.maximum(one, other)


def _least(m: np.ndarray, s: np.ndarray, scores: Sequence[np.ndarray], coverage: float) -> np.ndarray:
    """The k-th least of m_j + s r_i over all rows i and their members j, by halving the range that it lies in."""
    count = sum(map(len, scores))
    k = int(np.ceil(coverage * (count + 1) - 1e-9))
    if k > count:
        return np.full(m.shape[1], np.inf)
    ordered = [np.sort(r) for r in scores]
    low, high = m.min(axis=0), m.max(axis=0) + s * max(float(r[-1]) for r in ordered if len(r))
    for _ in range(60):
        middle = (low + high) / 2
        inside = sum(np.searchsorted(r, (middle - m[j]) / s, side="right") for j, r in enumerate(ordered))
        enough = inside >= k
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def classes(probabilities: np.ndarray, scores: Sequence[np.ndarray], coverage: float) -> np.ndarray:
    """The classes that are not too strange to be the truth; an empty set says that the row itself is strange.

    Equation
        c belongs to the set where (1 + #{i : r_i >= 1 - p_j(c | x)}) / (n + 1) > 1 - coverage
    Shapes
        probabilities (members, rows, classes), scores: for each member the r_i = 1 - p_j(y_i | x_i) of the rows that
        it left out -> boolean (rows, classes)
    Source
        Vovk 2015, arXiv:1208.0806 (cross-conformal); with one member Sadinle, Lei & Wasserman 2019, arXiv:1609.00451
    """
    count = sum(map(len, scores))
    pairs = zip(probabilities, scores, strict=True)
    stranger = np.sum([len(r) - np.searchsorted(np.sort(r), 1 - p, side="left") for p, r in pairs], axis=0)
    return (1 + stranger) / (count + 1) > 1 - coverage + 1e-12
