"""What the command line says: text for people, notes and errors on stderr, or one JSON object and nothing else."""

import codecs
import json
import os
import shutil
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from chainrule.errors import ChainruleWarning

BOLD, RED = "1", "31"
PLAIN = {
    "–": "-",
    "—": "-",
    "−": "-",
    "━": "-",
    "─": "-",
    "…": "...",
    "×": "x",
    "·": "*",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "²": "^2",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Words for symbols that a terminal's encoding lacks."""


class Terminal:
    """Where a command speaks: ``json`` leaves only ``answer``, ``quiet`` only ``essential``; ``ascii`` no Unicode."""

    def __init__(self, json: bool = False, quiet: bool = False, ascii: bool = False) -> None:
        self.json, self.quiet = json, quiet
        if ascii:
            for stream in (sys.stdout, sys.stderr):
                _encode(stream, "ascii")

    def say(self, text: str = "") -> None:
        """Text for people."""
        if not self.json and not self.quiet:
            print(text)

    def title(self, text: str) -> None:
        """The head of a part, after a blank line."""
        self.say()
        self.say(styled(text, BOLD, sys.stdout))

    def paragraph(self, text: str, first: str = "", rest: str | None = None) -> None:
        """Text, wrapped to the terminal's width."""
        self.say(wrapped(text, first, rest))

    def essential(self, text: str) -> None:
        """What a quiet command still says."""
        if not self.json:
            print(text)

    def answer(self, data: dict) -> None:
        """The one JSON object."""
        if self.json:
            print(json.dumps(data, allow_nan=False, default=_plain_number))

    @property
    def progress(self) -> bool:
        """Whether training is drawn."""
        return not self.json and not self.quiet and sys.stderr.isatty()


def width() -> int:
    """Columns to fill: the terminal's, within reason."""
    return min(100, max(40, shutil.get_terminal_size((80, 24)).columns))


def wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    """Text in lines of the terminal's width; ``first`` and ``rest`` begin the lines."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def styled(text: str, code: str, stream: TextIO) -> str:
    """Color or weight, in a terminal that shows it."""
    shown = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if shown else text


def labelled(label: str, code: str, message: str) -> str:
    """A message for stderr with a word before it that says what it is."""
    return styled(label, code, sys.stderr) + wrapped(f"{label} {message}").removeprefix(label)


def complain(message: str, kind: str, json_wanted: bool) -> None:
    """An error: on stderr for people, on stdout as the one JSON object."""
    if json_wanted:
        print(json.dumps({"error": message, "kind": kind}))
    else:
        print(labelled("error:", RED, message), file=sys.stderr)


@contextmanager
def notes() -> Iterator[None]:
    """Say each warning of chainrule once, as a note on stderr; those of libraries are not for the reader."""
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, ChainruleWarning) and str(message) not in said:
            said.add(str(message))
            print(labelled("note:", BOLD, str(message)), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ChainruleWarning)
        warnings.showwarning = show
        yield


def speak_any_encoding() -> None:
    """Let no symbol fail that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        _encode(stream, stream.encoding)


def _encode(stream: Any, encoding: str) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding=encoding, errors="chainrule.plain")


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(PLAIN.get(c) or _letter(c) for c in error.object[error.start : error.end])
    return text, error.end


def _letter(character: str) -> str:
    apart = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return apart or ("" if unicodedata.combining(character) else "?")


def _plain_number(value: Any) -> Any:
    return value.item()


codecs.register_error("chainrule.plain", _substitute)
