"""Training from the host: stretch after stretch, with recovery from divergence, checkpoints and watchers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError
from chainrule.train.descent import State
from chainrule.train.history import History
from chainrule.train.stretches import Job, Stretches

RETRIES = 3
CHECKPOINT_SECONDS = 30.0
"""A checkpoint is written after this time or an epoch, whichever is later."""


@dataclass(frozen=True)
class Standing:
    """How far a training has come, at the end of an epoch: what a checkpoint holds."""

    state: State
    epochs: int
    """Epochs planned."""
    history: History = field(default_factory=History)
    budgeted: bool = False
    """Whether a time budget has been turned into ``epochs``."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        stopped = _all(self.state.members.stopped) or any(e["kind"] == "gave up" for e in self.history.events)
        return self.history.epochs >= self.epochs or stopped


@dataclass(frozen=True)
class Watchers:
    """Who is told: of each stretch (the step), of each epoch (True ends the training), and where checkpoints go."""

    stretch: Callable[[int, Standing], None] = lambda step, standing: None
    epoch: Callable[[Standing], Any] | None = None
    checkpoint: Callable[[Standing], None] | None = None
    where: Callable[[Job, State, int], str] = lambda job, state, member: ""
    """Names the first layer that is not finite at the step that a state is about to take, in one member."""


def train(job: Job, standing: Standing, watchers: Watchers, time_budget: float | None = None) -> Standing:
    """Descend until the planned epochs are over, every member has stopped early, or a watcher says so."""
    stretches = Stretches(job)
    stretches.compile(standing.state, standing.epochs)
    state, saved, wait = standing.state, time.monotonic(), CHECKPOINT_SECONDS
    try:
        while not standing.over:
            began, step = time.monotonic(), int(state.step)
            budget = None if standing.budgeted else time_budget
            last = stretches.stop(step, standing.epochs, by_epoch=watchers.epoch is not None or budget is not None)
            state, history = stretches(state, last, standing.epochs)
            if not _all(state.members.ok):
                standing = recovered(stretches, standing, state, watchers)
                state = standing.state
                continue
            if int(state.step) % job.plan.per_epoch == 0:
                standing = replace(standing, state=state, history=standing.history + history)
                if _all(state.members.stopped):
                    standing = replace(standing, history=standing.history.until(_stopped_after(job, state)))
                if budget is not None:
                    epochs = max(1, int(budget / max(time.monotonic() - began, 1e-6)))
                    standing = replace(standing, epochs=min(epochs, standing.epochs), budgeted=True)
                if watchers.epoch is not None and watchers.epoch(standing):
                    break
                if watchers.checkpoint is not None and time.monotonic() - saved > wait:
                    writing = time.monotonic()
                    watchers.checkpoint(standing)
                    saved = time.monotonic()
                    wait = max(CHECKPOINT_SECONDS, 50 * (saved - writing))  # saving costs at most 2 % of the time
            watchers.stretch(int(state.step), standing)
    except KeyboardInterrupt:
        if watchers.checkpoint is not None:
            watchers.checkpoint(standing)
        raise
    return standing


def _all(flags: Any) -> bool:
    return bool(np.all(np.asarray(flags)))  # by NumPy: a small program of its own would be compiled for it


def _stopped_after(job: Job, state: State) -> int:
    """The epochs after which the last member had stopped: groups of members may have run on to the end of a stretch."""
    return int(np.max(np.asarray(state.members.best.epoch))) + job.numbers["early_stopping"]["patience"] + 1


def recovered(stretches: Stretches, standing: Standing, broken: State, watchers: Watchers) -> Standing:
    """Go back to the last finite end of an epoch, with half the learning rate for the members that diverged."""
    job = stretches.job
    step = int(broken.step) - 1
    epoch = step // job.plan.per_epoch
    state, history = stretches(standing.state, epoch * job.plan.per_epoch, standing.epochs)
    standing = replace(standing, state=state, history=standing.history + history)
    bad = ~np.atleast_1d(np.asarray(broken.members.ok))
    tries = [sum(e["kind"] == "retry" and e["member"] == m for e in standing.history.events) for m in range(bad.size)]
    place = watchers.where(job, stretches(state, step, standing.epochs)[0], int(np.argmax(bad)))
    events = [
        {"kind": "retry", "epoch": epoch, "step": step, "member": m, "where": place}
        for m in np.flatnonzero(bad).tolist()
    ]
    if any(tries[e["member"]] >= RETRIES for e in events):
        began = np.atleast_1d(np.asarray(state.members.start))
        if not standing.history.epochs or np.any(standing.history.members["loss"][-1] > began):
            raise DesignError(_hopeless(job, place, step))
        return _with(standing, [e | {"kind": "gave up"} for e in events])
    scale = jnp.where(broken.members.ok, state.members.scale, state.members.scale / 2)
    events = [e | {"scale": float(np.atleast_1d(np.asarray(scale))[e["member"]])} for e in events]
    state = state._replace(members=state.members._replace(scale=scale))
    return _with(replace(standing, state=state), events)


def _with(standing: Standing, events: list[dict]) -> Standing:
    return replace(standing, history=standing.history + History(events=tuple(events)))


def _hopeless(job: Job, place: str, step: int) -> str:
    return (
        f"Training diverged at step {step}{place and f', first in {place}'}, and again after the learning rate "
        f"{job.learning_rate} had been halved {RETRIES} times, and the loss is above what it was before the "
        "first step. Scale the inputs (cr.Standardize() first), lower the learning rate, or clip gradients with "
        "clip_norm=1.0."
    )
