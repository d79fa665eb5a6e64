"""How large signals and gradients are at the start: the mean-field theory of random networks, layer by layer.

Every layer says how it changes the moments of a signal that goes forward, and the variance of a gradient that comes
back; a container composes what its parts say. Source: Poole et al. 2016; Schoenholz et al. 2017; for batch norm,
Yang et al. 2019, whose gradient growth pi/(pi-1) per relu layer follows here.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Add, Concatenate, Select
from chainrule.layers.layer import Function, Layer
from chainrule.layers.layer_norm import LayerNorm
from chainrule.layers.parallel import Parallel
from chainrule.layers.residual import Residual
from chainrule.layers.scale import Scale
from chainrule.layers.shape import Flatten, Reshape
from chainrule.layers.standardize import Standardize


@dataclass(frozen=True)
class Moments:
    """Moments of one array: of a number x, and of the same feature in two examples x, x'. NaN where unknown."""

    square: float = math.nan
    """E[x**2]"""
    shared: float = math.nan
    """E[x * x']"""
    mean: float = 0.0
    """E[x]"""
    latent: "Moments | None" = None
    """The Gaussian z of which x is a function, where x is not Gaussian itself."""
    bends: tuple[Callable, ...] = ()
    """The functions that make x of z."""

    @property
    def variance(self) -> float:
        """The variance over the features of an example."""
        return self.square - self.mean**2

    def scaled(self, square: float) -> "Moments":
        """After a factor whose square has the mean ``square``, independent for each number and of mean 1."""
        return Moments(self.square * square, self.shared, self.mean)


UNKNOWN = Moments()


@dataclass(frozen=True)
class Flow:
    """What a layer does to signals: moments of its output, and the variance of a gradient carried back through it."""

    moments: Any
    """Moments, in a tree like the output."""
    pull: Callable[[Any], tuple[Any, tuple]]
    """From dL/dy's variance (a tree like the output) to dL/dx's, and to those that arrive at the inner layers."""
    inner: tuple[tuple[Any, "Flow"], ...] = ()
    """For each inner layer the shapes of its input and its own flow."""
    measured: bool = False


def given(x: Any) -> Any:
    """The moments of an input: a shape stands for standard normal numbers, an array for its own."""
    return jax.tree.map(_given, x)


def _given(x: Any) -> Moments:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return UNKNOWN
    if isinstance(x, jax.ShapeDtypeStruct):
        return Moments(1.0, 0.0)
    a = np.asarray(x, np.float64)
    rows, mean, square = len(a), float(a.mean()), float((a**2).mean())
    pairs = (a.sum(0) ** 2 - (a**2).sum(0)).mean() / (rows * (rows - 1)) if rows > 1 else mean**2
    return Moments(square, float(pairs), mean)


@functools.singledispatch
def flow(layer: Layer, m: Any, x: Any) -> Flow:
    """What ``layer`` does to a signal with moments ``m`` and shapes ``x``.

    A layer without a rule is run on Gaussian numbers of these moments.
    """
    return _measure(layer, m, x)


@flow.register
def _(layer: Chain, m: Any, x: Any) -> Flow:
    inner = []
    for f in layer.parts:
        inner.append((x, flow(f, m, x)))
        m, x = inner[-1][1].moments, output(f, x)

    def pull(v):
        arriving = []
        for _, part in reversed(inner):
            arriving.append(v)
            v, _ = part.pull(v)
        return v, tuple(reversed(arriving))

    return Flow(m, pull, tuple(inner))


@flow.register
def _(layer: Residual, m: Moments, x: Any) -> Flow:
    part = flow(layer.parts[0], m, x)
    return Flow(_sum([m, part.moments]), lambda v: (v + part.pull(v)[0], (v,)), ((x, part),))


@flow.register
def _(layer: Parallel, m: Any, x: Any) -> Flow:
    parts = tuple(flow(f, m, x) for f in layer.parts)

    def pull(v):
        back = [part.pull(w)[0] for part, w in zip(parts, v, strict=True)]
        return jax.tree.map(lambda *terms: sum(terms), *back), tuple(v)

    return Flow(tuple(part.moments for part in parts), pull, tuple((x, part) for part in parts))


@flow.register
def _(layer: Dense, m: Moments, x: Any) -> Flow:
    law = getattr(layer.draw, "variance", None)
    if law is None or getattr(layer.draw, "identical", False):
        return _measure(layer, m, x)
    n, units = x.shape[-1], layer.units
    variance = law((n, units))
    forward, backward = n * variance, units * variance
    return Flow(Moments(forward * m.square, forward * m.shared), lambda v: (backward * v, ()))


@flow.register
def _(layer: Function, m: Any, x: Any) -> Flow:
    if not isinstance(m, Moments) or not elementwise(layer.f):
        return _measure(layer, m, x)
    steep = slope(m, layer.f)
    return Flow(bend(m, layer.f), lambda v: (steep * v, ()))


