"""What cannot work is refused before training: loss and output, widths, starts that never part, memory."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from chainrule.errors import ChainruleError, DataError, DesignError, ShapeError
from chainrule.layers.chain import Chain
from chainrule.layers.layer import Function, Layer, Params, name_of
from chainrule.layers.residual import Residual
from chainrule.maths.losses import CrossEntropy, floor_of_double_softmax
from chainrule.train.descent import Plan
from chainrule.train.roles import param_shapes, roles, trained


def check_network(net: Layer, loss: Any, x: Any, y: Any, targets: int | None, metrics: tuple = ()) -> None:
    """Refuse a network that ``loss`` cannot train; ``x`` and ``y`` are shaped like a batch, ``targets`` counts the
    classes or the columns of y when the loss is one of ours.
    """
    check_starts(net)
    check_last_layer(net, loss, targets)
    with traced(f"The network {net}", x):
        params = param_shapes(net, x)
        z = jax.eval_shape(net, params, x)
    if not jax.tree.leaves(params):
        raise DesignError(f"{net} has no parameters: there is nothing to train. Add a layer such as cr.Dense(units).")
    width = getattr(loss, "width", None)
    if width is not None and targets is not None:
        needed = width(targets)
        if len(z.shape) != 2 or z.shape[1] != needed:
            got = f"{z.shape[1]} outputs" if len(z.shape) == 2 else f"an output of shape {z.shape[1:]} per example"
            what = f"{targets} {'classes' if loss.task == 'classification' else 'target columns'}"
            raise DesignError(
                f"The network ends in {got}, and {loss} on {what} needs {needed}: end it with cr.Dense({needed})."
            )
    for what, f in (("loss", loss), *((f"metric {name}", metric) for name, metric in metrics)):
        check_per_example(f"The {what}" if what != "loss" else f"The loss {getattr(f, '__name__', f)}", f, z, y)


def check_per_example(what: str, f: Callable, z: Any, y: Any) -> None:
    """Refuse a loss or metric that does not give one value per example."""
    with traced(what, (z, y)):
        values = jax.eval_shape(f, z, y)
    shape = getattr(values, "shape", None)
    if shape == y.shape[:1]:
        return
    remedy = "Do not average over the examples; fit takes the weighted mean."
    if shape is not None and len(shape) > 1:
        remedy = f"y arrives with shape {y.shape}: take the mean over the last axis, ((z - y) ** 2).mean(axis=-1)."
    raise DataError(
        f"{what} gave shape {shape} for outputs {z.shape} and targets {y.shape}: one value per example, shape "
        f"{y.shape[:1]}, is expected. {remedy}"
    )


@contextmanager
def traced(what: str, shapes: Any) -> Iterator[None]:
    """Tell in our words why a network, a loss or a metric cannot be compiled."""
    try:
        yield
    except ChainruleError:
        raise
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as e:
        came = jax.tree.map(lambda a: f"{a.dtype}{list(a.shape)}", shapes)
        raise DesignError(
            f"{what} cannot be compiled for {came}: {str(e).splitlines()[0]} Write it with jax.numpy, and without "
            "branches on the values of arrays."
        ) from e


def check_last_layer(net: Layer, loss: Any, classes: int | None) -> None:
    """Refuse softmax or sigmoid before a loss that applies it itself."""
    last = _last(net)
    if getattr(loss, "from_logits", False) and name_of(last) in ("softmax", "log_softmax", "sigmoid"):
        floor = " with both, gradients vanish where the network is wrong."
        if name_of(last) == "softmax" and isinstance(loss, CrossEntropy) and classes:
            floor = (
                f" with both, the loss on {classes} classes cannot fall below {floor_of_double_softmax(classes):.2f} "
                f"(= log(1+{classes - 1}/e))."
            )
        raise DesignError(
            f"{type(net).__name__} ends in {name_of(last)}, and {loss} applies "
            f"{'softmax' if isinstance(loss, CrossEntropy) else 'sigmoid'} itself:{floor} "
            "Delete the last layer; run.predict_proba still gives probabilities."
        )


def check_trained(net: Layer, params: Params, freeze: tuple[str, ...]) -> None:
    """Refuse a training in which every parameter is frozen."""
    if not jax.tree.leaves(trained(params, roles(net, params, freeze))):
        raise DesignError(f"freeze={list(freeze)} leaves no parameter to train. Freeze fewer layers.")


def check_starts(net: Layer) -> None:
    """Refuse a start in which the units of a hidden layer are identical: they would stay so for ever."""
    for part, last in _with_position(net, True):
        draw, units = getattr(part, "draw", None), getattr(part, "units", 1)
        if getattr(draw, "identical", False) and units > 1 and not last:
            raise DesignError(
                f"{part}: a hidden layer that starts with {draw} has {units} identical units; each gets the same "
                "gradient, so they stay identical for ever, and the layer counts as one unit. Take cr.he_normal or "
                "cr.lecun_normal."
            )


def check_params(net: Layer, own: Params, params: Params, members: int) -> None:
    """Refuse given parameters that are not shaped as the network's own, with the members of an ensemble in front."""
    front = (members,) if members > 1 else ()
    wanted = jax.tree.map(lambda p: (*front, *p.shape), own)
    given = jax.tree.map(np.shape, params)
    if given != wanted:
        raise ShapeError(
            f"params has the shapes {given}, and {net}{f' with {members} members' if front else ''} has {wanted}. "
            "Take them from a run of the same network, run.params, or draw them with net.init(key, x)."
        )
    if not all(np.isfinite(p).all() for p in jax.tree.leaves(params)):
        raise DataError("params holds numbers that are not finite. Start from finite ones.")


def check_memory(plan: Plan, params: Params) -> None:
    """Refuse a training that the memory of this machine cannot hold: parameters, gradients and what is kept of them."""
    leaves = jax.tree.leaves(params)
    count = sum(math.prod(p.shape) for p in leaves)
    copies = 4 + plan.averaged + plan.stops_early  # parameters, gradient, and two that Adam remembers
    needed = plan.members * copies * sum(math.prod(p.shape) * p.dtype.itemsize for p in leaves)
    free = memory_available()
    if free is not None and needed > free:
        many = f"{plan.members} networks of " if plan.members > 1 else ""
        raise DesignError(
            f"{many}{count:,} parameters: with gradients and the optimizer's memory training needs about "
            f"{needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free. Make the network narrower; "
            "cr.summary(net, x) shows where the parameters are."
        )


def memory_available() -> int | None:
    """Bytes of memory that are free, where the system says so."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def _last(net: Layer) -> Layer:
    return _last(net.parts[-1]) if isinstance(net, Chain) and net.parts else net


def _with_position(net: Layer, last: bool) -> Iterator[tuple[Layer, bool]]:
    yield net, last
    serial = isinstance(net, Chain)
    inside = last or isinstance(net, Residual)
    ends = [i for i, part in enumerate(net.parts) if not isinstance(part, Function)]
    for i, part in enumerate(net.parts):
        yield from _with_position(part, inside and (not serial or i == ends[-1]) if ends else inside)
