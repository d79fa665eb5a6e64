"""The application: its commands, and how a command ends: 0 done, 1 the job failed, 2 wrong use."""

import logging
import os
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from chainrule.cli import data, demo, design, evaluate, explain, fit, predict, report, resume
from chainrule.cli.inputs import UsageError
from chainrule.cli.terminal import complain, notes, speak_any_encoding
from chainrule.errors import ChainruleError

EXAMPLES = (
    "chainrule demo",
    "chainrule fit houses.csv --target price",
    "chainrule predict last new.csv -o predictions.csv",
)
DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="chainrule",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Command(TyperCommand):
    """A command whose usage names its arguments as its help does: DATA, or [cancer|houses] for one to leave out."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command's name."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def examples(lines: tuple[str, ...]) -> str:
    """The end of a help text; the sign at the start keeps its lines as they are."""
    return "\b\nExample" + ("s" if len(lines) > 1 else "") + ":\n" + "\n".join(f"  {line}" for line in lines)


for module in (demo, fit, design, predict, evaluate, explain, report, resume, data):
    command = module.__name__.rpartition(".")[2]
    app.command(command, cls=Command, epilog=examples(module.EXAMPLES))(getattr(module, command))


def release() -> str:
    """The version that is installed."""
    from importlib.metadata import version as installed

    return installed("chainrule")


def version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"chainrule {release()}")
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
    """Run a command and return its exit code; errors are said, and a traceback is shown only on demand."""
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
        except typer.Abort:
            complain("Interrupted.", "Interrupted", json_wanted)
            return INTERRUPTED
        except Exception as e:
            if os.environ.get("CHAINRULE_DEBUG"):
                traceback.print_exc()
            complain(unexpected(e), "Unexpected", json_wanted)
            return FAILED


def unexpected(error: Exception) -> str:
    """What is said of an error that nobody foresaw, in one line."""
    said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
    return (
        f"unexpected: {said}. This is a bug of chainrule {release()}: please report it; "
        "CHAINRULE_DEBUG=1 shows the traceback."
    )


def usage(error: Any) -> str:
    """The message of wrong use, and where to look."""
    path = error.ctx.command_path if error.ctx is not None else "chainrule"
    message = error.format_message().strip()
    return f"{message}{'' if message.endswith(('.', '?', '!')) else '.'} See `{path} --help`."
