"""Crossed training: no member sees its own fold, is measured on it, and chooses the epoch with the others."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.train import groups, stretches, training
from chainrule.train.bare import bare_design
from chainrule.train.materials import from_arrays
from chainrule.train.planning import first_standing, job_of
from chainrule.train.recipe import Split

RNG = np.random.default_rng(0)
X = RNG.normal(size=(53, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.3 * np.sin(3 * X[:, 0])).astype(np.float32)
NET = cr.Chain(cr.Dense(6), cr.tanh, cr.Dense(1))
NORMED = cr.Chain(cr.Dense(6), cr.BatchNorm(), cr.relu, cr.Dropout(0.2), cr.Dense(1))
STANDARD = cr.Chain(cr.Standardize(), cr.Dense(6), cr.tanh, cr.Dense(1))


def fit(net=NET, x=X, y=Y, **options):
    given = {"optimizer": cr.sgd(0.05), "epochs": 4, "batch_size": 8, "ensemble": 3, "validation": "cross"}
    return cr.fit(net, x, y, progress=False, **given | options)


def leaves(params):
    return [np.asarray(a) for a in jax.tree.leaves(params)]


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(leaves(one), leaves(other), strict=True))


def member(params, m):
    return jax.tree.map(lambda p: np.asarray(p)[m], params)


def job(net=NET, x=X, y=Y, **options):
    """The job of such a training, and the folds of its rows."""
    given = {"optimizer": cr.sgd(0.05), "batch_size": 8, "ensemble": 3, "split": Split("cross")}
    recipe = cr.Recipe(**given | options)
    materials = from_arrays(bare_design(net, x, y, cr.mean_squared_error, recipe), x, y)
    return job_of(materials), materials


def mse(net, params, x, y):
    return float(np.mean((np.asarray(net(params, x))[:, 0].astype(float) - y) ** 2))


# What a member learns from


@pytest.mark.parametrize(
    ("net", "ensemble", "options"),
    [
        (NET, 2, {}),
        (NET, 6, {"average": 0.9, "penalty": cr.l2(0.01)}),
        (NET, 3, {"batch_size": "full"}),
        (NET, 3, {"accumulate": 2, "clip_norm": 1.0}),
        (NORMED, 3, {}),
        (NORMED, 6, {"batch_size": "full"}),
    ],
    ids=repr,
)
def test_a_member_never_sees_its_own_fold(net, ensemble, options):
    run = fit(net, ensemble=ensemble, **options)
    folds = run.left_out[2]
    for m in {0, ensemble - 1}:
        garbage = np.random.default_rng(m).normal(3, 5, size=(len(X), 4)).astype(np.float32)
        x, y = np.where((folds == m)[:, None], garbage[:, :3], X), np.where(folds == m, garbage[:, 3], Y)
        again = fit(net, x, y, ensemble=ensemble, **options)
        np.testing.assert_array_equal(again.left_out[2], folds)
        for other in range(ensemble):
            assert same(member(again.params, other), member(run.params, other)) == (other == m)


def test_a_network_that_prepares_on_its_rows_does_not_see_its_own_targets():
    run = fit(STANDARD)
    y = np.where(run.left_out[2] == 1, 7.0, Y)
    again = fit(STANDARD, y=y)
    assert [same(member(again.params, m), member(run.params, m)) for m in range(3)] == [False, True, False]


def test_a_member_is_the_network_of_its_seed_trained_on_the_other_rows():
    run = fit(batch_size="full", epochs=12)
    for m in range(3):
        rows = run.left_out[2] != m
        alone = cr.fit(
            NET,
            X[rows],
            Y[rows],
            optimizer=cr.sgd(0.05),
            epochs=12,
            batch_size="full",
            validation=None,
            seed=m,
            progress=False,
        )
        for a, b in zip(leaves(member(run.params, m)), leaves(alone.params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ensemble", [3, 5])
def test_steps_are_those_of_descent_on_the_rows_of_the_order(ensemble):
    """Every step again, from the order alone, on exactly its rows: padding adds nothing."""
    run = fit(ensemble=ensemble)
    asked, _ = job(ensemble=ensemble)
    slope = jax.jit(jax.grad(lambda p, x, y: jnp.mean((NET(p, x)[:, 0] - y) ** 2)))
    start = first_standing(asked, run.design).state.members.params
    for m in range(ensemble):
        params = member(start, m)
        for epoch in range(4):
            for batch in asked.order(m, epoch).reshape(asked.plan.batches, asked.plan.rows):
                rows = batch[batch >= 0]
                params = jax.tree.map(lambda p, g: p - 0.05 * g, params, slope(params, X[rows], Y[rows]))
        for a, b in zip(leaves(params), leaves(member(run.params, m)), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


# In which order its rows come


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(8, 300),
    ensemble=st.integers(2, 6),
    batch=st.sampled_from([1, 4, 7, 32, 1000, "full"]),
    accumulate=st.integers(1, 3),
    epoch=st.integers(0, 50),
)
def test_an_epoch_holds_each_row_of_the_others_once(rows, ensemble, batch, accumulate, epoch):
    x = np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)
    asked, materials = job(
        x=x, y=x[:, 0], ensemble=ensemble, batch_size=batch, accumulate=1 if batch == "full" else accumulate
    )
    for m in range(ensemble):
        order = asked.order(m, epoch)
        assert len(order) == asked.places == asked.plan.per_epoch * asked.plan.rows
        np.testing.assert_array_equal(np.sort(order[order >= 0]), np.flatnonzero(materials.folds != m))
        real = (order.reshape(asked.plan.per_epoch, -1) >= 0).sum(axis=1)
        assert np.ptp(real) <= 1, "every batch has its share of the padding"
        assert asked.plan.per_epoch == 1 or not np.array_equal(order, asked.order(m, epoch + 1)) or rows < 12


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(8, 200), ensemble=st.integers(2, 6), batch=st.sampled_from([4, 7, 32, "full"]))
def test_rows_that_influence_each_other_are_never_padded(rows, ensemble, batch):
    x = np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)
    asked, materials = job(NORMED, x, x[:, 0], ensemble=ensemble, batch_size=batch)
    seen = set()
    for m in range(ensemble):
        others = np.flatnonzero(materials.folds != m)
        for epoch in range(3):
            order = asked.order(m, epoch)
            assert order.min() >= 0 and len(set(order.tolist())) == len(order) and set(order) <= set(others)
            assert len(others) - len(order) in (0, 1), "folds differ by a row, and all members take the same number"
            seen |= set(order.tolist())
    assert seen == set(range(rows))


# How it is measured, and when it stops


def epochs_of(**options):
    """A run, and the parameters of all members at the end of every epoch."""
    seen = []
    run = fit(callbacks=[lambda state: seen.append(jax.tree.map(np.array, state.params))], **options)
    return run, seen


@pytest.mark.parametrize(("net", "ensemble"), [(NET, 6), (NORMED, 3), (STANDARD, 2)])
def test_the_held_out_loss_of_a_member_is_that_on_its_own_fold(net, ensemble):
    run, seen = epochs_of(net=net, ensemble=ensemble)
    found, folds = run.history.members["val_loss"], run.left_out[2]
    assert found.shape == (4, ensemble) and len(seen) == 4
    for epoch, params in enumerate(seen):
        for m in range(ensemble):
            own = folds == m
            assert found[epoch, m] == pytest.approx(mse(net, member(params, m), X[own], Y[own]), rel=1e-4)
    np.testing.assert_allclose(run.history["val_loss"], found.mean(axis=1), rtol=1e-6)


def test_the_held_out_loss_of_large_folds_and_of_weighed_rows():
    x = np.random.default_rng(1).normal(size=(2500, 2)).astype(np.float32)
    y, weight = x[:, 0] - x[:, 1], np.random.default_rng(2).integers(0, 4, 2500).astype(float)
    run, seen = epochs_of(x=x, y=y, ensemble=2, epochs=2, batch_size=256, sample_weight=weight)
    for epoch, params in enumerate(seen):
        for m in range(2):
            own = run.left_out[2] == m
            error = (np.asarray(NET(member(params, m), x[own]))[:, 0] - y[own]) ** 2
            expected = np.sum(weight[own] * error) / np.sum(weight[own])
            assert run.history.members["val_loss"][epoch, m] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("ensemble", "programs"), [(3, [3]), (4, [4]), (5, [3, 2]), (8, [4, 4])])
def test_members_of_a_program_stop_and_choose_together(ensemble, programs):
    rows = 51  # folds of unequal size: the larger one counts for more
    options = {"x": X[:rows], "y": Y[:rows], "optimizer": cr.adam(0.05), "epochs": 150, "early_stopping": 4}
    run, seen = epochs_of(ensemble=ensemble, **options)
    folds, held = run.left_out[2], run.history.members["val_loss"]
    sizes = np.bincount(folds, minlength=ensemble)
    events = [e for e in run.history.events if e["kind"] in ("early stop", "best epoch")]
    assert [e["member"] for e in events] == list(range(ensemble))
    first = 0
    for count in programs:
        part = slice(first, first + count)
        together = held[:, part] @ sizes[part] / sizes[part].sum()
        best, wait = 0, 0
        for epoch in range(1, len(together)):
            best, wait = (epoch, 0) if together[epoch] < together[best] else (best, wait + 1)
            if wait == 4:
                break
        assert {e["best"] for e in events[part]} == {best + 1} and {e["kind"] for e in events[part]} == {"early stop"}
        for m in range(first, first + count):
            assert same(member(run.params, m), member(seen[best], m)), "the parameters of the epoch that was chosen"
        first += count
    assert run.history.epochs == max(e["best"] for e in events) + 4 < 150
    assert len({tuple(np.argmin(held, axis=0))}) and len(set(np.argmin(held, axis=0))) > 1, "alone they would differ"


def test_a_plateau_is_that_of_all_members():
    asked, materials = job(optimizer=cr.sgd(cr.plateau(0.3, patience=1)), epochs=30)
    done = training.train(asked, first_standing(asked, materials.design), training.Watchers()).state.members
    scale, (best, wait) = np.asarray(done.scale), done.plateau
    assert scale[0] < 1 and all(len(set(np.asarray(a).tolist())) == 1 for a in (scale, best, wait))


# It is one and the same, however it is run


@pytest.mark.parametrize(("net", "ensemble"), [(NET, 6), (NORMED, 3)])
def test_the_result_does_not_depend_on_stretches(net, ensemble, monkeypatch):
    options = {"ensemble": ensemble, "optimizer": cr.adam(cr.cosine(0.05)), "early_stopping": 3, "epochs": 9}
    whole, by_epoch = fit(net, **options), fit(net, **options, callbacks=[lambda state: None])
    monkeypatch.setattr(stretches.Stretches, "stop", lambda self, step, epochs, by_epoch: step + 1)
    by_step = fit(net, **options)
    for other in (by_epoch, by_step):
        assert same(whole.params, other.params) and whole.history.events == other.history.events
        assert whole.history.members["val_loss"].tobytes() == other.history.members["val_loss"].tobytes()


@pytest.mark.parametrize("net", [NET, NORMED])
def test_both_drivers_agree(net):
    run = fit(net, early_stopping=3)
    design = replace(run.design, recipe=replace(run.design.recipe, driver="stepwise"))
    again = cr.fit(design, X, Y, progress=False)
    for a, b in zip(leaves(run.params), leaves(again.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.history.members["val_loss"], again.history.members["val_loss"], rtol=1e-4)


def test_groups_of_members_train_as_one_program_would(monkeypatch):
    apart = fit(ensemble=6)
    monkeypatch.setattr(groups, "GROUP", 6)
    for a, b in zip(leaves(apart.params), leaves(fit(ensemble=6).params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_full_batch_search_leaves_out_its_fold_too():
    options = {"optimizer": cr.lbfgs(), "batch_size": "full", "epochs": 5}
    run = fit(**options)
    again = fit(y=np.where(run.left_out[2] == 2, 9.0, Y), **options)
    assert [same(member(again.params, m), member(run.params, m)) for m in range(3)] == [False, False, True]


def test_only_the_member_that_diverged_is_retried():
    options = {"optimizer": cr.sgd(0.5), "batch_size": 16, "ensemble": 6, "epochs": 6, "seed": 1}
    many, by_epoch = fit(**options), fit(**options, callbacks=[lambda state: None])
    retried = {event["member"] for event in many.history.events if event["kind"] == "retry"}
    assert 0 < len(retried) < 6 and all(np.isfinite(p).all() for p in leaves(many.params))
    assert same(many.params, by_epoch.params) and many.history.events == by_epoch.history.events


@pytest.mark.parametrize(("net", "ensemble", "cut"), [(NET, 6, 4), (NORMED, 3, 1), (NORMED, 6, 5), (STANDARD, 3, 2)])
def test_an_interrupted_training_goes_on_to_the_same_bytes(tmp_path, net, ensemble, cut):
    options = {"ensemble": ensemble, "epochs": 7, "early_stopping": 5, "average": 0.9, "optimizer": cr.adam(0.03)}

    def stop(state):
        if state.epoch == cut:
            raise KeyboardInterrupt

    fit(net, **options, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(net, **options, callbacks=[stop], out=tmp_path / "cut")
    assert list((tmp_path / "cut").glob("checkpoint-*"))
    cr.resume(tmp_path / "cut", X, Y, progress=False)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_a_table_with_groups_goes_on_to_the_same_bytes(tmp_path):
    lines = [f"{a:.4f},p{i % 13},{a + b:.4f}" for i, (a, b, _) in enumerate(X)]
    (tmp_path / "visits.csv").write_text("dose,patient,pressure\n" + "\n".join(lines))
    design = cr.design(tmp_path / "visits.csv", "pressure", group="patient", epochs=6)

    def stop(state):
        if state.epoch == 2:
            raise KeyboardInterrupt

    options = {"ensemble": 5, "validation": "cross", "progress": False}
    cr.fit(design, tmp_path / "visits.csv", **options, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        cr.fit(design, tmp_path / "visits.csv", **options, callbacks=[stop], out=tmp_path / "cut")
    again = cr.resume(tmp_path / "cut", progress=False)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other and again.design.recipe.split.group == "patient"
