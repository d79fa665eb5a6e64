"""Cross-entropy, however a program writes it: log Σ exp(z) − z[y], or −Σ 1[k = y] log softmax(z)."""

import math

from chainrule.trace.concepts import Found, Patterns, inner
from chainrule.trace.graph import Lookup, Node, View, along, value_of, whole


def from_one_hot(root: Node) -> Found:
    """−Σ_k 1[k = y] log_softmax(z), for labels 0 … k − 1; chainrule's own answers others with NaN."""
    total = root.args[0].node
    if not root.args[0].whole or total.op != "contract" or len(total.args[0].shape) != len(total.shape) + 1:
        return None
    pair = total.args if len(total.args) == 2 else inner(total.args[0], "multiply")
    if pair is None:
        return None
    products = [total] if len(total.args) == 2 else [total, total.args[0].node]
    last = len(total.shape)
    for logs, hot in (pair, pair[::-1]):
        node = logs.node
        if (node.op, node.name, node.axes) != ("along", "log_softmax", (last,)) or not logs.whole:
            continue
        labels, inside = _labels(hot, last)
        if labels is not None:
            return _entropy(node.args[0], labels, root), [*products, node, *inside]
    return None


def from_logsumexp(root: Node) -> Found:
    """Log Σ exp(z) − z[y]."""
    normalizer, picked = root.args
    node = normalizer.node
    if (node.op, node.name) != ("along", "logsumexp") or not normalizer.whole or len(node.axes) != 1:
        return None
    scores = node.args[0]
    labels = _picked(picked, scores)
    inside = [node] if picked.node is scores.node else [node, picked.node]
    return None if labels is None else (_entropy(scores, labels, root), inside)


def from_log_softmax(root: Node) -> Found:
    """−log_softmax(z)[y]."""
    picked = root.args[0]
    node, inside = picked.node, []
    if node.op == "contract" and len(node.args) == 1:
        node, inside = node.args[0].node, [node]
    if (node.op, node.name) != ("along", "log_softmax") or node.axes != (len(node.shape) - 1,):
        return None
    labels = _picked(picked, whole(node))
    return None if labels is None else (_entropy(node.args[0], labels, root), [*inside, node])


def binary(root: Node) -> Found:
    """Y softplus(−z) + (1 − y) softplus(z)."""
    for one, other in (root.args, root.args[::-1]):
        first, second = inner(one, "multiply"), inner(other, "multiply")
        for y, up in (first, first[::-1]) if first else ():
            for rest, down in (second, second[::-1]) if second else ():
                a, z = inner(up, "softplus"), inner(down, "softplus")
                turned, left = inner(a[0], "negative") if a else None, inner(rest, "subtract")
                if z is None or a is None or turned is None or left is None or value_of(left[0]) != 1:
                    continue
                if _same(left[1], y) and _same(turned[0], z[0]):
                    node = Node("map", (z[0], y), root.shape, "float", "binary_cross_entropy", place=root.place)
                    return whole(node), [one.node, other.node, up.node, down.node, a[0].node, rest.node]
    return None


def _same(a: View, b: View) -> bool:
    return a.node is b.node and a.index == b.index


def _entropy(scores: View, labels: View, root: Node) -> View:
    last = len(root.shape)
    at = {p: along(p) for p in range(last)}
    labels = labels.put(at, scores.shape)
    return whole(Node("along", (scores, labels), root.shape, "float", "cross_entropy", (last,), place=root.place))


def _labels(hot: View, last: int) -> tuple[View | None, list[Node]]:
    """The labels of which a view is the one-hot form, and the nodes that made it."""
    inside = []
    guarded = inner(hot, "where")
    if guarded is not None and isinstance(value_of(guarded[2]), float) and math.isnan(value_of(guarded[2])):
        inside, hot = [hot.node], guarded[1]
    while (cast := inner(hot, "number")) is not None:
        inside, hot = [*inside, hot.node], cast[0]
    tested = inner(hot, "equal")
    for place, labels in (tested, tested[::-1]) if tested else ():
        counts = place.node.op == "position" and place.node.index is not None and place.node.index.plain == 0
        if counts and place.index[0].plain == last and last not in labels.positions() and labels.node.kind == "int":
            return labels.put({p: along(p) for p in range(last)}, labels.shape[:last]), [*inside, hot.node]
    return None, []


def _picked(picked: View, scores: View) -> View | None:
    """The labels at which a view reads scores along their last axis."""
    if (
        picked.node.op == "contract"
        and len(picked.node.args) == 1
        and len(picked.node.args[0].shape) == len(picked.node.shape)
    ):
        picked = picked.node.args[0].put(dict(enumerate(picked.index)), picked.shape)  # type: ignore[arg-type]
    if picked.node is not scores.node or not scores.whole:
        return None
    *rest, at = picked.index
    plain = [i.plain for i in rest] == list(range(len(rest))) and len(picked.shape) == len(rest)
    return at.view if plain and scores.shape[:-1] == picked.shape and isinstance(at, Lookup) else None


LOSSES: Patterns = {
    ("map", "negative"): (from_one_hot, from_log_softmax),
    ("map", "subtract"): (from_logsumexp,),
    ("map", "add"): (binary,),
}
"""Losses that compare scores with labels."""
