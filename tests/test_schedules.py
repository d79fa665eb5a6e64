"""Schedules: each printed equation is the code, the bounds hold, and what PyTorch shares agrees with it."""

import dataclasses
import inspect
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.train.schedules import Schedule, cosine, exponential, one_cycle, plateau, rates_of, warmup

TOTAL, PER_EPOCH = 120, 8
STEPS = np.arange(TOTAL)
EXAMPLES = [
    cosine(0.1),
    cosine(0.1, final=0.01, warmup=0.1),
    cosine(2.0, warmup=0.33),
    warmup(0.1),
    warmup(0.3, fraction=0.5),
    warmup(0.3, fraction=0.0),
    one_cycle(1.0),
    one_cycle(0.5, rise=0.4, start=10.0, end=100.0),
    exponential(0.1),
    exponential(0.2, decay=0.9),
    exponential(0.2, decay=1.0),
    plateau(0.1, factor=0.3, patience=2, min_delta=0.01),
]


def equations(kind: type) -> list[tuple[str, str]]:
    """(left, right) of each line of the Equation section, without its remark."""
    text = inspect.cleandoc(kind.__doc__ or "").split("Equation\n")[1].split("Errors\n")[0]
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines() if line.strip()]
    return [(left.strip(), right.strip()) for left, _, right in (line.partition(" = ") for line in lines)]


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_the_printed_equation_is_the_code(schedule):
    names = {name: getattr(np, name) for name in ("where", "cos", "pi", "minimum")} | dataclasses.asdict(schedule)
    with np.errstate(all="ignore"):
        for left, right in equations(type(schedule)):
            if "(" in left:
                name, arguments = left.rstrip(")").split("(")
                names[name] = eval(f"lambda {arguments}: {right}", names)
        arguments = {"t": STEPS, "T": TOTAL, "E": PER_EPOCH}
        wanted = inspect.signature(names["rates"]).parameters
        expected = names["rates"](**{name: arguments[name] for name in wanted})
    rates = schedule.rates(STEPS, TOTAL, PER_EPOCH)
    assert rates.dtype == np.float64
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_rates_are_finite_positive_and_do_not_depend_on_the_stretch(schedule):
    rates = rates_of(schedule, STEPS, TOTAL, PER_EPOCH)
    assert np.all(np.isfinite(rates)) and np.all(rates > 0)
    parts = [rates_of(schedule, part, TOTAL, PER_EPOCH) for part in (STEPS[:7], STEPS[7:90], STEPS[90:])]
    np.testing.assert_array_equal(rates, np.concatenate(parts))


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_a_schedule_prints_hashes_and_travels_as_json(schedule):
    names = {kind.__name__: kind for kind in (cosine, exponential, one_cycle, plateau, warmup)}
    assert eval(repr(schedule), names) == schedule
    back = spec.from_data(json.loads(json.dumps(spec.to_data(schedule))))
    assert back == schedule and hash(back) == hash(schedule)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_trainings_have_rates(schedule, total):
    rates = rates_of(schedule, np.arange(total), total, 1)
    assert rates.shape == (total,) and np.all(np.isfinite(rates)) and np.all(rates > 0)


