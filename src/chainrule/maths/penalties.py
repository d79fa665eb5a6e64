"""Penalties: what large weights cost, added to the loss."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError


@dataclass(frozen=True)
class Penalty:
    """A weighted sum of terms. The weights enter compiled programs as numbers, so changing them compiles nothing."""

    @property
    def weights(self) -> tuple[float, ...]:
        """One weight for each term."""
        raise NotImplementedError

    def terms(self, arrays: Iterable[Any]) -> tuple[Any, ...]:
        """The sums over all weights of the network, before they are weighted."""
        raise NotImplementedError

    def form(self) -> "Penalty":
        """The same penalty with weights of 0: equal forms share a compiled program."""
        return replace(self, **{f.name: 0.0 for f in fields(self)})

    def __call__(self, arrays: Iterable[Any]) -> Any:
        """The penalty: dot(weights, terms)."""
        return sum(w * term for w, term in zip(self.weights, self.terms(arrays), strict=True))


@spec.register
@dataclass(frozen=True)
class l1(Penalty):
    """The sum of absolute weights: many become exactly useless, so that few remain.

    Equation
        penalty = weight * sum(abs(W))
    Derivative
        dL/dW = weight * sign(W)
    Errors
        DesignError when weight is negative or not finite
    Source
        Tibshirani 1996; Keras' L1

    >>> float(l1(0.5)([jnp.array([1.0, -3.0])]))
    2.0
    """

    weight: float

    def __post_init__(self) -> None:
        _expect_weight(self, "weight", self.weight)

    @property
    def weights(self) -> tuple[float, ...]:
        """The one weight."""
        return (self.weight,)

    def terms(self, arrays: Iterable[Any]) -> tuple[Any, ...]:
        """sum(abs(W))."""
        return (sum(jnp.sum(jnp.abs(W)) for W in arrays),)


@spec.register
@dataclass(frozen=True)
class l2(Penalty):
    """The sum of squared weights: all become smaller, the large ones most.

    Equation
        penalty = weight * sum(W**2)
    Derivative
        dL/dW = 2 * weight * W
    Errors
        DesignError when weight is negative or not finite
    Source
        Hoerl & Kennard 1970; Keras' L2. scikit-learn's MLP takes half of it, and PyTorch's weight_decay is twice it

    >>> float(l2(0.5)([jnp.array([1.0, -3.0])]))
    5.0
    """

    weight: float

    def __post_init__(self) -> None:
        _expect_weight(self, "weight", self.weight)

    @property
    def weights(self) -> tuple[float, ...]:
        """The one weight."""
        return (self.weight,)

    def terms(self, arrays: Iterable[Any]) -> tuple[Any, ...]:
        """sum(W**2)."""
        return (sum(jnp.sum(W**2) for W in arrays),)


@spec.register
@dataclass(frozen=True)
class elastic_net(Penalty):
    """Both: few weights, and small ones.

    Equation
        penalty = l1 * sum(abs(W)) + l2 * sum(W**2)
    Derivative
        dL/dW = l1 * sign(W) + 2 * l2 * W
    Errors
        DesignError when a weight is negative or not finite
    Source
        Zou & Hastie 2005; Keras' L1L2

    >>> float(elastic_net(1.0, 0.5)([jnp.array([1.0, -3.0])]))
    9.0
    """

    l1: float
    l2: float

    def __post_init__(self) -> None:
        _expect_weight(self, "l1", self.l1)
        _expect_weight(self, "l2", self.l2)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the two sums."""
        return (self.l1, self.l2)

    def terms(self, arrays: Iterable[Any]) -> tuple[Any, ...]:
        """sum(abs(W)) and sum(W**2)."""
        arrays = list(arrays)
        return l1(1.0).terms(arrays) + l2(1.0).terms(arrays)


def _expect_weight(penalty: Penalty, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DesignError(
            f"{type(penalty).__name__}: {name} must be a finite number of at least 0, and {value!r} came."
        )
