"""N in the formulas: the same program at two numbers of examples shows which of its numbers grow with them."""

from collections.abc import Mapping, Sequence

from chainrule.equations.formula import Number
from chainrule.trace.graph import Lookup, Node, View


def paired(one: Sequence[Node], other: Sequence[Node]) -> dict[Node, Node] | None:
    """The nodes of one graph with those of another of the same form, or None when the forms differ."""
    if len(one) != len(other):
        return None
    same: dict[Node, Node] = {}
    for a, b in zip(one, other, strict=True):
        if (a.op, a.name, a.axes, a.kind, len(a.shape)) != (b.op, b.name, b.axes, b.kind, len(b.shape)):
            return None
        if len(a.args) != len(b.args):
            return None
        for v, w in zip(a.args, b.args, strict=True):
            if not _alike(v, w, same):
                return None
        if a.op == "position" and a.index != b.index:
            return None
        same[a] = b
    return same


def _alike(v: View, w: View, same: Mapping[Node, Node]) -> bool:
    """Whether two views read the same node at the same places: N − 1 is another place at each N."""
    if same.get(v.node) is not w.node:
        return False
    for i, j in zip(v.index, w.index, strict=True):
        if isinstance(i, Lookup) and isinstance(j, Lookup):
            if not _alike(i.view, j.view, same):
                return False
        elif i != j:
            return False
    return True


def scales(pairs: dict[Node, Node], rows: tuple[int, int]) -> dict[Node, Number] | None:
    """For each number that differs between two graphs, what it is times a power of N; None if one is neither.

    ``rows``: the numbers of examples of the two.
    """
    n, m = rows
    found = {}
    for a, b in pairs.items():
        if a.op != "number" or a.value == b.value or a.value != a.value:
            continue
        power = next((k for k in (1, -1, 2, -2) if _close(a.value / n**k, b.value / m**k)), None)
        if power is None:
            return None
        found[a] = Number(a.value / n**power, power)
    return found


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-12 * max(abs(a), abs(b))
