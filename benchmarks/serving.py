"""The inside of a peer: a process that stays alive, trains when asked, and answers with the seconds of an epoch."""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache

from workloads import WORKLOADS, Workload

Train = Callable[[int], float]
"""Trains new parameters for a number of epochs; the mean training loss during the last one."""
ATTEMPTS = 3


def serve(trainer: Callable[[Workload], Train]) -> None:
    """Answer requests on stdin, one JSON object a line, until it closes. ``trainer`` gets the data ready, untimed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not mix with the answers

    @cache
    def ready(letter: str) -> Train:
        train = trainer(WORKLOADS[letter])
        train(WORKLOADS[letter].few)  # compiles
        return train

    for line in sys.stdin:
        request = json.loads(line)
        train = ready(request["workload"])
        print(json.dumps(epoch(train, request["few"], request["many"])), file=answers, flush=True)


def epoch(train: Train, few: int, many: int) -> dict[str, float]:
    """The seconds of an epoch, from the difference of two trainings; a disturbed pair is timed again."""
    for _ in range(ATTEMPTS):
        (short, _), (long, loss) = timed(train, few), timed(train, many)
        if long > short:
            return {"seconds": (long - short) / (many - few), "loss": loss}
    raise RuntimeError(f"{many} epochs took no longer than {few}: more are needed, or a quiet machine")


def timed(train: Train, epochs: int) -> tuple[float, float]:
    began = time.perf_counter()
    loss = train(epochs)
    return time.perf_counter() - began, loss
