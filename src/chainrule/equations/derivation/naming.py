"""Which nodes get a line and a name: z for what weights make, a for what a function makes of it, and so on."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from typing import Any

from chainrule.equations.derivation.cells import lstm_cells
from chainrule.equations.derivation.paths import keys
from chainrule.trace.graph import COMPARISONS, Graph, Lookup, Node, View, needs

ARITHMETIC = frozenset("add subtract multiply divide negative power number where".split())
LETTERS = {
    "kernel": "W",
    "weight": "W",
    "weights": "W",
    "bias": "b",
    "scale": "γ",
    "gamma": "γ",
    "gain": "γ",
    "beta": "β",
    "shift": "β",
    "embedding": "E",
    "embeddings": "E",
    "mean": "μ̄",
    "var": "v̄",
    "recurrent_kernel": "U",
}
"""Parameters whose textbook letter is not their own name."""

LONGEST = 7
"""Operations that one line may hold; what is longer is cut into named parts."""


def name_inputs(
    inputs: Sequence[tuple[Node, str]], trained: frozenset[Node], order: Sequence[Node] = ()
) -> dict[Node, str]:
    """Symbols for the inputs of a program: ``params[0]['W']`` is W1, the argument x is x.

    Parameters of one container share a number, counted in the ``order`` in which the program reads them, where other
    containers have the same letters. Data is named first: x stays x where a parameter has that name too.
    """
    used = {node: k for k, node in enumerate(order)}
    found: dict[Node, tuple[Any, ...]] = {node: keys(path) or () for node, path in inputs}
    roots = {node: re.split(r"\W", path)[0] for node, path in inputs}
    containers: dict[tuple[Any, ...], list[Node]] = {}
    for node in sorted((n for n in found if n in trained), key=lambda n: used.get(n, len(used))):
        containers.setdefault(found[node][:-1], []).append(node)
    own = {node: found[node][-1] if found[node] else roots[node] for node in found}
    letters = {c: frozenset(_letter(own[n]) for n in nodes) for c, nodes in containers.items()}
    groups: list[set[str]] = []
    for some in letters.values():
        joined = [g for g in groups if g & some]
        groups = [g for g in groups if not g & some] + [set(some).union(*joined)]
    of = {container: next(k for k, g in enumerate(groups) if some <= g) for container, some in letters.items()}
    total, counts = Counter(of.values()), Counter()
    names: dict[Node, str] = {}
    for container, nodes in containers.items():
        group = of[container]
        counts[group] += 1
        for node in nodes:
            letter = _letter(own[node])
            names[node] = letter if total[group] == 1 else _numbered(letter, counts[group])
    for node in found:
        if node not in trained:
            parts = [roots[node], *found[node]] if isinstance(own[node], int) else [own[node]]
            names[node] = _word("_".join(map(str, parts)))
    return _distinct(names, trained)


def _letter(key: Any) -> str:
    return LETTERS.get(key) or _word(str(key))


def _word(key: str) -> str:
    """A name that can stand in a line: of letters, digits and _, no digit first, nothing that means something else.

    >>> [_word(key) for key in ("it's", "1x", "", "W.", "x²", "Σ", "δz")]
    ['it_s', 'p1x', 'p', 'W', 'x2', 'Sigma', 'delta_z']
    """
    word = "_".join(re.findall(r"\w+", unicodedata.normalize("NFKC", key))).replace("Σ", "Sigma")
    word = re.sub(r"^δ(?=.)", "delta_", word)
    return word if re.match(r"[^\W\d]", word.lstrip("_")) and word not in ("NaN", "opaque") else f"p{word}"


def _numbered(letter: str, number: int) -> str:
    """W1; of a name that ends in a digit W1_2."""
    return f"{letter}_{number}" if letter[-1].isdigit() else f"{letter}{number}"


def _distinct(names: Mapping[Node, str], trained: frozenset[Node]) -> dict[Node, str]:
    """The names, with a number behind those that are taken."""
    taken = {"L", "N", "ℓ"}  # these mean the loss, the number of examples and their losses
    out = {}
    for node in sorted(names, key=lambda n: n in trained):
        name = names[node]
        out[node] = next(n for n in chain([name], (f"{name}_{k}" for k in count(2))) if n not in taken)
        taken.add(out[node])
    return {node: out[node] for node in names}


def name_nodes(
    graph: Graph, order: Sequence[Node], later: Sequence[Node], inputs: Mapping[Node, str], losses: frozenset[Node]
) -> tuple[dict[Node, str], list[Node]]:
    """Names, and the nodes that get a line of their own in order.

    ``order``: the forward pass; ``later``: what back-propagation adds to it, which reads some of its nodes again;
    ``losses``: nodes of the loss, not of the network.
    """
    readers = readers_of(order, graph)
    again = readers_of([*order, *later], graph)
    must = must_be_symbols([*order, *later], graph)
    links = {v.node for v in graph.links.values()}
    out = graph.outputs[0]
    named: dict[Node, str] = dict(inputs)
    counts = Numbering(inputs.values())
    weighs: dict[Node, int] = {}
    forward = []
    for node in order:
        if node in named or node.op == "number" or node.kind == "key":
            continue
        weighs[node] = 1 + sum(weighs.get(v.node, 0) for v in node.args if v.node not in named)
        if node.op == "reshape" and _turned(readers.get(node, ())):
            continue  # the line of its only reader says it, with the axes in the order in which they are used
        shared = len(readers.get(node, ())) > 1 and weighs[node] > free(node)
        reread = len(again.get(node, ())) > 1 and weighs[node] > free(node) + (node.name in ARITHMETIC)
        leaves = any(_leaves(node, r) for r in readers.get(node, ()))
        product = _affine(node, named) and not any(_extends(r, node, named) for r in readers.get(node, ()))
        long = weighs[node] > LONGEST
        wanted = (
            _per_example(node, readers, losses)
            or node in must
            or shared
            or reread
            or leaves
            or product
            or long
            or _always(node, named)
        )
        if node is out.node or node in must or (wanted and node.op != "position"):
            named[node] = _name(
                node,
                named,
                counts,
                node is out.node and not node.shape,
                _per_example(node, readers, losses),
                node in links,
            )
            if node.op not in ("constant", "drawn"):
                forward.append(node)
            weighs[node] = 0
    _name_cells(graph, named)
    for carry, view in graph.links.items():
        before = f"{named.get(view.node, '')}₋"
        if carry in named and len(before) > 1 and before not in named.values():
            named[carry] = before
    return named, forward


def _name_cells(graph: Graph, named: dict[Node, str]) -> None:
    """Give the gates and states of LSTMs their letters, numbered where there are several."""
    cells = lstm_cells(graph)
    for k, cell in enumerate(cells, 1):
        for node, letter in cell.items():
            name = f"{letter}{k}" if len(cells) > 1 else letter
            if node in named and name not in named.values():
                named[node] = name


def _per_example(node: Node, readers: Mapping[Node, Sequence[Node]], losses: frozenset[Node]) -> bool:
    """Whether a node is the loss of each example, of which the loss is the mean."""
    summed = any(r.op == "contract" and r.shape == () for r in readers.get(node, ()))
    return node in losses and len(node.shape) == 1 and summed


def _turned(readers: Sequence[Node]) -> bool:
    """Whether an array is only read once, with its axes in another order."""
    if len(readers) != 1 or readers[0].op != "contract" or len(readers[0].args) != 1:
        return False
    view = readers[0].args[0]
    return view.plain is not None and len(view.plain) == len(view.shape) == len(readers[0].shape)


def _always(node: Node, named: Mapping[Node, str]) -> bool:
    """Operations whose result is worth a name: activations of z, softmax, lookups, and all that moves arrays."""
    if node.op in ("reshape", "concat", "carry", "opaque", "constant", "drawn"):
        return True
    if node.op == "along":
        return True
    return bool(_activated(node, named))


def _activated(node: Node, named: Mapping[Node, str]) -> str:
    """The name of the sum z of which a node is a function, number by number, as tanh(z) or a choice by its sign."""
    if node.op != "map" or node.kind != "float" or not node.args:
        return ""
    source = node.args[0].node
    if node.name == "where" and source.op == "map" and source.name in COMPARISONS:
        source = source.args[0].node
        if not all(v.node.op != "number" and _made_from(v.node, source) for v in node.args[1:]):
            return ""
    elif node.name in ARITHMETIC or len(node.args) > 1:
        return ""
    name = named.get(source, "")
    return name if name.startswith("z") else ""


def _made_from(node: Node, source: Node, depth: int = 6) -> bool:
    """Whether a node is computed, number by number and in a few steps, from one other alone."""
    if node is source or node.op == "number":
        return True
    return node.op == "map" and depth > 0 and all(_made_from(v.node, source, depth - 1) for v in node.args)


def free(node: Node) -> int:
    """How heavy a node may be and still be written twice: 1[z > 0] is, z − μ is not."""
    return 1 if node.kind == "bool" or node.name == "number" else 0


def _product(node: Node) -> bool:
    """Whether a node is a sum of products of two arrays."""
    return node.op == "contract" and len(node.args) > 1 and len(node.args[0].shape) > len(node.shape)


def _affine(node: Node, named: Mapping[Node, str]) -> bool:
    """Whether a node is a product of arrays, or a sum that has one: z = x W + b."""
    if node.op == "map" and node.name == "add":
        return any(v.node not in named and _affine(v.node, named) for v in node.args)
    return _product(node)


def _extends(reader: Node, node: Node, named: Mapping[Node, str]) -> bool:
    """Whether a reader adds something to a product that has no name yet, so that it is the better one to name."""
    others = [v.node for v in reader.args if v.node is not node]
    plain = all(n.op == "input" or n in named or _affine(n, named) for n in others)
    return reader.op == "map" and reader.name == "add" and plain and reader.place == node.place


def _leaves(node: Node, reader: Node) -> bool:
    """Whether a reader stands in another layer than the node."""
    return bool(node.place) and reader.place != node.place and not reader.place.startswith(node.place + "/")


def readers_of(order: Iterable[Node], graph: Graph) -> dict[Node, list[Node]]:
    """The nodes that read each node; what a loop hands on is read by its carry."""
    readers: dict[Node, list[Node]] = {}
    for node in order:
        for needed in set(needs(node)):
            readers.setdefault(needed, []).append(node)
        if node in graph.links:
            readers.setdefault(graph.links[node].node, []).append(node)
    return readers


def must_be_symbols(order: Iterable[Node], graph: Graph) -> set[Node]:
    """Nodes that notation can only read by name: factors of sums of products, what is reshaped, what is indexed."""
    must: set[Node] = set()
    for node in order:
        views: list[View] = list(node.args)
        if node in graph.links:
            views.append(graph.links[node])
        for view in views:
            product = node.op == "contract" and len(node.args) > 1
            moved = node.op in ("reshape", "concat", "opaque", "carry") or node.name == "cross_entropy"
            if moved or view.node.op != "position" and (product or view.plain is None):
                must.add(view.node)
            must.update(i.view.node for i in view.index if isinstance(i, Lookup))
    return {n for n in must if n.op != "number" and n.kind != "key"}


def _name(node: Node, named: Mapping[Node, str], counts: "Numbering", last: bool, loss: bool, carried: bool) -> str:
    if last:
        return "L"
    loss = loss or node.name == "cross_entropy"
    letter = "ℓ" if loss and "ℓ" not in counts and node.op != "carry" else "h" if carried else _letter_of(node, named)
    taken = counts.taken
    if letter == "a":
        number = _activated(node, named)[1:]
        letter = "u" if f"a{number}" in taken else "a"
        if letter == "a":
            return counts.reserve(f"a{number}")
    return counts.reserve("ℓ") if letter == "ℓ" else counts.next(letter)


class Numbering:
    """Numbers for letters: u1, u2, …, without the names that are taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self.counts: Counter[str] = Counter()

    def __contains__(self, name: str) -> bool:
        return name in self.taken

    def reserve(self, name: str) -> str:
        """Take a name."""
        self.taken.add(name)
        return name

    def next(self, letter: str) -> str:
        """The letter with the next number that is free."""
        while True:
            self.counts[letter] += 1
            name = f"{letter}{self.counts[letter]}"
            if name not in self.taken:
                return self.reserve(name)


def _letter_of(node: Node, named: Mapping[Node, str]) -> str:
    if node.op == "constant":
        return "C"
    if node.op == "drawn":
        return "m"
    if node.op == "carry":
        return "s"
    if node.op == "along":
        return {"softmax": "p", "log_softmax": "logp", "max": "M", "argmax": "k"}.get(node.name, "r")
    if _affine(node, named):
        return "z"
    if _activated(node, named):
        return "a"
    if node.op == "map" and node.name == "divide" and node.args[0].node.op == "contract":
        return "μ"
    if node.op == "map" and node.name == "sqrt":
        return "σ"
    return "u"
