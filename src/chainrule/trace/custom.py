"""Functions that bring a derivative of their own.

A custom rule that is autodiff's of the same equations, only safer, is no news: the equations are read. One that is
not (a straight-through estimator, a reversed gradient) is what training follows, so the function stays whole.
"""

import itertools
import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn

from chainrule.trace.program import apply, body

Lifted = Callable[[ClosedJaxpr], Callable[..., list[Any]]]
"""What makes a program a function of arrays in double precision."""

_JAX = os.path.dirname(jax.__file__)
_RANGES = ((-2.0, 2.0), (0.1, 0.9), (-30.0, 30.0), (-1e4, 1e4), (-1e-3, 1e-3), (1.0, 3.0), (-1e8, -1e6), (1e6, 1e8))
_GRADIENTS = (1.0, 1e4, 1e-4)
"""Where rules are tried, and how large the gradients are that come in: rules that clip do so at one of these."""
_TRYING: list[JaxprEqn] = []
"""The equation that is tried out: within its rule, only the values of other functions matter."""
_KNOWN: "weakref.WeakKeyDictionary[Any, bool]" = weakref.WeakKeyDictionary()


def follows_its_equations(e: JaxprEqn, lifted: Lifted) -> bool:
    """Whether the rule of a ``custom_jvp`` is the derivative of its equations: JAX's own are, others are tried out."""
    inner = e.params["call_jaxpr"].jaxpr
    info = inner.debug_info
    if _TRYING or info is not None and f" at {_JAX}" in (info.func_src_info or ""):
        return True
    if inner not in _KNOWN:
        _KNOWN[inner] = _tried(e, lifted)
    return _KNOWN[inner]


def with_own_rule(e: JaxprEqn, lifted: Lifted) -> Callable[..., list[Any]]:
    """A function with a derivative of its own, with both in double precision."""
    forward, smooth = lifted(_program(e)), _smooth(e)

    @jax.custom_vjp
    def f(*came: Any) -> tuple[Any, ...]:
        return tuple(forward(*came))

    def pulled(came: Sequence[Any], g: Sequence[Any]) -> tuple[Any, ...]:
        back = lifted(_rule(e))  # only now: a rule may call its own function for its value
        out: list[Any] = [None] * len(came)
        for i, value in zip(smooth, back(*came, *(g[k] for k in _smooth_outputs(e))), strict=True):
            out[i] = value
        return tuple(out)

    f.defvjp(lambda *came: (f(*came), came), pulled)
    return lambda *came: list(f(*came))


def _program(e: JaxprEqn) -> ClosedJaxpr:
    inner = body(e)
    assert inner is not None
    return inner


def _smooth(e: JaxprEqn) -> list[int]:
    """The numbers of the inputs that have a gradient; arrays that a function closes over come first, and have none."""
    closed = e.params.get("num_consts", 0)
    floating = [jnp.issubdtype(v.aval.dtype, jnp.floating) for v in e.invars]  # type: ignore[attr-defined]
    return [i for i in range(closed, len(e.invars)) if floating[i]]


def _smooth_outputs(e: JaxprEqn) -> list[int]:
    return [k for k, v in enumerate(e.outvars) if jnp.issubdtype(v.aval.dtype, jnp.floating)]  # type: ignore[attr-defined]


def _rule(e: JaxprEqn) -> ClosedJaxpr:
    """The rule as a program: inputs and gradients by the outputs in, gradients by the inputs out."""
    smooth, outputs = _smooth(e), _smooth_outputs(e)

    def back(*arrays: Any) -> Any:
        came, g = list(arrays[: len(e.invars)]), arrays[len(e.invars) :]

        def f(*moved: Any) -> list[Any]:
            full = dict(enumerate(came)) | dict(zip(smooth, moved, strict=True))
            out = apply(e, [full[i] for i in range(len(came))])
            return [out[k] for k in outputs]

        return jax.vjp(f, *(came[i] for i in smooth))[1](list(g))

    variables: list[Any] = [*e.invars, *(e.outvars[k] for k in outputs)]
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in variables]
    return jax.make_jaxpr(back)(*shapes)


def _tried(e: JaxprEqn, lifted: Lifted) -> bool:
    _TRYING.append(e)
    try:
        return _agrees(e, lifted)
    finally:
        _TRYING.pop()


def _agrees(e: JaxprEqn, lifted: Lifted) -> bool:
    """Whether the rule agrees with autodiff of the equations at random places where both are finite."""
    rng, seen = np.random.default_rng(0), False
    smooth, outputs, forward, back = _smooth(e), _smooth_outputs(e), lifted(_program(e)), lifted(_rule(e))

    @jax.jit
    def both(came: list[Any], g: list[Any]) -> tuple[Any, Any]:
        def f(*moved: Any) -> list[Any]:
            full = dict(enumerate(came)) | dict(zip(smooth, moved, strict=True))
            out = forward(*(full[i] for i in range(len(came))))
            return [out[k] for k in outputs]

        return jax.vjp(f, *(came[i] for i in smooth))[1](g), back(*came, *g)

    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        for (low, high), large in itertools.product(_RANGES, _GRADIENTS):
            came = [_drawn(rng, v.aval, low, high) for v in e.invars]
            g = [jnp.asarray(large * rng.normal(size=e.outvars[k].aval.shape)) for k in outputs]  # type: ignore[attr-defined]
            for a, b in zip(*both(came, g), strict=True):
                finite = np.isfinite(a) & np.isfinite(b)
                seen |= bool(finite.any())
                if not np.allclose(np.asarray(a)[finite], np.asarray(b)[finite], rtol=1e-6, atol=1e-9 * large):
                    return False
    return seen


def _drawn(rng: np.random.Generator, aval: Any, low: float, high: float) -> Any:
    if jnp.issubdtype(aval.dtype, jnp.floating):
        return jnp.asarray(rng.uniform(low, high, aval.shape))
    return jnp.asarray(rng.integers(0, 2, aval.shape), aval.dtype)
