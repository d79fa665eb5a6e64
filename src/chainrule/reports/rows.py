"""Rows: which ones a report examines, what they are in words, and how far they can be trusted."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from chainrule.data import arrays
from chainrule.data.array_encoder import in_order, names_of
from chainrule.data.columns import column_of
from chainrule.data.encoders import Encoder
from chainrule.data.table import Table
from chainrule.errors import ChainruleError, DataError
from chainrule.proposal.names import counted
from chainrule.train.explained import recorded
from chainrule.train.materials import Materials, from_arrays, from_table, with_target
from chainrule.train.record import hash_of, record_of_table
from chainrule.train.run import Run

ROW = "\0row"
"""The column in which the places of rows go with a table, counted from 1; no file has a column of that name."""
MOST_COLUMNS = 2000
"""Arrays of more features are no table."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a simple model may learn from, and which of the examined rows it is asked then."""

    x: Any
    y: np.ndarray
    asked: np.ndarray


@dataclass(frozen=True, eq=False)
class Examined:
    """The rows that a report is about."""

    words: str
    """What they are, after "on": "114 rows that training never saw"."""
    trust: str
    """"test", "left out" (training looked at them, to stop) or "learned" (it learned them)."""
    inputs: Any
    """As ``run.outputs`` takes them."""
    truth: np.ndarray
    """Their targets, encoded."""
    member: np.ndarray | None = None
    """The network of the ensemble that answers for each row, where not all of them do."""
    lessons: tuple[Lesson, ...] = ()
    learned: Table | None = None
    """All rows but the test's, where they are known."""
    names: tuple[str, ...] = ()
    """The columns of arrays that came in a frame."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.truth)

    @property
    def table(self) -> Table | None:
        """Their inputs in named columns, where they have such."""
        return table_of(self.inputs, self.names)

    def where(self, i: int) -> str:
        """The name of one row."""
        table = self.inputs if isinstance(self.inputs, Table) else None
        return str(i + 1 if table is None or ROW not in table.names else int(table[ROW][i]))


def examined(run: Run, X: Any = None, y: Any = None) -> tuple[Run, Examined]:
    """The rows to examine, and the run that knows its rows left out.

    New rows are examined as they come. Of the run's own data it is the part kept for the test; without one, the rows
    that the networks left out; without these, the rows that they learned, which the page says. DataError when there is
    no data.
    """
    own = _own(run, X, y)
    if own is None:
        return run, _new(run, X, y)
    if run.left_out is None:
        run = replace(run, left_out=own.left_out, learned=run.known)
    return run, _of_own(run, own)


def table_of(inputs: Any, names: tuple[str, ...] = ()) -> Table | None:
    """Inputs in named columns: a table's own, or those of an array with two axes."""
    if isinstance(inputs, Table):
        return Table({name: column for name, column in inputs.columns.items() if name != ROW}, inputs.origin)
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2 or inputs.shape[1] > MOST_COLUMNS:
        return None
    names = names or tuple(f"x{j}" for j in range(inputs.shape[1]))
    return Table({name: inputs[:, j].astype(np.float64) for j, name in enumerate(names)})


def _own(run: Run, X: Any, y: Any) -> Materials | None:
    """The run's own data, cut as it was; None for other data."""
    design, given = run.design, X is not None
    split, whole = design.recipe.split, True
    if not given:
        try:
            X, y = recorded(run.record, "report"), None
        except ChainruleError:
            if run.data is None:
                raise
            (X, y), whole = run.data, False  # the test's rows are not among them
    if not isinstance(design.encoder, Encoder):
        if y is None:
            raise DataError("report: y is missing. Pass the targets too: cr.report(run, X, y).")
        if given and hash_of(design.encoder.encode(X), design.encoder.target.encode(y)) != run.record.sha256:
            return None
        return from_arrays(design, X, y)
    table = _with(run, X, y) if given or whole else Table.of(X)
    record = record_of_table(table)  # some rows of a file have its hash too
    if given and (record.sha256, record.rows) != (run.record.sha256, run.record.rows):
        return None
    if not whole:
        design = replace(design, recipe=replace(design.recipe, split=replace(split, test=None)))
    return from_table(design, _numbered(table), fitted=True)


def _of_own(run: Run, own: Materials) -> Examined:
    """The rows of a run's own data that can be trusted most."""
    encoder, train = run.design.encoder, own.train
    assert own.learned is not None
    everything, labels = own.learned
    names = getattr(encoder, "names", ())
    learned = table_of(everything, names)
    if own.test is not None:
        inputs, truth = own.test[0], encoder.target.encode(own.test[1])
        lesson = Lesson(encoder.encode(everything), encoder.target.encode(labels), np.arange(len(truth)))
        words = f"{counted(len(truth), 'row')} that training never saw"
        return Examined(words, "test", inputs, truth, None, (lesson,), learned, names)
    if own.folds is not None:
        lessons = tuple(
            Lesson(jax.tree.map(lambda a, m=m: a[own.folds != m], train.x), train.y[own.folds != m], at)
            for m in range(run.design.recipe.ensemble)
            if len(at := np.flatnonzero(own.folds == m))
        )
        words = f"{counted(len(train.y), 'row')}, each answered by the network that left it out"
        return Examined(words, "left out", everything, train.y, own.folds, lessons, learned, names)
    if own.held is not None and own.held_out is not None:
        lesson = Lesson(train.x, train.y, np.arange(len(own.held.y)))
        words = f"{counted(len(own.held.y), 'row')} that training left out"
        return Examined(words, "left out", own.held_out, own.held.y, None, (lesson,), learned, names)
    if run.left_out is not None and not isinstance(encoder, Encoder):  # they were given as validation=(X, y)
        _, held, _ = run.left_out
        lesson = Lesson(train.x, train.y, np.arange(len(held.y)))
        words = f"{counted(len(held.y), 'row')} that training left out"
        return Examined(words, "left out", held.x, held.y, None, (lesson,), learned, names)
    lesson = Lesson(train.x, train.y, np.arange(len(train.y)))
    words = f"the {counted(len(train.y), 'row')} that it was trained on"
    return Examined(words, "learned", everything, train.y, None, (lesson,), learned, names)


def _new(run: Run, X: Any, y: Any) -> Examined:
    """Rows that the run has nothing to do with yet."""
    encoder = run.design.encoder
    if not isinstance(encoder, Encoder):
        inputs, truth = encoder.encode(in_order(X, names_of(X))), encoder.target.encode(y)
        if len(truth) != arrays.rows_of(inputs):
            raise DataError(f"report: X has {arrays.rows_of(inputs)} rows and y has {len(truth)}.")
    else:
        inputs = with_target(run.design, _numbered(_with(run, X, y)))
        truth = encoder.target.encode(inputs[encoder.target.name])
    return Examined(
        f"{counted(len(truth), 'row')} that were given for this page",
        "test",
        inputs,
        truth,
        names=getattr(encoder, "names", ()),
    )


def _with(run: Run, X: Any, y: Any) -> Table:
    table = Table.of(X)
    if y is None:
        return table
    name = run.design.encoder.target.name
    return Table({**table.columns, name: column_of(name, y)}, table.origin)


def _numbered(table: Table) -> Table:
    return Table({**table.columns, ROW: np.arange(1.0, table.rows + 1)}, table.origin)
