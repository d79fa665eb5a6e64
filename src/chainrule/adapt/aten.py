"""PyTorch's core operations ("ATen") as functions of JAX arrays: one line each, in a table.

A key is PyTorch's name without "aten.", with the overload ("max.dim") where overloads differ. Arguments are PyTorch's
own, in its order, with dtypes as JAX's. What is not here (in-place forms, ``reshape``, ``chunk``, ...) PyTorch rewrites
into what is. Add a line to teach an operation: ``OPERATIONS["frac"] = lambda x: x - jnp.trunc(x)``.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.adapt import aten_layers, aten_recurrent, aten_windows


def operation(name: str) -> Callable | None:
    """What computes an operation, such as "add.Tensor"; None when it is not known."""
    return OPERATIONS.get(name, OPERATIONS.get(name.partition(".")[0]))


def _axes(dim: Any) -> Any:
    """Axes as NumPy takes them: PyTorch's empty list means all."""
    return None if dim is None or dim == [] else dim if isinstance(dim, int) else tuple(dim)


def _slice(n: int, start: int | None, end: int | None, step: int) -> slice:
    """A slice within an axis of length n, with numbers from 0 to n."""
    inside = range(n)[start:end:step]
    return slice(inside.start, inside.stop, inside.step)


def _along(ndim: int, dim: int, index: Any) -> tuple[Any, ...]:
    """An index of one axis."""
    where: list[Any] = [slice(None)] * ndim
    where[dim] = index
    return tuple(where)


