"""Training from the command line, and the report of its scores beside the baselines."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.interruption import interruptible
from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal
from chainrule.errors import ChainruleError, ChainruleWarning, DesignError
from chainrule.proposal.names import counted

if TYPE_CHECKING:
    from chainrule.data.table import Table
    from chainrule.train.design import Design
    from chainrule.train.run import Run
    from chainrule.train.scores import Scores

TEST = 0.2
"""The share of the rows that the command line holds out for the test."""
REPORT = "report.html"
"""The page about a run, in its directory."""


@dataclass(frozen=True)
class Trained:
    """A finished run, where it is, its scores on the test part, that part, and the page about it."""

    run: "Run"
    out: Path
    scores: "Scores"
    test: Any
    seconds: float
    page: Path | None = None

    def answer(self) -> dict:
        """What ``--json`` says of it."""
        return {
            "run": str(self.out),
            "design": described(self.run.design),
            "epochs": self.run.history.epochs,
            "events": list(self.run.history.events),
            "test_rows": len(self.test[1]),
            "scores": self.scores.to_data(),
            "seconds": round(self.seconds, 3),
            "report": None if self.page is None else str(self.page),
        }


def described(design: "Design") -> dict:
    """A design in a few words for ``--json``; ``design.json`` of the run holds all of it."""
    return {
        "network": repr(design.network),
        "loss": repr(design.loss),
        "optimizer": repr(design.recipe.optimizer),
        "reasons": [{"choice": r.choice, "because": r.because, "source": r.source} for r in design.reasons],
    }


def trained(fit: Callable[[], "Run"], table: "Table", out: Path, terminal: Terminal) -> Trained:
    """Run a training that ends with a run in ``out``, and measure it on the test part beside the baselines."""
    from chainrule.proposal.baselines import baselines
    from chainrule.train import cache, directory
    from chainrule.train.materials import from_table
    from chainrule.train.scores import Scores

    cache.enable()
    began = time.monotonic()
    with interruptible(out, terminal):
        run = fit()
        seconds = time.monotonic() - began
        materials = from_table(run.design, table, fitted=True)
        if run.scores is None or materials.test is None or materials.learned is None:
            raise DesignError(f"The design of {out} holds no rows out for a test: set test in its split, such as 0.2.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)  # what these rows surprise with was said of all rows
            linear = baselines(run.design.encoder, materials.learned, materials.test, run.design.recipe.seed)
    scores = Scores.from_data(run.scores.to_data() | {"baselines": linear})
    directory.write_json(out / "scores.json", scores.to_data())
    return Trained(run, out, scores, materials.test, seconds, page(run, table, out))


def page(run: "Run", table: "Table", out: Path) -> Path | None:
    """Write the report of a run; a run without one is a run all the same, and a note says why."""
    import chainrule as cr

    try:
        cr.report(run, table, path=out / REPORT)
    except ChainruleError as e:
        warnings.warn(f"The report was not written: {e}", ChainruleWarning, stacklevel=2)
        return None
    return out / REPORT


def report(done: Trained, terminal: Terminal) -> None:
    """Say how training ended, the scores, and the command that goes on from there."""
    terminal.paragraph(ending(done))
    terminal.title(f"Test: {counted(len(done.test[1]), 'row')} that training never saw")
    terminal.say(str(done.scores))


def farewell(done: Trained, command: str, terminal: Terminal) -> None:
    """Say where the run is, and the command that predicts with it."""
    terminal.title("Next")
    about = "" if done.page is None else f" {done.page} is a page about it: open it in a browser."
    terminal.paragraph(f"The run is in {done.out}.{about} Predict with it:")
    terminal.say()
    terminal.say(f"  {command}")
    if terminal.quiet:
        terminal.essential(str(done.out))


def predict_command(run: str, data: str) -> str:
    """The command that predicts, ready to be pasted."""
    return pasted("predict", run, data, "-o", "predictions.csv")


def ending(done: Trained) -> str:
    """One sentence on how long training took and why it ended."""
    history = done.run.history
    text = f"{counted(history.epochs, 'epoch')} in {done.seconds:.1f} s"
    ends = {event["kind"]: event for event in history.events}
    if "early stop" in ends:
        text += " (stopped early)"
    elif "time budget" in ends:
        text += f" (the time budget of {ends['time budget']['seconds']:g} s)"
    best = [event["best"] for event in history.events if "best" in event]
    if best:
        which = f"epoch {best[0]}" if len(set(best)) == 1 else f"epochs {min(best)} to {max(best)}"
        text += f"; the parameters are those of {which}, where the validation loss was lowest"
    return text + "."
