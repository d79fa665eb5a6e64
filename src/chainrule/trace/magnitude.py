"""How large the numbers were that were added up to a value: an error is judged by them where they cancel."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.trace.evaluate import compute, full
from chainrule.trace.graph import Node, View

TRACE = 1e-6
"""The part of what was added up that still counts where a value is made from one that cancelled."""


def magnitude(view: View, values: Mapping[Node, Any], known: Mapping[Node, float]) -> float:
    """The largest sum of sizes of what makes up a view: x - y counts as |x| + |y|, a sum of products likewise.

    ``values`` are those of all nodes. ``known`` has the magnitudes of nodes at which the search ends: they count as
    large as they are, and at least as a small part of what was added up to them.
    """
    sizes: dict[Node, Any] = {}
    stack = [(view.node, False)]
    while stack:
        node, ready = stack.pop()
        if node in sizes:
            continue
        if node in known or not _adds(node):
            value = np.abs(np.asarray(values[node] if node in values else compute(node, values)) * 1.0)
            sizes[node] = np.maximum(value, TRACE * known.get(node, 0.0))
        elif ready:
            sizes[node] = _size(node, ChainMap(sizes, values))  # type: ignore[arg-type]
        else:
            stack.append((node, True))
            stack.extend((v.node, False) for v in node.args)
    found = full(view, ChainMap(sizes, values))  # type: ignore[arg-type]
    finite = found[np.isfinite(found)]
    return float(finite.max()) if finite.size else 0.0


def _adds(node: Node) -> bool:
    return (
        node.op == "contract" or node.op == "map" and node.name in ("add", "subtract", "negative", "multiply", "divide")
    )


def _size(node: Node, sizes: Mapping[Node, Any]) -> np.ndarray:
    if node.op == "contract":
        return compute(node, sizes)
    a, *b = (full(v, sizes) for v in node.args)
    with np.errstate(all="ignore"):
        match node.name:
            case "add" | "subtract":
                return a + b[0]
            case "multiply":
                return a * b[0]
            case "divide":
                return a / b[0]
    return a
