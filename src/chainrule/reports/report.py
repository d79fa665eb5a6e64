"""The report: one self-contained page about a run."""

import re
import warnings
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleWarning, DataError, LoadError
from chainrule.reports.abstention import abstention
from chainrule.reports.calibration import calibration
from chainrule.reports.choices import design
from chainrule.reports.columns import data
from chainrule.reports.coverage import coverage
from chainrule.reports.curves import learning
from chainrule.reports.errors import errors
from chainrule.reports.facts import Facts, facts
from chainrule.reports.formulas import equations
from chainrule.reports.hardest import hardest
from chainrule.reports.layers import layers
from chainrule.reports.markup import Html, joined, paragraph, tag
from chainrule.reports.measures import scores
from chainrule.reports.reproduction import reproduction
from chainrule.reports.slices import slices
from chainrule.reports.style import GROUND, SCOPE, STYLE
from chainrule.reports.verdict import section as verdict
from chainrule.reports.verdict import whose
from chainrule.reports.weights_of_columns import columns
from chainrule.train.replacing import replacing
from chainrule.train.run import Run

SECTIONS = (
    scores,
    errors,
    calibration,
    coverage,
    abstention,
    columns,
    slices,
    hardest,
    lambda found: learning(found.run.history),
    layers,
    design,
    data,
    equations,
    reproduction,
)
"""From what a reader asks first to what only some will open."""


def report(run: Run, X: Any = None, y: Any = None, path: str | Path | None = None) -> str:
    """One page of HTML about a run, readable without a network and without a script; written when a path is given.

    What it reaches beside simple models, where it errs, whether it is as sure as it is right, what it looks at, how it
    learned, its equations, and how to get it again. The rows are those kept for the test, else those that training
    left out; or other ones: a table with the target, or ``(X, y)``. A run that was loaded reads its file again.

    Errors: DataError when there is no data, or its file has changed; LoadError when the page cannot be written.

    >>> import chainrule as cr
    >>> run = cr.fit(cr.design("wine", test=0.2), "wine", epochs=2, ensemble=1)
    >>> "The hardest rows" in report(run)
    True
    """
    if not isinstance(run, Run):
        raise DataError(f"report: a run is expected, as cr.fit and cr.load give it, and a {type(run).__name__} came.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainruleWarning)  # what rows surprise with was said when it was trained
        page = document(facts(run, X, y))
    if path is not None:
        try:
            with replacing(path) as file:
                file.write(page.encode())
        except OSError as e:
            raise LoadError(f"{path} cannot be written: {e.strerror or e}. Name another file.") from e
    return page


def fragment(run: Run) -> str:
    """What a notebook shows of a run: what it is, its scores and its curves. Nothing is computed anew."""
    name = run.design.encoder.target.name
    said = paragraph(f'{whose(run)} cr.report(run, path="report.html") writes all about it.')
    measured = tag("pre", str(run.scores)) if run.scores is not None else ""
    return article(f"A run that predicts {name}", [said, measured, learning(run.history)])


def document(found: Facts) -> str:
    """The whole page."""
    shown = [part for part in (section(found) for section in SECTIONS) if part]
    heads = [re.search(r'<section id="([\w-]+)"><h2>(.*?)</h2>', part) for part in shown]
    links = (tag("li", tag("a", Html(head[2]), href=f"#{head[1]}")) for head in heads if head)
    contents = tag("nav", tag("ul", *links), aria_label="Contents")
    title = f"A run that predicts {found.run.design.encoder.target.name}"
    inside = article(title, [verdict(found), contents, *shown])
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            Html(f"<style>{GROUND}</style>"),
        ],
        "\n",
    )
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{inside}\n</body>\n</html>\n'


def article(title: str, parts: list) -> Html:
    """Parts of a page with their style."""
    return Html(f"<style>{STYLE}</style>\n{tag('article', tag('h1', title), *parts, class_=SCOPE)}")
