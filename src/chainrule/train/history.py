"""History: what was measured at the end of every epoch, as arrays."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError


@dataclass(frozen=True, eq=False)
class History(Mapping):
    """``history["loss"]``, ``["val_loss"]``, …: arrays with one value per epoch, a mean over an ensemble's members.

    ``members[name]`` has one column per member, ``probes`` the statistics of layers, ``events`` what happened on the
    way: retries after a divergence, the early stop, an interruption.
    """

    members: dict[str, np.ndarray] = field(default_factory=dict)
    probes: dict[str, np.ndarray] = field(default_factory=dict)
    events: tuple[dict, ...] = ()

    @classmethod
    def of(cls, rows: dict, epochs: int) -> "History":
        """From the first ``epochs`` rows that a driver wrote."""

        def column(values: Any) -> np.ndarray:
            return np.asarray(values)[:epochs].reshape(epochs, -1)

        probes = {
            f"{kind} {name}": column(values) for kind, tree in rows["probes"].items() for name, values in tree.items()
        }
        return cls({name: column(values) for name, values in rows["means"].items()}, probes)

    def __add__(self, later: "History") -> "History":
        if not self.members or not later.members:
            longer = self if self.members else later
            return History(longer.members, longer.probes, self.events + later.events)
        members = {k: np.concatenate([v, later.members[k]]) for k, v in self.members.items()}
        probes = {k: np.concatenate([v, later.probes[k]]) for k, v in self.probes.items()}
        return History(members, probes, self.events + later.events)

    def until(self, epoch: int) -> "History":
        """The history of the first ``epoch`` epochs."""
        members, probes = ({k: v[:epoch] for k, v in kept.items()} for kept in (self.members, self.probes))
        return History(members, probes, self.events)

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(next(iter(self.members.values()), ()))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.members:
            raise DataError(f"The history has no {name!r}. It has: {', '.join(self.members)}.")
        return self.members[name].mean(axis=1)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def to_csv(self, path: str | Path) -> None:
        """Write one line per epoch."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", *self])
            rows.writerows(zip(range(1, self.epochs + 1), *(self[name].tolist() for name in self), strict=True))

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Flat arrays for a file."""
        return {f"members/{k}": v for k, v in self.members.items()} | {f"probes/{k}": v for k, v in self.probes.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], events: tuple[dict, ...]) -> "History":
        """The history that ``to_tensors`` wrote."""
        parts: dict[str, dict] = {"members": {}, "probes": {}}
        for name, values in tensors.items():
            kind, _, rest = name.partition("/")
            parts[kind][rest] = values
        return cls(parts["members"], parts["probes"], events)
