"""An explanation: lines with their checks, a legend, and its prints."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import overload

from chainrule.equations import views
from chainrule.equations.checks.verify import Check
from chainrule.equations.code import module
from chainrule.equations.derivation.derive import Derivation
from chainrule.equations.formula import Line
from chainrule.equations.numbers import Numbers, expand, numbers
from chainrule.equations.prints import latex, layout, page, text
from chainrule.equations.prints.legend import Entry, axes, legend, statement_shape
from chainrule.equations.steps import steps


@dataclass(frozen=True)
class ExplainedLine:
    """One line of an explanation with what was found about it."""

    symbol: str
    text: str
    kind: str
    """forward, loss, backward or update."""
    shape: str
    scope: str
    """The layer that the line belongs to, as ``cr.summary`` names it; "" outside of layers."""
    status: str
    """verified, opaque (not derived) or failed."""
    errors: dict[str, float]
    """The relative error of each check: value, gradient, printed."""
    reason: str
    line: Line = field(repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Explanation:
    """The equations of a program, forward and backward, each line checked: a sequence of ``ExplainedLine``.

    ``ex[0]`` is the first line, ``ex[-3:]`` the last three, ``len(ex)`` how many there are.
    """

    derivation: Derivation = field(repr=False)
    checks: tuple[Check, ...] = field(repr=False)
    update: tuple[ExplainedLine, ...] = field(default=(), repr=False)
    """The lines of the optimizer's rule."""
    update_legend: tuple[Entry, ...] = field(default=(), repr=False)

    @cached_property
    def lines(self) -> tuple[ExplainedLine, ...]:
        """All lines, in the order in which they are computed."""
        pairs = zip(self.derivation.statements, self.checks, strict=True)
        derived = tuple(
            ExplainedLine(
                s.line.symbol,
                text.line(s.line),
                s.line.kind,
                statement_shape(self.derivation, s),
                s.place,
                c.status,
                dict(c.errors),
                c.reason,
                s.line,
            )
            for s, c in pairs
        )
        return derived + self.update

    @property
    def verified(self) -> bool:
        """Whether every line is verified."""
        return all(line.status == "verified" for line in self.lines)

    @property
    def legend(self) -> tuple[Entry, ...]:
        """Every symbol in plain words."""
        return legend(self.derivation) + self.update_legend

    @property
    def axes(self) -> tuple[tuple[str, str, str], ...]:
        """The labels of axes, their lengths, and what they count."""
        return axes(self.derivation)

    @property
    def verdict(self) -> str:
        """What the checks found, in one sentence."""
        return layout.verdict(self)

    def text(self, path: str | Path | None = None, *, width: int = 80, fold: bool = True, color: bool = False) -> str:
        """The explanation as Unicode text; written to a file when a path is given."""
        return _written(layout.page(self, width, fold, color), path)

    def latex(self, path: str | Path | None = None, *, convention: str = "rows") -> str:
        """A LaTeX document: aligned equations and the legend.

        ``convention="columns"`` has examples as columns, as in z = Wᵀx + b; each line is checked in that form too.
        CannotExplain when one fails, or the convention is another.
        """
        return _written(latex.document(*views.document(self, convention)), path)

    def html(self, path: str | Path | None = None, *, example: int | None = None) -> str:
        """A page of HTML with MathML in which each symbol leads to its definition; no script, no network.

        With an ``example``, counted from 0, a symbol under the pointer shows its numbers too.
        """
        return _written(page.page(views.view(self, example)), path)

    def numpy(self, path: str | Path | None = None) -> str:
        """A module of NumPy alone that computes what the lines say: forward, loss, gradients, and a step.

        CannotExplain when a line is opaque, for NumPy does not know the operation.
        """
        return _written(module(views.listing(self)), path)

    def steps(self, symbol: str) -> tuple[str, ...]:
        """How a line follows: the chain rule, the local Jacobian, what is left. ``"δz2"``, or in ASCII ``"dz2"``."""
        return steps(self.derivation, symbol)

    def numbers(self, example: int = 0) -> Numbers:
        """The lines with the real numbers of one example of the data, counted from 0."""
        return numbers(self.derivation, example)

    def expand(self, symbol: str, index: tuple[int, ...] = (), terms: int = 12) -> str:
        """One entry of an array as the sum that it is, with its numbers: ``expand("z1", (0, 5))``."""
        return expand(self.derivation, symbol, index, terms=terms)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return page.page(views.view(self), whole=False)

    def __iter__(self) -> Iterator[ExplainedLine]:
        return iter(self.lines)

    @overload
    def __getitem__(self, at: int) -> ExplainedLine: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ExplainedLine, ...]: ...
    def __getitem__(self, at: int | slice) -> ExplainedLine | tuple[ExplainedLine, ...]:
        return self.lines[at]

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        return f"Explanation({self.derivation.subject.title}: {len(self.lines)} lines, {self.verdict})"


def _written(content: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(content, encoding="utf-8")
    return content
