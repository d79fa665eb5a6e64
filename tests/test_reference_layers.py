"""Layers and their gradients against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.embedding import Embedding
from chainrule.layers.layer_norm import LayerNorm
from chainrule.layers.residual import Residual
from chainrule.maths.activations import relu, tanh

torch = pytest.importorskip("torch", reason="PyTorch is the reference of this file")

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((8, 6)).astype(np.float32) * 2 + 1


def tensor(a):
    return torch.tensor(np.asarray(a))


def linear(p):
    layer = torch.nn.Linear(*p["W"].shape)
    layer.weight.data, layer.bias.data = tensor(p["W"]).T.contiguous(), tensor(p["b"])
    return layer


def close(a, b):
    b = b.detach().numpy()
    np.testing.assert_allclose(np.asarray(a), b, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(b).max()))


def compare(net, p, x, theirs, parameters, training=False):
    """Values, and gradients of sum(c * y) for x and ``parameters``: (ours, theirs) pairs of trees and tensors."""
    key = KEY if training else None
    x = jnp.asarray(x)
    y, back = jax.vjp(lambda p, x: net.run(p, x, key)[0], p, x)
    c = RANDOM.standard_normal(y.shape).astype(np.float32)
    dp, dx = back(jnp.asarray(c))
    t = tensor(x).requires_grad_(x.dtype == jnp.float32)
    out = theirs(t)
    out.backward(tensor(c))
    close(y, out)
    if x.dtype == jnp.float32:
        close(dx, t.grad)
    for find, parameter in parameters:
        close(find(dp), parameter.grad)


def test_dense():
    p = Dense(4).init(KEY, X)
    p["b"] = p["b"] + 0.3
    theirs = linear(p)
    compare(Dense(4), p, X, theirs, [(lambda d: d["W"].T, theirs.weight), (lambda d: d["b"], theirs.bias)])


@pytest.mark.parametrize("shape", [(8, 6), (4, 3, 6)])
def test_layer_norm(shape):
    x = RANDOM.standard_normal(shape).astype(np.float32) * 3 + 2
    p = {"scale": jnp.linspace(0.5, 2, 6), "shift": jnp.linspace(-1, 1, 6)}
    theirs = torch.nn.LayerNorm(6, eps=1e-5)
    theirs.weight.data, theirs.bias.data = tensor(p["scale"]), tensor(p["shift"])
    compare(LayerNorm(), p, x, theirs, [(lambda d: d["scale"], theirs.weight), (lambda d: d["shift"], theirs.bias)])


def test_batch_norm_in_training_and_after():
    net, theirs = BatchNorm(momentum=0.9), torch.nn.BatchNorm1d(6, eps=1e-5, momentum=0.1)
    p = net.init(KEY, X) | {"scale": jnp.linspace(0.5, 2, 6), "shift": jnp.linspace(-1, 1, 6)}
    theirs.weight.data, theirs.bias.data = tensor(p["scale"]), tensor(p["shift"])
    pairs = [(lambda d: d["scale"], theirs.weight), (lambda d: d["shift"], theirs.bias)]
    compare(net, p, X, theirs, pairs, training=True)
    _, p = net.run(p, jnp.asarray(X), KEY)
    close(p["mean"], theirs.running_mean)
    close(p["var"], theirs.running_var)
    theirs.eval()
    theirs.zero_grad()
    compare(net, p, X, theirs, pairs)


def test_embedding():
    x = np.array([[0, 2, 2], [4, 1, 0]])
    p = Embedding(5, 3).init(KEY, jnp.asarray(x))
    theirs = torch.nn.Embedding(5, 3)
    theirs.weight.data = tensor(p["E"])
    compare(Embedding(5, 3), p, x, theirs, [(lambda d: d["E"], theirs.weight)])


def test_a_deep_chain():
    net = Chain(Dense(6), tanh, Residual(Chain(LayerNorm(), Dense(6), relu)), Dense(3))
    p = net.init(KEY, X)
    first, inner, last = linear(p[0]), linear(p[2][0][1]), linear(p[3])

    def theirs(x):
        h = torch.tanh(first(x))
        return last(h + torch.relu(inner(torch.nn.functional.layer_norm(h, (6,)))))

    compare(
        net,
        p,
        X,
        theirs,
        [
            (lambda d: d[0]["W"].T, first.weight),
            (lambda d: d[2][0][1]["W"].T, inner.weight),
            (lambda d: d[3]["b"], last.bias),
        ],
    )
