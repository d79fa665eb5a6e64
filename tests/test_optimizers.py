"""Optimizers: each printed equation is the code, and what PyTorch shares agrees with it."""

import copy
import dataclasses
import inspect
import json
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.train.optimizers import (
    adagrad,
    adam,
    adamw,
    lbfgs,
    optimizer_named,
    rmsprop,
    sgd,
)
from chainrule.train.schedules import cosine, plateau

FIRST_ORDER = [
    sgd(0.1),
    sgd(0.05, momentum=0.9),
    sgd(0.05, momentum=0.9, nesterov=True),
    adagrad(0.1),
    adagrad(0.1, epsilon=0.5),
    rmsprop(0.01),
    rmsprop(0.02, rho=0.99, momentum=0.8, epsilon=1e-3),
    adam(0.05),
    adam(0.05, beta_1=0.5, beta_2=0.9, epsilon=0.1),
    adamw(0.05),
    adamw(0.05, weight_decay=0.5),
]
EVERY = [*FIRST_ORDER, lbfgs(memory=3)]


def equations(kind):
    """(left, right) of each line of the Equation section, without its remark."""
    text = inspect.cleandoc(kind.__doc__ or "").split("Equation\n")[1].split("Errors\n")[0]
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines() if line.strip()]
    return [(left.strip(), right.strip()) for left, _, right in (line.partition(" = ") for line in lines)]


def valley(W):
    """A smooth function of six numbers that is no quadratic, with gradients from 1e-3 to 10."""
    scale = 10.0 ** (-jnp.arange(6) / 2)
    return jnp.sum(scale * (W - 1) ** 2) + 0.1 * jnp.sum(jnp.cos(W[1:] * W[:-1]))


def start():
    return np.linspace(-2, 2, 6)


def trajectory(optimizer, f, W, steps, rates=None, decayed=True):
    """The parameters after each step, in the precision of W."""

    @jax.jit
    def step(W, memory, rate, numbers):
        rule = optimizer.form().transform(rate, numbers, decayed)
        value, g = jax.value_and_grad(f)(W)
        updates, memory = rule.update(g, memory, W, value=value, grad=g, value_fn=f)
        return W + updates, memory

    W = jnp.asarray(W)
    rates = [optimizer.learning_rate or 1.0] * steps if rates is None else rates
    memory, path = optimizer.transform(1.0, optimizer.numbers(), decayed).init(W), []
    for rate in rates:
        W, memory = step(W, memory, rate, optimizer.numbers())
        path.append(np.asarray(W))
    return np.array(path)


@pytest.mark.parametrize("optimizer", FIRST_ORDER, ids=repr)
def test_the_printed_equation_is_the_code(optimizer):
    names = {"where": np.where, "sqrt": np.sqrt} | dataclasses.asdict(optimizer)
    names |= {"W": start(), "m": 0.0, "v": 0.0, "s": 0.0}
    rates = np.linspace(0.1, 0.01, 20)
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(valley))
        expected = []
        for t, rate in enumerate(rates, start=1):
            names |= {"t": t, "rate": rate, "g": np.asarray(gradient(names["W"]))}
            for left, right in equations(type(optimizer)):
                names[left] = eval(right, names)
            expected.append(names["W"])
        path = trajectory(optimizer, valley, start(), 20, rates)
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-12)


def test_the_printed_equation_of_lbfgs_is_the_code():
    memory, f = 3, valley
    with jax.enable_x64(True):
        rule = lbfgs(memory=memory).transform(1.0, {}, True)
        gradient = jax.jit(jax.value_and_grad(f))
        update = jax.jit(lambda g, state, W, value: rule.update(g, state, W, value=value, grad=g, value_fn=f))
        W, pairs, olds = jnp.asarray(start()), [], []
        state = rule.init(W)
        for t in range(12):
            value, g = gradient(W)
            if olds:
                pairs = [*pairs, (np.asarray(W - olds[0]), np.asarray(g - olds[1]))][-memory:]
            olds = [W, g]
            updates, state = update(g, state, W, value)
            n = W.size
            names = {"eye": np.eye, "outer": np.outer, "n": n, "W": np.asarray(W), "g": np.asarray(g)}
            names["rate"] = float(state[2].learning_rate)
            (_, at_first), *each_pair, (_, step) = equations(lbfgs)
            if pairs:
                names["s"], names["y"] = pairs[-1]
                names["H"] = eval(at_first, names)
            else:
                names["H"] = np.eye(n) * np.minimum(1, 1 / np.linalg.norm(names["g"]))
            for names["s"], names["y"] in pairs:
                for left, right in each_pair:
                    names[left] = eval(right, names)
            W = W + updates
            np.testing.assert_allclose(W, eval(step, names), rtol=1e-9, atol=1e-11, err_msg=f"step {t}")


