"""Initializers: how weights are drawn, and the variance that each law gives them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError

Shape = tuple[int, ...]


class Initializer:
    """``init(key, shape, dtype)`` draws an array; ``variance(shape)`` is the variance of each of its numbers.

    Features are last: in a matrix (n, units) each unit reads n numbers. Normal laws are plain, not cut off at
    two standard deviations as Keras' and JAX's are, so that the variance is the one that the law states.
    """

    name: ClassVar[str] = ""
    """The lower-case name of the default instance, when there is one."""
    identical: bool = False
    """Whether all numbers are equal: hidden units that start equal stay equal for ever."""

    def variance(self, shape: Shape) -> float:
        """The variance of each weight of an array of this shape."""
        raise NotImplementedError

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any = float) -> jax.Array:
        """Draw an array."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = spec.show_fields(self)
        return self.name if self.name and shown.endswith("()") else shown


def fans(shape: Shape) -> tuple[int, int]:
    """How many numbers an output reads, and how many outputs read a number: (fan_in, fan_out).

    >>> fans((3, 3, 16, 32))  # a convolution of 3 x 3
    (144, 288)
    """
    fan_in, fan_out = math.prod(shape[:-1]), math.prod(shape[:-2]) * math.prod(shape[-1:])
    if not fan_in or not fan_out:
        raise DesignError(f"Weights of shape {tuple(shape)} connect nothing: an axis is 0. Give the layer inputs.")
    return fan_in, fan_out


class Law(Initializer):
    """A named law: the variance as a function of (fan_in, fan_out), and the distribution to draw from.

    >>> he_normal.variance((50, 10))
    0.04
    >>> he_normal
    he_normal
    """

    def __init__(self, law: Callable[[int, int], float], draw: Callable) -> None:
        self.__name__, self.__doc__ = law.__name__, law.__doc__
        self._law, self._draw = law, draw
        self.identical = draw is _still

    def variance(self, shape: Shape) -> float:
        """The law, at the fans of this shape."""
        return self._law(*fans(shape))

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any = float) -> jax.Array:
        """Draw an array of this variance and mean 0."""
        return self._draw(key, shape, dtype, self.variance(shape))

    def __reduce__(self) -> str:
        return self.__name__  # pickle and deepcopy return this very object

    def __repr__(self) -> str:
        return self.__name__


def _gaussian(key: jax.Array, shape: Shape, dtype: Any, variance: float) -> jax.Array:
    return jax.random.normal(key, shape, dtype) * math.sqrt(variance)


def _uniform(key: jax.Array, shape: Shape, dtype: Any, variance: float) -> jax.Array:
    limit = math.sqrt(3 * variance)
    return jax.random.uniform(key, shape, dtype, -limit, limit)


def _still(key: jax.Array, shape: Shape, dtype: Any, variance: float) -> jax.Array:
    return jnp.zeros(shape, dtype)


def _drawn(draw: Callable) -> Callable[[Callable[[int, int], float]], Law]:
    return lambda law: spec.register(Law(law, draw))


@_drawn(_gaussian)
def lecun_normal(fan_in, fan_out):
    """Keep the variance of a signal through linear maps.

    Equation
        variance = 1 / fan_in
    Source
        LeCun et al. 1998, section 4.6; plain normal (Keras and JAX cut it off at two standard deviations)
    """
    return 1 / fan_in


@_drawn(_uniform)
def lecun_uniform(fan_in, fan_out):
    """Keep the variance of a signal through linear maps; uniform on +-sqrt(3 / fan_in).

    Equation
        variance = 1 / fan_in
    Source
        LeCun et al. 1998, section 4.6
    """
    return 1 / fan_in


@_drawn(_gaussian)
def he_normal(fan_in, fan_out):
    """Keep the second moment of a signal through relu layers, which drop half of it.

    Equation
        variance = 2 / fan_in
    Source
        He et al. 2015, equation 10; plain normal (Keras and JAX cut it off at two standard deviations)
    """
    return 2 / fan_in


@_drawn(_uniform)
def he_uniform(fan_in, fan_out):
    """Keep the second moment of a signal through relu layers; uniform on +-sqrt(6 / fan_in).

    Equation
        variance = 2 / fan_in
    Source
        He et al. 2015, equation 10
    """
    return 2 / fan_in


@_drawn(_gaussian)
def glorot_normal(fan_in, fan_out):
    """A compromise between keeping the variance of signals forward and of gradients backward.

    Equation
        variance = 2 / (fan_in + fan_out)
    Source
        Glorot & Bengio 2010, equation 12; plain normal (Keras and JAX cut it off at two standard deviations)
    """
    return 2 / (fan_in + fan_out)


