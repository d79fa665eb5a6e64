"""A network as the subject of an explanation: its loss on examples, as a function of its parameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import CannotExplain
from chainrule.layers.layer import Layer
from chainrule.maths.losses import Loss, loss_named
from chainrule.trace.subject import Subject, subject


@subject.register
def _network(
    net: Layer, X: Any = None, y: Any = None, *, loss: Any = None, params: Any = None, training: bool = False
) -> Subject:
    """``cr.explain(net, X, y, loss=...)``; parameters are drawn with seed 0 when there are none."""
    if X is None:
        raise CannotExplain(f"{type(net).__name__} is explained at inputs: cr.explain(net, X, y, loss=cr.cross_entropy).")
    if (y is None) != (loss is None):
        missing = "y" if y is None else "loss"
        raise CannotExplain(f"A loss compares outputs with targets: {missing} is missing. Pass both, or neither.")
    x = jax.tree.map(jnp.asarray, X)
    drawn = params is None
    params = net.init(jax.random.key(0), x) if drawn else params
    notes = ("The parameters were drawn with seed 0.",) if drawn else ()
    return network_subject(net, params, x, y, loss, training, notes)


def network_subject(
    net: Layer, params: Any, x: Any, y: Any, loss: Any, training: bool, notes: tuple[str, ...] = (), penalty: Any = None
) -> Subject:
    """The mean loss of a network over examples; ``penalty(params)`` is added to it."""
    loss = loss_named(loss) if isinstance(loss, str) else loss
    fixed = _fixed_paths(net, params)

    def outputs(params: Any, x: Any) -> Any:
        return net.run(params, x, jax.random.key(0))[0] if training else net(params, x)

    def function(params: Any, x: Any, *y: Any) -> Any:
        z = outputs(params, x)
        if not y:
            return z, (z,)
        losses = loss(z, y[0])
        total = jnp.mean(losses)
        return (total if penalty is None else total + penalty(params)), (z,)

    data = (x,) if y is None else (x, np.asarray(y))
    program = "training (batch statistics, noise drawn with a fixed key)" if training else "exact (no noise)"
    title = repr(net) if len(repr(net)) <= 60 else type(net).__name__
    named = "" if loss is None else f", {loss!r}" if isinstance(loss, Loss) else f", {getattr(loss, '__name__', loss)}"
    return Subject(
        function,
        params,
        data,
        ("params", "x", "y")[: 1 + len(data)],
        title + named,
        lambda path: path not in fixed,
        program=program,
        notes=notes,
    )


def _fixed_paths(net: Layer, params: Any) -> frozenset[str]:
    """The paths of statistics, which are not trained."""
    leaves = jax.tree_util.tree_leaves_with_path(net.roles(params))
    return frozenset(jax.tree_util.keystr(path) for path, role in leaves if role == "fixed")
