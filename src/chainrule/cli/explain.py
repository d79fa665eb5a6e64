"""chainrule explain: the equations of a trained network, forward and backward, each line checked."""

import math
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chainrule.cli import inputs
from chainrule.cli.options import ASCII, DECIMAL, JSON, NO_HEADER, RUN, WRITTEN
from chainrule.cli.predict import write
from chainrule.cli.terminal import BOLD, Terminal, styled, width

if TYPE_CHECKING:
    from chainrule.equations.explanation import Explanation

Format = Literal["text", "latex", "html", "numpy"]

EXAMPLES = (
    "chainrule explain last",
    "chainrule explain runs/houses-001 --format html -o houses.html",
    "chainrule explain last --example 0",
)

WORDS = str.maketrans(
    {
        **{"δ": "d", "∂": "d", "ℓ": "l", "η": "eta", "ε": "eps", "λ": "lambda", "μ": "mu", "ρ": "rho", "σ": "sigma"},
        **{"β": "beta", "γ": "gamma", "θ": "theta", "φ": "phi", "Φ": "Phi", "Σ": "sum", "√": "sqrt", "∞": "inf"},
        **{"⊙": "*", "ᵀ": "^T", "₊": "_next", "₋": "_prev", "‖": "|", "≠": "!=", "′": "'", "″": "''", "‴": "'''"},
        **{"✓": "ok", "✗": "FAILED", "\N{COMBINING CIRCUMFLEX ACCENT}": "_hat", "\N{COMBINING TILDE}": "_tilde"},
        "\N{COMBINING MACRON}": "_mean",
        **{chr(0x2080 + k): str(k) for k in range(10)},
        **{c: f"^{k}" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    }
)
"""Words for the symbols of equations where a terminal's encoding lacks them."""


def explain(
    run: RUN,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="A table to take the examples from. Default: the run's own."),
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="text, latex, html, or numpy: a program.")
    ] = "text",
    example: Annotated[
        int | None,
        typer.Option("--example", metavar="N", min=0, help="The numbers of one row, counted from 0, line by line."),
    ] = None,
    training: Annotated[
        bool, typer.Option("--training", help="The training pass, with batch statistics and dropout's mask.")
    ] = False,
    unfold: Annotated[
        bool, typer.Option("--unfold/--fold", help="Say each of the layers that repeat; --fold is the default.")
    ] = False,
    output: WRITTEN = None,
    no_header: NO_HEADER = False,
    decimal: DECIMAL = None,
    json: JSON = False,
    ascii: ASCII = False,
) -> None:
    """Show the equations of a trained network.

    The forward pass, the loss, every gradient by the chain rule, and the optimizer's rule, as the program computes
    them. Each line is checked against the program, in its value, its gradient and its print; a line that fails the
    check is said, and the exit code is 1.
    """
    import chainrule as cr
    from chainrule.equations import explain as explaining
    from chainrule.train import cache, explained

    terminal = Terminal(json, ascii=ascii)
    cache.enable()
    if example is not None and format != "text":
        raise typer.BadParameter(
            f"the numbers of a row are text, and --format {format} came: leave one out.", param_hint="--example"
        )
    if data is None and (no_header or decimal is not None):
        raise typer.BadParameter("it says how DATA is read: name it with --data.", param_hint="--no-header, --decimal")
    path = inputs.run_path(run)
    loaded = cr.load(path)
    table = None if data is None else inputs.read_for(loaded.record, data, no_header, decimal)
    rows = explained.EXAMPLES if example is None else max(explained.EXAMPLES, example + 1)
    found = explaining.explain(loaded, table, training=training, examples=rows)
    if output is not None:
        write(output, shown(found, format, example, not unfold, 80, False))
        terminal.paragraph(f"{path}: {found.verdict} The equations are in {output}.")
    elif not json:
        colored = styled(" ", BOLD, sys.stdout) != " "
        terminal.say(aligned(found, format, example, not unfold, width(), colored, ascii).rstrip("\n"))
    if json:
        written = {} if output is None else {"output": str(output), "format": format}
        terminal.answer({"run": str(path)} | written | numbers(found, example) | answer(found))
    if any(line.status == "failed" for line in found.lines):
        raise typer.Exit(1)


def shown(found: "Explanation", format: Format, example: int | None, fold: bool, columns: int, color: bool) -> str:
    """The explanation as asked for."""
    if example is not None:
        return str(found.numbers(example=example))
    if format == "text":
        return found.text(width=columns, fold=fold, color=color)
    return getattr(found, format)()


def aligned(
    found: "Explanation", format: Format, example: int | None, fold: bool, columns: int, color: bool, ascii: bool
) -> str:
    """The same for a terminal, with words for symbols where it lacks them, its columns below each other."""
    from chainrule.equations.prints import layout

    written = shown(found, format, example, fold, columns, color)
    said = encoded(written, ascii)
    if format != "text" or example is not None or said == written:
        return said
    return layout.page(found, columns, fold, color, WORDS)


def numbers(found: "Explanation", example: int | None) -> dict[str, Any]:
    """The numbers of one row, by symbol."""
    if example is None:
        return {}
    values = found.numbers(example=example).values
    return {"example": example, "values": {symbol: finite(array.tolist()) for symbol, array in values.items()}}


def finite(value: Any) -> Any:
    """Numbers as JSON has them: what is not finite is null."""
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def encoded(text: str, ascii: bool) -> str:
    """The text with words for symbols, where they cannot be shown."""
    encoding = "ascii" if ascii else sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(WORDS)
    return text


def answer(found: "Explanation") -> dict[str, Any]:
    """What is said with --json: each line and its check. An error that is no number is null."""
    return {
        "verified": found.verified,
        "verdict": found.verdict,
        "lines": [
            {name: getattr(line, name) for name in ("symbol", "text", "kind", "shape", "scope", "status", "reason")}
            | {"errors": {name: finite(e) for name, e in line.errors.items()}}
            for line in found.lines
        ],
        "legend": [asdict(entry) for entry in found.legend],
    }
