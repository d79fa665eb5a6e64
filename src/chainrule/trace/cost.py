"""Cost: how many operations and bytes a program needs, counted equation by equation without running it."""

import math
from dataclasses import dataclass
from typing import Any

from jax.extend.core import ClosedJaxpr, JaxprEqn

from chainrule.trace.program import body, program


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, bytes read and written when each operation runs on its own, and what was not counted.

    An exponential counts 1, like an addition; a fused program moves fewer bytes.
    """

    flops: int = 0
    bytes: int = 0
    uncounted: frozenset[str] = frozenset()

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.flops + other.flops, self.bytes + other.bytes, self.uncounted | other.uncounted)

    def __mul__(self, times: int) -> "Cost":
        return Cost(self.flops * times, self.bytes * times, self.uncounted)


def cost(f: Any, *args: Any) -> Cost:
    """The cost of f(*args); ``args`` may be shapes, so nothing is allocated.

    >>> import jax.numpy as jnp
    >>> cost(jnp.matmul, jnp.ones((5, 4)), jnp.ones((4, 3))).flops  # 2 * 5 * 4 * 3
    120
    """
    return count(program(f, *args).traced)


def count(traced: ClosedJaxpr) -> Cost:
    """The cost of a traced program."""
    return sum((_equation(e) for e in traced.jaxpr.eqns), Cost())


def _equation(e: JaxprEqn) -> Cost:
    name, inner = e.primitive.name, body(e)
    if inner is not None:
        return count(inner)
    if name == "scan":
        return count(e.params["jaxpr"]) * e.params["length"]
    if name == "cond":
        return max(map(count, e.params["branches"]), key=lambda c: c.flops)
    if name == "while":  # how often it runs is known only when it runs
        return count(e.params["body_jaxpr"]) + Cost(uncounted=frozenset({"while: all rounds after the first"}))
    moved = sum(_size(v) * _width(v) for v in (*e.invars, *e.outvars))
    flops = _flops(e)
    return Cost(0, moved, frozenset({name})) if flops is None else Cost(flops, moved)


def _flops(e: JaxprEqn) -> int | None:
    """Operations of one primitive; None when it has no rule."""
    name, out = e.primitive.name, sum(map(_size, e.outvars))
    if name == "dot_general":
        (contracted, _), _ = e.params["dimension_numbers"]
        return 2 * out * math.prod(_shape(e.invars[0])[i] for i in contracted)
    if name == "conv_general_dilated":
        kernel = _shape(e.invars[1])
        return 2 * out * math.prod(kernel) // kernel[e.params["dimension_numbers"].rhs_spec[0]]
    if name in _MOVES:
        return 0
    if name.startswith(("reduce_window", "select_and_scatter_add")):
        return out * math.prod(e.params["window_dimensions"])
    if name.startswith(("reduce_", "arg")):
        return _size(e.invars[0]) - _size(e.outvars[0])
    if name.startswith("scatter"):
        return _size(e.invars[2])
    if name == "sort":
        return out * math.ceil(math.log2(max(2, _shape(e.invars[0])[e.params["dimension"]])))
    if name not in _SOLVERS and all(_fits(_shape(v), _shape(e.outvars[0])) for v in e.invars):
        return out
    return None


def _fits(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether an operand is met number by number, repeated along axes of length 1."""
    return not shape or len(shape) == len(out) and all(n in (1, m) for n, m in zip(shape, out, strict=True))


def _shape(v: Any) -> tuple[int, ...]:
    return getattr(v.aval, "shape", ())


def _size(v: Any) -> int:
    return math.prod(_shape(v))


def _width(v: Any) -> int:
    return getattr(getattr(v.aval, "dtype", None), "itemsize", 0)


_MOVES = frozenset(
    "broadcast_in_dim reshape transpose squeeze expand_dims slice dynamic_slice dynamic_update_slice concatenate "
    "gather pad rev copy copy_p iota convert_element_type bitcast_convert_type stop_gradient split scatter "
    "device_put optimization_barrier random_wrap random_unwrap random_seed random_clone reduce_precision "
    "sharding_constraint".split()
)
"""Primitives that move numbers and compute none."""

_SOLVERS = frozenset(
    "cholesky triangular_solve lu qr svd eig eigh schur hessenberg fft householder_product "
    "tridiagonal_solve custom_call pure_callback io_callback".split()
)
"""Primitives whose count their shapes do not tell."""
