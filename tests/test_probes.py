"""Probes: what the history says of gradients and weights is their root mean square at the first step of an epoch."""

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 3)).astype(np.float32)
Y = (X[:, 0] - 2 * X[:, 1] + 0.5).astype(np.float32)
START = ({"W": np.array([[0.5], [0.1], [-0.2]], np.float32), "b": np.array([0.3], np.float32)},)


def rms(a):
    return np.sqrt(np.mean(np.square(a, dtype=float)))


def gradient(W, b, x, y):
    error = x.astype(float) @ W + b - y[:, None]
    return 2 * x.T.astype(float) @ error / len(x), 2 * error.mean(axis=0)


@pytest.mark.parametrize("batch_size", ["full", 6])
def test_the_probes_of_an_epoch_are_those_of_its_first_step(batch_size):
    run = cr.fit(
        cr.Chain(cr.Dense(1)),
        X,
        Y,
        params=START,
        optimizer=cr.sgd(0.1),
        epochs=1,
        batch_size=batch_size,
        validation=None,
        progress=False,
    )
    order = np.random.Generator(np.random.Philox(key=[0, 0])).permutation(12)
    rows = np.arange(12) if batch_size == "full" else order[:6]
    dW, db = gradient(START[0]["W"], START[0]["b"], X[rows], Y[rows])
    expected = {
        "gradient 0:Dense/W": rms(dW),
        "gradient 0:Dense/b": rms(db),
        "weight 0:Dense/W": rms(START[0]["W"]),
        "weight 0:Dense/b": rms(START[0]["b"]),
    }
    assert set(run.history.probes) == set(expected)
    for name, value in expected.items():
        assert run.history.probes[name].shape == (1, 1)
        assert run.history.probes[name][0, 0] == pytest.approx(value, rel=1e-5), name


def test_a_frozen_layer_has_no_probe():
    net = cr.Chain(cr.Dense(4), cr.tanh, cr.Dense(1))
    run = cr.fit(net, X, Y, freeze=("0:Dense",), epochs=2, validation=None, progress=False)
    assert {name.split(" ")[1] for name in run.history.probes} == {"2:Dense/W", "2:Dense/b"}
    assert all(values.shape == (2, 1) for values in run.history.probes.values())
