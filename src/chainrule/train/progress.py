"""Progress in a terminal: the curve of each loss as it is drawn, a bar, the time left and the metrics."""

import sys
import time
from typing import Any

import numpy as np

from chainrule.train.curve import curves
from chainrule.train.standing import Standing

WIDEST = 100
SECONDS = 0.08
"""A screen is drawn at most this often."""
CURVES = {"loss": ("training loss", "cyan"), "val_loss": ("validation loss", "yellow")}


class Progress:
    """A context in which ``update`` redraws a few lines on stderr; quiet when it is not ``shown``."""

    def __init__(self, shown: bool, per_epoch: int) -> None:
        self.shown, self.per_epoch = shown, per_epoch
        self._live: Any = None
        self._latest: tuple[int, Standing] | None = None
        self._drawn_at, self._began, self._first = 0.0, 0.0, None

    def __enter__(self) -> "Progress":
        if self.shown:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=sys.stderr, highlight=False), auto_refresh=False)
            self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live is not None:
            self._draw()
            self._live.__exit__(*error)

    def update(self, step: int, standing: Standing) -> None:
        """Draw how far training has come, unless it was drawn a moment ago."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = step, now
        self._latest = step, standing
        if self._live is not None and now - self._drawn_at > SECONDS:
            self._draw()
            self._drawn_at = now

    def _draw(self) -> None:
        if self._latest is not None:
            console, left = self._live.console, self._seconds_left(*self._latest)
            width, plain = min(console.width, WIDEST), not console.encoding.startswith("utf")
            self._live.update(screen(*self._latest, self.per_epoch, left, width, plain), refresh=True)

    def _seconds_left(self, step: int, standing: Standing) -> float | None:
        """At the pace since the first update; None before there is a pace, or when nothing is left."""
        done, left = step - (self._first or 0), standing.epochs * self.per_epoch - step
        seconds = time.monotonic() - self._began
        return seconds / done * left if done > 0 and left > 0 and seconds > 1 else None


def screen(step: int, standing: Standing, per_epoch: int, left: float | None, width: int, plain: bool) -> Any:
    """What is shown of a training: the curves, and below them one line."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    history, total = standing.history, standing.epochs * per_epoch
    counted = f"epoch {min(step // per_epoch, standing.epochs)} of {standing.epochs}"
    said = "  ".join(
        [*([f"{_duration(left)} left"] if left else []), *(_metric(history, name) for name in _metrics(history))]
    )
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=total, completed=min(step, total), width=max(8, width - len(counted) - len(said) - 4))
    line.add_row(Text(counted), bar, Text(said))
    if history.epochs < 2:
        return line
    shown = {name: history[name] for name in CURVES if name in history}
    named = {f"{CURVES[name][0]} {series[-1]:.4g}": series for name, series in shown.items()}
    colors = ["dim", *(CURVES[name][1] for name in shown)]
    drawn = [
        Text(" ").join([Text(part, color) for part, color in zip(parts, colors, strict=True)])
        for parts in curves(named, width, 6 if plain else 4, plain)
    ]
    return Group(*drawn, line)


def _metrics(history: Any) -> list[str]:
    """The names of the metrics beside the loss: the one on held-out rows where there is one."""
    names = [n for n in history if n not in CURVES and not n.startswith("val_")]
    return [f"val_{name}" if f"val_{name}" in history else name for name in names][:2]


def _metric(history: Any, name: str) -> str:
    words = name.removeprefix("val_").replace("_", " ")
    return f"{'validation ' if name.startswith('val_') else ''}{words} {float(np.asarray(history[name])[-1]):.4g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
