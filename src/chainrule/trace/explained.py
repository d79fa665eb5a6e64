"""A model as the subject of an explanation: the mean loss of its outputs on examples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import CannotExplain
from chainrule.maths.losses import Loss, loss_named
from chainrule.trace.model import Model
from chainrule.trace.subject import Subject, subject

EXACT = "exact (no noise)"
TRAINING = "training (batch statistics, noise drawn with a fixed key)"


@subject.register
def _model(model: Model, X: Any = None, y: Any = None, *, loss: Any = None, params: Any = None, training: bool = False):
    """``cr.explain(cr.adapt.torch(module, x), X, y, loss=...)``."""
    expect_data(model.title, X, y, loss)
    if training and model.training is None:
        raise CannotExplain(f"{model.title} has no training pass here: leave training=True out.")
    apply = model.training if training and model.training is not None else model.apply
    params = model.params if params is None else params
    return mean_loss(apply, params, as_arrays(X), y, loss, model.title, TRAINING if training else EXACT)


def mean_loss(
    outputs: Callable[[Any, Any], Any],
    params: Any,
    x: Any,
    y: Any,
    loss: Any,
    title: str,
    program: str,
    penalty: Callable[[Any], Any] | None = None,
    **fields: Any,
) -> Subject:
    """The mean loss of ``outputs(params, x)`` over examples, with ``penalty(params)`` added; no loss: the outputs."""
    loss = loss_named(loss) if isinstance(loss, str) else loss

    def function(params: Any, x: Any, *y: Any) -> Any:
        z = outputs(params, x)
        if not y:
            return z, (z,)
        total = jnp.mean(loss(z, y[0]))
        return (total if penalty is None else total + penalty(params)), (z,)

    data = (x,) if y is None else (x, np.asarray(y))
    named = "" if loss is None else f", {loss!r}" if isinstance(loss, Loss) else f", {getattr(loss, '__name__', loss)}"
    return Subject(
        function, params, data, ("params", "x", "y")[: 1 + len(data)], title + named, program=program, **fields
    )


def expect_data(what: str, X: Any, y: Any, loss: Any) -> None:
    """CannotExplain when there is nothing to explain at, or a loss without targets."""
    if X is None:
        raise CannotExplain(f"{what} is explained at inputs: cr.explain(net, X, y, loss=cr.cross_entropy).")
    if (y is None) != (loss is None):
        missing = "y" if y is None else "loss"
        raise CannotExplain(f"A loss compares outputs with targets: {missing} is missing. Pass both, or neither.")


def as_arrays(x: Any) -> Any:
    """Inputs as arrays: lists become one array, a tree of arrays stays a tree."""
    return jax.tree.map(jnp.asarray, x) if isinstance(x, dict | tuple) else jnp.asarray(x)
