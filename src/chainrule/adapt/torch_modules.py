"""PyTorch modules: exported as a graph of core operations, each of which has a line in the table of ``aten``."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.adapt.aten import operation
from chainrule.adapt.names import at, nested, paths
from chainrule.adapt.torch_graph import compute, inputs_of, known, outputs_of, steps_of
from chainrule.errors import DesignError, ShapeError
from chainrule.trace.model import Model


def torch(module: Any, x: Any) -> Model:
    """A PyTorch module in eval mode as a function of its parameters.

    ``x`` is an example of its input, or a tuple of examples when ``forward`` takes several: tensors, NumPy or JAX
    arrays. With two rows or more, the number of rows stays free if the module allows it. ``params`` is nested as the
    module names its parameters: "layer1.0.weight" is ``params["layer1"]["0"]["weight"]``. Buffers keep the values
    that they have now.

    Errors
        DesignError when the module cannot be exported, or does something that has no line in ``adapt.aten``;
        ShapeError when it is applied to an input that the export does not cover
    """
    library = import_module("torch")  # imported by name: type checks pass where PyTorch is absent
    if not isinstance(module, library.nn.Module):
        raise DesignError(f"cr.adapt.torch takes a torch.nn.Module, and {type(module).__name__} came: {module!r}.")
    several = isinstance(x, tuple)
    example = _mapped(lambda a: _tensor(a, module), x if several else (x,))
    exported = _exported(module, example)
    own = dict(module.named_parameters())
    place = dict(zip(own, paths(list(own), "."), strict=True))
    parameters = {node: place[name] for node, name in _parameters(exported, module).items()}
    constants, steps = _constants(exported), steps_of(exported, module)
    inputs, outputs = inputs_of(exported), outputs_of(exported)
    structure = exported.call_spec.out_spec

    def apply(params: Any, x: Any) -> Any:
        given = _leaves(x if several else (x,), example)
        values = {**constants, **{node: at(params, path) for node, path in parameters.items()}}
        values |= {i.name: i.take(leaf) for i, leaf in zip(inputs, given, strict=True)}
        compute(steps, values)
        return _mapped(lambda y: y, structure.unflatten(known(outputs, values)))

    params = nested(list(place.values()), [_array(p) for p in own.values()])
    arrays = _mapped(lambda a: _array(a) if isinstance(a, library.Tensor) else a, example)
    jax.eval_shape(lambda params: apply(params, arrays if several else arrays[0]), params)  # refuses now, not later
    return Model(apply, params, f"PyTorch {type(module).__name__}")


def _exported(module: Any, example: tuple[Any, ...]) -> Any:
    """The graph of the module in eval mode, written with what ``aten`` knows as far as possible."""
    export = import_module("torch.export")
    shapes = export.ShapesCollection()
    for tensor in {id(a): a for a in _leaves(example, example) if getattr(a, "ndim", 0)}.values():
        if tensor.shape[0] > 1:
            shapes[tensor] = {0: export.Dim.AUTO}
    table = export.default_decompositions()
    for op in list(table.keys()):
        if operation(str(op).removeprefix("aten.")):
            del table[op]
    with _exact(module), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they speak of PyTorch's own insides
        try:
            exported = export.export(module, example, dynamic_shapes=shapes)
            _stop_gradients(exported.graph)
            return exported.run_decompositions(table)
        except Exception as error:  # PyTorch raises many kinds
            said = " ".join(str(error).split())[:300].rstrip(".")
            raise DesignError(
                f"torch.export could not turn {type(module).__name__} into a graph: {said}. Check that "
                "module(x) runs on this example; branches that depend on values must be written with torch.where."
            ) from error


def _stop_gradients(graph: Any) -> None:
    """Detach what is computed under ``torch.no_grad()``, which decompositions forget."""
    detach = import_module("torch").ops.aten.detach.default
    for block in graph.nodes:
        if str(block.target) != "wrap_with_set_grad_enabled" or block.args[0]:
            continue
        for result in list(block.users):  # each chooses one of the block's results
            with graph.inserting_after(result):
                stopped = graph.call_function(detach, (result,))
            stopped.meta = dict(result.meta)
            result.replace_all_uses_with(stopped, delete_user_cb=lambda user, stopped=stopped: user is not stopped)


@contextlib.contextmanager
def _exact(module: Any) -> Iterator[None]:
    """Eval mode, and afterwards each part in the mode that it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _parameters(exported: Any, module: Any) -> dict[str, str]:
    """The name of the parameter that each node is; one that has several names (tied weights) goes by the first."""
    first = {id(p): name for name, p in module.named_parameters()}
    names = {name: first[id(p)] for name, p in module.named_parameters(remove_duplicate=False)}
    return {node: names[name] for node, name in exported.graph_signature.inputs_to_parameters.items()}


def _constants(exported: Any) -> dict[str, Any]:
    """The buffers, and the tensors that are written in ``forward``, by node."""
    held = {**exported.state_dict, **exported.constants}
    specs = exported.graph_signature.input_specs
    kinds = ("BUFFER", "CONSTANT_TENSOR")
    return {spec.arg.name: _array(held[spec.target]) for spec in specs if spec.kind.name in kinds}


def _tensor(a: Any, module: Any) -> Any:
    """An example as a tensor: numbers of the dtype of the module's parameters, on their device."""
    library = import_module("torch")
    if a is None or isinstance(a, library.Tensor | bool | int | float | str):
        return a
    array = np.array(a)
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = library.get_default_dtype() if first is None else first.dtype
    dtype = dtype if array.dtype.kind == "f" else library.bool if array.dtype.kind == "b" else library.int64
    return library.tensor(array, dtype=dtype, device=None if first is None else first.device)


def _array(tensor: Any) -> jax.Array:
    """A tensor as an array of its own, which later steps of PyTorch's training do not change."""
    here = tensor.detach().cpu()
    if str(here.dtype) == "torch.bfloat16":  # which NumPy lacks
        return jnp.array(here.float().numpy(), jnp.bfloat16)
    return jnp.array(here.numpy())


def _mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """Tuples, lists and dicts as plain ones, with f applied to what they hold."""
    if isinstance(tree, dict):
        return {key: _mapped(f, value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return (tuple if isinstance(tree, tuple) else list)(_mapped(f, value) for value in tree)
    return f(tree)


def _leaves(tree: Any, like: Any) -> list[Any]:
    """What a tree of inputs holds, in the order of the example: PyTorch reads dicts in the order they were written."""
    if not isinstance(like, dict | tuple | list):
        return [tree]
    keys = like.keys() if isinstance(like, dict) else range(len(like))
    if not isinstance(tree, dict | tuple | list) or len(tree) != len(like):
        raise ShapeError(f"The module was exported for inputs of the form {_form(like)}, and {_form(tree)} came.")
    return [leaf for key in keys for leaf in _leaves(tree[key], like[key])]


def _form(tree: Any) -> Any:
    return str(_mapped(lambda leaf: "...", tree)).replace("'...'", "...")
