"""Two drivers of the same step: one compiled loop over any stretch of steps, and a Python loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.train.descent import Plan, Rows, State, close, descend, each, loss_before, start

Data = tuple[Rows, Rows | None]
"""The training rows and, in parts of equal size, the held-out rows, those of crossed members one after the other."""


@partial(jax.jit, static_argnames="plan")
def begin(plan: Plan, params: Any, rows: Rows, numbers: dict) -> State:
    """The state before the first step on these rows."""
    begun = each(plan, lambda p: start(plan, p, loss_before(plan, p, rows), numbers), (0,))
    return State(jnp.zeros((), jnp.int32), begun(params))


@partial(jax.jit, static_argnames="plan")
def compiled(
    plan: Plan, state: State, data: Data, order: Any, rates: Any, seeds: Any, numbers: dict, last: Any
) -> tuple[State, dict]:
    """Go on to step ``last`` in one program; the row of the history of each epoch that ended on the way.

    ``order`` (epochs, members, rows) and ``rates`` (epochs, steps) begin with the epoch in which the stretch begins.
    """
    first = state.step // plan.per_epoch
    row = jax.eval_shape(lambda s: _close(plan, s, data, numbers)[1], state)
    history = jax.tree.map(lambda a: jnp.zeros((order.shape[0], *a.shape), a.dtype), row)

    def more(carry: tuple[State, dict]) -> Any:
        state, _ = carry
        return (state.step < last) & jnp.all(state.members.ok) & ~(jnp.all(state.members.stopped) & numbers["halts"])

    def epoch_of(carry: tuple[State, dict]) -> tuple[State, dict]:
        state, history = carry
        epoch = state.step // plan.per_epoch
        i, begun = epoch - first, epoch * plan.per_epoch
        whole = jnp.minimum(last, begun + plan.batches)

        def go_on(state: State) -> Any:
            return (state.step < whole) & jnp.all(state.members.ok)

        def one(state: State) -> State:
            at = state.step - begun
            return _step(plan, state, data, order[i], rates[i, at], seeds, numbers, at)

        state = jax.lax.while_loop(go_on, one, state)
        if plan.last is not None:
            state = jax.lax.cond(
                (state.step == begun + plan.batches) & (state.step < last) & jnp.all(state.members.ok),
                lambda s: _last_step(plan, s, data, order[i], rates[i, plan.batches], seeds, numbers),
                lambda s: s,
                state,
            )

        def ended(state: State, history: dict) -> tuple[State, dict]:
            state, row = _close(plan, state, data, numbers)
            return state, jax.tree.map(lambda h, r: h.at[i].set(r), history, row)

        over = (state.step == begun + plan.per_epoch) & jnp.all(state.members.ok)
        return jax.lax.cond(over, ended, lambda s, h: (s, h), state, history)

    return jax.lax.while_loop(more, epoch_of, (state, history))


def stepwise(
    plan: Plan, state: State, data: Data, order: Any, rates: Any, seeds: Any, numbers: dict, last: int
) -> tuple[State, dict]:
    """The same as ``compiled``, from Python step by step: for layers that are slow inside a compiled loop."""
    step, rows = int(state.step), []
    first = step // plan.per_epoch
    while step < last and bool(jnp.all(state.members.ok)):
        if numbers["halts"] and bool(jnp.all(state.members.stopped)):
            break
        i, at = step // plan.per_epoch - first, step % plan.per_epoch
        arguments = (plan, state, data, order[i], rates[i, at], seeds, numbers)
        state = _one_last_step(*arguments) if at == plan.batches else _one_step(*arguments, at)
        step += 1
        if step % plan.per_epoch == 0 and bool(jnp.all(state.members.ok)):
            state, row = _one_close(plan, state, data, numbers)
            rows.append(row)
    return state, jax.tree.map(lambda *a: jnp.stack(a), *rows) if rows else {}


DRIVERS: dict[str, Callable] = {"compiled": compiled, "stepwise": stepwise}


def _step(plan: Plan, state: State, data: Data, order: Any, rate: Any, seeds: Any, numbers: dict, at: Any) -> State:
    rows = jax.lax.dynamic_slice_in_dim(order, at * plan.rows, plan.rows, axis=-1)
    return _descend(plan, state, data, rows, rate, seeds, numbers)


def _last_step(plan: Plan, state: State, data: Data, order: Any, rate: Any, seeds: Any, numbers: dict) -> State:
    return _descend(plan, state, data, order[..., plan.batches * plan.rows :], rate, seeds, numbers)


def _descend(plan: Plan, state: State, data: Data, rows: Any, rate: Any, seeds: Any, numbers: dict) -> State:
    train = data[0]

    def one(member: Any, rows: Any, seed: Any) -> Any:
        taken = jnp.maximum(rows, 0)  # -1 marks a padded row: any row, of weight 0
        batch = Rows(*jax.tree.map(lambda a: a[taken], (train.x, train.y, train.w)))
        batch = batch._replace(w=jnp.where(rows < 0, 0, batch.w))
        batch = jax.tree.map(lambda a: a.reshape(plan.parts, -1, *a.shape[1:]), batch)
        return descend(
            plan, member, batch, rate, jax.random.fold_in(jax.random.key(seed), state.step), state.step, numbers
        )

    return State(state.step + 1, each(plan, one, (0, 0, 0))(state.members, rows, seeds))


def _close(plan: Plan, state: State, data: Data, numbers: dict) -> tuple[State, dict]:
    epoch = state.step // plan.per_epoch - 1
    held = 0 if plan.crossed else None
    members, row = each(plan, lambda m, rows: close(plan, m, rows, epoch, numbers), (0, held))(state.members, data[1])
    return State(state.step, members), row


_one_step = partial(jax.jit, static_argnames="plan")(_step)
_one_last_step = partial(jax.jit, static_argnames="plan")(_last_step)
_one_close = partial(jax.jit, static_argnames="plan")(_close)
