"""Schedules: the learning rate as a function of the step.

A schedule is a frozen set of numbers. The host computes the rates of a stretch of steps, in NumPy and in
float64; the compiled program only ever sees a number for each step, so that no schedule is ever compiled.
In the equations t is the step (0, 1, ...), T how many steps there are in all, and E how many make an epoch.
"""

import math
import sys
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from chainrule import spec
from chainrule.errors import DesignError


class Schedule:
    """The learning rate of every step, from a few numbers."""

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """The rate at each of ``steps``, which count from 0, of ``total``, ``per_epoch`` in an epoch."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return spec.show_fields(self)


def rates_of(learning_rate: Any, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
    """The rate at each of ``steps``: of a number, a schedule, or a plain function of the step.

    A function is called once for each step with a Python int: its values then do not depend on where a
    stretch begins. ``None`` belongs to an optimizer that finds the length of its steps itself, and gives ones.
    DesignError names the first step at which a rate is not a finite number of at least 0.

    >>> rates_of(lambda t: 0.1 / (1 + t), np.arange(3), total=3, per_epoch=1)
    array([0.1       , 0.05      , 0.03333333])
    """
    steps = np.asarray(steps)
    if isinstance(learning_rate, Schedule):
        rates = learning_rate.rates(steps, total, per_epoch)
    elif callable(learning_rate):
        rates = np.array([_rate_at(learning_rate, step) for step in steps.tolist()], np.float64)
    else:
        rates = np.full(steps.shape, 1.0 if learning_rate is None else learning_rate, np.float64)
    wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
    if wrong.size:
        value, step = rates[wrong[0]], steps[wrong[0]]
        raise DesignError(
            f"The learning rate {spec.show(learning_rate)} is {value} at step {step} of {total}: "
            "a finite number of at least 0 is expected. Steps are counted from 0."
        )
    return rates


def expect_number(
    part: Any,
    name: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    remedy: str = "",
) -> None:
    """Refuse a field that is not a finite number within its bounds; a NumPy number becomes a Python number."""
    value = getattr(part, name)
    if isinstance(value, np.number):
        value = value.item()
        spec.freeze(part, **{name: value})
    finite = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if not (finite and above < value < below and least <= value <= most):
        bounds = [(above, "above"), (least, "of at least"), (below, "below"), (most, "of at most")]
        said = " and ".join(f"{word} {bound:g}" for bound, word in bounds if math.isfinite(bound))
        expected = " ".join(filter(None, ["a finite number", said, "is expected.", remedy]))
        raise DesignError(f"{type(part).__name__}: {name}={value!r}: {expected}")


@spec.register
@dataclass(frozen=True, repr=False)
class cosine(Schedule):
    """From the peak down to the final rate along half a cosine, after a linear warm-up.

    Equation
        w(T) = warmup * T
        rates(t, T) = where(t < w(T), rise(t, T), fall(t, T))
        rise(t, T) = peak * (t + 1) / (w(T) + 1)                  never 0: the first step counts
        fall(t, T) = final + (peak - final) * (1 + cos(pi * (t - w(T)) / (T - w(T)))) / 2
    Errors
        DesignError when peak is not above 0, final not in [0, peak], or warmup, a fraction of all steps, not
        in [0, 1)
    Source
        Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts. PyTorch's CosineAnnealingLR with
        T_max = T is the same without warm-up; Keras' CosineDecay counts the warm-up in steps and starts it at 0

    >>> cosine(0.1).rates(np.arange(5), total=4, per_epoch=1).round(4)
    array([0.1   , 0.0854, 0.05  , 0.0146, 0.    ])
    """

    peak: float
    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        expect_number(self, "peak", above=0)
        expect_number(self, "final", least=0, most=self.peak)
        expect_number(self, "warmup", least=0, below=1)

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """Up along a line, down along a cosine."""
        w = self.warmup * total
        rise = self.peak * (steps + 1) / (w + 1)
        fall = _half_cosine(self.peak, self.final, (steps - w) / (total - w))
        return np.where(steps < w, rise, fall)


@spec.register
@dataclass(frozen=True, repr=False)
class warmup(Schedule):
    """A linear rise to the rate, which then stays.

    Equation
        w(T) = fraction * T
        rates(t, T) = rate * minimum(1, (t + 1) / (w(T) + 1))
    Errors
        DesignError when rate is not above 0, or fraction, of all steps, not in [0, 1]
    Source
        Goyal et al. 2017, section 2.2

    >>> warmup(0.1, fraction=0.5).rates(np.arange(8), total=8, per_epoch=1).round(2)
    array([0.02, 0.04, 0.06, 0.08, 0.1 , 0.1 , 0.1 , 0.1 ])
    """

    rate: float
    fraction: float = 0.05

    def __post_init__(self) -> None:
        expect_number(self, "rate", above=0)
        expect_number(self, "fraction", least=0, most=1)

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """Up along a line, then level."""
        return self.rate * np.minimum(1.0, (steps + 1) / (self.fraction * total + 1))


@spec.register
@dataclass(frozen=True, repr=False)
class one_cycle(Schedule):
    """Up to a rate that is large on purpose, then down to almost nothing, each along half a cosine.

    Equation
        w(T) = rise * T
        rates(t, T) = where(t < w(T), up(t, T), down(t, T))
        up(t, T) = peak + (peak / start - peak) * (1 + cos(pi * t / w(T))) / 2
        down(t, T) = peak / end + (peak - peak / end) * (1 + cos(pi * (t - w(T)) / (T - w(T)))) / 2
    Errors
        DesignError when peak is not above 0, rise, a fraction of all steps, not in (0, 1), or start or end,
        by which the peak is divided, below 1
    Source
        Smith & Topin 2018, section 4, along lines; with cosines and these numbers as in fastai (Howard &
        Gugger 2020, section 4.2). PyTorch's OneCycleLR has rise = 0.3, divides its end by start too, and reaches the
        peak one step earlier and the end at step T - 1

    >>> one_cycle(1.0, rise=0.5).rates(np.arange(5), total=4, per_epoch=1).round(4)
    array([0.04, 0.52, 1.  , 0.5 , 0.  ])
    """

    peak: float
    rise: float = 0.25
    start: float = 25.0
    end: float = 1e5

    def __post_init__(self) -> None:
        expect_number(self, "peak", above=0)
        expect_number(self, "rise", above=0, below=1)
        expect_number(self, "start", least=1)
        expect_number(self, "end", least=1)

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """Up along a cosine, down along a cosine."""
        w = self.rise * total
        up = _half_cosine(self.peak / self.start, self.peak, steps / w)
        down = _half_cosine(self.peak, self.peak / self.end, (steps - w) / (total - w))
        return np.where(steps < w, up, down)


@spec.register
@dataclass(frozen=True, repr=False)
class exponential(Schedule):
    """A rate that is multiplied by ``decay`` after every epoch.

    Equation
        rates(t, E) = rate * decay ** (t // E)
    Errors
        DesignError when rate is not above 0, or decay not in (0, 1]
    Source
        Robbins & Monro 1951 ask that the rates sum to infinity for convergence from anywhere; these sum to
        rate * E / (1 - decay). PyTorch's ExponentialLR, stepped once an epoch, is the same; Keras'
        ExponentialDecay falls within an epoch too unless staircase=True

    >>> exponential(0.1, decay=0.5).rates(np.arange(4), total=4, per_epoch=2)
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    rate: float
    decay: float = 0.95

    def __post_init__(self) -> None:
        expect_number(self, "rate", above=0)
        expect_number(self, "decay", above=0, most=1)

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """A staircase, one stair an epoch."""
        return self.rate * np.float64(self.decay) ** (steps // per_epoch)


@spec.register
@dataclass(frozen=True, repr=False)
class plateau(Schedule):
    """A rate that falls when the loss has not improved by more than ``min_delta`` for ``patience`` epochs.

    Equation
        rates(t) = rate + 0 * t
        better = loss < best - min_delta        after every epoch; at first best = inf, wait = 0, scale = 1
        best = where(better, loss, best)
        wait = where(better, 0, wait + 1)
        scale = where(wait >= patience, scale * factor, scale)        the rate is multiplied by it
        wait = where(wait >= patience, 0, wait)
    Errors
        DesignError when rate is not above 0, factor not in (0, 1), patience not a whole number of at least 1,
        or min_delta negative
    Source
        Keras' ReduceLROnPlateau (factor = 0.1, patience = 10). PyTorch's waits one epoch longer, and its
        threshold is relative to the best loss

    >>> falls, best, wait, scale = plateau(0.1, patience=2), 1.0, 0, 1.0
    >>> for loss in (0.5, 0.75, 0.625):
    ...     best, wait, scale = falls.react(best, wait, scale, loss, **falls.numbers())
    >>> float(best), int(wait), float(scale)
    (0.5, 0, 0.5)
    """

    rate: float
    factor: float = 0.5
    patience: int = 5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        expect_number(self, "rate", above=0)
        expect_number(self, "factor", above=0, below=1)
        expect_number(self, "patience", least=1)
        expect_number(self, "min_delta", least=0)
        if not isinstance(self.patience, int):
            raise DesignError(f"plateau: patience={self.patience!r}: a whole number of epochs is expected.")

    def rates(self, steps: np.ndarray, total: int, per_epoch: int) -> np.ndarray:
        """``rate`` everywhere: the scale that ``react`` gives multiplies it."""
        return np.full(np.shape(steps), self.rate, np.float64)

    def numbers(self) -> dict[str, float]:
        """What ``react`` takes beside the state: numbers that a compiled program is given, not made of."""
        return {"factor": self.factor, "patience": self.patience, "min_delta": self.min_delta}

    @staticmethod
    def react(
        best: Any, wait: Any, scale: Any, loss: Any, factor: Any, patience: Any, min_delta: Any
    ) -> tuple[Any, Any, Any]:
        """(best, wait, scale) after an epoch with this loss; all may be traced. A loss of NaN is no gain."""
        better = loss < best - min_delta
        wait = jnp.where(better, 0, wait + 1)
        tired = wait >= patience
        best = jnp.where(better, loss, best)
        return best, jnp.where(tired, 0, wait), jnp.where(tired, scale * factor, scale)


def _half_cosine(begin: float, end: float, share: np.ndarray) -> np.ndarray:
    return end + (begin - end) * (1 + np.cos(np.pi * share)) / 2


def _rate_at(f: Any, step: int) -> float:
    value = f(step)
    try:
        return float(value)
    except (TypeError, ValueError) as e:
        raise DesignError(
            f"The learning rate {spec.show(f)} gave {value!r} at step {step}: one number is expected."
        ) from e
