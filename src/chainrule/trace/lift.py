"""From a traced program to a graph."""

from collections.abc import Mapping, Sequence

from jax.extend.core import ClosedJaxpr

from chainrule.trace import lift_elementwise, lift_gathers, lift_loops, lift_shapes, lift_windows
from chainrule.trace.concepts import FUNCTIONS, recognized
from chainrule.trace.concepts_losses import LOSSES
from chainrule.trace.graph import Graph, Node, whole
from chainrule.trace.lifter import Lifter, Site, kind

RULE_BOOKS = (lift_elementwise, lift_shapes, lift_gathers, lift_windows, lift_loops)
"""The modules whose rules are entered when they are imported."""


def lift(traced: ClosedJaxpr, names: Sequence[str], ranges: Mapping[str, tuple[int, int]] | None = None) -> Graph:
    """The graph of a traced program, its written-out functions recognized. ``names`` name its inputs.

    ``ranges`` has the least and the largest of the whole numbers that an input holds. Those of others are taken to be
    places in what they look up; negative ones count from the end as the program writes it.

    CannotExplain where the program computes with complex numbers. What else has no rule becomes an opaque node.
    """
    lifter = Lifter()
    inputs = [
        Node("input", shape=v.aval.shape, kind=kind(v), name=name, limits=(ranges or {}).get(name))
        for v, name in zip(traced.jaxpr.invars, names, strict=True)
    ]
    lifter.graph.inputs = inputs
    lifter.signed = {node for node in inputs if node.limits is not None and node.limits[0] < 0}
    for i, node in enumerate(inputs):
        lifter.graph.traced[node] = ((-1, i), whole(node))
    lifter.graph.outputs = lifter.walk(traced, [whole(n) for n in inputs], Site())
    return named_functions(lifter.graph)


def named_functions(graph: Graph) -> Graph:
    """A graph in which functions and losses that are written out are single nodes.

    Where a program computes a part of one twice, it is seen only after equal nodes have been merged.
    """
    return recognized(recognized(graph, FUNCTIONS), LOSSES)
