"""The table of a network: its sizes are exact, and the signals that it predicts are those that are measured."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import DesignError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Add, Concatenate, Select
from chainrule.layers.layer_norm import LayerNorm
from chainrule.layers.parallel import Parallel
from chainrule.layers.residual import Residual
from chainrule.layers.scale import Scale
from chainrule.layers.shape import Flatten
from chainrule.layers.signal import bend, elementwise, flow, given, slope
from chainrule.layers.standardize import Standardize
from chainrule.layers.summary import summary
from chainrule.maths.activations import identity, relu, sigmoid, softmax, tanh
from chainrule.maths.initializers import RandomNormal, constant, glorot_normal, he_normal, lecun_normal

KEY = jax.random.key(0)


def blocks(depth, width, init, f):
    return Chain(*[layer for _ in range(depth) for layer in (Dense(width, init=init), f)])


def measured(net, x, draws):
    """The variance of the output, and of dL/dx for a random dL/dy of variance 1, averaged over draws of parameters."""

    @jax.vmap
    def once(key):
        y, back = jax.vjp(lambda x: net.run(net.init(key, x), x, key)[0], x)
        (g,) = back(jax.random.normal(jax.random.fold_in(key, 1), y.shape))
        return jnp.mean(y**2) - jnp.mean(y) ** 2, jnp.mean(g**2)

    fast = jax.jit(once, compiler_options={"xla_backend_optimization_level": 0})
    return tuple(float(jnp.mean(a)) for a in fast(jax.random.split(KEY, draws)))


def predicted(net, x):
    found = flow(net, given(x), jax.ShapeDtypeStruct(x.shape, x.dtype))
    return found.moments.variance, found.pull(1.0)[0]


def normal(*shape):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)


def simulated(depth, width, draws, variance, f, df):
    """In NumPy alone, averaged over networks: by what all layers multiply E[x**2], and going back E[(dL/dx)**2]."""
    random, at_once = np.random.default_rng(1), min(draws, 10**6 // width**2)
    ratios = [
        ratios_of_networks(random, depth, (at_once, width, width), variance, f, df) for _ in range(draws // at_once)
    ]
    return np.prod(np.mean(ratios, 0), 1)


def ratios_of_networks(random, depth, shape, variance, f, df):
    x = random.standard_normal((shape[0], 4, shape[1]), np.float32)
    weights, slopes, forward, backward = [], [], [], []
    for _ in range(depth):
        W = random.standard_normal(shape, np.float32) * np.float32(math.sqrt(variance))
        z = x @ W
        forward.append(np.mean(mean_square(f(z)) / mean_square(x)))
        weights.append(W)
        slopes.append(df(z))
        x = f(z)
    g = random.standard_normal(x.shape, np.float32)
    for W, slope_ in zip(reversed(weights), reversed(slopes), strict=True):
        h = (g * slope_) @ W.swapaxes(1, 2)
        backward.append(np.mean(mean_square(h) / mean_square(g)))
        g = h
    return forward, backward


def mean_square(x):
    return np.mean(x**2, (1, 2))


def derivative_of_tanh(z):
    return 1 - np.tanh(z) ** 2


def test_relu_keeps_signal_and_gradient_through_50_layers():
    # a single network's moments fluctuate like a log-normal of variance 5 depth / width: hence so many draws
    net, x = blocks(50, 96, he_normal, relu), jax.ShapeDtypeStruct((4, 96), jnp.float32)
    found = flow(net, given(x), x)
    truth = simulated(50, 96, 1000, 2 / 96, lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(np.float32))
    assert abs(found.moments.square / truth[0] - 1) < 0.1
    assert abs(found.pull(1.0)[0] / truth[1] - 1) < 0.1


def test_tanh_loses_signal_and_gradient_through_50_layers():
    x = jax.ShapeDtypeStruct((4, 500), jnp.float32)
    assert glorot_normal.variance((500, 500)) == lecun_normal.variance((500, 500))
    truth = simulated(50, 500, 8, 1 / 500, np.tanh, derivative_of_tanh)
    for init in (lecun_normal, glorot_normal):
        found = flow(blocks(50, 500, init, tanh), given(x), x)
        assert abs(found.moments.square / truth[0] - 1) < 0.1
        assert abs(found.pull(1.0)[0] / truth[1] - 1) < 0.1


def test_a_wrong_law_is_seen():
    x = jax.ShapeDtypeStruct((4, 200), jnp.float32)
    truth = simulated(20, 200, 3, 1.5 / 200, np.tanh, derivative_of_tanh)
    found = flow(blocks(20, 200, lecun_normal, tanh), given(x), x)
    assert truth[0] / found.moments.square > 2 and truth[1] / found.pull(1.0)[0] > 2


MIXED = {
    "norm": Chain(Dense(128), tanh, LayerNorm(), Dense(128, init=he_normal), relu, LayerNorm(), Dense(128)),
    "batch norm": Chain(Dense(128), BatchNorm(), relu, Dense(128), BatchNorm(), relu, Dense(128), BatchNorm()),
    "dropout": Chain(Dense(128), tanh, Dropout(0.5), Dense(128), Dropout(0.2)),
    "residual": Chain(Dense(128), *[Residual(Chain(Dense(128), tanh, Dense(128)))] * 4),
    "parallel": Chain(Parallel(Dense(64), Chain(Dense(192), relu)), Concatenate(), Dense(128), Scale(0.3)),
    "twice": Chain(Dense(128), relu, relu, tanh, Dense(128)),
    "add": Chain(Parallel(Dense(128), Dense(128)), Add(), jnp.sin),
}


@pytest.mark.parametrize("name", MIXED)
def test_predictions_through_mixed_layers(name):
    net, x = MIXED[name], normal(64, 128)
    for found, truth in zip(predicted(net, x), measured(net, x, 12), strict=True):
        assert abs(found / truth - 1) < 0.1, (found, truth)


def test_batch_norm_explodes_as_its_theory_says():
    net = Chain(*[layer for _ in range(6) for layer in (Dense(400), BatchNorm(), relu)])
    rows = [row for row in summary(net, (64, 400)).rows if "BatchNorm" in row.place]
    growth = [a.gradient / b.gradient for a, b in zip(rows, rows[1:], strict=False)]
    assert np.allclose(growth, math.pi / (math.pi - 1), rtol=1e-3)  # Yang et al. 2019


def test_the_examples_own_moments_count():
    x = np.random.default_rng(0).normal(3.0, 2.0, (500, 40)).astype(np.float32)
    m = given(jnp.asarray(x))
    assert abs(m.square - 13) < 0.2 and abs(m.shared - 9) < 0.2 and abs(m.mean - 3) < 0.1
    rows = summary(Chain(Dense(50), Standardize()), x).rows
    assert abs(rows[0].signal - m.square) < 1e-6 and rows[1].signal == 1


def test_a_function_of_a_gaussian():
    m = given(jax.ShapeDtypeStruct((2, 3), jnp.float32))
    half = bend(m, relu)
    assert abs(half.square - 0.5) < 1e-6 and abs(half.mean - 1 / math.sqrt(2 * math.pi)) < 1e-5
    assert abs(half.shared - 1 / (2 * math.pi)) < 1e-5 and abs(slope(m, relu) - 0.5) < 1e-6
    assert abs(slope(m, tanh) - 0.464) < 1e-3
    assert bend(half, relu).square == pytest.approx(half.square)  # relu(relu(z)) = relu(z)


@pytest.mark.parametrize(
    ("f", "is_so"),
    [
        (relu, True),
        (jnp.sin, True),
        (softmax, False),
        (identity, True),
        (lambda x: x - x.mean(), False),
        (jnp.cumsum, False),
        (jnp.sum, False),
    ],
)
def test_elementwise_functions_are_told_apart(f, is_so):
    assert elementwise(f) is is_so


def test_sizes_and_costs_are_exact():
    net = Chain(Dense(64), tanh, Residual(Chain(Dense(64), relu)), Dense(10))
    s = summary(net, (32, 20))
    assert s.parameters == 20 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10 and s.parameter_bytes == 4 * s.parameters
    first, _, residual, chain, inner, _, last = s.rows
    assert (first.place, first.shape, first.parameters, first.flops, first.bytes) == ("0:Dense", (64,), 1344, 2624, 256)
    assert inner.place == "2:Residual/0:Chain/0:Dense" and residual.parameters == chain.parameters == 4160
    assert last.flops == 2 * 64 * 10 + 10 and last.gradient == 1
    assert 2 * s.flops < s.training_flops < 3.2 * s.flops


def test_memory_is_near_what_the_compiler_needs():
    net = Chain(*[f for _ in range(6) for f in (Dense(512), tanh)], Dense(10))
    x = jax.ShapeDtypeStruct((256, 512), jnp.float32)
    p = jax.eval_shape(net.init, KEY, x)
    step = jax.jit(jax.grad(lambda p, x: jnp.mean(net(p, x) ** 2)))
    used = step.lower(p, x).compile().memory_analysis()
    needed = used.temp_size_in_bytes + used.argument_size_in_bytes + used.output_size_in_bytes
    assert 0.7 < summary(net, x).memory(256, copies=2) / needed < 1.4


def test_twenty_billion_parameters_need_no_memory():
    s = summary(blocks(50, 20_000, he_normal, relu), (32, 20_000))
    assert s.parameters == 20_001_000_000 and not s.notes
    assert all(abs(row.gradient - 1) < 0.6 for row in s.rows)


def test_vanishing_gradients_are_said():
    (note,) = summary(blocks(12, 64, lecun_normal, sigmoid), (32, 64)).notes
    assert "vanish" in note and "0:Dense" in note and "each sigmoid by 0.0" in note
    (note,) = summary(blocks(20, 64, RandomNormal(std=0.5), relu), (32, 64)).notes
    assert "explode" in note and "each Dense by 16" in note
    assert not summary(blocks(12, 64, he_normal, relu), (32, 64)).notes


def test_an_output_that_starts_small_is_no_vanishing_gradient():
    hidden = [f for _ in range(3) for f in (Dense(64, init=he_normal), relu)]
    small = Dense(2, init=RandomNormal(std=1e-6))
    for output in (small, Dense(2, init=constant(0.0))):
        assert not summary(Chain(*hidden, output), (32, 64)).notes
    (note,) = summary(Chain(Dense(64), *[sigmoid, Dense(64)] * 12, small), (32, 64)).notes
    assert "vanish" in note and "each Dense by 1," in note  # the output's factor of 1e-12 is left out


def test_layers_without_a_law_are_measured_and_marked():
    net = Chain(Dense(100), lambda x: x - jnp.mean(x, -1, keepdims=True), Dense(5))
    s = summary(net, (8, 10))
    assert [row.measured for row in s.rows] == [False, True, False]
    assert abs(s.rows[1].signal - 1) < 0.1 and abs(s.rows[0].gradient - 0.05) < 0.01
    assert "~" in str(s)


def test_what_is_not_counted_is_said():
    net = Chain(Dense(9), lambda x: jnp.fft.fft(x).real, Dense(1))
    assert summary(net, (4, 3)).notes == ("FLOPs leave out: fft.",)


def test_what_cannot_be_known_is_not_guessed():
    net = Chain(Parallel(Select("word"), Chain(Select("size"), Dense(4))), Select(1), Dense(3))
    x = {"word": jnp.array([1, 2]), "size": jnp.ones((2, 3))}
    rows = {row.place: row for row in summary(net, x).rows}
    assert rows["0:Parallel/0:Select"].signal is None and rows["2:Dense"].signal is not None
    assert "?" in str(summary(net, x))


def test_embeddings_start_a_signal():
    rows = summary(Chain(Embedding(50, 8), Flatten(), Dense(4)), jnp.zeros((6, 3), jnp.int32)).rows
    assert [row.signal for row in rows] == [1, 1, 1] and rows[0].shape == (3, 8)


def test_the_table_is_narrow_and_aligned():
    net = Chain(Dense(64), tanh, Residual(Chain(Dense(64), relu, Dense(64))), Dense(10), softmax)
    lines = str(summary(net, (32, 20))).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["layer", "output", "parameters", "FLOPs", "bytes", "signal", "gradient"]
    assert lines[5].startswith("  0:Chain") and lines[6].startswith("    0:Dense")
    assert any("parameters" in line and "B" in line for line in lines[10:])
    assert max(map(len, str(summary(blocks(60, 64, lecun_normal, sigmoid), (32, 64))).splitlines())) <= 100


def test_a_shape_without_rows_is_refused():
    with pytest.raises(DesignError, match=r"write \(1, 20\)"):
        summary(Dense(3), (20,))