def torchs(optimizer, torch, parameters):
    """PyTorch's optimizer of the same numbers."""
    o, rate = optimizer, optimizer.learning_rate
    if isinstance(o, sgd):
        return torch.optim.SGD(parameters, lr=rate, momentum=o.momentum, nesterov=o.nesterov)
    if isinstance(o, adagrad):
        return torch.optim.Adagrad(parameters, lr=rate, eps=o.epsilon)
    if isinstance(o, rmsprop):
        return torch.optim.RMSprop(parameters, lr=rate, alpha=o.rho, momentum=o.momentum, eps=o.epsilon)
    betas = {"lr": rate, "betas": (o.beta_1, o.beta_2), "eps": o.epsilon}
    if isinstance(o, adamw):
        return torch.optim.AdamW(parameters, weight_decay=o.weight_decay, **betas)
    return torch.optim.Adam(parameters, **betas)


@pytest.mark.parametrize("optimizer", FIRST_ORDER, ids=repr)
def test_trajectories_are_pytorchs(optimizer):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    W = torch.tensor(start(), requires_grad=True)
    scale = torch.tensor(10.0 ** (-np.arange(6) / 2))
    theirs, expected = torchs(optimizer, torch, [W]), []
    for _ in range(50):
        theirs.zero_grad()
        loss = (scale * (W - 1) ** 2).sum() + 0.1 * torch.cos(W[1:] * W[:-1]).sum()
        loss.backward()
        theirs.step()
        expected.append(W.detach().numpy().copy())
    with jax.enable_x64(True):
        path = trajectory(optimizer, valley, start(), 50)
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=1e-8)


def test_adamw_decays_weights_only():
    params = {"W": jnp.full((2, 2), 3.0), "b": jnp.full(2, 3.0), "fixed": None}
    zero = jax.tree.map(jnp.zeros_like, params)
    optimizer = adamw(0.1, weight_decay=0.5)
    rule = optimizer.transform(0.1, optimizer.numbers(), {"W": True, "b": False, "fixed": None})
    updates, _ = rule.update(zero, rule.init(params), params)
    np.testing.assert_allclose(updates["W"], -0.1 * 0.5 * 3.0 * np.ones((2, 2)), rtol=1e-6)
    np.testing.assert_array_equal(updates["b"], np.zeros(2))
    assert updates["fixed"] is None


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_other_rates_and_numbers_share_one_program(optimizer):
    compiled = []

    @jax.jit(static_argnames="form")
    def step(W, memory, rate, numbers, form):
        compiled.append(form)
        rule = form.transform(rate, numbers, True)
        value, g = jax.value_and_grad(valley)(W)
        updates, memory = rule.update(g, memory, W, value=value, grad=g, value_fn=valley)
        return W + updates, memory

    others = [optimizer]
    if optimizer.learning_rate is not None:
        others += [dataclasses.replace(optimizer, learning_rate=rate) for rate in (0.3, cosine(1.0), lambda t: 0.1)]
    if optimizer.numbers():
        others.append(dataclasses.replace(optimizer, weight_decay=0.25))
    W = jnp.asarray(start(), jnp.float32)
    for other in others:
        state = W, other.transform(1.0, other.numbers(), True).init(W)
        for rate in (0.1, 0.2):
            numbers = {name: jnp.float32(value) for name, value in other.numbers().items()}
            state = step(*state, jnp.float32(rate), numbers, form=other.form())
    assert len(compiled) == 1
    assert len({other.form() for other in others}) == 1


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_what_is_remembered_keeps_its_type_through_a_compiled_loop(optimizer, wide):
    with jax.enable_x64(wide):
        params = {"W": jnp.ones((3, 2)), "b": jnp.ones(2), "fixed": None}
        decayed = {"W": True, "b": False, "fixed": None}

        def f(p):
            return jnp.sum((p["W"] @ p["b"] - 5.0) ** 2)

        def step(i, state):
            p, memory = state
            rule = optimizer.transform(jnp.asarray(0.01), optimizer.numbers(), decayed)
            value, g = jax.value_and_grad(f)(p)
            updates, memory = rule.update(g, memory, p, value=value, grad=g, value_fn=f)
            return jax.tree.map(jnp.add, p, updates), memory

        memory = optimizer.transform(1.0, optimizer.numbers(), decayed).init(params)
        after, _ = jax.lax.fori_loop(0, 5, step, (params, memory))
        assert f(after) < f(params)


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_members_of_an_ensemble_descend_alone(optimizer):
    W = jnp.stack([jnp.asarray(start()) * scale for scale in (0.5, 1.0, 1.5)])
    rates = jnp.asarray([0.01, 0.02, 0.03])

    def run(W, rate):
        rule = optimizer.transform(rate, optimizer.numbers(), True)

        def step(_, state):
            W, memory = state
            value, g = jax.value_and_grad(valley)(W)
            updates, memory = rule.update(g, memory, W, value=value, grad=g, value_fn=valley)
            return W + updates, memory

        return jax.lax.fori_loop(0, 3, step, (W, rule.init(W)))[0]

    together, alone = jax.jit(jax.vmap(run))(W, rates), jax.jit(run)
    for member in range(3):
        np.testing.assert_allclose(together[member], alone(W[member], rates[member]), rtol=2e-4, atol=1e-5)


