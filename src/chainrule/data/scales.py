"""Scales: what makes gradient descent slow on bare arrays, said once before training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

_RATIO = 100.0


def scale_warning(X: Any, y: Any = None, names: Sequence[str] | None = None) -> str | None:
    """The warning for features or targets of very different scales, or None.

    The scale of a feature is its largest magnitude; the warning comes when two differ by more than 100 times, or when
    numbers in y exceed 100. X is an array, or a dict or tuple of arrays of which the floating ones are looked at.

    >>> scale_warning(np.array([[0.002, 4254.0]]), names=("smoothness", "area"))[:55]
    'Features range from 0.002 (smoothness) to 4254 (area): '
    """
    reach = _reach(X)
    said = []
    some = np.flatnonzero(reach > 0)
    if len(some) and reach[some].max() > _RATIO * reach[some].min():
        low, high = some[reach[some].argmin()], some[reach[some].argmax()]
        said.append(
            f"Features range from {reach[low]:.4g} ({_name(low, names)}) to {reach[high]:.4g} "
            f"({_name(high, names)}): gradient "
            "descent will be slow. Put cr.Standardize() first (fitted on the training part), or use cr.design."
        )
    elif len(some) and reach[some].min() > _RATIO:
        said.append(
            f"Features reach {reach.max():.4g}: gradient descent will be slow. Put cr.Standardize() first "
            "(fitted on the training part), or use cr.design."
        )
    if y is not None:
        y = np.asarray(y)
        largest = float(np.abs(y.astype(np.float64)).max()) if y.size and y.dtype.kind in "iuf" else 0.0
        if largest > _RATIO:
            said.append(
                f"y reaches {largest:.4g}: the first steps will be spent on its scale. Train on (y - "
                "mean)/std of the training part, or use cr.design, which does so and gives predictions in y's units."
            )
    return " ".join(said) or None


def constant_warning(X: Any, names: Sequence[str] | None = None) -> str | None:
    """The warning that names features with one value in every row, or None."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or len(X) < 2:
        return None
    constant = np.flatnonzero((X == X[0]).all(axis=0))
    if not len(constant):
        return None
    shown = ", ".join(_name(j, names) for j in constant[:6]) + (", …" if len(constant) > 6 else "")
    what, them = ("feature has", "it") if len(constant) == 1 else ("features have", "them")
    return f"{len(constant)} {what} the same value in every row and can teach nothing: {shown}. Leave {them} out."


def _reach(X: Any) -> np.ndarray:
    """The largest magnitude of each feature: the last axis of every floating or uint8 array."""
    if isinstance(X, dict | tuple):
        parts = X.values() if isinstance(X, dict) else X
        return np.concatenate([_reach(part) for part in parts] or [np.zeros(0)])
    X = np.asarray(X)
    if X.ndim < 2 or not X.size or not (X.dtype.kind == "f" or X.dtype == np.uint8):
        return np.zeros(0)
    flat = X.reshape(-1, X.shape[-1])
    return np.maximum(flat.max(axis=0).astype(np.float64), -flat.min(axis=0).astype(np.float64))


def _name(j: Any, names: Sequence[str] | None) -> str:
    return str(names[j]) if names is not None and j < len(names) else f"column {j}"
