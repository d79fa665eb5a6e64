"""Importance: what a run's answers lose when the values of a column are shuffled among the rows."""

from dataclasses import dataclass

import numpy as np

from chainrule.data.encoders import Encoder
from chainrule.data.table import Table
from chainrule.maths.estimates import normal
from chainrule.reports.answers import Answers, answers
from chainrule.reports.rows import Examined
from chainrule.train.run import Run

REPEATS = 5
MOST_COLUMNS = 100
"""Of more columns, the first ones are shuffled."""
WORK = 2_000_000
"""Answers that are asked for at most, over all columns and repeats."""


@dataclass(frozen=True)
class Importance:
    """What a column is worth: how much the mean surprise, or distance, grows without it, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


def importance(run: Run, rows: Examined, told: Answers) -> tuple[Importance, ...]:
    """The importance of each column that is read, the largest first; () where inputs have no columns.

    Equation
        d_i = mean over shuffles of (surprise of row i, shuffled) - (surprise of row i)
        value = mean(d),  half = 1.96 * std(d) / sqrt(n)
    Source
        Breiman 2001, section 10; Fisher, Rudin & Dominici 2019, arXiv:1801.01489
    """
    if rows.table is None:
        return ()
    encoder = run.design.encoder
    names = [c.name for c in encoder.columns] if isinstance(encoder, Encoder) else list(rows.table.names)
    names = names[:MOST_COLUMNS]
    count = min(rows.rows, max(100, WORK // (len(names) * REPEATS * run.design.recipe.ensemble)))
    at = np.linspace(0, rows.rows - 1, count).astype(int)
    member = None if rows.member is None else rows.member[at]
    inputs = rows.inputs.take(at) if isinstance(rows.inputs, Table) else rows.inputs[at]
    random = np.random.Generator(np.random.Philox(key=0))
    orders = [random.permutation(count) for _ in range(REPEATS)]
    found = []
    for j, name in enumerate(names):
        more = np.zeros(count)
        for order in orders:
            shuffled = answers(run, _shuffled(inputs, name, j, order), rows.truth[at], member)
            assert shuffled is not None
            more += (shuffled.surprise - told.surprise[at]) / REPEATS
        found.append(Importance(name, *normal(more)))
    return tuple(sorted(found, key=lambda one: -one.value))


def _shuffled(inputs: Table | np.ndarray, name: str, j: int, order: np.ndarray) -> Table | np.ndarray:
    if isinstance(inputs, Table):
        return Table({**inputs.columns, name: inputs[name][order]}, inputs.origin)
    shuffled = inputs.copy()
    shuffled[:, j] = inputs[order, j]
    return shuffled
