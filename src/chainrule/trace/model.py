"""A model of another library as all of chainrule takes networks: a function with its parameters outside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from chainrule.trace.program import Program, program


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A function of parameters and inputs, with the parameters that it came with.

    >>> import jax.numpy as jnp
    >>> model = Model(lambda p, x: x @ p["dense"]["W"], {"dense": {"W": jnp.ones((2, 3))}}, "one matrix")
    >>> model
    Model('one matrix', 6 parameters)
    >>> program(model, jnp.ones((4, 2))).inputs
    ("0['dense']['W']", '1')
    """

    apply: Callable[[Any, Any], Any]
    """``apply(params, x)``, exact: no noise, no side effects."""
    params: Any
    """Nested dicts (or any tree) of arrays, under the model's own names."""
    title: str
    """What the model is, in a few words."""
    training: Callable[[Any, Any], Any] | None = None
    """``training(params, x)``, the pass with a batch's own statistics and noise of a fixed key, where there is one."""

    def __call__(self, params: Any, x: Any) -> Any:
        """``apply(params, x)``."""
        return self.apply(params, x)

    def __repr__(self) -> str:
        count = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        return f"{type(self).__name__}({self.title!r}, {count:,} parameters)"


@program.register
def _(obj: Model, *args: Any) -> Program:
    """A model is traced at its own parameters: ``program(model, x)``."""
    return program(obj.apply, obj.params, *args)
