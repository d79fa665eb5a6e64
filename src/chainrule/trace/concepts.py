"""Functions that a program writes out, and that have a name: softmax, logsumexp, softplus, GELU, ...

A group of nodes is replaced by one node where an identity of mathematics says that they are equal, for all numbers.
It is left as it is where something else reads its inside: then that has gradients of its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainrule.trace.arithmetic import is_number, same
from chainrule.trace.graph import (
    Graph,
    Node,
    View,
    apply,
    function_along,
    moved,
    needs,
    reachable,
    standing,
    value_of,
    whole,
)

Found = tuple[View, Sequence[Node]] | None
"""What replaces a node, in its space, and the nodes that it makes needless."""

Patterns = Mapping[tuple[str, str], Sequence[Callable[[Node], Found]]]


def recognized(graph: Graph, patterns: Patterns) -> Graph:
    """A graph in which written-out functions are single nodes. A node that replaces another keeps its key."""
    order = reachable(graph.outputs, graph.links)
    if not any(pattern(n) for n in order for pattern in patterns.get((n.op, n.name), ())):
        return graph
    search = Search(patterns)
    for view in (*graph.outputs, *graph.links.values()):
        search.readers.setdefault(view.node, set()).add(None)
    for node in order:
        for needed in needs(node):
            search.readers.setdefault(needed, set()).add(node)
    for node in (*graph.inputs, *order):
        search.add(node)
    result = Graph([search.new[n] for n in graph.inputs], [search.view(v) for v in graph.outputs])
    result.links = {search.new[c]: search.view(v) for c, v in graph.links.items() if c in search.new}
    kept = {*result.inputs, *reachable(result.outputs, result.links)}
    for node, variable in graph.traced.items():
        new = search.new.get(node)
        if new is not None and new in kept:
            result.traced[new] = _moved(variable, new)
            if node in graph.twins:
                result.twins[new] = tuple(_moved(v, new) for v in graph.twins[node])
    return result


def _moved(variable: tuple[tuple[int, ...], View], node: Node) -> tuple[tuple[int, ...], View]:
    key, view = variable
    return key, View(node, view.index, view.shape)


@dataclass
class Search:
    """Old nodes to new ones, in an order in which they can be computed."""

    patterns: Patterns
    """For each operation, what a node of it may be the last step of."""
    new: dict[Node, Node] = field(default_factory=dict)
    old: dict[Node, Node] = field(default_factory=dict)
    readers: dict[Node, set[Node | None]] = field(default_factory=dict)
    """The old nodes that read an old node; None is what lies outside: an output, or the next step of a loop."""

    def add(self, node: Node) -> None:
        """Find the node that stands for this one."""
        if node in self.new:
            return
        same = moved(node, tuple(map(self.view, node.args)))
        self.new[node], self.old[same] = same, node
        for pattern in self.patterns.get((same.op, same.name), ()):
            found = pattern(same)
            if found is not None and found[0].whole and found[0].shape == same.shape and self.needless(node, found[1]):
                self.replace(node, *found)
                return

    def view(self, view: View) -> View:
        """The view of the node that stands for another."""
        return standing(view, self.new)

    def needless(self, root: Node, inside: Sequence[Node]) -> bool:
        """Whether no gradient comes to the nodes but from the root and each other: tests have none."""
        group = {root, *(self.old[n] for n in inside)}
        readers = {r for n in inside for r in self.readers[self.old[n]] if r is None or r.kind == "float"}
        return readers <= group

    def replace(self, root: Node, by: View, inside: Sequence[Node]) -> None:
        """Let a node stand for the root."""
        node = replace(by.node, place=root.place)
        for gone in (root, *(self.old[n] for n in inside)):
            for needed in needs(gone):
                self.readers[needed].discard(gone)
        self.read_by(root, node)
        self.new[root], self.old[node] = node, root

    def read_by(self, root: Node, node: Node) -> None:
        """Enter the root as a reader of what stands for it; a node that was made for it is new."""
        for needed in needs(node):
            if needed not in self.old:
                self.new[needed] = self.old[needed] = needed
                self.readers[needed] = set()
                self.read_by(needed, needed)
            self.readers[self.old[needed]].add(root)


def inner(view: View, name: str) -> tuple[View, ...] | None:
    """The arguments of a view of an elementwise node of that name, in the view's space."""
    return view.opened(name)


