"""Coverage: whether intervals and sets hold the truth as often as they say."""

import numpy as np

from chainrule.maths.estimates import wilson
from chainrule.reports.answers import codes, decoded
from chainrule.reports.charts import Line, Points, chart, figures
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section, table
from chainrule.reports.scale import Axis
from chainrule.reports.words import interval, number, share
from chainrule.reports.words import level as said

LEVELS = (0.5, 0.8, 0.9, 0.95)
TITLE = "Does it know what it does not know?"


def coverage(facts: Facts) -> Html:
    """Nominal beside measured coverage, and how wide intervals or how large sets are."""
    told, run = facts.answers, facts.run
    if told is None or told.kind == "labels" or run.known is None:
        return Html("")
    if facts.rows.trust != "test":
        return section(
            "coverage",
            TITLE,
            paragraph(
                "Intervals are made from the rows left out, so other rows must test them: hold some out for a test."
            ),
        )
    found = [measured(facts, level) for level in LEVELS]
    hits = [wilson(hit, facts.rows.rows) for hit, _ in found]
    size = "median width" if told.kind == "numbers" else "classes in a set, on average"
    rows = [
        (said(level), share(e.value), interval(e.low, e.high, share), number(width))
        for level, e, (_, width) in zip(LEVELS, hits, found, strict=True)
    ]
    what = "intervals" if told.kind == "numbers" else "sets of classes"
    drawn = chart(
        "Coverage",
        Axis("said", 0.4, 1.0, percent=True),
        Axis("measured", 0.4, 1.0, percent=True),
        [
            Line([0.4, 1], [0.4, 1], "as said", 0, dashed=True),
            Points(LEVELS, [e.value for e in hits], what, 1, [e.low for e in hits], [e.high for e in hits]),
        ],
        "Whiskers are 95 % intervals.",
        "; ".join(f"{said(level)} said, {share(e.value)} measured" for level, e in zip(LEVELS, hits, strict=True))
        + ".",
    )
    head = ("said", "measured", "95 % interval", size)
    lead = paragraph(
        f"How often the truth lies in the {what} that run.{_method(told.kind)} gives, on {facts.rows.words}."
    )
    return section("coverage", TITLE, lead, figures(drawn, table(head, rows, f"Coverage of {what}", (0, 1, 2, 3))))


def measured(facts: Facts, level: float) -> tuple[float, float]:
    """In how many rows the truth is held, and how wide the intervals or how large the sets are."""
    run, inputs, told = facts.run, facts.rows.inputs, facts.answers
    assert told is not None
    if told.kind == "classes":
        sets = run.predict_set(inputs, level)
        return float(sets[np.arange(len(sets)), codes(facts.rows.truth)].sum()), float(sets.sum(axis=1).mean())
    lower, upper = (side.reshape(len(told.truth), -1) for side in run.predict_interval(inputs, level))
    truth = decoded(run, facts.rows.truth)
    inside = ((lower <= truth) & (truth <= upper)).mean(axis=1)
    return float(inside.sum()), float(np.median(upper - lower))


def _method(kind: str) -> str:
    return "predict_interval" if kind == "numbers" else "predict_set"
