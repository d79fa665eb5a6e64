"""Every layer keeps the promises of the protocol, and the checker of these promises sees every kind of breach."""

import itertools
import json
from dataclasses import field

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import spec
from chainrule.errors import DataError, DesignError, ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.chain import Chain, at
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Add, Concatenate, Select
from chainrule.layers.layer import Layer
from chainrule.layers.layer_norm import LayerNorm
from chainrule.layers.parallel import Parallel
from chainrule.layers.piecewise_linear import PiecewiseLinear
from chainrule.layers.residual import Residual
from chainrule.layers.scale import Scale
from chainrule.layers.shape import Flatten, Reshape
from chainrule.layers.standardize import Standardize
from chainrule.maths.activations import relu, tanh
from chainrule.maths.initializers import he_normal
from chainrule.testing import check_layer

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).standard_normal((4, 6)), jnp.float32)
TOKENS = jnp.array([[0, 4], [3, 1], [2, 2], [1, 0]])

LAYERS = [
    (Dense(3, init=he_normal), X),
    (Dense(3, use_bias=False), X),
    (Dropout(0.4), X),
    (BatchNorm(momentum=0.5), X),
    (LayerNorm(), X),
    (Standardize(), X),
    (PiecewiseLinear(bins=3), X),
    (PiecewiseLinear(bins=4, features=2), X.reshape(4, 2, 3)),
    (Embedding(5, 3), TOKENS),
    (Scale(start=0.1), X),
    (Flatten(), X.reshape(4, 2, 3)),
    (Reshape((3, -1)), X),
    (Concatenate(), (X, X[:, :2])),
    (Add(), (X, X)),
    (Select("b"), {"a": X, "b": X[:, :2]}),
    (tanh, X),
    (Chain(Dense(4), relu, Dropout(0.5), Dense(2)), X),
    (Residual(Chain(BatchNorm(), tanh, Dropout(0.2), Dense(6))), X),
    (Chain(Parallel(Dense(3), Residual(Dropout(0.5)), tanh), Concatenate()), X),
    (Chain(Parallel(Chain(Select("u"), Dense(4)), Chain(Select("v"), Dense(4))), Add()), {"u": X, "v": X}),
]


@pytest.mark.parametrize(("layer", "x"), LAYERS, ids=lambda v: type(v).__name__ if callable(v) else "")
def test_layers_keep_their_promises(layer, x):
    check_layer(layer, x)


class Centered(Layer):
    """Reads values in init."""

    def init(self, key, x):
        return {"mean": jnp.mean(x, 0)}

    def __call__(self, p, x):
        return x - p["mean"]


class Leaking(Layer):
    """Draws noise in the exact pass."""

    scale: float = 0.1

    def run(self, p, x, key):
        return x + self.scale * jax.random.normal(jax.random.key(next(COUNT)), x.shape), p


class FixedNoise(Layer):
    """Draws the same noise in each exact pass."""

    def run(self, p, x, key):
        return x + jax.random.normal(jax.random.key(0) if key is None else key, x.shape), p


class Mixing(Layer):
    """Mixes rows without saying so."""

    def __call__(self, p, x):
        return x - jnp.mean(x, 0)


class MixingInTraining(Layer):
    """Mixes rows in training only, without saying so."""

    def run(self, p, x, key):
        return x if key is None else x - jnp.mean(x, 0), p


@jax.custom_vjp
def wrong_square(x):
    return x**2


wrong_square.defvjp(lambda x: (x**2, x), lambda x, g: (g * x,))


class WrongSlope(Layer):
    """Has a wrong derivative."""

    def __call__(self, p, x):
        return wrong_square(x)


class Unhashable(Layer):
    """Holds a list."""

    sizes: list

    def __call__(self, p, x):
        return x


class Untrue(Layer):
    """Prints as something else."""

    by: float = 1.0

    def __call__(self, p, x):
        return x * self.by

    def __repr__(self):
        return "Untrue()"


class Forgetful(Layer):
    """Hides its field from files."""

    by: float = field(default=1.0, init=False)

    def __init__(self, by=1.0):
        spec.freeze(self, by=by)

    def __call__(self, p, x):
        return x * self.by

    def __repr__(self):
        return f"Forgetful(by={self.by})"


class Silent(Layer):
    """A container that gives its layer no key."""

    f: Layer

    @property
    def parts(self):
        return (self.f,)

    def init(self, key, x):
        return (self.f.init(key, x),)

    def run(self, p, x, key):
        return self.f(p[0], x), p


class Losing(Silent):
    """A container that loses its layer's statistics."""

    def run(self, p, x, key):
        with at(0, self.f, x):
            return self.f.run(p[0], x, key)[0], p


