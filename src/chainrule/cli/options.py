"""The arguments and options that commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Task = Literal["auto", "classification", "regression", "counts"]


def above_zero(value: float | None) -> float | None:
    """Refuse a number of seconds that is not above 0."""
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not a number above 0.")
    return value


def share(value: float | None) -> float | None:
    """Refuse what is no share of a whole."""
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{value} is not a share between 0 and 1, such as 0.9.")
    return value


DATA = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A file (CSV or TSV, also .gz; Parquet; NPZ) or an embedded data set: see `chainrule data`.",
    ),
]
RUN = Annotated[
    str,
    typer.Argument(
        metavar="RUN", show_default=False, help="A run directory, a model file, or `last`: the newest in runs/."
    ),
]
TARGET = Annotated[
    str | None,
    typer.Option("--target", metavar="COLUMN", help="The column to predict. Embedded data sets have their own."),
]
TASK = Annotated[
    Task,
    typer.Option(
        "--task",
        metavar="TASK",
        help="auto, classification, regression or counts: what the target is, where its values mislead.",
    ),
]
TIME = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="Rows are in this column's order; the last ones are held out."),
]
AHEAD = Annotated[
    int, typer.Option("--ahead", metavar="N", min=0, help="Predict the target N rows later. Needs --time.")
]
GROUP = Annotated[
    str | None,
    typer.Option("--group", metavar="COLUMN", help="Rows that share a value here, such as a patient, stay together."),
]
NO_HEADER = Annotated[
    bool, typer.Option("--no-header", help="The first row is data; the columns are named c1, c2, ...")
]
DECIMAL = Annotated[
    Literal[",", "."] | None,
    typer.Option(
        "--decimal", metavar="SIGN", help="A comma or a point: how numbers are written. Found out where not said."
    ),
]
FEATURES = Annotated[
    list[str] | None,
    typer.Option("--features", metavar="COLUMNS", help="Use these columns only, as in a,b,c. May be repeated."),
]
DROP = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="COLUMNS", help="Leave these columns out, as in a,b,c. May be repeated."),
]
ENSEMBLE = Annotated[
    int | None, typer.Option("--ensemble", metavar="N", min=1, help="Train N networks and average them.")
]
EPOCHS = Annotated[int | None, typer.Option("--epochs", metavar="N", min=1, help="Passes over the training rows.")]
TIME_BUDGET = Annotated[
    float | None,
    typer.Option("--time-budget", metavar="SECONDS", callback=above_zero, help="Train for about so long at most."),
]
SEED = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, show_default=False, help="Equal seeds give equal networks. Default: 0."),
]
OUT = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The run directory. Default: runs/NAME-001, or the next that is free."),
]
WRITTEN = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]
QUIET = Annotated[bool, typer.Option("--quiet", help="Print only the run directory.")]
ASCII = Annotated[bool, typer.Option("--ascii", help="No Unicode symbols. Automatic where they cannot be shown.")]
COVERAGE = Annotated[
    float | None,
    typer.Option(
        "--coverage",
        metavar="SHARE",
        callback=share,
        help="Add the columns lower and upper, or for classes set, that hold the truth this often, such as 0.9.",
    ),
]
CONFIDENCE = Annotated[
    bool,
    typer.Option(
        "--confidence", help="Add the columns confidence, entropy, aleatoric, epistemic and ood (how unlike training)."
    ),
]
ABSTAIN = Annotated[
    float | None,
    typer.Option(
        "--abstain-below",
        metavar="SHARE",
        callback=share,
        help="Leave the prediction empty where the confidence is below this.",
    ),
]
