"""Random small programs over the operations that explanations know, as data that hypothesis can make smaller."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax

ONE = {
    "sin": jnp.sin,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "exp": lambda a: jnp.exp(-a * a),
    "log": lambda a: jnp.log(1 + a * a),
    "sqrt": lambda a: jnp.sqrt(1 + a * a),
    "rsqrt": lambda a: lax.rsqrt(2 + a * a),
    "square": jnp.square,
    "cube": lambda a: jnp.tanh(a) ** 3,
    "abs": jnp.abs,
    "negative": lambda a: -a,
    "affine": lambda a: 0.5 * a - 1.25,
    "one over": lambda a: 1 / (1 + a * a),
    "stop": lax.stop_gradient,
    "clip": lambda a: jnp.clip(a, -0.7, 1.1),
    "atan": jnp.arctan,
    "erf": jax.scipy.special.erf,
    "log1p": lambda a: jnp.log1p(a * a),
    "expm1": lambda a: jnp.expm1(jnp.tanh(a)),
    "leaky": lambda a: jax.nn.leaky_relu(a, 0.1),
    "elu": jax.nn.elu,
}
TWO = {
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": jnp.multiply,
    "divide": lambda a, b: a / (1 + b * b),
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "power": lambda a, b: (1 + a * a) ** jnp.tanh(b),
    "arctan2": lambda a, b: jnp.arctan2(a, 1 + b * b),
    "logaddexp": jnp.logaddexp,
    "where": lambda a, b: jnp.where(a > b, a, b * b),
}
ALONG = {
    "sum": jnp.sum,
    "mean": jnp.mean,
    "max": jnp.max,
    "min": jnp.min,
    "logsumexp": jax.nn.logsumexp,
    "var": jnp.var,
    "prod": lambda a, axis: jnp.prod(1 + 0.1 * jnp.tanh(a), axis),
    "norm": lambda a, axis: jnp.sqrt(1 + jnp.sum(a * a, axis)),
}
KEPT = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "cumsum": jnp.cumsum,
    "reverse": jnp.flip,
    "centered": lambda a, axis: a - a.mean(axis, keepdims=True),
}


@dataclass(frozen=True)
class Step:
    """One operation: its name, which earlier arrays it reads, and small whole numbers that say the rest."""

    name: str
    reads: tuple[int, ...]
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}{list(self.reads)}{list(self.numbers)}"


@dataclass(frozen=True)
class Program:
    """Shapes of the parameters, and steps that each make one more array; L is the mean of a mix of the last ones."""

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    rows: bool = False
    """Whether the last array is data, with examples as its first axis: then other numbers of them are tried too."""
    seed: int = 0

    def arguments(self) -> tuple[list[np.ndarray], ...]:
        rng = np.random.default_rng(self.seed)
        made = [rng.normal(size=shape).astype(np.float32) for shape in self.shapes]
        return (made[:-1], made[-1]) if self.rows else (made,)

    def __call__(self, p: Any, *x: Any) -> Any:
        arrays = [*p, *x]
        for step in self.steps:
            arrays.append(applied(step, arrays))
        made = arrays[len(self.shapes) :][-3:]
        return sum(jnp.mean(jnp.sin(a) + 0.3 * a) for a in made)


def applied(step: Step, arrays: list[Any]) -> Any:
    """The array that a step makes: where its numbers do not fit the shapes, the nearest that does."""
    read = [arrays[k % len(arrays)] for k in step.reads]
    a, b = read[0], read[-1]
    k, m, q = step.numbers
    axis = k % a.ndim if a.ndim else None
    name = step.name
    if name in ONE:
        return ONE[name](a)
    if name in TWO:
        return TWO[name](a, fitted(b, a.shape))
    if axis is None:
        return jnp.sin(a)
    if name in ALONG:
        return ALONG[name](a, axis=axis)
    if name in KEPT:
        return KEPT[name](a, axis=axis)
    size = a.shape[axis]
    return MOVES[name](a, b, axis, size, m, q)


def fitted(b: Any, shape: tuple[int, ...]) -> Any:
    """An array that meets a shape: itself where it can be repeated, else the mean of its last axis, and so on."""
    while True:
        try:
            if np.broadcast_shapes(b.shape, shape) == shape:
                return b
        except ValueError:
            pass
        b = b.mean(-1) if b.shape else b


def _slice(a, b, axis, size, m, q):
    start, stride = m % size, 1 + q % 2
    return lax.slice_in_dim(a, start, size, stride, axis)


def _pad(a, b, axis, size, m, q):
    config = [(0, 0, 0)] * a.ndim
    config[axis] = (m % 3 - (size > 2), q % 3, (m + q) % 2)
    return lax.pad(a, jnp.float32(0.0), config)


def _concatenate(a, b, axis, size, m, q):
    b = a * 2 if b.shape[:axis] + b.shape[axis + 1 :] != a.shape[:axis] + a.shape[axis + 1 :] or b.ndim != a.ndim else b
    return jnp.concatenate([a, jnp.tanh(a), b] if m % 2 else [b, a], axis)


def _product(a, b, axis, size, m, q):
    for other in range(b.ndim):
        if b.shape[other] == size:
            return jnp.tensordot(a, b, ((axis,), (other,))) if a.ndim + b.ndim <= 6 else jnp.sum(a, axis)
    return jnp.tensordot(a, jnp.sin(jnp.arange(2.0 * size)).reshape(size, 2), ((axis,), (0,)))


def _outer(a, b, axis, size, m, q):
    return a[..., None] * b.reshape(-1)[:3] if a.ndim < 4 and b.ndim else a * 2


def _einsum(a, b, axis, size, m, q):
    letters = "abcd"[: a.ndim]
    if a.ndim < 2 or a.ndim > 4:
        return a * a
    out = letters.replace(letters[axis], "") + ("z" if m % 2 else "")
    other = letters[:-1] + ("z" if m % 2 else "") if q % 2 else letters[axis] + ("z" if m % 2 else "")
    sizes = dict(zip(letters, a.shape, strict=True)) | {"z": 2}
    right = jnp.sin(jnp.arange(float(np.prod([sizes[c] for c in other])))).reshape([sizes[c] for c in other])
    return jnp.einsum(f"{letters},{other}->{out}", a, right * b.mean())


def _gather(a, b, axis, size, m, q):
    places = (np.arange(3) * (1 + m % 3) + q) % size
    return jnp.take(a, jnp.asarray(places if m % 2 else places.reshape(1, 3)), axis)


def _scan(a, b, axis, size, m, q):
    rows = jnp.moveaxis(a, axis, 0)
    start = jnp.tanh(rows[q % size]) if m % 2 else jnp.zeros(rows.shape[1:])

    def step(carry, row):
        carry = jnp.tanh(0.5 * carry + row) * (1.1 if q % 2 else carry)
        return carry, carry * row

    last, every = lax.scan(step, start, rows, reverse=bool(q % 2))
    return every if m % 3 else last


def _window(a, b, axis, size, m, q):
    if size < 2:
        return a * a
    window = [1] * a.ndim
    strides = list(window)
    window[axis], strides[axis] = 2, 1 + q % 2
    padding = "SAME" if m % 2 else "VALID"
    if m % 3 == 0:
        return lax.reduce_window(a, -jnp.inf, lax.max, window, strides, padding)
    return lax.reduce_window(a, 0.0, lax.add, window, strides, padding)


def _convolution(a, b, axis, size, m, q):
    if a.ndim != 3 or min(a.shape) < 1:
        return a * 0.5
    kernel = jnp.sin(jnp.arange(float(2 * a.shape[2] * 2))).reshape(2, a.shape[2], 2) * (1 + b.mean())
    padding = [(m % 2, q % 2 + (a.shape[1] < 2))]
    return lax.conv_general_dilated(
        a, kernel, (1 + m % 2,), padding, (1 + q % 2,), dimension_numbers=("NWC", "WIO", "NWC")
    )


def _reshape(a, b, axis, size, m, q):
    if m % 3 == 0:
        return a.reshape(-1)
    if axis + 1 < a.ndim and m % 3 == 1:
        return a.reshape(*a.shape[:axis], -1, *a.shape[axis + 2 :])
    return (
        a.reshape(*a.shape[:axis], 2, size // 2, *a.shape[axis + 1 :]) if size % 2 == 0 and a.ndim < 4 else a[..., None]
    )


MOVES = {
    "slice": _slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "product": _product,
    "outer": _outer,
    "einsum": _einsum,
    "gather": _gather,
    "scan": _scan,
    "window": _window,
    "convolution": _convolution,
    "reshape": _reshape,
    "transpose": lambda a, b, axis, size, m, q: jnp.moveaxis(a, axis, m % a.ndim),
    "put": lambda a, b, axis, size, m, q: a.at[m % a.shape[0]].set(0.5 * a[q % a.shape[0]]),
    "add to": lambda a, b, axis, size, m, q: a.at[m % a.shape[0]].add(a[q % a.shape[0]] ** 2),
    "repeat": lambda a, b, axis, size, m, q: jnp.repeat(a, 2, axis) if a.size < 60 else a * 0.25,
    "stack": lambda a, b, axis, size, m, q: jnp.stack([a, fitted(b, a.shape) + a], axis) if a.ndim < 4 else a + 1,
}
FREE = [*ONE, *TWO, *ALONG, *KEPT, *(name for name in MOVES for _ in range(3))]


@st.composite
def programs(draw: Any) -> Program:
    """Programs of 3 to 8 steps on arrays with 1 to 3 axes; no array grows large."""
    length = st.integers(2, 4)
    shapes = tuple(tuple(draw(st.lists(length, min_size=1, max_size=3))) for _ in range(draw(st.integers(1, 3))))
    number = st.integers(0, 5)
    steps = draw(
        st.lists(
            st.builds(Step, st.sampled_from(FREE), st.tuples(number, number), st.tuples(number, number, number)),
            min_size=3,
            max_size=8,
        )
    )
    rows = len(shapes) > 1 and draw(st.booleans())
    return Program(shapes, tuple(_small(shapes, steps)), rows, draw(st.integers(0, 3)))


def _small(shapes: tuple[tuple[int, ...], ...], steps: list[Step]) -> list[Step]:
    """The steps that a program can take without an array of more than 400 numbers or 5 axes."""
    arrays: list[Any] = [jax.ShapeDtypeStruct(s, np.float32) for s in shapes]
    kept = []
    for step in steps:
        made = jax.eval_shape(lambda *a, step=step: applied(step, list(a)), *arrays)
        if 0 < made.size <= 400 and made.ndim <= 5:
            kept.append(step)
            arrays.append(made)
    return kept or [Step("sin", (0, 0), (0, 0, 0))]
