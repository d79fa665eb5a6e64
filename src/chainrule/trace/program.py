"""A function as the list of equations that JAX traces: what other rooms read instead of source code."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from chainrule.errors import DesignError


@dataclass(frozen=True, eq=False)
class Program:
    """A traced function: its equations, the names of its inputs (``0['W']``) and the shapes of its outputs."""

    traced: ClosedJaxpr
    inputs: tuple[str, ...]
    outputs: Any


@functools.singledispatch
def program(obj: Any, *args: Any) -> Program:
    """Trace a function at ``args``, arrays or shapes. Other kinds of model enter by ``program.register``.

    >>> import jax.numpy as jnp
    >>> [e.primitive.name for e in program(lambda x: jnp.exp(-x), jnp.ones(3)).traced.jaxpr.eqns]
    ['neg', 'exp']
    """
    if not callable(obj):
        raise DesignError(f"Only functions and models can be traced, and {obj!r} of type {type(obj).__name__} came.")
    traced, outputs = jax.make_jaxpr(obj, return_shape=True)(*args)
    leaves = jax.tree_util.tree_leaves_with_path(args)
    return Program(traced, tuple(f"{path[0].idx}{jax.tree_util.keystr(path[1:])}" for path, _ in leaves), outputs)


_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_LOOPS = ("scan", "while", "cond")


def body(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The program that an equation calls once on its own inputs (jit, custom derivatives, checkpoint), if any."""
    if equation.primitive.name in _LOOPS:
        return None
    for name in _BODIES:
        inner = equation.params.get(name)
        if inner is not None:
            return inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
    return None


def apply(equation: JaxprEqn, values: Sequence[Any]) -> list[Any]:
    """The values of an equation's outputs for the values of its inputs."""
    primitive = equation.primitive
    with equation.ctx.manager:
        out = primitive.bind(*values, **primitive.get_bind_params(equation.params))
    return list(out) if primitive.multiple_results else [out]


def function_name(equation: JaxprEqn) -> str:
    """The name of the function that an equation calls: ``relu``; "" for a primitive."""
    return str(equation.params.get("name", "")) if body(equation) is not None else ""


def place(equation: JaxprEqn) -> str:
    """The layer in which an equation stands, as containers name it: ``2:Residual/0:Dense``; "" outside of layers."""
    return "/".join(re.findall(r"\w+:[^/()]+", str(equation.source_info.name_stack)))


def scope(equation: JaxprEqn) -> str:
    """The layer in which an equation stands: as our containers name it, else by the named scopes of other libraries."""
    return place(equation) or "/".join(re.findall(r"[\w.\[\]]+(?![\w.\[\]]*\()", str(equation.source_info.name_stack)))


def is_key(array: Any) -> bool:
    """Whether an array holds keys of random numbers."""
    return jnp.issubdtype(getattr(array, "dtype", np.float32), jax.dtypes.prng_key)


def literals(traced: ClosedJaxpr) -> Iterator[float]:
    """The numbers that are written in a program."""
    for e in traced.jaxpr.eqns:
        yield from (float(v.val) for v in e.invars if isinstance(v, Literal) and np.isrealobj(v.val))
        inner = body(e)
        if inner is not None:
            yield from literals(inner)
