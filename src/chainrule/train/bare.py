"""A bare network on bare arrays becomes a design: the loss is inferred from y, the numbers stay as they are."""

from typing import Any

import numpy as np

from chainrule.data import arrays
from chainrule.data.array_encoder import ArrayEncoder, inputs_of, names_of
from chainrule.data.targets import ClassTarget
from chainrule.errors import DataError, DesignError
from chainrule.layers.layer import as_layer
from chainrule.maths.losses import (
    BinaryCrossEntropy,
    Loss,
    binary_cross_entropy,
    cross_entropy,
    loss_named,
    mean_squared_error,
)
from chainrule.train.design import Design, Reason
from chainrule.train.recipe import Recipe


def bare_design(net: Any, X: Any, y: Any, loss: Any, recipe: Recipe) -> Design:
    """The design of a network that is given bare arrays."""
    net, x, y = as_layer(net), arrays.features(X), needed(y)
    task, because = arrays.infer_task(y)
    reasons = ()
    if loss is None:
        loss = {"classification": cross_entropy, "multilabel": binary_cross_entropy}.get(task, mean_squared_error)
        reasons = (Reason(f"loss {loss}", because),)
    loss = loss_of(loss)
    task = getattr(loss, "task", task)
    labels = task == "multilabel" and (np.ndim(y) == 1 or np.shape(y)[1:] == (1,))
    target = arrays.target_of(y, "classification" if labels else task, loss)
    return Design(net, loss, recipe, ArrayEncoder(inputs_of(x), target, names_of(X)), reasons)


def design_targets(design: Design) -> int | None:
    """How many classes, or columns of y, the network must answer."""
    target = design.encoder.target
    if not isinstance(target, ClassTarget):
        return getattr(target, "columns", None) or 1
    if isinstance(design.loss, BinaryCrossEntropy):
        if len(target.classes) != 2:
            raise DesignError(
                f"binary_cross_entropy tells two classes apart, and y has {len(target.classes)}. Take cr.cross_entropy "
                f"with cr.Dense({len(target.classes)}) at the end."
            )
        return 1
    return len(target.classes)


def loss_of(loss: Any) -> Any:
    """A loss, by its name or as it is."""
    if isinstance(loss, str):
        return loss_named(loss)
    if isinstance(loss, Loss) or callable(loss):
        return loss
    raise DesignError(
        f"fit: loss={loss!r}: a loss such as cr.cross_entropy, its name, or your function (z, y) is expected."
    )


def needed(y: Any) -> Any:
    """The targets, which a network on arrays cannot do without."""
    if y is None:
        raise DataError("fit: y is missing. A network on arrays needs the targets: cr.fit(net, X, y).")
    if not hasattr(y, "__len__") and not hasattr(y, "shape"):
        raise DataError(f"fit: y={y!r}: an array or a list with one target per row is expected.")
    return y
