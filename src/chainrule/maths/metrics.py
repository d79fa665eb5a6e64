"""Metrics with 95 % intervals: shares by Wilson's interval, everything else by the bootstrap.

Values are scikit-learn's, in plain NumPy. What is undefined (0 / 0: the precision of a class that was never
predicted, AUROC with one class) is left out with its reason; scikit-learn warns and shows 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import DataError, ShapeError
from chainrule.maths.estimates import Estimates, Statistic, bootstrap, wilson
from chainrule.maths.ranking import Ranking

BINS = 15
"""Bins of the expected calibration error."""


def classification(y: Any, proba: Any, classes: Sequence, weights: Any = None) -> Estimates:
    """Metrics of class codes y (rows,) and probabilities (rows, k); the last of two classes is the positive one.

    accuracy; precision, recall and f1 of each class; AUROC and AUPRC (of more than two classes the mean of one against
    the rest); log_loss in nats; brier (of more than two classes the sum over classes); ece over 15 equal bins.
    """
    p, w = _floats("proba", proba, 2), _weights(weights, len(np.asarray(proba)))
    y = _codes(y, p.shape)
    if np.any(p < 0) or np.any(np.abs(p.sum(axis=1) - 1) > 1e-3):
        raise DataError("proba must be at least 0 and sum to 1 in each row. Apply cr.softmax to logits first.")
    if len(classes) != p.shape[1]:
        raise ShapeError(
            f"proba has {p.shape[1]} columns, and {len(classes)} classes came: one column each is expected."
        )
    k, binary = p.shape[1], p.shape[1] == 2
    names = [str(c) for c in classes]
    true, said = np.eye(k)[y], np.eye(k)[p.argmax(axis=1)]
    rows = np.arange(len(y))
    eps = np.finfo(np.asarray(proba).dtype if np.asarray(proba).dtype.kind == "f" else float).eps
    surprise = -np.log(np.clip(p[rows, y], eps, 1 - eps))
    brier = (p[:, 1] - y) ** 2 if binary else np.sum((p - true) ** 2, axis=1)
    ranked = range(1, 2) if binary else range(k)
    hits = true * said
    trials = {"accuracy": (hits.sum(axis=1), np.ones(len(y)), "")}
    for j, name in enumerate(names):
        trials[f"precision[{name}]"] = hits[:, j], said[:, j], f"no row was predicted as {name}"
        trials[f"recall[{name}]"] = hits[:, j], true[:, j], _no_row(name)
    absent = "no row belongs to it, and none was predicted as it"
    drawn = bootstrap(
        [
            Statistic([f"f1[{name}]" for name in names], lambda w: _f1(w, true, said), [absent] * k),
            *_rankings([(p[:, j], true[:, j] > 0) for j in ranked], _one_kind(names, true)),
            _means({"log_loss": surprise, "brier": brier}),
            Statistic(["ece"], lambda w: _calibration_error(w, p.max(axis=1), hits.sum(axis=1)), [""]),
        ],
        w,
        _replicates(len(y) * len(ranked)),
    )
    return _joined(_shares(trials, w), drawn)


def multilabel(y: Any, proba: Any, weights: Any = None) -> Estimates:
    """Metrics of columns of 0 and 1, y (rows, k), and the probabilities of 1 (rows, k).

    accuracy (every label of a row right); f1, AUROC and AUPRC, mean over the columns; log_loss in nats and brier, mean
    over all labels.
    """
    p, w = _floats("proba", proba, 2), _weights(weights, len(np.asarray(proba)))
    y = _floats("y", y, 2)
    if y.shape != p.shape:
        raise ShapeError(f"y of shape {y.shape} meets proba of shape {p.shape}: equal shapes are expected.")
    if np.any(p < 0) or np.any(p > 1):
        raise DataError("proba must lie between 0 and 1. Apply cr.sigmoid to logits first.")
    if not np.all((y == 0) | (y == 1)):
        raise DataError("y must hold 0 and 1 only, one column for each label.")
    said = (p > 0.5).astype(float)
    q = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    surprise = -np.log(np.where(y > 0, q, 1 - q)).mean(axis=1)
    one_kind = "a label is 0 in every row, or 1 in every row"
    f1 = Statistic(["f1"], lambda w: _f1(w, y, said).mean(axis=-1, keepdims=True), ["a label never occurs"])
    drawn = bootstrap(
        [
            f1,
            *_rankings([(p[:, j], y[:, j] > 0) for j in range(y.shape[1])], one_kind),
            _means({"log_loss": surprise, "brier": ((p - y) ** 2).mean(axis=1)}),
        ],
        w,
        _replicates(y.size),
    )
    return _joined(_shares({"accuracy": (np.all(y == said, axis=1), np.ones(len(y)), "")}, w), drawn)


def regression(y: Any, prediction: Any, weights: Any = None) -> Estimates:
    """Metrics of numbers y, (rows,) or (rows, k), and predictions of that shape: mse, rmse, mae, r2 (mean over k)."""
    y, prediction, w = _numbers(y, prediction, weights)
    squares, distances = (y - prediction) ** 2, np.abs(y - prediction)
    least = y.min(axis=0)
    centered = y - least - np.average(y - least, axis=0, weights=w)  # a constant column becomes exactly 0

    def root(w: np.ndarray) -> np.ndarray:
        return np.sqrt(_mean(w, squares)).mean(axis=-1, keepdims=True)

    def r2(w: np.ndarray) -> np.ndarray:
        spread = _mean(w, centered**2)
        variance = spread - _mean(w, centered) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(variance > 1e-12 * spread, _mean(w, squares) / variance, np.nan)
        return (1 - ratio).mean(axis=-1, keepdims=True)

    statistics = [
        _means({"mse": squares.mean(axis=1)}),
        Statistic(["rmse"], root, [""]),
        _means({"mae": distances.mean(axis=1)}),
        Statistic(["r2"], r2, ["y is constant, so there is nothing to explain"]),
    ]
    return bootstrap(statistics, w, _replicates(y.size))


def counts(y: Any, rate: Any, weights: Any = None) -> Estimates:
    """The metrics of ``regression``, and poisson_deviance: twice the log-likelihood that a perfect rate would gain."""
    y, rate, w = _numbers(y, rate, weights)
    if np.any(y < 0):
        raise DataError(f"counts are at least 0, and y has {y.min():g}.")
    if np.any(rate <= 0):
        deviance = Estimates({}, {"poisson_deviance": "a predicted rate is not above 0"})
    else:
        each = 2 * (y * np.log(np.where(y > 0, y, 1) / rate) - y + rate)
        deviance = bootstrap([_means({"poisson_deviance": each.mean(axis=1)})], w, _replicates(y.size))
    return _joined(regression(y, rate, w), deviance)


def mean(name: str, rows: np.ndarray) -> Estimates:
    """The mean of one value per row."""
    rows = _floats(name, rows, 1)
    return bootstrap([_means({name: rows})], np.ones(len(rows)), _replicates(len(rows)))


def _replicates(size: int) -> int:
    return int(np.clip(10_000_000 // size, 200, 1000))


def _joined(*parts: Estimates) -> Estimates:
    return Estimates(
        {name: e for part in parts for name, e in part.items()},
        {name: why for part in parts for name, why in part.left_out.items()},
    )


def _shares(parts: dict[str, tuple[np.ndarray, np.ndarray, str]], w: np.ndarray) -> Estimates:
    """Shares of hits among trials; weights count as Kish's effective number of rows."""
    estimates, left_out = {}, {}
    for name, (hits, trials, why) in parts.items():
        total = w @ trials
        if total > 0:
            scale = total / (w**2 @ trials)
            estimates[name] = wilson(float(w @ hits * scale), float(total * scale))
        else:
            left_out[name] = why
    return Estimates(estimates, left_out)


