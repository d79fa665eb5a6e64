"""Columns: what is in the data, and how the network reads it."""

from collections import Counter

import numpy as np

from chainrule.data.encoders import Encoder
from chainrule.data.kinds import Kind, kind_of
from chainrule.proposal.names import counted
from chainrule.reports.charts import spark
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, folded, paragraph, section, table
from chainrule.reports.words import clipped, number, share

MOST = 20
"""More columns than this are folded."""
SHOWN = 200
"""At most so many columns are listed."""
BINS = 24


def data(facts: Facts) -> Html:
    """One row for each column: its kind, what is missing, how many values differ, and their distribution."""
    learned = facts.rows.learned
    if learned is None:
        return Html("")
    encoder = facts.run.design.encoder
    read = {c.name: c for c in encoder.columns} if isinstance(encoder, Encoder) else dict.fromkeys(learned.names)
    target = encoder.target.name
    names = sorted(learned.names, key=lambda name: (name != target, name not in read))
    rows = []
    for name in names[:SHOWN]:
        values = learned[name]
        kind = kind_of(name, values)
        gone = f"{kind.missing:,} ({share(kind.missing / learned.rows)})" if kind.missing else "none"
        role = "predicted" if name == target else "read" if name in read else "left out"
        rows.append(
            (clipped(name, 40), role, kind.kind, gone, f"{kind.distinct:,}", found(values, kind), drawn(values))
        )
    head = ("column", "role", "kind", "missing", "distinct", "from, to; or the most frequent", "distribution")
    listed = table(head, rows, f"{counted(len(names), 'column')} of {counted(learned.rows, 'row')}", numbers=(4,))
    if len(names) > SHOWN:
        listed = Html(listed + paragraph(f"{len(names) - SHOWN:,} more columns are not shown."))
    lead = paragraph("As they were before the network saw them: all rows but those kept for the test.")
    inside = folded(counted(len(names), "column"), listed) if len(names) > MOST else listed
    return section("data", "The data", lead, inside)


def found(values: np.ndarray, kind: Kind) -> str:
    """The range of numbers with their median, or the most frequent texts."""
    if values.dtype == object:
        counts = Counter(v for v in values if v is not None).most_common(3)
        present = max(len(values) - kind.missing, 1)
        return ", ".join(f"{clipped(text, 24)} {share(n / present)}" for text, n in counts)
    present = values[~np.isnan(values)]
    if not present.size:
        return "–"
    return f"{number(present.min())} to {number(present.max())}, median {number(float(np.median(present)))}"


def drawn(values: np.ndarray) -> Html:
    """A small histogram: of numbers over their range, of texts from the most frequent on."""
    if values.dtype == object:
        counts = [n for _, n in Counter(v for v in values if v is not None).most_common(BINS)]
        return spark(counts, f"Rows of the {len(counts)} most frequent values") if counts else Html("–")
    present = values[~np.isnan(values)]
    if not present.size or present.min() == present.max():
        return Html("–")
    distinct = np.unique(present)
    if len(distinct) <= BINS:
        return spark([int((present == v).sum()) for v in distinct], f"Rows of each of {len(distinct)} values")
    counts, _ = np.histogram(present, BINS)
    return spark(counts, f"Histogram from {number(present.min())} to {number(present.max())}")
