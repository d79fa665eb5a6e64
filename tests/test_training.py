"""Training: the step is the textbook's, nothing depends on how it is cut into stretches, faults are recovered from."""

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.3 * np.sin(3 * X[:, 0])).astype(np.float32)
CODES = (Y > 0).astype(int)
NET = cr.Chain(cr.Dense(8), cr.tanh, cr.Dense(1))
NOISY = cr.Chain(cr.Dense(8), cr.BatchNorm(), cr.relu, cr.Dropout(0.2), cr.Dense(1))


def leaves(run_or_params):
    import jax

    return [np.asarray(a) for a in jax.tree.leaves(getattr(run_or_params, "params", run_or_params))]


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(leaves(one), leaves(other), strict=True))


def close(one, other, tolerance=1e-5):
    return all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance) for a, b in zip(leaves(one), leaves(other), strict=True)
    )


def fit(net=NET, y=Y, x=X, **settings):
    given = {"optimizer": cr.sgd(0.05), "epochs": 4, "batch_size": 16, "validation": None, "progress": False}
    return cr.fit(net, x, y, **given | settings)


def test_batch_descent_is_the_textbook_rule():
    net = cr.Chain(cr.Dense(1))
    start = ({"W": np.zeros((3, 1), np.float32), "b": np.zeros(1, np.float32)},)
    run = fit(net, batch_size="full", epochs=20, params=start, loss=cr.mean_squared_error)
    W, b, x, y = np.zeros((3, 1)), np.zeros(1), X.astype(float), Y[:, None].astype(float)
    for _ in range(20):
        error = x @ W + b - y
        W, b = W - 0.05 * 2 * x.T @ error / len(x), b - 0.05 * 2 * error.mean(axis=0)
    np.testing.assert_allclose(run.params[0]["W"], W, rtol=1e-5)
    np.testing.assert_allclose(run.params[0]["b"], b, rtol=1e-5)


def test_stochastic_descent_takes_one_example_at_a_time_and_every_one():
    seen = fit(cr.Chain(cr.Dense(1)), batch_size=1, epochs=1, optimizer=cr.sgd(1e-12))
    start = fit(cr.Chain(cr.Dense(1)), batch_size="full", epochs=1, optimizer=cr.sgd(1e-12))
    np.testing.assert_allclose(seen.history["loss"], start.history["loss"], rtol=1e-5)


@pytest.mark.parametrize("batch_size", [7, 16, 49, 1000])
def test_every_example_counts_once_in_an_epoch(batch_size, recwarn):
    still = fit(batch_size=batch_size, epochs=1, optimizer=cr.sgd(1e-12))
    mean = float(np.mean((still.outputs(X)[:, 0] - Y) ** 2))
    assert still.history["loss"][0] == pytest.approx(mean, rel=1e-5)


def test_accumulation_equals_the_larger_batch():
    assert close(fit(batch_size=8, accumulate=2), fit(batch_size=16))


def test_a_weight_of_two_is_the_row_twice():
    weight = np.where(np.arange(50) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(50), weight.astype(int))
    assert close(fit(sample_weight=weight, batch_size="full"), fit(x=X[twice], y=Y[twice], batch_size="full"))


def test_class_weight_is_a_sample_weight():
    net = cr.Chain(cr.Dense(2))
    by_class = fit(net, CODES, class_weight={0: 3.0, 1: 1.0})
    by_row = fit(net, CODES, sample_weight=np.where(CODES == 0, 3.0, 1.0))
    assert close(by_class, by_row) and not close(by_class, fit(net, CODES))


def test_penalty_clipping_and_average_do_what_they_say():
    assert not close(fit(penalty=cr.l2(0.1)), fit())
    small, large = (
        sum(np.abs(p["W"]).sum() for p in fit(penalty=p, epochs=60).params if p) for p in (cr.l1(1.0), None)
    )
    assert small < 0.3 * large
    still = fit(clip_norm=1e-9, epochs=2)
    assert close(still, fit(optimizer=cr.sgd(1e-12), epochs=1), 1e-6)
    assert not close(fit(average=0.9), fit())


def test_frozen_layers_stay():
    start = fit(epochs=1, optimizer=cr.sgd(1e-12))
    run = fit(freeze=("0:Dense",))
    assert np.array_equal(run.params[0]["W"], start.params[0]["W"])
    assert not np.array_equal(run.params[2]["W"], start.params[2]["W"])
    with pytest.raises(cr.DesignError, match="0:Dense, 2:Dense"):
        fit(freeze=("7:Dense",))


@pytest.mark.parametrize("net", [NET, NOISY], ids=["plain", "noisy"])
def test_the_result_does_not_depend_on_stretches(net):
    whole = fit(net, validation=0.2, epochs=5, optimizer=cr.adam(cr.cosine(1e-2)))
    by_epoch = fit(net, validation=0.2, epochs=5, optimizer=cr.adam(cr.cosine(1e-2)), callbacks=[lambda state: None])
    assert same(whole, by_epoch)
    assert whole.history["val_loss"].tobytes() == by_epoch.history["val_loss"].tobytes()


def test_a_stretch_may_end_within_an_epoch(monkeypatch):
    from chainrule.train import stretches

    whole = fit(NOISY, validation=0.2)
    monkeypatch.setattr(stretches.Stretches, "stop", lambda self, step, epochs, by_epoch: step + 1)
    assert same(whole, fit(NOISY, validation=0.2))


def test_both_drivers_agree():
    from dataclasses import replace

    run = fit(NOISY, validation=0.2)
    design = replace(run.design, recipe=replace(run.design.recipe, driver="stepwise"))
    again = cr.fit(design, X, Y, progress=False)
    assert close(run, again) and np.allclose(run.history["loss"], again.history["loss"], rtol=1e-5)


