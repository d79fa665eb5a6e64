"""chainrule evaluate: the metrics of a trained network on a table."""

import warnings
from pathlib import Path

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DATA, DECIMAL, JSON, NO_HEADER, RUN
from chainrule.cli.terminal import Terminal
from chainrule.errors import ChainruleWarning
from chainrule.proposal.names import counted

EXAMPLES = ("chainrule evaluate last test.csv",)


def evaluate(
    run: RUN,
    data: DATA,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Measure a trained network on a table.

    Metrics with their 95 % intervals. The table needs the target column.
    """
    import chainrule as cr
    from chainrule.train import cache

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    path = inputs.run_path(run)
    loaded = cr.load(path)
    table = inputs.read_for(loaded.record, data, no_header, decimal)
    own = table.origin is not None and table.origin.sha256 == loaded.record.sha256
    if own:
        warnings.warn(own_data(data, path), ChainruleWarning, stacklevel=2)
    scores = loaded.evaluate(table)
    terminal.paragraph(
        f"{path} on {data}: {counted(table.rows, 'row')}. To predict: {loaded.design.encoder.target.name}."
    )
    terminal.say()
    terminal.say(str(scores))
    terminal.answer({"run": str(path), "data": data, "rows": table.rows, "trained_on": own, "scores": scores.to_data()})


def own_data(data: str, path: Path) -> str:
    """What to know of scores on the table that the network was trained on."""
    held_out = (path if path.is_dir() else path.parent) / "scores.json"
    where = f" The scores on rows that training never saw are in {held_out}." if held_out.is_file() else ""
    return f"The network was trained on most rows of {data}, so it scores better here than on new rows.{where}"