def _total_of(total: View, one: View) -> list[int] | None:
    """The positions along which the numbers ``one`` are reduced to ``total``, a view of a node with one argument."""
    if len(total.node.args) != 1 or total.node.args[0].node is not one.node:
        return None
    (inner,), rank = total.node.args, len(total.node.shape)
    at: dict[int, int] = {}
    for i, j in zip(inner.index, one.index, strict=True):
        if i.plain is None or j.plain is None:
            if i.positions() or i != j:
                return None
        elif at.setdefault(i.plain, j.plain) != j.plain or inner.shape[i.plain] != one.shape[j.plain]:
            return None
    if len(set(at.values())) != len(inner.shape) or any(total.index[q].plain != at.get(q) for q in range(rank)):
        return None
    return [at[q] for q in range(rank, len(inner.shape))]


def _unshifted(view: View, axes: Sequence[int]) -> tuple[View, list[Node]]:
    """The view without a maximum of itself that is subtracted from it, and the nodes that are then needless."""
    parts = inner(view, "subtract")
    if parts is None or parts[1].positions() & set(axes) or not _made_from(parts[1].node, parts[0].node):
        return view, []
    return parts[0], [view.node]


def _made_from(node: Node, source: Node, limit: int = 12) -> bool:
    """Whether a node is computed from the source and known numbers alone, in a few steps."""
    waiting, seen = [node], 0
    while waiting and seen < limit:
        node, seen = waiting.pop(), seen + 1
        if node is not source and node.op not in ("number", "constant"):
            if node.op not in ("map", "along"):
                return False
            waiting += [v.node for v in node.args]
    return not waiting


def _softmax(root: Node) -> Found:
    """exp(x) / sum exp(x); adding one number to all x changes nothing."""
    top, bottom = root.args
    inside = inner(top, "exp")
    if inside is None or bottom.node.op != "contract":
        return None
    axes = _total_of(bottom, top)
    if not axes:
        return None
    x, gone = _unshifted(inside[0], axes)
    return function_along("softmax", x, axes), [*gone, top.node, bottom.node]


def _logsumexp(root: Node) -> Found:
    """The logarithm of sum exp(x), in which an absolute value of the sum changes nothing."""
    (total,), gone = root.args, []
    if inside := inner(total, "abs"):
        gone, (total,) = [total.node], inside
    if total.node.op != "contract" or len(total.node.args) != 1 or not total.whole:
        return None
    (numbers,) = total.node.args
    x = inner(numbers, "exp")
    rank = len(total.node.shape)
    if x is None or rank == len(numbers.shape) or numbers.plain is None:
        return None
    found = function_along("logsumexp", x[0], range(rank, len(numbers.shape)))
    return found, [*gone, total.node, numbers.node]


def _shifted_logsumexp(root: Node) -> Found:
    """logsumexp(x - c) + c is logsumexp(x)."""
    for total, c in _orders(root.args):
        if total.node.op != "along" or total.node.name != "logsumexp" or not total.whole:
            continue
        numbers, rank = total.node.args[0], len(total.node.shape)
        parts = inner(numbers, "subtract")
        if parts and same(parts[1], c.move(range(rank), numbers.shape)):
            found = function_along("logsumexp", parts[0], range(rank, len(numbers.shape)))
            return found, [total.node, numbers.node]
    return None


def _log_softmax(root: Node) -> Found:
    """What is left of x above logsumexp(x); adding one number to all x changes nothing."""
    one, total = root.args
    if total.node.op != "along" or total.node.name != "logsumexp":
        return None
    axes = _total_of(total, one)
    if not axes:
        return None
    x, gone = _unshifted(one, axes)
    return function_along("log_softmax", x, axes), [*gone, total.node]


def _log_of_softmax(root: Node) -> Found:
    """The logarithm of softmax(x)."""
    p = root.args[0]
    if (p.node.op, p.node.name) != ("along", "softmax") or not p.whole:
        return None
    return function_along("log_softmax", p.node.args[0], p.node.axes), [p.node]


def _softplus(root: Node) -> Found:
    """log(1 + exp(x)), as log1p(exp(x)) or as log(1 + exp(x))."""
    (arg,), gone = root.args, []
    if root.name == "log":
        parts = _plus(arg, 1)
        if parts is None:
            return None
        gone, arg = [arg.node], parts
    inside = inner(arg, "exp")
    return (apply("softplus", inside[0]), [*gone, arg.node]) if inside else None


def _larger_plus(root: Node) -> Found:
    """max(a, b) + log(1 + exp(-|a - b|)) is log(exp(a) + exp(b)): logaddexp(a, b), or with b = 0 softplus(a)."""
    for larger, rest in _orders(root.args):
        soft = inner(rest, "softplus")
        minus = inner(soft[0], "negative") if soft else None
        size = inner(minus[0], "abs") if minus else None
        if not soft or not minus or not size:
            continue
        gone, distance = [larger.node, rest.node, soft[0].node, minus[0].node], size[0]
        if (x := inner(larger, "relu")) and same(_unsigned(distance), _unsigned(x[0])):
            return apply("softplus", x[0]), gone
        pair, apart = inner(larger, "maximum"), inner(distance, "subtract")
        if pair and apart and any(all(map(same, two, apart)) for two in (pair, pair[::-1])):
            return apply("logaddexp", *apart), [*gone, distance.node]
    return None