class Roleless(Layer):
    """Leaves out a role."""

    def init(self, key, x):
        return {"a": jnp.ones(()), "c": jnp.ones(())}

    def roles(self, p):
        return {"a": "weight"}

    def __call__(self, p, x):
        return x * p["a"] * p["c"]


class Recompiling(Layer):
    """Returns parameters of another dtype than it got."""

    fixed = ("count",)

    def init(self, key, x):
        return {"count": jnp.zeros((), jnp.int32)}

    def run(self, p, x, key):
        return x, p if key is None else {"count": p["count"] + 1.0}


class Stateful(Layer):
    """Changes its parameters in the exact pass."""

    def init(self, key, x):
        return {"n": jnp.zeros(())}

    def run(self, p, x, key):
        return x, {"n": p["n"] + 1}


COUNT = itertools.count()

BROKEN = [
    (Centered(), "init may read only shapes"),
    (Leaking(), "draws noise"),
    (FixedNoise(), "rows"),
    (Mixing(), "must not depend on the other rows"),
    (MixingInTraining(), "must not depend on the other rows"),
    (WrongSlope(), "gradient must be the slope"),
    (Unhashable([1]), "hashable"),
    (Untrue(2.0), "repr must be the code"),
    (Forgetful(2.0), "JSON must rebuild"),
    (Silent(Dropout(0.5)), "gets none"),
    (Losing(BatchNorm()), "are lost"),
    (Roleless(), "roles must name every leaf"),
    (Recompiling(), "compile again"),
    (Stateful(), "leave the parameters"),
]


@pytest.mark.parametrize(("layer", "said"), BROKEN, ids=lambda v: type(v).__name__ if isinstance(v, Layer) else "")
def test_the_checker_sees_a_broken_layer(layer, said):
    with pytest.raises(AssertionError, match=said):
        check_layer(layer, X)


def test_the_checker_needs_rows():
    with pytest.raises(AssertionError, match="at least two rows"):
        check_layer(Dense(2), X[:1])


def test_watching_leaves_no_trace():
    run = Dropout.run
    check_layer(Chain(Dropout(0.5)), X)
    assert Dropout.run is run


def test_dropout_keeps_the_mean_and_the_exact_pass():
    x = jnp.ones((200, 100))
    y, _ = Dropout(0.3).run({}, x, KEY)
    kept = np.asarray(y) != 0
    assert abs(kept.mean() - 0.7) < 0.02 and np.allclose(np.asarray(y)[kept], 1 / 0.7)
    assert Dropout(0.3)({}, x) is x


def test_two_dropouts_have_masks_of_their_own():
    x, half = jnp.ones((200, 100)), Dropout(0.5)
    one, other = Parallel(half, half).run(({}, {}), x, KEY)[0]
    both = np.mean((np.asarray(one) != 0) & (np.asarray(other) != 0))
    assert abs(both - 0.25) < 0.02  # equal masks would keep half of the values in both
    kept = np.asarray(Chain(half, half).run(({}, {}), x, KEY)[0]) != 0
    assert abs(kept.mean() - 0.25) < 0.02


W, S, F = "weight", "shift", "fixed"
ROLES = [
    (Dense(3), X, {"W": W, "b": S}),
    (Dense(3, use_bias=False), X, {"W": W}),
    (Dropout(0.4), X, {}),
    (BatchNorm(), X, {"scale": S, "shift": S, "mean": F, "var": F}),
    (LayerNorm(), X, {"scale": S, "shift": S}),
    (Standardize(), X, {"mean": F, "std": F}),
    (PiecewiseLinear(), X, {"low": F, "slope": F}),
    (Embedding(5, 3), TOKENS, {"E": W}),
    (Scale(), X, {"scale": S}),
    (Flatten(), X, {}),
    (Reshape((3, -1)), X, {}),
    (Concatenate(), (X, X), {}),
    (Add(), (X, X), {}),
    (Select(0), (X, X), {}),
    (Chain(Dense(3), tanh), X, ({"W": W, "b": S}, {})),
    (Parallel(Dense(3), BatchNorm()), X, ({"W": W, "b": S}, {"scale": S, "shift": S, "mean": F, "var": F})),
    (Residual(Dense(6)), X, ({"W": W, "b": S},)),
]


@pytest.mark.parametrize(("layer", "x", "roles"), ROLES, ids=lambda v: type(v).__name__ if callable(v) else "")
def test_the_role_of_every_leaf(layer, x, roles):
    p = layer.init(KEY, x)
    assert layer.roles(p) == roles
    assert jax.tree.structure(p) == jax.tree.structure(roles)


