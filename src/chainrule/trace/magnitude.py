"""How large the numbers were that were added up to a value: an error is judged by them where they cancel."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.trace.evaluate import compute, full
from chainrule.trace.graph import Node, View

TRACE = 1e-5
"""The part of what was added up that still counts where a value is made from one that cancelled."""


def magnitude(view: View, values: Mapping[Node, Any], known: Mapping[Node, np.ndarray]) -> np.ndarray:
    """For each number of a view the sum of the sizes of what makes it up: x - y counts as |x| + |y|.

    A sum of products counts likewise. ``values`` are those of all nodes. ``known`` has the magnitudes of nodes at which
    the search ends: they count as large as they are, and at least as a small part of what was added up to them.
    """
    sizes: dict[Node, Any] = {}
    part = 1.0 if _copies(view.node) else TRACE
    stack = [(view.node, False)]
    while stack:
        node, ready = stack.pop()
        if node in sizes:
            continue
        if node in known or not (_adds(node) or _copies(node)):
            value = np.abs(np.asarray(values[node] if node in values else compute(node, values)) * 1.0)
            sizes[node] = np.maximum(value, part * known[node]) if node in known else value
        elif ready:
            sizes[node] = _size(node, ChainMap(sizes, values))  # type: ignore[arg-type]
        else:
            stack.append((node, True))
            stack.extend((v.node, False) for v in node.args)
    return full(view, ChainMap(sizes, values))  # type: ignore[arg-type]


def _adds(node: Node) -> bool:
    return (
        node.op == "contract" or node.op == "map" and node.name in ("add", "subtract", "negative", "multiply", "divide")
    )


def _copies(node: Node) -> bool:
    """Whether a node holds numbers of others as they are, at other places."""
    moved = node.op == "contract" and len(node.args) == 1 and len(node.args[0].shape) == len(node.shape)
    return moved or node.op in ("reshape", "concat")


def _size(node: Node, sizes: Mapping[Node, Any]) -> np.ndarray:
    if node.op != "map":
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
