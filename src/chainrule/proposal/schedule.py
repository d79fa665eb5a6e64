"""Schedule: how long, how fast and on which rows the network is trained, from the number of rows.

Sources: Loshchilov & Hutter 2019 (adamw), 2017 (the cosine); Goyal et al. 2017 (the rise); Masters & Luschi 2018
(small batches); Prechelt 1998 (early stopping).
"""

import math

from chainrule.errors import DesignError
from chainrule.proposal.names import few
from chainrule.train.design import Reason
from chainrule.train.optimizers import adamw
from chainrule.train.recipe import EarlyStopping, Recipe, Split
from chainrule.train.schedules import cosine

WARMUP, WEIGHT_DECAY = 0.05, 0.02
STEPS = 800
"""Enough at this rate for a small table: on breast_cancer, diabetes and sonar more steps only learned noise."""
LEAST, MOST = 50, 200
"""Bounds on the number of epochs."""


def learning_rate_of(rows: int) -> float:
    """The highest rate: 0.001 below 1,000 rows, where 0.002 and more overfit within a few epochs, else 0.003."""
    return 1e-3 if rows < 1_000 else 3e-3


def batch_size_of(rows: int) -> int:
    """Rows of a batch: 32, and more where an epoch would have hundreds of steps.

    >>> [batch_size_of(rows) for rows in (150, 2_000, 20_000, 1_000_000)]
    [32, 64, 128, 256]
    """
    return 32 if rows < 1_000 else 64 if rows < 5_000 else 128 if rows < 50_000 else 256


def epochs_of(rows: int, batch: int) -> int:
    """Epochs for about 800 steps, at least 50 and at most 200.

    >>> [epochs_of(rows, batch_size_of(rows)) for rows in (120, 450, 16_000)]
    [200, 53, 50]
    """
    return max(LEAST, min(MOST, round(STEPS / math.ceil(rows / batch))))


def patience_of(epochs: int) -> int:
    """A quarter of the epochs, 20 at least: the rate must have time to fall, which is when noise averages out."""
    return max(20, epochs // 4)


def validation_of(rows: int) -> float:
    """The part held out to choose the epoch: a fifth of a small table, some 2,000 rows of a large one.

    >>> [round(validation_of(rows), 3) for rows in (200, 10_000, 100_000)]
    [0.2, 0.2, 0.05]
    """
    return round(max(0.05, min(0.2, 2_000 / rows)), 3)


def recipe_of(
    rows: int,
    *,
    time: str | None,
    ahead: int,
    group: str | None,
    test: float | None,
    ensemble: int,
    epochs: int | None,
    time_budget: float | None,
    seed: int,
    stratified: bool,
) -> tuple[Recipe, tuple[Reason, ...]]:
    """The recipe for a table of so many rows, and why."""
    validation = validation_of(rows)
    if not isinstance(test, int | float | None) or (test is not None and not 0 < test < 1 - validation):
        raise DesignError(
            f"test={test!r}: a fraction of the rows between 0 and {1 - validation:g} is expected, or None."
        )
    split = Split(validation=validation, test=test, time=time, ahead=ahead, group=group)
    train = round(rows * (1 - (test or 0)) * (1 - validation))
    rate, batch = learning_rate_of(train), batch_size_of(train)
    steps = math.ceil(train / batch)
    count = epochs_of(train, batch) if epochs is None else epochs
    recipe = Recipe(
        optimizer=adamw(cosine(rate, warmup=WARMUP), weight_decay=WEIGHT_DECAY),
        epochs=count,
        batch_size=batch,
        split=split,
        early_stopping=EarlyStopping(patience_of(count)),
        ensemble=ensemble,
        time_budget=time_budget,
        seed=seed,
    )
    held = round(rows * (1 - (test or 0)) * validation)
    drawn = "each class by its share" if stratified else "drawn at random"
    how = "the last in time" if time else "whole groups" if group else drawn
    patience = f"patience of {patience_of(count)} epochs"
    return recipe, (
        Reason(
            f"adamw, weight decay {WEIGHT_DECAY}",
            "a step size per weight, decay apart from it",
            "Loshchilov & Hutter 2019",
        ),
        Reason(
            f"learning rate up to {rate}",
            f"over {WARMUP:.0%} of steps while adamw's averages are young",
            "Goyal et al. 2017",
        ),
        Reason("then a cosine down to 0", "small last steps average noise out", "Loshchilov & Hutter 2017"),
        Reason(
            f"batches of {batch} rows",
            f"{train:,} rows to train on make {steps:,} steps an epoch",
            "Masters & Luschi 2018",
        ),
        Reason(f"{count:,} epochs at most", "you said so" if epochs is not None else _length(count, steps)),
        Reason(f"{validation:.0%} held out", f"{held:,} rows, {how}, choose the epoch", "Prechelt 1998"),
        Reason(patience, "the rate must have time to fall, and noise to average out"),
        *together(group),
    )


def together(group: str | None) -> tuple[Reason, ...]:
    """Why rows of one group are never parted, where there are groups."""
    if group is None:
        return ()
    return (Reason(f"no {few([group], 20)} in two parts", "its rows would give each other away; it is no feature"),)


def _length(epochs: int, steps: int) -> str:
    if epochs in (LEAST, MOST):
        return f"{steps:,} steps each, {epochs * steps:,} in all; each row is seen {epochs} times"
    return f"{steps:,} steps each, about {round(epochs * steps, -2):,} in all for a table this small"
