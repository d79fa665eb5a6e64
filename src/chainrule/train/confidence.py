"""Confidence: what the rows that a run left out say about how far its answers can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from chainrule.data.targets import ClassTarget
from chainrule.maths.calibration import never_certain, temperature
from chainrule.maths.losses import Loss
from chainrule.maths.spread import Spread, Typical, spread, typical
from chainrule.train.descent import Rows
from chainrule.train.design import Design

MOST_FEATURES = 256
"""A spread is learned from at most so many features; of more, from the answer alone."""


@dataclass(frozen=True, eq=False)
class Confidence:
    """What was learned from rows left out. Conformal scores are kept one array for each member that left out rows."""

    rows: int
    temperature: float
    scores: tuple[np.ndarray, ...]
    spread: tuple[Spread, ...]
    typical: Typical | None
    variance: tuple[float, ...]
    """The variance of each column of the target, in its own units; () for classes."""

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Flat arrays for a file."""
        flat: dict[str, Any] = {"rows": self.rows, "temperature": self.temperature, "variance": self.variance}
        flat |= {f"scores/{j}": r for j, r in enumerate(self.scores)}
        for j, s in enumerate(self.spread):
            flat |= {f"spread/{j}/{name}": getattr(s, name) for name in ("center", "width", "w", "scale")}
        if self.typical is not None:
            flat |= {f"typical/{name}": getattr(self.typical, name) for name in ("center", "whitening", "distances")}
        return {name: np.asarray(value, np.float64) for name, value in flat.items()}

    @classmethod
    def from_tensors(cls, flat: Mapping[str, np.ndarray]) -> "Confidence":
        """The confidence that ``to_tensors`` wrote."""

        def several(kind: str) -> list[int]:
            return sorted({int(name.split("/")[1]) for name in flat if name.startswith(kind + "/")})

        shape = [flat[f"typical/{name}"] for name in ("center", "whitening", "distances") if f"typical/{name}" in flat]
        return cls(
            int(flat["rows"]),
            float(flat["temperature"]),
            tuple(flat[f"scores/{j}"] for j in several("scores")),
            tuple(
                Spread(*(flat[f"spread/{j}/{name}"] for name in ("center", "width", "w", "scale")))
                for j in several("spread")
            ),
            Typical(*shape) if shape else None,
            tuple(flat["variance"].tolist()),
        )


def learned(design: Design, seen: Any, rows: Rows, outputs: np.ndarray, member: np.ndarray | None) -> Confidence:
    """What the rows left out say: the temperature, the conformal scores, the spread of errors, and what is typical."""
    loss, target = design.loss, design.encoder.target
    kept = np.flatnonzero(rows.w > 0)
    count = len(kept)
    features = features_of(seen)
    known = typical(features) if features.shape[1] else None
    x, y = features_of(rows.x)[kept], np.asarray(rows.y)[kept]
    z = outputs[..., kept, :]
    of = None if member is None else member[kept]
    if not isinstance(loss, Loss):
        return Confidence(count, 1.0, (), (), known, ())
    if loss.task != "regression":
        logits, codes = as_classes(loss, z if z.ndim == 2 else z.mean(axis=0), y)
        heat = temperature(logits, codes, np.repeat(rows.w[kept], len(codes) // count))
        if not isinstance(target, ClassTarget):
            return Confidence(count, heat, (), (), known, ())
        p = probabilities(loss, z, heat, count)
        strange = 1 - (p if p.ndim == 2 else p.mean(axis=0))[np.arange(len(y)), y]
        return Confidence(count, heat, parted(strange, of, design.recipe.ensemble), (), known, ())
    answers = predictions(design, z)
    truth = target.decode(y).reshape(len(y), -1)
    answers = (answers if z.ndim == 2 else answers.mean(axis=0)).reshape(truth.shape)
    errors = truth - answers
    spreads, ratios = [], []
    for j in range(errors.shape[1]):
        f = spread_features(x, answers[:, j])
        apart = np.arange(len(f)) % 5  # each row's spread comes from the other rows: its score must not know it
        scale = np.empty(len(f))
        for part in range(5):
            scale[apart == part] = spread(f[apart != part], errors[apart != part, j])(f[apart == part])
        spreads.append(spread(f, errors[:, j]))
        ratios.append(np.abs(errors[:, j]) / np.maximum(scale, 1e-300))
    scores = parted(np.stack(ratios, axis=1), of, design.recipe.ensemble)
    return Confidence(count, 1.0, scores, tuple(spreads), known, tuple(truth.var(axis=0).tolist()))


def parted(scores: np.ndarray, member: np.ndarray | None, members: int) -> tuple[np.ndarray, ...]:
    """The scores of the rows that each member left out."""
    return (scores,) if member is None else tuple(scores[member == m] for m in range(members))


def probabilities(loss: Loss, z: np.ndarray, heat: float, rows: int) -> np.ndarray:
    """Probabilities at a temperature, none of them 0."""
    return never_certain(np.asarray(loss.probabilities(z / heat), np.float64), rows)


def as_classes(loss: Loss, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits with a column for each class, and codes; each label of several is a problem of two classes."""
    if z.shape[-1] == 1 or loss.task == "multilabel":
        return np.stack([np.zeros(z.size), z.reshape(-1)], axis=1), np.asarray(y).reshape(-1).astype(int)
    return z, np.asarray(y).astype(int)


def predictions(design: Design, z: np.ndarray) -> np.ndarray:
    """Answers in the target's units, with the members of an ensemble in front if they are there."""
    decode = design.encoder.target.decode
    answers = np.asarray(design.loss.predict(z))
    return np.stack([decode(one) for one in answers]) if z.ndim == 3 else decode(answers)


def features_of(x: Any) -> np.ndarray:
    """All numbers of each example side by side; codes are no numbers."""
    arrays = [np.asarray(a) for a in jax.tree.leaves(x)]
    flat = [a.reshape(len(a), -1) for a in arrays if a.dtype.kind == "f"]
    return np.concatenate(flat, axis=1).astype(np.float64) if flat else np.zeros((len(arrays[0]), 0))


def spread_features(x: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """What the spread is a function of: the answer, and the features unless they are very many."""
    return np.column_stack([answer, x]) if x.shape[1] <= MOST_FEATURES else answer[:, None]