def test_lbfgs_reaches_the_minimum_of_an_ill_conditioned_quadratic():
    curvatures = 10.0 ** np.linspace(-2, 3, 10)

    def bowl(W):
        return 0.5 * jnp.sum(curvatures * (W - 1) ** 2)

    with jax.enable_x64(True):
        path = trajectory(lbfgs(memory=20), bowl, np.zeros(10), 120)
        plain = trajectory(sgd(1.9 / curvatures.max()), bowl, np.zeros(10), 120)
    np.testing.assert_allclose(path[-1], np.ones(10), atol=1e-6)
    assert np.abs(plain[-1] - 1).max() > 0.9  # descent has not begun along the flattest direction


def test_lbfgs_reaches_the_minimum_of_rosenbrocks_valley():
    with jax.enable_x64(True):
        path = trajectory(lbfgs(), lambda W: (1 - W[0]) ** 2 + 100 * (W[1] - W[0] ** 2) ** 2, [-1.2, 1.0], 60)
    np.testing.assert_allclose(path[-1], [1.0, 1.0], atol=1e-8)


def test_momentum_leaves_a_plateau_up_to_1_over_1_minus_momentum_times_sooner():
    # On a slope that is the same everywhere, plain steps go rate * slope each; with momentum they grow
    # towards rate * slope / (1 - momentum).
    def slope(W):
        return -1e-3 * jnp.sum(W)

    with jax.enable_x64(True):
        plain = trajectory(sgd(1.0), slope, np.zeros(1), 2000)
        heavy = trajectory(sgd(1.0, momentum=0.9), slope, np.zeros(1), 2000)
    steps = [int(np.argmax(path[:, 0] >= 1.0)) + 1 for path in (plain, heavy)]
    assert steps[0] == pytest.approx(1000, abs=1)
    assert steps[1] == pytest.approx(steps[0] * (1 - 0.9) + 0.9 / (1 - 0.9), abs=2)


@pytest.mark.parametrize("optimizer", [*EVERY, sgd(cosine(0.1, warmup=0.1)), adam(plateau(1e-3))], ids=repr)
def test_an_optimizer_prints_hashes_pickles_and_travels_as_json(optimizer):
    names = {kind.__name__: kind for kind in (adagrad, adam, adamw, lbfgs, rmsprop, sgd, cosine, plateau)}
    assert eval(repr(optimizer), names) == optimizer
    for back in (
        spec.from_data(json.loads(json.dumps(spec.to_data(optimizer)))),
        pickle.loads(pickle.dumps(optimizer)),
        copy.deepcopy(optimizer),
    ):
        assert back == optimizer and hash(back) == hash(optimizer)


@pytest.mark.parametrize(
    "bad", [0, -1e-3, np.nan, np.inf, "0.1", True, [0.1], cosine, 10**400], ids=lambda b: repr(b)[:9]
)
@pytest.mark.parametrize("kind", [adagrad, adam, adamw, rmsprop, sgd])
def test_a_rate_that_cannot_work_is_refused(kind, bad):
    with pytest.raises(DesignError, match=f"{kind.__name__}: learning_rate=.*above 0 is expected"):
        kind(bad)


def test_a_missing_rate_is_refused():
    with pytest.raises(DesignError, match="learning_rate=None"):
        adam(learning_rate=None)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (sgd, {"learning_rate": 0.1, "momentum": 1.0}),
        (sgd, {"learning_rate": 0.1, "momentum": -0.1}),
        (adagrad, {"epsilon": 0.0}),
        (rmsprop, {"rho": 1.0}),
        (rmsprop, {"momentum": np.nan}),
        (adam, {"beta_1": 1.0}),
        (adam, {"beta_2": 2}),
        (adam, {"epsilon": -1e-8}),
        (adamw, {"weight_decay": -0.1}),
        (lbfgs, {"memory": 0}),
        (lbfgs, {"memory": 2.5}),
        (lbfgs, {"searches": True}),
    ],
)
def test_numbers_out_of_bounds_are_refused_by_name(kind, fields):
    with pytest.raises(DesignError, match=f"{kind.__name__}: {list(fields)[-1]}="):
        kind(**fields)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(DesignError, match=r"momentum=0\.9"):
        sgd(0.1, nesterov=True)


def test_names():
    assert optimizer_named("adam") == optimizer_named("Adam") == adam()
    assert optimizer_named("SGD") == sgd(0.01)
    assert optimizer_named("RMSprop") == rmsprop()
    assert optimizer_named("L-BFGS") == optimizer_named("lbfgs") == lbfgs()
    assert optimizer_named("AdamW") == adamw() and optimizer_named("Adagrad") == adagrad()
    with pytest.raises(DesignError, match="Did you mean 'adam'"):
        optimizer_named("adamm")
    with pytest.raises(DesignError, match="one of adagrad, adam, adamw, lbfgs, rmsprop, sgd is expected"):
        optimizer_named("quantum")


def test_only_lbfgs_needs_all_rows():
    assert [o.full_batch for o in (sgd(0.1), adagrad(), rmsprop(), adam(), adamw(), lbfgs())] == [False] * 5 + [True]
