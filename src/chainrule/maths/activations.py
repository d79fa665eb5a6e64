"""Activations: the bends between affine maps, each finite in value and slope for every finite z."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.errors import DesignError
from chainrule.maths.named import Family, named


@named
def identity(z):
    """Leave z as it is.

    Equation
        identity(z) = z
    Derivative
        didentity/dz = ones_like(z)
    Shapes
        z (...) -> (...)
    Errors
        none
    Source
        the output of a regression, where nothing bends

    >>> identity(2.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return z


@named
def relu(z):
    """Keep what is positive.

    Equation
        relu(z) = maximum(z, 0)
    Derivative
        drelu/dz = where(z > 0, 1, 0)  at 0, where no slope exists, 0 is taken
    Shapes
        z (...) -> (...)
    Errors
        none; NaN stays NaN
    Source
        Nair & Hinton 2010; PyTorch, Keras and JAX take the slope 0 at 0 too

    >>> relu(jnp.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return jnp.where(z <= 0, jnp.zeros_like(z), z)  # maximum(z, 0) would take the slope 1/2 at 0


@named
def sigmoid(z):
    """Turn log-odds into a probability.

    Equation
        sigmoid(z) = 1 / (1 + exp(-z))
    Derivative
        dsigmoid/dz = sigmoid(z) * (1 - sigmoid(z))
    Shapes
        z (...) -> (...) in [0, 1]
    Errors
        none
    Source
        Verhulst 1845

    >>> sigmoid(jnp.array([-1e30, 0.0, 1e30])).tolist()
    [0.0, 0.5, 1.0]
    """
    return jax.lax.logistic(_floating(z))


@named
def tanh(z):
    """Squash z into (-1, 1), with slope 1 at 0.

    Equation
        tanh(z) = (exp(z) - exp(-z)) / (exp(z) + exp(-z))
    Derivative
        dtanh/dz = 1 - tanh(z)**2
    Shapes
        z (...) -> (...) in [-1, 1]
    Errors
        none
    Source
        LeCun et al. 1998, section 4.4

    >>> tanh(jnp.array([-1e30, 0.0, 1e30])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return jnp.tanh(z)


@named
def softplus(z):
    """A smooth relu, always positive.

    Equation
        softplus(z) = log(1 + exp(z))
    Derivative
        dsoftplus/dz = sigmoid(z)
    Shapes
        z (...) -> (...) in [0, inf)
    Errors
        none
    Source
        Dugas et al. 2001; PyTorch switches to z above 20, where the two differ by 2e-9

    >>> softplus(jnp.array([-1e30, 1e30])).tolist() == [0.0, float(jnp.float32(1e30))]
    True
    """
    return jnp.logaddexp(z, jnp.zeros_like(z))


@named
def silu(z):
    """A smooth relu that dips below 0: z weighed by its own sigmoid.

    Equation
        silu(z) = z * sigmoid(z)
    Derivative
        dsilu/dz = sigmoid(z) * (1 + z * (1 - sigmoid(z)))
    Shapes
        z (...) -> (...) in [-0.2785, inf)
    Errors
        none
    Source
        Elfwing et al. 2018; also called swish

    >>> silu(jnp.array([-1e30, 0.0, 1e30])).tolist() == [0.0, 0.0, float(jnp.float32(1e30))]
    True
    """
    return z * jax.lax.logistic(_floating(z))


@named
def gelu(z):
    """Weigh z by the probability that a standard normal number lies below it.

    Equation
        gelu(z) = z * (1 + erf(z / sqrt(2))) / 2
    Derivative
        dgelu/dz = (1 + erf(z / sqrt(2))) / 2 + z * exp(-(z**2) / 2) / sqrt(2 * pi)
    Shapes
        z (...) -> (...) in [-0.17, inf)
    Errors
        none
    Source
        Hendrycks & Gimpel 2016; exact, as PyTorch and Keras; jax.nn.gelu approximates it by tanh unless told

    >>> round(float(gelu(1.0)), 4)
    0.8413
    """
    return z * jax.lax.erfc(-z * math.sqrt(0.5)) / 2  # erfc keeps the digits of the left tail


@named
def softmax(z):
    """Turn scores into probabilities along the last axis.

    Equation
        softmax(z) = exp(z) / sum(exp(z), axis=-1, keepdims=True)
    Derivative
        dL/dz = softmax(z) * (g - sum(g * softmax(z), axis=-1, keepdims=True))  g = dL/dsoftmax
    Shapes
        z (..., k) -> (..., k), each row sums to 1
    Errors
        none; the largest score is subtracted first, so nothing overflows
    Source
        Bridle 1990

    >>> softmax(jnp.array([0.0, 1e30])).tolist()
    [0.0, 1.0]
    """
    e = jnp.exp(_shifted(z))
    return e / jnp.sum(e, axis=-1, keepdims=True)


@named
def log_softmax(z):
    """The logarithm of softmax, finite where softmax itself rounds to 0.

    Equation
        log_softmax(z) = z - log(sum(exp(z), axis=-1, keepdims=True))
    Derivative
        dL/dz = g - softmax(z) * sum(g, axis=-1, keepdims=True)  g = dL/dlog_softmax
    Shapes
        z (..., k) -> (..., k)
    Errors
        none; the largest score is subtracted first, so nothing overflows
    Source
        Bridle 1990; the log-sum-exp form is Blanchard, Higham & Higham 2021

    >>> log_softmax(jnp.array([0.0, -1e4])).tolist()
    [0.0, -10000.0]
    """
    shifted = _shifted(z)
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))


