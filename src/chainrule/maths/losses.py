"""The losses by name: ours, and what users of Keras, PyTorch and scikit-learn type."""

import difflib

from chainrule.errors import DesignError
from chainrule.maths.classification_losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    binary_cross_entropy,
    cross_entropy,
    floor_of_double_softmax,
)
from chainrule.maths.loss import Loss
from chainrule.maths.regression_losses import (
    GaussianNLL,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    PoissonNLL,
    Quantile,
    gaussian_nll,
    huber,
    mean_absolute_error,
    mean_squared_error,
    poisson_nll,
    quantile,
)

__all__ = [
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "GaussianNLL",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "PoissonNLL",
    "Quantile",
    "binary_cross_entropy",
    "cross_entropy",
    "floor_of_double_softmax",
    "gaussian_nll",
    "huber",
    "loss_named",
    "mean_absolute_error",
    "mean_squared_error",
    "poisson_nll",
    "quantile",
]

LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "crossentropy": cross_entropy,
    "crossentropyloss": cross_entropy,
    "categorical_crossentropy": cross_entropy,
    "sparse_categorical_crossentropy": cross_entropy,
    "log_loss": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_crossentropy": binary_cross_entropy,
    "bce": binary_cross_entropy,
    "bcewithlogitsloss": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "mseloss": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
    "l1loss": mean_absolute_error,
    "huber": huber,
    "huberloss": huber,
    "gaussian_nll": gaussian_nll,
    "gaussiannllloss": gaussian_nll,
    "poisson_nll": poisson_nll,
    "poisson": poisson_nll,
    "poissonnllloss": poisson_nll,
}


def loss_named(text: str) -> Loss:
    """The loss of that name, in small or capital letters.

    >>> loss_named("MSE")
    mean_squared_error
    """
    name = text.lower()
    if name in LOSSES:
        return LOSSES[name]
    if name in ("quantile", "pinball"):
        raise DesignError(f"The loss {text!r} needs its q: write cr.quantile(0.9).")
    near = difflib.get_close_matches(name, LOSSES, 1)
    ours = ", ".join(dict.fromkeys(loss.name for loss in LOSSES.values()))
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise DesignError(f"There is no loss {text!r}. {hint}The names are {ours}, and cr.quantile(q).")
