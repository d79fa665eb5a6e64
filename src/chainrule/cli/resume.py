"""chainrule resume: an interrupted training goes on."""

import hashlib
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli import inputs, training
from chainrule.cli.options import ASCII, JSON, QUIET
from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal
from chainrule.errors import DataError, LoadError

if TYPE_CHECKING:
    from chainrule.data.table import Table
    from chainrule.train.materials import DataRecord

BEGUN = Annotated[
    str,
    typer.Argument(metavar="RUN", show_default=False, help="The directory of a run, or `last`: the newest in runs/."),
]
CHANGED = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="Where the data is now, if it has been moved.")
]

EXAMPLES = (
    "chainrule resume last",
    "chainrule resume runs/houses-001 --data elsewhere/houses.csv",
)


def resume(run: BEGUN, data: CHANGED = None, json: JSON = False, quiet: QUIET = False, ascii: ASCII = False) -> None:
    """Go on with an interrupted training.

    The result is the same, bit for bit, as if it had not been interrupted. Of a run that is finished, the scores are
    shown again.
    """
    import chainrule as cr
    from chainrule.train import directory

    terminal = Terminal(json, quiet, ascii)
    path = inputs.run_path(run)
    record = record_of(path)
    source = data or record.path
    if (path / directory.MODEL).is_file() and (path / "scores.json").is_file():
        finished(path, source, terminal)
        return
    if source is None:
        raise DataError(f"{path} was trained on arrays in Python. Go on with it there: cr.resume({str(path)!r}, X, y).")
    table = same_data(path, record, source)
    terminal.title(f"Training goes on in {path}")
    done = training.trained(lambda: cr.resume(path, table, progress=terminal.progress), table, path, terminal)
    training.report(done, terminal)
    training.farewell(done, training.predict_command(str(path), source), terminal)
    terminal.answer(done.answer())


def record_of(path: Path) -> "DataRecord":
    """Where the data of a run came from, finished or not."""
    from chainrule.train import directory, saved

    if not path.is_dir():
        raise LoadError(f"{path} is no run directory. RUN is a directory that `chainrule fit` made, or `last`.")
    finished = (path / directory.MODEL).is_file()
    return saved.load(path).record if finished else saved.newest_checkpoint(path)[1]


def same_data(path: Path, record: "DataRecord", source: str) -> "Table":
    """The table that a run was begun on; DataError when its file is gone, or is another one."""
    from chainrule.data.embedded import EMBEDDED, embedded

    was = f"{path} was begun on {record.path} (SHA-256 {record.sha256[:12]}…)"
    say = f"Say where that file is now: {pasted('resume', path)} --data FILE"
    if Path(source).is_file():
        found = hashlib.sha256(Path(source).read_bytes()).hexdigest()  # before a wrong file is complained of
    elif source in EMBEDDED:
        origin = embedded(source).origin
        found = "" if origin is None else origin.sha256
    else:
        raise DataError(f"{was}, and there is no file {source} in {Path.cwd()}. {say}.")
    if found != record.sha256:
        raise DataError(f"{was}, and {source} holds other data (SHA-256 {found[:12]}…). {say}; or train again.")
    return inputs.read_for(record, source)


def finished(path: Path, source: str | None, terminal: Terminal) -> None:
    """Say what a finished run says already."""
    import chainrule as cr
    from chainrule.train.scores import Scores

    run = cr.load(path)
    scores = Scores.from_data(loads((path / "scores.json").read_text(encoding="utf-8")))
    terminal.paragraph(f"{path} is finished already: {run.history.epochs} epochs. Its scores on the test rows:")
    terminal.say()
    terminal.say(str(scores))
    terminal.title("Next")
    terminal.say(f"  {training.predict_command(str(path), source or 'new.csv')}")
    if terminal.quiet:
        terminal.essential(str(path))
    terminal.answer(
        {
            "run": str(path),
            "finished": True,
            "design": training.described(run.design),
            "epochs": run.history.epochs,
            "events": list(run.history.events),
            "scores": scores.to_data(),
        }
    )
