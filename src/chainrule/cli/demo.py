"""chainrule demo: the whole way on real data, from the table to the command that predicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chainrule.cli import inputs, training
from chainrule.cli.fit import propose, train
from chainrule.cli.options import ASCII, JSON, OUT, SEED
from chainrule.cli.predict import write
from chainrule.cli.terminal import Terminal
from chainrule.errors import LoadError

if TYPE_CHECKING:
    from chainrule.cli.training import Trained

WHICH = Annotated[
    Literal["cancer", "houses"],
    typer.Argument(
        metavar="cancer|houses",
        show_default=False,
        help="Which data: tumors, where nothing is said, or prices of houses.",
    ),
]
HOUSES = "california_housing.csv"
PRICE = "median_house_value"
NO_NETWORK = (
    "The houses could not be fetched ({reason}): scikit-learn loads them from the internet the first time. With a CSV "
    f"of your own the same is done by: chainrule fit houses.csv --target {PRICE}"
)

EXAMPLES = (
    "chainrule demo",
    "chainrule demo houses",
)


def demo(which: WHICH = "cancer", out: OUT = None, seed: SEED = 0, json: JSON = False, ascii: ASCII = False) -> None:
    """The whole way on real data: disease diagnosis, or houses.

    A design with its reasons, training, and test scores beside those of simple models.
    """
    terminal = Terminal(json, ascii=ascii)
    if which == "houses":
        data, target, story = houses(), PRICE, "What does a house in a block of California cost?"
    else:
        data, target, story = "breast_cancer", None, "Is a breast tumor malignant, judging by the nuclei of its cells?"
    terminal.paragraph(story)
    terminal.say()
    table = inputs.read(data)
    design = propose(table, data, target, seed=seed)
    done = train(design, table, data, out, terminal)
    training.report(done, terminal)
    terminal.say()
    terminal.paragraph(in_words(done))
    training.farewell(done, training.predict_command("last" if out is None else str(out), data), terminal)
    terminal.answer(done.answer())


def in_words(done: "Trained") -> str:
    """What the most telling score means, in plain words."""
    scores, others = done.scores, done.scores.baselines
    if PRICE == done.run.design.encoder.target.name:
        return (
            f"The predicted price is wrong by {scores['mae']:,.0f} dollars on average, that of ridge regression by "
            f"{others['ridge']['mae']:,.0f}, and the mean of all houses by {others['mean']['mae']:,.0f}."
        )
    name = "recall[malignant]"
    sick = sum(label == "malignant" for label in done.test[1])
    low, high = scores.interval(name)
    found = {model: round(values[name] * sick) for model, values in others.items()}
    return (
        f"Of the {sick} malignant tumors, the network finds {round(scores[name] * sick)}: its sensitivity (recall) for "
        f"malignant is {scores[name]:.3f}, with a 95 % interval from {low:.3f} to {high:.3f}. Logistic regression "
        f"finds {found['logistic']}, and always answering with the larger class finds {found['majority'] or 'none'}."
    )


def houses() -> str:
    """The file with the houses of California, fetched through scikit-learn when it is not there yet."""
    if Path(HOUSES).is_file():
        return HOUSES
    import socket

    from sklearn.datasets import fetch_california_housing

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)
    try:
        raw: Any = fetch_california_housing(n_retries=1)
    except OSError as e:
        raise LoadError(NO_NETWORK.format(reason=getattr(e, "reason", e))) from e
    finally:
        socket.setdefaulttimeout(before)
    names = [*raw["feature_names"], PRICE]
    rows = [[*features, 100_000 * price] for features, price in zip(raw["data"], raw["target"], strict=True)]
    text = "\n".join(",".join(f"{cell:.10g}" for cell in row) for row in rows)
    write(Path(HOUSES), f"{','.join(names)}\n{text}\n")
    return HOUSES