def _sliced(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    part = _slice(x.shape[dim], start, end, step)
    return jax.lax.slice_in_dim(x, part.start, max(part.stop, part.start), part.step, dim)


def _split(x: Any, sizes: Sequence[int], dim: int = 0) -> list[Any]:
    return jnp.split(x, np.cumsum(sizes)[:-1].tolist(), dim)


def _chunks(x: Any, size: int, dim: int = 0) -> list[Any]:
    return jnp.split(x, list(range(size, x.shape[dim], size)), dim)


def _expanded(x: Any, sizes: Sequence[int], implicit: bool = False) -> Any:
    lengths = (1,) * (len(sizes) - x.ndim) + x.shape
    return jnp.broadcast_to(x, tuple(n if m == -1 else m for n, m in zip(lengths, sizes, strict=True)))


def _squeezed(x: Any, dim: Any = None) -> Any:
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    return jnp.squeeze(x, tuple(d for d in dims if x.shape[d] == 1))


def _places(index: Any, dim: int) -> tuple[Any, ...]:
    """The places that ``gather`` and ``scatter`` mean: ``index`` along one axis, each its own along the others."""
    where: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    where[dim] = index
    return tuple(where)


def _gathered(x: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    lengths = tuple(n if a == dim % x.ndim else m for a, (n, m) in enumerate(zip(x.shape, index.shape, strict=True)))
    return jnp.take_along_axis(x[tuple(slice(n) for n in lengths)], index, dim)


def _first(source: Any, index: Any) -> Any:
    """The corner of an array that is as long as ``index``; a number stays."""
    return source if np.ndim(source) == 0 else source[tuple(slice(n) for n in index.shape)]


def _index(where: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else i for i in where)


def _put(x: Any, where: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    at = x.at[_index(where)]
    return at.add(values) if accumulate else at.set(values)


def _powered(x: Any, exponent: Any) -> Any:
    """A whole number stays one, so that x² is a square."""
    whole = isinstance(exponent, float) and exponent.is_integer()
    return x ** (int(exponent) if whole else exponent)


def _norm(x: Any, order: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    axes = _axes(dim)
    if order == 2:
        return jnp.sqrt(jnp.sum(jnp.square(x), axes, keepdims=keepdim))
    if np.isinf(order):
        return (jnp.max if order > 0 else jnp.min)(jnp.abs(x), axes, keepdims=keepdim)
    if order == 0:
        return jnp.sum(x != 0, axes, dtype=x.dtype, keepdims=keepdim)
    return jnp.sum(jnp.abs(x) ** order, axes, keepdims=keepdim) ** (1 / order)


def _variance(f: Callable) -> Callable:
    return lambda x, dim=None, *, correction=None, keepdim=False: f(
        x, _axes(dim), ddof=1 if correction is None else correction, keepdims=keepdim
    )


def _sorted(x: Any, dim: int = -1, descending: bool = False) -> tuple[Any, Any]:
    order = jnp.argsort(x, dim, descending=descending)
    return jnp.take_along_axis(x, order, dim), order


def _top(x: Any, k: int, dim: int = -1, largest: bool = True, ordered: bool = True) -> tuple[Any, Any]:
    values, order = jax.lax.top_k(jnp.moveaxis(x if largest else -x, dim, -1), k)
    values = jnp.moveaxis(values, -1, dim)
    return values if largest else -values, jnp.moveaxis(order, -1, dim)


def _divided(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    return {None: jnp.divide, "floor": jnp.floor_divide, "trunc": lambda x, y: jnp.trunc(x / y)}[rounding_mode](x, y)


def _scaled(y: Any, alpha: Any) -> Any:
    return y if alpha == 1 else alpha * y


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    return _scaled(
        jnp.where(x > 0, x, alpha * jnp.expm1(input_scale * x)) if input_scale != 1 else jax.nn.elu(x, alpha), scale
    )


ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "gelu": lambda x, *, approximate="none": jax.nn.gelu(x, approximate=approximate == "tanh"),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "elu": _elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "leaky_relu": jax.nn.leaky_relu,
    "rrelu": lambda x, lower=1 / 8, upper=1 / 3, training=False: jax.nn.leaky_relu(x, (lower + upper) / 2),
    "prelu": lambda x, w: jnp.where(x > 0, x, w.reshape(-1, *(1,) * (x.ndim - 2)) * x if x.ndim > 1 else w * x),
    "softplus": lambda x, b=1, threshold=20: jax.nn.softplus(x) if b == 1 else jax.nn.softplus(b * x) / b,
    "hardtanh": lambda x, low=-1, high=1: jnp.clip(x, low, high),
    "hardswish": jax.nn.hard_swish,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "sigmoid": jax.nn.sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "tanh": jnp.tanh,
    "softmax.int": lambda x, dim, dtype=None: jax.nn.softmax(x, axis=dim),
    "_softmax": lambda x, dim, half=False: jax.nn.softmax(x, axis=dim),
    "log_softmax.int": lambda x, dim, dtype=None: jax.nn.log_softmax(x, axis=dim),
    "_log_softmax": lambda x, dim, half=False: jax.nn.log_softmax(x, axis=dim),
    "glu": lambda x, dim=-1: jax.nn.glu(x, axis=dim),
}

ARITHMETIC: dict[str, Callable] = {
    "add": lambda x, y, *, alpha=1: x + _scaled(y, alpha),
    "sub": lambda x, y, *, alpha=1: x - _scaled(y, alpha),
    "rsub": lambda x, y, *, alpha=1: y - _scaled(x, alpha),
    "mul": lambda x, y: x * y,
    "div": _divided,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "fmod": lambda x, y: jnp.fmod(x, y),
    "pow": _powered,
    "neg": lambda x: -x,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "sqrt": jnp.sqrt,
    "rsqrt": lambda x: 1 / jnp.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "square": jnp.square,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "erf": jax.lax.erf,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round": jnp.round,
    "trunc": jnp.trunc,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "clamp": jnp.clip,
    "clamp_min": jnp.maximum,
    "clamp_max": jnp.minimum,
    "lerp": lambda x, y, w: x + w * (y - x),
    "addcmul": lambda x, y, z, *, value=1: x + _scaled(y * z, value),
    "addcdiv": lambda x, y, z, *, value=1: x + _scaled(y / z, value),
    "nan_to_num": lambda x, nan=0.0, posinf=None, neginf=None: jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    "where": jnp.where,
    "masked_fill": lambda x, mask, value: jnp.where(mask, value, x),
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "logical_not": jnp.logical_not,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "bitwise_not": lambda x: ~x,
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
}

PRODUCTS: dict[str, Callable] = {
    "matmul": jnp.matmul,
    "mm": jnp.matmul,
    "bmm": jnp.matmul,
    "mv": jnp.matmul,
    "dot": jnp.matmul,
    "addmm": lambda b, x, w, *, beta=1, alpha=1: _scaled(b, beta) + _scaled(x @ w, alpha),
    "addmv": lambda b, x, w, *, beta=1, alpha=1: _scaled(b, beta) + _scaled(x @ w, alpha),
    "baddbmm": lambda b, x, w, *, beta=1, alpha=1: _scaled(b, beta) + _scaled(x @ w, alpha),
    "einsum": lambda equation, arrays, path=None: jnp.einsum(equation, *arrays),
}

REDUCTIONS: dict[str, Callable] = {
    "sum.default": lambda x, *, dtype=None: jnp.sum(x, dtype=dtype),
    "sum.dim_IntList": lambda x, dim, keepdim=False, *, dtype=None: jnp.sum(x, _axes(dim), dtype, keepdims=keepdim),
    "mean.default": lambda x, *, dtype=None: jnp.mean(x, dtype=dtype),
    "mean.dim": lambda x, dim, keepdim=False, *, dtype=None: jnp.mean(x, _axes(dim), dtype, keepdims=keepdim),
    "var.correction": _variance(jnp.var),
    "std.correction": _variance(jnp.std),
    "var_mean.correction": lambda x, dim=None, **how: (
        _variance(jnp.var)(x, dim, **how),
        jnp.mean(x, _axes(dim), keepdims=how.get("keepdim", False)),
    ),
    "prod.default": lambda x, *, dtype=None: jnp.prod(x, dtype=dtype),
    "prod.dim_int": lambda x, dim, keepdim=False, *, dtype=None: jnp.prod(x, dim, dtype, keepdims=keepdim),
    "max.default": jnp.max,
    "max.dim": lambda x, dim, keepdim=False: (jnp.max(x, dim, keepdims=keepdim), jnp.argmax(x, dim, keepdims=keepdim)),
    "max.other": jnp.maximum,
    "min.default": jnp.min,
    "min.dim": lambda x, dim, keepdim=False: (jnp.min(x, dim, keepdims=keepdim), jnp.argmin(x, dim, keepdims=keepdim)),
    "min.other": jnp.minimum,
    "amax": lambda x, dim=None, keepdim=False: jnp.max(x, _axes(dim), keepdims=keepdim),
    "amin": lambda x, dim=None, keepdim=False: jnp.min(x, _axes(dim), keepdims=keepdim),
    "argmax": lambda x, dim=None, keepdim=False: jnp.argmax(x, dim, keepdims=keepdim),
    "argmin": lambda x, dim=None, keepdim=False: jnp.argmin(x, dim, keepdims=keepdim),
    "any": lambda x, dim=None, keepdim=False: jnp.any(x, _axes(dim), keepdims=keepdim),
    "all": lambda x, dim=None, keepdim=False: jnp.all(x, _axes(dim), keepdims=keepdim),
    "logsumexp": lambda x, dim, keepdim=False: jax.nn.logsumexp(x, axis=_axes(dim), keepdims=keepdim),
    "linalg_vector_norm": _norm,
    "cumsum": lambda x, dim, *, dtype=None: jnp.cumsum(x, dim, dtype),
    "cumprod": lambda x, dim, *, dtype=None: jnp.cumprod(x, dim, dtype),
    "sort.default": _sorted,
    "topk": _top,
}

SHAPES: dict[str, Callable] = {
    "view.default": jnp.reshape,
    "_unsafe_view": jnp.reshape,
    "permute": jnp.transpose,
    "transpose.int": jnp.swapaxes,
    "unsqueeze": jnp.expand_dims,
    "squeeze": _squeezed,
    "expand": _expanded,
    "repeat": lambda x, times: jnp.tile(x, tuple(times)),
    "cat": lambda arrays, dim=0: jnp.concatenate(arrays, dim),
    "stack": lambda arrays, dim=0: jnp.stack(arrays, dim),
    "split.Tensor": _chunks,
    "split_with_sizes": _split,
    "unbind.int": lambda x, dim=0: [jax.lax.index_in_dim(x, i, dim, keepdims=False) for i in range(x.shape[dim])],
    "slice.Tensor": _sliced,
    "select.int": lambda x, dim, index: jax.lax.index_in_dim(x, index, dim, keepdims=False),
    "index.Tensor": lambda x, where: x[_index(where)],
    "index_select": lambda x, dim, index: jnp.take(x, index, dim),
    "gather": _gathered,
    "index_put": _put,
    "slice_scatter": lambda x, y, dim=0, start=None, end=None, step=1: x.at[
        _along(x.ndim, dim, _slice(x.shape[dim], start, end, step))
    ].set(y),
    "select_scatter": lambda x, y, dim, index: x.at[_along(x.ndim, dim, index)].set(y),
    "scatter.src": lambda x, dim, index, y: x.at[_places(index, dim)].set(_first(y, index)),
    "scatter.value": lambda x, dim, index, y: x.at[_places(index, dim)].set(y),
    "scatter_add": lambda x, dim, index, y: x.at[_places(index, dim)].add(_first(y, index)),
    "flip": jnp.flip,
    "roll": lambda x, shifts, dims=(): jnp.roll(x, tuple(shifts), tuple(dims) or None),
    "tril": jnp.tril,
    "triu": jnp.triu,
    "one_hot": lambda x, classes: jax.nn.one_hot(x, classes, dtype=x.dtype),
    "sym_size.int": lambda x, dim: x.shape[dim],
}

CREATIONS: dict[str, Callable] = {
    "full": lambda shape, value, *, dtype=None: jnp.full(tuple(shape), value, dtype),
    "zeros": lambda shape, *, dtype=None: jnp.zeros(tuple(shape), dtype),
    "ones": lambda shape, *, dtype=None: jnp.ones(tuple(shape), dtype),
    "full_like": lambda x, value, *, dtype=None: jnp.full(x.shape, value, dtype or x.dtype),
    "zeros_like": lambda x, *, dtype=None: jnp.zeros(x.shape, dtype or x.dtype),
    "ones_like": lambda x, *, dtype=None: jnp.ones(x.shape, dtype or x.dtype),
    "new_full": lambda x, shape, value, *, dtype=None: jnp.full(tuple(shape), value, dtype or x.dtype),
    "new_zeros": lambda x, shape, *, dtype=None: jnp.zeros(tuple(shape), dtype or x.dtype),
    "new_ones": lambda x, shape, *, dtype=None: jnp.ones(tuple(shape), dtype or x.dtype),
    "scalar_tensor": lambda value, *, dtype=None: jnp.asarray(value, dtype),
    "arange.start_step": lambda start, end, step=1, *, dtype=None: jnp.arange(start, end, step, dtype),
    "eye": lambda n, *, dtype=None: jnp.eye(n, dtype=dtype),
    "eye.m": lambda n, m, *, dtype=None: jnp.eye(n, m, dtype=dtype),
}

COPIES: dict[str, Callable] = {
    "clone": lambda x: x,
    "alias": lambda x: x,
    "copy": lambda x, y, wait=False: jnp.broadcast_to(y, x.shape).astype(x.dtype),
    "detach": jax.lax.stop_gradient,
    "_to_copy": lambda x, *, dtype=None: x if dtype is None else x.astype(dtype),
}

OPERATIONS: dict[str, Callable] = functools.reduce(
    dict.__or__,
    [
        *(ACTIVATIONS, ARITHMETIC, PRODUCTS, REDUCTIONS, SHAPES, CREATIONS, COPIES),
        *(aten_layers.OPERATIONS, aten_windows.OPERATIONS, aten_recurrent.OPERATIONS),
    ],
)
"""What computes each operation."""
