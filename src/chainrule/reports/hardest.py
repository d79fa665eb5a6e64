"""The hardest examples: the rows whose truth surprised the run most, to be looked at one by one."""

import numpy as np

from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section, table
from chainrule.reports.words import clipped, number, share

SHOWN = 10
COLUMNS = 5


def hardest(facts: Facts) -> Html:
    """Rows with their truth, the answer, and the values of the columns that matter most."""
    told, given = facts.answers, facts.rows.table
    if told is None:
        return Html("")
    worst = np.argsort(-told.surprise, kind="stable")[:SHOWN]
    names = [one.name for one in facts.importance[:COLUMNS]]
    target = facts.run.design.encoder.target
    rows = []
    for i in worst:
        if told.kind == "classes":
            said = told.values[i].argmax()
            middle = [told.classes[told.truth[i]], told.classes[said], share(float(told.values[i, told.truth[i]]))]
        else:
            middle = [_columns(told.truth[i]), _columns(told.values[i]), number(float(told.surprise[i]))]
        values = [] if given is None else [_cell(given[name][i]) for name in names]
        rows.append((facts.rows.where(int(i)), *map(clipped, middle), *values))
    cost = {"classes": "probability of the truth", "labels": "surprise (nats)", "numbers": "distance"}[told.kind]
    head = (
        "row",
        f"{target.name} (truth)",
        "answer",
        cost,
        *([clipped(n, 24) for n in names] if given is not None else []),
    )
    lead = paragraph(
        "Look at them one by one: a wrong label, a broken value and a case that the columns cannot tell apart look "
        "alike from the outside. Rows are counted from 1, as they stand in the data."
    )
    return section("hardest", "The hardest rows", lead, table(head, rows, "Most surprising first", range(3, len(head))))


def _columns(values: np.ndarray) -> str:
    return ", ".join(number(float(v)) for v in values)


def _cell(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return number(value) if isinstance(value, float) else clipped(value, 24)
