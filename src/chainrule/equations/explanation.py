"""An explanation: lines with their checks, a legend, and its prints."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chainrule.equations import layout, text
from chainrule.equations.derive import Derivation
from chainrule.equations.formula import Line
from chainrule.equations.legend import Entry, axes, legend, statement_shape
from chainrule.equations.verify import Check


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
    """The equations of a program, forward and backward, each line checked."""

    derivation: Derivation = field(repr=False)
    checks: tuple[Check, ...] = field(repr=False)

    @cached_property
    def lines(self) -> tuple[ExplainedLine, ...]:
        """All lines, in the order in which they are computed."""
        pairs = zip(self.derivation.statements, self.checks, strict=True)
        return tuple(
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

    @property
    def verified(self) -> bool:
        """Whether every line is verified."""
        return all(c.status == "verified" for c in self.checks)

    @property
    def legend(self) -> tuple[Entry, ...]:
        """Every symbol in plain words."""
        return legend(self.derivation)

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

    def __str__(self) -> str:
        return self.text()

    def __iter__(self) -> Iterator[ExplainedLine]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        return f"Explanation({self.derivation.subject.title}: {len(self.checks)} lines, {self.verdict})"


def _written(content: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(content, encoding="utf-8")
    return content
