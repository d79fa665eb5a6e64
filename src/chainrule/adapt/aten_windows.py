"""PyTorch's convolutions, pools and resizing: what looks at neighbors. Channels first, (n, c, ...)."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _each(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each axis: PyTorch takes 2, (2,) and (2, 2) alike."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(values * rank if len(values) == 1 else values)


def _convolution(
    x: Any,
    w: Any,
    b: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    extra: Sequence[int],
    groups: int,
) -> Any:
    """Convolution, or its transposition: then ``stride`` spreads the inputs, and the kernel lies mirrored."""
    if x.ndim < w.ndim:
        return _convolution(x[None], w, b, stride, padding, dilation, transposed, extra, groups)[0]
    rank = w.ndim - 2
    stride, padding, dilation = (_each(v, rank) for v in (stride, padding, dilation))
    axes, spread = "DHW"[-rank:], (1,) * rank
    ends = [(p, p) for p in padding]
    if transposed:
        w = jnp.flip(w, range(2, w.ndim))
        w = jnp.swapaxes(w.reshape(groups, -1, *w.shape[1:]), 1, 2).reshape(-1, w.shape[0] // groups, *w.shape[2:])
        reach = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
        ends = [(r - p, r - p + e) for r, p, e in zip(reach, padding, _each(extra, rank), strict=True)]
        stride, spread = spread, stride
    z = jax.lax.conv_general_dilated(
        x, w, stride, ends, spread, dilation, (f"NC{axes}", f"OI{axes}", f"NC{axes}"), feature_group_count=groups
    )
    return z if b is None else z + b.reshape(-1, *(1,) * rank)


def _ends(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> list[tuple[int, int]]:
    """The padding of each axis; with ``ceil`` the last window may reach past the end, if it begins before it."""
    ends = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        windows = -((n + 2 * p - d * (k - 1) - 1) // -s) + 1
        windows -= (windows - 1) * s >= n + p
        ends.append((p, (windows - 1) * s + d * (k - 1) + 1 - n - p if ceil else p))
    return ends


def _windows(f: Callable, start: float, x: Any, kernel: Any, stride: Any, ends: Any, dilation: Any) -> Any:
    one = (1,) * (x.ndim - len(kernel))
    ends = [(0, 0)] * len(one) + list(ends)
    return jax.lax.reduce_window(
        x, np.asarray(start, x.dtype), f, (*one, *kernel), (*one, *stride), ends, window_dilation=(*one, *dilation)
    )


def _shifted(x: Any, kernel: Any, stride: Any, ends: Any, dilation: Any) -> Any:
    """For each place of a window, what all windows have there: the places come first. Outside of x lies -inf."""
    whole = [(0, 0, 0)] * (x.ndim - len(kernel))
    x = jax.lax.pad(x, np.asarray(-np.inf, x.dtype), [*whole, *((low, high, 0) for low, high in ends)])
    sizes = list(zip(x.shape[len(whole) :], kernel, stride, dilation, strict=True))
    seen = [[slice(a, a + n - d * (k - 1), s) for a in range(0, d * k, d)] for n, k, s, d in sizes]
    return jnp.stack([x[*[slice(None)] * len(whole), *part] for part in itertools.product(*seen)])


def _max_pool(rank: int) -> Callable:
    def max_pool(x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False) -> Any:
        kernel = _each(kernel, rank)
        stride = _each(stride, rank) or kernel
        padding, dilation = _each(padding, rank), _each(dilation, rank)
        ends = _ends(x.shape[-rank:], kernel, stride, padding, dilation, ceil)
        if max(dilation) > 1:  # which JAX cannot derive
            return _shifted(x, kernel, stride, ends, dilation).max(0)
        return _windows(jax.lax.max, -np.inf, x, kernel, stride, ends, dilation)

    return max_pool


def _avg_pool(rank: int) -> Callable:
    def avg_pool(
        x: Any,
        kernel: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        kernel = _each(kernel, rank)
        stride = _each(stride, rank) or kernel
        padding = _each(padding, rank)
        ends = _ends(x.shape[-rank:], kernel, stride, padding, (1,) * rank, ceil)
        sums = _windows(jax.lax.add, 0, x, kernel, stride, ends, (1,) * rank)
        if divisor_override:
            return sums / divisor_override
        counts = []
        for n, m, k, s, p in zip(x.shape[-rank:], sums.shape[-rank:], kernel, stride, padding, strict=True):
            first = np.arange(m) * s - p
            last = np.minimum(first + k, n + p)
            counts.append(last - first if count_include_pad else np.minimum(last, n) - np.maximum(first, 0))
        count = functools.reduce(np.multiply.outer, counts).astype(x.dtype)
        return sums / (count.flat[0].item() if np.all(count == count.flat[0]) else count)

    return avg_pool


def _along(x: Any, matrix: np.ndarray, axis: int) -> Any:
    """A matrix applied along one axis."""
    return jnp.moveaxis(jnp.tensordot(x, matrix.astype(x.dtype), ((axis,), (1,))), -1, axis)


def _parts(n: int, m: int) -> list[slice]:
    """The m parts of an axis of length n, of nearly equal lengths; they overlap when m does not divide n."""
    return [slice(i * n // m, -((i + 1) * n // -m)) for i in range(m)]


def _adaptive_avg_pool(x: Any, sizes: Sequence[int | None]) -> Any:
    """The mean of each part, axis by axis."""
    for axis, m in enumerate(sizes, x.ndim - len(sizes)):
        n = x.shape[axis]
        if m is None or m == n:
            continue
        if n % m == 0:
            x = x.reshape(*x.shape[:axis], m, n // m, *x.shape[axis + 1 :]).mean(axis + 1)
        else:
            rows = np.zeros((m, n))
            for i, part in enumerate(_parts(n, m)):
                rows[i, part] = 1 / (part.stop - part.start)
            x = _along(x, rows, axis)
    return x


def _adaptive_max_pool(x: Any, sizes: Sequence[int | None]) -> tuple[Any, None]:
    """The largest of each part, axis by axis; where it lies is not said."""
    for axis, m in enumerate(sizes, x.ndim - len(sizes)):
        n = x.shape[axis]
        parts = [jax.lax.slice_in_dim(x, p.start, p.stop, axis=axis) for p in _parts(n, n if m is None else m)]
        x = jnp.concatenate([part.max(axis, keepdims=True) for part in parts], axis)
    return x, None


def _resized(x: Any, sizes: Sequence[int] | None, factors: Sequence[float] | None) -> list[tuple[int, int, int, float]]:
    """(axis, old length, new length, old steps for one new step) of each axis after the channels."""
    lengths = enumerate(x.shape[2:], 2)
    if factors is not None:
        return [(a, n, int(n * f), 1 / f) for (a, n), f in zip(lengths, factors, strict=True)]
    return [(a, n, m, n / m) for (a, n), m in zip(lengths, sizes or (), strict=True)]


def _nearest(x: Any, sizes: Sequence[int] | None, factors: Sequence[float] | None = None) -> Any:
    for axis, n, m, step in _resized(x, sizes, factors):
        if m % n == 0 and step == n / m:
            x = jnp.repeat(x, m // n, axis)
        else:
            x = jnp.take(x, np.minimum(np.floor(np.arange(m) * step), n - 1).astype(int), axis)
    return x


def _linear(x: Any, sizes: Sequence[int] | None, align: bool, factors: Sequence[float] | None = None) -> Any:
    """Between the two nearest old numbers; ``align`` puts the first and last new ones on the first and last old."""
    for axis, n, m, step in _resized(x, sizes, factors):
        at = np.arange(m) * (n - 1) / max(m - 1, 1) if align else np.maximum((np.arange(m) + 0.5) * step - 0.5, 0)
        below = np.minimum(at.astype(int), n - 1)
        matrix = np.zeros((m, n))
        np.add.at(matrix, (np.arange(m), below), 1 - (at - below))
        np.add.at(matrix, (np.arange(m), np.minimum(below + 1, n - 1)), at - below)
        x = _along(x, matrix, axis)
    return x


def _pad(x: Any, ends: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """PyTorch names the ends of the last axis first; a negative end cuts."""
    widths = [(0, 0)] * (x.ndim - len(ends) // 2) + [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)][::-1]
    if mode == "constant":
        return jax.lax.pad(x, np.asarray(value or 0, x.dtype), [(low, high, 0) for low, high in widths])
    return jnp.pad(x, widths, {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


OPERATIONS: dict[str, Callable] = {
    "convolution": _convolution,
    "max_pool1d": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool3d": _max_pool(3),
    "avg_pool1d": _avg_pool(1),
    "avg_pool2d": _avg_pool(2),
    "avg_pool3d": _avg_pool(3),
    "adaptive_avg_pool1d": _adaptive_avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "adaptive_avg_pool3d": _adaptive_avg_pool,
    "adaptive_max_pool1d": _adaptive_max_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
    "adaptive_max_pool3d": _adaptive_max_pool,
    "upsample_nearest1d.vec": _nearest,
    "upsample_nearest2d.vec": _nearest,
    "upsample_nearest3d.vec": _nearest,
    "upsample_linear1d.vec": _linear,
    "upsample_bilinear2d.vec": _linear,
    "upsample_trilinear3d.vec": _linear,
    "pad": _pad,
    "constant_pad_nd": lambda x, ends, value=0: _pad(x, ends, "constant", value),
}
"""What each operation of PyTorch on windows computes."""
