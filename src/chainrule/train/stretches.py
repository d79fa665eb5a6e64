"""Stretches: how many steps run before Python looks up, and in which order the rows come."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.train.descent import Plan, State
from chainrule.train.drivers import DRIVERS, Data
from chainrule.train.groups import in_groups
from chainrule.train.history import History
from chainrule.train.schedules import rates_of

SECONDS = 0.1
"""Python is entered about ten times a second, for progress and for Ctrl-C."""
BUFFERED_ROWS = 2**20
"""The order of at most about this many rows is handed to a compiled stretch at once."""


@dataclass(frozen=True)
class Job:
    """A training that can be run: the program, its numbers, the data on the device and the seed."""

    plan: Plan
    numbers: dict
    data: Data
    rows: int
    seed: int
    learning_rate: Any
    driver: str = "compiled"
    folds: np.ndarray | None = None
    """The member that each row is left out by; None where all members learn from all rows."""

    @property
    def seeds(self) -> np.ndarray:
        """The seed of each member: member m is the network of seed + m."""
        seeds = (self.seed + np.arange(self.plan.members)) % 2**32
        return seeds.astype(np.uint32) if self.plan.members > 1 else seeds.astype(np.uint32)[0]

    @property
    def buffered(self) -> int:
        """Epochs whose order is handed over at once: a part of the compiled shape, whatever the training's length."""
        return int(np.clip(BUFFERED_ROWS // (self.places * self.plan.members), 1, 64))

    @property
    def places(self) -> int:
        """Rows of an epoch, the padded ones included."""
        return self.plan.batches * self.plan.rows + (self.plan.last or 0)

    def order(self, member: int, epoch: int) -> np.ndarray:
        """The order of a member's rows in an epoch, from its seed and the epoch alone; -1 stands for a padded row."""
        if self.folds is None:
            own = permutation(self.rows, self.seed + member, epoch, mixed=self.plan.per_epoch > 1)
            return np.concatenate([own, np.full(self.places - self.rows, -1)]).astype(np.int32)
        own = np.flatnonzero(self.folds != member)
        own = own[permutation(len(own), self.seed + member, epoch)][: self.places]
        order = np.full(self.places, -1, np.int32)  # every batch gets its share of the rows, and of the padding
        order[np.arange(len(own)) * self.places // len(own)] = own
        return order


def permutation(rows: int, seed: int, epoch: int, mixed: bool = True) -> np.ndarray:
    """The order of rows in an epoch; a batch of all rows needs none."""
    if not mixed:
        return np.arange(rows)
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(rows)


class Stretches:
    """Runs a job in stretches of about a tenth of a second. The result does not depend on where they end."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.seconds_per_step = 0.0
        self._order = lru_cache(maxsize=1)(self._order_of)

    def compile(self, state: State, epochs: int) -> None:
        """Compile by running no step."""
        self(state, int(state.step), epochs)

    def stop(self, step: int, epochs: int, by_epoch: bool) -> int:
        """The step at which the next stretch ends: within an epoch, or after whole ones."""
        per_epoch = self.job.plan.per_epoch
        steps = 32 if not self.seconds_per_step else int(SECONDS / self.seconds_per_step) + 1
        epoch, begun = divmod(step, per_epoch)
        end = (epoch + 1) * per_epoch
        if by_epoch:
            return end
        if begun or steps < per_epoch:
            return min(end, step + steps)
        return min(epoch + min(steps // per_epoch, self.job.buffered), epochs) * per_epoch

    def __call__(self, state: State, last: int, epochs: int) -> tuple[State, History]:
        """Go on to step ``last``; the history of the epochs that ended on the way."""
        job, began = self.job, time.perf_counter()
        step, per_epoch = int(state.step), job.plan.per_epoch
        first = step // per_epoch
        count = max(1, -(-last // per_epoch) - first)
        after, rows = in_groups(
            DRIVERS[job.driver],
            job.plan,
            state,
            job.data,
            self._order(first, count),
            self._rates(first, count, epochs),
            job.seeds,
            job.numbers,
            np.int32(last),
        )
        done = int(after.step)
        if done > step:
            self.seconds_per_step = (time.perf_counter() - began) / (done - step)
        ended = done // per_epoch - first - (done % per_epoch == 0 and not np.all(np.asarray(after.members.ok)))
        return after, History.of(rows, ended) if ended else History()

    def _order_of(self, first: int, count: int) -> Any:
        job = self.job
        members = [np.stack([job.order(m, first + e) for e in range(count)]) for m in range(job.plan.members)]
        order = np.stack(members, axis=1) if job.plan.members > 1 else members[0]
        return np.pad(order, [(0, job.buffered - count)] + [(0, 0)] * (order.ndim - 1))

    def _rates(self, first: int, count: int, epochs: int) -> Any:
        job, per_epoch = self.job, self.job.plan.per_epoch
        steps = np.arange(first * per_epoch, (first + count) * per_epoch)
        rates = rates_of(job.learning_rate, steps, total=epochs * per_epoch, per_epoch=per_epoch)
        rates = np.pad(rates.reshape(count, per_epoch), [(0, job.buffered - count), (0, 0)])
        return rates.astype(self.job.data[0].w.dtype)
