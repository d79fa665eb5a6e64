"""Answers: what a run says of rows whose truth is known, and how wrong each answer is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.targets import ClassTarget
from chainrule.maths import metrics
from chainrule.maths.estimates import Estimates
from chainrule.maths.losses import Loss
from chainrule.train.confidence import predictions, probabilities
from chainrule.train.run import Run


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers beside the truth: probabilities of classes or labels, or values in the target's units."""

    kind: str
    """"classes", "labels" (several of 0 and 1) or "numbers"."""
    truth: np.ndarray
    """Codes (rows,), or columns (rows, k)."""
    values: np.ndarray
    """Probabilities (rows, classes), or columns (rows, k)."""
    classes: tuple[str, ...] = ()

    @property
    def wrong(self) -> np.ndarray:
        """How wrong each answer is: 1 for a wrong class, the share of wrong labels, or the mean distance."""
        if self.kind == "classes":
            return (self.values.argmax(axis=1) != self.truth).astype(float)
        if self.kind == "labels":
            return ((self.values > 0.5) != (self.truth > 0.5)).mean(axis=1)
        return np.abs(self.values - self.truth).mean(axis=1)

    @property
    def surprise(self) -> np.ndarray:
        """What each truth costs: -log of its probability in nats, or the mean distance."""
        if self.kind == "numbers":
            return self.wrong
        p = self.values
        right = p[np.arange(len(p)), self.truth] if self.kind == "classes" else np.where(self.truth > 0.5, p, 1 - p)
        cost = -np.log(np.maximum(right, 1e-12))
        return cost if cost.ndim == 1 else cost.mean(axis=1)

    @property
    def scores(self) -> Estimates:
        """The metrics that suit them, with intervals."""
        if self.kind == "classes":
            return metrics.classification(self.truth, self.values, self.classes)
        return (metrics.multilabel if self.kind == "labels" else metrics.regression)(self.truth, self.values)


def answers(run: Run, inputs: Any, truth: np.ndarray, member: np.ndarray | None = None) -> Answers | None:
    """A run's answers for rows; None where its loss is a user's own, which says nothing of answers."""
    loss, target = run.design.loss, run.design.encoder.target
    if not isinstance(loss, Loss):
        return None
    z = outputs(run, inputs, member)
    if loss.task == "regression":
        told = predictions(run.design, z)
        told = (told.mean(axis=0) if z.ndim == 3 else told).reshape(len(truth), -1)
        return Answers("numbers", decoded(run, truth), told)
    heat = run.known.temperature if run.design.recipe.calibrated and run.known is not None else None
    p = at_temperature(run, z, heat)
    if isinstance(target, ClassTarget):
        return Answers("classes", codes(truth), p, tuple(map(str, target.classes)))
    return Answers("labels", np.asarray(truth).reshape(p.shape), p)


def outputs(run: Run, inputs: Any, member: np.ndarray | None) -> np.ndarray:
    """The raw last layer, (rows, k) or (members, rows, k); with ``member``, the network that answers for each row."""
    z = run.outputs(inputs)
    return z if member is None else z[member, np.arange(len(member))]


def at_temperature(run: Run, z: np.ndarray, heat: float | None) -> np.ndarray:
    """Probabilities (rows, k), the members' mean; None leaves the outputs as they are."""
    if heat is None or run.known is None:
        p = np.asarray(run.design.loss.probabilities(z), np.float64)
    else:
        p = probabilities(run.design.loss, z, heat, run.known.rows)
    p = p.mean(axis=0) if z.ndim == 3 else p
    return p / p.sum(axis=1, keepdims=True) if isinstance(run.design.encoder.target, ClassTarget) else p


def codes(truth: np.ndarray) -> np.ndarray:
    """Codes of classes (rows,)."""
    return np.asarray(truth).reshape(len(truth)).astype(int)


def decoded(run: Run, truth: np.ndarray) -> np.ndarray:
    """Targets in their own units, (rows, columns)."""
    return np.asarray(run.design.encoder.target.decode(np.asarray(truth)), float).reshape(len(truth), -1)
