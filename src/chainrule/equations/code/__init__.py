"""A module of NumPy alone from the lines of an explanation: one statement for each line, in the order of computation.

The module has ``forward``, ``loss``, ``gradients`` and ``update``, as far as the lines say what they are.
"""

import re
import textwrap
from collections.abc import Mapping

import numpy as np

from chainrule.equations.code.copied import HELPERS, sources
from chainrule.equations.code.functions import Functions
from chainrule.equations.code.layout import WIDTH, spelled, statement
from chainrule.equations.code.listing import Listing, Variable
from chainrule.equations.code.names import python_name, unique_names
from chainrule.equations.code.reads import Names
from chainrule.equations.code.updates import update
from chainrule.equations.derivation.axes import bare
from chainrule.equations.formula import Call, Formula, Place, Total, parts, symbols
from chainrule.errors import CannotExplain

__all__ = ["Listing", "Variable", "module"]


def module(program: Listing) -> str:
    """The source text of a NumPy module that computes what the lines say.

    Errors
        CannotExplain, naming the line, for what has no NumPy form (operations that only the traced program knows)
    """
    roots = {v.symbol: _root(v) for v in program.inputs}
    names = _names(program, roots)
    functions = Functions(program, names, roots)
    made = functions.all()
    if any(line.kind == "update" for line in program.lines):
        made.append(update(program, names, functions.paths, roots))
    helpers = sources(sorted(names.helpers))
    text = [_docstring(program), ""]
    if any("math." in source for source in helpers):
        text += ["import math", ""]
    text += ["import numpy as np", ""]
    for symbol, value in program.constants.items():
        if symbol in functions.read_constants:
            text += statement(f"{names.names[symbol]} = ", _array(value), "", "")
    blocks = ["\n".join(text).rstrip(), *helpers, *made]
    return "\n\n\n".join(blocks) + "\n"


def _root(variable: Variable) -> str:
    match = re.match(r"[^\W\d]\w*", variable.path)
    if match is None:
        raise CannotExplain(f"The input {variable.symbol} has no path in the arguments, but {variable.path!r}.")
    return match.group()


def _names(program: Listing, roots: Mapping[str, str]) -> Names:
    exact = {v.symbol: v.path for v in program.inputs if v.path == roots[v.symbol] and python_name(v.path) == v.path}
    taken = {*HELPERS, *roots.values(), "forward", "loss", "gradients", "update", "grads", "_forward", "_loss"}
    mentioned = [v.symbol for v in program.inputs] + [*program.constants] + [line.symbol for line in program.lines]
    numbers = [s for line in program.lines if line.kind == "update" for s in symbols(line.formula)]
    names = unique_names([*mentioned, *program.variables, *numbers], taken, exact)
    labels: dict[str, tuple[str, ...]] = dict.fromkeys(numbers, ())  # settings of an optimizer, if nothing else is said
    labels |= {v.symbol: v.labels for v in (*program.variables.values(), *program.inputs)}
    labels |= {line.symbol: line.labels for line in program.lines}
    found = dict.fromkeys(label for line in program.lines for label in (*line.labels, *_labels(line.formula)))
    variables = unique_names(found, {*taken, *names.values()}, {})
    first = [bare(v.labels[0]) for v in program.inputs if roots[v.symbol] != "params" and v.labels]
    rows = next((label for label in first if label not in program.sizes), "n" if "n" in first else "")
    return Names(names, labels, program.sizes, rows, variables)


def _labels(f: Formula) -> list[str]:
    """The labels that a formula says."""
    match f:
        case Place(terms):
            return [label for label, _ in terms]
        case Total(labels, _) | Call(_, _, labels):
            return [*labels, *(x for part in parts(f) for x in _labels(part))]
    return [x for part in parts(f) for x in _labels(part)]


def _docstring(program: Listing) -> str:
    """What the module is, and where each input of the formulas is found in its arguments."""
    title = textwrap.shorten(_escaped(program.title), 70, placeholder=" ...").rstrip(".") or "A program"
    lines = [f'"""{title[:1].upper()}{title[1:]}: one NumPy statement for each printed line.']
    rows = [(spelled(v.path), v.symbol, _shape(v, program.sizes), v.words) for v in program.inputs]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(3)]
    for row in rows:
        shown = "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        lines += ["", "Inputs, with the symbols of the lines:", *_wrapped(shown)] if row is rows[0] else _wrapped(shown)
    text = "\n".join([*_wrapped(lines[0]), *lines[1:], '"""'] if len(lines) > 1 else [lines[0] + '"""'])
    return f"r{text}" if "\\" in text else text


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        _escaped(text) if not text.startswith('"""') else text,
        WIDTH,
        initial_indent="" if text.startswith('"""') else "    ",
        subsequent_indent="        ",
        replace_whitespace=False,
    )


def _escaped(text: str) -> str:
    return text.replace('"""', "'''")


def _shape(variable: Variable, sizes: Mapping[str, int]) -> str:
    lengths = [f"{label} = {sizes[bare(label)]}" if bare(label) in sizes else label
               for label in variable.labels]  # fmt: skip
    return f"({', '.join(lengths)})" if lengths else ""


def _array(value: np.ndarray) -> str:
    value = np.asarray(value)
    if value.size > 1 and (value == value.flat[0]).all() and value.dtype.kind in "fiu":
        return f"np.full({value.shape}, {_number(value.flat[0].item())})"
    if value.size == 0:
        return f"np.zeros({value.shape})"
    return f"np.array({_listed(value.tolist())})"


def _listed(value: object) -> str:
    return f"[{', '.join(map(_listed, value))}]" if isinstance(value, list) else _number(value)


def _number(value: object) -> str:
    shown = repr(value)
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(shown, shown)
