"""A graph against the program that it was lifted from: every value, and every gradient by autodiff, in float64."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import numpy as np

from chainrule.equations.derivation.backward import Backward, backward
from chainrule.equations.derivation.merge import merged
from chainrule.trace.evaluate import evaluate, full
from chainrule.trace.float64 import double, values_and_gradients
from chainrule.trace.graph import Graph, Node, View, reachable, whole
from chainrule.trace.lift import lift, named_functions
from chainrule.trace.magnitude import magnitude
from chainrule.trace.program import program

TOLERANCE = 1e-9


@dataclass
class Report:
    """What was compared, and what was wrong."""

    graph: Graph
    forward: list[Node] = field(default_factory=list)
    gradients: list[Node] = field(default_factory=list)
    """Nodes whose value, and by which the gradient, was compared."""
    faults: list[str] = field(default_factory=list)
    by_input: dict[str, np.ndarray] = field(default_factory=dict)
    """The graph's gradient by each input."""

    def names(self, op: str = "") -> set[str]:
        """The names of the functions in the forward pass."""
        return {n.name or n.op for n in reachable(self.graph.outputs, self.graph.links) if op in ("", n.op)}

    def expect(self, gradients: int = 1) -> "Report":
        """Fail unless all is right and enough was compared."""
        assert not self.faults, "\n".join(self.faults)
        assert self.forward and len(self.gradients) >= gradients
        return self


def check(f, *args, wrt: Sequence[int] = (0,), opaque: Sequence[str] = (), merge: bool = False) -> Report:
    """Compare everything; ``opaque`` names operations that may be without a rule; ``merge`` makes equal nodes one."""
    traced = program(f, *args)
    graph = lift(traced.traced, traced.inputs)
    graph = named_functions(merged(graph)) if merge else graph
    leaves = jax.tree.leaves(args)
    chosen = [n for n in graph.inputs if n.kind == "float" and int(n.name.split("[")[0].split(".")[0]) in wrt]
    back = backward(graph, chosen)
    report = Report(graph)
    order = reachable(graph.outputs, graph.links)
    unknown = {n.name for n in order if n.op == "opaque"} - set(opaque)
    if unknown:
        report.faults.append(f"no rule for {unknown}")
    wanted = {key: n for n, (key, _) in graph.traced.items() if n.kind != "key"}
    derived = {k for n in (*back.delta, *chosen) for k, _ in variables(graph, n)}
    values, slopes = values_and_gradients(traced.traced, leaves, frozenset(wanted), frozenset(derived))
    known = {
        n: of_node(values[key], graph.traced[n][1])
        for key, n in wanted.items()
        if n.op in ("input", "carry", "drawn") and key in values
    }
    found = evaluate(order, known)
    scales: dict[Node, np.ndarray] = {}
    for node in order:
        scales[node] = magnitude(whole(node), found, scales)
        key, view = graph.traced.get(node, ((), None))
        if key in values and view is not None and node.op not in ("input", "carry", "drawn"):
            report.forward.append(node)
            compare(report, f"value of {node!r}", found[node], of_node(values[key], view), scales[node])
    report.forward.append(graph.outputs[0].node)
    _compare_gradients(report, back, found, slopes)
    for node in chosen:
        expected = slopes[graph.traced[node][0]]
        report.by_input[node.name] = full(back.delta[node], found) if node in back.delta else np.zeros(node.shape)
        if node not in back.delta and expected.any():
            report.faults.append(f"gradient by {node.name}: none")
    return report


def _compare_gradients(report: Report, back: Backward, found: dict, slopes: dict) -> None:
    graph = report.graph
    for carry, after in back.after.items():  # a loop's gradients come from autodiff, step by step
        start = after.args[0]
        found |= evaluate(reachable([start], {}), found)
        key, view = graph.traced[carry]
        found[after] = shifted(of_node(slopes[key], view), full(start, found), carry.axes[0], after.reverse)
    parts = [v for contributions in back.parts.values() for _, v in contributions]
    found |= evaluate(reachable([*back.delta.values(), *parts], {}), found)
    scales: dict[Node, np.ndarray] = {}
    for node, delta in back.delta.items():
        scale = max(magnitude(v, found, scales).max(initial=0.0) for _, v in back.parts[node])
        scales[delta.node] = np.maximum(np.full(delta.node.shape, scale), scales.get(delta.node, 0.0))
        found_at = variables(graph, node)
        if found_at and all(key in slopes for key, _ in found_at):
            report.gradients.append(node)
            expected = np.sum([summed(slopes[key], view) for key, view in found_at], axis=0)
            compare(report, f"gradient by {node!r}", full(delta, found), expected, scale)


def variables(graph: Graph, node: Node) -> tuple[tuple[tuple[int, ...], View], ...]:
    """The variables of the program that a node is, each with its key."""
    return (graph.traced[node], *graph.twins.get(node, ())) if node in graph.traced else ()


def compare(report: Report, what: str, got: np.ndarray, expected: np.ndarray, scale: np.ndarray | float) -> None:
    """Note a difference that is large beside a scale, or a value that is not finite in one only."""
    if got.shape != expected.shape:
        report.faults.append(f"{what}: shape {got.shape} for {expected.shape}")
        return
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    finite = np.isfinite(expected)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        report.faults.append(f"{what}: not finite at other places")
        return
    error = np.abs(got[finite] - expected[finite]).max(initial=0.0) / max(np.max(scale, initial=0.0), 1e-300)
    if not error <= TOLERANCE:
        report.faults.append(f"{what}: {error:.1e}")


def of_node(array: np.ndarray, view: View) -> np.ndarray:
    """The value of a node from the variable of the program that it is, which may repeat it."""
    places = view.plain or ()
    array = array[tuple(slice(None) if p in places else 0 for p in range(array.ndim))]
    return array.transpose([sorted(places).index(p) for p in places])


def summed(array: np.ndarray, view: View) -> np.ndarray:
    """The gradient by a node from that by a variable that may repeat it."""
    places = view.plain or ()
    array = array.sum(tuple(p for p in range(array.ndim) if p not in places))
    return array.transpose([sorted(places).index(p) for p in places])


def shifted(values: np.ndarray, start: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    """The values one step before along an axis, or after, with ``start`` where there is none."""
    start = np.expand_dims(start, axis)
    inner = np.moveaxis(values, axis, 0)
    inner = np.moveaxis(inner[1:] if reverse else inner[:-1], 0, axis)
    return np.concatenate([inner, start] if reverse else [start, inner], axis)


def autodiff(f, p, *rest):
    """The gradients by the first argument, by JAX alone, in float64."""
    with jax.enable_x64(True):
        p, *rest = jax.tree.map(double, [p, *rest])
        return jax.tree.map(np.asarray, jax.jit(jax.grad(f))(p, *rest))
