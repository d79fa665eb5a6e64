"""From a design and its materials to a job: the program, its numbers, the data on the device, the first parameters."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from chainrule.data.source import ArraySource
from chainrule.errors import DataError, DesignError
from chainrule.layers.layer import Layer, Params
from chainrule.maths.losses import Loss
from chainrule.maths.row_metrics import row_metric
from chainrule.train.checks import check_memory, check_params, check_trained
from chainrule.train.descent import Plan, Rows
from chainrule.train.design import Design
from chainrule.train.drivers import begin
from chainrule.train.materials import Materials, filled, in_parts
from chainrule.train.probes import PROBES
from chainrule.train.roles import param_shapes
from chainrule.train.schedules import plateau
from chainrule.train.sizes import bucket
from chainrule.train.standing import Standing
from chainrule.train.stretches import Job


def job_of(materials: Materials) -> Job:
    """The training that a design asks for on these rows."""
    design, train, folds = materials.design, materials.train, materials.folds
    recipe, rows = design.recipe, len(train.w)
    exact = design.network.mixes_rows  # it would take padded rows for real ones
    if folds is None:
        plan, held = plan_of(design, rows), None if materials.held is None else in_parts(materials.held)
    else:
        held = _of_members(train, folds, recipe.ensemble)
        own = rows - np.bincount(folds, minlength=recipe.ensemble)
        plan = replace(plan_of(design, int(own.min()) if exact else bucket(int(own.max()))), crossed=True)
        train = train if exact else filled(train, bucket(rows))
    data = jax.device_put((train, held))
    rate = recipe.optimizer.learning_rate
    return Job(plan, numbers_of(design, plan), data, rows, recipe.seed, rate, recipe.driver, folds)


def _of_members(rows: Rows, folds: np.ndarray, members: int) -> Rows:
    """The rows that each member leaves out, one member after the other."""
    most = bucket(int(np.bincount(folds, minlength=members).max()))
    parts = []
    for m in range(members):
        own = ArraySource(rows).take(np.flatnonzero(folds == m))
        parts.append(in_parts(own, most))
    return jax.tree.map(lambda *a: np.stack(a), *parts)


def plan_of(design: Design, rows: int) -> Plan:
    """What fixes the compiled program for a design on so many rows."""
    recipe, net = design.recipe, design.network
    if recipe.optimizer.full_batch and (recipe.accumulate > 1 or recipe.clip_norm is not None):
        raise DesignError(
            f"{type(recipe.optimizer).__name__} searches along a line on the loss of all rows at once: leave out "
            "accumulate and clip_norm."
        )
    plan = Plan(
        net=net,
        loss=design.loss,
        optimizer=recipe.optimizer.form(),
        metrics=metrics_of(design),
        penalty=None if recipe.penalty is None else recipe.penalty.form(),
        clipped=recipe.clip_norm is not None,
        averaged=recipe.average is not None,
        stops_early=recipe.early_stopping is not None,
        reacts=isinstance(recipe.optimizer.learning_rate, plateau),
        freeze=recipe.freeze,
        parts=recipe.accumulate,
        members=recipe.ensemble,
        probes=PROBES,
    )
    size = rows if recipe.batch_size == "full" else min(int(recipe.batch_size), rows)
    if not net.mixes_rows:
        size = min(size * recipe.accumulate, -(-rows // recipe.accumulate) * recipe.accumulate)
        return replace(plan, rows=size, batches=math.ceil(rows / size))
    if recipe.accumulate > 1:
        raise DesignError(
            "accumulate > 1 does not give the gradient of the larger batch in a network with batch norm, whose "
            "statistics are those of each part. Take cr.LayerNorm(), or a larger batch_size."
        )
    if rows < 2 or size < 2:
        raise DataError("A network with batch norm needs at least 2 rows in every batch: one row has no variance.")
    whole, rest = divmod(rows, size)
    if rest == 1:  # a batch of one row has no variance: it joins the one before
        whole, rest = whole - 1, size + 1
    if whole == 0:
        whole, size, rest = 1, rest, 0
    return replace(plan, rows=size, batches=whole, last=rest or None)


def metrics_of(design: Design) -> tuple[tuple[str, Callable], ...]:
    """What is measured beside the loss, each under a name of its own; by default what suits the loss."""
    loss, asked = design.loss, design.recipe.metrics
    if not asked:
        return (loss.metric,) if isinstance(loss, Loss) else ()
    named: dict[str, Callable] = {}
    for metric in asked:
        if isinstance(metric, str):
            if not isinstance(loss, Loss):
                raise DesignError(
                    f"The metric {metric!r} by its name needs one of our losses; pass your own (z, y) function."
                )
            name, metric = metric, row_metric(metric, loss)
        else:
            name = getattr(metric, "__name__", type(metric).__name__)
        alike = sum(known.split(" ")[0] == name for known in named)
        name = f"{name} {alike + 1}" if alike else name
        if name in ("loss", "weight"):
            raise DesignError(f"A metric is named {name!r}, as the history's own entry is. Give it another name.")
        named[name] = metric
    return tuple(named.items())


def numbers_of(design: Design, plan: Plan) -> dict:
    """The numbers that enter the program as traced scalars: changing one compiles nothing."""
    recipe = design.recipe
    numbers: dict[str, Any] = {"optimizer": recipe.optimizer.numbers(), "probe_every": plan.per_epoch, "halts": True}
    if recipe.penalty is not None:
        numbers["penalty"] = tuple(recipe.penalty.weights)
    if recipe.clip_norm is not None:
        numbers["clip_norm"] = recipe.clip_norm
    if recipe.average is not None:
        numbers["average"] = recipe.average
    if recipe.early_stopping is not None:
        stopping = recipe.early_stopping
        numbers["early_stopping"] = {"patience": stopping.patience, "min_delta": stopping.min_delta}
    if isinstance(recipe.optimizer.learning_rate, plateau):
        numbers["plateau"] = recipe.optimizer.learning_rate.numbers()
    return numbers


def first_standing(job: Job, design: Design, params: Params | None = None) -> Standing:
    """The standing before the first step, with drawn or given parameters."""
    x = job.data[0].x
    shapes = param_shapes(design.network, x)
    check_memory(job.plan, shapes)
    check_trained(design.network, shapes, job.plan.freeze)
    if params is None:
        params = drawn(job, x)
        if design.network.prepares:
            rows = jax.tree.map(lambda a: a[: job.rows], x)  # those that fill a size up are no real ones
            params = _prepared(design.network, job.plan.members > 1, params, rows)
    else:
        check_params(design.network, shapes, params, job.plan.members)
        params = jax.device_put(params)
    return Standing(begin(job.plan, params, job.data[0], job.numbers), design.recipe.epochs)


def drawn(job: Job, x: Any) -> Params:
    """Parameters from the seed: member m of an ensemble starts as the network of seed + m does."""
    return _drawn(job.plan.net, job.plan.members > 1, job.seeds, x)


@partial(jax.jit, static_argnames=("net", "many"), compiler_options={"xla_backend_optimization_level": 0})
def _drawn(net: Layer, many: bool, seeds: Any, x: Any) -> Params:
    def one(seed: Any) -> Params:
        key = jax.random.fold_in(jax.random.key(seed), 2**31)  # no step has this number: no noise repeats the start
        return net.init(key, x)

    return jax.vmap(one)(seeds) if many else one(seeds)


@partial(jax.jit, static_argnames=("net", "many"))
def _prepared(net: Layer, many: bool, params: Params, x: Any) -> Params:
    return jax.vmap(net.prepare, (0, None))(params, x) if many else net.prepare(params, x)
