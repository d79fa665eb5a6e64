"""chainrule predict: what a trained network says of the rows of a table, as CSV."""

import csv
import io
import os
import sys
from pathlib import Path
from typing import Any

from chainrule.cli import inputs
from chainrule.cli.options import ABSTAIN, ASCII, CONFIDENCE, COVERAGE, DATA, DECIMAL, JSON, NO_HEADER, RUN, WRITTEN
from chainrule.cli.terminal import Terminal
from chainrule.errors import LoadError
from chainrule.proposal.names import counted

SEPARATOR = " | "
"""Between the classes of a set."""
EXAMPLES = (
    "chainrule predict last new.csv -o predictions.csv",
    "chainrule predict runs/houses-001 new.csv > predictions.csv",
    "chainrule predict last new.csv --coverage 0.9 --abstain-below 0.8 -o predictions.csv",
)


def predict(
    run: RUN,
    data: DATA,
    output: WRITTEN = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    coverage: COVERAGE = None,
    confidence: CONFIDENCE = False,
    abstain_below: ABSTAIN = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Predict every row of a table.

    CSV with a column `prediction` and, for classes, the probability of each. The table needs the columns that the
    network was trained on, in any order; its target may be missing. With --coverage 0.9 come the columns `lower` and
    `upper`, or for classes `set`: they hold the truth in about 90 of 100 rows.
    """
    import chainrule as cr
    from chainrule.train import cache

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    path = inputs.run_path(run)
    loaded = cr.load(path)
    table = inputs.read_for(loaded.record, data, no_header, decimal)
    columns = predicted(loaded, table) | how_sure(loaded, table, coverage, confidence or abstain_below is not None)
    if abstain_below is not None:
        answers = zip(columns["prediction"], columns["confidence"], strict=True)
        columns["prediction"] = ["" if sure < abstain_below else answer for answer, sure in answers]
    rows = len(columns["prediction"])
    if output is not None:
        write(output, as_csv(columns))
        terminal.say(f"{counted(rows, 'prediction')} {'is' if rows == 1 else 'are'} in {output}.")
        if abstain_below is not None:
            terminal.say(f"{columns['prediction'].count('')} of them left empty: their confidence is below the limit.")
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


def how_sure(run: Any, table: Any, coverage: float | None, confidence: bool) -> dict[str, list]:
    """The columns that say how far the answers can be trusted."""
    from chainrule.data.targets import ClassTarget

    columns: dict[str, list] = {}
    if coverage is not None and isinstance(run.design.encoder.target, ClassTarget):
        sets, labels = run.predict_set(table, coverage), [str(c) for c in run.classes_]
        columns["set"] = [
            SEPARATOR.join(label for label, held in zip(labels, row, strict=True) if held) for row in sets
        ]
    elif coverage is not None:
        lower, upper = run.predict_interval(table, coverage)
        columns |= {"lower": lower.tolist(), "upper": upper.tolist()}
    if confidence:
        columns |= {name: column.tolist() for name, column in run.confidence(table).columns.items()}
    return columns


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