def test_the_roles_are_those_of_every_layer():
    import chainrule as cr

    public = {v for v in map(cr.__getattr__, cr.__all__) if isinstance(v, type) and issubclass(v, Layer)}
    assert {type(layer) for layer, _, _ in ROLES} == public - {Layer}


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1, "0.5", True, float("nan")])
def test_dropout_refuses_a_rate(rate):
    with pytest.raises(DesignError, match="0 <= rate < 1"):
        Dropout(rate)


def test_batch_norm_remembers_unbiased_statistics():
    net = BatchNorm(momentum=0.8)
    p = net.init(KEY, X)
    for _ in range(200):
        _, p = net.run(p, X, KEY)
    assert np.allclose(p["mean"], np.mean(X, 0), atol=1e-5)
    assert np.allclose(p["var"], np.var(X, 0, ddof=1), rtol=1e-4)
    assert net.roles(p) == {"scale": "shift", "shift": "shift", "mean": "fixed", "var": "fixed"}
    assert net.mixes_rows and Residual(net).mixes_rows and not LayerNorm().mixes_rows
    with pytest.raises(ShapeError, match="at least 2 rows"):
        net.run(p, X[:1], KEY)


def test_standardize_is_fitted_inside_containers_and_keeps_constants():
    x = np.random.default_rng(1).normal([5.0, -3.0, 0.1], [2.0, 1e3, 0.0], (500, 3)).astype(np.float32)
    net = Chain(Parallel(Standardize(), Chain(Standardize())), Concatenate())
    assert net.prepares and not Chain(Dense(2)).prepares
    y = np.asarray(net(net.prepare(net.init(KEY, x), x), x))
    assert np.allclose(y.mean(0), 0, atol=1e-3) and np.allclose(y.std(0), [1, 1, 0, 1, 1, 0], atol=1e-3)


def test_embedding_refuses_what_it_does_not_know():
    net = Embedding(5, 3)
    p = net.init(KEY, TOKENS)
    assert np.array_equal(net(p, TOKENS), np.asarray(p["E"])[np.asarray(TOKENS)])
    for x in ([5], [-1]):
        with pytest.raises(DataError, match="knows 0 … 4"):
            net(p, jnp.array(x))
        assert np.isnan(jax.jit(net)(p, jnp.array(x))).all()
    with pytest.raises(DataError, match="whole numbers"):
        net(p, X)


REFUSED = [
    (Residual(Dense(3)), X, ShapeError, r"\(4, 6\) and f\(x\) \(4, 3\)"),
    (Chain(Dense(6), Residual(Dense(3))), X, ShapeError, "1:Residual"),
    (Concatenate(axis=1), (X, jnp.ones((3, 6))), ShapeError, "all other axes must agree"),
    (Concatenate(), X, DesignError, "tuple or dict"),
    (Add(), (X, X[:, :2]), ShapeError, "one shape"),
    (Select("c"), {"a": X}, DesignError, r"entries \['a'\]"),
    (Select(0), X, DesignError, "one entry"),
    (Reshape((4, 2)), X, ShapeError, "8 numbers per example"),
    (Reshape((4, -1)), X, ShapeError, "multiple of 4"),
    (LayerNorm(), X[:, :1], ShapeError, "has one"),
]


@pytest.mark.parametrize(("net", "x", "kind", "said"), REFUSED, ids=lambda v: repr(v) if isinstance(v, Layer) else "")
def test_what_cannot_meet_is_refused(net, x, kind, said):
    with pytest.raises(kind, match=said):
        net(net.init(KEY, x), x)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Reshape((0, 2)),
        lambda: Reshape((-1, -1)),
        lambda: Reshape(("a",)),
        lambda: BatchNorm(momentum=1.0),
        lambda: LayerNorm(epsilon=0.0),
        lambda: Embedding(0, 2),
        lambda: Residual(3),
        lambda: Parallel(Dense),
    ],
)
def test_what_cannot_be_designed_is_refused(build):
    with pytest.raises(DesignError):
        build()


def test_containers_name_their_parts_in_the_trace():
    net = Chain(Dense(6), Residual(Chain(tanh, Dense(6))), Parallel(Dense(1), Dense(2)))
    p = net.init(KEY, X)
    stacks = {str(e.source_info.name_stack) for e in jax.make_jaxpr(net)(p, X).jaxpr.eqns}
    assert {"0:Dense", "1:Residual/0:Chain/0:tanh", "1:Residual/0:Chain/1:Dense", "2:Parallel/1:Dense"} <= stacks


def test_a_file_of_a_whole_network_rebuilds_it():
    net = Chain(Parallel(Dense(3), tanh), Concatenate(), Residual(Dense(9)), Reshape((3, 3)), Flatten(), Dropout(0.1))
    assert spec.from_data(json.loads(json.dumps(spec.to_data(net)))) == net
