"""Reads a printed line: text becomes a syntax tree, by docs/notation.md and by nothing that prints."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, NoReturn

from chainrule.errors import ChainruleError

_OF_ONE = """exp log log1p expm1 exp2 sin cos tan arcsin arccos arctan sinh cosh tanh asinh arccosh arctanh
    abs sign floor ceil round cbrt erf erfc erfinv lgamma digamma isfinite truncate number stop
    √ σ ReLU softplus SiLU GELU Φ φ not"""
_OF_TWO = "BCE maximum minimum arctan2 logaddexp remainder floor_divide and or"
ELEMENTWISE: dict[str, int] = dict.fromkeys(_OF_ONE.split(), 1) | dict.fromkeys(_OF_TWO.split(), 2) | {"where": 3}
ALONG = frozenset("max min prod any all argmax argmin logsumexp mean softmax log_softmax".split())
_FUNCTIONS = frozenset(ELEMENTWISE) | ALONG | {"before", "after", "concat", "reshape", "CE"}
_RELATIONS = frozenset("<≤>≥=≠")
_RESERVED = frozenset({"Σ", "opaque", "NaN", "∞"})
_PRIMES = ("", "′", "″", "‴", "⁗")
_NEVER_IN_NAMES = re.compile(r"[\s()\[\]{},;]")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_END_OF_WORD = rf"(?=$|[\s()\[\]{{}},;_^{_SUPERSCRIPTS}ᵀ+−⊙/<≤>≥=≠])"


class NotationError(ChainruleError):
    """A line that breaks the rules of the notation; the message says where."""

    @classmethod
    def at(cls, line: str, place: int, message: str) -> "NotationError":
        """The error that names the place of a line."""
        rest = line[place : place + 20]
        return cls(f"{line!r} at character {place + 1} ({repr(rest) if rest else 'the end'}): {message}")


def kind(label: str) -> str:
    """The label without its primes: labels of one kind have one length."""
    return label.rstrip("′″‴⁗")


@cache
def primed(label: str, more: int = 0) -> str:
    """The label in its one spelling (t″, never t′′), with some primes more."""
    base = kind(label)
    fours, rest = divmod(sum(map(_PRIMES.index, label[len(base) :])) + more, 4)
    return base + "⁗" * fours + _PRIMES[rest]


class Node(NamedTuple):
    """One step of a formula: what it is, where it stands in the line, its words, and its parts.

    form        word                parts
    number      its value           none
    label       its name            none
    symbol      its name            none                 N too
    transposed  the symbol's name   none
    sum         signs, 1 or -1      the terms
    applied     its name            the arguments        functions number by number, ⊙ / ^ and relations
    beside      right is bare       two                  juxtaposition
    total       labels              the body             Σ
    index       the symbol's name   one for each place
    along       function, labels    one                  labels None: the last axis of a symbol
    step        function, label     a and its edge       before, after
    concat      the new label       symbols
    entropy     none                scores and labels    CE
    reshape     labels              the symbol
    """

    form: str
    place: int
    word: Any = None
    parts: tuple["Node", ...] = ()


@dataclass(frozen=True)
class ParsedLine:
    """A line that was read: its text, the symbol on the left (with labels, when they are written) and the formula."""

    line: str
    symbol: str
    labels: tuple[str, ...] | None
    formula: Node


class Vocabulary:
    """The names that lines may use, prepared once: symbols, and labels without primes (which are understood)."""

    def __init__(self, symbols: Collection[str], labels: Collection[str]):
        self.symbols = frozenset(symbols)
        self.labels = frozenset(map(kind, labels))
        names = self.symbols | self.labels
        for name in names:
            if not name or _NEVER_IN_NAMES.search(name) or name in _RESERVED:
                raise NotationError(
                    f"{name!r} cannot be the name of a symbol or label: it could not be read in a line."
                )
        longest_first = sorted(names | _FUNCTIONS | {"N"}, key=len, reverse=True)
        self.pattern = re.compile(
            rf"\s*(?:(?P<test>1\[)|(?P<name>(?:{'|'.join(map(re.escape, longest_first))})[′″‴⁗]*){_END_OF_WORD}"
            rf"|(?P<number>\d+(?:\.\d+)?(?:e[+−]?\d+)?|∞|NaN){_END_OF_WORD}"
            rf"|(?P<exponent>[{_SUPERSCRIPTS}]+)"
            r"|(?P<mark>[−+⊙/^()\[\]{},;=<≤>≥≠Σ_ᵀ])|(?P<end>$))"
        )


def parse(line: str, vocabulary: Vocabulary) -> ParsedLine:
    """Read `symbol = formula`; raises NotationError at the first place that the notation does not allow."""
    return _Parser(line, vocabulary).parsed()


class _Token(NamedTuple):
    kind: str  # name, number, exponent, test, end, or the mark itself
    text: str
    place: int


class _Parser:
    """Recursive descent, one method for each row of the notation's table, loosest first."""

    def __init__(self, line: str, vocabulary: Vocabulary):
        self.line, self.vocabulary = line, vocabulary
        self.tokens = list(self._tokens())
        self.position = 0
        self.token = self.tokens[0]
        self.within_places = False
        self.symbols_seen = 0

    def _tokens(self):
        match, place = self.vocabulary.pattern.match, 0
        while True:
            found = match(self.line, place)
            if not found:
                self._unknown(place)
            name = found.lastgroup or ""
            text, start, place = found[name], found.start(name), found.end()
            yield _Token(text if name == "mark" else name, text, start)
            if name == "end":
                return

    def _unknown(self, place: int) -> NoReturn:
        place += len(self.line[place:]) - len(self.line[place:].lstrip())
        word = re.match(r"[^\s()\[\]{},;]*", self.line[place:])[0]  # pyright: ignore[reportOptionalSubscript]
        if word == "opaque":
            self.fail("an opaque operation is computed by the program, and cannot be read.", place)
        self.fail(f"{word!r} is no known symbol, label, function or number.", place)

    def fail(self, message: str, place: int | None = None) -> NoReturn:
        raise NotationError.at(self.line, self.token.place if place is None else place, message)

    def advance(self) -> _Token:
        passed = self.token
        self.position += 1
        self.token = self.tokens[self.position]
        return passed

    def accept(self, mark: str) -> bool:
        if self.token.kind != mark:
            return False
        if mark != "end":
            self.advance()
        return True

    def expect(self, mark: str, why: str) -> None:
        if self.accept(mark):
            return
        if self.token.kind in _RELATIONS:
            self.fail("a test stands within 1[...] only.")
        self.fail(f"{'the end' if mark == 'end' else repr(mark)} is expected {why}.")

    def touches(self, marks: str) -> bool:
        """Whether the present token is directly followed, without a space, by one of these marks."""
        after = self.token.place + len(self.token.text)
        return self.line[after : after + 1] in tuple(marks)

    def parsed(self) -> ParsedLine:
        left = self.token
        if left.text not in self.vocabulary.symbols:
            self.fail("a line begins with the symbol that it defines.")
        self.advance()
        labels = self.labels("]") if self.accept("[") else None
        self.expect("=", "after the symbol that the line defines")
        formula = self.sum()
        self.expect("end", "or an operator")
        return ParsedLine(self.line, left.text, labels, formula)

    def label(self) -> str:
        text = self.token.text
        if self.token.kind != "name" or kind(text) not in self.vocabulary.labels:
            self.fail("a label is expected.")
        self.advance()
        return primed(text)

    def labels(self, closing: str) -> tuple[str, ...]:
        """Labels with commas between them, up to the closing mark."""
        found = []
        while not self.accept(closing):
            if found:
                self.expect(",", "between labels")
            if self.token.kind == "name" and primed(self.token.text) in found:
                self.fail("this label stands here twice.")
            found.append(self.label())
        return tuple(found)

    def subscript(self) -> tuple[str, ...]:
        self.expect("_", "before the labels")
        labels = self.labels("}") if self.accept("{") else (self.label(),)
        return labels or self.fail("a label is expected in the braces.")

    def sum(self) -> Node:
        place, signs, terms = self.token.place, [], []
        sign = -1 if self.accept("−") else 1
        while True:
            signs.append(sign)
            terms.append(self.product())
            if self.token.kind not in ("+", "−"):
                break
            sign = 1 if self.advance().kind == "+" else -1
        return terms[0] if signs == [1] else Node("sum", place, tuple(signs), tuple(terms))

    def product(self) -> Node:
        left = self.multiple()
        while self.token.kind in ("⊙", "/"):
            operation = self.advance()
            left = Node("applied", operation.place, operation.kind, (left, self.multiple()))
        return left

    def multiple(self) -> Node:
        start = self.token
        left = self.total()
        if self.token.kind not in ("name", "number", "test", "(", "Σ"):
            return left
        if start.kind == "(" or left.form not in ("number", "symbol", "transposed"):
            self.fail("before an array without ⊙ stands a number or a bare symbol, nothing else.", start.place)
        bare = self.token.kind != "("
        right = self.multiple()
        return Node("beside", start.place, bare and right.form in ("symbol", "transposed"), (left, right))

    def total(self) -> Node:
        place = self.token.place
        if not self.accept("Σ"):
            return self.power()
        labels = self.subscript()
        return Node("total", place, labels, (self.power(),))

    def power(self) -> Node:
        base = self.atom()
        place = self.token.place
        if self.token.kind == "exponent":
            digits = self.advance().text.translate(str.maketrans(_SUPERSCRIPTS, "0123456789"))
            exponent = Node("number", place, float(digits))
        elif self.accept("^"):
            exponent = self.atom()
        else:
            return base
        if self.token.kind in ("exponent", "^"):
            self.fail("a power of a power needs brackets.")
        return Node("applied", place, "^", (base, exponent))

    def atom(self) -> Node:
        token = self.token
        if token.kind == "name":
            node = self.named()
        elif token.kind == "number":
            node = Node("number", token.place, float(self.advance().text.replace("−", "-").replace("∞", "inf")))
        elif self.accept("("):
            node = self.sum()
            self.expect(")", "at the end of the bracket")
        elif self.accept("test"):
            node = self.test(token.place)
        else:
            self.fail("a number, a symbol, a label, a function or a bracket is expected.")
        if self.token.kind in ("ᵀ", "["):
            self.fail("ᵀ and [...] follow a bare symbol only.")
        return node

    def test(self, place: int) -> Node:
        left = self.sum()
        if self.token.kind not in _RELATIONS:
            self.fail("one of < ≤ > ≥ = ≠ is expected in 1[...].")
        relation = self.advance().text
        right = self.sum()
        self.expect("]", "after the test")
        return Node("applied", place, relation, (left, right))

    def named(self) -> Node:
        token, text = self.token, self.token.text
        if text in _FUNCTIONS and self.touches("(_"):
            return self.function()
        if self.touches("(_"):
            self.fail(f"{text!r} is no known function, and no symbol of this line is called so.")
        label = kind(text) in self.vocabulary.labels
        if (text == "N" or text in self.vocabulary.symbols) and not (
            label and self.within_places and not self.touches("[")
        ):
            self.advance()
            self.symbols_seen += text != "N"
            if self.accept("ᵀ"):
                return Node("transposed", token.place, text)
            return self.index(token) if self.accept("[") else Node("symbol", token.place, text)
        if not label:
            self.fail(f"{text!r} is no known symbol, label, function or number.")
        return Node("label", self.advance().place, primed(text))

    def index(self, symbol: _Token) -> Node:
        outer, self.within_places = self.within_places, True
        places = [self.entry()]
        while self.accept(","):
            places.append(self.entry())
        self.expect("]", "after the places")
        self.within_places = outer
        return Node("index", symbol.place, symbol.text, tuple(places))

    def entry(self) -> Node:
        place, seen = self.token.place, self.symbols_seen
        node = self.sum()
        if self.symbols_seen != seen and node.form not in ("symbol", "index"):
            self.fail("a place is a label, a number made of labels, or a symbol of whole numbers.", place)
        return node

    def function(self) -> Node:
        name, place = self.token.text, self.token.place
        self.advance()
        labels = self.subscript() if self.token.kind == "_" else None
        self.expect("(", f"after {name}")
        starts, parts = [], []
        while not parts or self.accept(","):
            starts.append(self.token.kind)
            parts.append(self.sum())
        if name == "reshape":
            self.expect(";", "before the labels of reshape")
            labels = self.labels(")")
        else:
            self.expect(")", f"after the argument of {name}, or a comma")
        bare = [start != "(" and part.form == "symbol" for start, part in zip(starts, parts, strict=True)]
        return self.called(name, place, labels, tuple(parts), bare)

    def called(self, name: str, place: int, labels: tuple | None, parts: tuple, bare: list[bool]) -> Node:
        """The node of a function, once its arguments fit it."""
        wanted = ELEMENTWISE.get(name) or {"CE": 2, "before": 2, "after": 2, "concat": len(parts)}.get(name, 1)
        if len(parts) != wanted:
            self.fail(f"{name} takes {wanted} arguments, {len(parts)} are given.", place)
        if name in ELEMENTWISE:
            if labels:
                self.fail(f"{name} works number by number: it takes no labels.", place)
            return Node("applied", place, name, parts)
        if name == "CE":
            if labels or not bare[0] or parts[1].form not in ("symbol", "index"):
                self.fail("CE takes a bare symbol, and a symbol of whole numbers.", place)
            return Node("entropy", place, None, parts)
        if (name in ("concat", "reshape") or labels is None and name in ALONG) and not all(bare):
            self.fail(f"{name} needs {'bare symbols' if name != 'reshape' else 'a bare symbol'}, or labels.", place)
        if name in ALONG:
            return Node("along", place, (name, labels), parts)
        if name == "reshape":
            return Node("reshape", place, labels, parts)
        if labels is None or len(labels) != 1:
            self.fail(f"{name} takes one label, such as {name}_t.", place)
        return (
            Node("concat", place, labels[0], parts) if name == "concat" else Node("step", place, (name, *labels), parts)
        )
