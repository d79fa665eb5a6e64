"""One step of descent: pure functions of (plan, state, batch), the same for every driver."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from chainrule.layers.layer import Layer, Params
from chainrule.train.optimizers import Optimizer
from chainrule.train.roles import fixed, joined, roles, trained
from chainrule.train.schedules import plateau

EXPLODED = 10.0
"""An epoch's mean loss above this many times the loss before the first step (or 1) counts as divergence."""
MEMBERS = "members"
"""The name of the axis over which crossed members add up what they found."""
LOOKED_AT = 1024
"""So many training rows give the loss before the first step."""


@dataclass(frozen=True)
class Plan:
    """What fixes the compiled program: everything that is not a number. Two equal plans share a program.

    A step takes ``rows`` rows in ``parts`` parts, whose gradients are accumulated. An epoch has ``batches`` such steps
    and, where rows may not be padded because they influence each other, a last one of its own size ``last``. Members
    that are ``crossed`` have held-out rows of their own, and choose the epoch together.
    """

    net: Layer
    loss: Callable
    optimizer: Optimizer
    metrics: tuple[tuple[str, Callable], ...] = ()
    penalty: Any = None
    clipped: bool = False
    averaged: bool = False
    stops_early: bool = False
    reacts: bool = False
    freeze: tuple[str, ...] = ()
    rows: int = 32
    parts: int = 1
    batches: int = 1
    last: int | None = None
    members: int = 1
    crossed: bool = False
    probes: tuple[tuple[str, Callable], ...] = ()

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch."""
        return self.batches + (self.last is not None)


class Rows(NamedTuple):
    """Inputs, targets and weights, row by row."""

    x: Any
    y: Any
    w: Any


class Best(NamedTuple):
    """The best parameters so far, by the monitored loss, and for how many epochs nothing better came."""

    params: Params
    loss: Any
    epoch: Any
    wait: Any


class Member(NamedTuple):
    """What training changes in one network; in an ensemble every leaf has one more axis in front."""

    params: Params
    memory: Any
    average: Params
    best: Any
    plateau: Any
    scale: Any
    start: Any
    sums: dict[str, Any]
    probes: dict[str, Any]
    stopped: Any
    ok: Any


class State(NamedTuple):
    """Everything that training changes: the number of the step and the members."""

    step: Any
    members: Member


def each(plan: Plan, f: Callable, axes: tuple) -> Callable:
    """``f`` for every member at once; a single network runs it as it is."""
    return jax.vmap(f, axes, axis_name=MEMBERS) if plan.members > 1 else f


def transform(plan: Plan, role: Any, rate: Any, numbers: dict) -> Any:
    """The optimizer with its numbers, which may be traced."""
    decayed = jax.tree.map(lambda r: r == "weight", trained(role, role))
    return plan.optimizer.transform(rate, numbers["optimizer"], decayed)


def start(plan: Plan, params: Params, loss: Any, numbers: dict) -> Member:
    """The state of one member before its first step, and its loss there."""
    role = roles(plan.net, params, plan.freeze)
    dtype = jnp.zeros(()).dtype
    worst, none = jnp.asarray(jnp.inf, dtype), jnp.zeros((), jnp.int32)
    grads = trained(params, role)
    return Member(
        params=params,
        memory=transform(plan, role, 1.0, numbers).init(grads),
        average=params if plan.averaged else (),
        best=Best(params, worst, none, none) if plan.stops_early else (),
        plateau=(worst, none) if plan.reacts else (),
        scale=jnp.ones((), dtype),
        start=loss,
        sums=_zero_sums(plan, dtype),
        probes={name: f(plan.net, params, grads) for name, f in plan.probes},
        stopped=jnp.zeros((), bool),
        ok=jnp.ones((), bool),
    )


def loss_before(plan: Plan, params: Params, rows: Rows) -> Any:
    """The mean loss on the first rows, before the first step."""
    x, y, w = jax.tree.map(lambda a: a[:LOOKED_AT], rows)
    return jnp.sum(w * plan.loss(plan.net(params, x), y)) / jnp.maximum(jnp.sum(w), 1e-30)


def descend(plan: Plan, member: Member, batch: Rows, rate: Any, key: Any, step: Any, numbers: dict) -> Member:
    """One step: the gradient of the weighted mean loss, and the optimizer's answer to it.

    Leaves of ``batch`` have shape (parts, rows, ...): the gradient is accumulated over the parts.
    """
    role = roles(plan.net, member.params, plan.freeze)
    weights, statistics = trained(member.params, role), fixed(member.params, role)
    total = jnp.sum(batch.w)
    divisor = jnp.where(total > 0, total, 1)  # a batch of rows of weight 0 teaches nothing

    def objective(weights: Params, statistics: Params, part: Rows, key: Any):
        z, params = plan.net.run(joined(weights, statistics), part.x, key)
        losses = plan.loss(z, part.y)
        sums = {name: jnp.sum(part.w * f(z, part.y)) for name, f in plan.metrics} | {"loss": jnp.sum(part.w * losses)}
        return sums["loss"] / divisor, (fixed(params, role), sums)

    def penalized(weights: Params):
        decayed = [
            w for w, r in zip(*map(jax.tree.leaves, (weights, trained(role, role))), strict=True) if r == "weight"
        ]
        return sum(c * term for c, term in zip(numbers["penalty"], plan.penalty.terms(decayed), strict=True))

    gradient = jax.value_and_grad(objective, has_aux=True)
    (value, (statistics, sums)), grads = _accumulated(gradient, weights, statistics, batch, key)
    if plan.penalty is not None:
        charge, more = jax.value_and_grad(penalized)(weights)
        value, grads = value + charge, jax.tree.map(jnp.add, grads, more)
    if plan.clipped:
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
        grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, numbers["clip_norm"] / jnp.maximum(norm, 1e-30)), grads)

    def value_of(weights: Params):
        part = jax.tree.map(lambda a: a[0], batch)
        value = objective(weights, fixed(member.params, role), part, _part_key(key, 0))[0]
        return value if plan.penalty is None else value + penalized(weights)

    optimizer = transform(plan, role, rate * member.scale, numbers)
    updates, memory = optimizer.update(grads, member.memory, weights, value=value, grad=grads, value_fn=value_of)
    weights = jax.tree.map(lambda w, u: w + u.astype(w.dtype), weights, updates)
    params = joined(weights, statistics)
    return member._replace(
        params=params,
        memory=memory,
        average=_averaged(plan, member, params, role, step, numbers),
        sums={name: member.sums[name] + s for name, s in (sums | {"weight": total}).items()},
        probes=_probed(plan, member, grads, step, numbers),
        ok=member.ok & (jnp.isfinite(value) | member.stopped),
    )


def close(plan: Plan, member: Member, held: Rows | None, epoch: Any, numbers: dict) -> tuple[Member, dict]:
    """End an epoch: evaluate, keep the best, stop early, react to a plateau; the epoch's row of the history."""
    shown = member.average if plan.averaged else member.params
    mean = {name: s / member.sums["weight"] for name, s in member.sums.items() if name != "weight"}
    if held is not None:
        mean |= {f"val_{name}": value for name, value in evaluate(plan, shown, held).items()}
    watched = own = mean["val_loss" if held is not None else "loss"]
    if plan.crossed and held is not None:  # one member's part is small: the parts of all say more about the epoch
        weight = jnp.sum(held.w)
        watched = jax.lax.psum(own * weight, MEMBERS) / jax.lax.psum(weight, MEMBERS)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(p)) for p in jax.tree.leaves(member.params)] or [jnp.array(True)]))
    limit = EXPLODED * jnp.maximum(jnp.abs(member.start), 1.0)
    member = member._replace(
        ok=member.ok & (finite & (mean["loss"] <= limit) & jnp.isfinite(own) | member.stopped),
        sums=_zero_sums(plan, watched.dtype),
    )
    if plan.stops_early:
        best, stopping = member.best, numbers["early_stopping"]
        better = (watched < best.loss - stopping["min_delta"]) & ~member.stopped
        wait = jnp.where(better, 0, best.wait + 1)
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), shown, best.params)
        best = Best(kept, jnp.where(better, watched, best.loss), jnp.where(better, epoch, best.epoch), wait)
        member = member._replace(best=best, stopped=member.stopped | (wait >= stopping["patience"]))
    if plan.reacts:
        best, wait, scale = plateau.react(*member.plateau, member.scale, watched, **numbers["plateau"])
        member = member._replace(plateau=(best, wait), scale=scale)
    return member, {"means": mean, "probes": member.probes, "rate_scale": member.scale}