@flow.register
def _(layer: LayerNorm, m: Moments, x: Any) -> Flow:
    factor = 1 / (m.variance + layer.epsilon)
    known = math.isfinite(factor)
    out = bend(m, lambda z: (z - m.mean) * math.sqrt(factor)) if known else Moments(1.0)
    return Flow(out, lambda v: (factor * v, ()))


@flow.register
def _(layer: BatchNorm, m: Moments, x: Any) -> Flow:
    # what all examples share in a feature is its mean over the batch, and is taken away
    factor = 1 / (m.square - m.shared + layer.epsilon)
    left = 1 - layer.epsilon * factor if math.isfinite(factor) else 1.0
    return Flow(Moments(left, 0.0), lambda v: (factor * v, ()))


@flow.register
def _(layer: Standardize, m: Moments, x: Any) -> Flow:
    variance = m.square - m.shared
    factor = 1 / variance if variance > 0 else math.nan
    return Flow(Moments(1.0, 0.0), lambda v: (factor * v, ()))


@flow.register
def _(layer: Dropout, m: Moments, x: Any) -> Flow:
    grown = 1 / (1 - layer.rate)
    return Flow(m.scaled(grown), lambda v: (grown * v, ())) if layer.rate else _same(m)


@flow.register
def _(layer: Scale, m: Moments, x: Any) -> Flow:
    return Flow(bend(m, lambda z: z * layer.start), lambda v: (layer.start**2 * v, ()))


@flow.register
def _(layer: Embedding, m: Moments, x: Any) -> Flow:
    law = getattr(layer.draw, "variance", None)
    if law is None or getattr(layer.draw, "identical", False):
        return Flow(UNKNOWN, lambda v: (math.nan, ()))
    return Flow(Moments(law((layer.size, layer.dim)), 0.0), lambda v: (math.nan, ()))


@flow.register(Flatten)
@flow.register(Reshape)
def _(layer: Layer, m: Moments, x: Any) -> Flow:
    return _same(m)


@flow.register
def _(layer: Concatenate, m: Any, x: Any) -> Flow:
    sizes = np.array([math.prod(a.shape) for a in jax.tree.leaves(x)], float)
    weights = sizes / sizes.sum()
    square, shared, mean = (weights @ np.array([(p.square, p.shared, p.mean) for p in _leaves(m)])).tolist()
    return Flow(Moments(square, shared, mean), lambda v: (jax.tree.map(lambda _: v, x), ()))


@flow.register
def _(layer: Add, m: Any, x: Any) -> Flow:
    return Flow(_sum(_leaves(m)), lambda v: (jax.tree.map(lambda _: v, x), ()))


@flow.register
def _(layer: Select, m: Any, x: Any) -> Flow:
    def pull(v):
        back = jax.tree.map(lambda _: 0.0, x)
        if isinstance(x, dict):
            return back | {layer.entry: v}, ()
        i = range(len(x))[int(layer.entry)]
        return type(x)(v if j == i else part for j, part in enumerate(back)), ()

    return Flow(m[layer.entry], pull)


def output(layer: Layer, x: Any) -> Any:
    """The shapes of a layer's output; nothing is computed."""
    p = jax.eval_shape(layer.init, jax.random.key(0), x)
    return jax.eval_shape(layer, p, x)


@functools.lru_cache
def elementwise(f: Callable) -> bool:
    """Whether each number of f(z) depends on its own z alone, the same way everywhere."""
    z = np.linspace(-1.7, 1.3, 5, dtype=np.float32)
    try:
        whole, single = np.asarray(f(z[None])), [float(f(a.reshape(1, 1))[0, 0]) for a in z]
    except (TypeError, ValueError, IndexError):
        return False
    return whole.shape == (1, 5) and np.allclose(whole[0], single, atol=1e-6)


def bend(m: Moments, f: Callable) -> Moments:
    """The moments of f(x), through the Gaussian z behind x."""
    latent, bends = m.latent or m, (*m.bends, f)
    alone, together = _split(_through(bends, _points(latent)))
    square, mean = (alone**2) @ _weights(_GRID), alone @ _weights(_GRID)
    # E[f f'] = E[f**2] - E_t[Var_u[f]], with t the part of z that two examples share, and u the part that differs
    spread = (together**2) @ _weights(_GRID) - (together @ _weights(_GRID)) ** 2
    return Moments(float(square), float(square - spread @ _weights(_COARSE)), float(mean), latent, bends)


def slope(m: Moments, f: Callable) -> float:
    """What f does to the variance of a gradient: E[f'(x)**2], or, where x is bent already, how much more f bends z.

    The slopes of two functions of the same z are not independent: relu after relu loses nothing more.
    """
    before = _slope(m, m.bends) if m.bends else 1.0
    return _slope(m, (*m.bends, f)) / before if before else math.nan


