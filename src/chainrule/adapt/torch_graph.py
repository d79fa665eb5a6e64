"""A module that PyTorch has exported, as steps that JAX computes: one for each operation of the graph."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import BuiltinFunctionType
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.adapt.aten import operation
from chainrule.errors import ChainruleError, DesignError, ShapeError

_PLACEMENT = {"device", "layout", "pin_memory", "memory_format", "non_blocking"}
"""Arguments that say where numbers lie, not what they are."""
_RANDOM = {"native_dropout", "bernoulli", "rand", "randn", "randint", "normal", "rand_like", "randn_like", "randperm"}
_CHECKS = ("_assert", "sym_constrain")
"""How operations begin that only check sizes."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operation: the value called ``name`` is ``function(*args, **kwargs)``, nodes among these being values."""

    name: str
    operation: str
    function: Callable[..., Any]
    args: Any
    kwargs: Any
    place: str
    """The module that computes it, as chains name their layers: ``encoder:Sequential/0:Linear``."""


@dataclass(frozen=True, eq=False)
class Input:
    """One input: its name in the graph and, for each axis, its length or the bounds of a free one."""

    name: str
    axes: tuple[tuple[int, Any], ...] | None
    """None for an input that is not an array."""

    def take(self, value: Any) -> Any:
        """The value as an array, refused when the export does not cover its shape."""
        if self.axes is None:
            return value
        array = jnp.asarray(value)
        fits = len(array.shape) == len(self.axes)
        if not fits or not all(low <= n <= high for n, (low, high) in zip(array.shape, self.axes, strict=True)):
            shape = ", ".join(str(low) if low == high else "any" if low == 0 else f">={low}" for low, high in self.axes)
            raise ShapeError(
                f"The module was exported for an input {self.name!r} of shape ({shape}), and one of shape "
                f"{array.shape} came. Reshape it, or adapt the module again on an example of this shape; the number "
                "of rows stays free when the example has two or more and the module's forward does not fix it."
            )
        return array


def inputs_of(exported: Any) -> list[Input]:
    """What the user hands in, in the order of the graph."""
    meta = {node.name: node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder"}
    names = [spec.arg.name for spec in exported.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    bounds = exported.range_constraints
    return [
        Input(name, tuple(_axis(n, bounds) for n in meta[name].shape) if hasattr(meta.get(name), "shape") else None)
        for name in names
    ]


def _axis(length: Any, bounds: Any) -> tuple[int, Any]:
    """The least and the greatest length. PyTorch never leaves 0 and 1 free by name, but the graph holds for them."""
    if isinstance(length, int):
        return length, length
    free = bounds.get(length.node.expr)
    if free is None:  # such as twice a free length: only the example's own is known to fit
        return length.node.hint, length.node.hint
    return 0 if free.lower <= 2 else int(free.lower), free.upper


def outputs_of(exported: Any) -> list[Any]:
    """The nodes (or plain values) that the module returns, without those that write to buffers."""
    (values,) = next(node.args for node in exported.graph.nodes if node.op == "output")
    specs = exported.graph_signature.output_specs
    return [v for v, spec in zip(values, specs, strict=True) if spec.kind.name == "USER_OUTPUT"]


def steps_of(exported: Any, module: Any) -> list[Step]:
    """The operations of the graph; all that are unknown are refused at once."""
    nodes = [node for node in exported.graph.nodes if node.op == "call_function"]
    steps = [_step(node, module) for node in nodes if not _name(node).startswith(_CHECKS)]
    unknown = [s for s in steps if s.function is _unknown]
    if unknown:
        raise _refused(unknown, module)
    return steps


def _name(node: Any) -> str:
    return str(node.target).removeprefix("aten.")


def _unknown() -> None:
    """Stands for what has no meaning yet."""


def _step(node: Any, module: Any) -> Step:
    name = _name(node)
    plain = isinstance(node.target, BuiltinFunctionType)  # arithmetic of sizes, and choosing from several results
    function = node.target if plain else operation(name) or _unknown
    kwargs = {key: value for key, value in node.kwargs.items() if key not in _PLACEMENT}
    return Step(node.name, name, function, node.args, kwargs, _place(node, module))


def _place(node: Any, module: Any) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = re.sub(r"@\d+", "", stack[-1][0]) if stack else ""  # "layer@1": the second call of one module
    parts, found = path.split("."), []
    for k, part in enumerate(parts):
        try:
            inner = module.get_submodule(".".join(parts[: k + 1]))
        except AttributeError:  # PyTorch's own marks are no modules
            return ""
        found.append(f"{part}:{type(inner).__name__}")
    return "/".join(found) if path else ""


def _refused(unknown: Sequence[Step], module: Any) -> DesignError:
    step = unknown[0]
    where = f"{step.place} of {type(module).__name__}" if step.place else type(module).__name__
    short = step.operation.removesuffix(".default")
    if short.partition(".")[0] in _RANDOM:
        return DesignError(
            f"{where} draws random numbers (aten.{step.operation}) in eval mode too, and a network is a function of "
            "its parameters and inputs. Hand the noise in as an input, or drop out only `if self.training`."
        )
    others = sorted({s.operation for s in unknown} - {step.operation})
    return DesignError(
        f"{where} computes aten.{step.operation}, which has no line in chainrule.adapt.aten"
        + (f" (nor have {', '.join(others)})" if others else "")
        + ". Write that part of forward with other operations, or add the line: "
        f'chainrule.adapt.aten.OPERATIONS["{short}"] = a function of JAX arrays that takes PyTorch\'s arguments.'
    )


def compute(steps: Sequence[Step], values: dict[str, Any]) -> None:
    """Compute each step and put it into ``values``, under the name of its module in traces."""
    for step in steps:
        args, kwargs = known(step.args, values), known(step.kwargs, values)
        with jax.named_scope(step.place):
            try:
                values[step.name] = step.function(*args, **kwargs)
            except ChainruleError:
                raise
            except (TypeError, ValueError, IndexError, NotImplementedError) as error:
                raise DesignError(
                    f"{step.place or 'The module'} computes aten.{step.operation}, which chainrule.adapt.aten could "
                    f"not do with these arguments: {error}"
                ) from error


def known(arguments: Any, values: dict[str, Any]) -> Any:
    """Arguments with the values of nodes, and with dtypes as JAX's."""
    fx, dtype = import_module("torch.fx"), import_module("torch").dtype

    def value(a: Any) -> Any:
        if isinstance(a, fx.Node):
            return values[a.name]
        if isinstance(a, dtype):
            return jax.dtypes.canonicalize_dtype(jnp.dtype(str(a).removeprefix("torch.")))
        return a

    return fx.node.map_aggregate(arguments, value)
