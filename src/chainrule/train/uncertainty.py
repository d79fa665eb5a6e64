"""Uncertainty: a run's intervals, sets and table of confidence, from what the rows left out taught."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, CountTarget
from chainrule.errors import ChainruleWarning, DataError
from chainrule.maths import conformal
from chainrule.maths.losses import Loss
from chainrule.maths.selective import mean_size, selective, share_right
from chainrule.train.confidence import Confidence, features_of, predictions, probabilities, spread_features

if TYPE_CHECKING:
    from chainrule.train.run import Run


def predict_interval(run: "Run", data: Any, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """(lower, upper), in y's units and shape."""
    coverage = _coverage(coverage)
    if not isinstance(run.design.loss, Loss):
        raise DataError(_own_loss(run, "intervals", "lower and upper bounds"))
    if run.design.loss.task != "regression":
        raise DataError("This run predicts classes: an interval is for numbers. Use run.predict_set(X).")
    known = _known(run, "predict_interval")
    _warn_of_drift(run)
    x = run.design.encoder.encode(data)
    answers = predictions(run.design, _members(run, x))
    columns, scale = _columns(known, x, answers)
    asked = _asked(known, columns)
    bounds = []
    for j in range(scale.shape[1]):
        own = [r[:, j] for r in known.scores]
        bounds.append(conformal.interval(asked[..., j], scale[:, j], own, coverage))
    lower, upper = (np.stack(side, axis=1).reshape(answers.shape[1:]) for side in zip(*bounds, strict=True))
    if isinstance(run.design.encoder.target, CountTarget):
        lower = np.maximum(lower, 0.0)
    return lower, upper


def predict_set(run: "Run", data: Any, coverage: float) -> np.ndarray:
    """Boolean (rows, classes), the columns in the order of ``classes_``."""
    coverage = _coverage(coverage)
    if not isinstance(run.design.loss, Loss):
        raise DataError(_own_loss(run, "sets", "the set of classes"))
    if not isinstance(run.design.encoder.target, ClassTarget):
        use = "run.predict_interval(X)" if run.design.loss.task == "regression" else "run.predict_proba(X)"
        raise DataError(f"predict_set: this run does not choose one of several classes. Use {use}.")
    known = _known(run, "predict_set")
    _warn_of_drift(run)
    z = _members(run, run.design.encoder.encode(data))
    p = probabilities(run.design.loss, z, known.temperature, known.rows)
    return conformal.classes(_asked(known, p), known.scores, coverage)


def confidence(run: "Run", data: Any) -> Table:
    """Columns confidence, entropy (bits), aleatoric, epistemic and ood, one row for each example."""
    loss = run.design.loss
    if not isinstance(loss, Loss):
        raise DataError(_own_loss(run, "confidences", "how sure the answers are"))
    known = _known(run, "confidence")
    x = run.design.encoder.encode(data)
    z, features = _members(run, x), features_of(x)
    ood = np.full(len(features), np.nan) if known.typical is None else known.typical(features)
    if loss.task == "regression":
        return _of_numbers(known, *_columns(known, x, predictions(run.design, z)), ood)
    p = probabilities(loss, z, known.temperature, known.rows)
    if loss.task == "multilabel":
        p = np.stack([1 - p, p], axis=-1)
    mean = p.mean(axis=0)
    total, within = _bits(mean), _bits(p).mean(axis=0)
    sure = mean.max(axis=-1)
    if loss.task == "multilabel":
        sure, total, within = sure.min(axis=1), total.sum(axis=1), within.sum(axis=1)
    return _table(sure, total, within, np.maximum(total - within, 0.0), ood)


def abstention(run: "Run", data: Any, y: Any = None) -> Table:
    """Columns answered, threshold, score, low and high, one row for each share of the rows that is answered."""
    data, y, truth = run.with_truth(data, y)
    sure = np.asarray(run.confidence(data)["confidence"])
    if isinstance(run.design.encoder.target, ClassTarget):
        estimate, wrong = share_right, np.asarray(run.predict_proba(data).argmax(axis=1) != truth, float)
    elif run.design.loss.task == "multilabel":
        estimate, wrong = share_right, np.asarray((run.predict(data) != np.asarray(y)).any(axis=1), float)
    else:
        away = np.abs(run.predict(data) - np.asarray(y, float).reshape(len(sure), -1).squeeze())
        estimate, wrong = mean_size, away.reshape(len(sure), -1).mean(axis=1)
    names = ("answered", "threshold", "score", "low", "high")
    rows = selective(sure, wrong, estimate)
    return Table({name: np.array([row[i] for row in rows], np.float64) for i, name in enumerate(names)})


def _of_numbers(known: Confidence, answers: np.ndarray, scale: np.ndarray, ood: np.ndarray) -> Table:
    between = answers.std(axis=0)
    total = scale**2 + between**2
    kept = 1 - total.sum(axis=1) / max(float(np.sum(known.variance)), 1e-300)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * np.maximum(total, 1e-300)).sum(axis=1)
    lengths = (np.sqrt((s**2).sum(axis=1)) for s in (scale, between))
    return _table(np.clip(kept, 0.0, 1.0), entropy, *lengths, ood)


def _table(*columns: np.ndarray) -> Table:
    names = ("confidence", "entropy", "aleatoric", "epistemic", "ood")
    return Table({name: np.asarray(column, np.float64) for name, column in zip(names, columns, strict=True)})


def _members(run: "Run", x: Any) -> np.ndarray:
    """The outputs of each member (members, rows, outputs); a single network is the only one."""
    z = run.outputs_of(x)
    return z if z.ndim == 3 else z[None]


def _asked(known: Confidence, answers: np.ndarray) -> np.ndarray:
    """The answers of each member where each has scores of its own, else their mean as the only one."""
    return answers if len(known.scores) > 1 else answers.mean(axis=0)[None]


def _columns(known: Confidence, x: Any, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers (members, rows, columns) in y's units, and the spread (rows, columns) around their mean."""
    columns = answers.reshape(*answers.shape[:2], -1)
    mean, features = columns.mean(axis=0), features_of(x)
    scale = [s(spread_features(features, mean[:, j])) for j, s in enumerate(known.spread)]
    return columns, np.stack(scale, axis=1)


def _bits(p: np.ndarray) -> np.ndarray:
    return -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=-1)


def _known(run: "Run", asked: str) -> Confidence:
    known = run.known
    if known is None:
        raise DataError(
            f"{asked}: this run left out no rows, so nothing says how far it can be trusted. Fit with validation=0.2, "
            'or with ensemble=8, validation="cross".'
        )
    return known


def _warn_of_drift(run: "Run") -> None:
    time = run.design.recipe.split.time
    if time is not None:
        warnings.warn(
            f"Rows are ordered by {time}, so what was left out lies before what is predicted: coverage holds as long "
            "as new rows are like the last ones. Compare run.predict_interval or run.predict_set with what really came "
            "in from time to time, and fit again when it falls short.",
            ChainruleWarning,
            stacklevel=4,
        )


def _coverage(coverage: Any) -> float:
    if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0 < coverage < 1:
        raise DataError(f"coverage={coverage!r}: a share between 0 and 1 is expected, such as 0.9.")
    return float(coverage)


def _own_loss(run: "Run", what: str, meaning: str) -> str:
    name = getattr(run.design.loss, "__name__", run.design.loss)
    return (
        f"Your own loss {name} has no distribution, so there are no {what}: nothing says what {meaning} would mean for "
        "its outputs. Take one of our losses, or run.outputs(X)."
    )
