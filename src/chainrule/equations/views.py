"""An explanation as what its prints need: the rows of a page, the groups of a document, the listing of a module."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.equations import columns
from chainrule.equations.code.copied import HELPERS
from chainrule.equations.code.listing import Listing, Variable
from chainrule.equations.code.names import argument_name
from chainrule.equations.derivation.derive import path_of
from chainrule.equations.derivation.paths import plain
from chainrule.equations.formula import Line
from chainrule.equations.prints import page
from chainrule.equations.prints.layout import HEADINGS
from chainrule.equations.prints.legend import FIRST, references
from chainrule.errors import CannotExplain
from chainrule.trace.graph import Node

if TYPE_CHECKING:
    from chainrule.equations.explanation import Explanation


def view(ex: "Explanation", example: int | None = None) -> page.View:
    """The page of an explanation, with the numbers of one example if it is named."""
    words = {e.symbol: e.words for e in ex.legend}
    values = {} if example is None else {s: _short(v) for s, v in ex.numbers(example).values.items()}
    groups = []
    for kind, heading in HEADINGS.items():
        rows = tuple(
            page.Row(
                line.line, line.shape, words.get(line.symbol, ""), line.status, line.scope, values.get(line.symbol, "")
            )
            for line in ex.lines
            if line.kind == kind
        )
        if rows:
            groups.append((heading, rows))
    notes = (*ex.derivation.subject.preface, *FIRST, *ex.derivation.notes, *references(ex.lines))
    legend = tuple(page.Entry(e.symbol, e.shape, e.words, values.get(e.symbol, "")) for e in ex.legend)
    return page.View(ex.derivation.subject.title, ex.verdict, notes, tuple(groups), legend, ex.axes)


def document(
    ex: "Explanation", convention: str
) -> tuple[Sequence[tuple[str, Sequence[Line]]], list[tuple[str, str, str]], str]:
    """Groups, legend and title of a LaTeX document, with examples as "rows" or as "columns"."""
    lines = [line.line for line in ex.lines]
    if convention == "columns":
        failed = [c for c in columns.verify(ex.derivation) if c.status == "failed"]
        if failed:
            raise CannotExplain(f"A line fails its check with examples as columns: {failed[0].reason}")
        lines = [*columns.lines(ex.derivation), *(line.line for line in ex.update)]
    elif convention != "rows":
        raise CannotExplain(
            f'convention={convention!r}: "rows" or "columns" is expected: how examples lie in a matrix.'
        )
    groups = [(h, [line for line in lines if line.kind == kind]) for kind, h in HEADINGS.items()]
    return groups, [(e.symbol, e.shape, e.words) for e in ex.legend], ex.derivation.subject.title


def listing(ex: "Explanation") -> Listing:
    """What a NumPy module is made from."""
    opaque = [line for line in ex.lines if line.status == "opaque"]
    if opaque:
        raise CannotExplain(
            f"{opaque[0].text!r} is opaque: NumPy does not know this operation, so no module is written."
        )
    derivation = ex.derivation
    composer, words = derivation.composer, {e.symbol: e.words for e in ex.legend}
    inputs, constants = [], {}
    for node, name in composer.names.items():
        if node.op == "constant":
            constants[name] = node.value
        elif node.op in ("input", "drawn"):
            inputs.append(Variable(name, composer.natural(node), words.get(name, ""), _path(ex, node, name)))
    variables = {v.symbol: v for v in inputs}
    for line in ex.lines:
        labels = () if line.kind == "update" else line.line.labels  # a rule is the same for arrays of any shape
        variables[line.symbol] = Variable(line.symbol, labels, words.get(line.symbol, ""))
    for entry in ex.update_legend:
        variables.setdefault(entry.symbol, Variable(entry.symbol, (), entry.words))
    for node, name in composer.names.items():
        variables.setdefault(name, Variable(name, composer.natural(node), words.get(name, "")))
    gradients = {
        plain(s.by.name[1:]): s.line.symbol
        for s in derivation.statements
        if s.by is not None and s.by.op == "input" and s.line.symbol.startswith("∂L/∂")
    }
    first, *rest = derivation.derived[0].graph.outputs
    outputs = {"loss": "L"} if not first.shape else {}
    returned = rest or ([first] if first.shape else [])
    for k, out in enumerate(returned):
        if out.node in composer.names and out.plain is not None:
            outputs["outputs" if len(returned) == 1 else f"outputs[{k}]"] = composer.names[out.node]
    lines = tuple(replace(line.line, labels=variables[line.symbol].labels) for line in ex.lines)
    sizes = {label: n for label, n in composer.axes.sizes.items() if label not in derivation.grows}
    title, params = derivation.subject.title, derivation.subject.params
    return Listing(title, tuple(inputs), lines, variables, sizes, outputs, gradients, constants, params)


def _short(value: np.ndarray) -> str:
    """The first and last numbers of an array, on one line."""
    shown = np.array2string(np.asarray(value), precision=3, threshold=12, edgeitems=3, separator=", ")
    return " ".join(shown.split())


def _path(ex: "Explanation", node: Node, name: str) -> str:
    """Where an input is found: among the arguments, or, if it is drawn, as an argument of its own."""
    if node.op == "drawn":
        return name
    path = plain(path_of(ex.derivation.subject, node.name))
    return re.sub(r"^\w+", lambda root: argument_name(root.group(), HELPERS), path)
