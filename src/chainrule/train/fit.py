"""fit: from a network or a design and data to a trained run; resume goes on after an interruption."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.data.columns import column_of
from chainrule.data.encoders import Encoder
from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning, DataError, DesignError, LoadError
from chainrule.layers.layer import Params
from chainrule.train import cache, directory, saved
from chainrule.train.bare import bare_design, loss_of, needed
from chainrule.train.design import Design
from chainrule.train.execution import execute
from chainrule.train.materials import Materials, from_arrays, from_table
from chainrule.train.optimizers import Optimizer, optimizer_named
from chainrule.train.recipe import EarlyStopping, Recipe, Split
from chainrule.train.record import expect_same
from chainrule.train.run import Run

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
    for classes; or a pair ``(X_val, y_val)``, or None, or "cross": each network of an ensemble leaves out a part of its
    own), ``optimizer=cr.adam(1e-3)``, ``ensemble=1``, ``seed=0``. The loss is inferred from y. ``batch_size="full"`` is
    batch descent, 1 is stochastic descent. Every example is used in each epoch. Equal arguments give equal bytes.

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
    cache.enable()
    said = {
        "optimizer": optimizer_named(optimizer) if isinstance(optimizer, str) else optimizer,
        "epochs": epochs,
        "batch_size": batch_size,
        "metrics": None if metrics is None else metrics if isinstance(metrics, tuple | list) else (metrics,),
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
    goes_on = isinstance(net, Run)
    if isinstance(net, Run):
        params = net.params if params is None else params
        net = net.design
    base = net.recipe if isinstance(net, Design) else Recipe()
    if pair is not None or validation is None:
        said["split"] = replace(base.split, validation=None)
    elif validation != "default":
        said["split"] = replace(base.split, validation=validation)
    elif ensemble == 1 and base.split.cross:
        said["split"] = replace(base.split, validation=Split().validation)
    recipe = replace(base, **said)
    if isinstance(net, Design):
        design = replace(net, recipe=recipe, loss=net.loss if loss is None else loss_of(loss))
    else:
        design = bare_design(net, X, y, loss, recipe)
    materials = _materials(design, X, y, sample_weight, pair, goes_on)
    if isinstance(batch_size, int) and batch_size > len(materials.train.w):
        warnings.warn(
            f"batch_size={batch_size} is more than the {len(materials.train.w)} training rows: each step takes all.",
            ChainruleWarning,
            stacklevel=2,
        )
    target = None if out is None else directory.new_directory(out)
    return execute(materials, None, params, _callbacks(callbacks), progress, target)


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
    design, record, data, tensors = saved.newest_checkpoint(path, custom)
    if X is None:
        if record.path is None:
            raise DataError(f"{path} was trained on arrays in memory. Pass the same ones: cr.resume(path, X, y).")
        X = Table.of(record.path, **dict(record.options))
    materials = _materials(design, X, y, sample_weight, validation, True)
    expect_same(path, record, materials.record)
    return execute(materials, (data, tensors), None, _callbacks(callbacks), progress, path)


def _materials(design: Design, X: Any, y: Any, sample_weight: Any, validation: Any, fitted: bool) -> Materials:
    if not isinstance(design.encoder, Encoder):
        return from_arrays(design, X, needed(y), sample_weight, validation)
    if y is not None:
        table = Table.of(X)
        X = Table({**table.columns, design.encoder.target.name: column_of(design.encoder.target.name, y)}, None)
    return from_table(design, X, fitted, sample_weight, validation)


def _callbacks(callbacks: Any) -> tuple[Callable, ...]:
    listed = (callbacks,) if callable(callbacks) else tuple(callbacks)
    for callback in listed:
        if not callable(callback):
            raise DesignError(f"fit: callbacks={callback!r}: functions of the epoch's state are expected.")
    return listed


_ARGUMENTS = list(fit.__kwdefaults__ or ())
