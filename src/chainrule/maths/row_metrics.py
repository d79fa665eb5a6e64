"""Metrics inside the training program: functions of (z, y) with one value per example, as losses are."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError


@spec.register
@dataclass(frozen=True)
class Accuracy:
    """1 where the class, or every label of an example, is predicted right, else 0."""

    loss: Any

    def __call__(self, z: Any, y: Any) -> Any:
        """One value per example; classes may come as indices or one-hot."""
        if self.loss.task == "multilabel":
            right = self.loss.predict(z) == _like(z, y)
            return jnp.all(right, axis=tuple(range(1, z.ndim))).astype(z.dtype)
        code = jnp.argmax(y, axis=-1) if y.shape == z.shape else y
        right = self.loss.predict(z) == code
        return jnp.mean(right, axis=tuple(range(1, right.ndim)), dtype=z.dtype)


@spec.register
@dataclass(frozen=True)
class AbsoluteError:
    """The distance of the point prediction from y, mean over the columns of y."""

    loss: Any

    def __call__(self, z: Any, y: Any) -> Any:
        """One value per example."""
        prediction = self.loss.predict(z)
        return per_example(jnp.abs(prediction - _like(prediction, y)))


@spec.register
@dataclass(frozen=True)
class SquaredError:
    """The squared distance of the point prediction from y, mean over the columns of y."""

    loss: Any

    def __call__(self, z: Any, y: Any) -> Any:
        """One value per example."""
        prediction = self.loss.predict(z)
        return per_example((prediction - _like(prediction, y)) ** 2)


ROW_METRICS = {
    "accuracy": Accuracy,
    "mean_absolute_error": AbsoluteError,
    "mae": AbsoluteError,
    "mean_squared_error": SquaredError,
    "mse": SquaredError,
}


def row_metric(name: str, loss: Any) -> Callable:
    """The metric of that name for networks trained on ``loss``."""
    if name not in ROW_METRICS or (name == "accuracy") != (loss.task != "regression"):
        fitting = [n for n in ROW_METRICS if (n == "accuracy") == (loss.task != "regression")]
        near = difflib.get_close_matches(name, fitting, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(fitting)}, or a function of (z, y)."
        raise DesignError(f"{loss!r} has no metric {name!r} in training: {hint}")
    return ROW_METRICS[name](loss)


def _like(z: Any, y: Any) -> Any:
    return jnp.reshape(y, z.shape)


def per_example(values: Any) -> Any:
    """The mean over every axis but the first."""
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
