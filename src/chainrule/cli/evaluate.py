"""chainrule evaluate: the metrics of a trained network on a table."""

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DATA, JSON, NO_HEADER, RUN
from chainrule.cli.terminal import Terminal

EXAMPLES = ("chainrule evaluate last test.csv",)


def evaluate(run: RUN, data: DATA, no_header: NO_HEADER = False, json: JSON = False, ascii: ASCII = False) -> None:
    """Measure a trained network on a table.

    Metrics with their 95 % intervals. The table needs the target column.
    """
    import chainrule as cr
    from chainrule.train import cache

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    loaded = cr.load(run)
    table = inputs.read_for(loaded, data, no_header)
    scores = loaded.evaluate(table)
    terminal.paragraph(f"{run} on {data}: {table.rows} rows. To predict: {loaded.design.encoder.target.name}.")
    terminal.say()
    terminal.say(str(scores))
    terminal.answer({"run": run, "data": data, "rows": table.rows, "scores": scores.to_data()})
