"""The weight of each column: what is lost when its values are shuffled."""

from chainrule.proposal.names import counted
from chainrule.reports.charts import gauge
from chainrule.reports.facts import Facts
from chainrule.reports.importance import MOST_COLUMNS, REPEATS
from chainrule.reports.markup import Html, folded, paragraph, section, table
from chainrule.reports.words import clipped, interval, number

SHOWN = 15
"""So many columns stand first; the others open on demand."""


def columns(facts: Facts) -> Html:
    """The columns from the most to the least important, each with its interval."""
    found, told = facts.importance, facts.answers
    if not found or told is None:
        return Html("")
    begin, end = min(0.0, *(one.low for one in found)), max(one.high for one in found)
    unit = "the mean absolute error grows by" if told.kind == "numbers" else "the surprise (log-loss, nats) grows by"
    rows = [
        (
            clipped(one.name, 40),
            gauge(one.value, one.low, one.high, begin, end, f"{one.name}: {number(one.value)}"),
            number(one.value),
            interval(one.low, one.high),
        )
        for one in found
    ]
    head = ("column", unit, "", "95 % interval")
    sure = sum(one.low > 0 for one in found)
    some = f" Of more columns the first {MOST_COLUMNS} are looked at." if len(found) == MOST_COLUMNS else ""
    lead = paragraph(
        f"Each column is shuffled {REPEATS} times among the rows, and {unit} so much. An interval that reaches 0 "
        f"is that of a column that may not matter: those of {sure} of {counted(len(found), 'column')} lie above 0. "
        "Columns that say the same stand in for each other, so each of them looks less important than both are." + some
    )
    shown = table(head, rows[:SHOWN], "Importance of columns", (2, 3))
    rest = rows[SHOWN:]
    more = folded(f"{counted(len(rest), 'more column')}", table(head, rest, "Less important", (2, 3))) if rest else ""
    return section("importance", "What it looks at", lead, shown, more)
