"""PyTorch's recurrent layers, which it keeps as one operation each, as loops over time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.errors import DesignError

Weights = Sequence[Any]
"""Of one layer in one direction: W_ih, W_hh, then b_ih and b_hh where there are biases, then W_hr of a projection."""


def _sums(x: Any, h: Any, w: Weights) -> tuple[Any, Any]:
    """What the input and the state bring to each gate."""
    if len(w) < 4:
        return x @ w[0].T, h @ w[1].T
    return x @ w[0].T + w[2], h @ w[1].T + w[3]


def _lstm_cell(state: tuple[Any, ...], x: Any, w: Weights) -> tuple[Any, ...]:
    h, c = state
    a, b = _sums(x, h, w)
    i, f, g, o = jnp.split(a + b, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h @ w[-1].T if len(w) in (3, 5) else h), c


def _gru_cell(state: tuple[Any, ...], x: Any, w: Weights) -> tuple[Any, ...]:
    (h,) = state
    a, b = _sums(x, h, w)
    (ar, az, an), (br, bz, bn) = jnp.split(a, 3, axis=-1), jnp.split(b, 3, axis=-1)
    r, z = jax.nn.sigmoid(ar + br), jax.nn.sigmoid(az + bz)
    n = jnp.tanh(an + r * bn)
    return ((1 - z) * n + z * h,)


def _plain_cell(f: Callable) -> Callable:
    def cell(state: tuple[Any, ...], x: Any, w: Weights) -> tuple[Any, ...]:
        a, b = _sums(x, state[0], w)
        return (f(a + b),)

    return cell


def _layers(cell: Callable, x: Any, start: Sequence[Any], weights: Weights, *settings: Any) -> tuple[Any, ...]:
    """(outputs, last state, ...): layers above each other, each with one or two directions in time."""
    _, layers, dropout, train, bidirectional, batch_first = settings
    if train and dropout:
        raise DesignError("A recurrent layer that drops out in training was exported: call module.eval() first.")
    directions = 2 if bidirectional else 1
    size = len(weights) // (layers * directions)
    x = jnp.swapaxes(x, 0, 1) if batch_first else x
    last = []
    for layer in range(layers):
        outputs = []
        for k in range(layer * directions, (layer + 1) * directions):
            w = weights[k * size : (k + 1) * size]

            def step(state: Any, row: Any, w: Weights = w) -> tuple[Any, Any]:
                state = cell(state, row, w)
                return state, state[0]

            state, out = jax.lax.scan(step, tuple(s[k] for s in start), x, reverse=k % directions == 1)
            outputs.append(out)
            last.append(state)
        x = jnp.concatenate(outputs, axis=-1) if bidirectional else outputs[0]
    states = [jnp.stack(parts) for parts in zip(*last, strict=True)]
    return (jnp.swapaxes(x, 0, 1) if batch_first else x, *states)


OPERATIONS: dict[str, Callable] = {
    "lstm.input": lambda x, start, weights, *settings: _layers(_lstm_cell, x, start, weights, *settings),
    "gru.input": lambda x, start, weights, *settings: _layers(_gru_cell, x, [start], weights, *settings),
    "rnn_tanh.input": lambda x, s, weights, *settings: _layers(_plain_cell(jnp.tanh), x, [s], weights, *settings),
    "rnn_relu.input": lambda x, s, weights, *settings: _layers(_plain_cell(jax.nn.relu), x, [s], weights, *settings),
}
"""What each recurrent operation of PyTorch computes."""
