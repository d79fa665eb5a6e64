"""Groups: the members of a large ensemble train side by side, a few in each program, on every core."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from chainrule.train.descent import Plan, State

GROUP = 4
"""Members in one program on a CPU: more gain nothing there, and the number must not depend on the machine's cores."""


def in_groups(
    driver: Callable, plan: Plan, state: State, data: Any, order: Any, rates: Any, seeds: Any, numbers: dict, last: Any
) -> tuple[State, dict]:
    """What ``driver`` does, for groups of members at the same time; one program suffices elsewhere than on a CPU."""
    if plan.members <= GROUP or jax.default_backend() != "cpu":
        return driver(plan, state, data, order, rates, seeds, numbers, last)
    # A group whose members have all stopped must not end before the others: all go on to the same step.
    numbers = numbers | {"halts": False}

    def run(group: np.ndarray) -> tuple[State, dict]:
        part = slice(group[0], group[-1] + 1)
        members = jax.tree.map(lambda a: np.asarray(a)[part], state.members)
        some = replace(plan, members=len(group))
        own = (data[0], jax.tree.map(lambda a: a[part], data[1])) if plan.crossed else data
        done = driver(some, State(state.step, members), own, order[:, part], rates, seeds[part], numbers, last)
        return jax.block_until_ready(done)

    groups = np.array_split(np.arange(plan.members), -(-plan.members // GROUP))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        states, rows = zip(*pool.map(run, groups), strict=True)
    step = min(s.step for s in states if broken(s)) if any(map(broken, states)) else states[0].step
    members = jax.tree.map(lambda *a: np.concatenate(a), *(s.members for s in states))
    # Whoever broke later is trained again from before that step, and must not be blamed yet.
    ok = np.concatenate([np.asarray(s.members.ok) | bool(s.step != step) for s in states])
    return State(step, members._replace(ok=ok)), jax.tree.map(lambda *a: np.concatenate(a, axis=1), *rows)


def broken(state: State) -> bool:
    """Whether a member's training is no longer finite, or has exploded."""
    return not np.all(np.asarray(state.members.ok))
