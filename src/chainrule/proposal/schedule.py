"""Schedule: how many networks are trained, how long, how fast and on which rows, from the number of rows.

Sources: Loshchilov & Hutter 2019 (adamw), 2017 (the cosine); Goyal et al. 2017 (the rise); Masters & Luschi 2018
(small batches); Prechelt 1998 (early stopping); Lakshminarayanan et al. 2017 (ensembles); Krogh & Vedelsby 1995
(each member leaves out a part of its own); Guo et al. 2017 (calibration).
"""

import math

from chainrule.errors import DesignError
from chainrule.proposal.names import few
from chainrule.train.design import Reason
from chainrule.train.optimizers import adamw
from chainrule.train.recipe import EarlyStopping, Recipe, Split
from chainrule.train.schedules import cosine

ENSEMBLE = 8
RATE, WARMUP, WEIGHT_DECAY = 4e-3, 0.05, 0.02
STEPS = 600
"""Enough at this rate for a small table."""
LEAST, SEEN = 30, 5_000_000
"""The least number of epochs; fewer, down to 2, where a network would see more than five million rows."""


def batch_size_of(rows: int) -> int:
    """Rows of a batch: 32 of few rows, and more where an epoch would have hundreds of steps.

    >>> [batch_size_of(rows) for rows in (100, 2_000, 10_000, 50_000, 1_000_000)]
    [32, 64, 128, 256, 512]
    """
    sizes = {128: 32, 6_000: 64, 20_000: 128, 100_000: 256}
    return next((size for bound, size in sizes.items() if rows < bound), 512)


def epochs_of(rows: int, batch: int) -> int:
    """Epochs for about 600 steps, and at least 30 unless that are more than five million rows.

    >>> [epochs_of(rows, batch_size_of(rows)) for rows in (120, 450, 16_000, 1_000_000)]
    [150, 75, 30, 5]
    """
    least = min(LEAST, max(2, SEEN // rows))
    return max(least, round(STEPS / math.ceil(rows / batch)))


def patience_of(epochs: int) -> int:
    """A quarter of the epochs, 20 at least: the rate must have time to fall, which is when noise averages out."""
    return max(20, epochs // 4)


def validation_of(rows: int) -> float:
    """The part held out to choose the epoch: a fifth of a small table, some 2,000 rows of a large one.

    >>> [round(validation_of(rows), 3) for rows in (200, 10_000, 100_000)]
    [0.2, 0.2, 0.05]
    """
    return round(max(0.05, min(0.2, 2_000 / rows)), 3)


def crossed(ensemble: int, time: str | None, groups: int | None, test: float | None) -> bool:
    """Whether each member leaves out rows of its own: of later rows it may not learn, and of groups each needs one.

    >>> crossed(8, None, None, 0.2), crossed(8, "date", None, None), crossed(8, None, 9, 0.2)
    (True, False, False)
    """
    enough = groups is None or groups * (1 - (test or 0)) >= ensemble + 1
    return ensemble > 1 and time is None and enough


def recipe_of(
    rows: int,
    *,
    time: str | None,
    ahead: int,
    group: str | None,
    groups: int | None,
    test: float | None,
    ensemble: int,
    epochs: int | None,
    time_budget: float | None,
    seed: int,
    stratified: bool,
) -> tuple[Recipe, tuple[Reason, ...]]:
    """The recipe for a table of so many rows, and why; ``groups`` counts the groups that are never parted."""
    cross = crossed(ensemble, time, groups, test)
    validation = validation_of(rows)
    held = 1 / ensemble if cross else validation
    if not isinstance(test, int | float | None) or (test is not None and not 0 < test < 1 - held):
        raise DesignError(f"test={test!r}: a fraction of the rows between 0 and {1 - held:g} is expected, or None.")
    learning = round(rows * (1 - (test or 0)))
    train = round(learning * (1 - held))
    batch = batch_size_of(train)
    steps = math.ceil(train / batch)
    count = epochs_of(train, batch) if epochs is None else epochs
    recipe = Recipe(
        optimizer=adamw(cosine(RATE, warmup=WARMUP), weight_decay=WEIGHT_DECAY),
        epochs=count,
        batch_size=batch,
        split=Split("cross" if cross else validation, test=test, time=time, ahead=ahead, group=group),
        early_stopping=EarlyStopping(patience_of(count)),
        ensemble=ensemble,
        calibrated=stratified,
        time_budget=time_budget,
        seed=seed,
    )
    return recipe, (
        *_members(ensemble),
        _left_out(ensemble, learning, cross, validation, time, group, stratified),
        *_calibration(stratified),
        Reason(
            f"adamw, weight decay {WEIGHT_DECAY}", "a step size per weight, decay apart", "Loshchilov & Hutter 2019"
        ),
        Reason(
            f"learning rate up to {RATE}", f"over {WARMUP:.0%} of steps while averages are young", "Goyal et al. 2017"
        ),
        Reason("then a cosine down to 0", "small last steps average noise out", "Loshchilov & Hutter 2017"),
        Reason(
            f"batches of {batch} rows",
            f"{train:,} rows to train on make {steps:,} step{'' if steps == 1 else 's'} an epoch",
            "Masters & Luschi 2018",
        ),
        Reason(f"{count:,} epochs at most", "you said so" if epochs is not None else _length(count, steps, train)),
        Reason(f"patience of {patience_of(count)} epochs", "the rate must have time to fall, and noise to average out"),
        *together(group),
    )


def together(group: str | None) -> tuple[Reason, ...]:
    """Why rows of one group are never parted, where there are groups."""
    if group is None:
        return ()
    return (Reason(f"no {few([group], 20)} in two parts", "its rows would give each other away; it is no feature"),)


def _members(ensemble: int) -> tuple[Reason, ...]:
    if ensemble == 1:
        return ()
    because = "their mean errs less than each, their spread is doubt"
    return (Reason(f"{ensemble} networks", because, "Lakshminarayanan 2017"),)


def _left_out(
    ensemble: int, learning: int, cross: bool, validation: float, time: str | None, group: str | None, stratified: bool
) -> Reason:
    drawn = "whole groups" if group else "each class by its share" if stratified else "drawn at random"
    if cross:
        because = f"all {learning:,} rows teach, and choose the epoch"
        return Reason(f"each leaves out 1/{ensemble}", because, "Krogh & Vedelsby 1995")
    how = "the last in time" if time else drawn
    return Reason(
        f"{validation:.0%} held out", f"{round(learning * validation):,} rows, {how}, choose the epoch", "Prechelt 1998"
    )


def _calibration(stratified: bool) -> tuple[Reason, ...]:
    if not stratified:
        return ()
    return (
        Reason("probabilities calibrated", "as sure as the answers to rows left out were right", "Guo et al. 2017"),
    )


def _length(count: int, steps: int, rows: int) -> str:
    if count * steps <= 1.2 * STEPS:
        return (
            f"{steps:,} step{'' if steps == 1 else 's'} each, about {round(count * steps, -2):,} for a table this small"
        )
    return f"{steps:,} steps each; each row is seen {count} times, {count * rows:,} rows in all"
