"""Interleaved rounds: everybody is timed once in each, so that what disturbs the machine disturbs all alike."""

import time
from collections.abc import Callable
from dataclasses import dataclass

PAUSE = 0.3
"""Seconds in which the thread pool of the one before goes to sleep."""


class Failed(Exception):
    """An entrant cannot be timed; the message is the last thing that it said."""


@dataclass(frozen=True)
class Timing:
    """Seconds, and the training loss that was reached in them where something was trained."""

    seconds: float
    loss: float | None = None


Entrants = dict[str, Callable[[], Timing]]
Found = dict[str, list[Timing] | str]
"""For each name one timing a round, or why there is none."""


def rounds(entrants: Entrants, pairs: int) -> Found:
    """Time everybody ``pairs`` times, forth and back in turn, after one round that is thrown away."""
    found: Found = {}
    for i in range(pairs + 1):
        for name in list(entrants)[:: 1 if i % 2 else -1]:
            timings = found.setdefault(name, [])
            if isinstance(timings, str):
                continue
            try:
                timing = entrants[name]()
            except Failed as e:
                found[name] = f"failed: {e}"
                continue
            if i > 0:
                timings.append(timing)
            time.sleep(PAUSE)
    return {name: found[name] for name in entrants}
