"""Two short trials before a training: of the learning rate, and of one batch that the network should fit."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DesignError
from chainrule.train.bare import bare_design, design_targets
from chainrule.train.checks import check_network
from chainrule.train.materials import Materials, from_arrays
from chainrule.train.optimizers import Optimizer, adam, optimizer_named
from chainrule.train.own_loop import step
from chainrule.train.planning import first_standing, job_of
from chainrule.train.recipe import Recipe, Split


@dataclass(frozen=True, eq=False)
class RateSearch:
    """Learning rates tried, the smoothed loss at each, and the one that is suggested."""

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def __str__(self) -> str:
        best = int(np.argmin(self.losses))
        return (
            f"Suggested learning rate: {self.suggestion:.2g}. The loss fell from {self.losses[0]:.4g} to "
            f"{self.losses[best]:.4g} at {self.rates[best]:.2g}; the suggestion is where it fell fastest, at a tenth "
            "of that at most."
        )


def find_learning_rate(
    net: Any,
    X: Any,
    y: Any,
    *,
    loss: Any = None,
    optimizer: Optimizer | str | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
    batch_size: int | str = 32,
    seed: int = 0,
) -> RateSearch:
    """Raise the learning rate from step to step until the loss explodes, and suggest one from where it fell fastest.

    ``optimizer`` is the one to search for, by default Adam; its own rate is not read. Errors: DesignError when the loss
    never falls, explodes at once, or the optimizer has no learning rate. Source: Smith 2017, section 3.3.

    >>> import chainrule as cr
    >>> X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> found = find_learning_rate(cr.Chain(cr.Dense(8), cr.tanh, cr.Dense(1)), X, X[:, 0] ** 2)
    >>> 1e-6 < found.suggestion < 1.0
    True
    """
    where = "find_learning_rate"
    kind, steps = _searched(where, optimizer, adam()), _whole(where, "steps", steps, 10)
    bounds = (lowest, highest)
    if not all(isinstance(bound, int | float | np.number) for bound in bounds) or not 0 < lowest < highest < np.inf:
        raise DesignError(f"{where}: lowest={lowest!r}, highest={highest!r}: 0 < lowest < highest is expected.")
    if batch_size != "full":
        batch_size = _whole(where, "batch_size", batch_size, 1)
    rates = np.geomspace(lowest, highest, steps)
    searching = replace(kind, learning_rate=lambda t: float(rates[min(t, steps - 1)]))
    design, params, materials = _prepared(net, X, y, loss, batch_size, seed)
    count = len(materials.train.w)
    order = np.random.Generator(np.random.Philox(key=[seed, 0]))
    if isinstance(batch_size, int) and batch_size < count:
        batches = (order.integers(0, count, batch_size) for _ in range(steps))
    else:
        batches = iter([np.arange(count)] * steps)
    smooth: list[float] = []
    mean = 0.0
    for t, value in enumerate(_losses(design, params, materials, searching, batches, seed, steps)):
        mean = 0.9 * mean + 0.1 * value
        smooth.append(mean / (1 - 0.9 ** (t + 1)))  # without the bias towards the start at 0
        if not np.isfinite(value) or smooth[-1] > 4 * max(min(smooth), 1e-12):
            smooth.pop()
            break
    losses = np.array(smooth)
    if len(losses) < 5:
        raise DesignError(
            f"find_learning_rate: the loss exploded within {len(losses)} steps. Say a lower lowest={lowest}."
        )
    return _suggested(rates[: len(losses)], losses)


@dataclass(frozen=True, eq=False)
class BatchTrial:
    """How the loss on one batch fell, and whether the network could learn it by heart."""

    losses: np.ndarray
    fits: bool

    def __str__(self) -> str:
        fell = (
            f"The loss on one batch went from {self.losses[0]:.4g} to {self.losses[-1]:.4g} in {len(self.losses)} steps"
        )
        if self.fits:
            return f"{fell}: the network can learn a batch by heart, so network, loss and gradient work together."
        return (
            f"{fell}: the network cannot learn even one batch by heart. Look for a learning rate that is too small, a "
            "network that is too narrow, rows with equal inputs and different targets, or a loss that does not match "
            "the output."
        )


def overfit_batch(
    net: Any,
    X: Any,
    y: Any,
    *,
    loss: Any = None,
    optimizer: Optimizer | str | None = None,
    rows: int = 16,
    steps: int = 500,
    seed: int = 0,
) -> BatchTrial:
    """Train on the first ``rows`` rows only: a network that cannot learn them by heart has a fault.

    It ``fits`` when the loss falls below a hundredth of its start. ``optimizer`` is by default Adam with rate 0.01.

    >>> import chainrule as cr
    >>> X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> overfit_batch(cr.Chain(cr.Dense(32), cr.tanh, cr.Dense(1)), X, X[:, 0], optimizer=cr.adam(0.01)).fits
    True
    """
    where = "overfit_batch"
    kind = _searched(where, optimizer, adam(1e-2))
    rows, steps = _whole(where, "rows", rows, 1), _whole(where, "steps", steps, 5)
    design, params, materials = _prepared(net, X, y, loss, rows, seed)
    batch = np.arange(min(rows, len(materials.train.w)))
    losses = np.array(list(_losses(design, params, materials, kind, [batch] * steps, seed, steps)))
    return BatchTrial(losses, bool(losses[-5:].mean() < 0.01 * losses[0]))


def _suggested(rates: np.ndarray, losses: np.ndarray) -> RateSearch:
    """The rate where the loss falls fastest, looked for only where it really falls: from a tenth to nine tenths of the
    whole fall. Before that, the steepest slope is noise.
    """
    width = max(len(losses) // 20, 1)
    padded = np.pad(losses, width, mode="edge")
    curve = np.convolve(padded, np.full(2 * width + 1, 1 / (2 * width + 1)), mode="valid")
    start, best = float(np.mean(losses[: 2 * width])), int(np.argmin(curve))
    fall = start - curve[best]
    if best == 0 or fall <= 1e-6 * abs(start):  # less is rounding
        raise DesignError(
            f"find_learning_rate: the loss never fell below its start, {start:.4g}, at rates up to {rates[-1]:.2g}. "
            "Try cr.overfit_batch, which tells whether the network can learn at all, or a lower lowest."
        )
    begin = int(np.flatnonzero(curve[: best + 1] >= start - 0.1 * fall)[-1:].sum())
    end = begin + int(np.argmax(curve[begin : best + 1] <= start - 0.9 * fall))
    slopes = np.gradient(curve, np.log(rates))
    fastest = begin + int(np.argmin(slopes[begin : end + 1]))
    return RateSearch(rates, curve, min(float(rates[fastest]), float(rates[best]) / 10))


def _searched(where: str, optimizer: Any, default: Optimizer) -> Optimizer:
    kind = default if optimizer is None else optimizer_named(optimizer) if isinstance(optimizer, str) else optimizer
    if not isinstance(kind, Optimizer):
        raise DesignError(f"{where}: optimizer={kind!r}: an optimizer such as cr.adam() or its name is expected.")
    if kind.full_batch:
        raise DesignError(f"{where}: {kind} searches the length of its steps itself. Take cr.adam().")
    return kind


def _whole(where: str, name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise DesignError(f"{where}: {name}={value!r}: a whole number of at least {least} is expected.")
    return int(value)


def _prepared(net: Any, X: Any, y: Any, loss: Any, rows: int | str, seed: int) -> tuple:
    recipe = Recipe(optimizer=adam(), batch_size=rows, split=Split(validation=None), seed=seed)
    materials = from_arrays(bare_design(net, X, y, loss, recipe), X, y)
    job, design = job_of(materials), materials.design
    x, targets = jax.tree.map(lambda a: jax.ShapeDtypeStruct((2, *a.shape[1:]), a.dtype), job.data[0][:2])
    check_network(design.network, design.loss, x, targets, design_targets(design))
    return design, first_standing(job, design).state.members.params, materials


def _losses(
    design: Any, params: Any, materials: Materials, optimizer: Optimizer, batches: Any, seed: int, total: int
) -> Any:
    init, update = step(design.network, design.loss, optimizer, total)
    state, key = init(params), jax.random.key(seed)
    for t, rows in enumerate(batches):
        x, y = jax.tree.map(lambda a, rows=rows: jnp.asarray(a[rows]), materials.train[:2])
        state, value = update(state, x, y, jax.random.fold_in(key, t))
        yield float(value)
