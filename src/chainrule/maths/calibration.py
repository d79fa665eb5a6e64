"""Calibration: one number that makes the probabilities of a classifier as sure as its answers are right."""

import numpy as np

LARGEST = 4.0
"""Temperatures are sought from 1/4 to 4: beyond, some rows more would change the answer."""


def temperature(logits: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The temperature T at which softmax(z/T) has the least cross-entropy on rows that did not teach the network.

    Equation
        T = argmin of mean(logsumexp(z/T) - z[y]/T)
    Derivative
        with b = 1/T: d/db = mean(sum(p*z) - z[y]), which grows with b, so that its only root is the minimum
    Shapes
        logits (rows, classes), codes (rows,), weights (rows,): means are weighted by them -> float
    Source
        Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, section 4.2

    >>> sure = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
    >>> T = temperature(sure, np.array([0, 0, 0, 1]))
    >>> round(float(1 / (1 + np.exp(-4 / T))), 3)
    0.75
    """
    z = np.asarray(logits, np.float64)
    z = z - z.max(axis=1, keepdims=True)
    low, high = -np.log(LARGEST), np.log(LARGEST)
    true = np.average(z[np.arange(len(z)), codes], weights=weights)
    for _ in range(40):
        middle = (low + high) / 2
        e = np.exp(np.exp(middle) * z)
        rising = np.average((e * z).sum(axis=1) / e.sum(axis=1), weights=weights) > true
        low, high = (low, middle) if rising else (middle, high)
    return float(np.exp(-(low + high) / 2))


def never_certain(probabilities: np.ndarray, rows: int) -> np.ndarray:
    """Probabilities of which none is 0: after ``rows`` rows a mistake that was never seen may still come.

    Equation
        q = (1 - e) * p + e / k,  e = 1 / (2 * (rows + 1))
    Shapes
        probabilities (n, k) -> (n, k)
    Source
        Jeffreys' prior for a share of which no case was seen
    """
    e = 0.5 / (rows + 1)
    return (1 - e) * probabilities + e / probabilities.shape[-1]
