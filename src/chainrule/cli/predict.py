"""chainrule predict: what a trained network says of the rows of a table, as CSV."""

import csv
import io
import os
import sys
from pathlib import Path
from typing import Any

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DATA, DECIMAL, JSON, NO_HEADER, RUN, WRITTEN
from chainrule.cli.terminal import Terminal
from chainrule.errors import LoadError
from chainrule.proposal.names import counted

EXAMPLES = (
    "chainrule predict last new.csv -o predictions.csv",
    "chainrule predict runs/houses-001 new.csv > predictions.csv",
)


def predict(
    run: RUN,
    data: DATA,
    output: WRITTEN = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Predict every row of a table.

    CSV with a column `prediction` and, for classes, the probability of each. The table needs the columns that the
    network was trained on, in any order; its target may be missing.
    """
    import chainrule as cr
    from chainrule.train import cache

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    path = inputs.run_path(run)
    loaded = cr.load(path)
    columns = predicted(loaded, inputs.read_for(loaded.record, data, no_header, decimal))
    rows = len(columns["prediction"])
    if output is not None:
        write(output, as_csv(columns))
        terminal.say(f"{counted(rows, 'prediction')} {'is' if rows == 1 else 'are'} in {output}.")
        terminal.answer({"run": str(path), "rows": rows, "output": str(output)})
    elif json:
        terminal.answer({"run": str(path), "rows": rows, "columns": columns})
    else:
        sys.stdout.buffer.write(as_csv(columns).encode())
        sys.stdout.buffer.flush()


def predicted(run: Any, table: Any) -> dict[str, list]:
    """The columns of the answer: the prediction, and for classes the probability of each."""
    from chainrule.data.targets import ClassTarget

    target = run.design.encoder.target
    if not isinstance(target, ClassTarget):
        return {"prediction": run.predict(table).tolist()}
    probabilities = run.predict_proba(table)
    labels = target.decode(probabilities.argmax(axis=1))
    columns = {f"probability {label}": probabilities[:, j].tolist() for j, label in enumerate(run.classes_)}
    return {"prediction": labels.tolist()} | columns


def as_csv(columns: dict[str, list]) -> str:
    """CSV with a header; numbers to seven digits, what float32 holds."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(
        [f"{cell:.7g}" if isinstance(cell, float) else cell for cell in row]
        for row in zip(*columns.values(), strict=True)
    )
    return text.getvalue()


def write(path: Path, text: str) -> None:
    """Write a file, never half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise LoadError(f"{path} cannot be written: {e.strerror or e}. Name another file with -o.") from e
