"""Measures: every metric with its interval, beside the simple models on the same rows."""

from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, folded, joined, paragraph, section, table
from chainrule.reports.verdict import MODELS
from chainrule.reports.words import interval, score

MOST = 14
"""More metrics than this are folded: those of single classes."""


def scores(facts: Facts) -> Html:
    """The table of metrics."""
    measured = facts.scores
    if measured is None:
        return Html("")
    models = list(measured.baselines)
    order = sorted(measured, key=lambda name: "[" in name)
    rows = [
        (
            name,
            score(measured[name]),
            interval(*bounds(measured, name), score),
            *(score(measured.baselines[m].get(name)) for m in models),
        )
        for name in order
    ]
    head = ("metric", "network", "95 % interval", *models)
    numbers = (1, 2, *range(3, 3 + len(models)))
    first = [row for row in rows if "[" not in row[0]] if len(rows) > MOST else rows
    rest = rows[len(first) :]
    shown = [table(head, first, f"On {facts.rows.words}", numbers)]
    if rest:
        shown.append(folded(f"{len(rest)} metrics of single classes", table(head, rest, "By class", numbers)))
    told = "; ".join(f"{name} is {MODELS[name]}" for name in models if name in MODELS)
    left = [paragraph(f"{name} is left out: {why}.") for name, why in list(measured.left_out.items())[:10]]
    lead = paragraph(
        f"Each interval holds the true value 95 times of 100. {told[:1].upper()}{told[1:]}." if told else ""
    )
    return section("scores", "Scores", lead if told else "", joined(shown), joined(left))


def bounds(measured, name: str) -> tuple[float | None, float | None]:
    """The interval of a metric, or nothing where the rows are too few."""
    _, low, high = measured.to_data()["estimates"][name]
    return low, high
