"""Slices: groups of rows where the answers are worse than elsewhere, beyond what chance would show."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from chainrule.data.cells import is_missing
from chainrule.maths.estimates import NORMAL_95, wilson
from chainrule.reports.answers import Answers
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section, table
from chainrule.reports.words import clipped, interval, number, share

LEAST = 10
"""A slice has at least so many rows."""
MOST_WORDS = 20
"""A column with more words than this has no slices but for its most frequent ones."""
LEVEL = 0.05
SHOWN = 12


@dataclass(frozen=True, eq=False)
class Slice:
    """Some rows by the value of one column: how wrong the answers are there and elsewhere."""

    name: str
    rows: int
    wrong: float
    low: float
    high: float
    elsewhere: float
    p: float
    """The chance of such a difference, or a larger one, if this slice were like the others; for the many slices."""


def slices(facts: Facts) -> Html:
    """The slices that are worse by Holm's procedure; the sentence that there are none, if so."""
    told, given = facts.answers, facts.rows.table
    if told is None or given is None:
        return Html("")
    names = [n for n in given.names if n != facts.run.design.encoder.target.name]
    every = [s for name in names for s in of_column(name, given[name], told)]
    if not every:
        return Html("")
    worse = sorted((s for s in holm(every) if s.p < LEVEL), key=lambda s: s.p)
    title = "Where it is worst"
    looked = (
        f"{len(every):,} slices were looked at: each word of a column, each quarter of its numbers, and missing values."
    )
    if not worse:
        return section("slices", title, paragraph(f"{looked} None is worse than the other rows beyond chance."))
    said = number if told.kind == "numbers" else share
    rows = [
        (s.name, f"{s.rows:,}", said(s.wrong), interval(s.low, s.high, said), said(s.elsewhere), number(s.p))
        for s in worse[:SHOWN]
    ]
    unit = "mean absolute error" if told.kind == "numbers" else "share wrong"
    head = ("rows where", "rows", unit, "95 % interval", "elsewhere", "p")
    lead = f"{looked} These are worse than the other rows, beyond chance (p after Holm's correction for so many)."
    more = f" {len(worse) - SHOWN} more are not shown." if len(worse) > SHOWN else ""
    return section("slices", title, paragraph(lead, more), table(head, rows, "The worst slices", (1, 2, 3, 4, 5)))


def of_column(name: str, values: np.ndarray, told: Answers) -> Iterator[Slice]:
    """The slices of one column that have rows enough, and rows beside them."""
    wrong = told.wrong
    for label, inside in parts(clipped(name, 32), values):
        if LEAST <= inside.sum() <= len(wrong) - LEAST:
            here, there = wrong[inside], wrong[~inside]
            if told.kind == "classes":
                e = wilson(float(here.sum()), len(here))
                low, high = float(e.low or 0.0), float(e.high if e.high is not None else 1.0)
            else:
                half = NORMAL_95 * float(here.std(ddof=1)) / np.sqrt(len(here))
                low, high = max(float(here.mean()) - half, 0.0), float(here.mean()) + half
            yield Slice(label, len(here), float(here.mean()), low, high, float(there.mean()), chance(here, there))


def parts(name: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Which rows belong to each slice of a column."""
    gone = is_missing(values)
    if values.dtype == object:
        for word, _ in Counter(v for v in values if v is not None).most_common(MOST_WORDS):
            yield f"{name} = {clipped(word)}", np.array([v == word for v in values], bool)
    else:
        present = values[~gone]
        distinct = np.unique(present)
        if 1 < len(distinct) <= 6:
            for v in distinct:
                yield f"{name} = {number(float(v))}", values == v
        elif len(distinct) > 6:
            edges = np.unique(np.quantile(present, [0, 0.25, 0.5, 0.75, 1]))
            for k, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
                above = values >= low if k == 0 else values > low
                yield f"{name} from {number(float(low))} to {number(float(high))}", above & (values <= high)
    yield f"{name} missing", gone


def chance(here: np.ndarray, there: np.ndarray) -> float:
    """The chance that a slice is so much worse if it is like the others.

    Fisher's exact test for right and wrong, Welch's for distances, both one-sided.
    """
    from scipy import stats

    if set(np.unique(np.concatenate([here, there]))) <= {0.0, 1.0}:
        counts = [[here.sum(), len(here) - here.sum()], [there.sum(), len(there) - there.sum()]]
        return float(np.asarray(stats.fisher_exact(np.array(counts, int), alternative="greater")[1]))
    if here.std() == 0 and there.std() == 0:
        return float(here.mean() <= there.mean())
    return float(np.asarray(stats.ttest_ind(here, there, equal_var=False, alternative="greater")[1]))


def holm(found: list[Slice]) -> list[Slice]:
    """The slices with p for all of them: the chance that even one of equal slices would look so bad.

    Equation
        p_(k) = max over j <= k of min(1, (m - j + 1) * p_(j)), in rising order
    Source
        Holm 1979
    """
    order = np.argsort([s.p for s in found], kind="stable")
    adjusted, most = [], 0.0
    for rank, i in enumerate(order):
        s = found[i]
        most = max(most, min(1.0, (len(found) - rank) * s.p))
        adjusted.append(replace(s, p=most))
    return adjusted
