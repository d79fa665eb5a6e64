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
    x, labels = encoder.encode(learned[0]), learned[1]
    x_test, y_test = encoder.encode(test[0]), test[1]
    if isinstance(target, ClassTarget):
        truth, classes = target.encode(y_test), list(target.classes)
        guessed = guesses(encoder, x, target.encode(labels), x_test, seed)
        return {name: _values(metrics.classification(truth, p, classes)) for name, p in guessed.items()}
    y, truth = np.asarray(labels, float), np.asarray(y_test, float)
    return {name: _values(metrics.regression(truth, p)) for name, p in guesses(encoder, x, y, x_test, seed).items()}


def guesses(encoder: Any, x: Any, y: np.ndarray, x_test: Any, seed: int = 0) -> dict[str, np.ndarray]:
    """What the simple models answer to each test row: probabilities of classes, or values.

    Inputs are those that the network reads; ``y`` holds codes of classes, or values in their own units.
    """
    learned, asked = _features(encoder, x), _features(encoder, x_test)
    if isinstance(encoder.target, ClassTarget):
        return _classes(len(encoder.target.classes), learned, y, asked, seed)
    name, model = ("poisson", _poisson()) if isinstance(encoder.target, CountTarget) else ("ridge", _ridge())
    mean = np.broadcast_to(y.mean(axis=0), (len(asked), *y.shape[1:]))
    return {"mean": mean, name: _fitted(model, learned, y).predict(asked)}


def _classes(count: int, x: np.ndarray, y: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    share = (np.bincount(y, minlength=count) + 1) / (len(y) + count)
    linear = np.zeros((len(asked), count))
    model = _fitted(_logistic(seed), x, y)
    linear[:, model.classes_] = model.predict_proba(asked)
    return {"majority": np.tile(share, (len(asked), 1)), "logistic": linear}


def _features(encoder: Any, x: Any) -> np.ndarray:
    """One row of float64 features for each example; codes of embedded columns as 0/1 columns."""
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
