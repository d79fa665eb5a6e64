"""The reference of the command line, from the commands: ``python -m chainrule.cli.reference > docs/cli.md``."""

import inspect
from typing import Any

HEAD = """\
# The command line

Written by `python -m chainrule.cli.reference > docs/cli.md`; a test compares it with the commands.

DATA is a file (CSV or TSV, also .gz; Parquet; NPZ) or the name of an embedded data set; an existing file wins. RUN is a
run directory, a model file, or `last`: the newest in `runs/`. Text is for people: it is wrapped to the terminal, and
progress, notes and errors go to stderr. With `--json` stdout holds one JSON object and nothing else; an error is
`{"error": message, "kind": name}`. `CHAINRULE_DEBUG=1` shows the traceback of an error that is a bug.

| exit code | means |
|---|---|
| 0 | done |
| 1 | the job failed: data, training or files; the message says what to do |
| 2 | wrong use: an unknown option, a value out of range, a column that the table does not have |
| 130, 143 | interrupted by Ctrl-C or SIGTERM; the message says how to go on |

`chainrule fit` writes a run directory: `design.json` (to read and edit), `model.safetensors`, `history.csv`,
`scores.json`, and checkpoints while it trains. Compiled programs are kept in the user's cache directory
(`~/.cache/chainrule/xla`, closed to others), so that the next run starts sooner; `JAX_COMPILATION_CACHE_DIR` names
another.
"""


def reference() -> str:
    """The reference as Markdown: each command with its help, its examples, its arguments and options."""
    import typer

    from chainrule.cli.app import app

    group: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *(section(name, command) for name, command in group.commands.items())])


def section(name: str, command: Any) -> str:
    """One command."""
    text = inspect.cleandoc(command.callback.__doc__)
    shown = [line.strip() for line in command.epilog.splitlines()[2:]]
    rows = [f"| `{described(p)}` | {p.help}{defaulted(p)} |" for p in command.params if p.help]
    parts = [
        f"## chainrule {name}",
        text.strip(),
        "\n".join(["```", *shown, "```"]),
        "\n".join(["| | |", "|---|---|", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def described(param: Any) -> str:
    """An argument or option as it is typed."""
    if param.param_type_name == "argument":
        return param.metavar.replace("|", r"\|")  # a plain one would end the cell of the table
    return ", ".join(param.opts) + (f" {param.metavar}" if param.metavar else "")


def defaulted(param: Any) -> str:
    """What holds when an option is left out, where its help does not say it."""
    said = param.param_type_name == "option" and param.default not in (None, False, 0)
    return f" Default: {param.default}." if said else ""


if __name__ == "__main__":
    print(reference(), end="")