@dataclass(frozen=True, repr=False)
class LeakyRelu(Family, name="leaky_relu"):
    """A relu that lets a little through below 0, so that no unit dies.

    Equation
        leaky_relu(z) = where(z > 0, z, slope * z)
    Derivative
        dleaky_relu/dz = where(z > 0, 1, slope)
    Shapes
        z (...) -> (...)
    Errors
        DesignError when slope is not a finite number
    Source
        Maas, Hannun & Ng 2013; PyTorch takes slope 0.01 too, Keras 0.3

    >>> LeakyRelu(0.5)(jnp.array([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    >>> LeakyRelu(), LeakyRelu(0.5)
    (leaky_relu, LeakyRelu(slope=0.5))
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        _expect_finite(self, "slope", self.slope)

    def formula(self, z):
        """where(z > 0, z, slope * z)."""
        return jnp.where(z > 0, z, self.slope * z)


@dataclass(frozen=True, repr=False)
class Elu(Family, name="elu"):
    """A relu that saturates smoothly at -alpha, so that means stay near 0.

    Equation
        elu(z) = where(z > 0, z, alpha * (exp(minimum(z, 0)) - 1))
    Derivative
        delu/dz = where(z > 0, 1, alpha * exp(minimum(z, 0)))
    Shapes
        z (...) -> (...) in (-alpha, inf)
    Errors
        DesignError when alpha is not a finite number
    Source
        Clevert, Unterthiner & Hochreiter 2016, equation 15

    >>> elu(jnp.array([-1e30, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        _expect_finite(self, "alpha", self.alpha)

    def formula(self, z):
        """where(z > 0, z, alpha * expm1(z)); the unused branch is kept finite, for its slope's sake."""
        return jnp.where(z > 0, z, self.alpha * jnp.expm1(jnp.where(z > 0, 0, z)))


def _floating(z: Any) -> Any:
    return jnp.asarray(z, jnp.result_type(z, float))


def _shifted(z: Any) -> Any:
    return z - jax.lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))


def _expect_finite(activation: Family, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DesignError(f"{type(activation).__name__}: {name} must be a finite number, and {value!r} came.")


leaky_relu = LeakyRelu()
elu = Elu()