def _unsigned(view: View) -> View:
    inside = inner(view, "negative")
    return inside[0] if inside else view


def _checked_for_nan(root: Node) -> Found:
    """Where d is not d, it is NaN, and so is a function of d: the choice changes nothing."""
    test, _, value = root.args
    parts = inner(test, "not_equal")
    if parts is None or not same(*parts):
        return None
    inside = inner(value, "softplus") or inner(value, "logaddexp")
    for apart in ((parts[0],), inner(parts[0], "subtract")):
        pairs = list(zip(inside or (), apart or (), strict=False))
        if (
            inside
            and len(pairs) == len(inside) == len(apart or ())
            and all(same(_unsigned(a), _unsigned(b)) for a, b in pairs)
        ):
            return apply(value.node.name, *inside), [value.node]
    return None


def _sigmoid(root: Node) -> Found:
    """1 / (1 + exp(-x)) or exp(x) / (1 + exp(x))."""
    top, bottom = root.args
    e = _plus(bottom, 1)
    inside = inner(e, "exp") if e else None
    if e is None or inside is None:
        return None
    negated = inner(inside[0], "negative")
    if is_number(value_of(top), 1) and negated:
        return apply("sigmoid", negated[0]), [bottom.node, e.node, inside[0].node]
    if same(top, e):
        return apply("sigmoid", inside[0]), [bottom.node, e.node]
    return None


def _silu(root: Node) -> Found:
    """The product x sigmoid(x)."""
    for x, weight in _orders(root.args):
        inside = inner(weight, "sigmoid")
        if inside and same(inside[0], x):
            return apply("silu", x), [weight.node]
    return None


def _gelu(root: Node) -> Found:
    """The product x (1 + erf(x / sqrt 2)) / 2, or x erfc(-x / sqrt 2) / 2, wherever the numbers stand."""
    factor, product, gone = _scaled(whole(root))
    for x, weight in _orders(inner(product, "multiply")):
        a, x, more = _scaled(x)
        b, weight, nodes = _scaled(weight)
        error = _plus(weight, 1)
        inside, sign = (inner(error, "erf"), 1) if error else (inner(weight, "erfc"), -1)
        if not inside or not math.isclose(factor * a * b, 0.5):
            continue
        scale, base, rest = _scaled(inside[0])
        if math.isclose(sign * scale, math.sqrt(0.5), rel_tol=1e-12) and same(base, x):
            steps = [product.node, *more, *nodes, weight.node, *([error.node] if error else []), *rest]
            return apply("gelu", x), [n for n in (*gone, *steps) if n is not root]
    return None


def _orders(pair: tuple[View, ...] | None) -> Sequence[tuple[View, ...]]:
    return (pair, pair[::-1]) if pair else ()


def _scaled(view: View) -> tuple[float, View, list[Node]]:
    """A multiple taken apart: its number, what is multiplied, and the nodes that did it."""
    factor, nodes = 1.0, []
    while True:
        if parts := inner(view, "negative"):
            number, rest = -1.0, parts[0]
        elif (parts := inner(view, "divide")) and value_of(parts[1]):
            number, rest = 1 / value_of(parts[1]), parts[0]
        elif (parts := inner(view, "multiply")) and any(value_of(v) is not None for v in parts):
            number, rest = parts if value_of(parts[0]) is not None else parts[::-1]
            number = value_of(number)
        else:
            return factor, view, nodes
        factor, nodes, view = factor * number, [*nodes, view.node], rest


def _plus(view: View, wanted: int) -> View | None:
    """What is added to a number that is wanted."""
    parts = inner(view, "add")
    if parts is None:
        return None
    a, b = parts
    return b if is_number(value_of(a), wanted) else a if is_number(value_of(b), wanted) else None


FUNCTIONS: Patterns = {
    ("map", "divide"): (_softmax, _sigmoid, _gelu),
    ("map", "log"): (_softplus, _logsumexp, _log_of_softmax),
    ("map", "log1p"): (_softplus,),
    ("map", "add"): (_shifted_logsumexp, _larger_plus),
    ("map", "subtract"): (_log_softmax,),
    ("map", "multiply"): (_silu, _gelu),
    ("map", "where"): (_checked_for_nan,),
}
"""Functions of one array."""
