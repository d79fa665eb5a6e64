"""Summary: a network as a table, before anything is allocated or trained."""

import math
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError
from chainrule.layers.layer import Layer, as_layer, name_of
from chainrule.layers.signal import Flow, flow, given
from chainrule.trace.cost import cost
from chainrule.trace.program import program


@dataclass(frozen=True)
class Row:
    """One layer: sizes, cost per example, and the predicted sizes of its signal and its gradient at the start."""

    place: str
    """Its name from the outside in: "1:Residual/0:Dense"."""
    shape: Any
    parameters: int
    flops: int
    """Forward, per example."""
    bytes: int
    """Of its output, per example."""
    signal: float | None
    """Variance of its output; None where no law is known and it could not be measured."""
    gradient: float | None
    """Variance of dL/dy at its output, when it is 1 at the network's output."""
    measured: bool
    """Whether signal and gradient were measured on random numbers, for want of a law."""


@dataclass(frozen=True)
class Summary:
    """The rows of a network's table and its totals; printing shows them."""

    rows: tuple[Row, ...]
    parameters: int
    parameter_bytes: int
    flops: int
    """Forward, per example."""
    training_flops: int
    """Forward and backward, per example, counted in the program of the gradient."""
    kept_bytes: int
    """What the backward pass keeps of the forward pass, per example."""
    notes: tuple[str, ...]

    def memory(self, batch_size: int, copies: int = 4) -> int:
        """Bytes that training needs: parameters ``copies`` times (themselves, gradient, Adam's two) and the batch."""
        return copies * self.parameter_bytes + batch_size * self.kept_bytes

    def __str__(self) -> str:
        head = ("layer", "output", "parameters", "FLOPs", "bytes", "signal", "gradient")
        table = [head, *map(_cells, self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        totals = [
            f"{self.parameters:,} parameters, {_amount(self.parameter_bytes)}B",
            f"{_amount(self.flops)}FLOPs forward and {_amount(self.training_flops)}FLOPs per training step, "
            "per example",
            f"{_amount(self.memory(32))}B of memory to train in batches of 32 with Adam",
        ]
        if any(row.measured for row in self.rows):
            totals.append("~ measured on random numbers: no law is known for this layer")
        text = [line for note in (*totals, *self.notes) for line in textwrap.wrap(note, 100)]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], "", *text])


def summary(net: Layer | Callable, x: Any) -> Summary:
    """Sizes, cost and predicted signals of a network, for inputs like x.

    ``x`` is an example batch (its own moments are used), a ``jax.ShapeDtypeStruct``, or a shape that starts with the
    number of rows; shapes stand for standard normal inputs. Nothing of the network's size is allocated. Signals are
    those of training, so dropout counts, averaged over draws of the parameters.

    >>> from chainrule.layers.chain import Chain
    >>> from chainrule.layers.dense import Dense
    >>> s = summary(Chain(Dense(64), jnp.tanh, Dense(1)), (32, 10))
    >>> s.parameters, s.flops, [round(row.signal, 2) for row in s.rows]
    (769, 1537, [1.0, 0.39, 0.39])
    """
    net, x = as_layer(net), _example(x)
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x)
    p = jax.eval_shape(net.init, jax.random.key(0), shapes)
    found = flow(net, given(x), shapes)
    walk = list(_walk(net, shapes, found, jax.tree.map(lambda _: 1.0, found.moments), ""))
    rows = [_row(*entry) for entry in walk]
    uncounted = sorted(cost(net, p, shapes).uncounted)
    left_out = (f"FLOPs leave out: {', '.join(uncounted)}.",) if uncounted else ()
    return Summary(
        tuple(rows[1:] or rows),
        _count(p),
        _bytes(p),
        rows[0].flops,
        *_training(net, p, shapes),
        (*left_out, *_notes(rows, walk)),
    )


def _example(x: Any) -> Any:
    if isinstance(x, tuple) and all(isinstance(n, int) for n in x):
        if len(x) < 2:
            raise DesignError(f"summary: the shape {x} has no rows: write {(1, *x)}, rows first and features last.")
        return jax.ShapeDtypeStruct(x, jnp.zeros(()).dtype)
    return jax.tree.map(lambda a: a if isinstance(a, jax.ShapeDtypeStruct) else jnp.asarray(a), x)


def _walk(layer: Layer, x: Any, found: Flow, v: Any, place: str) -> Iterator[tuple[str, Layer, Any, Flow, Any]]:
    """Each layer with its place, input shapes, flow, and the variance of the gradient that arrives at it."""
    yield place, layer, x, found, v
    _, arriving = found.pull(v)
    for i, (f, (into, part), w) in enumerate(zip(layer.parts, found.inner, arriving, strict=False)):
        yield from _walk(f, into, part, w, f"{place}/{i}:{name_of(f)}".lstrip("/"))


