"""Propose: from a table and the column to predict to a design, each choice with its reason."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.data.ahead import look_ahead
from chainrule.data.embedded import EMBEDDED, default_target
from chainrule.data.encoders import Encoder
from chainrule.data.splits import expect_groups
from chainrule.data.table import Table
from chainrule.data.targets import usable_rows
from chainrule.errors import DesignError
from chainrule.proposal.columns import columns_of, expect_column
from chainrule.proposal.leaks import warn_leaks
from chainrule.proposal.network import network_of
from chainrule.proposal.rows import expect_rows, wide_note
from chainrule.proposal.schedule import ENSEMBLE, recipe_of
from chainrule.proposal.target import Aim, aim_of
from chainrule.train.design import Design
from chainrule.train.recipe import Split


def design(
    data: Any,
    target: str | None = None,
    *,
    task: str = "auto",
    time: str | None = None,
    ahead: int = 0,
    group: str | None = None,
    features: Sequence[str] | None = None,
    drop: Iterable[str] = (),
    ensemble: int = ENSEMBLE,
    epochs: int | None = None,
    time_budget: float | None = None,
    seed: int = 0,
    test: float | None = None,
    header: bool = True,
) -> Design:
    """Propose columns, network, loss and recipe for a table; ``print`` shows them with their reasons.

    ``data`` is a table, a path or the name of an embedded set, ``target`` the column to predict (an embedded set has
    its own). ``task`` is "classification", "regression" or "counts" where the values mislead. With ``time``, the last
    rows in the order of that column are held out; with ``ahead=1`` the target is that of the next row. Rows of one
    ``group``, such as those of a patient, are never parted. ``features`` names the columns to use, ``drop`` those to
    leave out. Each network of the ``ensemble`` leaves out rows of its own; where ``time`` orders the rows, or with
    ``ensemble=1``, one part is held out instead. Nothing is fitted: ``cr.fit(design, data)`` does that, on training
    rows only.

    Errors: DataError for a table that nothing can be learned from, and for rows without a group; DesignError for names
    and free text that cannot be used, with the words to add. A ChainruleWarning names columns that are left out or give
    the target away.

    >>> import chainrule as cr
    >>> proposed = cr.design("iris")
    >>> proposed.loss
    cross_entropy
    >>> print(proposed.reasons[0])
    classification of species: 3 distinct words are classes
    """
    Split(time=time, ahead=ahead, group=group)
    target = target or target_of(data)
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    table = Table.of(data) if header else Table.of(data, header=False)
    for name in (target, *filter(None, (time, group))):
        expect_column(table, name)
    if group is not None:
        expect_group(table, group, target)
    if ahead:
        table, target = look_ahead(table, target, time, ahead), f"{target} +{ahead}"
    table = usable_rows(table, target)
    expect_rows(table.rows, target)
    aim = aim_of(target, table[target], task)
    columns = columns_of(table, target, time, features, drop, group)
    warn_leaks(table, columns.names, target, aim.task == "classification", same_time=time is not None and not ahead)
    learning = round(table.rows * (1 - (test or 0)))
    net, shape = network_of(learning, len(columns.names), columns.numbers, aim.outputs, columns.embedded, start_of(aim))
    recipe, training = recipe_of(
        table.rows,
        time=time,
        ahead=ahead,
        group=group,
        groups=None if group is None else len(set(table[group].tolist())),
        test=test,
        ensemble=ensemble,
        epochs=epochs,
        time_budget=time_budget,
        seed=seed,
        stratified=aim.task == "classification",
    )
    reasons = (*aim.reasons, *columns.reasons, *wide_note(table.rows, len(columns.names)), *shape, *training)
    return Design(net, aim.loss, recipe, Encoder(columns.encoders, aim.target), reasons)


def expect_group(table: Table, group: str, target: str) -> None:
    """Refuse a column of groups that is the target, or that leaves rows without a group."""
    if group == target:
        raise DesignError(
            f"group={group!r} is the target: no row with a value that is tested would be learned from. Name the column "
            "that says which rows belong together."
        )
    expect_groups(group, table[group])


def target_of(data: Any) -> str:
    """The target of an embedded set; any other data must be told."""
    if isinstance(data, str) and data in EMBEDDED:
        return default_target(data)
    names = ", ".join(Table.of(data).names[:12])
    raise DesignError(f"design: which column is predicted? Say target=COLUMN (--target COLUMN). The columns: {names}.")


def start_of(aim: Aim) -> str:
    """The first loss of a network whose outputs are all 0, in words."""
    if aim.task == "classification":
        return f"ln {aim.outputs:,} = {math.log(aim.outputs):.3f}, that of guessing"
    return "1, that of a rate of 1" if aim.task == "counts" else "that of guessing the mean"
