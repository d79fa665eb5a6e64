"""Where a training broke: the first layer and operation that is not finite, forward or backward."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.trace.nonfinite import first_nonfinite
from chainrule.train.descent import State
from chainrule.train.stretches import Job


def first_fault(job: Job, state: State, member: int) -> str:
    """The first value that is not finite in the step that ``state`` is about to take, or "" when all are."""
    plan, step = job.plan, int(state.step)
    epoch, at = divmod(step, plan.per_epoch)
    params = state.members.params
    if plan.members > 1:
        params = jax.tree.map(lambda p: p[member], params)
    order = job.order(member, epoch)
    rows = np.maximum(order[at * plan.rows : (at + 1) * plan.rows], 0)
    train = job.data[0]
    x, y = jax.tree.map(lambda a: a[rows], (train.x, train.y))
    key = jax.random.fold_in(jax.random.key(job.seed + member), step)

    def mean_loss(params: Any) -> Any:
        return jnp.mean(plan.loss(plan.net.run(params, x, key)[0], y))

    fault = first_nonfinite(mean_loss, params) or first_nonfinite(jax.grad(mean_loss), params)
    return "" if fault is None else str(fault).rstrip(".")
