"""The program at several numbers of examples: one form at all of them, and what grows with N."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.equations.derivation.arrange import arranged
from chainrule.equations.derivation.backward import Backward, backward
from chainrule.equations.derivation.merge import merged, merged_gradients
from chainrule.equations.derivation.scales import paired, scales
from chainrule.equations.formula import Number
from chainrule.errors import CannotExplain
from chainrule.trace.forms import same_form
from chainrule.trace.graph import Graph, Node, View, number, reachable
from chainrule.trace.lift import lift
from chainrule.trace.program import Program, is_key, literals, program
from chainrule.trace.subject import Subject

ROWS = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
"""Numbers of examples at which a program is derived and checked: the first two that are no other length in it."""


@dataclass(frozen=True, eq=False)
class Derived:
    """A program at one number of examples: its graph with all gradients."""

    rows: int | None
    program: Program
    backward: Backward
    order: tuple[Node, ...]
    """Inputs, the forward pass and what back-propagation adds, each node after what it is computed from."""

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.backward.graph


@dataclass(frozen=True, eq=False)
class Traces:
    """One form at all numbers of examples, so that N can stand in it; or the program at one number alone."""

    derived: tuple[Derived, ...]
    pairs: dict[Node, Node]
    """Nodes of the first program with those of the second, when there is one."""
    scales: dict[Node, Number]
    """Numbers of the first program that are a multiple of a power of N."""
    notes: tuple[str, ...] = ()


def traces(subject: Subject) -> Traces:
    """The program at two small numbers of examples, if it has one form there and at the number that the data has."""
    own, _ = examples_in(subject)
    if own is None:
        return Traces((at_rows(subject, None),), {}, {})
    given = traced_at(subject, own)
    small = _small(subject, given)
    try:
        first, second = (at_rows(subject, n) for n in small)
    except (TypeError, ValueError):  # the first axis of its data is no axis of examples
        note = "It runs with arrays of the given lengths only, so these stand as numbers where N could."
        return Traces((at_rows(subject, None),), {}, {}, (note,))
    programs = {small[0]: first.program.traced, small[1]: second.program.traced, own: given.traced}
    form = same_form(list(programs.values()), list(programs))
    pairs = paired(first.order, second.order) if form else None
    found = scales(pairs, (small[0], small[1])) if pairs is not None else None
    if pairs is not None and found is not None:
        return Traces((first, second), pairs, found)
    note = f"The program takes another form with other numbers of examples: this is it for N = {own}."
    return Traces((at_rows(subject, own),), {}, {}, (note,))


def at_rows(subject: Subject, rows: int | None) -> Derived:
    """The program at a number of examples (as given when None), with all gradients."""
    traced = traced_at(subject, rows)
    graph = arranged(merged(lift(traced.traced, traced.inputs, _ranges(subject, traced))))
    loss = graph.outputs[0]
    if loss.node.kind not in ("float", "int"):
        raise CannotExplain(f"{subject.title} returns {loss.node.kind} numbers; a loss is a floating-point number.")
    trained = [n for n in graph.inputs if is_trained(subject, n)]
    result = merged_gradients(backward(graph, trained) if one_number(loss) else Backward(graph))
    if one_number(loss):  # what no reader brings a gradient to has the gradient 0, and that is a statement to check
        result.delta.update({n: number(0.0, n.shape) for n in trained if n not in result.delta})
    used = reachable([*result.graph.outputs, *result.delta.values()], result.graph.links)
    order = dict.fromkeys([*result.graph.inputs, *reachable(result.graph.outputs, result.graph.links), *used])
    return Derived(rows, traced, result, tuple(order))


def _ranges(subject: Subject, traced: Program) -> dict[str, tuple[int, int]]:
    """The least and the largest of the whole numbers that each input holds."""
    given = zip(traced.inputs, jax.tree.leaves((subject.params, *subject.data)), strict=True)
    whole = {name: np.asarray(a) for name, a in given if jnp.issubdtype(getattr(a, "dtype", type(a)), jnp.integer)}
    return {name: (int(a.min()), int(a.max())) for name, a in whole.items() if a.size}


def one_number(loss: View) -> bool:
    """Whether a program returns one number, which has gradients."""
    return loss.shape == () and loss.node.kind == "float"


def is_trained(subject: Subject, node: Node) -> bool:
    """Whether the loss is derived by an input."""
    return node.kind == "float" and node.name.startswith("0") and subject.wrt(node.name[1:])


def traced_at(subject: Subject, rows: int | None) -> Program:
    """The program at a number of examples."""
    data = with_rows(subject, lambda a: _shaped(a, rows), lambda a: _shaped(a, None))
    return program(subject.function, jax.tree.map(lambda a: _shaped(a, None), subject.params), *data)


def with_rows(subject: Subject, examples: Callable[[Any], Any], others: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The data with one change of the arrays of examples, and another one of the others."""
    _, which = examples_in(subject)
    leaves, tree = jax.tree.flatten(subject.data)
    which = which or [False] * len(leaves)
    return jax.tree.unflatten(tree, [examples(a) if w else others(a) for a, w in zip(leaves, which, strict=True)])


def _shaped(array: Any, rows: int | None) -> Any:
    if is_key(array):
        return array
    dtype = jax.dtypes.canonicalize_dtype(getattr(array, "dtype", None) or np.result_type(array))
    shape = np.shape(array)
    return jax.ShapeDtypeStruct((rows, *shape[1:]) if rows is not None and shape else shape, dtype)


def examples_in(subject: Subject) -> tuple[int | None, list[bool]]:
    """The number of examples, and which arrays of the data have them as their first axis.

    All of them, or those that are as long as the last one: f(W, b, x, y) derived by W alone has b among its data.
    """
    arrays = jax.tree.leaves(subject.data)
    first = [np.shape(a)[0] if np.ndim(a) else None for a in arrays]
    lengths = {n for n in first if n is not None}
    if not subject.rows or not lengths:
        return None, []
    if lengths == {0}:
        raise CannotExplain(f"{subject.title} came with no examples: its data has a first axis of length 0. Pass some.")
    last = [n for n in first if n is not None][-1]
    if len(lengths) > 1 and first.count(last) == 1 and np.ndim(arrays[first.index(last)]) == 1:
        return None, []
    return last, [n == last for n in first]


def _small(subject: Subject, given: Program) -> list[int]:
    """Two small numbers of examples that are no other length or number in the program."""
    shapes = jax.tree.leaves(with_rows(subject, lambda a: np.shape(a)[1:], np.shape), is_leaf=_is_shape)
    shapes += [np.shape(a) for a in jax.tree.leaves(subject.params)]
    written = [abs(v) for v in literals(given.traced) if np.isfinite(v) and v]
    taken = {n for shape in shapes for n in shape} | {v**p for v in written for p in (1, -1)}
    return [n for n in ROWS if all(abs(n / t - 1) > 1e-6 for t in taken if t)][:2]


def _is_shape(a: Any) -> bool:
    return isinstance(a, tuple) and all(isinstance(n, int) for n in a)
