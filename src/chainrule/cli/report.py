"""chainrule report: one page about a run."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DECIMAL, JSON, NO_HEADER, RUN
from chainrule.cli.terminal import Terminal
from chainrule.cli.training import REPORT

EXAMPLES = (
    "chainrule report last",
    "chainrule report runs/houses-001 --data new.csv -o new.html",
)


def report(
    run: RUN,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="A table with the target to examine. Default: the run's own."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this file. Default: report.html in the run's directory."
        ),
    ] = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Write one page about a trained network.

    HTML that is read without a network: the scores beside simple models, where it errs, whether it is as sure as it is
    right, what it looks at, how it learned, its equations, and how to get it again.
    """
    import chainrule as cr
    from chainrule.train import cache

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    if data is None and (no_header or decimal is not None):
        raise typer.BadParameter("it says how DATA is read: name it with --data.", param_hint="--no-header, --decimal")
    path = inputs.run_path(run)
    loaded = cr.load(path)
    table = None if data is None else inputs.read_for(loaded.record, data, no_header, decimal)
    page = output or (path / REPORT if path.is_dir() else path.with_suffix(".html"))
    cr.report(loaded, table, path=page)
    terminal.paragraph(f"The report on {path} is in {page}: open it in a browser.")
    terminal.answer({"run": str(path), "output": str(page)})
