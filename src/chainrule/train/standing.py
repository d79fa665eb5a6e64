"""Standing: how far a training has come, and who is told of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.train.descent import State
from chainrule.train.history import History
from chainrule.train.stretches import Job


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
        gave_up = any(event["kind"] == "gave up" for event in self.history.events)
        return self.history.epochs >= self.epochs or gave_up or bool(np.all(np.asarray(self.state.members.stopped)))


@dataclass(frozen=True)
class Watchers:
    """Who is told: of each stretch (the step), of each epoch (True ends the training), and where checkpoints go."""

    stretch: Callable[[int, Standing], None] = lambda step, standing: None
    epoch: Callable[[Standing], Any] | None = None
    checkpoint: Callable[[Standing], None] | None = None
    where: Callable[[Job, State, int], str] = lambda job, state, member: ""
    """Names the first layer that is not finite at the step that a state is about to take, in one member."""
