"""Losses for classes and for columns of 0 and 1, from logits: softmax and sigmoid are inside."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from chainrule.errors import DesignError, ShapeError
from chainrule.maths.activations import log_softmax, sigmoid, softmax, softplus
from chainrule.maths.distributions import Bernoulli, Categorical
from chainrule.maths.loss import Loss, paired
from chainrule.maths.row_metrics import per_example


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss, name="cross_entropy"):
    """The surprise at the true class, in nats, when softmax(z) are the probabilities.

    Equation
        t = (1 - label_smoothing) * one_hot(y, k) + label_smoothing / k
        cross_entropy(z, y) = -sum(t * log_softmax(z), axis=-1)
    Derivative
        dL/dz = softmax(z) - t
    Shapes
        z (rows, k)   y (rows,) indices of classes, or (rows, k) one-hot or probabilities -> (rows,)
    Errors
        ShapeError when y has neither shape or z has one column (take binary_cross_entropy); an index that is no
        class gives NaN, and fit refuses it before
    Source
        Good 1952; Szegedy et al. 2016 for label smoothing. L = NLL with Categorical(z) when nothing is smoothed, else
        (1 - label_smoothing) * NLL + label_smoothing * the mean NLL of all classes

    >>> round(float(cross_entropy(jnp.array([[0.0, 0.0]]), jnp.array([1]))[0]), 4)  # log(2)
    0.6931
    """

    task = "classification"
    from_logits = True
    metrics = ("accuracy",)
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        s = self.label_smoothing
        if isinstance(s, bool) or not isinstance(s, int | float) or not 0 <= s < 1:
            raise DesignError(f"CrossEntropy: label_smoothing must be at least 0 and below 1, and {s!r} came.")

    def formula(self, z, y):
        """-sum(t * log_softmax(z))."""
        t = _distribution_over_classes(self, z, jnp.asarray(y))
        if self.label_smoothing:
            t = (1 - self.label_smoothing) * t + self.label_smoothing / z.shape[-1]
        return per_example(-jnp.sum(t * log_softmax(z), axis=-1))

    def distribution(self, z: Any) -> Categorical:
        """The classes with probabilities softmax(z)."""
        return Categorical(z)

    def predict(self, z: Any) -> Any:
        """The index of the likeliest class."""
        return jnp.argmax(z, axis=-1)

    def probabilities(self, z: Any) -> Any:
        """softmax(z), (rows, k)."""
        return softmax(z)


@dataclass(frozen=True, repr=False)
class BinaryCrossEntropy(Loss, name="binary_cross_entropy"):
    """The surprise at a 0 or 1, in nats, when sigmoid(z) is the probability of 1; mean over the columns of y.

    Equation
        binary_cross_entropy(z, y) = mean(-y * log(sigmoid(z)) - (1 - y) * log(sigmoid(-z)), axis=-1)
    Derivative
        dL/dz = (sigmoid(z) - y) / k
    Shapes
        z (rows, k)   y (rows, k), or (rows,) for k = 1, of 0 and 1 or probabilities -> (rows,)
    Errors
        ShapeError when z and y differ in shape
    Source
        Cox 1958. L = NLL with Bernoulli(z), mean over k; PyTorch's BCEWithLogitsLoss

    >>> float(binary_cross_entropy(jnp.array([[1e4]]), jnp.array([0]))[0])
    10000.0
    """

    task = "multilabel"
    from_logits = True
    metrics = ("accuracy",)

    def formula(self, z, y):
        """-y log p - (1 - y) log(1 - p), without forming p."""
        y = paired(self, z, y)
        return per_example(y * softplus(-z) + (1 - y) * softplus(z))

    def width(self, targets: int) -> int:
        """One output for each column of 0 and 1; two classes are one such column."""
        return targets

    def distribution(self, z: Any) -> Bernoulli:
        """Coins with probabilities sigmoid(z) of 1."""
        return Bernoulli(z)

    def predict(self, z: Any) -> Any:
        """1 where 1 is likelier than 0."""
        return (z > 0).astype(int)

    def probabilities(self, z: Any) -> Any:
        """sigmoid(z); of a single output, the two columns 1 - p and p."""
        return jnp.concatenate([sigmoid(-z), sigmoid(z)], axis=-1) if z.shape[-1] == 1 else sigmoid(z)


def floor_of_double_softmax(classes: int) -> float:
    """The least cross-entropy that logits in [0, 1] can reach: what is left when softmax is applied twice.

    Equation
        floor = log(1 + (classes - 1) / e)

    >>> round(floor_of_double_softmax(10), 2)
    1.46
    """
    return math.log(1 + (classes - 1) / math.e)


def _distribution_over_classes(loss: Loss, z: Any, y: Any) -> Any:
    k = z.shape[-1]
    if k < 2:
        raise ShapeError(
            f"{loss!r} needs one output for each class, at least 2, and outputs of shape {z.shape} came. End the "
            "network with cr.Dense(classes), or take cr.binary_cross_entropy for one output."
        )
    if y.shape == z.shape:
        return y.astype(z.dtype)
    if y.shape != z.shape[:-1] or not jnp.issubdtype(y.dtype, jnp.integer):
        raise ShapeError(
            f"{loss!r}: outputs of shape {z.shape} meet targets {y.dtype}{list(y.shape)}: whole numbers of shape "
            f"{z.shape[:-1]} (indices of classes) or {z.shape} (one-hot or probabilities) are expected."
        )
    one_hot = (y[..., None] == jnp.arange(k)).astype(z.dtype)
    return jnp.where(((y >= 0) & (y < k))[..., None], one_hot, jnp.nan)


cross_entropy = CrossEntropy()
binary_cross_entropy = BinaryCrossEntropy()
