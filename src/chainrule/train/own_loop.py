"""The compiled step for those who bring their own loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError
from chainrule.layers.layer import Layer, Params, as_layer
from chainrule.maths.losses import loss_named
from chainrule.train.descent import Member, Plan, Rows, descend, start
from chainrule.train.optimizers import Optimizer, optimizer_named
from chainrule.train.schedules import Schedule, exponential, plateau, rates_of


class Step(NamedTuple):
    """``state = init(params)``, then ``state, loss = update(state, x, y)``; parameters are ``state.params``."""

    init: Callable[[Params], "StepState"]
    update: Callable[..., tuple["StepState", Any]]


class StepState(NamedTuple):
    """The parameters, what the optimizer remembers, and the number of the step."""

    member: Member
    step: Any

    @property
    def params(self) -> Params:
        """The parameters."""
        return self.member.params


def step(
    net: Layer | Callable,
    loss: Callable | str,
    optimizer: Optimizer | str,
    total: int | None = None,
    per_epoch: int = 1,
) -> Step:
    """The pure compiled step that ``fit`` runs, as a pair of functions ``(init, update)``.

    ``update(state, x, y, key=None, w=None)`` takes a batch of any size, a key when training needs noise, and row
    weights. ``total`` and ``per_epoch`` are the steps that a schedule counts: one that ends must be told its ``total``.

    >>> import chainrule as cr
    >>> net = cr.Chain(cr.Dense(1))
    >>> x, y = jnp.ones((4, 2)), jnp.zeros((4, 1))
    >>> init, update = cr.train.step(net, cr.mean_squared_error, cr.sgd(0.1))
    >>> state = init(net.init(jax.random.key(0), x))
    >>> state, first = update(state, x, y)
    >>> state, second = update(state, x, y)
    >>> bool(second < first)
    True
    """
    loss = loss_named(loss) if isinstance(loss, str) else loss
    optimizer = optimizer_named(optimizer) if isinstance(optimizer, str) else optimizer
    if not callable(loss) or isinstance(loss, type):
        raise DesignError(f"step: loss={loss!r}: a loss such as cr.cross_entropy, its name, or a function is expected.")
    if not isinstance(optimizer, Optimizer):
        raise DesignError(f"step: optimizer={optimizer!r}: an optimizer such as cr.adam(1e-3) or its name is expected.")
    rate = optimizer.learning_rate
    if total is None and isinstance(rate, Schedule) and not isinstance(rate, plateau | exponential):
        raise DesignError(f"step: {rate} ends at the last step: say how many there are in all, total=1000.")
    for name, count in (("total", total), ("per_epoch", per_epoch)):
        if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1):
            raise DesignError(f"step: {name}={count!r}: a whole number of at least 1 is expected.")
    plan = Plan(as_layer(net), loss, optimizer.form())
    numbers = {"optimizer": optimizer.numbers()}

    def init(params: Params) -> StepState:
        return StepState(start(plan, params, jnp.inf, numbers), 0)

    def update(state: StepState, x: Any, y: Any, key: Any = None, w: Any = None) -> tuple[StepState, Any]:
        rate = float(rates_of(optimizer.learning_rate, np.array([state.step]), total or 1, per_epoch)[0])
        w = jnp.ones(len(y), jnp.zeros(()).dtype) if w is None else jnp.asarray(w)
        member, value = _update(plan, state.member, Rows(x, y, w), rate, key, state.step, numbers)
        return StepState(member, state.step + 1), value

    return Step(init, update)


def _updated(plan: Plan, member: Member, batch: Rows, rate: Any, key: Any, at: Any, numbers: dict) -> tuple:
    batch = jax.tree.map(lambda a: jnp.asarray(a)[None], batch)
    member = member._replace(sums=jax.tree.map(jnp.zeros_like, member.sums))
    member = descend(plan, member, batch, rate, key, at, numbers)
    return member, member.sums["loss"] / member.sums["weight"]


_update = jax.jit(_updated, static_argnames="plan")
