"""Weights of rows: the sample's times its class's."""

from typing import Any

import numpy as np

from chainrule.data.arrays import sample_weights
from chainrule.data.targets import ClassTarget
from chainrule.errors import DataError
from chainrule.train.design import Design


def weights(design: Design, labels: Any, given: Any) -> np.ndarray:
    """One weight per row: the one that was given, or 1, times that of its class."""
    w = np.ones(len(labels)) if given is None else sample_weights(given, len(labels))
    if design.recipe.class_weight is None:
        return w.astype(np.float32)
    target = design.encoder.target
    if not isinstance(target, ClassTarget):
        raise DataError("fit: class_weight needs classes, and this is a regression. Use sample_weight.")
    codes = target.encode(labels)
    return (w * class_weights(design.recipe.class_weight, target, codes)[codes]).astype(np.float32)


def class_weights(given: Any, target: ClassTarget, codes: np.ndarray) -> np.ndarray:
    """The weight of each class: pairs of label and weight, or "balanced": rows / (classes * rows of the class)."""
    counts = np.bincount(codes, minlength=len(target.classes))
    if given == "balanced":
        return len(codes) / (len(counts) * np.maximum(counts, 1))
    try:
        pairs = dict(given)
        unknown = [label for label in pairs if label not in target.classes]
        values = np.array([pairs.get(label, 1.0) for label in target.classes], float)
    except (TypeError, ValueError):
        raise DataError(
            f'fit: class_weight={given!r}: "balanced", or a dict of labels and weights is expected, such as '
            "{0: 1.0, 1: 5.0}."
        ) from None
    if unknown:
        raise DataError(f"fit: class_weight names {unknown}, and the classes are {list(target.classes)}.")
    if not np.all(np.isfinite(values)) or np.any(values < 0) or not np.any(values > 0):
        raise DataError(f"fit: class_weight must be finite numbers of at least 0, not all 0; {given} came.")
    return values
