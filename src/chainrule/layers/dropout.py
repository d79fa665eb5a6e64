"""Dropout: each training pass keeps a random part of the features."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.layers.layer import Layer, Params


@spec.register
class Dropout(Layer):
    """Set each value to 0 with probability ``rate`` in training; the exact pass changes nothing.

    Kept values grow by 1/(1-rate), so that the mean of y is x, and nothing is left to rescale at prediction.

    Equation
        y = x * m / (1 - rate)        m is 1 with probability 1-rate, else 0, drawn anew in each training pass
    Derivative
        dL/dx = g * m / (1 - rate)    g = dL/dy
    Shapes
        x (...) -> (...)
    Start
        no parameters
    Errors
        DesignError when rate is outside 0 <= rate < 1
    Source
        Srivastava et al. 2014, section 4; scaled in training ("inverted") as Keras and PyTorch do

    >>> x = jnp.ones((2, 3))
    >>> bool((Dropout(0.5)({}, x) == x).all())
    True
    """

    rate: float

    def __post_init__(self) -> None:
        if isinstance(self.rate, bool) or not isinstance(self.rate, int | float) or not 0 <= self.rate < 1:
            raise DesignError(f"Dropout: rate is the part that is dropped, 0 <= rate < 1, and {self.rate!r} came.")

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """``y = x * m / (1 - rate)``, or x itself without a key."""
        if key is None or self.rate == 0:
            return x, p
        keep = 1 - self.rate
        m = jax.random.bernoulli(key, keep, x.shape)
        return jnp.where(m, x / keep, 0), p
