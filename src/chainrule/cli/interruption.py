"""Interruption: Ctrl-C and SIGTERM end a training in order, and the way to go on is said."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal, complain

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""The exit codes of a shell."""
AGAIN = 0.02
"""Seconds until an interrupt that was lost is sent again."""


class Interrupted(KeyboardInterrupt):
    """A signal came; its number is the argument."""


@contextmanager
def interruptible(out: Path, terminal: Terminal) -> Iterator[None]:
    """Let a signal end the training in ``out``: its checkpoint is written, and the exit code is the signal's."""

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once
        raise Interrupted(number)

    def lost(unraisable: Any) -> None:
        # Python drops an exception that is raised while a callback of the garbage collector runs; jax has one.
        if not issubclass(unraisable.exc_type, Interrupted):
            hook(unraisable)
            return
        number = unraisable.exc_value.args[0]
        signal.signal(number, interrupt)
        again = threading.Timer(AGAIN, _thread.interrupt_main, (number,))
        pending.append(again)
        again.start()

    pending: list[threading.Timer] = []
    hook, before = sys.unraisablehook, {number: signal.signal(number, interrupt) for number in CODES}
    sys.unraisablehook = lost
    try:
        yield
    except Interrupted as e:
        complain(f"Interrupted. {way_on(out)}.", "Interrupted", terminal.json)
        raise typer.Exit(CODES[e.args[0]]) from e
    finally:
        for again in pending:
            again.cancel()
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def way_on(out: Path) -> str:
    """How to go on after an interruption."""
    from chainrule.train.directory import MODEL, checkpoints

    resume = pasted("resume", out)
    if (out / MODEL).is_file():
        return f"The network is trained and saved; its scores are computed by {resume}"
    return (
        f"Go on with the training: {resume}" if checkpoints(out) else "Nothing was trained yet: run the command again"
    )