def test_a_member_is_the_network_of_its_seed():
    together = fit(NOISY, ensemble=3, validation=None)
    for member in range(3):
        alone = fit(NOISY, seed=member)
        assert all(
            np.allclose(a[member], b, rtol=1e-4, atol=1e-5)
            for a, b in zip(leaves(together), leaves(alone), strict=True)
        )
    assert together.outputs(X).shape == (3, 50, 1) and together.predict(X).shape == (50,)


def test_a_large_ensemble_in_groups_stops_as_its_members_do():
    settings = {"epochs": 60, "validation": 0.3, "early_stopping": 4, "optimizer": cr.adam(0.05)}
    together = fit(ensemble=6, **settings)
    by_epoch = fit(ensemble=6, **settings, callbacks=[lambda state: None])
    assert same(together, by_epoch) and together.history.epochs == by_epoch.history.epochs
    ends = [event["best"] + 4 for event in together.history.events]
    assert len(ends) == 6 and together.history.epochs == max(ends) < 60
    for member in (0, 5):
        alone = fit(seed=member, **settings | {"validation": (X[:15], Y[:15])})
        again = fit(ensemble=6, **settings | {"validation": (X[:15], Y[:15])})
        assert close([a[member] for a in leaves(again)], leaves(alone), 1e-3)


def test_early_stopping_returns_to_the_best():
    run = fit(epochs=300, validation=0.3, early_stopping=5, optimizer=cr.adam(0.05))
    event = run.history.events[-1]
    assert run.history.epochs < 300 and event["kind"] == "early stop"
    assert event["best"] == int(np.argmin(run.history["val_loss"])) + 1
    assert run.history.epochs == event["best"] + 5


def test_lbfgs_needs_the_whole_batch_and_gets_far():
    with pytest.raises(cr.DesignError, match='batch_size="full"'):
        fit(optimizer=cr.lbfgs())
    run = fit(optimizer=cr.lbfgs(), batch_size="full", epochs=40)
    assert run.history["loss"][-1] < 0.2 * fit(batch_size="full", epochs=40).history["loss"][-1]


def test_a_rate_that_is_too_large_is_halved_and_said():
    run = fit(optimizer=cr.sgd(0.6), epochs=6)
    retries = [e for e in run.history.events if e["kind"] == "retry"]
    assert retries and all(np.isfinite(a).all() for a in leaves(run))
    assert [e["scale"] for e in retries] == [0.5**i for i in range(1, len(retries) + 1)]


def test_a_hopeless_rate_ends_in_an_error_that_says_what_to_do():
    with pytest.raises(cr.DesignError, match="diverged at step .* halved 3 times.* Scale the inputs"):
        fit(optimizer=cr.sgd(1e6))


def test_only_the_member_that_diverged_is_retried():
    together = fit(optimizer=cr.sgd(0.4), ensemble=2, seed=2, epochs=4)
    retried = {e["member"] for e in together.history.events if e["kind"] == "retry"}
    assert retried == {0}
    alone = fit(optimizer=cr.sgd(0.4), seed=3, epochs=4)
    assert not alone.history.events
    np.testing.assert_allclose(together.history.members["loss"][:, 1], alone.history["loss"], rtol=0.01)


def test_callbacks_see_every_epoch_and_can_stop():
    seen = []

    def stop_at_three(state):
        seen.append((state.epoch, len(state.history["loss"])))
        return state.epoch == 3

    run = fit(epochs=10, callbacks=[stop_at_three])
    assert seen == [(1, 1), (2, 2), (3, 3)] and run.history.epochs == 3


def test_a_run_goes_on_from_its_parameters():
    first = fit(epochs=3)
    more = cr.fit(first, X, Y, progress=False)
    assert more.history["loss"][0] < first.history["loss"][0]


def test_the_own_loop_is_the_same_step():
    import jax

    start = jax.tree.map(np.asarray, NET.init(jax.random.key(7), X))
    init, update = cr.train.step(NET, cr.mean_squared_error, cr.adam(0.05))
    state, losses = init(start), []
    for _ in range(20):
        state, loss = update(state, X, Y[:, None])
        losses.append(float(loss))
    run = fit(params=start, optimizer=cr.adam(0.05), batch_size="full", epochs=20)
    assert close(run, state) and not close(run, start)
    np.testing.assert_allclose(losses, run.history["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("argument", "ours"),
    [("lr", "optimizer=cr.adam"), ("validation_split", "validation=0.2"), ("batch", "batch_size=32")],
)
def test_arguments_of_other_libraries_say_ours(argument, ours):
    with pytest.raises(cr.DesignError, match=f"no argument '{argument}': write {ours}"):
        cr.fit(NET, X, Y, **{argument: 1})


def test_a_user_loss_that_averages_is_refused():
    with pytest.raises(cr.ChainruleError, match=r"shape \(\) .* one value per example"):
        fit(loss=lambda z, y: ((z - y) ** 2).mean())


def test_softmax_before_cross_entropy_is_refused():
    with pytest.raises(cr.DesignError, match=r"ends in softmax, and cross_entropy applies softmax itself"):
        fit(cr.Chain(cr.Dense(2), cr.softmax), CODES)


def test_identical_hidden_units_are_refused():
    with pytest.raises(cr.DesignError, match="identical for ever"):
        fit(cr.Chain(cr.Dense(8, init=cr.zeros), cr.tanh, cr.Dense(1)))
    fit(cr.Chain(cr.Dense(8), cr.tanh, cr.Dense(1, init=cr.zeros)), epochs=1)
