"""Every activation, loss, penalty and layer of chainrule, explained: verified, and as books have it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.equations.explain import explain
from test_explain import array, examined, line_of, lines_of

R = np.random.default_rng(1)
X, CLASSES, NUMBER = array(8, 4), R.integers(0, 3, 8), array(8, 1)

ACTIVATIONS = {
    "elu": None,
    "gelu": "δz1 = δa1 ⊙ (Φ(z1) + z1 ⊙ φ(z1))",
    "identity": "δz1 = δz2 W2ᵀ",
    "leaky_relu": None,
    "log_softmax": "δz1 = δlogp1 − softmax(z1) ⊙ Σ_h1 δlogp1",
    "relu": "δz1 = δa1 ⊙ 1[z1 > 0]",
    "sigmoid": "δz1 = δa1 ⊙ a1 ⊙ (1 − a1)",
    "silu": None,
    "softmax": "δz1 = p1 ⊙ (δp1 − Σ_h1 (p1 ⊙ δp1))",
    "softplus": "δz1 = δa1 ⊙ σ(z1)",
    "tanh": "δz1 = δa1 ⊙ (1 − a1²)",
}


def explained(*layers, x=X, y=CLASSES, loss=cr.cross_entropy, **options):
    return examined(cr.Chain(*layers), x, y, loss=loss, **options)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    ex = explained(cr.Dense(5), getattr(cr, name), cr.Dense(3))
    assert line_of(ex, "z1") == "z1 = x W1 + b1" and line_of(ex, "∂L/∂W1") == "∂L/∂W1 = xᵀ δz1"
    assert line_of(ex, "δz2") == "δz2 = (softmax(z2) − 1[k = y]) / N"
    assert ACTIVATIONS[name] is None or line_of(ex, "δz1") == ACTIVATIONS[name]


LOSSES = {
    "binary_cross_entropy": (1, np.float32(R.integers(0, 2, (8, 1))), "δz1 = (σ(z1) − y) / N"),
    "mean_squared_error": (1, NUMBER, "δz1 = 2 (z1 − y) / N"),
    "mean_absolute_error": (1, NUMBER, "δz1 = sign(z1 − y) / N"),
    "huber": (1, NUMBER, "δz1 = δu1 ⊙ sign(z1 − y)"),
    "gaussian_nll": (2, NUMBER, None),
    "poisson_nll": (1, np.abs(np.round(NUMBER)), None),
    "cross_entropy": (3, CLASSES, "δz1 = (softmax(z1) − 1[k = y]) / N"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    units, y, slope = LOSSES[name]
    ex = explained(cr.Dense(units), y=y, loss=name)
    assert slope is None or line_of(ex, "δz1") == slope
    assert line_of(ex, "L") == "L = Σ_n ℓ / N" and line_of(ex, "∂L/∂W") == "∂L/∂W = xᵀ δz1"


@pytest.mark.parametrize(
    ("loss", "units", "y"),
    [
        (cr.quantile(0.9), 1, NUMBER),
        (cr.Huber(2.0), 1, NUMBER),
        (cr.CrossEntropy(label_smoothing=0.1), 3, CLASSES),
        (cr.mean_squared_error, 3, array(8, 3)),
        (cr.gaussian_nll, 4, array(8, 2)),
    ],
    ids=lambda value: repr(value) if callable(value) else "",
)
def test_losses_with_settings(loss, units, y):
    ex = explained(cr.Dense(units), y=y, loss=loss)
    assert line_of(ex, "∂L/∂b") == "∂L/∂b = Σ_n δz1"


PENALTIES = {
    cr.l1(0.1): "∂L/∂W2 = sign(W2) / 10 + a1ᵀ δz2",
    cr.l2(0.01): "∂L/∂W2 = W2 / 50 + a1ᵀ δz2",
    cr.elastic_net(0.1, 0.2): "∂L/∂W2 = 0.4 W2 + sign(W2) / 10 + a1ᵀ δz2",
}


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_penalties(penalty):
    net = cr.Chain(cr.Dense(5), cr.tanh, cr.Dense(1))

    def f(params, x, y):
        return cr.mean_squared_error(net(params, x), y).mean() + penalty([p["W"] for p in params if p])

    ex = examined(f, net.init(jax.random.key(0), X), X, NUMBER)
    assert line_of(ex, "∂L/∂W2") == PENALTIES[penalty] and line_of(ex, "∂L/∂b2") == "∂L/∂b2 = Σ_n δz2"


def test_batch_norm_is_exact_with_its_own_statistics():
    ex = explained(cr.Dense(5), cr.BatchNorm(), cr.relu, cr.Dense(3), unvalued=["σ1"])  # its 1/σ is
    gradients = {line.symbol.rstrip("12") for line in ex.lines if line.symbol.startswith("∂")}
    assert gradients == {"∂L/∂W", "∂L/∂b", "∂L/∂γ", "∂L/∂β"}  # and none for the statistics
    assert "params[1]['mean'], not trained" in {e.words for e in ex.legend}


def test_batch_norm_in_training():
    ex = explained(cr.BatchNorm(), cr.Dense(3), training=True)
    assert line_of(ex, "u1") == "u1 = x − Σ_n x / N" and line_of(ex, "u2") == "u2 = u1 / √(Σ_n (u1²) / N + 1e−05)"
    assert line_of(ex, "u3") == "u3 = u2 ⊙ γ + β"
    assert line_of(ex, "∂L/∂γ") == "∂L/∂γ = Σ_n (δu3 ⊙ u2)" and line_of(ex, "∂L/∂β") == "∂L/∂β = Σ_n δu3"


def test_a_bias_before_batch_norm_has_no_gradient():
    """The mean takes it away: its gradient cancels to nothing, and is compared relative to what cancels."""
    layers = cr.Dense(5), cr.BatchNorm(), cr.relu, cr.Dense(3)
    ex = explained(*layers, training=True, unvalued=["σ1"], underived=["δσ1"])  # its 1/σ is a variable of the program
    assert line_of(ex, "δz1") == "δz1 = δu1 − Σ_n δu1 / N" and line_of(ex, "∂L/∂b1") == "∂L/∂b1 = Σ_n δz1"


def test_layer_norm():
    ex = explained(cr.Dense(5), cr.LayerNorm(), cr.Dense(3), unvalued=["σ1"], underived=["δσ1"])  # its 1/σ is
    assert [line.text for line in ex.lines[1:5]] == [
        "u1 = z1 − mean_h1(z1)",
        "σ1 = √(mean_h1(u1²) + 1e−05)",
        "u2 = u1 / σ1",
        "u3 = u2 ⊙ γ + β",
    ]
    assert line_of(ex, "δσ1") == "δσ1 = −Σ_h1 (δu2 ⊙ u1) / σ1²"
    assert line_of(ex, "δu1") == "δu1 = δu2 / σ1 + δσ1 ⊙ u1 / (5 σ1)"
    assert line_of(ex, "δz1") == "δz1 = δu1 − mean_h1(δu1)"


def test_dropout_with_its_mask():
    ex = explained(cr.Dense(5), cr.relu, cr.Dropout(0.2), cr.Dense(3), training=True)
    assert line_of(ex, "u1") == "u1 = where(m1, 1.25 a1, 0)" and line_of(ex, "δa1") == "δa1 = 1.25 δu1 ⊙ m1"
    assert any(e.symbol == "m1" and "drawn at random" in e.words for e in ex.legend)
    assert not any("m1" in line for line in lines_of(explained(cr.Dense(5), cr.Dropout(0.2), cr.Dense(3)), "forward"))


def test_embedding():
    ex = explained(cr.Embedding(7, 4), cr.Flatten(), cr.Dense(3), x=R.integers(0, 7, (8, 5)))
    assert [line.shape for line in ex.lines[:3]] == ["N×5×4", "N×20", "N×3"]
    (table,) = [line for line in ex.lines if line.symbol.startswith("∂L/∂E")]
    assert table.shape == "7×4" and "Σ_n" in table.text


def test_residual_and_parallel_branches():
    ex = explained(cr.Residual(cr.Chain(cr.Dense(4), cr.relu, cr.Dense(4))), cr.Dense(3))
    assert line_of(ex, "u1") == "u1 = x + z2" and line_of(ex, "δu1") == "δu1 = δz3 W3ᵀ"
    ex = explained(cr.Parallel(cr.Dense(4), cr.Chain(cr.Dense(4), cr.tanh)), cr.Add(), cr.Dense(3))
    assert line_of(ex, "u1") == "u1 = z1 + a2"
    ex = explained(cr.Parallel(cr.Dense(4), cr.Chain(cr.Dense(5), cr.tanh)), cr.Concatenate(), cr.Dense(3))
    assert line_of(ex, "u1").endswith("(z1, a2)") and "concat" in line_of(ex, "u1")
    assert line_of(ex, "δa2") == "δa2[n, h2] = δu1[n, h2 + 4]"


def test_residual_around_the_same_layer_twice():
    block = cr.Residual(cr.Chain(cr.Dense(4), cr.tanh))
    ex = explained(block, block, block, cr.Dense(3))
    assert line_of(ex, "z3") == "z3 = u2 W3 + b3" and line_of(ex, "u2") == "u2 = u1 + a2"


def test_standardize_and_scale():
    net = cr.Chain(cr.Standardize(), cr.Dense(5), cr.Scale(), cr.tanh, cr.Dense(3))
    params = net.prepare(net.init(jax.random.key(0), jnp.asarray(X)), jnp.asarray(X))
    ex = examined(net, X, CLASSES, loss=cr.cross_entropy, params=params)
    assert line_of(ex, "u1") == "u1 = (x − mean) / std"
    assert any(line.startswith("∂L/∂γ") for line in lines_of(ex, "backward"))


def test_select():
    ex = explained(cr.Select(1), cr.Dense(3), x=(X, array(8, 5)))
    assert line_of(ex, "z1") == "z1 = x_1 W + b" and line_of(ex, "∂L/∂W") == "∂L/∂W = x_1ᵀ δz1"
    parts = cr.Parallel(cr.Chain(cr.Select("a"), cr.Dense(2)), cr.Chain(cr.Select("b"), cr.Dense(2)))
    ex = explained(parts, cr.Add(), cr.Dense(3), x={"a": X, "b": array(8, 5)})
    assert line_of(ex, "z1") == "z1 = a W1 + b1" and line_of(ex, "z2") == "z2 = b W2 + b2"


def test_flatten_and_reshape():
    ex = explained(cr.Flatten(), cr.Dense(3), x=array(8, 2, 3))
    assert line_of(ex, "u1").startswith("u1 = reshape(x; n, ") and line_of(ex, "∂L/∂W") == "∂L/∂W = u1ᵀ δz1"
    ex = explained(cr.Dense(6), cr.Reshape((2, 3)), cr.tanh, cr.Flatten(), cr.Dense(3))
    assert [line.shape for line in ex.lines[:5]] == ["N×6", "N×2×3", "N×2×3", "N×6", "N×3"]


def test_containers_explain_the_same_each_time():
    net = cr.Chain(
        cr.Parallel(cr.Dense(4), cr.Chain(cr.Dense(5), cr.tanh)), cr.Concatenate(), cr.LayerNorm(), cr.Dense(3)
    )
    one, two = (explain(net, X, CLASSES, loss=cr.cross_entropy).text() for _ in range(2))
    assert one == two
