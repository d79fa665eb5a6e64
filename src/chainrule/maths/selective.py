"""Selective prediction: how right the answers are that remain when the least sure ones are not given."""

from collections.abc import Callable

import numpy as np

from chainrule.maths.estimates import Estimate, normal, wilson

SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)


def selective(
    sure: np.ndarray, wrong: np.ndarray, estimate: Callable[[np.ndarray], Estimate]
) -> list[tuple[float, float, float, float, float]]:
    """For each share of rows that is answered: the share, the least confidence among them, the score and its interval.

    Equation
        score(a) = mean(wrong[i] for the round(a n) rows i of the largest sure[i])     the risk at coverage a
    Shapes
        sure (rows,), wrong (rows,): an error for each row, 0 or 1 for classes
    Source
        El-Yaniv & Wiener 2010, On the Foundations of Noise-free Selective Classification; Geifman & El-Yaniv 2017,
        arXiv:1705.08500

    >>> selective(np.array([0.9, 0.6]), np.array([0.0, 1.0]), share_right)[-1][:3]
    (0.5, 0.9, 1.0)
    """
    order = np.argsort(-sure, kind="stable")
    rows = []
    for share in SHARES:
        kept = order[: max(1, round(share * len(order)))]
        found = estimate(wrong[kept])
        low, high = (np.nan if side is None else side for side in (found.low, found.high))
        rows.append((share, float(sure[kept[-1]]), found.value, low, high))
    return rows


def share_right(wrong: np.ndarray) -> Estimate:
    """The accuracy, with Wilson's interval."""
    return wilson(float(len(wrong) - wrong.sum()), len(wrong))


def mean_size(wrong: np.ndarray) -> Estimate:
    """The mean error, with the interval of a mean."""
    value, low, high = normal(wrong)
    return Estimate(value, low, high)
