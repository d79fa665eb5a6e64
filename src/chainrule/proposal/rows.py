"""Rows: how many are enough to design a network for them, and what to say where they are few.

Source: Hastie et al. 2009, chapter 18 (more columns than rows).
"""

import warnings

from chainrule.errors import ChainruleWarning, DataError
from chainrule.proposal.names import counted
from chainrule.train.design import Reason

LEAST, FEW = 10, 50


def expect_rows(rows: int, target: str) -> None:
    """Refuse fewer than 10 rows with a target, warn below 50."""
    if rows < LEAST:
        raise DataError(
            f"The table has {counted(rows, 'row')} with a {target!r}: at least {LEAST} are needed, to train on some "
            "and check on others."
        )
    if rows < FEW:
        warnings.warn(
            f"{rows} rows are few for a network: its scores will say little. A linear model may do as well; more rows "
            "help most.",
            ChainruleWarning,
            stacklevel=3,
        )


def wide_note(rows: int, columns: int) -> tuple[Reason, ...]:
    """A reason to be careful where there are more columns than rows."""
    if columns <= rows:
        return ()
    because = f"{columns:,} to {rows:,}: some fit by chance, so stop early"
    return (Reason("more columns than rows", because, "Hastie et al. 2009"),)
