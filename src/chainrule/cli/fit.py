"""chainrule fit: from a table to a trained, measured and saved network."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli import inputs, training
from chainrule.cli.options import (
    AHEAD,
    ASCII,
    DATA,
    DECIMAL,
    DROP,
    ENSEMBLE,
    EPOCHS,
    FEATURES,
    GROUP,
    JSON,
    NO_HEADER,
    OUT,
    QUIET,
    SEED,
    TARGET,
    TASK,
    TIME,
    TIME_BUDGET,
)
from chainrule.cli.terminal import Terminal
from chainrule.proposal.names import counted

if TYPE_CHECKING:
    from chainrule.data.table import Table
    from chainrule.train.design import Design

DESIGN = Annotated[
    Path | None,
    typer.Option("--design", metavar="FILE", help="Train this design, which `chainrule design -o` wrote."),
]

EXAMPLES = (
    "chainrule fit houses.csv --target price",
    "chainrule fit weather.csv --target weather --time date --ahead 1",
    "chainrule fit breast_cancer --epochs 50 --out runs/tumors",
)


def fit(
    data: DATA,
    target: TARGET = None,
    task: TASK = "auto",
    time: TIME = None,
    ahead: AHEAD = 0,
    group: GROUP = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    features: FEATURES = None,
    drop: DROP = None,
    ensemble: ENSEMBLE = None,
    epochs: EPOCHS = None,
    time_budget: TIME_BUDGET = None,
    seed: SEED = None,
    design: DESIGN = None,
    out: OUT = None,
    json: JSON = False,
    quiet: QUIET = False,
    ascii: ASCII = False,
) -> None:
    """Train a network on a table.

    It is designed for the table, trained, measured on rows that were held out, and saved.
    """
    terminal = Terminal(json, quiet, ascii)
    said = {"epochs": epochs, "time_budget": time_budget, "ensemble": ensemble, "seed": seed}
    said = {name: value for name, value in said.items() if value is not None}
    table = inputs.read(data, no_header, decimal)
    if design is None:
        proposed = propose(
            table, data, target, task=task, time=time, ahead=ahead, group=group, features=features, drop=drop, **said
        )
    else:
        fixed = {"--task": task != "auto", "--time": time, "--ahead": ahead, "--group": group}
        fixed |= {"--features": features, "--drop": drop}
        proposed = saved(design, target, [name for name, value in fixed.items() if value], said)
    done = train(proposed, table, data, out, terminal)
    training.report(done, terminal)
    training.farewell(done, training.predict_command(str(done.out), data), terminal)
    terminal.answer(done.answer())


def propose(
    table: "Table",
    data: str,
    target: str | None,
    *,
    task: str = "auto",
    time: str | None = None,
    ahead: int = 0,
    group: str | None = None,
    features: list[str] | None = None,
    drop: list[str] | None = None,
    **said: Any,
) -> "Design":
    """The design for a table, with a test part; names of columns are checked as options first."""
    import chainrule as cr

    if ahead and time is None:
        raise typer.BadParameter("it needs the column that orders the rows: --time COLUMN.", param_hint="--ahead")
    target = inputs.column(table, "--target", target or inputs.own_target(table, data))
    own = None if ahead else target  # its values now may tell what comes
    return cr.design(
        table,
        target,
        task=task,
        time=None if time is None else inputs.column(table, "--time", time),
        ahead=ahead,
        group=None if group is None else inputs.column(table, "--group", group),
        features=inputs.columns(table, "--features", features, own) or None,
        drop=inputs.columns(table, "--drop", drop, own),
        test=training.TEST,
        **said,
    )


def saved(path: Path, target: str | None, fixed: list[str], said: dict) -> "Design":
    """The design in a file; options that would change what it fixes are wrong use."""
    from chainrule.train.design import Design
    from chainrule.train.recipe import Split

    if fixed:
        raise typer.BadParameter(f"the design says it already: leave out {', '.join(fixed)}.", param_hint="--design")
    design = Design.load(path)
    own = design.encoder.target.name
    if target is not None and target not in (own, own.rsplit(" +", 1)[0]):
        raise typer.BadParameter(f"the design in {path} predicts {own!r}, not {target!r}.", param_hint="--target")
    split = replace(design.recipe.split, test=design.recipe.split.test or training.TEST)
    if said.get("ensemble") == 1 and split.cross:
        split = replace(split, validation=Split().validation)
    return replace(design, recipe=replace(design.recipe, split=split, **said))


def train(design: "Design", table: "Table", data: str, out: Path | None, terminal: Terminal) -> training.Trained:
    """Say what was designed, and train it in a new run directory."""
    import chainrule as cr
    from chainrule.train import directory

    show(design, table, data, terminal)
    path = directory.numbered("runs", inputs.short_name(data)) if out is None else directory.new_directory(out)
    terminal.title("Training")
    try:
        return training.trained(
            lambda: cr.fit(design, table, out=path, progress=terminal.progress), table, path, terminal
        )
    finally:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def show(design: "Design", table: "Table", data: str, terminal: Terminal) -> None:
    """Say what was designed, and why, in one line for each choice."""
    terminal.paragraph(
        f"{data}: {counted(table.rows, 'row')}, {counted(len(table.names), 'column')}. To predict: "
        f"{design.encoder.target.name}."
    )
    terminal.title("Design")
    members = design.recipe.ensemble
    parts = {
        "network": repr(design.network),
        "loss": repr(design.loss),
        "optimizer": repr(design.recipe.optimizer),
    } | ({"ensemble": f"{members} networks, their answers averaged"} if members > 1 else {})
    for name, part in parts.items():
        terminal.paragraph(part, f"  {name:<11}", " " * 13)
    if design.reasons:
        terminal.title("Why")
    for reason in design.reasons:
        terminal.paragraph(str(reason), "- ", "  ")
