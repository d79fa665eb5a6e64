"""Divergence: found within an epoch, its place named, recovered from or clearly stopped."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype(np.float32)
Y = (X[:, 0] - X[:, 1] ** 2).astype(np.float32)
NET = cr.Chain(cr.Dense(16), cr.relu, cr.Dense(16), cr.relu, cr.Dense(1))
OPTIMIZERS = {
    "sgd": lambda rate: cr.sgd(rate),
    "momentum": lambda rate: cr.sgd(rate, momentum=0.9),
    "nesterov": lambda rate: cr.sgd(rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda rate: cr.rmsprop(rate),
    "adam": lambda rate: cr.adam(rate),
}


@pytest.mark.parametrize("rate", [0.5, 10.0, 1e4, 1e20])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_wild_rate_is_recovered_from_or_clearly_stopped(optimizer, rate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.ChainruleWarning)
        try:
            run = cr.fit(NET, X, Y, optimizer=OPTIMIZERS[optimizer](rate), epochs=5, progress=False)
        except cr.DesignError as error:
            assert "diverged at step" in str(error) and "lower the learning rate" in str(error)
            return
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(run.params))
    assert np.isfinite(run.history["loss"]).all() and np.isfinite(run.predict(X)).all()
    if run.history.events:
        assert {e["kind"] for e in run.history.events} <= {"retry", "gave up"}


def test_the_first_layer_that_breaks_is_named():
    net = cr.Chain(cr.Dense(8), cr.relu, jnp.log, cr.Dense(1))
    with pytest.raises(cr.DesignError, match=r"first in .*2:log"):
        cr.fit(net, X, Y, epochs=2, progress=False)


def test_a_gradient_that_is_infinite_at_one_row_is_found_and_named():
    x = X.copy()
    x[5] = 0.0  # the root has an infinite slope there
    net = cr.Chain(jnp.abs, jnp.sqrt, cr.Dense(1))
    run = cr.fit(net, x, Y, epochs=2, validation=None, progress=False)
    assert np.isfinite(run.predict(x)).all(), "a slope that reaches no parameter harms nothing"
    with pytest.raises(cr.DesignError, match="2:sqrt"):
        cr.fit(
            cr.Chain(cr.Dense(4, use_bias=False), jnp.abs, jnp.sqrt, cr.Dense(1)),
            x,
            Y,
            epochs=2,
            validation=None,
            progress=False,
        )


def test_an_infinite_gradient_is_named_where_it_arose():
    net = cr.Chain(cr.Dense(4), lambda z: jnp.sqrt(jnp.maximum(z, 0)), cr.Dense(1))
    with pytest.raises(cr.DesignError, match="1:<lambda>"):
        cr.fit(net, X, Y, epochs=2, validation=None, progress=False)


def test_a_late_divergence_keeps_what_was_learned():
    def jump(step):
        return 0.05 if step < 40 else 50.0

    with pytest.warns(cr.ChainruleWarning, match="diverged again and again.*last finite parameters"):
        run = cr.fit(NET, X, Y, optimizer=cr.sgd(jump), epochs=40, batch_size=8, validation=None, progress=False)
    assert 1 <= run.history.epochs <= 6
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert [e["kind"] for e in run.history.events] == ["retry", "retry", "retry", "gave up"]


def test_a_retry_is_on_the_record():
    def spike(step):
        return 3.0 if step == 12 else 0.02

    run = cr.fit(NET, X, Y, optimizer=cr.sgd(spike), epochs=6, batch_size=8, validation=None, progress=False)
    (event,) = run.history.events
    assert event["kind"] == "retry" and event["epoch"] == 1 and event["scale"] == 0.5
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_exploding_activations_do_not_pass_as_trained():
    with pytest.raises(cr.DesignError, match="first in exp at 3:exp gives inf"):
        cr.fit(cr.Chain(cr.Dense(1), jnp.exp, jnp.exp, jnp.exp), X, Y, epochs=3, progress=False)
