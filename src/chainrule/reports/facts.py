"""Facts: what is measured once and shown by several sections."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from chainrule.data.encoders import Encoder
from chainrule.errors import ChainruleWarning
from chainrule.maths.estimates import normal
from chainrule.proposal.baselines import guesses
from chainrule.reports.answers import Answers, answers, codes, decoded
from chainrule.reports.importance import Importance, importance
from chainrule.reports.rows import Examined, examined
from chainrule.train.run import Run
from chainrule.train.scores import Scores


@dataclass(frozen=True, eq=False)
class Gain:
    """How much less wrong a run is than a simple model, row by row on the same rows, with its 95 % interval."""

    model: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """The word better or worse; "" when no difference is shown."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else ""


@dataclass(frozen=True, eq=False)
class Facts:
    """A run, the rows that are examined, and what was found on them."""

    run: Run
    rows: Examined

    @cached_property
    def answers(self) -> Answers | None:
        """The run's answers; None where its loss is a user's own."""
        return answers(self.run, self.rows.inputs, self.rows.truth, self.rows.member)

    @cached_property
    def others(self) -> dict[str, Answers]:
        """What simple models answer to the same rows, each taught what the network was taught; {} where they cannot."""
        own, encoder = self.answers, self.run.design.encoder
        flat = isinstance(encoder, Encoder) or len(jax.tree.leaves(encoder.example())) == 1
        if own is None or own.kind == "labels" or not self.rows.lessons or not flat:
            return {}
        x = encoder.encode(self.rows.inputs)
        values: dict[str, np.ndarray] = {}
        for lesson in self.rows.lessons:
            asked = jax.tree.map(lambda a, at=lesson.asked: a[at], x)
            y = codes(lesson.y) if own.kind == "classes" else decoded(self.run, lesson.y)
            y = y[:, 0] if own.kind == "numbers" and y.shape[1] == 1 else y
            for name, said in guesses(encoder, lesson.x, y, asked, self.run.design.recipe.seed).items():
                kept = values.setdefault(name, np.empty_like(own.values, dtype=float))
                kept[lesson.asked] = np.asarray(said, float).reshape(len(lesson.asked), -1)
        return {name: Answers(own.kind, own.truth, v, own.classes) for name, v in values.items()}

    @cached_property
    def scores(self) -> Scores | None:
        """The metrics of the run with intervals, beside those of the simple models."""
        if self.answers is None:
            return None
        others = {name: {k: float(e.value) for k, e in o.scores.items()} for name, o in self.others.items()}
        return Scores(self.answers.scores, others)

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """The run beside each simple model: the majority or mean first, then the linear one."""
        own, found = self.answers, []
        if own is None:
            return ()
        for name, other in self.others.items():
            found.append(Gain(name, *normal(other.wrong - own.wrong)))
        return tuple(found)

    @cached_property
    def importance(self) -> tuple[Importance, ...]:
        """What each column is worth, the most important first."""
        return () if self.answers is None else importance(self.run, self.rows, self.answers)


def facts(run: Run, X: Any = None, y: Any = None) -> Facts:
    """The facts of a run on its own rows, or on others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainruleWarning)  # what these rows surprise with was said when it was trained
        return Facts(*examined(run, X, y))
