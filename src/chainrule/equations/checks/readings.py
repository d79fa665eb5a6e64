"""What an independent reader of printed lines is given: symbols with their values, labels with their lengths, and N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.equations.checks import grammar, meaning
from chainrule.equations.checks.meaning import Labeled
from chainrule.equations.checks.values import checked_values, graph_values
from chainrule.equations.derivation.axes import space_of
from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.derivation.scales import paired
from chainrule.equations.derivation.traces import Derived
from chainrule.trace.evaluate import full
from chainrule.trace.graph import Node


@dataclass(frozen=True, eq=False)
class Known:
    """Symbols with their numbers, labels with their lengths, and N."""

    values: Mapping[str, Labeled]
    sizes: Mapping[str, int]
    examples: int
    given: int = 0
    """How many examples of the data there are among them."""
    note: str = ""

    @cached_property
    def vocabulary(self) -> grammar.Vocabulary:
        """The names that lines may use."""
        return grammar.Vocabulary(self.values, self.sizes)

    def value(self, printed: str) -> np.ndarray:
        """The value of a printed line; NotationError when it breaks the rules of the notation."""
        parsed = grammar.parse(printed, self.vocabulary)
        return meaning.evaluate(parsed, self.values, self.sizes, self.examples).value


def known(derivation: Derivation, derived: Derived, inputs: Sequence[Any]) -> Known:
    """The values of all symbols for some inputs of the program at one of its numbers of examples."""
    first = derivation.derived[0]
    pairs = paired(first.order, derived.order) or {}
    return labeled(derivation, derived, pairs, computed(derived, inputs))


def computed(derived: Derived, inputs: Sequence[Any]) -> dict[Node, np.ndarray]:
    """The values of all nodes as the graph computes them; loops, noise and opaque nodes need the program for it."""
    with np.errstate(all="ignore"):
        if derived.graph.links or any(n.op in ("drawn", "opaque") for n in derived.order):
            return checked_values(derived, (), list(inputs)).graph
        return graph_values(derived, list(inputs))


def labeled(
    derivation: Derivation, derived: Derived, pairs: Mapping[Node, Node], values: Mapping[Node, np.ndarray]
) -> Known:
    """The symbols with the values of the nodes of a program; ``pairs``: the first program's nodes with that one's."""
    composer, found = derivation.composer, {}
    for node, name in composer.names.items():
        if pairs.get(node) in values:
            found[name] = Labeled(np.asarray(values[pairs[node]]), composer.natural(node))
    for s in derivation.statements:
        if s.line.symbol not in found and s.by is not None:
            view = derived.backward.delta[pairs[s.by]]
            found[s.line.symbol] = Labeled(full(view, values), s.line.labels)
    return Known(found, lengths(derivation, pairs), derived.rows or 1, derived.rows or 1)


def lengths(derivation: Derivation, pairs: Mapping[Node, Node]) -> dict[str, int]:
    """The length of each label at the number of examples of the program whose nodes ``pairs`` has."""
    axes, sizes = derivation.composer.axes, {}
    for (of, *where), root in axes.kinds.items():
        node = pairs.get(of, of)
        sizes[axes.names[root]] = (space_of(node) if where[0] == "space" else node.shape)[where[-1]]
    return sizes
