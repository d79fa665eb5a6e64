"""Recipe: how a network is trained, as numbers that can be printed, saved and edited."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.maths.penalties import Penalty
from chainrule.maths.row_metrics import ROW_METRICS
from chainrule.train.optimizers import Optimizer, adam, optimizer_named


@spec.register
@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the monitored loss has not improved for ``patience`` epochs, and return to the best parameters.

    The validation loss is monitored, or the training loss when nothing is held out.
    """

    patience: int = 10
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        _whole("EarlyStopping", "patience", self.patience)
        _number("EarlyStopping", "min_delta", self.min_delta, least=0.0)


@spec.register
@dataclass(frozen=True)
class Split:
    """Which rows train, which validate and which test.

    Fractions of all rows; with ``time``, the last rows in the order of that column are held out, and rows of one
    ``group``, by the column of that name, are never parted. ``validation="cross"``: each network of an ensemble leaves
    out a part of its own, so that every row is validated once. With ``ahead``, the target is the one that many rows
    later.
    """

    validation: float | str | None = 0.2
    test: float | None = None
    time: str | None = None
    ahead: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        for name in ("validation", "test"):
            value = getattr(self, name)
            if name == "validation" and self.cross:
                continue
            if value is not None and not (_is_number(value) and 0 < value < 1):
                raise DesignError(
                    f"{name}={value!r}: a fraction of the rows between 0 and 1 is expected, such as 0.2, "
                    "or None to hold nothing out."
                )
        if not isinstance(self.time, str | None):
            raise DesignError(f"time={self.time!r}: the name of the column that orders the rows is expected, or None.")
        if not isinstance(self.group, str | None):
            raise DesignError(f"group={self.group!r}: the name of the column of groups is expected, or None.")
        if self.time is not None and (self.cross or self.group is not None):
            other = 'validation="cross"' if self.cross else f"group={self.group!r}"
            raise DesignError(
                f"time={self.time!r} holds out the last rows, and {other} would teach with rows that come after them. "
                "Leave one of the two out."
            )
        if isinstance(self.validation, float) and self.validation + (self.test or 0) >= 1:
            raise DesignError(f"validation={self.validation} and test={self.test} together leave no row to train on.")
        if isinstance(self.ahead, bool) or not isinstance(self.ahead, int) or self.ahead < 0:
            raise DesignError(f"ahead={self.ahead!r}: a number of rows is expected: 1 is the next one.")
        if self.ahead and self.time is None:
            raise DesignError("ahead needs the column that orders the rows: say time=COLUMN (--time COLUMN).")

    @property
    def cross(self) -> bool:
        """Whether each network of an ensemble leaves out a part of its own."""
        return self.validation == "cross"


