"""chainrule resume: an interrupted training goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli import inputs, training
from chainrule.cli.options import ASCII, JSON, QUIET, RUN
from chainrule.cli.terminal import Terminal
from chainrule.errors import DataError, LoadError

if TYPE_CHECKING:
    from chainrule.train.materials import DataRecord

CHANGED = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="Where the data is now, if it has been moved.")
]

EXAMPLES = (
    "chainrule resume last",
    "chainrule resume runs/houses-001 --data elsewhere/houses.csv",
)


def resume(run: RUN, data: CHANGED = None, json: JSON = False, quiet: QUIET = False, ascii: ASCII = False) -> None:
    """Go on with an interrupted training.

    The result is the same, bit for bit, as if it had not been interrupted.
    """
    import chainrule as cr
    from chainrule.train import directory

    terminal = Terminal(json, quiet, ascii)
    path = directory.last_run() if run == "last" and not Path(run).exists() else Path(run)
    record = record_of(path)
    source = data or record.path
    if source is None:
        raise DataError(f"{path} was trained on arrays in Python. Go on with it there: cr.resume({str(path)!r}, X, y).")
    table = inputs.read(source, options=dict(record.options))
    finished = (path / directory.MODEL).is_file()
    terminal.title(f"{path} is finished already" if finished else f"Training goes on in {path}")
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
