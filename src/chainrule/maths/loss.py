"""What every loss is: an equation, and the distribution of y whose -log_prob it is."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.maths.distributions import Distribution
from chainrule.maths.named import Family
from chainrule.maths.row_metrics import row_metric


class Loss(Family):
    """``loss(z, y)``: network output first, one value per example; ``fit`` alone takes the weighted mean.

    A subclass is a frozen dataclass that writes ``formula``, ``distribution`` and ``predict``.
    """

    task: ClassVar[str] = "regression"
    """"regression", "classification" (one class per example) or "multilabel" (each column of y is 0 or 1)."""
    from_logits: ClassVar[bool] = False
    """Whether the loss itself applies softmax or sigmoid to z."""
    metrics: ClassVar[tuple[str, ...]] = ("mean_absolute_error", "mean_squared_error")
    """Names of the metrics that suit it, the first by default."""

    @property
    def metric(self) -> tuple[str, Callable]:
        """The metric of the training history: its name, and its function of (z, y) with one value per example."""
        return self.metrics[0], row_metric(self.metrics[0], self)

    def width(self, targets: int) -> int:
        """The outputs that a network needs for so many columns of y, or for so many classes."""
        return targets

    def distribution(self, z: Any) -> Distribution:
        """The predictive distribution of y."""
        raise NotImplementedError

    def probabilities(self, z: Any) -> Any:
        """The probability of each class or label; only losses for classes have them."""
        raise DesignError(f"{self!r} predicts numbers, which have no probabilities.")

    def predict(self, z: Any) -> Any:
        """The point prediction, in the units of y."""
        return z


def paired(loss: Loss, z: Any, y: Any) -> Any:
    """The targets with z's shape and type; targets of shape (rows,) meet one output."""
    y = jnp.asarray(y, z.dtype)
    if y.shape != z.shape and (*y.shape, 1) == z.shape:
        y = y[..., None]
    if y.shape != z.shape:
        raise ShapeError(
            f"{spec.show(loss)}: outputs of shape {z.shape} meet targets of shape {y.shape}: equal shapes are expected "
            "(or targets of shape (rows,) for one output). Change the units of the last layer, or reshape y."
        )
    return y
