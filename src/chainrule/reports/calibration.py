"""Calibration: whether answers of 80 % are right 80 times of 100, before and after the temperature."""

import numpy as np

from chainrule.maths.estimates import wilson
from chainrule.reports.answers import at_temperature, codes, outputs
from chainrule.reports.charts import Bars, Line, Points, chart, figures
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section
from chainrule.reports.scale import Axis, axis
from chainrule.reports.words import number, share

BINS = 10
LEAST = 20
"""Each dot stands for at least so many rows, where there are as many."""


def calibration(facts: Facts) -> Html:
    """The reliability diagram of a classifier, as its outputs are and at the temperature that rows left out choose."""
    run, told, known = facts.run, facts.answers, facts.run.known
    if told is None or told.kind != "classes":
        return Html("")
    z, truth = outputs(run, facts.rows.inputs, facts.rows.member), codes(facts.rows.truth)
    diagrams = {"as the outputs are": at_temperature(run, z, None)}
    if known is not None:
        diagrams[f"at temperature {known.temperature:.2f}"] = at_temperature(run, z, known.temperature)
    marks, gaps = [], {}
    for color, (name, p) in enumerate(diagrams.items(), 1):
        sure, right = p.max(axis=1), p.argmax(axis=1) == truth
        x, y, low, high, weight = binned(sure, right)
        gaps[name] = float(np.sum(weight * np.abs(x - y)))
        last = color == len(diagrams)
        marks.append(Points(x, y, name, color, low if last else None, high if last else None, hollow=not last))
    shown = np.concatenate([np.ravel(v) for m in marks for v in (m.x, m.y, m.low) if v is not None])
    least = max(0.0, np.floor(20 * float(shown.min())) / 20 - 0.05)
    span = Axis("confidence", least, 1.0, percent=True)
    reliability = chart(
        "Reliability",
        span,
        Axis("share that is right", least, 1.0, percent=True),
        [Line([least, 1], [least, 1], "as sure as right", 0, dashed=True), *marks],
        "Each dot is a group of rows of like confidence, as many in each; whiskers are 95 % intervals. Below the line "
        "the network is too sure, above it not sure enough.",
        "; ".join(f"{name}: mean gap {share(gap)}" for name, gap in gaps.items()) + ".",
    )
    sure = told.values.max(axis=1)
    guess = 1 / len(told.classes)
    counts, edges = np.histogram(sure, 20, (guess, 1.0))
    all_of_it = Axis("confidence", guess, 1.0, percent=True)
    spread = chart("How sure it is", all_of_it, axis("rows", counts, zero=True), [Bars(edges, counts)])
    lead = ". ".join(
        f"{name[0].upper()}{name[1:]}, confidence and accuracy differ by {share(g)} on average"
        for name, g in gaps.items()
    )
    return section(
        "calibration",
        "Is it as sure as it is right?",
        paragraph(f"{lead}. {_used(facts)}"),
        figures(reliability, spread),
    )


def binned(sure: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean confidence, accuracy, its interval and the share of the rows, for groups of equal size."""
    count = max(1, min(BINS, len(sure) // LEAST))
    groups = np.array_split(np.argsort(sure, kind="stable"), count)
    found = [wilson(float(right[g].sum()), len(g)) for g in groups]
    return (
        np.array([sure[g].mean() for g in groups]),
        np.array([e.value for e in found]),
        np.array([e.low for e in found], float),
        np.array([e.high for e in found], float),
        np.array([len(g) / len(sure) for g in groups]),
    )


def _used(facts: Facts) -> str:
    run, known = facts.run, facts.run.known
    if known is None:
        return "No rows were left out, so nothing says which temperature would be right."
    chosen = " These rows chose it themselves." if facts.rows.trust == "left out" else ""
    if run.design.recipe.calibrated:
        heat = number(known.temperature)
        return f"The run answers at temperature {heat}, which rows left out of training chose.{chosen}"
    return f"The run answers as its outputs are: its recipe does not say calibrated=True.{chosen}"
