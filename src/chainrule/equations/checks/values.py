"""The numbers at which lines are checked: the program's own, by autodiff in double precision, away from kinks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.derivation.traces import Derived, with_rows
from chainrule.trace.evaluate import evaluate, full
from chainrule.trace.float64 import double, values_and_gradients
from chainrule.trace.graph import Node, View, reachable
from chainrule.trace.program import is_key


@dataclass(frozen=True, eq=False)
class Values:
    """Values of nodes: what the graph computes, and what the program itself has."""

    graph: dict[Node, np.ndarray]
    program: dict[Node, np.ndarray]
    """Forward values of nodes that are variables of the program."""
    gradient: dict[Node, np.ndarray]
    """Autodiff's gradient by nodes that are variables of the program."""


def arguments(derivation: Derivation, derived: Derived, seed: int | None = 0) -> list[Any]:
    """The inputs of a program: the subject's own, each number moved a little so that none sits on a kink.

    Zeros become small positive numbers; whole numbers, and all numbers when seed is None, stay as they are.
    """
    subject = derivation.subject
    rng = np.random.default_rng(seed)

    def taken(a: Any) -> Any:
        if derived.rows is None or is_key(a):
            return a
        return np.asarray(a)[np.arange(derived.rows) % len(a)]

    def moved(a: Any) -> Any:
        if is_key(a):
            return a
        a = np.asarray(a)
        if seed is None or not np.issubdtype(a.dtype, np.floating):
            return a
        a = a.astype(np.float64)
        scale = np.abs(a).mean() if a.size and np.abs(a).mean() > 0 else 1.0
        noise = rng.uniform(0.02, 0.1, a.shape)
        sign = -1 if np.all((a >= 0) & (a <= 1)) else rng.choice([-1, 1], a.shape)  # shares stay shares
        return np.where(a == 0, scale * noise, a * (1 + noise * sign))

    return [moved(a) for a in jax.tree.leaves((subject.params, *with_rows(subject, taken, lambda a: a)))]


def checked_values(derived: Derived, lines: Collection[Node], inputs: list[Any]) -> Values:
    """Values of everything from the graph, and from the program for those of ``lines`` that are variables of it."""
    graph, backward = derived.graph, derived.backward
    needed = [n for n in graph.traced if n in lines or n.op in ("carry", "drawn", "opaque", "input")]
    wanted = {graph.traced[n][0]: n for n in needed if n.kind != "key"}
    derivable = {
        n: [graph.traced[n], *graph.twins.get(n, ())] for n in needed if n.kind == "float" and n in backward.delta
    }
    keys = frozenset(k for variables in derivable.values() for k, _ in variables)
    raw, slopes = values_and_gradients(derived.program.traced, inputs, frozenset(wanted), keys)
    program = {n: _of_node(raw[k], graph.traced[n][1]) for k, n in wanted.items() if k in raw}
    gradient = {
        n: np.sum([_summed(slopes[k], view) for k, view in variables], axis=0)
        for n, variables in derivable.items()
        if all(k in slopes for k, _ in variables)
    }
    known: dict[Node, Any] = {n: a for n, a in zip(graph.inputs, inputs, strict=True) if n.kind == "key"}
    known |= {n: v for n, v in program.items() if n.op in ("input", "carry", "drawn", "opaque")}
    values = evaluate(reachable(graph.outputs, graph.links), known)
    for carry, back in backward.after.items():
        values = evaluate(reachable([back.args[0]], {}), values)
        values[back] = shifted(gradient[carry], full(back.args[0], values), carry.axes[0], back.reverse)
    values = evaluate(reachable(backward.delta.values(), {}), values)
    return Values(values, program, gradient)


def program_values(derived: Derived, lines: Collection[Node], inputs: list[Any]) -> dict[Node, np.ndarray]:
    """The values of those of ``lines`` that are variables of the program, as the program computes them."""
    traced = derived.graph.traced
    wanted = {traced[n][0]: n for n in lines if n in traced and n.kind != "key"}
    found, _ = values_and_gradients(derived.program.traced, inputs, frozenset(wanted), frozenset())
    return {n: _of_node(found[k], traced[n][1]) for k, n in wanted.items() if k in found}


def graph_values(derived: Derived, inputs: list[Any]) -> dict[Node, np.ndarray]:
    """Values of a graph without loops, from its inputs alone."""
    with jax.enable_x64(True):
        known: dict[Node, Any] = {
            n: a if n.kind == "key" else np.asarray(double(a))
            for n, a in zip(derived.graph.inputs, inputs, strict=True)
        }
    return evaluate(derived.order, known)


def shifted(values: np.ndarray, start: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    """The values at the step before along an axis, ``start`` at the first step; reverse: after, at the last."""
    start = np.expand_dims(start, axis)
    inner = [slice(None)] * values.ndim
    inner[axis] = slice(1, None) if reverse else slice(None, -1)
    pieces = [values[tuple(inner)], start] if reverse else [start, values[tuple(inner)]]
    return np.concatenate(pieces, axis)


def _of_node(array: np.ndarray, view: View) -> np.ndarray:
    """The value of a node from the variable of the program that it is."""
    places = view.plain or ()
    array = array[tuple(slice(None) if p in places else 0 for p in range(array.ndim))]
    order = sorted(places)
    return array.transpose([order.index(p) for p in places])


def _summed(array: np.ndarray, view: View) -> np.ndarray:
    """The gradient by a node from that by a variable that may repeat it."""
    places = view.plain or ()
    array = array.sum(tuple(p for p in range(array.ndim) if p not in places))
    order = sorted(places)
    return array.transpose([order.index(p) for p in places])
