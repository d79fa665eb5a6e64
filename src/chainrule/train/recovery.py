"""Recovery from divergence: back to where training was sound, with half the learning rate for those that broke."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError
from chainrule.train.descent import State
from chainrule.train.history import History
from chainrule.train.standing import Standing, Watchers
from chainrule.train.stretches import Job, Stretches

RETRIES = 3
LOST = 0.1
"""A loss that has lost more than this share of what training had gained belongs to a climb that ends in divergence."""


def sound_epochs(job: Job, history: History, start: Any) -> int:
    """The end of the last epoch at which no member's training loss was climbing; 0 is the start.

    The mean loss of an epoch of one step is that before the step, so such an epoch's end is not yet known to be sound.
    """
    losses, start = history.members.get("loss", np.zeros((0, 1))), np.atleast_1d(np.asarray(start))
    if not len(losses):
        return 0
    least = np.minimum.accumulate(losses)  # so far: what was sound once remains so, whatever comes later
    bound = least + LOST * np.maximum(start - least, np.abs(least))
    sound = np.flatnonzero((losses <= bound).all(axis=1))
    return int(sound[-1]) + (job.plan.per_epoch > 1) if len(sound) else 0


def recovered(stretches: Stretches, sound: Standing, standing: Standing, broken: State, watchers: Watchers) -> Standing:
    """The standing to go on from after ``broken``: at the last sound end of an epoch, at most that of ``standing``."""
    job = stretches.job
    step = int(broken.step) - 1
    epoch = step // job.plan.per_epoch
    state, history = stretches(standing.state, epoch * job.plan.per_epoch, standing.epochs)
    history = standing.history + history
    bad = ~np.atleast_1d(np.asarray(broken.members.ok))
    before = stretches(state, step, standing.epochs)[0]
    if not all(np.isfinite(p).all() for p in jax.tree.leaves(before.members.params)):
        before = stretches(state, step - 1, standing.epochs)[0]  # the gradient broke, and the loss one step later
    place = watchers.where(job, before, int(np.argmax(bad)))
    events = [
        {"kind": "retry", "epoch": epoch, "step": step, "member": m, "where": place}
        for m in np.flatnonzero(bad).tolist()
    ]
    tried = [sum(e["kind"] == "retry" and e["member"] == m for e in history.events) for m in range(bad.size)]
    if job.learning_rate is None or any(tried[e["member"]] >= RETRIES for e in events):
        return given_up(job, replace(standing, state=state, history=history), events)
    back = sound_epochs(job, history, state.members.start)
    if back < epoch:
        state, _ = stretches(sound.state, back * job.plan.per_epoch, standing.epochs)
    scale = jnp.where(broken.members.ok, state.members.scale, state.members.scale / 2)
    events = [e | {"scale": float(np.atleast_1d(np.asarray(scale))[e["member"]])} for e in events]
    state = state._replace(members=state.members._replace(scale=scale))
    return replace(standing, state=state, history=history.until(back) + History(events=tuple(events)))


def given_up(job: Job, standing: Standing, events: list[dict]) -> Standing:
    """The last finite standing, when training had gained something by then; else a DesignError says what to do."""
    place, step = events[0]["where"], events[0]["step"]
    start = np.atleast_1d(np.asarray(standing.state.members.start))
    if not standing.history.epochs or np.any(standing.history.members["loss"][-1] > start):
        again = (
            "" if job.learning_rate is None else f" The learning rate {job.learning_rate} was halved {RETRIES} times."
        )
        raise DesignError(
            f"Training diverged at step {step}{place and f', first in {place}'}: the loss is above what it was before "
            f"the first step.{again} Scale the inputs (cr.Standardize() first), lower the learning rate, or clip the "
            "gradient with clip_norm=1.0."
        )
    events = [e | {"kind": "gave up"} for e in events]
    return replace(standing, history=standing.history + History(events=tuple(events)))