@spec.register
@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the network and not the data.

    ``calibrated`` probabilities are as sure as the answers to the rows left out were right. Names stand for optimizers
    and metrics; ``class_weight`` is "balanced", or a dict or pairs of class and weight.

    >>> Recipe(optimizer="sgd", class_weight={"ill": 2}, freeze="0:Dense").class_weight
    (('ill', 2),)
    """

    optimizer: Optimizer = field(default_factory=adam)
    epochs: int = 100
    batch_size: int | str = 32
    split: Split = field(default_factory=Split)
    metrics: tuple[Callable | str, ...] = ()
    class_weight: Any = None
    penalty: Penalty | None = None
    clip_norm: float | None = None
    accumulate: int = 1
    average: float | None = None
    early_stopping: EarlyStopping | None = None
    ensemble: int = 1
    calibrated: bool = False
    freeze: tuple[str, ...] = ()
    time_budget: float | None = None
    seed: int = 0
    driver: str = "compiled"

    def __post_init__(self) -> None:
        spec.freeze(
            self,
            optimizer=optimizer_named(self.optimizer) if isinstance(self.optimizer, str) else self.optimizer,
            metrics=_metrics(self.metrics),
            class_weight=_class_weight(self.class_weight),
            freeze=_names(self.freeze),
        )
        for name in ("epochs", "accumulate", "ensemble"):
            _whole("fit", name, getattr(self, name))
        if not isinstance(self.split, Split):
            raise DesignError(f"fit: split={self.split!r}: a Split(validation=0.2) is expected.")
        if self.split.cross and self.ensemble < 2:
            raise DesignError(
                'fit: validation="cross": each network of an ensemble leaves out a part of the rows, and this is one '
                "network. Say ensemble=8, or validation=0.2."
            )
        if not isinstance(self.penalty, Penalty | None):
            raise DesignError(f"fit: penalty={self.penalty!r}: a penalty such as cr.l2(1e-4) or None is expected.")
        if self.batch_size != "full":
            _whole("fit", "batch_size", self.batch_size, 'a whole number of at least 1, or "full"')
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise DesignError(f"fit: seed={self.seed!r}: a whole number from 0 to 2**32 - 1 is expected.")
        for name in ("clip_norm", "time_budget"):
            if getattr(self, name) is not None:
                _number("fit", name, getattr(self, name), above=0.0)
        if self.average is not None and not (_is_number(self.average) and 0 < self.average < 1):
            raise DesignError(f"fit: average={self.average!r}: the memory of the average, such as 0.999, is expected.")
        if not isinstance(self.optimizer, Optimizer):
            raise DesignError(
                f"fit: optimizer={self.optimizer!r}: an optimizer such as cr.adam(1e-3) or its name is expected."
            )
        if self.optimizer.full_batch and self.batch_size != "full":
            raise DesignError(
                f"fit: {type(self.optimizer).__name__} searches along a line on the whole data, and batch_size="
                f'{self.batch_size} came. Say batch_size="full", or take cr.adam.'
            )
        if isinstance(self.early_stopping, int) and not isinstance(self.early_stopping, bool):
            spec.freeze(self, early_stopping=EarlyStopping(self.early_stopping))
        if self.early_stopping is not None and not isinstance(self.early_stopping, EarlyStopping):
            raise DesignError(
                f"fit: early_stopping={self.early_stopping!r}: cr.EarlyStopping(patience=10) or a number of epochs "
                "is expected."
            )
        if self.driver not in ("compiled", "stepwise"):
            raise DesignError(f'fit: driver={self.driver!r}: "compiled" or "stepwise" is expected.')


def _metrics(given: Any) -> tuple:
    listed = tuple(given) if isinstance(given, tuple | list) else (given,)
    for metric in listed:
        if isinstance(metric, str) and metric not in ROW_METRICS:
            near = difflib.get_close_matches(metric, ROW_METRICS, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise DesignError(
                f"fit: metrics={metric!r}: one of {', '.join(ROW_METRICS)}, or a function (z, y), is expected.{meant}"
            )
        if not isinstance(metric, str) and not callable(metric):
            raise DesignError(
                f"fit: metrics={metric!r}: functions of (z, y) with one value per example, or names, are expected."
            )
    return listed


def _class_weight(given: Any) -> Any:
    if given is None or (isinstance(given, str) and given == "balanced"):
        return given
    pairs = tuple(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, tuple | list) or not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
        raise DesignError(
            f'fit: class_weight={given!r}: None, "balanced", or a weight for each class, such as {{"ill": 2.0}}, is '
            "expected."
        )
    pairs = tuple(tuple(v.item() if isinstance(v, np.generic) else v for v in pair) for pair in pairs)
    for label, weight in pairs:
        if not isinstance(label, str | int | float) or not _is_number(weight) or weight < 0:
            raise DesignError(
                f"fit: class_weight gives {label!r} the weight {weight!r}: a class, and a finite number of at least 0, "
                "are expected."
            )
    return pairs


def _names(given: Any) -> tuple[str, ...]:
    listed = (given,) if isinstance(given, str) else given
    if not isinstance(listed, tuple | list) or not all(isinstance(name, str) for name in listed):
        raise DesignError(f'fit: freeze={given!r}: places of parameters as text are expected, such as ("0:Dense",).')
    return tuple(listed)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(where: str, name: str, value: Any, expected: str = "a whole number of at least 1") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DesignError(f"{where}: {name}={value!r}: {expected} is expected.")


def _number(where: str, name: str, value: Any, least: float | None = None, above: float | None = None) -> None:
    low = least if above is None else above
    fine = _is_number(value) and (value > above if above is not None else value >= (least or 0.0))
    if not fine:
        raise DesignError(
            f"{where}: {name}={value!r}: a finite number {'above' if above is not None else 'of at least'} {low} is "
            "expected."
        )
