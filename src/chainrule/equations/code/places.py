"""Places at which the axes of an array are read, as slices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.equations.code.arrays import ATOM, Code, linear


@dataclass(frozen=True)
class At:
    """A place where it is read: labels that are axes, variables of loops around it, and the range of its numbers."""

    free: tuple[tuple[str, int], ...]
    fixed: tuple[tuple[str, int], ...]
    offset: int
    divisor: int
    low: int
    high: int


Axis = str | At | Code
"""How an axis is read: whole, under a label; at a place; at whole numbers that are looked up."""


def axis_labels(axis: Axis) -> list[str]:
    """The labels that an axis has when it is read so."""
    return [axis] if isinstance(axis, str) else [] if isinstance(axis, Code) else [label for label, _ in axis.free]


def beyond(at: At, size: int | None) -> tuple[int, int]:
    """How many numbers outside of an axis a place reads in front and behind."""
    if size is None:
        return 0, 0
    return max(0, -at.low), max(0, at.high - (size - 1) * at.divisor)


def sliced(text: str, axes: Sequence[Axis], sizes: Sequence[int | None], size: Callable) -> Code:
    """An array whose axes are numbers and slices; ``size`` gives the length of a label."""
    shown = trimmed([axis_text(a, n, size) for a, n in zip(axes, sizes, strict=True)])
    labels = tuple(label for a in axes for label in axis_labels(a))
    return Code(f"{text}[{', '.join(shown)}]" if shown else text, labels, ATOM)


def trimmed(entries: Sequence[str]) -> list[str]:
    """Entries of an index without the last ones that say nothing."""
    out = list(entries)
    while out and out[-1] == ":":
        out.pop()
    return out


def axis_text(axis: Axis, width: int | None, size: Callable[[str], int | None]) -> str:
    """An axis as a number or a slice."""
    if not isinstance(axis, At):
        return ":"
    if not axis.free:
        return linear(axis.fixed, axis.offset).text
    ((label, c),) = axis.free
    first, last = axis.offset, axis.offset + c * ((size(label) or 1) - 1)
    start, stop = (linear(axis.fixed, k).text for k in (first, last + (1 if c > 0 else -1)))
    if not axis.fixed and width is not None:
        start = "" if first == (0 if c > 0 else width - 1) else start
        stop = "" if (last + c >= width if c > 0 else last + c < 0) else stop
    texts = [start, stop] if c == 1 else [start, stop, str(c)]
    if all(t.isalnum() or t in ("", f"{c}") for t in texts):
        return ":".join(texts)
    return " : ".join(texts).strip()
