"""The legend: every symbol in plain words, with its shape and where it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.equations.derivation.derive import Derivation, Statement, path_of
from chainrule.equations.derivation.paths import plain
from chainrule.equations.formula import Call, Formula, Matrix, Product, Quotient, Sum, Symbol, Total, parts, symbols
from chainrule.trace.graph import Node

FIRST = (
    "Rows of x are examples, so the column form of textbooks is z = Wᵀx + b.",
    "δz2 means ∂L/∂z2, an array of z2's shape.",
    "N is the batch size, and every δ carries the 1/N of the mean.",
)
"""The fixed first lines of every legend."""

BOOK = "Goodfellow, Bengio, Courville: Deep Learning (2016)"
CHAPTERS = {
    "forward": ("forward lines", "chapter 6, Deep Feedforward Networks"),
    "loss": ("loss lines", "chapter 6.2, Gradient-Based Learning, and 5.5, Maximum Likelihood"),
    "backward": ("backward lines", "chapter 6.5, Back-Propagation"),
    "update": ("update lines", "chapter 8.3 to 8.5, Basic Algorithms and Adaptive Learning Rates"),
    "convolution": ("sums over shifted places", "chapter 9, Convolutional Networks"),
    "recurrence": ("lines with ₋ and ₊", "chapter 10, Recurrent Networks"),
    "normalization": ("lines of normalization", "chapter 8.7.1, Batch Normalization"),
    "dropout": ("drawn masks m", "chapter 7.12, Dropout"),
}
"""Where the book treats each kind of line."""


def references(lines: Sequence[Any]) -> tuple[str, ...]:
    """Where the book treats what the lines hold."""
    shown = {line.kind for line in lines}
    shown |= {kind for kind, found in _SIGNS.items() if any(map(found, lines))}
    return (f"{BOOK}: " + "; ".join(f"{what}, {where}" for k, (what, where) in CHAPTERS.items() if k in shown) + ".",)


_SIGNS = {
    "convolution": lambda line: line.line.indexed and " + " in line.text.split("Σ")[-1] and "Σ" in line.text,
    "recurrence": lambda line: line.symbol.endswith(("₋", "₊")) and line.kind != "update",
    "normalization": lambda line: "Norm" in line.scope,
    "dropout": lambda line: "Dropout" in line.scope,
}


@dataclass(frozen=True)
class Entry:
    """A symbol of the legend."""

    symbol: str
    shape: str
    words: str
    place: str = ""
    """The layer that computes it."""


def legend(derivation: Derivation) -> tuple[Entry, ...]:
    """All symbols: inputs first, then in the order of the lines."""
    composer, entries = derivation.composer, []
    weights = {name for node, name in composer.names.items() if node.op == "input" and node.name.startswith("0")}
    read = {name for s in derivation.statements for name in symbols(s.line.formula)}
    read |= {composer.names[s.by] for s in derivation.statements if s.by is not None}
    for node, name in composer.names.items():
        if node.op in ("input", "constant", "drawn") and name in read:
            entries.append(Entry(name, shape_of(derivation, composer.natural(node), node), _leaf(derivation, node)))
    for s in derivation.statements:
        entries.append(Entry(s.line.symbol, statement_shape(derivation, s), _words(s, weights), s.place))
    return tuple(entries)


def axes(derivation: Derivation) -> tuple[tuple[str, str, str], ...]:
    """Each label that lines show, its length, and what it counts."""
    shown = sorted(
        {x.rstrip("′″‴⁗") for s in derivation.statements for x in (*s.line.labels, *_labels(s.line.formula))}
    )
    grows = derivation.grows
    sizes = derivation.composer.axes.sizes
    words = {"n": "examples", "t": "steps", "k": "outputs", "d": "input features"}
    return tuple(
        (x, "N" if grows.get(x) == 1 else f"{grows[x]}N" if x in grows else str(sizes[x]), words.get(x, ""))
        for x in shown
        if x in sizes
    )


def statement_shape(derivation: Derivation, statement: Statement) -> str:
    """The shape of a line's symbol: N × 16."""
    grows, sizes = derivation.grows, derivation.composer.axes.sizes
    return _shape(statement.line.labels, grows, sizes)


