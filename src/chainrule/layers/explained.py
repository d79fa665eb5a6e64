"""A network as the subject of an explanation: its loss on examples, as a function of its parameters."""

from collections.abc import Callable
from typing import Any

import jax

from chainrule.layers.layer import Layer
from chainrule.trace.explained import EXACT, TRAINING, as_arrays, expect_data, mean_loss
from chainrule.trace.subject import Subject, subject


@subject.register
def _network(
    net: Layer, X: Any = None, y: Any = None, *, loss: Any = None, params: Any = None, training: bool = False
) -> Subject:
    """``cr.explain(net, X, y, loss=...)``; parameters are drawn with seed 0 when there are none."""
    expect_data(type(net).__name__, X, y, loss)
    x = as_arrays(X)
    notes = ("The parameters were drawn with seed 0.",) if params is None else ()
    params = net.init(jax.random.key(0), x) if params is None else params
    return network_subject(net, params, x, y, loss, training, notes)


def network_subject(
    net: Layer,
    params: Any,
    x: Any,
    y: Any,
    loss: Any,
    training: bool,
    notes: tuple[str, ...] = (),
    penalty: Callable[[Any], Any] | None = None,
) -> Subject:
    """The mean loss of a network over examples; ``penalty(params)`` is added to it. Statistics are not trained."""
    leaves = jax.tree_util.tree_leaves_with_path(net.roles(params))
    fixed = frozenset(jax.tree_util.keystr(path) for path, role in leaves if role == "fixed")

    def outputs(params: Any, x: Any) -> Any:
        return net.run(params, x, jax.random.key(0))[0] if training else net(params, x)

    title = repr(net) if len(repr(net)) <= 60 else type(net).__name__
    program = TRAINING if training else EXACT
    return mean_loss(
        outputs, params, x, y, loss, title, program, penalty, wrt=lambda path: path not in fixed, notes=notes
    )
