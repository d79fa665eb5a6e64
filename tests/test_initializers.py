"""Initializers keep the law that they state, rebuild from print and JSON, and refuse what cannot be drawn."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.maths import initializers as I
from equation_reader import solve

LAWS = [I.lecun_normal, I.lecun_uniform, I.he_normal, I.he_uniform, I.glorot_normal, I.glorot_uniform, I.zeros]
ALL = [*LAWS, I.normal, I.RandomNormal(0.2), I.orthogonal, I.Orthogonal(2.0), I.constant(0.5)]
SHAPES = [(400, 300), (300, 400), (3, 3, 40, 80)]


@pytest.mark.parametrize("init", ALL, ids=repr)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_drawn_variance_is_the_stated_one(init, shape):
    W = np.asarray(init(jax.random.key(1), shape, jnp.float32), float)
    expected = init.variance(shape)
    center = 0.5 if init == I.constant(0.5) else 0.0
    assert W.shape == shape and abs(W.mean() - center) < 5 * np.sqrt(expected / W.size) + 1e-12
    np.testing.assert_allclose(W.var(), expected, rtol=5 * np.sqrt(2 / W.size), atol=1e-12)


@pytest.mark.parametrize("init", LAWS, ids=repr)
def test_stated_equation_is_the_law(init):
    fan_in, fan_out = I.fans((3, 5, 7, 11))
    assert (fan_in, fan_out) == (3 * 5 * 7, 3 * 5 * 11)
    assert solve(init, fan_in=fan_in, fan_out=fan_out)["variance"] == init.variance((3, 5, 7, 11))


def test_equations_of_the_other_initializers():
    assert solve(I.RandomNormal, std=0.2)["variance"] == I.RandomNormal(0.2).variance((3, 4))
    for shape in ((6, 4), (4, 6)):
        law = solve(I.Orthogonal, gain=2.0, fan_in=shape[0], units=shape[1])["variance"]
        assert law == I.Orthogonal(2.0).variance(shape)
    W = solve(I.Constant, value=0.5, shape=(2, 3))["W"]
    np.testing.assert_array_equal(I.Constant(0.5)(jax.random.key(0), (2, 3)), W)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (2, 3, 4)])
def test_orthogonal_keeps_lengths(shape):
    with jax.enable_x64(True):
        W = np.asarray(I.Orthogonal(3.0)(jax.random.key(0), shape, jnp.float64)).reshape(-1, shape[-1])
    gram = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
    np.testing.assert_allclose(gram, 9 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_uniform_over_rotations():
    keys = jax.random.split(jax.random.key(0), 4000)
    corner = jax.vmap(lambda key: I.orthogonal(key, (2, 2))[0, 0])(keys)  # the cosine of a uniform angle
    np.testing.assert_allclose([corner.mean(), (corner**2).mean(), (corner > 0).mean()], [0, 0.5, 0.5], atol=0.03)


def test_normal_laws_are_not_cut_off():
    W = I.lecun_normal(jax.random.key(0), (1000, 100), jnp.float32) * np.sqrt(1000)
    assert abs(float((jnp.abs(W) > 2).mean()) - 0.0455) < 0.003


@pytest.mark.parametrize("init", ALL, ids=repr)
def test_specification_survives_print_json_and_pickle(init):
    assert eval(repr(init), vars(I)) == init and hash(init) == hash(eval(repr(init), vars(I)))
    assert spec.from_data(spec.to_data(init)) == init
    assert pickle.loads(pickle.dumps(init)) == init and copy.deepcopy(init) == init
    assert init.identical == (repr(init) in ("zeros", "Constant(value=0.5)"))


@pytest.mark.parametrize("init", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_types_and_traced_shapes(init, dtype):
    assert init(jax.random.key(0), (4, 3), dtype).dtype == dtype
    shaped = jax.eval_shape(lambda key: init(key, (100_000, 100_000), dtype), jax.random.key(0))
    assert shaped.shape == (100_000, 100_000)


def test_refusals():
    for wrong in (float("nan"), float("inf"), "1", True, None):
        with pytest.raises(DesignError, match="finite number"):
            I.Constant(wrong)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(DesignError, match="above 0"):
            I.RandomNormal(wrong)
        with pytest.raises(DesignError, match="above 0"):
            I.Orthogonal(wrong)
    with pytest.raises(DesignError, match="no two axes"):
        I.orthogonal(jax.random.key(0), (3,), jnp.float32)
    with pytest.raises(DesignError, match="an axis is 0"):
        I.he_normal(jax.random.key(0), (0, 3), jnp.float32)