def shape_of(derivation: Derivation, labels: tuple[str, ...], node: Node) -> str:
    """The shape of a node."""
    return _shape(labels, derivation.grows, derivation.composer.axes.sizes)


def _shape(labels: tuple[str, ...], grows: Mapping[str, int], sizes: Mapping[str, int]) -> str:
    out = []
    for label in (x.rstrip("′″‴⁗") for x in labels):
        times = grows.get(label)
        out.append(str(sizes[label]) if times is None else "N" if times == 1 else f"{times}N")
    return "×".join(out) or "1"


def _labels(f: Formula) -> list[str]:
    own = list(f.labels) if isinstance(f, Call | Total) else []
    return own + [x for p in parts(f) for x in _labels(p)]


def _leaf(derivation: Derivation, node: Node) -> str:
    if node.op == "drawn":
        return "drawn at random" + (f" in {node.place}" if node.place else "")
    if node.op == "constant":
        return "an array that the program holds"
    path = plain(path_of(derivation.subject, node.name))
    if not node.name.startswith("0"):
        return f"data: {path}"
    return f"parameter {path}" if derivation.subject.wrt(node.name[1:]) else f"{path}, not trained"


_FUNCTIONS = {
    "relu": "{} where it is positive, else 0",
    "tanh": "{} squeezed to between −1 and 1",
    "sigmoid": "{} squeezed to between 0 and 1",
    "softmax": "{} as probabilities that sum to 1",
    "log_softmax": "{} as logarithms of probabilities",
    "logsumexp": "the logarithm of the sum of exponentials of {}",
    "exp": "the exponential of {}",
    "log": "the logarithm of {}",
    "max": "the largest number of {}",
    "min": "the smallest number of {}",
    "sqrt": "the square root of {}",
    "maximum": "the larger of {} and another",
    "minimum": "the smaller of {} and another",
    "abs": "the size of {} without its sign",
    "where": "a choice, number by number",
    "reshape": "the numbers of {} in another shape",
    "concat": "arrays put one after the other",
    "before": "{} at the step before",
    "argmax": "the place of the largest number of {}",
    "mean": "the mean of {}",
    "CE": "the cross-entropy of each example",
}


def _words(statement: Statement, weights: set[str]) -> str:
    symbol, formula = statement.line.symbol, statement.line.formula
    if statement.line.kind == "backward":
        if symbol.startswith("∂L/∂"):
            return f"how L changes with {symbol[4:]}"
        if symbol.endswith("₊"):
            return f"what the step after sends back to {symbol[1:-1]}"
        if symbol.startswith("δ"):
            return f"how L changes with {symbol[1:]}"
        return "a part of the gradients that follow"
    if symbol == "L":
        return "the loss: the number that training makes small"
    if symbol == "ℓ":
        return "the loss of each example"
    if symbol.endswith("₋"):
        return f"{symbol[:-1]} at the step before"
    if symbol.startswith("z") and _has(formula, Matrix, Total):
        return "weighted sums of what comes in" if weights & set(symbols(formula)) else "sums of products"
    return _of_formula(formula)


def _of_formula(formula: Formula) -> str:
    match formula:
        case Call(name, args):
            what = args[0].name if args and isinstance(args[0], Symbol) else "what is inside"
            return _FUNCTIONS.get(name, f"{name} of {{}}").format(what)
        case Symbol(name):
            return f"a part of {name}"
        case Sum(((1, Symbol(a)), (1, Symbol(b)))):
            return f"{a} plus {b}"
        case Sum(((1, Symbol(a)), (-1, Symbol(b)))):
            return f"{a} minus {b}"
        case Sum(((1, Symbol(a)), (-1, Call("mean", (Symbol(b),))))) if a == b:
            return f"{a} without its mean"
        case Quotient(Symbol(a), Symbol(b)):
            return f"{a} divided by {b}"
        case Product((Symbol(a), Symbol(b))):
            return f"{a} times {b}, number by number"
    return "a step of the calculation"


def _has(f: Formula, *kinds: type) -> bool:
    return isinstance(f, kinds) or any(_has(p, *kinds) for p in parts(f))
