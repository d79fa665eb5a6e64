"""Errors: which classes are taken for which, or how far answers lie from the truth."""

import numpy as np

from chainrule.reports.answers import Answers
from chainrule.reports.charts import Bars, Line, Points, chart, figures, sampled
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, joined, paragraph, section, table, tag
from chainrule.reports.scale import axis
from chainrule.reports.words import clipped, number, share

MOST_CLASSES = 20
"""Of more classes, only the pairs that are confused most are listed."""


def errors(facts: Facts) -> Html:
    """The confusion of classes, or the residuals of numbers."""
    told = facts.answers
    if told is None or told.kind == "labels":
        return Html("")
    if told.kind == "classes":
        return section("errors", "What is taken for what", confusion(told))
    return section("errors", "How far answers are off", residuals(told, facts.run.design.encoder.target.name))


def confusion(told: Answers) -> Html:
    """Rows are true classes, columns answers; and the pairs that are confused most."""
    k = len(told.classes)
    counts = np.bincount(told.truth * k + told.values.argmax(axis=1), minlength=k * k).reshape(k, k)
    wrong = [(int(counts[i, j]), i, j) for i in range(k) for j in range(k) if i != j and counts[i, j]]
    pairs = [
        f"{told.classes[i]} for {told.classes[j]}: {n} of {counts[i].sum()} ({share(n / counts[i].sum())})"
        for n, i, j in sorted(wrong, reverse=True)[:5]
        if n > 1
    ]
    most = (
        tag("ul", *(tag("li", pair) for pair in pairs))
        if pairs
        else paragraph("No class is taken for another one more than once.")
    )
    lead = paragraph("Most often wrong (the truth, and what it was taken for):") if pairs else ""
    if k > MOST_CLASSES:
        return joined([lead, most])
    totals = np.maximum(counts.sum(axis=1), 1)
    rows = []
    for i, name in enumerate(told.classes):
        cells = [
            tag("span", str(counts[i, j]), style=f"--share: {counts[i, j] / totals[i]:.3f}", class_=_kind(i, j, counts))
            for j in range(k)
        ]
        rows.append((clipped(name, 20), *cells))
    head = ("truth", *(clipped(name, 12) for name in told.classes))
    return joined(
        [tag("div", table(head, rows, "Rows are the truth, columns the answers"), class_="confusion"), lead, most]
    )


def residuals(told: Answers, name: str) -> Html:
    """Answers beside the truth, residuals beside answers, and their distribution; of several columns the first."""
    truth, said = told.truth[:, 0], told.values[:, 0]
    off = truth - said
    at = sampled(len(truth))
    some = f"{len(at):,} of {len(truth):,} rows. " if len(at) < len(truth) else ""
    both = axis("answer", truth, said)
    low, high = both.low, both.high
    up = axis("truth", truth, said)
    beside = chart(
        "Truth and answer",
        both,
        up,
        [Points(said[at], truth[at], many=True), Line([low, high], [low, high], "truth = answer", 0, dashed=True)],
        f"{some}{name}, in its own units.",
        f"The correlation is {_correlation(truth, said):.3f}.",
    )
    y = axis("truth − answer", off)
    against = chart(
        "Residuals",
        axis("answer", said),
        y,
        [Points(said[at], off[at], many=True), Line([said.min(), said.max()], [0, 0], "", 0, dashed=True)],
        f"{some}A slope or a fan means that something is left to learn, or that the noise depends on the answer.",
        f"The mean is {number(float(off.mean()))}, the standard deviation {number(float(off.std()))}.",
    )
    counts, edges = np.histogram(off, min(40, max(8, int(np.sqrt(len(off))))))
    spread = chart(
        "Distribution of residuals",
        axis("truth − answer", edges),
        axis("rows", counts, zero=True),
        [Bars(edges, counts)],
        f"Mean {number(float(off.mean()))}, standard deviation {number(float(off.std()))}; half of the rows are off by "
        f"less than {number(float(np.median(np.abs(off))))}.",
    )
    return figures(beside, against, spread)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def _kind(i: int, j: int, counts: np.ndarray) -> str | None:
    return "right" if i == j else "wrong" if counts[i, j] else "none"
