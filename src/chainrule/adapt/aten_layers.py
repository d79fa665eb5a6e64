"""PyTorch's operations that are layers of their own: linear, embedding, norms, attention."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError


def _linear(x: Any, w: Any, b: Any = None) -> Any:
    """``y = x Wᵀ + b``: PyTorch's weight is (units, features)."""
    return x @ w.T if b is None else x @ w.T + b


def _embedding(w: Any, ids: Any, padding: int = -1, scaled: bool = False, sparse: bool = False) -> Any:
    """The rows of a table; the row of ``padding`` is not trained."""
    rows = w[ids]
    return rows if padding < 0 else jnp.where((ids == padding)[..., None], jax.lax.stop_gradient(rows), rows)


def _standardized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.square(x - mean).mean(axes, keepdims=True) + eps)


def _affine(x: Any, w: Any, b: Any, axes: tuple[int, ...]) -> Any:
    """``x w + b`` with w and b along ``axes``, either of which may be absent."""
    shape = tuple(x.shape[a] if a in axes else 1 for a in range(x.ndim))
    x = x if w is None else x * w.reshape(shape)
    return x if b is None else x + b.reshape(shape)


def _last(x: Any, count: int) -> tuple[int, ...]:
    return tuple(range(x.ndim - count, x.ndim))


def _layer_norm(
    x: Any, shape: Sequence[int], w: Any = None, b: Any = None, eps: float = 1e-5, fast: bool = True
) -> Any:
    axes = _last(x, len(shape))
    return _affine(_standardized(x, axes, eps), w, b, axes)


def _rms_norm(x: Any, shape: Sequence[int], w: Any = None, eps: float | None = None) -> Any:
    axes = _last(x, len(shape))
    eps = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    return _affine(x / jnp.sqrt(jnp.square(x).mean(axes, keepdims=True) + eps), w, None, axes)


def _group_norm(x: Any, groups: int, w: Any = None, b: Any = None, eps: float = 1e-5, fast: bool = True) -> Any:
    grouped = x.reshape(x.shape[0], groups, -1)
    return _affine(_standardized(grouped, (2,), eps).reshape(x.shape), w, b, (1,))


def _batch_norm(x: Any, w: Any, b: Any, mean: Any, var: Any, eps: float) -> Any:
    """With the statistics that are given, or else with those of x, one for each channel."""
    if mean is None:
        return _affine(_standardized(x, (0, *range(2, x.ndim)), eps), w, b, (1,))
    shape = (-1, *(1,) * (x.ndim - 2))
    return _affine((x - mean.reshape(shape)) / jnp.sqrt(var.reshape(shape) + eps), w, b, (1,))


def _instance_norm(x: Any, w: Any, b: Any, mean: Any, var: Any, own: bool, momentum: float, eps: float, _: bool) -> Any:
    if not own:
        return _batch_norm(x, w, b, mean, var, eps)
    return _affine(_standardized(x, tuple(range(2, x.ndim)), eps), w, b, (1,))


def _attention(
    q: Any,
    k: Any,
    v: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """``softmax(q kᵀ / sqrt(d) + mask) v``; where a mask of yes and no says no, the score is -inf."""
    if dropout_p:
        raise DesignError(
            f"Attention drops out with dropout_p={dropout_p} in eval mode: pass 0 when not self.training."
        )
    if enable_gqa:
        k, v = (jnp.repeat(a, q.shape[-3] // a.shape[-3], axis=-3) for a in (k, v))
    scores = q @ jnp.swapaxes(k, -1, -2) * (1 / np.sqrt(q.shape[-1]).item() if scale is None else scale)
    if is_causal:
        attn_mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if attn_mask is not None:
        no = attn_mask.dtype == bool
        scores = jnp.where(attn_mask, scores, -jnp.inf) if no else scores + attn_mask
    return jax.nn.softmax(scores, axis=-1) @ v


OPERATIONS: dict[str, Callable] = {
    "linear": _linear,
    "bilinear": lambda x, y, w, b=None: _linear_form(x, y, w) if b is None else _linear_form(x, y, w) + b,
    "embedding": _embedding,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "_native_batch_norm_legit_no_training": lambda x, w, b, mean, var, momentum, eps: (
        _batch_norm(x, w, b, mean, var, eps),
        None,
        None,
    ),
    "_native_batch_norm_legit.no_stats": lambda x, w, b, training, momentum, eps: (
        _batch_norm(x, w, b, None, None, eps),
        None,
        None,
    ),
    "scaled_dot_product_attention": _attention,
}
"""What each operation of PyTorch that is a layer computes."""


def _linear_form(x: Any, y: Any, w: Any) -> Any:
    """``z[k] = sum over i, j of x[i] w[k, i, j] y[j]``."""
    return jnp.einsum("...i,kij,...j->...k", x, w, y)