def _slope(m: Moments, bends: tuple[Callable, ...]) -> float:
    z = _points(m.latent or m)
    alone, _ = _split(jax.jvp(lambda z: _through(bends, z), (z,), (jnp.ones_like(z),))[1])
    return float((alone**2) @ _weights(_GRID))


_GRID = (np.arange(1000) + 0.5) * 0.018 - 9.0
_COARSE = (np.arange(100) + 0.5) * 0.18 - 9.0
"""Midpoints for E[f(u)], u standard normal. As exact as Gauss-Hermite for smooth functions; where the slope of f jumps,
as relu's, 101 Gauss-Hermite nodes give E[f'(u)**2] with an error of 6 %, these within 1 %, and exactly at mean 0."""


def _weights(grid: np.ndarray) -> np.ndarray:
    w = np.exp(-(grid**2) / 2)
    return w / w.sum()


def _parts(m: Moments) -> tuple[float, float]:
    """Standard deviations of the parts of x that examples share and do not share."""
    common = min(max(m.shared - m.mean**2, 0.0), m.variance)
    return math.sqrt(max(common, 0.0)), math.sqrt(max(m.variance - common, 0.0))


def _points(m: Moments) -> jax.Array:
    """All z at once, so that every function is compiled for one shape: z alone, then t and u crossed."""
    common, own = _parts(m)
    alone = m.mean + math.sqrt(max(m.variance, 0.0)) * _GRID
    together = m.mean + common * _COARSE[:, None] + own * _GRID
    return jnp.asarray(np.concatenate([alone, together.ravel()]), jnp.float32)


def _split(y: Any) -> tuple[np.ndarray, np.ndarray]:
    y = np.asarray(y, np.float64)
    return y[: len(_GRID)], y[len(_GRID) :].reshape(len(_COARSE), len(_GRID))


def _through(bends: tuple[Callable, ...], z: jax.Array) -> jax.Array:
    for f in bends:
        z = f(z)
    return z


def _same(m: Moments) -> Flow:
    return Flow(m, lambda v: (v, ()))


def _sum(parts: list[Moments]) -> Moments:
    """Of a sum of signals that are independent but for their means."""
    mean = sum(m.mean for m in parts)
    extra = mean**2 - sum(m.mean**2 for m in parts)
    return Moments(sum(m.square for m in parts) + extra, sum(m.shared for m in parts) + extra, mean)


def _leaves(m: Any) -> list[Moments]:
    return jax.tree.leaves(m)


_DRAWS, _ROWS, _LARGEST = 4, 32, 2**22
"""A layer without a law is run for so many draws of so many rows, unless it has more numbers than the last."""


def _measure(layer: Layer, m: Any, x: Any) -> Flow:
    small = jax.tree.map(lambda a: jax.ShapeDtypeStruct((_ROWS, *a.shape[1:]), a.dtype), x)
    p = jax.eval_shape(layer.init, jax.random.key(0), small)
    shapes = jax.tree.leaves((small, p, output(layer, small)))
    known = all(math.isfinite(part.square) for part in _leaves(m))
    if not known or _DRAWS * sum(math.prod(a.shape) for a in shapes) > _LARGEST:
        y = output(layer, x)
        return Flow(jax.tree.map(lambda _: UNKNOWN, y), lambda v: (jax.tree.map(lambda _: math.nan, x), ()))

    @jax.jit
    def once(p, x, g, key):
        y, back = jax.vjp(lambda x: layer.run(p, x, key)[0], x)
        return y, back(g)[0]

    draws, random = [], np.random.default_rng(0)
    for key in jax.random.split(jax.random.key(0), _DRAWS):
        values = jax.tree.map(lambda a, part: _sample(part, a.shape, random), small, m)
        g = jax.tree.map(lambda a: random.standard_normal(a.shape, np.float32), output(layer, small))
        draws.append(once(layer.init(key, small), values, g, key))
    y, g = jax.tree.map(lambda *each: np.stack(each), *draws)
    factors = jax.tree.map(lambda a: float(np.mean(np.square(a))), g)

    def pull(v):
        v = np.mean(jax.tree.leaves(v))
        return jax.tree.map(lambda factor: float(factor * v), factors), ()

    return Flow(jax.tree.map(_moments_of_draws, y), pull, measured=True)


def _sample(m: Moments, shape: tuple[int, ...], random: np.random.Generator) -> jax.Array:
    """Numbers with these moments; what examples share is drawn once for all rows."""
    latent = m.latent or m
    common, own = _parts(latent)
    z = latent.mean + common * random.standard_normal(shape[1:]) + own * random.standard_normal(shape)
    return _through(m.bends, jnp.asarray(z, jnp.float32))


def _moments_of_draws(y: np.ndarray) -> Moments:
    each = np.array([(m.square, m.shared, m.mean) for m in map(_given, y)])
    square, shared, mean = each.mean(0).tolist()
    return Moments(square, shared, mean)
