"""chainrule design: what would be trained, and why, without training."""

from pathlib import Path

from chainrule.cli import inputs, training
from chainrule.cli.fit import propose, show
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
    SEED,
    TARGET,
    TASK,
    TIME,
    TIME_BUDGET,
    WRITTEN,
)
from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal

ROWS = 1024
"""The network is summarized on at most so many rows of the table."""

EXAMPLES = (
    "chainrule design houses.csv --target price",
    "chainrule design houses.csv --target price -o design.json",
)


def design(
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
    output: WRITTEN = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Show the design for a table, without training.

    Each choice with its reason; then the sizes, the cost and the predicted signals of each layer.
    """
    import chainrule as cr
    from chainrule.train.materials import with_target

    terminal = Terminal(json, ascii=ascii)
    said = {"epochs": epochs, "time_budget": time_budget, "ensemble": ensemble, "seed": seed}
    said = {name: value for name, value in said.items() if value is not None}
    table = inputs.read(data, no_header, decimal)
    proposed = propose(
        table, data, target, task=task, time=time, ahead=ahead, group=group, features=features, drop=drop, **said
    )
    rows = with_target(proposed, table)
    x = proposed.encoder.fit(rows).encode(rows.take(slice(0, ROWS)))
    found = cr.summary(proposed.network, x)
    if output is not None:
        proposed.save(output)
    show(proposed, table, data, terminal)
    terminal.title("Network")
    terminal.say(str(found))
    terminal.title("Next")
    if output is None:
        terminal.paragraph("Add -o design.json to write this design to a file, edit it if you like, and train it:")
    else:
        terminal.paragraph(f"The design is in {output}. Edit it if you like, and train it:")
    terminal.say()
    terminal.say(f"  {fit_command(data, no_header, decimal, output or Path('design.json'))}")
    terminal.answer(
        training.described(proposed)
        | {
            "parameters": found.parameters,
            "flops": found.flops,
            "training_flops": found.training_flops,
            "memory": found.memory(32),
            "layers": [vars(row) for row in found.rows],
            "notes": list(found.notes),
            "design": proposed.to_data(),
        }
    )


def fit_command(data: str, no_header: bool, decimal: str | None, path: Path) -> str:
    """The command that trains a design, ready to be pasted."""
    read = [*(["--no-header"] if no_header else []), *(["--decimal", decimal] if decimal else [])]
    return pasted("fit", data, *read, "--design", path)
