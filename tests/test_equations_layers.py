"""Every Equation line of a layer, evaluated in plain NumPy, equals the code; so does every derivative that is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Add, Concatenate, Select
from chainrule.layers.layer_norm import LayerNorm
from chainrule.layers.parallel import Parallel
from chainrule.layers.piecewise_linear import PiecewiseLinear
from chainrule.layers.residual import Residual
from chainrule.layers.scale import Scale
from chainrule.layers.shape import Flatten, Reshape
from chainrule.layers.standardize import Standardize
from chainrule.maths.activations import sigmoid, tanh
from equation_reader import evaluate, solve

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((5, 6))
KEY = jax.random.key(3)

LAYERS = [
    (Dense(4), X),
    (Dense(4), RANDOM.standard_normal((2, 3, 6))),
    (BatchNorm(), X),
    (LayerNorm(), X),
    (Standardize(), X),
    (PiecewiseLinear(bins=4), X),
    (PiecewiseLinear(bins=1), X),
    (PiecewiseLinear(bins=3, features=2), RANDOM.standard_normal((2, 3, 6))),
    (Embedding(7, 2), np.array([[0, 6, 3]])),
    (Scale(), X),
    (Flatten(), RANDOM.standard_normal((2, 3, 4))),
    (Reshape((3, 2)), X),
    (Concatenate(), (X, X[:, :2])),
    (Add(), (X, 2 * X)),
    (Select(1), (X, 2 * X)),
]


def drawn(layer, x):
    """Parameters away from their start, in float64, so that each one counts."""
    p = layer.init(KEY, jax.tree.map(jnp.asarray, x))
    return {name: np.abs(np.asarray(a) + RANDOM.uniform(0.1, 1, a.shape)) for name, a in p.items()}


def settings(layer):
    return {name: value for name, value in vars(layer).items() if isinstance(value, int | float | tuple)}


@pytest.mark.parametrize(("layer", "x"), LAYERS, ids=lambda v: type(v).__name__)
def test_equations(layer, x):
    with jax.enable_x64(True):
        p = drawn(layer, x)
        y = layer(p, jax.tree.map(jnp.asarray, x))
        expected = solve(type(layer), x=x, **p, **settings(layer), len=len)["y"]
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)


def test_equation_of_dropout():
    with jax.enable_x64(True):
        layer = Dropout(0.3)
        y, _ = layer.run({}, jnp.asarray(X), KEY)
        m = (np.asarray(y) != 0).astype(float)
        np.testing.assert_allclose(y, solve(Dropout, x=X, m=m, rate=0.3)["y"], rtol=1e-12)


def test_equations_of_containers():
    with jax.enable_x64(True):
        x = jnp.asarray(X)
        np.testing.assert_allclose(Residual(tanh)(({},), x), solve(Residual, x=X, f=np.tanh)["y"], rtol=1e-12)
        ours = Parallel(tanh, sigmoid)(({}, {}), x)
        theirs = solve(Parallel, x=X, f_1=np.tanh, f_2=lambda z: 1 / (1 + np.exp(-z)))["y"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_derivative_of_batch_norm_in_training():
    with jax.enable_x64(True):
        layer, x, g = BatchNorm(), jnp.asarray(X), RANDOM.standard_normal(X.shape)
        p = drawn(layer, X)
        _, back = jax.vjp(lambda x: layer.run(p, x, KEY)[0], x)
        values = {"g": g, **p, "epsilon": 1e-5, "x": X, "mean": X.mean(0), "var": X.var(0)}
        values |= {"sqrt": np.sqrt, "average": np.mean}
        h = evaluate("(x - mean) / sqrt(var + epsilon)", **values)
        by_hand = p["scale"] / np.sqrt(X.var(0) + 1e-5) * (g - g.mean(0) - h * (g * h).mean(0))
        np.testing.assert_allclose(back(jnp.asarray(g))[0], by_hand, rtol=1e-9)


def test_the_derivative_of_layer_norm():
    with jax.enable_x64(True):
        layer, g = LayerNorm(), RANDOM.standard_normal(X.shape)
        p = drawn(layer, X)
        _, back = jax.vjp(lambda x: layer(p, x), jnp.asarray(X))
        spread = np.sqrt(X.var(-1, keepdims=True) + 1e-5)
        h, d = (X - X.mean(-1, keepdims=True)) / spread, g * p["scale"]
        by_hand = (d - d.mean(-1, keepdims=True) - h * (d * h).mean(-1, keepdims=True)) / spread
        np.testing.assert_allclose(back(jnp.asarray(g))[0], by_hand, rtol=1e-9)
