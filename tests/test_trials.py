"""Trials before a training, and the step for an own loop: what they suggest, what they refuse."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import chainrule as cr

NET = cr.Chain(cr.Dense(16), cr.tanh, cr.Dense(1))


def parabola():
    X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    return X, X[:, 0] ** 2


def waves():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=300)


def diabetes():
    X, y = map(np.asarray, load_diabetes(return_X_y=True))
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), (y - y.mean()) / y.std()


@pytest.mark.parametrize("data", [parabola, waves, diabetes])
def test_the_suggested_rate_trains(data):
    X, y = data()
    for seed in range(5):
        found = cr.find_learning_rate(NET, X, y, seed=seed)
        assert 1e-4 < found.suggestion < 0.3
        last = []
        for rate in (found.suggestion, found.suggestion / 100):
            run = cr.fit(NET, X, y, optimizer=cr.adam(rate), epochs=30, validation=None, seed=seed, progress=False)
            last.append(run.history["loss"][-1])
        assert np.isfinite(last[0])
        assert last[0] < 0.8 * last[1]


def test_the_suggestion_is_at_most_a_tenth_of_the_best_rate():
    X, y = waves()
    found = cr.find_learning_rate(NET, X, y, optimizer="sgd", batch_size="full", steps=60)
    best = found.rates[np.argmin(found.losses)]
    assert found.suggestion <= best / 10 * (1 + 1e-9)
    assert len(found.rates) == len(found.losses) <= 60
    assert f"at {best:.2g}" in str(found)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"optimizer": "lbfgs"}, "lbfgs"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"optimizer": cr.adam}, "optimizer"),
        ({"steps": 20.5}, "steps=20.5"),
        ({"steps": 9}, "at least 10"),
        ({"batch_size": "half"}, "batch_size='half'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lowest": "small"}, "lowest='small'"),
        ({"lowest": 1.0, "highest": 0.1}, "lowest < highest"),
        ({"highest": np.inf}, "highest=inf"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_a_wrong_search_is_refused(wrong, said):
    with pytest.raises(cr.DesignError, match=said):
        cr.find_learning_rate(NET, *parabola(), **wrong)


def test_a_loss_that_never_falls_has_no_suggestion():
    def constant(z, y):
        return 0 * z[:, 0] + 1

    with pytest.raises(cr.DesignError, match="never fell"):
        cr.find_learning_rate(NET, *parabola(), loss=constant, steps=40)


def test_a_batch_is_learned_by_heart_when_it_can_be():
    X, y = parabola()
    trial = cr.overfit_batch(NET, X, y, optimizer=cr.adam(0.02), rows=8, steps=600)
    assert trial.fits
    assert len(trial.losses) == 600
    assert trial.losses[-1] < 0.01 * trial.losses[0]


def test_equal_inputs_with_different_targets_cannot_be_learned_by_heart():
    X, y = np.ones((16, 2), np.float32), np.tile([0.0, 1.0], 8)
    trial = cr.overfit_batch(NET, X, y, loss="mse", optimizer="adam", steps=300)
    assert not trial.fits
    assert trial.losses[-1] == pytest.approx(0.25, abs=0.01)  # the variance of the targets
    assert "equal inputs" in str(trial)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 4}, "at least 5"),
        ({"steps": True}, "steps=True"),
        ({"rows": "all"}, "rows='all'"),
        ({"optimizer": cr.lbfgs()}, "lbfgs"),
    ],
)
def test_a_wrong_trial_is_refused(wrong, said):
    with pytest.raises(cr.DesignError, match=said):
        cr.overfit_batch(NET, *parabola(), **wrong)


def test_the_own_loop_takes_names():
    X, y = parabola()
    params = NET.init(jax.random.key(0), X)
    losses = []
    for loss, optimizer in (("mse", "adam"), (cr.mean_squared_error, cr.adam())):
        init, update = cr.train.step(NET, loss, optimizer)
        state, first = update(init(params), X, y[:, None])
        losses.append((float(first), float(update(state, X, y[:, None])[1])))
    assert losses[0] == losses[1]
    assert losses[0][1] < losses[0][0]


@pytest.mark.parametrize("schedule", [cr.cosine(0.1), cr.one_cycle(0.1), cr.warmup(0.1)])
def test_a_schedule_that_ends_needs_its_total(schedule):
    with pytest.raises(cr.DesignError, match="total=1000"):
        cr.train.step(NET, "mse", cr.sgd(schedule))
    cr.train.step(NET, "mse", cr.sgd(schedule), total=10)


@pytest.mark.parametrize("rate", [0.1, cr.plateau(0.1), cr.exponential(0.1), lambda t: 0.1 / (1 + t)])
def test_a_rate_without_an_end_needs_no_total(rate):
    X, y = parabola()
    init, update = cr.train.step(NET, "mse", cr.sgd(rate))
    state, first = update(init(NET.init(jax.random.key(0), X)), X, y[:, None])
    assert float(update(state, X, y[:, None])[1]) < float(first)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"loss": "mee"}, "no loss 'mee'"),
        ({"loss": 3}, "loss=3"),
        ({"optimizer": 0.1}, "optimizer=0.1"),
        ({"total": 0}, "total=0"),
        ({"per_epoch": 1.5}, "per_epoch=1.5"),
    ],
)
def test_a_wrong_step_is_refused(wrong, said):
    with pytest.raises(cr.DesignError, match=said):
        cr.train.step(NET, **{"loss": "mse", "optimizer": "sgd", **wrong})
