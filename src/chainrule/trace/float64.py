"""A traced program in double precision, equation by equation, with a tap at every variable.

The program is not traced again: what runs is the list of equations that was traced, with each float of 32 or 16 bits
read as one of 64, so that even a model that insists on 32 bits can be compared to 1e-9.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from chainrule.errors import CannotExplain
from chainrule.trace.custom import follows_its_equations, with_own_rule
from chainrule.trace.program import body, is_key

Key = tuple[int, ...]
"""Where a variable is made: the numbers of the equations that lead to it, then which of the outputs it is."""


_ROOTS = [math.sqrt(k) for k in range(2, 4097) if math.isqrt(k) ** 2 != k]
_CONSTANTS = {
    float(np.float32(c)): c
    for c in (
        *_ROOTS,
        *(1 / root for root in _ROOTS),
        math.pi,
        2 * math.pi,
        math.log(2),
        math.sqrt(2 / math.pi),
        2 / math.sqrt(math.pi),
        math.log(2 * math.pi),
        math.log(2 * math.pi) / 2,
    )
}
"""Constants that programs write with 32 bits."""


def decimal(value: Any) -> bool | int | float:
    """A Python number; a float of fewer bits is read as the decimal that its shortest print shows.

    The text of a program says 0.1, never the 0.10000000149 that 32 bits make of it. √½, 1/√8, π and other constants are
    read as what they are: without that no GELU and no attention is exact.
    """
    if isinstance(value, np.floating) and value.itemsize < 8 and np.isfinite(value):
        return math.copysign(_CONSTANTS.get(float(abs(value)), float(str(abs(value)))), value)
    return value.item() if isinstance(value, np.generic) else value


def double(value: Any) -> Any:
    """A value with its floats in 64 bits."""
    if is_key(value):
        return value
    if not isinstance(value, Tracer) and np.ndim(value) == 0:
        value = decimal(np.asarray(value)[()])
    value = jnp.asarray(value)
    return value.astype(jnp.float64) if jnp.issubdtype(value.dtype, jnp.floating) else value


class Tapped:
    """A run of a program that adds ``taps[key]`` to the variable of that key, and keeps the values of ``wanted``."""

    def __init__(self, taps: Mapping[Key, Any], wanted: frozenset[Key]) -> None:
        self.taps, self.wanted, self.values = taps, wanted, {}

    def run(self, traced: ClosedJaxpr, arguments: Sequence[Any], key: Key = ()) -> list[Any]:
        """The outputs of a program."""
        jaxpr = traced.jaxpr
        env = dict(zip(jaxpr.constvars, map(double, traced.consts), strict=True))
        env.update(zip(jaxpr.invars, arguments, strict=True))
        for i, e in enumerate(jaxpr.eqns):
            came = [double(v.val) if isinstance(v, Literal) else env[v] for v in e.invars]
            for k, (v, value) in enumerate(zip(e.outvars, self.equation(e, came, (*key, i)), strict=True)):
                env[v] = self.tap((*key, i, k), value)
        return [double(v.val) if isinstance(v, Literal) else env[v] for v in jaxpr.outvars]

    def tap(self, key: Key, value: Any) -> Any:
        """The value with its tap added, kept when it is wanted."""
        if key in self.taps:
            value = value + self.taps[key]
        if key in self.wanted:
            self.values[key] = value
        return value

    def equation(self, e: JaxprEqn, came: list[Any], key: Key) -> list[Any]:
        """The outputs of an equation; a function that brings its derivative keeps it if nothing inside is asked for."""
        inner = called(e)
        whole = e.primitive.name == "custom_jvp_call" and not any(_inside(k, key) for k in (*self.taps, *self.wanted))
        if inner is not None and not whole:
            return self.run(inner, came, key)
        if e.primitive.name == "scan":
            return self.scan(e, came, key)
        return lifted_equation(e)(*came)

    def scan(self, e: JaxprEqn, came: list[Any], key: Key) -> list[Any]:
        """A loop; its taps and the values that are kept have the step as their first axis."""
        inner, fixed, carried = e.params["jaxpr"], e.params["num_consts"], e.params["num_carry"]
        constants, start, rows = came[:fixed], came[fixed : fixed + carried], came[fixed + carried :]
        taps = {k: v for k, v in self.taps.items() if _inside(k, key)}
        wanted = frozenset(k for k in self.wanted if _inside(k, key))

        def round_(carry, row):
            x, taps = row
            tapped = Tapped(taps, wanted)
            carry = [tapped.tap((*key, -1, i), c) for i, c in enumerate(carry)]
            gave = tapped.run(inner, [*constants, *carry, *x], key)
            carry = [v.astype(c.dtype) for v, c in zip(gave[:carried], carry, strict=True)]
            return carry, (gave[carried:], tapped.values)

        start = [_as(v, a.dtype) for v, a in zip(start, inner.out_avals, strict=False)]
        carry, (out, values) = jax.lax.scan(
            round_, start, (rows, taps), length=e.params["length"], reverse=e.params["reverse"]
        )
        self.values.update(values)
        return [*carry, *out]


_OTHER_BODIES = ("custom_vjp_call", "reduce", "reduce_window", "shard_map", "pallas_call", "run_state")
"""Primitives that have a program which is not called once on their own inputs, or whose derivative is not its own."""


def _inside(key: Key, equation: Key) -> bool:
    """Whether a variable is made inside of an equation; its outputs are not."""
    return len(key) > len(equation) + 1 and key[: len(equation)] == equation


def called(e: JaxprEqn) -> ClosedJaxpr | None:
    """The program that an equation calls once on its own inputs and that says its derivative too, if there is one."""
    inner = body(e)
    if inner is None or e.primitive.name in _OTHER_BODIES:
        return None
    if e.primitive.name == "custom_jvp_call" and not follows_its_equations(e, lifted):
        return None
    return inner


def lifted(traced: ClosedJaxpr) -> Callable[..., list[Any]]:
    """A program as a function of arrays in double precision."""
    return lambda *arguments: Tapped({}, frozenset()).run(traced, arguments)


def lifted_equation(e: JaxprEqn) -> Callable[..., list[Any]]:
    """An equation as a function of arrays in double precision."""
    inner = called(e)
    if inner is not None and e.primitive.name != "custom_jvp_call":
        return lifted(inner)
    name, params = e.primitive.name, e.params
    if name == "scan":
        return lambda *came: Tapped({}, frozenset()).scan(e, list(came), ())
    if name == "cond":
        branches = [lifted(b) for b in params["branches"]]
        return lambda index, *came: jax.lax.switch(index, branches, *came)
    if name == "while":
        return lambda *came: _while(e, came)
    if name in ("custom_jvp_call", "custom_vjp_call"):
        return with_own_rule(e, lifted)
    if name == "custom_linear_solve":
        return lambda *came: _linear_solve(e, came)
    if name == "reduce_precision":
        return lambda *came: [double(came[0])]
    if name == "bitcast_convert_type":  # bits are those of numbers of their own width
        own = e.invars[0].aval.dtype  # type: ignore[attr-defined]
        return lambda *came: [double(e.primitive.bind(jnp.asarray(came[0]).astype(own), **params))]

    def run(*came):
        wide = {k: _wide(v) for k, v in params.items()}
        out = e.primitive.bind(*map(_typed, came, e.invars), **e.primitive.get_bind_params(wide))
        return list(out) if e.primitive.multiple_results else [out]

    return run


def _while(e: JaxprEqn, came: Sequence[Any]) -> list[Any]:
    tests, rounds = e.params["cond_nconsts"], e.params["body_nconsts"]
    test, round_ = lifted(e.params["cond_jaxpr"]), lifted(e.params["body_jaxpr"])
    first, second, start = came[:tests], came[tests : tests + rounds], came[tests + rounds :]
    start = [_as(v, a.dtype) for v, a in zip(start, e.params["body_jaxpr"].out_avals, strict=True)]
    return list(jax.lax.while_loop(lambda c: test(*first, *c)[0], lambda c: tuple(round_(*second, *c)), tuple(start)))


def _linear_solve(e: JaxprEqn, came: Sequence[Any]) -> list[Any]:
    """The solution x of a linear system A x = b, and its derivative by A and b: from programs for A x and for x."""
    lengths, jaxprs, start, parts = e.params["const_lengths"], e.params["jaxprs"], 0, {}
    for name, traced in jaxprs._asdict().items():
        length = getattr(lengths, name)
        constants = came[start : start + length]
        if "solve" in name:
            constants = list(map(jax.lax.stop_gradient, constants))  # how x is found changes nothing of what it is
        parts[name] = traced and _with(lifted(traced), constants)
        start += length
    matvec, solve, transposed = parts["matvec"], parts["solve"], parts["transpose_solve"]
    return jax.lax.custom_linear_solve(
        matvec,
        list(came[start:]),
        lambda _, b: solve(b),
        transposed and (lambda _, b: transposed(b)),
        symmetric=parts["vecmat"] is parts["matvec"],
    )


def _with(f: Callable[..., list[Any]], constants: Sequence[Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda arrays: f(*constants, *arrays)


def _typed(value: Any, variable: Any) -> Any:
    """A value as the equation has it: whole numbers in their own width, floats in 64 bits."""
    dtype = getattr(variable.aval, "dtype", None)
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.prng_key) or jnp.issubdtype(dtype, jnp.floating):
        return double(value)
    return jnp.asarray(value).astype(dtype)


def _as(value: Any, dtype: Any) -> Any:
    return double(value) if jnp.issubdtype(dtype, jnp.floating) else jnp.asarray(value, dtype)


def _wide(param: Any) -> Any:
    """A parameter of a primitive in which float types of fewer bits are that of 64: a type, or a small program."""
    if isinstance(param, ClosedJaxpr):
        shapes = [jax.ShapeDtypeStruct(a.shape, _wide(a.dtype)) for a in param.in_avals]
        return jax.make_jaxpr(lifted(param))(*shapes)
    if isinstance(param, Jaxpr):
        return _wide(ClosedJaxpr(param, ())).jaxpr
    if isinstance(param, np.dtype | type):
        return np.dtype("float64") if jnp.issubdtype(param, jnp.floating) else param
    if isinstance(param, tuple) and hasattr(param, "_fields"):
        return type(param)(*map(_wide, param))
    return param


def values_and_gradients(
    traced: ClosedJaxpr, arguments: Sequence[Any], wanted: frozenset[Key], derived: frozenset[Key]
) -> tuple[dict[Key, np.ndarray], dict[Key, np.ndarray]]:
    """Values of variables, and the gradients of the first output by those of ``derived``: autodiff of the same program.

    The gradient by a variable is that by a zero that is added to it.
    """

    def run(taps: Mapping[Key, Any], arguments: Sequence[Any]) -> tuple[Any, dict[Key, Any]]:
        tapped = Tapped(taps, wanted | derived)
        out = tapped.run(traced, [tapped.tap((-1, i), v) for i, v in enumerate(arguments)])
        return jnp.sum(out[0]).astype(jnp.float64), tapped.values

    taps = {k: np.zeros(shape) for k, shape in _spaces(traced) if k in derived}
    taps |= {(-1, i): np.zeros(v.aval.shape) for i, v in enumerate(traced.jaxpr.invars) if (-1, i) in derived}
    with jax.enable_x64(True):
        arguments = [double(a) for a in arguments]
        try:
            lowered = jax.jit(jax.grad(run, has_aux=True)).lower(taps, arguments)
        except (ValueError, NotImplementedError) as e:
            remedy = (
                "A loop whose number of rounds is not known has no gradient: use jax.lax.scan, or a fixed fori_loop."
                if isinstance(e, ValueError)
                else "Put jax.lax.stop_gradient around what it is given."
            )
            raise CannotExplain(
                f"Autodiff cannot go backward through this program: {str(e).splitlines()[0]} {remedy}"
            ) from e
        gradients, values = map(_numpy, lowered.compile(compiler_options=_ONCE)(taps, arguments))
        if not all(np.isfinite(v).all() for v in (*gradients.values(), *values.values())):
            gradients, values = map(_numpy, lowered.compile()(taps, arguments))  # the quick compiler may be at fault
        return values, gradients


_ONCE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}
"""For a program that runs once: compiled a few times faster, and slower when it runs."""


def _spaces(traced: ClosedJaxpr, key: Key = (), loops: tuple[int, ...] = ()) -> Iterator[tuple[Key, tuple[int, ...]]]:
    """The keys of the variables that ``Tapped`` meets and that have a gradient, with their shapes, loops first."""
    for i, e in enumerate(traced.jaxpr.eqns):
        here = (*key, i)
        inner = called(e)
        if inner is not None:
            yield from _spaces(inner, here, loops)
        elif e.primitive.name == "scan":
            inner, fixed, carried = e.params["jaxpr"], e.params["num_consts"], e.params["num_carry"]
            inside = (*loops, e.params["length"])
            carries = inner.jaxpr.invars[fixed : fixed + carried]
            yield from (((*here, -1, j), (*inside, *v.aval.shape)) for j, v in enumerate(carries) if _smooth(v))
            yield from _spaces(inner, here, inside)
        yield from (((*here, k), (*loops, *v.aval.shape)) for k, v in enumerate(e.outvars) if _smooth(v))


def _smooth(variable: Any) -> bool:
    dtype = getattr(variable.aval, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating)


def _numpy(values: Mapping[Key, Any]) -> dict[Key, np.ndarray]:
    keys = [k for k, v in values.items() if not is_key(v)]
    return {k: np.asarray(values[k]) for k in keys}
