"""Abstention: what is gained when the network answers only where it is sure, and what that costs."""

import numpy as np

from chainrule.maths.selective import mean_size, selective, share_right
from chainrule.reports.charts import Band, Line, chart, figures
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section, table
from chainrule.reports.scale import Axis, axis
from chainrule.reports.words import level, number, share


def abstention(facts: Facts) -> Html:
    """For each share of rows that is answered, the least sure left out first: the threshold and the score."""
    told, run = facts.answers, facts.run
    if told is None or told.kind == "labels" or (told.kind == "numbers" and run.known is None):
        return Html("")
    if told.kind == "classes":
        sure = told.values.max(axis=1)
    else:
        doubt = run.confidence(facts.rows.inputs)
        sure = -np.hypot(doubt["aleatoric"], doubt["epistemic"])
    order = np.argsort(-sure, kind="stable")
    wrong, n = told.wrong[order], len(order)
    counts = np.unique(np.linspace(min(n, max(10, n // 10)), n, 60).astype(int))
    points = [estimate(wrong[:c], told.kind) for c in counts]
    value, low, high = (np.array(side) for side in zip(*points, strict=True))
    across = counts / n
    percent = told.kind == "classes"
    y = axis("accuracy" if percent else "mean absolute error", value, low, high, percent=percent)
    drawn = chart(
        "The price of abstaining",
        Axis("share answered", 0.0, 1.0, percent=True),
        y,
        [Band(across, low, high), Line(across, value)],
        "The least sure rows are left unanswered first; the band is the 95 % interval.",
        f"At all rows {_said(value[-1], percent)}, at {share(across[0])} of them {_said(value[0], percent)}.",
    )
    rows = []
    for part, least, v, a, b in selective(sure, told.wrong, share_right if percent else mean_size):
        limit = share(least) if percent else number(-least)
        rows.append((level(part), limit, _said(v, percent), f"{_said(a, percent)} to {_said(b, percent)}"))
    head = ("answered", "confidence of at least" if percent else "expected error of at most", y.label, "95 % interval")
    lead = paragraph(
        "Hand rows below a threshold to a person, and the rest is answered so well. Confidence is the largest "
        "probability."
        if percent
        else "Hand rows whose expected error is larger to a person, and the rest is "
        "answered so well. The expected error is that of run.confidence: noise and disagreement together."
    )
    return section(
        "abstaining", "When it may stay silent", lead, figures(drawn, table(head, rows, "Thresholds", (0, 1, 2, 3)))
    )


def estimate(wrong: np.ndarray, kind: str) -> tuple[float, float, float]:
    """The accuracy, or the mean distance, of some rows, with its interval."""
    e = share_right(wrong) if kind == "classes" else mean_size(wrong)
    return e.value, float(e.low or 0.0), float(e.high if e.high is not None else 1.0)


def _said(value: float, percent: bool) -> str:
    return share(value) if percent else number(value)
