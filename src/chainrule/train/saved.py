"""What is written of a run: the finished model, and checkpoints from which training goes on bit for bit."""

import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule import spec
from chainrule.errors import ChainruleWarning, DesignError, LoadError
from chainrule.train import modelfile
from chainrule.train.confidence import Confidence
from chainrule.train.descent import State
from chainrule.train.design import Design
from chainrule.train.directory import checkpoints, model_path
from chainrule.train.history import History
from chainrule.train.record import DataRecord
from chainrule.train.roles import param_shapes
from chainrule.train.run import Run
from chainrule.train.scores import Scores
from chainrule.train.standing import Standing


def save(run: Run, path: str | Path) -> None:
    """Write a finished run to one file."""
    data = {
        "kind": "run",
        "design": run.design.to_data(),
        "record": spec.to_data(run.record),
        "events": list(run.history.events),
        "scores": None if run.scores is None else run.scores.to_data(),
        "versions": versions(),
    }
    known = {} if run.known is None else run.known.to_tensors()
    more = {f"known/{name}": values for name, values in known.items()}
    modelfile.write(path, data, modelfile.flatten(run.params, "params") | _history(run.history) | more)


def load(path: str | Path, custom: Mapping[str, Any] | None = None) -> Run:
    """Read a run from a file that ``save`` wrote or from a run directory.

    ``custom={"MyLayer": MyLayer}`` supplies your own layers, losses and functions: a file holds only their names.
    """
    path = model_path(path)
    data, tensors = modelfile.read(path)
    if data.get("kind") != "run":
        raise LoadError(f"{path} holds no finished run. A training that was interrupted goes on with cr.resume(path).")
    try:
        design = design_of(path, data, custom)
        params = jax.tree.map(np.asarray, modelfile.unflatten(tensors, "params", params_like(design)))
        scores = None if data["scores"] is None else Scores.from_data(data["scores"])
        known = {name.removeprefix("known/"): v for name, v in tensors.items() if name.startswith("known/")}
        return Run(
            design,
            params,
            _history_of(data, tensors),
            spec.from_data(data["record"]),
            scores,
            learned=Confidence.from_tensors(known) if known else None,
        )
    except (KeyError, TypeError, AttributeError, DesignError) as e:
        raise LoadError(f"{path} is not a run that chainrule wrote: {str(e).rstrip('.')}.") from e


def write_checkpoint(path: Path, design: Design, record: DataRecord, standing: Standing) -> None:
    """Write how far a training has come."""
    data = {
        "kind": "checkpoint",
        "design": design.to_data(),
        "record": spec.to_data(record),
        "events": list(standing.history.events),
        "epochs": standing.epochs,
        "budgeted": standing.budgeted,
        "versions": versions(),
    }
    modelfile.write(path, data, modelfile.flatten(standing.state, "state") | _history(standing.history))


def understood(
    path: Path, data: dict, tensors: dict[str, np.ndarray], custom: Mapping[str, Any] | None
) -> tuple[Design, DataRecord, dict, dict[str, np.ndarray]]:
    """The design and record of a checkpoint, and its contents for ``standing_of``."""
    if data.get("kind") != "checkpoint":
        raise LoadError(f"{path} is no checkpoint of a training.")
    if data["versions"] != versions():
        warnings.warn(
            f"{path} was written under {data['versions']}, and this is {versions()}: the training goes on, "
            "but not to the same bytes.",
            ChainruleWarning,
            stacklevel=3,
        )
    return design_of(path, data, custom), spec.from_data(data["record"]), data, tensors


def newest_checkpoint(path: Path, custom: Mapping[str, Any] | None = None) -> tuple[Design, DataRecord, dict, dict]:
    """The newest checkpoint of a run directory that is whole; a damaged one is passed over with a warning."""
    for file in checkpoints(path):
        try:
            data, tensors = modelfile.read(file)
        except LoadError as e:
            warnings.warn(f"{e} Going back to the checkpoint before it.", ChainruleWarning, stacklevel=3)
            continue
        return understood(file, data, tensors, custom)
    raise LoadError(f"{path} holds no checkpoint to go on from. Train again.")


def standing_of(data: dict, tensors: dict[str, np.ndarray], like: State) -> Standing:
    """The standing that a checkpoint holds; ``like`` is a state of the same training."""
    return Standing(
        modelfile.unflatten(tensors, "state", like),
        int(data["epochs"]),
        _history_of(data, tensors),
        bool(data["budgeted"]),
    )


def design_of(path: Any, data: dict, custom: Mapping[str, Any] | None) -> Design:
    """The design in a file's data, with a warning where the source of a user's own part has changed."""

    def changed(name: str) -> None:
        warnings.warn(
            f"{path}: the source of your own {name!r} is no longer the one that was saved with this run.",
            ChainruleWarning,
            stacklevel=5,
        )

    return Design.from_data(data["design"], custom, on_change=changed)


def params_like(design: Design) -> Any:
    """The shapes of a design's parameters, with the members of an ensemble in front."""
    params = param_shapes(design.network, design.encoder.example())
    members = design.recipe.ensemble
    if members == 1:
        return params
    return jax.tree.map(lambda p: jax.ShapeDtypeStruct((members, *p.shape), p.dtype), params)


def versions() -> dict[str, str]:
    """What must be equal for the same bytes."""
    return {
        "numpy": np.__version__,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "machine": platform.machine(),
    }


def _history(history: History) -> dict[str, np.ndarray]:
    return {f"history/{name}": values for name, values in history.to_tensors().items()}


def _history_of(data: dict, tensors: Mapping[str, np.ndarray]) -> History:
    kept = {name.removeprefix("history/"): v for name, v in tensors.items() if name.startswith("history/")}
    return History.from_tensors(kept, tuple(data["events"]))