def _row(place: str, layer: Layer, x: Any, found: Flow, v: Any) -> Row:
    p = jax.eval_shape(layer.init, jax.random.key(0), x)
    y, rows = jax.eval_shape(layer, p, x), _row_count(x)
    return Row(
        place or name_of(layer),
        jax.tree.map(lambda a: a.shape[1:], y),
        _count(p),
        round(cost(layer, p, x).flops / rows),
        round(_bytes(y) / rows),
        _average([m.variance for m in jax.tree.leaves(found.moments)]),
        _average(jax.tree.leaves(v)),
        found.measured,
    )


def _training(net: Layer, p: Any, x: Any) -> tuple[int, int]:
    """Per example: operations of the gradient's program, and bytes that the backward pass keeps of the forward one."""
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct((max(2, a.shape[0]), *a.shape[1:]), a.dtype), x)
    rows, key = _row_count(x), jax.random.key(0)

    def total(p, x, key):
        return sum(jnp.sum(y) for y in jax.tree.leaves(net.run(p, x, key)[0]))

    def kept(p, x, key):
        return jax.vjp(lambda p: net.run(p, x, key)[0], p)[1]

    jaxpr = program(kept, p, x, key).traced.jaxpr
    first, last = len(jax.tree.leaves(p)), len(jax.tree.leaves((p, x)))
    parameters, batch = jaxpr.invars[:first], jaxpr.invars[first:last]  # parameters are there anyway
    arrays = {id(v): v.aval for v in (*jaxpr.outvars, *batch) if v not in parameters}
    return round(cost(jax.grad(total), p, x, key).flops / rows), round(_bytes(list(arrays.values())) / rows)


def _notes(rows: list[Row], walk: list) -> Iterator[str]:
    """Warn when gradients at the first layer with parameters are far from those at the last hidden one, and say why.

    The output layer is left out: it may start small, or at 0, on purpose, and the first steps make up for it.
    """
    leaves = [row for row, (_, _, _, found, _) in zip(rows, walk, strict=True) if row.parameters and not found.inner]
    leaves, output = leaves[:-1], leaves[-1:]
    if len(leaves) < 2 or leaves[0].gradient is None or not leaves[-1].gradient:
        return
    factors: dict[str, list[float]] = {}
    for place, layer, _, found, v in walk:
        into, out = _average(jax.tree.leaves(found.pull(v)[0])), _average(jax.tree.leaves(v))
        if not found.inner and into and out and place != output[0].place:
            factors.setdefault(name_of(layer), []).append(into / out)
    ratio = math.sqrt(leaves[0].gradient / leaves[-1].gradient)
    if not 1e-3 <= ratio <= 1e3:
        what, remedy = ("explode", "smaller initial weights (lecun_normal)")
        if ratio < 1:
            what, remedy = ("vanish", "he_normal before relu-like functions, tanh or relu instead of sigmoid")
        causes = ", ".join(f"each {name} by {np.exp(np.mean(np.log(f))):.3g}" for name, f in factors.items())
        yield (
            f"Gradients {what}: at {leaves[0].place} they are predicted {ratio:.1e} times the size of those at "
            f"{leaves[-1].place}. On the way back their variance is multiplied: {causes}. Take {remedy}, "
            "LayerNorm before the activations, or Residual blocks."
        )


def _row_count(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]


def _count(tree: Any) -> int:
    return sum(math.prod(a.shape) for a in jax.tree.leaves(tree))


def _bytes(tree: Any) -> int:
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(tree))


def _average(values: list[float]) -> float | None:
    mean = float(np.mean(values)) if values else math.nan
    return mean if math.isfinite(mean) else None


def _cells(row: Row) -> tuple[str, ...]:
    depth = row.place.count("/")
    name = "  " * depth + row.place.rsplit("/", 1)[-1]
    shapes = jax.tree.leaves(row.shape, is_leaf=lambda s: isinstance(s, tuple) and all(isinstance(n, int) for n in s))
    shape = ", ".join("×".join(map(str, s)) or "1" for s in shapes)
    mark = "~" if row.measured else ""
    signal, gradient = ("?" if value is None else f"{value:.2g}" for value in (row.signal, row.gradient))
    return (
        _clipped(name, 26),
        _clipped(shape, 16),
        f"{row.parameters:,}",
        _amount(row.flops),
        _amount(row.bytes),
        mark + signal,
        gradient,
    )


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _amount(count: int) -> str:
    """A count in three digits: ``1.23 M``."""
    power = min(max(0, (len(str(count)) - 1) // 3), 6)
    return f"{count:,} " if not power else f"{count / 1000**power:.3g} {' kMGTPE'[power]}"