@_drawn(_uniform)
def glorot_uniform(fan_in, fan_out):
    """A compromise between signals forward and gradients backward; uniform on +-sqrt(6 / (fan_in + fan_out)).

    Equation
        variance = 2 / (fan_in + fan_out)
    Source
        Glorot & Bengio 2010, equation 16; the default of Keras
    """
    return 2 / (fan_in + fan_out)


@_drawn(_still)
def zeros(fan_in, fan_out):
    """Start at 0: right for biases and last layers, fatal for hidden units, which would stay equal for ever.

    Equation
        variance = 0.0
    Source
        Rumelhart, Hinton & Williams 1986, on breaking symmetry
    """
    return 0.0


@spec.register
@dataclass(frozen=True, repr=False)
class Constant(Initializer):
    """Start at one value everywhere: right for biases and scales, fatal for hidden units.

    Equation
        W = value * ones(shape)
    Errors
        DesignError when value is not a finite number
    Source
        Rumelhart, Hinton & Williams 1986, on breaking symmetry

    >>> Constant(0.5)(jax.random.key(0), (2,)).tolist()
    [0.5, 0.5]
    """

    value: float
    identical: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _expect_number(self, "value", self.value, -math.inf)

    def variance(self, shape: Shape) -> float:
        """0: nothing is random."""
        return 0.0

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any = float) -> jax.Array:
        """The value everywhere."""
        return jnp.full(shape, self.value, dtype)


@spec.register
@dataclass(frozen=True, repr=False)
class RandomNormal(Initializer):
    """Draw from a normal law of mean 0 whatever the shape.

    Equation
        variance = std**2
    Errors
        DesignError when std is not a finite number above 0
    Source
        Krizhevsky, Sutskever & Hinton 2012, with std 0.01; Keras' default is 0.05 too

    >>> RandomNormal(), RandomNormal(0.01)
    (normal, RandomNormal(std=0.01))
    """

    name = "normal"
    std: float = 0.05

    def __post_init__(self) -> None:
        _expect_number(self, "std", self.std, 0.0)

    def variance(self, shape: Shape) -> float:
        """The squared standard deviation."""
        return self.std**2

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any = float) -> jax.Array:
        """Normal numbers of this standard deviation."""
        return _gaussian(key, shape, dtype, self.variance(shape))


@spec.register
@dataclass(frozen=True, repr=False)
class Orthogonal(Initializer):
    """Draw a random rotation, which keeps the length of every signal exactly.

    Equation
        variance = gain**2 / maximum(fan_in, units)
    Shapes
        (n, units), more axes in front count as n: W.T @ W = gain**2 * eye(units) when n >= units
    Errors
        DesignError when the shape has fewer than two axes, or gain is not a finite number above 0
    Source
        Saxe, McClelland & Ganguli 2014; Mezzadri 2007 for the uniform distribution over rotations

    >>> W = Orthogonal()(jax.random.key(0), (5, 3))
    >>> bool(jnp.allclose(W.T @ W, jnp.eye(3), atol=1e-5))
    True
    """

    name = "orthogonal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        _expect_number(self, "gain", self.gain, 0.0)

    def variance(self, shape: Shape) -> float:
        """The squared gain, spread over the longer side."""
        if len(shape) < 2:
            raise DesignError(f"Orthogonal draws matrices, and shape {tuple(shape)} has no two axes. Take normal.")
        return self.gain**2 / max(fans(shape)[0], shape[-1])

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any = float) -> jax.Array:
        """The Q of a normal matrix, its signs set by R, so that every rotation is equally likely."""
        self.variance(shape)
        rows, units = fans(shape)[0], shape[-1]
        exact = jnp.promote_types(dtype, jnp.float32)
        Q, R = jnp.linalg.qr(jax.random.normal(key, (max(rows, units), min(rows, units)), exact))
        Q = Q * jnp.where(jnp.diagonal(R) < 0, -1, 1)
        return (self.gain * (Q if rows >= units else Q.T)).reshape(shape).astype(dtype)


def constant(value: float) -> Constant:
    """Start at ``value`` everywhere: ``Constant(value)``.

    Equation
        W = value * ones(shape)
    Errors
        DesignError when value is not a finite number
    Source
        Rumelhart, Hinton & Williams 1986, on breaking symmetry

    >>> constant(0.5)
    Constant(value=0.5)
    """
    return Constant(value)


def _expect_number(initializer: Initializer, name: str, value: Any, above: float) -> None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > above
    if not fine:
        limit = "" if above == -math.inf else f" above {above:g}"
        raise DesignError(f"{type(initializer).__name__}: {name} must be a finite number{limit}, and {value!r} came.")


normal = RandomNormal()
orthogonal = Orthogonal()