def evaluate(plan: Plan, params: Params, held: Rows) -> dict[str, Any]:
    """The weighted mean loss and metrics of the exact network; leaves of ``held`` have shape (parts, rows, ...)."""

    def add(sums: dict, part: Rows) -> tuple[dict, None]:
        z = plan.net(params, part.x)
        rows = {"loss": plan.loss(z, part.y)} | {name: f(z, part.y) for name, f in plan.metrics}
        return {name: sums[name] + jnp.sum(part.w * r) for name, r in (rows | {"weight": jnp.ones(())}).items()}, None

    sums, _ = jax.lax.scan(add, _zero_sums(plan, held.w.dtype), held)
    return {name: s / sums["weight"] for name, s in sums.items() if name != "weight"}


def _accumulated(gradient: Callable, weights: Params, statistics: Params, batch: Rows, key: Any):
    parts = batch.w.shape[0]
    if parts == 1:
        return gradient(weights, statistics, jax.tree.map(lambda a: a[0], batch), _part_key(key, 0))

    def add(carry: tuple, part: tuple[Any, Rows]) -> tuple[tuple, None]:
        (value, (statistics, sums)), grads = carry
        i, rows = part
        (v, (statistics, s)), g = gradient(weights, statistics, rows, _part_key(key, i))
        return (
            (value + v, (statistics, jax.tree.map(jnp.add, sums, s))),
            jax.tree.map(jnp.add, grads, g),
        ), None

    shape = jax.eval_shape(gradient, weights, statistics, jax.tree.map(lambda a: a[0], batch), _part_key(key, 0))
    (value, (_, sums)), grads = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shape)
    first = (value, (statistics, sums)), grads
    return jax.lax.scan(add, first, (jnp.arange(parts), batch))[0]


def _part_key(key: Any, part: Any) -> Any:
    return None if key is None else jax.random.fold_in(key, part)


def _averaged(plan: Plan, member: Member, params: Params, role: Any, step: Any, numbers: dict) -> Params:
    if not plan.averaged:
        return ()
    decay = jnp.minimum(numbers["average"], (1.0 + step) / (10.0 + step))
    return jax.tree.map(
        lambda mean, p, r: p if r == "fixed" else decay * mean + (1 - decay) * p, member.average, params, role
    )


def _probed(plan: Plan, member: Member, grads: Params, step: Any, numbers: dict) -> dict[str, Any]:
    if not plan.probes:
        return member.probes
    due = step % numbers["probe_every"] == 0
    return jax.lax.cond(
        due,
        lambda: {name: f(plan.net, member.params, grads) for name, f in plan.probes},
        lambda: member.probes,
    )


def _zero_sums(plan: Plan, dtype: Any) -> dict[str, Any]:
    return {name: jnp.zeros((), dtype) for name in ("loss", "weight", *(name for name, _ in plan.metrics))}
