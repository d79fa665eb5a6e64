"""Scores: what an evaluation measured, with 95 % intervals and beside what simple models reach."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.errors import DataError
from chainrule.maths.estimates import Estimate, Estimates

MOST_SHOWN = 40
"""Rows of the printed table; the mapping always holds every score."""


class Scores(Mapping):
    """Metric name -> value. ``interval(name)`` gives its 95 % interval, and printing shows the table.

    ``baselines`` holds the values of simpler models, by model and metric: ``{"majority": {"accuracy": 0.63}}``.

    >>> scores = Scores({"accuracy": Estimate(0.9, 0.85, 0.94)}, baselines={"majority": {"accuracy": 0.6}})
    >>> scores["accuracy"], scores.interval("accuracy")
    (0.9, (0.85, 0.94))
    >>> print(scores)
    metric     value   95 % interval  majority
    accuracy   0.900  0.850 to 0.940     0.600
    """

    def __init__(
        self, estimates: Mapping[str, Estimate], baselines: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        self._estimates = dict(estimates)
        self.left_out = dict(estimates.left_out) if isinstance(estimates, Estimates) else {}
        self.baselines = {model: dict(values) for model, values in (baselines or {}).items()}

    def __getitem__(self, name: str) -> float:
        return self._estimate(name).value

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __contains__(self, name: object) -> bool:
        return name in self._estimates

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and self.to_data() == other.to_data()

    def __hash__(self) -> int:
        return hash(tuple(self._estimates.items()))

    def interval(self, name: str) -> tuple[float, float]:
        """The 95 % interval of a metric: (low, high)."""
        e = self._estimate(name)
        if e.low is None or e.high is None:
            raise DataError(f"{name} has no interval: the rows are too few. Evaluate on more rows.")
        return e.low, e.high

    def to_data(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "estimates": {name: [e.value, e.low, e.high] for name, e in self._estimates.items()},
            "left_out": self.left_out,
            "baselines": self.baselines,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Scores":
        """The scores of such data."""
        estimates = {name: Estimate(*numbers) for name, numbers in data["estimates"].items()}
        return cls(Estimates(estimates, data["left_out"]), data["baselines"])

    def __str__(self) -> str:
        rows = [["metric", "value", "95 % interval", *self.baselines]]
        for name, e in list(self._estimates.items())[:MOST_SHOWN]:
            interval = "-" if e.low is None or e.high is None else f"{_digits(e.low)} to {_digits(e.high)}"
            others = [_digits(values[name]) if name in values else "-" for values in self.baselines.values()]
            rows.append([name, _digits(e.value), interval, *others])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            row[0].ljust(widths[0] + 1) + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
            for row in rows
        ]
        if len(self) > MOST_SHOWN:
            lines.append(f"and {len(self) - MOST_SHOWN} more: list(scores) names them")
        lines += [f"{name} is left out: {why}" for name, why in list(self.left_out.items())[:MOST_SHOWN]]
        return "\n".join(lines)

    __repr__ = __str__

    def _estimate(self, name: str) -> Estimate:
        if name in self._estimates:
            return self._estimates[name]
        if name in self.left_out:
            raise DataError(f"{name} is left out: {self.left_out[name]}.")
        near = difflib.get_close_matches(name, self._estimates, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the names are {', '.join(self._estimates)}."
        raise DataError(f"These scores have no {name!r}: {hint}")


def _digits(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.5g}"
