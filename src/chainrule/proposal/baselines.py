"""Baselines: what guessing and a linear model reach on the same rows, beside which a network's scores are read."""

import warnings
from typing import Any

import numpy as np

from chainrule.data.encoders import Encoder
from chainrule.data.targets import ClassTarget, CountTarget
from chainrule.maths import metrics


def baselines(
    encoder: Any, learned: tuple[Any, Any], test: tuple[Any, Any], seed: int = 0
) -> dict[str, dict[str, float]]:
    """Scores on the test rows of the majority and logistic regression, or of the mean and ridge regression.

    ``encoder`` is the fitted one of a run, ``learned`` and ``test`` pairs of inputs and targets as they came, as
    ``Materials`` has them. For counts the linear model is Poisson's. Names of metrics are those of ``run.evaluate``.
    """
    target = encoder.target
    x, labels = _features(encoder, learned[0]), learned[1]
    x_test, y_test = _features(encoder, test[0]), test[1]
    if isinstance(target, ClassTarget):
        return _classes(target, (x, target.encode(labels)), (x_test, target.encode(y_test)), seed)
    y, truth = np.asarray(labels, float), np.asarray(y_test, float)
    name, model = ("poisson", _poisson()) if isinstance(target, CountTarget) else ("ridge", _ridge())
    guesses = {"mean": np.broadcast_to(y.mean(axis=0), truth.shape), name: _fitted(model, x, y).predict(x_test)}
    return {name: _values(metrics.regression(truth, guess)) for name, guess in guesses.items()}


def _classes(target: ClassTarget, learned: tuple, test: tuple, seed: int) -> dict[str, dict[str, float]]:
    (x, y), (x_test, truth) = learned, test
    count = len(target.classes)
    share = (np.bincount(y, minlength=count) + 1) / (len(y) + count)
    linear = np.zeros((len(truth), count))
    model = _fitted(_logistic(seed), x, y)
    linear[:, model.classes_] = model.predict_proba(x_test)
    guesses = {"majority": np.tile(share, (len(truth), 1)), "logistic": linear}
    return {name: _values(metrics.classification(truth, p, list(target.classes))) for name, p in guesses.items()}


def _features(encoder: Any, data: Any) -> np.ndarray:
    """One row of float64 features for each example; codes of embedded columns as 0/1 columns."""
    x = encoder.encode(data)
    if not isinstance(x, dict):
        x = np.asarray(x, float)
        return x.reshape(len(x), -1)
    parts = [np.asarray(x["numbers"], float)] if "numbers" in x else []
    if isinstance(encoder, Encoder):
        sizes = {c.name: len(c.categories) + 1 for c in encoder.columns if getattr(c, "method", "") == "embedding"}
        parts += [np.eye(size)[x[name]] for name, size in sizes.items()]
    return np.concatenate(parts, axis=1)


def _values(estimates: Any) -> dict[str, float]:
    return {name: float(estimate.value) for name, estimate in estimates.items()}


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed)


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _poisson() -> Any:
    from sklearn.linear_model import PoissonRegressor

    return PoissonRegressor(alpha=1e-3, max_iter=1000)


def _fitted(model: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """The model after at most its number of iterations: a baseline need not reach the last digit."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)