def _mean(w: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return w @ rows / w.sum(axis=-1, keepdims=True)


def _means(rows: dict[str, np.ndarray]) -> Statistic:
    table = np.stack(list(rows.values()), axis=1)
    return Statistic(list(rows), lambda w: _mean(w, table), [""] * len(rows))


def _f1(w: np.ndarray, true: np.ndarray, said: np.ndarray) -> np.ndarray:
    both = w @ (true + said)
    return np.divide(2 * (w @ (true * said)), both, out=np.full(both.shape, np.nan), where=both > 0)


def _rankings(columns: list[tuple[np.ndarray, np.ndarray]], why: str) -> list[Statistic]:
    rankings = [Ranking(score, positive) for score, positive in columns]

    def areas(w: np.ndarray) -> np.ndarray:
        return np.mean([np.stack(r.areas(w), axis=-1) for r in rankings], axis=0)

    return [Statistic(["AUROC", "AUPRC"], areas, [why, why])]


def _calibration_error(w: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How far confidence and accuracy lie apart in each bin, mean over the rows (Guo et al. 2017, equation 3)."""
    bins = np.eye(BINS)[np.minimum((confidence * BINS).astype(int), BINS - 1)]
    gaps = np.abs(w @ (bins * (confidence - right)[:, None]))
    return gaps.sum(axis=-1, keepdims=True) / w.sum(axis=-1, keepdims=True)


def _no_row(name: str) -> str:
    return f"no row belongs to {name}"


def _one_kind(names: list[str], true: np.ndarray) -> str:
    absent = [name for name, count in zip(names, true.sum(axis=0), strict=True) if not count]
    return _no_row(", ".join(absent)) if absent else f"every row belongs to {names[0]}"


def _codes(y: Any, shape: tuple[int, ...]) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != shape[:1]:
        raise ShapeError(f"y of shape {y.shape} meets proba of shape {shape}: one code for each row is expected.")
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= shape[1]:
        raise DataError(f"y must hold codes of classes, whole numbers from 0 to {shape[1] - 1}; this came: {y[:8]}.")
    return y.astype(int)


def _numbers(y: Any, prediction: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, prediction = _floats("y", y, 1, 2), _floats("prediction", prediction, 1, 2)
    if y.shape != prediction.shape:
        raise ShapeError(
            f"y of shape {y.shape} meets predictions of shape {prediction.shape}: equal shapes are expected."
        )
    columns = y.reshape(len(y), -1), prediction.reshape(len(y), -1)
    return *columns, _weights(weights, len(y))


def _floats(name: str, values: Any, *ndims: int) -> np.ndarray:
    array = np.asarray(values, float)
    if array.ndim not in ndims or not array.size:
        raise ShapeError(f"{name} needs {' or '.join(map(str, ndims))} axes and one or more rows; {array.shape} came.")
    if not np.all(np.isfinite(array)):
        raise DataError(f"{name} is not finite in row {int(np.argwhere(~np.isfinite(array))[0][0])}.")
    return array


def _weights(weights: Any, rows: int) -> np.ndarray:
    if weights is None:
        return np.ones(rows)
    w = np.asarray(weights, float)
    if w.shape != (rows,) or not np.all(np.isfinite(w)) or np.any(w < 0) or not np.any(w > 0):
        raise DataError(f"weights must be {rows} finite numbers of at least 0, one for each row and not all 0.")
    return w
