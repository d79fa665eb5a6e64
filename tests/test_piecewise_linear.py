"""PiecewiseLinear: the code of the paper, bins of equal share, and what has few distinct values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import chainrule as cr
from chainrule.layers.piecewise_linear import PiecewiseLinear

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)


def prepared(layer, x):
    return layer.prepare(layer.init(KEY, jnp.asarray(x)), jnp.asarray(x))


def filled(value, edges):
    """Equation 1 of the paper, bin by bin, in Python's numbers."""
    bins = len(edges) - 1
    code = []
    for t in range(bins):
        low, high = edges[t], edges[t + 1]
        part = (value - low) / (high - low) if high > low else 0.0
        if t > 0:
            part = max(part, 0.0)
        if t < bins - 1:
            part = min(part, 1.0)
        code.append(part)
    return code


@pytest.mark.parametrize("bins", [1, 2, 5, 8])
def test_it_is_the_code_of_the_paper(bins):
    with jax.enable_x64(True):
        x = RANDOM.lognormal(size=(60, 3))
        asked = np.concatenate([x, x.min(0, keepdims=True) - 2, x.max(0, keepdims=True) + 3])
        layer = PiecewiseLinear(bins)
        found = layer(prepared(layer, x), asked)
        edges = np.quantile(x, np.linspace(0, 1, bins + 1), axis=0).T
        expected = [[part for j in range(3) for part in filled(row[j], edges[j])] for row in asked]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_every_bin_holds_its_share_of_the_rows():
    x = RANDOM.exponential(size=(801, 1)).astype(np.float32)
    layer = PiecewiseLinear(8)
    full = np.asarray(layer(prepared(layer, x), x) >= 1).mean(axis=0)
    np.testing.assert_allclose(full[:-1], 1 - np.arange(1, 8) / 8, atol=0.01)


@pytest.mark.parametrize(
    "column",
    [[0, 1] * 20, [0] * 39 + [1], [7] * 40, [0.1] * 40, [0, 1, 2, 3] * 10, [1e30, -1e30] * 20, [1e-40, 0] * 20],
)
def test_few_distinct_values_leave_empty_bins_and_no_nan(column):
    x = np.array(column, np.float32)[:, None]
    layer = PiecewiseLinear(8)
    p = prepared(layer, x)
    code = np.asarray(layer(p, x))
    assert np.isfinite(code).all() and np.isfinite(p["slope"]).all()
    empty = np.asarray(p["slope"][0] == 0)
    assert (code[:, empty] == 0).all() and (~empty).sum() <= 2 * (len(set(column)) - 1)
    normal = np.abs(x).max() > 1e-30 and np.ptp(x) > 1e-6
    told_apart = len(np.unique(code, axis=0))
    assert told_apart == (len(set(column)) if normal else 1)
    slope = jax.grad(lambda x: jnp.sum(layer(p, x)))(x)
    assert np.isfinite(np.asarray(slope)).all()


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, (17, 2), elements=st.floats(-1e3, 1e3, width=32)), st.integers(1, 9))
def test_the_bins_of_a_number_add_up_to_where_it_is(x, bins):
    """Every bin filled times its width, from the least value on, is the number again, where no width is a rounding."""
    with jax.enable_x64(True):
        layer = PiecewiseLinear(bins)
        p = prepared(layer, x)
        code = np.asarray(layer(p, x)).reshape(17, 2, bins)
        assert (code >= 0).all() and (code <= 1 + 1e-12).all()
        width = np.where(p["slope"] > 0, 1 / np.where(p["slope"] > 0, p["slope"], 1), 0)
        np.testing.assert_allclose((code * width).sum(-1) + x.min(0), x, rtol=1e-9, atol=1e-9)


def test_other_features_pass():
    x = RANDOM.standard_normal((9, 5)).astype(np.float32)
    some, one = PiecewiseLinear(3, features=2), PiecewiseLinear(3)
    y = np.asarray(some(prepared(some, x), x))
    assert y.shape == (9, 2 * 3 + 3) and y[:, 6:].tobytes() == x[:, 2:].tobytes()
    np.testing.assert_allclose(y[:, :6], one(prepared(one, x[:, :2]), x[:, :2]), rtol=1e-6)


def test_whole_numbers_are_read_as_numbers():
    x = np.arange(12)[:, None]
    layer = PiecewiseLinear(3)
    y = layer(prepared(layer, x), x)
    assert y.dtype == jnp.float32 and np.isclose(np.asarray(y).sum(1) * 11 / 3, np.arange(12), atol=1e-5).all()


def test_what_cannot_be_cut_is_refused():
    x = jnp.ones((4, 3))
    for bins, features in ((0, None), (2.5, None), (8, 0), (8, "a")):
        with pytest.raises(cr.DesignError, match="whole number of at least 1"):
            PiecewiseLinear(bins, features)
    with pytest.raises(cr.ShapeError, match="cuts 5 features"):
        PiecewiseLinear(2, features=5).init(KEY, x)
    layer = PiecewiseLinear(2)
    with pytest.raises(cr.ShapeError, match="built for inputs with 3 features"):
        layer(layer.init(KEY, x), x[:, :2])
    layer = PiecewiseLinear(2, features=2)
    with pytest.raises(cr.ShapeError, match="first 2 features"):
        layer(layer.init(KEY, x), x[:, :1])


def test_a_bent_line_is_learned_that_a_straight_one_misses():
    x = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    y = np.abs(x[:, 0])
    loss = {}
    for bins in (1, 4):
        net = cr.Chain(PiecewiseLinear(bins), cr.Dense(1))
        run = cr.fit(net, x, y, optimizer=cr.adam(0.05), epochs=60, batch_size=50, validation=None, progress=False)
        loss[bins] = float(np.mean((run.predict(x) - y) ** 2))
    assert loss[4] < 1e-3 < 0.05 < loss[1]


def test_a_network_with_it_is_explained_line_by_line():
    x = RANDOM.standard_normal((6, 3)).astype(np.float32)
    net = cr.Chain(PiecewiseLinear(3, features=2), cr.Dense(4), cr.tanh, cr.Dense(1))
    said = cr.explain(net, x, x[:, 0], loss=cr.mean_squared_error).text()
    assert "low    2×3" in said and "lines verified" in " ".join(said.split())


def test_rows_that_fill_a_size_up_do_not_move_the_edges():
    """Crossed training pads 53 rows to 56 with copies of the last one; the edges are those of the 53."""
    x = RANDOM.standard_normal((53, 2)).astype(np.float32)
    x[-1] = 9
    net = cr.Chain(PiecewiseLinear(4), cr.Dense(1))
    options = {"ensemble": 3, "validation": "cross", "batch_size": 8, "epochs": 1, "progress": False}
    found = cr.fit(net, x, x[:, 0], **options).params[0]
    edges = np.quantile(x, np.linspace(0, 1, 5), axis=0).T
    for member in range(3):
        np.testing.assert_allclose(found["low"][member], edges[:, :-1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(1 / found["slope"][member], np.diff(edges), rtol=1e-4)
