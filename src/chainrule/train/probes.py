"""Probes: pure functions of (network, parameters, gradients), measured inside the compiled program."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.layers.layer import Layer, Params
from chainrule.train.roles import leaf_names


def gradient_rms(net: Layer, params: Params, grads: Params) -> dict[str, Any]:
    """Root mean square of the gradient of each trained leaf, by its name: "0:Dense/W"."""
    return _rms(leaf_names(net, params), grads)


def weight_rms(net: Layer, params: Params, grads: Params) -> dict[str, Any]:
    """Root mean square of each trained leaf, by its name."""
    held = jax.tree.map(lambda g, p: None if g is None else p, grads, params, is_leaf=lambda leaf: leaf is None)
    return _rms(leaf_names(net, params), held)


PROBES = (("gradient", gradient_rms), ("weight", weight_rms))
"""What every training measures, at the first step of each epoch."""


def _rms(names: Any, values: Params) -> dict[str, Any]:
    pairs = jax.tree.map(
        lambda value, name: None if value is None else (name, jnp.sqrt(jnp.mean(jnp.square(value)))),
        values,
        names,
        is_leaf=lambda leaf: leaf is None,
    )
    return dict(jax.tree.leaves(pairs, is_leaf=lambda leaf: isinstance(leaf, tuple) and isinstance(leaf[0], str)))
