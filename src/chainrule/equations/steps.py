"""How a line follows: what reads its symbol, the chain rule for these readers, their local slopes, and the sum."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.equations.derivation import algebra
from chainrule.equations.derivation.axes import fresh, operand
from chainrule.equations.derivation.compose import Composer
from chainrule.equations.derivation.derive import Derivation, Statement
from chainrule.equations.derivation.rules import SLOPES
from chainrule.equations.derivation.scales import paired, scales
from chainrule.equations.formula import (
    Call,
    Formula,
    Matrix,
    Number,
    Place,
    Product,
    Quotient,
    Sum,
    Symbol,
    Test,
    Total,
    calls,
    mapped,
    symbols,
)
from chainrule.equations.prints import text
from chainrule.equations.prints.legend import legend
from chainrule.errors import CannotExplain
from chainrule.trace.evaluate import ALONG
from chainrule.trace.graph import Index, Lookup, Node, View, reachable, whole

GREEK = {"gamma": "γ", "beta": "β", "sigma": "σ", "mu": "μ", "ell": "ℓ"}
MEANINGS = {
    "relu": "ReLU(z) is z where z is positive, else 0",
    "sigmoid": "σ(z) is 1 / (1 + exp(−z)), between 0 and 1",
    "softplus": "softplus(z) is log(1 + exp(z))",
    "silu": "SiLU(z) is z σ(z)",
    "gelu": "GELU(z) is z Φ(z), Φ being the normal distribution function",
    "softmax": "softmax(z) is exp(z) divided by the sum of all exp(z)",
    "log_softmax": "log_softmax(z) is z minus the logarithm of the sum of all exp(z)",
    "logsumexp": "logsumexp(z) is the logarithm of the sum of all exp(z)",
    "CE": "CE(z, y) is the logarithm of the sum of all exp(z), minus the z at place y",
    "where": "where(c, a, b) is a where c holds, else b",
    "stop": "stop(a) is a, through which no gradient flows",
    "before": "before is the value at the step before, and at the first step what it starts with",
    "after": "after is the value at the step after, and at the last step what comes from after the loop",
}
"""Functions whose name does not say what they are."""


@dataclass(frozen=True, eq=False)
class Step:
    """One line of a derivation. ``formulas``: what it claims to be equal to each other and to what ``view`` reads."""

    text: str
    labels: tuple[str, ...] = ()
    formulas: tuple[Formula, ...] = ()
    view: View | None = None


def steps(derivation: Derivation, symbol: str) -> tuple[str, ...]:
    """How the line of a symbol follows, in rows of text; for δz2 and ∂L/∂W1 also dz2 and dL/dW1 may be written.

    CannotExplain, with the nearest symbols, for one that there is not.
    """
    return tuple(step.text for step in unfolded(derivation, symbol))


def unfolded(derivation: Derivation, symbol: str) -> tuple[Step, ...]:
    """The same with the formulas that are claimed to be equal."""
    name = named(derivation, symbol)
    statement = next((s for s in derivation.statements if s.line.symbol == name), None)
    if statement is None:
        words = next((f", {e.shape}: {e.words}" for e in legend(derivation) if e.symbol == name), ": no line reads it")
        return (Step(f"{name}{words}. It is given."),)
    claim = Step(text.line(statement.line), statement.line.labels, (statement.line.formula,), statement.view)
    if statement.by is not None and statement.by not in derivation.derived[0].backward.parts:
        return Step(f"No gradient flows from L back to {derivation.composer.names[statement.by]}."), claim
    if statement.line.kind == "backward":
        return tuple(_Unfolding(derivation, statement).steps())
    words = next(e.words for e in legend(derivation) if e.symbol == name)
    functions = dict.fromkeys(f.name for f in calls(statement.line.formula))
    known = [MEANINGS[f] for f in functions if f in MEANINGS]
    return (claim, Step(f"{name}: {words}."), *(Step(f"{meaning}.") for meaning in known))


def named(derivation: Derivation, symbol: str) -> str:
    """The symbol that is meant: as printed, or in ASCII (dz2, dL/dW1). CannotExplain names those that are near."""
    names = dict.fromkeys([*derivation.composer.names.values(), *(s.line.symbol for s in derivation.statements)])
    given = symbol.strip()
    start, rest = re.fullmatch(r"(δ|∂L/∂|dL/d|d|)(.*)", given, re.DOTALL).groups()  # type: ignore[union-attr]
    word = next((w for w in GREEK if re.fullmatch(rf"{w}\d*", rest)), "")
    rest = GREEK.get(word, "") + rest[len(word) :]
    rest = rest[:-1] + {"-": "₋", "+": "₊"}.get(rest[-1:], rest[-1:])
    for meant in (given, *([f"δ{rest}", f"∂L/∂{rest}"] if start else [rest])):
        if meant in names:
            return meant
    near = difflib.get_close_matches(given, names, 5, 0.3) or list(names)[:5]
    raise CannotExplain(f"There is no symbol {symbol!r} in this explanation. Near are {', '.join(near)}.")


def explicit(f: Formula, labels: Mapping[str, Sequence[str]]) -> Formula:
    """The formula with the places of every symbol written out, and matrix products as sums."""

    def inner(g: Formula) -> Formula:
        return explicit(g, labels)

    match f:
        case Symbol(name, None, False):
            return Symbol(name, tuple(Place(((label, 1),)) for label in labels[name]))
        case Matrix(left, right):
            one, two = operand(left, labels), operand(right, labels)
            result = [*one[:-1], *([fresh(two[-1], one[:-1])] if len(two) > 1 else [])]
            summed = fresh(one[-1], result)
            reads = [one[:-1] + [summed], [*two[:-2], summed, result[-1]] if len(two) > 1 else [summed]]
            sides = []
            for side, read in zip((left, right), reads, strict=True):
                at = [*read[:-2], read[-1], read[-2]] if side.transposed else read
                sides.append(Symbol(side.name, tuple(Place(((label, 1),)) for label in at)))
            return Total((summed,), Product(tuple(sides)))
        case Total(outer, Matrix() as body):
            total = inner(body)
            return Total((*outer, *total.labels), total.body) if isinstance(total, Total) else f
        case Call("CE", (Symbol() as z, Symbol() as y)):
            scores = inner(z)
            index = (*scores.index[:-1], inner(y))  # type: ignore[union-attr, index]
            total = Call("logsumexp", (scores,), (labels[z.name][-1],))
            return Sum(((1, total), (-1, Symbol(z.name, index))))  # type: ignore[arg-type]
        case Call("reshape"):
            return f
        case Call(name, (Symbol(of) as x,), ()) if name in ALONG:
            return Call(name, (inner(x),), (labels[of][-1],))
    return mapped(f, inner)


class _Unfolding:
    """The steps of one line of back-propagation."""

    def __init__(self, derivation: Derivation, statement: Statement) -> None:
        first = derivation.derived[0]
        self.derivation, self.statement = derivation, statement
        self.composer, self.backward, self.graph = derivation.composer, first.backward, first.graph
        self.names = self.composer.names
        self.labels = {name: self.composer.natural(node) for node, name in self.names.items() if node.kind != "key"}
        self.labels |= {s.line.symbol: s.line.labels for s in derivation.statements}
        self.deltas = {s.by: s for s in derivation.statements if s.by is not None}
        self.lines = [s for s in derivation.statements if s.line.kind != "backward"]

    def steps(self) -> list[Step]:
        """All steps."""
        line, node = self.statement.line, self.statement.by
        claim = Step(text.line(line), line.labels, (line.formula,), self.statement.view)
        if node is None:
            node = next((n for n, v in self.backward.delta.items() if self.is_shared(n, v)), None)
            if node is None:
                return [Step(self.role()), claim]
            out = [Step(f"{line.symbol} = ∂L/∂{self.said(node)}, which several lines need")]
        elif node is self.graph.outputs[0].node:
            return [Step(f"{line.symbol} = ∂L/∂L"), claim]
        else:
            out = [Step(row) for row in self.chain(node)]
        for inner in self.between(node):
            out += self.contributions(inner, f"∂L/∂{self.said(inner)}", self.composer.natural(inner))
        places = self.statement.order if self.statement.by is not None else self.backward.delta[node].plain or ()
        own = tuple(line.labels[places.index(axis)] for axis in range(len(places)))
        out += self.contributions(node, line.symbol, own)
        return out if out[-1].text.endswith(f" = {text.text(line.formula)}") else [*out, claim]

    def is_shared(self, node: Node, delta: View) -> bool:
        """Whether the gradient by a node without a name is what this line computes."""
        return delta.node is self.statement.view.node and node not in self.names and delta.plain is not None

    def role(self) -> str:
        """What a line is that is no gradient by an array of the forward pass."""
        symbol, node = self.statement.line.symbol, self.statement.view.node
        if node.op == "carry":
            return f"{symbol} is what the step after sends back; what comes from after the loop enters at its end."
        users = [s.line.symbol for s in self.derivation.statements if symbol in symbols(s.line.formula)]
        return f"{symbol} is a part of {' and '.join(users)}."

    def chain(self, node: Node) -> list[str]:
        """Which lines read a symbol, and the chain rule for them."""
        name, symbol = self.names[node], self.statement.line.symbol
        reading = [s for s in self.lines if name in symbols(s.line.formula)]
        ends = self.ends(node)
        out = [f"{name} is read by {' and by '.join(text.line(s.line) for s in reading)}"] if reading else []
        backs = [self.names[self.backward.after[c]] for c in ends if self.carries(c, node)]
        for s in [s for s in reading if s.view.node not in ends]:
            after = backs and s.view.node in self.backward.delta
            way = f"comes in at the end of {backs[0]}" if after else "is 0"
            out.append(f"what flows back through {s.line.symbol} {way}")
        terms = [self.term(end, node) for end in ends]
        return [*out, f"{symbol} = {' + '.join(terms)}"]

    def term(self, end: Node, node: Node) -> str:
        """One term of the chain rule; what a loop carries is read by its next step."""
        if self.carries(end, node):
            return self.names[self.backward.after[end]]
        return f"{self.deltas[end].line.symbol} · ∂{self.names[end]}/∂{self.names[node]}"

    def carries(self, end: Node, node: Node) -> bool:
        """Whether a node is what a loop hands on to its next step."""
        return end in self.backward.after and self.graph.links[end].node is node

    def ends(self, node: Node) -> list[Node]:
        """The named readers through which a gradient comes to a node, be it through others without a name."""
        found: list[Node] = []
        for reader, _ in self.backward.parts[node]:
            if reader is None:
                found += [c for c, v in self.graph.links.items() if v.node is node and c in self.backward.after]
            else:
                found += [reader] if reader in self.deltas else self.ends(reader)
        return sorted(dict.fromkeys(found), key=[s.view.node for s in self.lines].index)

    def between(self, node: Node) -> list[Node]:
        """The nodes without a name and without a line through which the gradient comes, the first to get one first."""
        found: dict[Node, None] = {}
        for reader, _ in self.backward.parts[node]:
            stands = None if reader is None else self.standing(reader)
            if stands is not None and stands not in self.deltas:
                if not self.elsewhere(stands):
                    found |= dict.fromkeys(self.between(stands))
                found[stands] = None
        return list(found)

    def elsewhere(self, node: Node) -> bool:
        """Whether the gradient by a node has a line of its own, other than this one."""
        delta = self.backward.delta[node]
        return delta.node in self.names and delta.node is not self.statement.view.node

    def standing(self, node: Node) -> Node:
        """The reader that a node without a name only adds something to, and for which it stands: a W in a W + b."""
        parts_ = self.backward.parts.get(node, [])
        reader = parts_[0][0] if len(parts_) == 1 else None
        if node in self.names or reader is None or reader.op != "map" or reader.name not in ("add", "subtract"):
            return node
        read = [i for i, v in enumerate(reader.args) if v.node is node and v.whole]
        return self.standing(reader) if read == [0] or (read == [1] and reader.name == "add") else node

    def said(self, node: Node) -> str:
        """The name of a node, or its formula in brackets."""
        node = self.standing(node)
        if node in self.names:
            return self.names[node]
        formula = self.composer.read(whole(node), self.composer.natural(node))
        return text.text(formula) if isinstance(formula, Call) else f"({text.text(formula)})"

    def gradient(self, node: Node, space: Sequence[str]) -> Formula:
        """∂L by a node whose axes have these labels."""
        node = self.standing(node)
        if node not in self.deltas:
            return self.read(self.backward.delta[node], space)
        s = self.deltas[node]
        labels = tuple(space[axis] for axis in s.order)
        index = None if labels == s.line.labels else tuple(Place(((label, 1),)) for label in labels)
        return Symbol(s.line.symbol, index)

    def contributions(self, node: Node, head: str, own: tuple[str, ...]) -> list[Step]:
        """The slopes of all readers of a node, what comes through each of them, and the sum."""
        found, delta = self.backward.parts[node], self.backward.delta[node]
        if node not in self.deltas and self.elsewhere(node):
            return [Step(f"{head} = {text.text(self.read(delta, own))}", own, (self.read(delta, own),), delta)]
        out, seen = [], dict.fromkeys((reader for reader, _ in found), 0)
        for reader, part in found:
            claims, through = [self.read(part, own)], "the step after"
            if reader is not None:
                places = [i for i, v in enumerate(reader.args) if v.node is node]
                words, summed = self.slope(reader, places[seen[reader]], own)
                seen[reader] += 1
                through = self.said(reader)
                out += [] if words.startswith(f"{head} = ") else [Step(words)]
                claims = [*([] if summed is None else [summed]), *claims]
            shown = dict.fromkeys(text.text(f) for f in claims)
            start = f"{head} = " if len(found) == 1 else f"through {through}: "
            out.append(Step(start + " = ".join(shown), own, tuple(claims), part))
        if len(found) > 1 and node is not self.statement.by:
            total = self.read(delta, own)
            out.append(Step(f"{head} = {text.text(total)}", own, (total,), delta))
        return out

    def read(self, view: View, space: Sequence[str]) -> Formula:
        """What a view reads, as lines have it; what this line computes is written out."""
        line, node = self.statement.line, view.node
        if node is not self.statement.view.node or self.names.get(node) != line.symbol:
            return self.composer.read(view, space)
        own = tuple(space[i.plain] for i in view.index)  # type: ignore[index]
        return line.formula if own == line.labels else self.composer.written(node, own)

    def slope(self, reader: Node, which: int, own: tuple[str, ...]) -> tuple[str, Formula | None]:
        """How a reader changes with its argument number ``which``, and the gradient by it times that, summed.

        The argument's axes have the labels ``own``. Without a formula, the words say what happens.
        """
        view = reader.args[which]
        top, bottom = self.said(reader), self.said(view.node)
        words = {
            "reshape": f"{top} has the same numbers as {bottom}, arranged in another shape",
            "concat": f"{top} holds the numbers of {bottom} as a part",
            "carry": f"{top} starts with {bottom}",
            "opaque": f"∂{top}/∂{bottom} is computed by the program, and not derived here",
        }
        if reader.op in words:
            return words[reader.op], None
        space, tests = self.spaced(reader, view, own)
        out = space[: len(reader.shape)]
        if reader.name in ("softmax", "log_softmax"):
            out = list(space)
            for axis in reader.axes:
                out[axis] = fresh(space[axis], [*space, *out])
        local = self.local(reader, which, space, out)
        if local is None:
            return f"∂{top}/∂{bottom} is 1 where {top} is the first of the largest (or smallest) numbers, else 0", None
        body = algebra.times(self.gradient(reader, out), local)
        for test in tests:
            body = algebra.times(body, test)
        summed = tuple(label for label in dict.fromkeys([*out, *space]) if label not in own)
        total = Total(summed, body) if summed else body
        if reader.op == "map" and view.whole:
            return f"∂{top}/∂{bottom} = {text.text(local)}", total
        entries = ", ".join(text.text(explicit(self.composer.entry(i, space), self.labels)) for i in view.index)
        left = f"∂{top}[{', '.join(out)}]/∂{bottom}[{entries}]".replace("[]", "")
        return f"{left} = {text.text(explicit(local, self.labels))}", total

    def spaced(self, reader: Node, view: View, own: tuple[str, ...]) -> tuple[list[str], list[Formula]]:
        """Labels for the space of a reader whose argument has the labels ``own``, and tests of what places it reads."""
        space: list[str] = [""] * len(view.shape)
        others: list[tuple[str, Index | Lookup]] = []
        for label, index, size in zip(own, view.index, view.node.shape, strict=True):
            if index.plain is not None and not space[index.plain] and view.shape[index.plain] == size:
                space[index.plain] = label
            else:
                others.append((label, index))
        for p in range(len(space)):
            space[p] = space[p] or fresh(self.composer.axes.space(reader, p), [*space, *own])
        return space, [Test("=", Place(((label, 1),)), self.composer.entry(i, space)) for label, i in others]

    def local(self, reader: Node, which: int, space: list[str], out: list[str]) -> Formula | None:
        """The slope of a reader by one of its arguments, between one place of each."""
        if reader.op == "map":
            composer, slope = self.table(reader, which)
            return _share(composer.read(slope, space))
        reads = [self.composer.read(v, space) for v in reader.args]
        if reader.op == "contract":
            product: Formula = Number(1)
            for k, factor in enumerate(reads):
                product = product if k == which else algebra.times(product, factor)
            return product
        axes, x, y = tuple(space[a] for a in reader.axes), reads[which], self.composer.read(whole(reader), out)
        here = [Test("=", Place(((out[a], 1),)), Place(((space[a], 1),))) for a in reader.axes if len(out) > a]
        same: Formula = here[0] if len(here) == 1 else Product(tuple(here))
        shares = Call("softmax", (x,), axes)
        match reader.name:
            case "softmax":
                return algebra.times(y, algebra.plus(same, self.composer.read(whole(reader), space), -1))
            case "log_softmax":
                return algebra.plus(same, shares, -1)
            case "logsumexp":
                return shares
            case "cross_entropy":
                return algebra.plus(shares, Test("=", Place(((axes[0], 1),)), reads[1]), -1)
            case "prod":
                return algebra.over(y, x)
            case "max" | "min" if reader.args[0].plain is not None:
                return Quotient(Test("=", x, y), Total(axes, Test("=", x, y)))
        return None

    def table(self, reader: Node, which: int) -> tuple[Composer, View]:
        """The slope of an elementwise function, and a composer that knows which of its numbers grow with N."""
        slope = _slope(reader, which)
        twin = self.derivation.pairs.get(reader)
        if twin is None:
            return self.composer, slope
        pairs = paired(reachable([slope], {}), reachable([_slope(twin, which)], {})) or {}
        rows = tuple(d.rows for d in self.derivation.derived)
        grown = scales(pairs, rows) or {}  # type: ignore[arg-type]
        return replace(self.composer, scales={**self.composer.scales, **grown}), slope


def _slope(reader: Node, which: int) -> View:
    slope = SLOPES[reader.name](*reader.args, whole(reader))[which]
    if slope is None:
        raise CannotExplain(f"{reader.name} has no slope by its argument number {which}.")
    return slope


def _share(f: Formula) -> Formula:
    """0.2 as 1 / 5."""
    if isinstance(f, Number) and f.power == 0 and 0 < f.value < 1 and abs(1 / f.value - round(1 / f.value)) < 1e-12:
        return Quotient(Number(1), Number(round(1 / f.value)))
    return f
