"""Tables of ratios, in markdown: other / chainrule, so that above 1 chainrule is faster."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from rounds import Found, Timing

TIE = 0.77, 1.3
"""Ratios between these are ties: one library alone varies by as much from run to run."""
ALIKE = 1.5
"""Final training losses further apart than this factor belong to different trainings: no ratio is shown."""

BY_HEART = 0.02
"""A network whose training loss is below this knows its rows by heart; how far below is chance."""


@dataclass(frozen=True)
class Section:
    """A part of the results: its text, and the numbers of each round under the names that the aims know."""

    title: str
    table: str
    measured: dict[str, list[float]]


def columns(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A markdown table: the first column is text, the others are numbers."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compared(title: str, ours: str, found: Found, flops: int | None = None, peak: float | None = None) -> Section:
    """Everybody's median, ratio to ``ours`` and loss; with ``flops`` and ``peak`` (per second) the part of the peak."""
    own = found[ours]
    if isinstance(own, str):
        raise SystemExit(f"{ours} {own}")
    ratios = {name: paired(own, timings) for name, timings in found.items() if name != ours}
    limit = flops / peak if flops and peak else None
    head = ("", "median", "ratio", "lowest to highest", "training loss", *(("of the peak",) if limit else ()))
    rows = [(ours, *told(own, "1", limit))]
    for name, ratio in ratios.items():
        timings = found[name]
        if isinstance(timings, str):
            rows.append((name, timings, *[""] * (len(head) - 2)))
        else:
            rows.append((name, *told(timings, ratio, limit)))
    return Section(title, columns(head, rows), {name: r for name, r in ratios.items() if not isinstance(r, str)})


def paired(own: list[Timing], timings: list[Timing] | str) -> list[float] | str:
    """The ratio of each round, or why there is none."""
    if isinstance(timings, str):
        return timings
    reached, loss = own[-1].loss, timings[-1].loss
    if (
        reached is not None
        and loss is not None
        and not 1 / ALIKE < max(loss, BY_HEART) / max(reached, BY_HEART) < ALIKE
    ):
        return "none: another loss"
    return [theirs.seconds / ours.seconds for ours, theirs in zip(own, timings, strict=True)]


def told(timings: list[Timing], ratio: list[float] | str, limit: float | None) -> tuple[str, ...]:
    """The cells of one row. ``limit`` is the shortest time that the machine's peak allows."""
    seconds, loss = median(t.seconds for t in timings), timings[-1].loss
    share = (f"{limit / seconds:.0%}",) if limit else ()
    shown = (ratio, "") if isinstance(ratio, str) else (verdict(median(ratio)), f"{min(ratio):.2f} to {max(ratio):.2f}")
    return show_seconds(seconds), *shown, "" if loss is None else f"{loss:.3g}", *share


def verdict(ratio: float) -> str:
    """The ratio, called a tie where it says nothing."""
    return f"tie ({ratio:.2f})" if TIE[0] <= ratio <= TIE[1] else f"{ratio:.2f}"


def show_seconds(seconds: float) -> str:
    """Three figures, in ms below a second."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
