"""Programs that crash or mislead other tools: each is verified, opaque by name, or refused in one clear sentence."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import chainrule as cr
from chainrule.errors import CannotExplain
from graph_checker import check
from lift_cases import SIZES, Numbers, total

A = Numbers(SIZES[0])
X, V, P = A("nd"), A("k"), A("k", 0.5, 1.5)
SYMMETRIC = (lambda m: m @ m.T + 3 * np.eye(3, dtype=np.float32))(A("dd"))
YES = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1]], bool)
KEYS = jax.random.split(jax.random.key(1), 2)


def examined(f, *args):
    """The explanation of a program, printed in all forms; NumPy may refuse an opaque line."""
    ex = cr.explain(f, *args)
    assert all((ex.text(), ex.html(), ex.latex()))
    with contextlib.suppress(CannotExplain):
        ex.numpy()
    return ex


def opaque_in(ex):
    """The names of the operations that an explanation does not derive."""
    return {line.text.split("opaque ")[1].split("(")[0].rstrip("'") for line in ex.lines if line.status == "opaque"}


VERIFIED = {
    # index arithmetic
    "an index that is a value": (
        lambda w, i: total(w * jnp.where(i < 0, i + 5, i)),
        V,
        np.array([0, -1, 2, -3, 1]),
    ),
    "padded within, then turned round": (
        lambda x: total(jnp.sin(lax.pad(jnp.sin(jnp.flip(x)), np.float32(0), [(1, 0, 1)]))),
        V,
    ),
    "turned round, padded within, one number of it": (
        lambda x: total(lax.pad(jnp.sin(x[::-1]), np.float32(0), [(1, 0, 1)])[::-1]),
        V,
    ),
    "the last row": (lambda x: total(x[-1] ** 2), X),
    "known places from the end": (lambda x: total(x[jnp.array([-1, 0])] ** 2), X),
    "places from the end": (lambda x, i: total(x[i] ** 2), X, np.array([-1, 0, -2])),
    "places from the end, taken": (lambda x, i: total(jnp.take(x, i, axis=0) ** 2), X, np.array([1, 0, -1])),
    "places along an axis": (lambda x, i: total(jnp.take_along_axis(x, i, 1)), X, np.array([[0, -1], [1, 2]])),
    "places outside, clipped": (lambda x, i: total(x.at[i].get(mode="clip") ** 2), X, np.array([5, 0, -7])),
    "places outside, filled": (
        lambda x, i: total(x.at[i].get(mode="fill", fill_value=2.0) ** 2),
        X,
        np.array([5, 0, -7]),
    ),
    "places outside, dropped": (lambda x, i: total(x.at[i].add(x[0] ** 2)), X, np.array([5, 0, -7])),
    "places that wrap": (lambda x, i: total(jnp.take(x, i, axis=0, mode="wrap") ** 2), X, np.array([5, 0, -7])),
    "a slice from the end": (lambda x, s: total(lax.dynamic_slice(x, (s, 0), (1, 2)) ** 2), X, np.int32(-1)),
    "a slice that is moved inside": (lambda x, s: total(lax.dynamic_slice(x, (0, s), (1, 2)) ** 2), X, np.int32(2)),
    "written at the end": (lambda x: total(x.at[-1].set(x[0] ** 2)), X),
    "written from the end": (lambda x, i: total(x.at[i].set(x[0] ** 2)), X, np.int32(-1)),
    "added from the end": (lambda x, i: total(x.at[i].add(x[0] ** 2)), X, np.array([-1, 0, -1])),
    "multiplied from the end": (lambda x, i: total(x.at[i].multiply(x[0] ** 2)), X, np.int32(-1)),
    "a slice written from the end": (
        lambda x, s: total(lax.dynamic_update_slice(x, x[:1, :2] ** 2, (s, 1))),
        X,
        np.int32(-1),
    ),
    # loops
    "carries that swap": (
        lambda p, x: total(*lax.scan(lambda c, x: ((c[1], c[0] + x), c[0] * x), (p[0], p[1]), x)[0]),
        V,
        A("t"),
    ),
    "three carries that turn": (
        lambda p, x: total(
            *lax.scan(lambda c, x: ((c[1], c[2], c[0] * x), c[1]), (p[0], p[1], p[2]), x, reverse=True)[0]
        ),
        V,
        A("t"),
    ),
    "Fibonacci": (lambda p: total(*lax.fori_loop(0, 4, lambda i, c: (c[1], c[0] + c[1] * p[i]), (p[0], p[1]))), V),
    "a carry that is always the same": (
        lambda p, x: total(*lax.scan(lambda c, x: ((p[2], c[0]), c[1] * x), (p[0], p[1]), x)[0]),
        V,
        A("t"),
    ),
    "a carry that is a row": (
        lambda p, x: total(*lax.scan(lambda c, x: ((x * p[0], c[0]), c[1] * x), (p[0], p[1]), x)[0]),
        V,
        A("t"),
    ),
    "two carries of one number": (
        lambda p, x: total(*lax.scan(lambda c, x: ((c[0] * x, c[0] * x, c[1] + c[2]), None), (*p[:3],), x)[0]),
        V,
        A("t"),
    ),
    "a carry without a slope": (
        lambda p, x: total(lax.scan(lambda c, x: ((c[1] * x, jnp.floor(c[0])), c[1]), (p[0], p[1]), x)[1]),
        V,
        A("t"),
    ),
    "a loop of no steps": (lambda p: total(*lax.scan(lambda c, x: (c * x, c), p[0], jnp.zeros(0))), V),
    # branches, noise
    "a branch": (lambda x, i: total(lax.cond(i > 0, lambda x: x**2, jnp.sin, x)), X, np.int32(1)),
    "a map": (lambda x: total(lax.map(lambda r: jnp.sin(r) @ r, x)), X),
    "uniform noise": (lambda x, k: total(x * jax.random.uniform(k, x.shape)), X, KEYS[0]),
    "normal noise of a key inside": (lambda x: total(x * jax.random.normal(jax.random.key(0), x.shape)), X),
    "an array of keys": (lambda x, k: total(x * jax.vmap(lambda k: jax.random.normal(k, (3,)))(k)), X, KEYS),
    "a key of an array": (lambda x: total(x * jax.random.bernoulli(KEYS[-1], 0.5, x.shape)), X),
    # no numbers, few numbers, whole numbers
    "an empty piece": (lambda w: total(jnp.concatenate([w, w[:0]])), V),
    "no parameters": (lambda w: total(w) + 1.0, A("0")),
    "the largest of none": (lambda w: total(w) + jnp.max(w[:0], initial=0.0), V),
    "the product of none": (lambda w: jnp.prod(w[:0]) * total(w), V),
    "two numbers": (lambda a, b: a * b + jnp.sin(a), np.float32(1.2), 2),
    "whole numbers alone": (lambda a: jnp.sum(a * 2), np.arange(3)),
    "bytes as shares": (lambda x, i: total(x * (i / 255.0)), V, np.array([200, 3, 250, 2, 1], np.uint8)),
    "a product of truths": (lambda x, m: total(x * (m @ m)[0]), A("d"), YES),
    "a sum of truths": (lambda x, m: total(x * jnp.einsum("ij,j->i", m, m[0])), A("d"), YES),
    "bfloat16": (lambda w, x: total(jnp.tanh(x @ w)), jnp.asarray(A("dh"), jnp.bfloat16), jnp.asarray(X, jnp.bfloat16)),
    # kinks that numbers cannot be moved away from
    "the larger of 0 and zeros": (lambda x: total(jnp.maximum(jnp.tril(x), 0)), SYMMETRIC),
    "clipped at a bound": (lambda x: total(jnp.clip(jnp.tril(x), 0, 2)), SYMMETRIC),
    "relu of zeros": (lambda x: total(jax.nn.relu(jnp.tril(x)), lax.clamp(0.0, jnp.tril(x), 2.0)), SYMMETRIC),
    "a choice at zero": (lambda x: total(jnp.where(jnp.tril(x) >= 0, jnp.tril(x), 0)), SYMMETRIC),
    "two that are equal": (lambda x: total(jnp.maximum(x, x * 1.0), jnp.max(jnp.tril(x), 0)), SYMMETRIC),
    "a product with zeros": (lambda x: total(jnp.prod(jnp.tril(x) + jnp.eye(3), 1), jnp.prod(jnp.triu(x))), SYMMETRIC),
    # functions of arrays
    "diag": (lambda x: total(jnp.diag(x), jnp.diag(x, 1), jnp.diag(x[0])), SYMMETRIC),
    "det": (jnp.linalg.det, SYMMETRIC),
    "cumulative": (lambda x: total(jnp.cumsum(x, 1), jnp.cumsum(x[::-1])), X),
    "norms": (lambda x: total(jnp.linalg.norm(x, axis=1, ord=1), jnp.linalg.norm(x, axis=1, ord=jnp.inf)), X),
    "kron": (lambda x: total(jnp.kron(x, x[:, :2]), jnp.einsum("ii->i", x[:2, :2])), X),
    "nan_to_num": (lambda x: total(jnp.nan_to_num(x), jnp.sign(x) * x, jnp.floor(x) * x, x % 2), X),
    "bits of a number": (lambda x: total(jnp.arctan2(x, x + 3), jnp.polyval(x[0], x[1]), jnp.var(x, ddof=1)), X),
}


@pytest.mark.parametrize("name", VERIFIED)
def test_verified(name):
    ex = examined(*VERIFIED[name])
    assert ex.verified, [(line.text, line.reason) for line in ex.lines if line.status != "verified"]


OPAQUE = {
    "inv": (lambda m: total(jnp.linalg.inv(m)), SYMMETRIC, {"lu", "custom_linear_solve"}),
    "slogdet": (lambda m: jnp.linalg.slogdet(m)[1], SYMMETRIC, {"lu"}),
    "cholesky": (lambda m: total(jnp.linalg.cholesky(m)), SYMMETRIC, {"cholesky"}),
    "svd": (lambda m: total(jnp.linalg.svd(m, compute_uv=False)), SYMMETRIC, {"svd"}),
    "an iterative solution": (
        lambda m: total(jax.scipy.sparse.linalg.cg(lambda y: m @ y, m[0])[0]),
        SYMMETRIC,
        {"custom_linear_solve"},
    ),
    "sort": (lambda x: total(jnp.sort(x)), X, {"sort"}),
    "cumprod": (lambda x: total(jnp.cumprod(x, 1), lax.cumlogsumexp(x, axis=1)), X, {"cumprod", "cumlogsumexp"}),
    "top_k": (lambda x: total(lax.top_k(x, 2)[0]), X, {"top_k"}),
    "gamma": (lambda x: total(jax.random.gamma(jax.random.key(0), x)), A("h", 1.0, 2.0), {"random_gamma"}),
    "bits": (lambda x: total(x * (lax.bitcast_convert_type(x, jnp.int32) % 3)), V, {"bitcast_convert_type"}),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_opaque_by_name(name):
    f, *args, names = OPAQUE[name]
    ex = examined(f, *args)
    assert not [line.text for line in ex.lines if line.status == "failed"]
    assert opaque_in(ex) == names


INTS, BYTES = np.array([100_000, 3, 70_000, 2, 1], np.int32), np.array([200, 3, 250, 2, 1], np.uint8)
REFUSED = {
    "place": (lambda x, i: total(x[i] ** 2), X, np.array([5, 0]), "is read at place 5 of an axis of length 2"),
    "overflow": (lambda x, i: total(x * (i * i)), V, INTS, "becomes 1e[+]10, and its type holds those"),
    "large sums": (lambda x, i: total(x * (i + 2147483000)), V, INTS, "Use a wider type"),
    "bytes": (lambda x, i: total(x * (i - 3)), V, BYTES, "becomes -1, and its type holds those from 0 to 255"),
    "narrower": (lambda x, i: total(x * i.astype(jnp.int8)), V, BYTES.astype(np.int32), "from -128 to 127"),
    "division": (lambda x, i: total(x * lax.div(i, i - 2)), V, INTS, "divided by 0"),
    "complex": (lambda x: jnp.abs(x + 1j).sum(), V, "complex numbers, which have no rule"),
    "fft": (lambda x: jnp.abs(jnp.fft.fft(x)).sum(), V, "complex numbers, which have no rule"),
    "rounds": (lambda p: lax.while_loop(lambda c: c < 3, lambda c: c * 2 + p[0], p[1]), P, "use jax.lax.scan"),
    "no derivative": (lambda x: total(jnp.nextafter(x, x + 1)), V, "nextafter.*stop_gradient"),
    "no examples": (lambda w, x: total(x @ w), A("dh"), A("0d"), "no examples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name):
    f, *args, words = REFUSED[name]
    with pytest.raises(CannotExplain, match=words):
        cr.explain(f, *args)


def test_an_index_is_written_as_it_is_unless_it_may_be_negative():
    embedding = [line.text for line in cr.explain(lambda e, i: total(e[i]), X, np.array([0, 1])).lines]
    assert not any("where" in line for line in embedding) and any("1[" in line and "= i]" in line for line in embedding)
    signed = [line.text for line in cr.explain(lambda e, i: total(e[i]), X, np.array([0, -1])).lines]
    assert sum("where(1[i < 0], i + 2, i)" in line for line in signed) == 1


Z, Y = np.array([-1, 0, 2, 0, 6], np.float32), np.array([0, 0, 2, 1, -1], np.float32)
KINKS = {
    "relu": jax.nn.relu,
    "our relu": cr.relu,
    "maximum": lambda z: jnp.maximum(z, 0),
    "minimum": lambda z: jnp.minimum(2, z),
    "clip": lambda z: jnp.clip(z, 0, 2),
    "clamp": lambda z: lax.clamp(0.0, z, 2.0),
    "two arrays": lambda z: jnp.maximum(z, jnp.asarray(Y)),
    "equals": lambda z: jnp.max(jnp.stack([z, z * 1.0]), 0),
    "windows": lambda z: lax.reduce_window(z * z, -jnp.inf, lax.max, (3,), (1,), "VALID"),
    "prod": lambda z: jnp.prod(jnp.stack([z, z + 1]), 0),
    "prod of all": jnp.prod,
    "from 0": lambda z: jnp.where(z >= 0, z, 0),
    "above 0": lambda z: jnp.where(z > 0, z, 0),
    "below 0": lambda z: jnp.where(z < 0, 0, z),
    "leaky": jax.nn.leaky_relu,
    "hard": jax.nn.hard_tanh,
}


@pytest.mark.parametrize("name", KINKS)
def test_at_a_kink_the_derivative_is_the_one_of_training(name):
    def f(z):
        return total(KINKS[name](z))

    expected = jax.grad(f)(jnp.asarray(Z))
    np.testing.assert_allclose(check(f, Z).expect().by_input["0"], expected, rtol=1e-4, atol=1e-6)
