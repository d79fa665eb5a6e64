"""The application: its commands, and how a command ends: 0 done, 1 the job failed, 2 wrong use."""

import logging
from typing import Annotated, Any, cast

import typer

from chainrule.cli import data, demo, design, evaluate, fit, predict, resume
from chainrule.cli.terminal import complain, notes, speak_any_encoding
from chainrule.errors import ChainruleError

EXAMPLES = (
    "chainrule demo",
    "chainrule fit houses.csv --target price",
    "chainrule predict last new.csv -o predictions.csv",
)
DONE, FAILED, WRONG_USE = 0, 1, 2
UsageError = cast(type[Exception], typer.BadParameter.__base__)

app = typer.Typer(
    name="chainrule",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def examples(lines: tuple[str, ...]) -> str:
    """The end of a help text; the sign at the start keeps its lines as they are."""
    return "\b\nExample" + ("s" if len(lines) > 1 else "") + ":\n" + "\n".join(f"  {line}" for line in lines)


for module in (demo, fit, design, predict, evaluate, resume, data):
    command = module.__name__.rpartition(".")[2]
    app.command(command, epilog=examples(module.EXAMPLES))(getattr(module, command))


def version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version as installed

        print(f"chainrule {installed('chainrule')}")
        raise typer.Exit


@app.callback(epilog=examples(EXAMPLES))
def chainrule(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=version, help="Print the version.")
    ] = False,
) -> None:
    """Neural networks with the mathematics in plain sight.

    Exit codes: 0 done; 1 the job failed; 2 wrong use (an unknown option, a value out of range, a column that the table
    does not have); 130 and 143 interrupted, with a checkpoint to resume from.
    """


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; errors are said, never shown as a traceback."""
    json_wanted = "--json" in arguments
    speak_any_encoding()
    logging.getLogger("jax").setLevel(logging.ERROR)
    with notes():
        try:
            return app(arguments or ["--help"], prog_name="chainrule", standalone_mode=False) or DONE
        except UsageError as e:
            complain(usage(e), "WrongUse", json_wanted)
            return WRONG_USE
        except ChainruleError as e:
            complain(str(e), type(e).__name__, json_wanted)
            return FAILED


def usage(error: Any) -> str:
    """The message of wrong use, and where to look."""
    path = error.ctx.command_path if error.ctx is not None else "chainrule"
    message = error.format_message().strip()
    return f"{message}{'' if message.endswith(('.', '?', '!')) else '.'} See `{path} --help`."
