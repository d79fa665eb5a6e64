"""Taps: what each layer of a program gives, by the place of the layer."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from chainrule.trace.program import apply, place, program


def taps(f: Callable, *args: Any) -> dict[str, Any]:
    """The last array of real numbers that each layer of f(*args) computes, in the order of the layers.

    Layers are those that containers name: ``0:Dense``, ``2:Residual/0:Dense``. It can be compiled.

    >>> from chainrule.layers.chain import Chain
    >>> net = Chain(jnp.negative, jnp.exp)
    >>> {name: value.tolist() for name, value in taps(net, ({}, {}), jnp.zeros(1)).items()}
    {'0:negative': [-0.0], '1:exp': [1.0]}
    """
    traced = program(f, *args).traced
    jaxpr = traced.jaxpr
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*traced.consts, *jax.tree.leaves(args)), strict=True))
    found: dict[str, Any] = {}
    for e in jaxpr.eqns:
        gave = apply(e, [v.val if isinstance(v, Literal) else values[v] for v in e.invars])
        values.update(zip(e.outvars, gave, strict=True))
        where = place(e)
        if where and jnp.issubdtype(gave[-1].dtype, jnp.floating):
            found[where] = gave[-1]
    return found
