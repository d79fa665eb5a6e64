"""fit: from a network or a design and data to a trained run; resume goes on after an interruption."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.data import arrays
from chainrule.data.array_encoder import ArrayEncoder, inputs_of
from chainrule.data.encoders import Encoder
from chainrule.data.scales import constant_warning, scale_warning
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget
from chainrule.errors import ChainruleWarning, DataError, DesignError, LoadError
from chainrule.layers.layer import Params, as_layer
from chainrule.maths.losses import (
    BinaryCrossEntropy,
    Loss,
    binary_cross_entropy,
    cross_entropy,
    loss_named,
    mean_squared_error,
)
from chainrule.train import directory, saved
from chainrule.train.checks import check_network
from chainrule.train.design import Design, Reason
from chainrule.train.fault import first_fault
from chainrule.train.history import History
from chainrule.train.materials import Materials, from_arrays, from_table
from chainrule.train.optimizers import Optimizer, optimizer_named
from chainrule.train.planning import first_standing, job_of
from chainrule.train.progress import Progress
from chainrule.train.recipe import EarlyStopping, Recipe
from chainrule.train.run import Run
from chainrule.train.stretches import Job
from chainrule.train.training import Standing, Watchers, train

FOREIGN = {
    "lr": "optimizer=cr.adam(learning_rate)",
    "learning_rate": "optimizer=cr.adam(learning_rate)",
    "validation_split": "validation=0.2",
    "validation_data": "validation=(X_val, y_val)",
    "batch": "batch_size=32",
    "max_epochs": "epochs=100",
    "n_epochs": "epochs=100",
    "verbose": "progress=False",
    "random_state": "seed=0",
}


@dataclass(frozen=True)
class EpochState:
    """What a callback is given at the end of every epoch."""

    epoch: int
    history: History
    params: Params


def fit(
    net: Any,
    X: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Optimizer | str | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    validation: Any = "default",
    metrics: Any = None,
    class_weight: Any = None,
    sample_weight: Any = None,
    penalty: Any = None,
    clip_norm: float | None = None,
    accumulate: int | None = None,
    average: float | None = None,
    early_stopping: EarlyStopping | int | None = None,
    callbacks: Iterable[Callable] = (),
    ensemble: int | None = None,
    params: Params | None = None,
    freeze: Iterable[str] = (),
    time_budget: float | None = None,
    seed: int | None = None,
    progress: bool | None = None,
    out: str | Path | None = None,
    **unknown: Any,
) -> Run:
    """Train a network on arrays, or a design on a table, a path or arrays; a run goes on from its parameters.

    What is not said comes from the design, or is: ``epochs=100, batch_size=32, validation=0.2`` (shuffled, stratified
    for classes; or a pair ``(X_val, y_val)``, or None), ``optimizer=cr.adam(1e-3)``, ``ensemble=1``, ``seed=0``. ``loss``
    is inferred from y. ``batch_size="full"`` is batch descent, 1 is stochastic descent. Every example is used in each
    epoch. Equal arguments give equal bytes.

    Errors: DataError for rows, labels or weights that cannot be used; DesignError for a network, loss or recipe that
    cannot work; ShapeError for arrays that cannot meet.

    >>> import chainrule as cr, numpy as np
    >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
    >>> run = cr.fit(cr.Chain(cr.Dense(1)), X, 3 * X[:, 0] + 1, optimizer=cr.sgd(0.1), epochs=50, seed=0)
    >>> run.predict([[0.5]]).round(2).tolist()
    [2.5]
    """
    for name in unknown:
        known = f"write {FOREIGN[name]}" if name in FOREIGN else f"its arguments: {', '.join(_ARGUMENTS)}"
        raise DesignError(f"fit has no argument {name!r}: {known}.")
    said = {
        "optimizer": optimizer_named(optimizer) if isinstance(optimizer, str) else optimizer,
        "epochs": epochs,
        "batch_size": batch_size,
        "metrics": _metrics(metrics),
        "class_weight": tuple(class_weight.items()) if isinstance(class_weight, Mapping) else class_weight,
        "penalty": penalty,
        "clip_norm": clip_norm,
        "accumulate": accumulate,
        "average": average,
        "early_stopping": EarlyStopping(early_stopping) if isinstance(early_stopping, int) else early_stopping,
        "ensemble": ensemble,
        "freeze": ((freeze,) if isinstance(freeze, str) else tuple(freeze)) or None,
        "time_budget": time_budget,
        "seed": seed,
    }
    said = {name: value for name, value in said.items() if value is not None}
    pair = None if validation is None or isinstance(validation, str | float | int) else validation
    if isinstance(net, Run):
        params = net.params if params is None else params
        net = net.design
    base = net.recipe if isinstance(net, Design) else Recipe()
    if pair is not None or validation is None:
        said["split"] = replace(base.split, validation=None)
    elif validation != "default":
        said["split"] = replace(base.split, validation=validation)
    recipe = replace(base, **said)
    if isinstance(net, Design):
        design = replace(net, recipe=recipe, loss=net.loss if loss is None else _loss(loss))
    else:
        design = bare_design(net, X, y, loss, recipe)
    if isinstance(design.encoder, Encoder) and y is None:
        materials = from_table(design, X, fitted=isinstance(net, Design) and params is not None, validation=pair)
    else:
        materials = from_arrays(design, X, _needed(y), sample_weight, pair)
    if isinstance(batch_size, int) and batch_size > len(materials.train.w):
        warnings.warn(
            f"batch_size={batch_size} is more than the {len(materials.train.w)} training rows: each step takes them all.",
            ChainruleWarning,
            stacklevel=2,
        )
    target = None if out is None else directory.new_directory(out)
    return go(materials, None, params, tuple(callbacks), progress, target)


def bare_design(net: Any, X: Any, y: Any, loss: Any, recipe: Recipe) -> Design:
    """The design of a network that is given bare arrays."""
    net, x, y = as_layer(net), arrays.features(X), _needed(y)
    task, because = arrays.infer_task(y)
    reasons = ()
    if loss is None:
        loss = {"classification": cross_entropy, "multilabel": binary_cross_entropy}.get(task, mean_squared_error)
        reasons = (Reason(f"loss {loss}", because),)
    loss = _loss(loss)
    task = getattr(loss, "task", task)
    labels = task == "multilabel" and (np.ndim(y) == 1 or np.shape(y)[1:] == (1,))
    target = arrays.target_of(y, "classification" if labels else task, loss)
    return Design(net, loss, recipe, ArrayEncoder(inputs_of(x), target), reasons)


def go(
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
    check_network(design.network, design.loss, *_batch(job), design_targets(design))
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
            where=first_fault,
        )
        standing = train(job, standing, watchers, design.recipe.time_budget)
    run = Run(design, final_params(job, standing), _told(job, standing), materials.record, data=materials.learned)
    if materials.test is not None:
        run = replace(run, scores=run.evaluate(*materials.test))
    if out is not None:
        run.save(out / directory.MODEL)
        run.history.to_csv(out / "history.csv")
        directory.keep_newest(out, 0)
    return run


def resume(
    path: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    validation: Any = None,
    callbacks: Iterable[Callable] = (),
    progress: bool | None = None,
    custom: Mapping[str, Any] | None = None,
) -> Run:
    """Go on with an interrupted training, bit for bit as if it had not been interrupted.

    A run made from a file reads that file again and checks its hash; one made from arrays needs the same arrays. A
    run directory that is finished is loaded. ``custom`` is that of ``load``, the rest is what ``fit`` was given.
    """
    path = directory.last_run() if str(path) == "last" else Path(path)
    if not path.is_dir():
        raise LoadError(f"{path} is no run directory: resume takes the directory that was given as out=.")
    if (path / directory.MODEL).is_file():
        return saved.load(path, custom)
    design, record, *checkpoint = saved.newest_checkpoint(path, custom)
    if X is None:
        if record.path is None:
            raise DataError(f"{path} was trained on arrays in memory. Pass the same ones: cr.resume(path, X, y).")
        X = Table.of(record.path, **dict(record.options))
    if isinstance(design.encoder, Encoder) and y is None:
        materials = from_table(design, X, fitted=True, validation=validation)
    else:
        materials = from_arrays(design, X, _needed(y), sample_weight, validation)
    if materials.record.sha256 != record.sha256:
        raise DataError(
            f"The data has changed since {path} was begun: {record.path or 'the arrays'} had SHA-256 "
            f"{record.sha256[:12]}…, and now {materials.record.sha256[:12]}…. Restore it, or train again."
        )
    return go(materials, tuple(checkpoint), None, tuple(callbacks), progress, path)


def design_targets(design: Design) -> int | None:
    """How many classes, or columns of y, the network must answer."""
    target = design.encoder.target
    if not isinstance(target, ClassTarget):
        return getattr(target, "columns", None) or 1
    if isinstance(design.loss, BinaryCrossEntropy):
        if len(target.classes) != 2:
            raise DesignError(
                f"binary_cross_entropy tells two classes apart, and y has {len(target.classes)}. Take cr.cross_entropy "
                f"with cr.Dense({len(target.classes)}) at the end."
            )
        return 1
    return len(target.classes)


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
        said.append(
            f"{materials.duplicates} held-out rows occur in the training part too, so their score is too good by what the "
            "network learns by heart. Remove duplicate rows."
        )
    for text in filter(None, said):
        warnings.warn(text, ChainruleWarning, stacklevel=4)


def _called(callbacks: tuple[Callable, ...]) -> Callable[[Standing], bool]:
    def call(standing: Standing) -> bool:
        state = EpochState(standing.history.epochs, standing.history, standing.state.members.params)
        return any([callback(state) is True for callback in callbacks])

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
            f"Training diverged again and again ({history.events[-1]['where'] or 'the loss exploded'}) and stopped after "
            f"{history.epochs} of {standing.epochs} epochs; the run holds the last finite parameters. Scale the inputs, "
            "lower the learning rate, or clip gradients with clip_norm=1.0.",
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


def _needed(y: Any) -> Any:
    if y is None:
        raise DataError("fit: y is missing. A network on arrays needs the targets: cr.fit(net, X, y).")
    return y


def _loss(loss: Any) -> Any:
    if isinstance(loss, str):
        return loss_named(loss)
    if isinstance(loss, Loss) or callable(loss):
        return loss
    raise DesignError(
        f"fit: loss={loss!r}: a loss such as cr.cross_entropy, its name, or your function (z, y) is expected."
    )


def _metrics(metrics: Any) -> tuple | None:
    if metrics is None:
        return None
    listed = metrics if isinstance(metrics, tuple | list) else (metrics,)
    for metric in listed:
        if not callable(metric):
            raise DesignError(
                f"fit: metrics={metric!r}: functions of (z, y) with one value per example are expected. Accuracy and the "
                "other named metrics come with run.evaluate(X, y)."
            )
    return tuple(listed)


_ARGUMENTS = list(fit.__kwdefaults__ or ())