def test_cosine_is_pytorchs():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's CosineAnnealingLR")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=TOTAL, eta_min=0.01)
    expected = []
    for _ in STEPS:
        expected.append(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()
    rates = cosine(0.1, final=0.01).rates(STEPS, TOTAL, PER_EPOCH)
    np.testing.assert_allclose(rates, expected, rtol=1e-9)


def test_exponential_is_pytorchs_stepped_once_an_epoch():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's ExponentialLR")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    torchs = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    expected = []
    for _ in range(TOTAL // PER_EPOCH):
        expected += [torchs.get_last_lr()[0]] * PER_EPOCH
        optimizer.step()
        torchs.step()
    np.testing.assert_allclose(exponential(0.2, decay=0.9).rates(STEPS, TOTAL, PER_EPOCH), expected, rtol=1e-12)


def test_cosine_and_one_cycle_reach_their_peak_once_and_end_low():
    rates = cosine(0.1, warmup=0.1).rates(STEPS, TOTAL, PER_EPOCH)
    assert rates.argmax() == 12 and rates[12] == 0.1
    assert np.all(np.diff(rates[:13]) > 0) and np.all(np.diff(rates[12:]) < 0)
    rates = one_cycle(1.0).rates(np.arange(TOTAL + 1), TOTAL, PER_EPOCH)
    assert rates[0] == pytest.approx(1 / 25) and rates.argmax() == 30 and rates[30] == 1.0
    assert rates[-1] == pytest.approx(1e-5)


def keras_like(losses, factor, patience, min_delta):
    """ReduceLROnPlateau, written as a plain loop."""
    best, wait, scale, scales = np.inf, 0, 1.0, []
    for loss in losses:
        if loss < best - min_delta:
            best, wait = loss, 0
        else:
            wait += 1
            if wait >= patience:
                scale, wait = scale * factor, 0
        scales.append(scale)
    return scales


@pytest.mark.parametrize("falls", [plateau(0.1), plateau(0.1, factor=0.3, patience=2, min_delta=0.05)], ids=repr)
def test_plateau_reacts_as_a_plain_loop_does_and_compiles_once_for_all_numbers(falls):
    losses = np.exp(-np.arange(60) / 10) + np.random.default_rng(0).normal(0, 0.05, 60)
    losses[20] = np.nan
    compiled = []

    @jax.jit
    def react(state, loss, numbers):
        compiled.append(1)
        return plateau.react(*state, loss, **numbers)

    for schedule in (falls, plateau(1.0, factor=0.9, patience=1)):
        state = jnp.asarray(jnp.inf, jnp.float32), jnp.asarray(0, jnp.int32), jnp.asarray(1, jnp.float32)
        scales, by_equation = [], []
        names = dataclasses.asdict(schedule) | {"best": np.inf, "wait": 0, "scale": 1.0, "where": np.where}
        for loss in losses.astype(np.float32):
            state = react(state, loss, {k: jnp.asarray(v) for k, v in schedule.numbers().items()})
            scales.append(float(state[2]))
            names["loss"] = loss
            for left, right in equations(plateau)[1:]:
                names[left] = eval(right, names)
            by_equation.append(float(names["scale"]))
        numbers = schedule.numbers()
        np.testing.assert_allclose(scales, keras_like(losses, **numbers), rtol=1e-5)
        np.testing.assert_allclose(scales, by_equation, rtol=1e-5)
    assert scales[-1] < 1 and len(compiled) == 1


def test_rates_of_numbers_functions_and_none():
    np.testing.assert_array_equal(rates_of(0.1, STEPS, TOTAL, PER_EPOCH), np.full(TOTAL, 0.1))
    np.testing.assert_array_equal(rates_of(None, STEPS, TOTAL, PER_EPOCH), np.ones(TOTAL))
    stairs = rates_of(lambda t: 0.1 if t < 50 else 0.01, STEPS, TOTAL, PER_EPOCH)
    np.testing.assert_array_equal(stairs, np.where(STEPS < 50, 0.1, 0.01))
    np.testing.assert_array_equal(rates_of(lambda t: jnp.float32(0.5), STEPS[:3], TOTAL, 1), [0.5] * 3)


def test_rates_of_takes_an_optax_schedule():
    import optax

    rates = rates_of(optax.cosine_decay_schedule(0.1, TOTAL), STEPS, TOTAL, PER_EPOCH)
    np.testing.assert_allclose(rates, cosine(0.1).rates(STEPS, TOTAL, PER_EPOCH), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_a_function_with_a_bad_value_is_refused_with_its_step(bad):
    with pytest.raises(DesignError, match=rf"drifts is {bad} at step 61 of {TOTAL}"):

        def drifts(t):
            return bad if t == 61 else 0.1

        rates_of(drifts, STEPS[50:], TOTAL, PER_EPOCH)


@pytest.mark.parametrize("value", ["fast", None, np.ones(3), 1j])
def test_a_function_that_gives_no_number_is_refused_with_its_step(value):
    with pytest.raises(DesignError, match="at step 50: one number is expected"):
        rates_of(lambda t: value, STEPS[50:], TOTAL, PER_EPOCH)


@pytest.mark.parametrize(
    "bad", [0, 0.0, -1.0, np.nan, np.inf, "0.1", None, True, 10**400, 1j], ids=lambda b: repr(b)[:9]
)
@pytest.mark.parametrize("kind", [cosine, exponential, one_cycle, plateau, warmup])
def test_a_rate_that_is_no_positive_number_is_refused(kind, bad):
    with pytest.raises(DesignError, match=rf"{kind.__name__}: (rate|peak)="):
        kind(bad)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (cosine, {"peak": 0.1, "final": 0.2}),
        (cosine, {"peak": 0.1, "final": -0.1}),
        (cosine, {"peak": 0.1, "warmup": 1.0}),
        (warmup, {"rate": 0.1, "fraction": 1.5}),
        (one_cycle, {"peak": 0.1, "rise": 0.0}),
        (one_cycle, {"peak": 0.1, "start": 0.5}),
        (one_cycle, {"peak": 0.1, "end": 0}),
        (exponential, {"rate": 0.1, "decay": 1.1}),
        (exponential, {"rate": 0.1, "decay": 0.0}),
        (plateau, {"rate": 0.1, "factor": 1.0}),
        (plateau, {"rate": 0.1, "patience": 0}),
        (plateau, {"rate": 0.1, "patience": 2.5}),
        (plateau, {"rate": 0.1, "min_delta": -1.0}),
    ],
)
def test_numbers_out_of_bounds_are_refused_by_name(kind, fields):
    with pytest.raises(DesignError, match=f"{kind.__name__}: {list(fields)[-1]}="):
        kind(**fields)


def test_numpy_numbers_become_plain_ones():
    schedule = cosine(np.float32(0.5), warmup=np.float64(0.25))
    assert schedule == cosine(0.5, warmup=0.25) and type(schedule.peak) is type(schedule.warmup) is float
    assert isinstance(schedule, Schedule) and repr(schedule) == "cosine(peak=0.5, warmup=0.25)"
