"""The numbers of training: what each setting does to them, replayed in NumPy in float64."""

import jax
import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.3 * np.sin(3 * X[:, 0]) + 0.4).astype(np.float32)
CODES = np.digitize(Y, [-1.0, 2.0])
LINE = cr.Chain(cr.Dense(1))
START = ({"W": np.array([[0.5], [0.1], [-0.2]], np.float32), "b": np.array([0.3], np.float32)},)
NET = cr.Chain(cr.Dense(8), cr.tanh, cr.Dense(1))


def fit(net=LINE, x: np.ndarray = X, y: np.ndarray = Y, **settings):
    given = {"optimizer": cr.sgd(0.05), "epochs": 5, "batch_size": "full", "validation": None, "progress": False}
    return cr.fit(net, x, y, **given | settings)


def leaves(run):
    return [np.asarray(a) for a in jax.tree.leaves(run.params)]


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(leaves(one), leaves(other), strict=True))


def close(one, other, tolerance=1e-5):
    return all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance) for a, b in zip(leaves(one), leaves(other), strict=True)
    )


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Line:
    """z = x @ W + b under gradient descent on the mean squared error, in float64."""

    def __init__(self):
        self.W, self.b = START[0]["W"].astype(float), START[0]["b"].astype(float)

    def loss(self, x=X, y=Y):
        return np.mean((x.astype(float) @ self.W + self.b - y[:, None]) ** 2)

    def descend(self, rate, x=X, y=Y):
        error = x.astype(float) @ self.W + self.b - y[:, None]
        self.W = self.W - rate * 2 * x.T.astype(float) @ error / len(x)
        self.b = self.b - rate * 2 * error.mean(axis=0)

    def equals(self, params, tolerance=1e-5):
        np.testing.assert_allclose(params[0]["W"], self.W, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(params[0]["b"], self.b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("held", [None, (X[:20], Y[:20] + 1)], ids=["training loss", "held-out loss"])
def test_a_plateau_halves_the_rate(held):
    rate, patience, min_delta = 0.1, 2, 0.05
    run = fit(
        params=START, epochs=30, validation=held, optimizer=cr.sgd(cr.plateau(rate, 0.5, patience, min_delta=min_delta))
    )
    line, best, wait, scale, losses = Line(), np.inf, 0, 1.0, []
    for _ in range(30):
        losses.append(line.loss())
        line.descend(rate * scale)
        watched = losses[-1] if held is None else line.loss(*held)
        best, wait = (watched, 0) if watched < best - min_delta else (best, wait + 1)
        scale, wait = (scale / 2, 0) if wait >= patience else (scale, wait)
    assert scale <= 1 / 16
    line.equals(run.params)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=1e-5)
    constant = fit(params=START, epochs=30, validation=held, optimizer=cr.sgd(rate))
    assert not np.allclose(constant.history["loss"], losses, rtol=1e-3)


def test_the_average_remembers_less_at_first():
    held = (X[:20], Y[:20])
    run = fit(params=START, average=0.25, validation=held)
    line, mean, held_losses = Line(), Line(), []
    for t in range(5):
        line.descend(0.05)
        decay = min(0.25, (1 + t) / (10 + t))
        mean.W, mean.b = decay * mean.W + (1 - decay) * line.W, decay * mean.b + (1 - decay) * line.b
        held_losses.append(mean.loss(*held))
    mean.equals(run.params, 1e-6)
    np.testing.assert_allclose(run.history["val_loss"], held_losses, rtol=1e-5)
    assert not np.allclose(run.params[0]["W"], line.W, rtol=1e-3)


def test_a_penalty_draws_on_weights_and_leaves_biases_alone():
    net = cr.Chain(cr.Dense(4), cr.LayerNorm(), cr.tanh, cr.Dense(1))
    start = jax.tree.map(np.asarray, net.init(jax.random.key(1), X))
    start = jax.tree.map(lambda a: a + np.float32(0.5), start)  # no bias, scale or shift is 0
    plain = fit(net, params=start, epochs=1)
    charged = fit(net, params=start, epochs=1, penalty=cr.l2(0.7))
    for before, one, other in zip(start, plain.params, charged.params, strict=True):
        for name in before:
            drawn = one[name] - 0.05 * 2 * 0.7 * before[name] if name == "W" else one[name]
            np.testing.assert_allclose(other[name], drawn, rtol=1e-5, atol=1e-6, err_msg=name)


def test_clipping_bounds_the_norm_of_all_gradients_together():
    assert close(fit(NET, clip_norm=1e9), fit(NET), 1e-6)
    start = fit(NET, epochs=1, optimizer=cr.sgd(1e-12)).params
    for bound in (1e-2, 1e-1):
        moved = fit(NET, epochs=1, params=start, clip_norm=bound, optimizer=cr.sgd(1.0)).params
        steps = jax.tree.map(lambda a, b: np.sum((a.astype(float) - b) ** 2), moved, start)
        assert np.sqrt(sum(jax.tree.leaves(steps))) == pytest.approx(bound, rel=1e-3)


def test_early_stopping_counts_a_gain_only_above_min_delta():
    run = fit(epochs=50, early_stopping=cr.EarlyStopping(patience=2, min_delta=1e9))
    assert run.history.epochs == 3
    assert run.history.events[-1]["kind"] == "early stop" and run.history.events[-1]["best"] == 1
    assert fit(epochs=50, early_stopping=cr.EarlyStopping(patience=2)).history.epochs == 50


def test_held_out_metrics_are_means_over_all_held_out_rows():
    x = RNG.normal(size=(1500, 3)).astype(np.float32)
    x[1024:] += 2  # the second part of the rows differs from the first
    codes = np.digitize(x @ [1.0, -2.0, 0.5], [-1.0, 2.0])
    run = fit(cr.Chain(cr.Dense(3)), y=CODES, validation=(x, codes), epochs=3)
    z = x.astype(float) @ run.params[0]["W"] + run.params[0]["b"]
    loss = -np.mean(np.log(softmax(z)[np.arange(1500), codes]))
    assert run.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert run.history["val_accuracy"][-1] == pytest.approx(np.mean(z.argmax(axis=1) == codes), rel=1e-6)


def test_balanced_classes_are_those_of_scikit_learn():
    weight = pytest.importorskip("sklearn.utils.class_weight", reason="the reference is scikit-learn")
    classes = np.unique(CODES)
    by_class = weight.compute_class_weight("balanced", classes=classes, y=CODES)
    assert by_class.max() > 1.3 * by_class.min()
    net = cr.Chain(cr.Dense(3))
    balanced = fit(net, y=CODES, batch_size=16, class_weight="balanced")
    assert close(balanced, fit(net, y=CODES, batch_size=16, sample_weight=by_class[CODES]), 1e-6)
    assert not close(balanced, fit(net, y=CODES, batch_size=16))


@pytest.mark.parametrize(("rows", "steps"), [(33, 1), (64, 2), (65, 2), (66, 3)])
def test_batch_norm_never_sees_one_row(rows, steps):
    asked = set()

    def rate(step):
        asked.add(step)
        return 0.01

    x, y = np.resize(X, (rows, 3)), np.resize(Y, rows)
    x = x + RNG.normal(size=x.shape).astype(np.float32)
    run = fit(cr.Chain(cr.BatchNorm(), cr.Dense(1)), x, y, epochs=3, batch_size=32, optimizer=cr.sgd(rate))
    assert asked == set(range(3 * steps))
    assert np.isfinite(run.history["loss"]).all() and all(np.isfinite(a).all() for a in leaves(run))


def test_prediction_does_not_depend_on_its_parts():
    x = RNG.normal(size=(10_000, 3)).astype(np.float32)
    run = fit(NET)
    z = np.asarray(NET(run.params, x))
    np.testing.assert_allclose(run.outputs(x), z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.predict(x), z[:, 0], rtol=1e-5, atol=1e-6)


def test_an_ensemble_answers_with_the_mean_of_its_probabilities():
    net = cr.Chain(cr.Dense(8), cr.tanh, cr.Dense(3))
    run = fit(net, y=CODES, ensemble=3, optimizer=cr.adam(0.05), epochs=30)
    members = [softmax(np.asarray(net(jax.tree.map(lambda a, m=m: a[m], run.params), X), np.float64)) for m in range(3)]
    np.testing.assert_allclose(run.predict_proba(X), np.mean(members, axis=0), rtol=1e-5, atol=1e-6)
    assert np.abs(members[0] - members[1]).max() > 0.01
    assert np.array_equal(run.predict(X), np.mean(members, axis=0).argmax(axis=1))


def test_a_batch_of_weight_0_changes_nothing():
    weight = np.where(np.arange(50) % 3 == 0, 0.0, 1.0)
    run = fit(params=START, batch_size=1, epochs=2, sample_weight=weight, optimizer=cr.sgd(0.01))
    line = Line()
    for epoch in range(2):
        for row in np.random.Generator(np.random.Philox(key=[0, epoch])).permutation(50):
            if weight[row]:
                line.descend(0.01, X[[row]], Y[[row]])
    line.equals(run.params)
    assert np.isfinite(run.history["loss"]).all() and not run.history.events


@pytest.mark.parametrize(("factor", "halved"), [(1.5, 1), (3.0, 2)])
def test_descent_on_a_parabola_recovers_with_the_rate_that_converges(factor, halved):
    """On mean((x*w - y)**2) descent diverges above the rate 1/mean(x**2) and converges below it."""
    x = X[:, :1]
    y = 3 * x[:, 0] + 1
    rate = factor / np.mean(np.square(x, dtype=float))
    net = cr.Chain(cr.Dense(1, use_bias=False))
    start = ({"W": np.full((1, 1), -2, np.float32)},)
    run = fit(net, x, y, params=start, epochs=120, optimizer=cr.sgd(rate))
    assert [e["scale"] for e in run.history.events if e["kind"] == "retry"] == [0.5**i for i in range(1, halved + 1)]
    best = x[:, 0].astype(float) @ y / (x[:, 0].astype(float) @ x[:, 0])
    assert run.history.epochs == 120
    np.testing.assert_allclose(run.params[0]["W"], [[best]], rtol=1e-5)


def test_a_large_ensemble_recovers_alike_in_any_stretches():
    settings = {"ensemble": 6, "batch_size": 16, "optimizer": cr.sgd(0.4), "epochs": 6}
    many, by_epoch = fit(NET, **settings), fit(NET, **settings, callbacks=[lambda state: None])
    retried = {event["member"] for event in many.history.events if event["kind"] == "retry"}
    assert 0 < len(retried) < 6
    assert same(many, by_epoch) and many.history.events == by_epoch.history.events
    assert many.history.members["loss"].tobytes() == by_epoch.history.members["loss"].tobytes()


def test_the_answers_of_a_loss_of_your_own_are_the_outputs():
    def surprise(z, y):
        return -jax.numpy.take_along_axis(jax.nn.log_softmax(z), y.astype(int)[:, None], axis=1)[:, 0]

    run = fit(cr.Chain(cr.Dense(3)), y=CODES, loss=surprise, epochs=20)
    z = X.astype(float) @ run.params[0]["W"] + run.params[0]["b"]
    np.testing.assert_allclose(run.predict(X), z, rtol=1e-5, atol=1e-6)
    reference = fit(cr.Chain(cr.Dense(3)), y=CODES, loss=cr.cross_entropy, epochs=20)
    np.testing.assert_allclose(run.history["loss"], reference.history["loss"], rtol=1e-5)
