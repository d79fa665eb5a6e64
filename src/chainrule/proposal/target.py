"""Target: what is predicted, from its values to a task, its encoding and the loss that this implies.

Sources: Bishop 2006, sections 3.1.1 and 4.3.4 (squared error and cross-entropy as likelihoods); Huber 1964;
McCullagh & Nelder 1989, chapter 6 (counts); LeCun et al. 1998, section 4.3 (targets on a common scale); Elkan 2001
(class weights).
"""

import warnings
from dataclasses import dataclass

import numpy as np

from chainrule.data.targets import ClassTarget, CountTarget, NumberTarget
from chainrule.errors import ChainruleWarning, DataError, DesignError
from chainrule.maths.loss import Loss
from chainrule.maths.losses import cross_entropy, huber, mean_squared_error, poisson_nll
from chainrule.proposal.names import counted, few
from chainrule.train.design import Reason

TASKS = ("classification", "regression", "counts")
FEW_VALUES = 15
HEAVY_TAILS = 5.0
"""Excess kurtosis above which squared errors are led by a few rows; a normal distribution has 0, Laplace's 3."""


@dataclass(frozen=True)
class Aim:
    """A task: how the target is encoded, and the loss of its distribution."""

    task: str
    target: ClassTarget | CountTarget | NumberTarget
    loss: Loss
    outputs: int
    reasons: tuple[Reason, ...]


def aim_of(name: str, values: np.ndarray, task: str = "auto") -> Aim:
    """From the values of a target column without blanks to the task, as found or as told."""
    if task not in ("auto", *TASKS):
        raise DesignError(f'task={task!r}: "auto", "classification", "regression" or "counts" is expected.')
    expect_variation(name, values)
    found, because = task_of(values)
    if task == "auto":
        task = found
    elif task != found:
        because = f"you said so; the values suggest {found}"
    if task != "classification" and values.dtype == object:
        raise DesignError(f"task={task!r} needs numbers, and the target {name!r} holds text: {values[0]!r}, …")
    reason = Reason(f"{task} of {few([name], 24)}", because)
    aim = {"classification": classes, "counts": counts, "regression": numbers}[task](name, values)
    return Aim(task, aim.target, aim.loss, aim.outputs, (reason, *aim.reasons))


def expect_variation(name: str, values: np.ndarray) -> None:
    """Refuse a target that has one value only."""
    if len(set(values.tolist())) < 2:
        value = f"{values[0]:g}" if values.dtype != object else repr(values[0])
        raise DataError(f"The target {name!r} is {value} in all {len(values):,} rows: there is nothing to learn.")


def task_of(values: np.ndarray) -> tuple[str, str]:
    """The task that the values of a target suggest, and why.

    >>> task_of(np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]))
    ('classification', '2 whole numbers, 0 to 1, are codes of classes')
    >>> task_of(np.array([151.0, 75.5, 141.0, 206.0]))[0]
    'regression'
    """
    if values.dtype == object:
        return "classification", f"{len(set(values.tolist())):,} distinct words are classes"
    distinct = np.unique(values)
    whole = bool(np.all(distinct == np.round(distinct)))
    span = f"{distinct[0]:,.6g} to {distinct[-1]:,.6g}"
    if not whole:
        return "regression", f"{len(distinct):,} values, {span}, with fractions"
    spread_thin = distinct[-1] - distinct[0] + 1 > 1.5 * len(distinct) and len(distinct) > 3
    if len(distinct) <= FEW_VALUES and 5 * len(distinct) <= len(values) and not spread_thin:
        return "classification", f"{len(distinct)} whole numbers, {span}, are codes of classes"
    dispersion = float(np.var(values) / max(float(np.mean(values)), 1e-9))
    if distinct[0] == 0 and _skewness(values) > 0.5 and 0.5 < dispersion < 20:
        return "counts", f"whole numbers, {span}, skewed, variance {dispersion:.2g} times the mean"
    return "regression", f"{len(distinct):,} values, {span}"


def classes(name: str, values: np.ndarray) -> Aim:
    """Classes and the cross-entropy; a class with one member is warned about."""
    labels, count = np.unique(values.astype(str) if values.dtype == object else values, return_counts=True)
    if 2 * len(labels) > len(values):
        raise DesignError(
            f"The target {name!r} has {len(labels):,} distinct values in {len(values):,} rows: no class is seen often "
            'enough to be learned. For a number say task="regression" (--task regression); an identifier cannot be '
            "predicted."
        )
    alone = [_label(label) for label, n in zip(labels, count, strict=True) if n == 1]
    if alone:
        warnings.warn(
            f"Seen once among the classes of {name!r}: {', '.join(alone[:5])}. What is seen once cannot be checked. "
            "Merge rare classes, or add rows.",
            ChainruleWarning,
            stacklevel=4,
        )
    k, share = len(labels), count.max() / count.sum()
    words = values.dtype == object
    often = [
        f"{labels[i]} ({count[i]:,})" if words else f"class {labels[i]:g}: {counted(int(count[i]), 'row')}"
        for i in np.argsort(-count, kind="stable")
    ]
    reasons = [
        Reason("loss cross_entropy", f"lowest at the true probability of each of the {k:,} classes", "Bishop 2006"),
        Reason("no class weights", f"they bend probabilities; {few(often, 40)}", "Elkan 2001"),
    ]
    if share > 0.8:
        because = f'one guess is {share:.0%} accurate; class_weight="balanced" raises recall'
        reasons.append(Reason("read recall and AUROC", because))
    return Aim("classification", ClassTarget(name), cross_entropy, cross_entropy.width(k), tuple(reasons))


def counts(name: str, values: np.ndarray) -> Aim:
    """Counts and the Poisson likelihood."""
    wrong = values[(values < 0) | (values != np.round(values))]
    if len(wrong):
        raise DesignError(f"task='counts' needs whole numbers of at least 0, and {name!r} holds {wrong[0]:g}.")
    because = f"mean {values.mean():.3g}; errors weigh less at high counts"
    reasons = (
        Reason(f"loss {poisson_nll}", because, "McCullagh & Nelder 1989"),
        Reason("output is the log of a rate", "so every predicted rate is positive"),
    )
    return Aim("counts", CountTarget(name), poisson_nll, poisson_nll.width(1), reasons)


def numbers(name: str, values: np.ndarray) -> Aim:
    """Numbers, standardized, and squared errors, or Huber's where the tails are heavy."""
    kurtosis = _moment(values, 4) - 3
    because = f"mean {values.mean():.4g}, deviation {values.std():.4g}; outputs start near 0"
    scaled = Reason("target scaled", because, "LeCun et al. 1998")
    if kurtosis > HEAVY_TAILS:
        loss, source = huber, "Huber 1964"
        because = f"heavy tails, excess kurtosis {kurtosis:.3g}; linear beyond 1 deviation"
    else:
        loss, source = mean_squared_error, "Bishop 2006"
        because = f"predicts the mean; no heavy tails, excess kurtosis {kurtosis:.1f}"
    reasons = (scaled, Reason(f"loss {loss}", because, source))
    return Aim("regression", NumberTarget(name), loss, loss.width(1), reasons)


def _moment(values: np.ndarray, order: int) -> float:
    return float(np.mean(((values - values.mean()) / values.std()) ** order))


def _skewness(values: np.ndarray) -> float:
    return _moment(values, 3)


def _label(label: object) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)
