"""Cross-entropy, however a program writes it: log Σ exp(z) − z[y], or −Σ 1[k = y] log softmax(z)."""

import math

from chainrule.trace.concepts import Found, Patterns, inner
from chainrule.trace.graph import Lookup, Node, View, along, apply, contract, value_of, whole


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
    inside = [node, *(_factors(picked.node)[1])] + [picked.node] * (picked.node is not scores.node)
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


def of_a_sum(root: Node) -> Found:
    """A sum of log_softmax(z)[y], or of 1[k = y] log_softmax(z) over k: each of its numbers is −CE(z, y)."""
    views, gone = _factors(root)
    for read, *others in (views, views[::-1]):
        logs = _uncopied(read)
        node, last = logs.node, len(logs.node.shape) - 1
        if (node.op, node.name, node.axes) != ("along", "log_softmax", (last,)):
            continue
        *rest, at = logs.index
        space, labels = logs.shape, at.view if isinstance(at, Lookup) else None
        if len(others) == 1 and at.plain == len(space) - 1 >= len(root.shape):
            (labels, _), space, others = _labels(others[0], len(space) - 1), space[:-1], []
        places = [i.plain for i in rest]
        if labels is None or None in places or not labels.positions() <= set(places) or len(space) < len(rest):
            continue
        if len(set(places)) < len(places) or [space[p] for p in places] != list(node.shape[:-1]):  # type: ignore[index]
            continue
        labels = labels.put({p: along(k) for k, p in enumerate(places)}, node.shape)  # type: ignore[misc]
        entropy = Node("along", (node.args[0], labels), node.shape[:-1], "float", "cross_entropy", (last,))
        loss = View(entropy, tuple(rest), space)
        inside = [*gone, node] if logs is read else [*gone, node, read.node]
        return contract([apply("negative", loss), *others], range(len(root.shape))), inside
    return None


def twice_negated(root: Node) -> Found:
    """−(−CE(z, y))."""
    parts = inner(root.args[0], "negative")
    entropy = parts[0] if parts else None
    return (entropy, [root.args[0].node]) if entropy and entropy.node.name == "cross_entropy" else None


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
        read = counts and place.index[0].plain == last and last not in labels.positions()
        if read and labels.node.kind == "int" and (guarded is not None or _are_classes(labels.node, hot.shape[last])):
            return labels.put({p: along(p) for p in range(last)}, labels.shape[:last]), [*inside, hot.node]
    return None, []


def _are_classes(labels: Node, count: int) -> bool:
    """Whether labels name one of so many classes: where one does not, its one-hot form is 0, and no entropy."""
    return labels.op != "input" or labels.limits is None or 0 <= labels.limits[0] <= labels.limits[1] < count


def _picked(picked: View, scores: View) -> View | None:
    """The labels at which a view reads scores along their last axis, or of which it is the sum of 1[k = y] scores."""
    total, (pair, _) = picked.node, _factors(picked.node)
    if total.op == "contract" and len(pair) == 2 and picked.whole and scores.whole:
        for one, hot in (pair, pair[::-1]):
            if one.node is scores.node and one.whole and len(one.shape) == len(total.shape) + 1:
                return _labels(hot, len(total.shape))[0]
    picked = _uncopied(picked)
    if picked.node is not scores.node or not scores.whole:
        return None
    *rest, at = picked.index
    plain = [i.plain for i in rest] == list(range(len(rest))) and len(picked.shape) == len(rest)
    return at.view if plain and scores.shape[:-1] == picked.shape and isinstance(at, Lookup) else None


def _factors(total: Node) -> tuple[tuple[View, ...], list[Node]]:
    """What a node multiplies and sums, and the node of the product, where it is one of its own."""
    pair = inner(total.args[0], "multiply") if total.op == "contract" and len(total.args) == 1 else None
    return (pair, [total.args[0].node]) if pair else (total.args, [])


def _uncopied(view: View) -> View:
    """What a view reads where its node only holds numbers of another, at other places."""
    node = view.node
    summed = node.op != "contract" or len(node.args) != 1 or len(node.args[0].shape) != len(node.shape)
    if summed or any(isinstance(i, Lookup) or i.divisor != 1 for i in view.index):
        return view
    return node.args[0].put(dict(enumerate(view.index)), view.shape)


LOSSES: Patterns = {
    ("map", "negative"): (from_one_hot, from_log_softmax, twice_negated),
    ("contract", ""): (of_a_sum,),
    ("map", "subtract"): (from_logsumexp,),
    ("map", "add"): (binary,),
}
"""Losses that compare scores with labels."""
