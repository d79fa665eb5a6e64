"""Execution: a design and its materials become a run, with warnings, progress, callbacks and checkpoints on the way."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.data.array_encoder import ArrayEncoder
from chainrule.data.scales import constant_warning, scale_warning
from chainrule.data.targets import ClassTarget
from chainrule.errors import ChainruleWarning, LoadError
from chainrule.layers.layer import Params
from chainrule.train import directory, saved
from chainrule.train.bare import design_targets
from chainrule.train.checks import check_network
from chainrule.train.descent import State
from chainrule.train.design import Design
from chainrule.train.history import History
from chainrule.train.materials import Materials
from chainrule.train.planning import first_standing, job_of
from chainrule.train.progress import Progress
from chainrule.train.run import Run
from chainrule.train.standing import Standing, Watchers
from chainrule.train.stretches import Job
from chainrule.train.training import train


@dataclass(frozen=True)
class EpochState:
    """What a callback is given at the end of every epoch."""

    epoch: int
    history: History
    params: Params


def execute(
    materials: Materials,
    checkpoint: tuple[dict, dict] | None,
    params: Params | None,
    callbacks: tuple[Callable, ...],
    progress: bool | None,
    out: Path | None,
) -> Run:
    """Train from the first step or from a checkpoint, and keep the run directory up to date."""
    design = materials.design
    job = job_of(materials)
    check_network(design.network, design.loss, *_batch(job), design_targets(design), job.plan.metrics)
    _warn(materials)
    standing = first_standing(job, design, params)
    if checkpoint is not None:
        standing = saved.standing_of(*checkpoint, standing.state)
    if out is not None and checkpoint is None:
        design.save(out / "design.json")
        _checkpointing(out, design, materials)(standing)  # whatever kills the training from here on, it can go on
    with Progress(sys.stderr.isatty() if progress is None else progress, job.plan.per_epoch) as shown:
        watchers = Watchers(
            stretch=shown.update,
            epoch=_called(callbacks) if callbacks else None,
            checkpoint=None if out is None else _checkpointing(out, design, materials),
            where=_first_fault,
        )
        standing = train(job, standing, watchers, design.recipe.time_budget)
    run = Run(
        design,
        final_params(job, standing),
        _told(job, standing),
        materials.record,
        data=materials.learned,
        left_out=materials.left_out,
    )
    if materials.test is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)  # what these rows surprise with was said of all rows
            run = replace(run, scores=run.evaluate(*materials.test))
    if out is not None:
        run.save(out / directory.MODEL)
        run.history.to_csv(out / "history.csv")
        directory.keep_newest(out, 0)
    return run


def final_params(job: Job, standing: Standing) -> Params:
    """The best parameters when training watches for them, else the average, else the last."""
    members = standing.state.members
    chosen = members.best.params if job.plan.stops_early else members.average if job.plan.averaged else members.params
    return jax.tree.map(np.asarray, chosen)


def _warn(materials: Materials) -> None:
    """Say once what was accepted and may not be what was meant."""
    train, said = materials.train, []
    if isinstance(materials.design.encoder, ArrayEncoder) and not materials.design.network.prepares:
        y = None if isinstance(materials.design.encoder.target, ClassTarget) else train.y
        said = [scale_warning(train.x, y), constant_warning(train.x)]
    if materials.duplicates:
        rows = "1 held-out row occurs" if materials.duplicates == 1 else f"{materials.duplicates} held-out rows occur"
        said.append(
            f"{rows} in the training part too, so the score is too good by what the network learns by heart. Remove "
            "duplicates."
        )
    for text in filter(None, said):
        warnings.warn(text, ChainruleWarning, stacklevel=4)


def _first_fault(job: Job, state: State, member: int) -> str:
    from chainrule.train.fault import first_fault  # only a training that breaks needs it

    return first_fault(job, state, member)


def _called(callbacks: tuple[Callable, ...]) -> Callable[[Standing], bool]:
    def call(standing: Standing) -> bool:
        state = EpochState(standing.history.epochs, standing.history, standing.state.members.params)
        said = [callback(state) for callback in callbacks]
        return any(isinstance(answer, bool | np.bool_) and bool(answer) for answer in said)

    return call


def _checkpointing(out: Path, design: Design, materials: Materials) -> Callable[[Standing], None]:
    def write(standing: Standing) -> None:
        path = directory.checkpoint_path(out, standing.history.epochs)
        try:
            saved.write_checkpoint(path, design, materials.record, standing)
            directory.keep_newest(out)
        except LoadError as e:
            warnings.warn(f"The checkpoint was not written, training goes on: {e}", ChainruleWarning, stacklevel=2)

    return write


def _told(job: Job, standing: Standing) -> History:
    """The history, with a last event that says why training ended before the planned epochs, if it did."""
    history, members = standing.history, standing.state.members
    if history.events and history.events[-1]["kind"] == "gave up":
        warnings.warn(
            f"Training diverged again and again ({history.events[-1]['where'] or 'the loss exploded'}) and stopped "
            f"after {history.epochs} of {standing.epochs} epochs; the run holds the last finite parameters. Scale the "
            "inputs, lower the learning rate, or clip gradients with clip_norm=1.0.",
            ChainruleWarning,
            stacklevel=4,
        )
    if not job.plan.stops_early:
        return history
    best = np.atleast_1d(np.asarray(members.best.epoch)) + 1
    stopped = np.atleast_1d(np.asarray(members.stopped))
    events = [
        {
            "kind": "early stop" if stopped[m] else "best epoch",
            "epoch": history.epochs,
            "member": m,
            "best": int(b),
        }
        for m, b in enumerate(best)
    ]
    return history + History(events=tuple(events))


def _batch(job: Job) -> tuple[Any, Any]:
    """The shapes of a batch's inputs and targets."""
    train, rows = job.data[0], max(2, job.plan.rows // job.plan.parts)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((rows, *a.shape[1:]), a.dtype), (train.x, train.y))
