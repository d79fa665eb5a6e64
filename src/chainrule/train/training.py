"""Training from the host: stretch after stretch, with recovery from divergence, checkpoints and watchers."""

import time
from dataclasses import replace

import numpy as np

from chainrule.train.descent import State
from chainrule.train.groups import broken
from chainrule.train.history import History
from chainrule.train.recovery import recovered, sound_epochs
from chainrule.train.standing import Standing, Watchers
from chainrule.train.stretches import Job, Stretches

CHECKPOINT_SECONDS = 30.0
"""A checkpoint is written after this time or an epoch, whichever is later."""
CHECKPOINT_SHARE = 0.02
"""Saving takes at most this share of the time."""


def train(job: Job, standing: Standing, watchers: Watchers, time_budget: float | None = None) -> Standing:
    """Descend until the planned epochs are over, every member has stopped early, or a watcher says so.

    What is kept for recovery and written as a checkpoint is the last ``sound`` standing, so that a training that was
    interrupted in a climb diverges, and recovers, as it would have done.
    """
    stretches = Stretches(job)
    stretches.compile(standing.state, standing.epochs)
    if time_budget is not None and not standing.budgeted:
        standing = budgeted(stretches, standing, time_budget)
    state, sound, before = standing.state, standing, standing
    saved, wait = time.monotonic(), CHECKPOINT_SECONDS
    try:
        while not standing.over:
            last = stretches.stop(int(state.step), standing.epochs, by_epoch=watchers.epoch is not None)
            state, history = stretches(state, last, standing.epochs)
            if broken(state):
                sound = before = standing = recovered(stretches, sound, standing, state, watchers)
                state = standing.state
                continue
            if int(state.step) % job.plan.per_epoch == 0:
                standing = replace(standing, state=state, history=standing.history + history)
                if np.all(np.asarray(state.members.stopped)):
                    standing = replace(standing, history=standing.history.until(_stopped_after(job, state)))
                known = sound_epochs(job, standing.history, state.members.start)
                sound = next((s for s in (standing, before) if s.history.epochs <= known), sound)
                before = standing
                if watchers.epoch is not None and watchers.epoch(standing):
                    event = {"kind": "stopped by a callback", "epoch": standing.history.epochs}
                    return replace(standing, history=standing.history + History(events=(event,)))
                if watchers.checkpoint is not None and time.monotonic() - saved > wait:
                    writing = time.monotonic()
                    watchers.checkpoint(sound)
                    saved = time.monotonic()
                    wait = max(CHECKPOINT_SECONDS, (saved - writing) / CHECKPOINT_SHARE)
            watchers.stretch(int(state.step), standing)
    except KeyboardInterrupt:
        if watchers.checkpoint is not None:
            watchers.checkpoint(sound)
        raise
    return standing


def budgeted(stretches: Stretches, standing: Standing, seconds: float) -> Standing:
    """The standing with a time budget turned into epochs: one epoch, or as many as a stretch has, is run and timed."""
    first = standing.history.epochs
    count = min(standing.epochs - first, stretches.job.buffered)
    began = time.monotonic()
    stretches(standing.state, (first + 1) * stretches.job.plan.per_epoch, standing.epochs)
    spent = time.monotonic() - began
    if spent < 0.01 and count > 1:  # too short to be timed
        began = time.monotonic()
        stretches(standing.state, (first + count) * stretches.job.plan.per_epoch, standing.epochs)
        spent = (time.monotonic() - began) / count
    epochs = int(np.clip(seconds / max(spent, 1e-6), 1, standing.epochs))
    event = {"kind": "time budget", "epoch": 0, "seconds": seconds, "epochs": epochs}
    history = standing.history + (History(events=(event,)) if epochs < standing.epochs else History())
    return replace(standing, epochs=epochs, budgeted=True, history=history)


def _stopped_after(job: Job, state: State) -> int:
    """The epochs after which the last member had stopped: groups of members may have run on to the end of a stretch."""
    return int(np.max(np.asarray(state.members.best.epoch))) + job.numbers["early_stopping"]["patience"] + 1
