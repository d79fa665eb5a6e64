"""Cells of recurrent networks: the letters that books give to what an LSTM computes at each step."""

from collections.abc import Iterator, Mapping

from chainrule.trace.graph import Graph, Node


def lstm_cells(graph: Graph) -> list[dict[Node, str]]:
    """The gates and states of each LSTM: c = f ⊙ c₋ + i ⊙ g and h = o ⊙ tanh(c), gates being σ and g a tanh."""
    handed_on = {view.node: carry for carry, view in graph.links.items()}
    found = []
    for state, before in handed_on.items():
        for kept, new in _pairs(state, "add"):
            old = next((f for f, c in _pairs(kept, "multiply") if c is before and _is(f, "sigmoid")), None)
            gates = next((p for p in _pairs(new, "multiply") if _is(p[0], "sigmoid") and _is(p[1], "tanh")), None)
            if old is not None and gates is not None:
                letters = {old: "f", gates[0]: "i", gates[1]: "g", state: "c"}
                found.append(letters | _output(handed_on, state))
                break
    return found


def _output(handed_on: Mapping[Node, Node], state: Node) -> dict[Node, str]:
    for node in handed_on:
        for gate, squeezed in _pairs(node, "multiply"):
            if _is(gate, "sigmoid") and _is(squeezed, "tanh") and squeezed.args[0].node is state:
                return {gate: "o", node: "h"}
    return {}


def _pairs(node: Node, name: str) -> Iterator[tuple[Node, Node]]:
    """The two arguments of an elementwise node of that name, in both orders."""
    if _is(node, name):
        a, b = (v.node for v in node.args)
        yield from ((a, b), (b, a))


def _is(node: Node, name: str) -> bool:
    return node.op == "map" and node.name == name
