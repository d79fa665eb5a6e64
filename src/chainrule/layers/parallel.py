"""Parallel: several layers look at the same input."""

from collections.abc import Callable
from typing import Any

import jax

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.layers.chain import at
from chainrule.layers.layer import Layer, Params, as_layer, split_key


@spec.register
class Parallel(Layer):
    """Give the same x to every branch, and all their outputs as a tuple; ``Concatenate`` or ``Add`` joins them.

    Equation
        y = (f_1(x), f_2(x))                      and so on, one entry for each branch
    Derivative
        dL/dx = J_1.T @ g_1 + J_2.T @ g_2         what comes back along the branches adds up
    Shapes
        as the branches say
    Start
        as the branches say, each with its own key
    Errors
        as the branches say, with their place: ``1:Dense``
    Source
        Szegedy et al. 2015

    >>> import jax.numpy as jnp
    >>> Parallel(jnp.negative, jnp.square)(({}, {}), jnp.ones(1) * 3)
    (Array([-3.], dtype=float32), Array([9.], dtype=float32))
    """

    variadic = "branches"

    branches: tuple

    def __init__(self, *branches: Layer | Callable) -> None:
        if not branches:
            raise DesignError("Parallel() has no branches: write at least one, cr.Parallel(cr.Dense(8), cr.identity).")
        for part in branches:
            as_layer(part)
        spec.freeze(self, branches=branches)

    @property
    def parts(self) -> tuple[Layer, ...]:
        """The branches, functions among them as layers."""
        return tuple(map(as_layer, self.branches))

    def init(self, key: jax.Array, x: Any) -> Params:
        """One entry of parameters for each branch."""
        params = []
        for i, (f, k) in enumerate(zip(self.parts, split_key(key, len(self.parts)), strict=True)):
            with at(i, f, x):
                params.append(f.init(k, x))
        return tuple(params)

    def prepare(self, p: Params, x: Any) -> Params:
        """Prepare each branch on the same rows."""
        params = []
        for i, (f, q) in enumerate(zip(self.parts, p, strict=True)):
            with at(i, f, x):
                params.append(f.prepare(q, x))
        return tuple(params)

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """Every branch on the same x, each with its own key."""
        outputs, params = [], []
        for i, (f, q, k) in enumerate(zip(self.parts, p, split_key(key, len(self.parts)), strict=True)):
            with at(i, f, x):
                y, q = f.run(q, x, k)
            outputs.append(y)
            params.append(q)
        return tuple(outputs), tuple(params)
