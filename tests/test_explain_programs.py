"""Programs of plain JAX, explained: pictures, sequences, attention, equations of motion, losses of other libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

import chainrule as cr
from chainrule.equations.explain import explain
from test_explain import array, examined, line_of, lines_of

R = np.random.default_rng(2)
PICTURE = ("NHWC", "HWIO", "NHWC")

# -------------------------------------------------------------------------------------------------------- pictures


def convolved(*shape, **settings):
    """A loss of a convolution, and its kernel."""
    settings = {"window_strides": (1, 1), "padding": "SAME"} | settings

    def f(p, x, y):
        z = lax.conv_general_dilated(x, p["K"], dimension_numbers=PICTURE, **settings) + p["b"]
        return cr.mean_squared_error(jax.nn.relu(z).mean((1, 2)), y).mean()

    return f, {"K": array(*shape), "b": array(shape[-1])}, array(6, 5, 7, 2), array(6, shape[-1])


CONVOLUTIONS = {
    "same": (convolved(3, 2, 2, 4), "+ {u} − 1", "N×5×7×4"),
    "stride": (convolved(3, 2, 2, 4, window_strides=(2, 1), padding="VALID"), "2 {i} + {u}", "N×2×6×4"),
    "dilation": (convolved(3, 2, 2, 4, rhs_dilation=(2, 1), padding="VALID"), "{i} + 2 {u}", "N×1×6×4"),
    "transposed": (convolved(3, 2, 2, 4, lhs_dilation=(2, 1), padding=((1, 1), (0, 1))), "− 1) / 2", "N×9×7×4"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name):
    (f, *args), place, shape = CONVOLUTIONS[name]
    ex = examined(f, *args)
    first = ex.lines[0]
    assert first.shape == shape and first.text.endswith("⊙ K) + b") and first.text.startswith("z1[n, ")
    read, (i, u) = first.text.split("x[")[1], (first.line.labels[1], first.text.split("{")[1].split(",")[0])
    assert place.format(i=i, u=u) in read
    kernel = next(line for line in ex.lines if line.symbol == "∂L/∂K")
    assert kernel.shape == "3×2×2×4" and "(δz1 ⊙ x[n, " in kernel.text
    assert line_of(ex, "∂L/∂b").startswith("∂L/∂b = Σ_{n,") and line_of(ex, "∂L/∂b").endswith("} δz1")


def test_grouped_and_transposed_convolutions():
    f, p, x, y = convolved(3, 2, 1, 4, padding="VALID", feature_group_count=2)
    # the program groups inside of one primitive: that it reads x and K as u1 and u2 is no variable of its own
    ex = examined(f, p, x, y, unvalued=["u1", "u2", "z1"], underived=["δu2", "δz1"])
    assert any(line.symbol == "∂L/∂K" and line.shape == "3×2×1×4" for line in ex.lines)

    def g(p, x):
        return jnp.mean(jnp.tanh(lax.conv_transpose(x, p, (2, 2), "SAME", dimension_numbers=PICTURE)) ** 2)

    assert examined(g, array(3, 3, 2, 4), x).lines[0].shape == "N×10×14×4"


def test_convolution_of_a_series_and_its_largest_number():
    def f(p, x, y):
        z = lax.conv_general_dilated(x, p["K"], (2,), [(1, 0)], dimension_numbers=("NWC", "WIO", "NWC")) + p["b"]
        return ((z.max(1) - y) ** 2).mean()

    ex = examined(f, {"K": array(3, 2, 4), "b": array(4)}, array(6, 8, 2), array(6, 4))
    assert line_of(ex, "M1").startswith("M1 = max_") and line_of(ex, "g1") == "g1 = 1[z1 = M1]"


def test_a_network_for_pictures():
    """Convolution, max pooling, convolution, average pooling, dense layer."""

    def f(p, x, y):
        z = lax.conv_general_dilated(x, p[0]["K"], (1, 1), "VALID", dimension_numbers=PICTURE) + p[0]["b"]
        a = lax.reduce_window(jax.nn.relu(z), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        z = lax.conv_general_dilated(a, p[1]["K"], (1, 1), "SAME", dimension_numbers=PICTURE) + p[1]["b"]
        a = lax.reduce_window(jax.nn.relu(z), 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID") / 4
        return cr.cross_entropy(a.reshape(a.shape[0], -1) @ p[2]["W"] + p[2]["b"], y).mean()

    p = [{"K": array(2, 2, 1, 2), "b": array(2)}, {"K": array(2, 2, 2, 3), "b": array(3)}]
    ex = examined(f, [*p, {"W": array(18, 3), "b": array(3)}], array(4, 7, 9, 1), R.integers(0, 3, 4))
    assert "max_{" in line_of(ex, "M1") and "mean_{" in line_of(ex, "μ1")
    assert [line.symbol for line in ex.lines if line.symbol.startswith("∂")] == [
        "∂L/∂W3",
        "∂L/∂b3",
        "∂L/∂K2",
        "∂L/∂b2",
        "∂L/∂K1",
        "∂L/∂b1",
    ]


# ------------------------------------------------------------------------------------------------------- sequences


def test_a_recurrent_network():
    def f(p, x, y):
        def step(h, x):
            h = jnp.tanh(x @ p["W"] + h @ p["U"] + p["b"])
            return h, None

        h, _ = lax.scan(step, jnp.zeros((x.shape[0], 4)), x.swapaxes(0, 1))
        return cr.cross_entropy(h @ p["V"] + p["c"], y).mean()

    p = {"W": array(3, 4), "U": array(4, 4), "b": array(4), "V": array(4, 2), "c": array(2)}
    ex = examined(f, p, array(6, 5, 3), R.integers(0, 2, 6))
    assert [line.text for line in ex.lines[:3]] == [
        "h1₋ = before_t(h1, 0)",
        "z1 = x W + h1₋ U + b",
        "h1 = tanh(z1)",
    ]
    assert line_of(ex, "δh1") == "δh1 = after_t(δh1₋, δu1)" and line_of(ex, "δz1") == "δz1 = δh1 ⊙ (1 − h1²)"
    assert line_of(ex, "∂L/∂U") == "∂L/∂U = Σ_t (h1₋ᵀ δz1)" and line_of(ex, "δh1₋") == "δh1₋ = δz1 Uᵀ"


def test_lstm():
    def f(p, x, y):
        def step(carry, x):
            h, c = carry
            i, g, o, u = jnp.split(x @ p["W"] + h @ p["U"] + p["b"], 4, -1)
            c = jax.nn.sigmoid(g) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), None

        start = jnp.zeros((x.shape[0], 4))
        (h, _), _ = lax.scan(step, (start, start), x.swapaxes(0, 1))
        return jnp.mean((h @ p["V"] - y) ** 2)

    p = {"W": array(3, 16), "U": array(4, 16), "b": array(16), "V": array(4, 2)}
    ex = examined(f, p, array(6, 5, 3), array(6, 2))
    assert line_of(ex, "z1") == "z1 = x W + h₋ U + b" and line_of(ex, "c") == "c = f ⊙ c₋ + i ⊙ g"
    assert line_of(ex, "δc₋") == "δc₋ = δc ⊙ f"  # the cell's own path
    assert "concat" in line_of(ex, "δz1")


def test_gru():
    def f(p, x, y):
        def step(h, x):
            r, z = (jax.nn.sigmoid(x @ p["W" + k] + h @ p["U" + k]) for k in "rz")
            h = (1 - z) * h + z * jnp.tanh(x @ p["Wh"] + (r * h) @ p["Uh"])
            return h, h

        _, hs = lax.scan(step, jnp.zeros((x.shape[0], 4)), x.swapaxes(0, 1))
        return jnp.mean((hs.swapaxes(0, 1) @ p["V"] - y) ** 2)

    p = {"W" + k: array(3, 4) for k in "rzh"} | {"U" + k: array(4, 4) for k in "rzh"} | {"V": array(4, 2)}
    ex = examined(f, p, array(6, 5, 3), array(6, 5, 2))
    assert line_of(ex, "h1").startswith("h1 = (1 − a") and sum(line.symbol[:2] == "∂L" for line in ex.lines) == 7


# ------------------------------------------------------------------------------------------------------- attention


def test_attention_by_hand():
    def f(p, x):
        q, k, v = x @ p["Wq"], x @ p["Wk"], x @ p["Wv"]
        return jnp.mean((jax.nn.softmax(q @ k.swapaxes(1, 2) / jnp.sqrt(3.0)) @ v) ** 2)

    ex = examined(f, {c: array(4, 3) for c in ("Wq", "Wk", "Wv")}, array(6, 5, 4))
    assert {"z1 = x Wq", "z2 = x Wk", "z3 = z1 z2ᵀ"} <= {line.text for line in ex.lines}
    assert line_of(ex, "p1").startswith("p1 = softmax_t′(")
    assert "p1 ⊙ (δp1 − Σ_t′ (p1 ⊙ δp1))" in line_of(ex, "δz3")
    assert line_of(ex, "δz1") == "δz1 = δz3 z2" and line_of(ex, "δz2") == "δz2 = δz3ᵀ z1"
    assert line_of(ex, "∂L/∂Wq") == "∂L/∂Wq = Σ_n (xᵀ δz1)"


def test_a_softmax_written_out_is_recognized():
    def f(w, x):
        s = x @ w
        e = jnp.exp(s - s.max(-1, keepdims=True))
        return jnp.mean((e / e.sum(-1, keepdims=True)) ** 2)

    assert line_of(examined(f, array(4, 3), array(6, 4)), "p1") == "p1 = softmax(z1)"


def heads_of_attention(p, x, mask=None):
    q, k, v = (jnp.einsum("ntd,dhe->nhte", x, p[c]) for c in "qkv")
    s = jnp.einsum("nhte,nhse->nhts", q, k) / jnp.sqrt(3.0)
    s = s if mask is None else jnp.where(mask, s, -1e30)
    return jnp.einsum("nthe,hed->ntd", jnp.einsum("nhts,nhse->nthe", jax.nn.softmax(s), v), p["o"])


HEADS = {c: array(4, 2, 3) for c in "qkv"} | {"o": array(2, 3, 4)}


def test_heads_of_attention_with_a_mask():
    x = array(6, 5, 4)
    ex = examined(lambda p, x: jnp.mean(heads_of_attention(p, x, jnp.tril(jnp.ones((5, 5), bool))) ** 2), HEADS, x)
    assert any("1[t ≥ t′]" in line for line in lines_of(ex, "forward"))
    assert {line.shape for line in ex.lines if line.symbol in ("p1", "δp1")} == {"N×2×5×5"}
    assert [line.shape for line in ex.lines if line.symbol.startswith("∂")].count("4×2×3") == 3


def test_a_transformer_block():
    def norm(p, x):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * p["gamma"] + p["beta"]

    def f(p, x, y):
        x = x + heads_of_attention(p["heads"], norm(p["norm1"], x))
        h = jax.nn.gelu(norm(p["norm2"], x) @ p["mlp"]["W1"] + p["mlp"]["b1"], approximate=False)
        x = x + h @ p["mlp"]["W2"] + p["mlp"]["b2"]
        return cr.cross_entropy(x.mean(1) @ p["V"], y).mean()

    mlp = {"W1": array(4, 8), "b1": array(8), "W2": array(8, 4), "b2": array(4)}
    norms = {f"norm{k}": {"gamma": array(4), "beta": array(4)} for k in (1, 2)}
    ex = examined(f, {"heads": HEADS, "mlp": mlp, "V": array(4, 3), **norms}, array(6, 5, 4), R.integers(0, 3, 6))
    assert sum("softmax_t′" in line for line in lines_of(ex, "forward")) == 1
    assert sum("GELU" in line for line in lines_of(ex, "forward")) == 1
    assert sum(line.symbol.startswith("∂L/∂") for line in ex.lines) == 13
    assert explain(f, ex.derivation.subject.params, *ex.derivation.subject.data).text() == ex.text()


# ------------------------------------------------------------------------------------------- derivatives in programs


@pytest.mark.parametrize("loop", ["fori_loop", "scan"])
def test_a_neural_ode_by_runge_kutta(loop):
    def f(p, x, y):
        def slope(z):
            return jnp.tanh(z @ p["W"] + p["b"])

        def step(z):
            k1 = slope(z)
            k2 = slope(z + 0.05 * k1)
            k3 = slope(z + 0.05 * k2)
            return z + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + slope(z + 0.1 * k3))

        if loop == "scan":
            z, _ = lax.scan(lambda z, _: (step(z), None), x, length=10)
        else:
            z = lax.fori_loop(0, 10, lambda i, z: step(z), x)
        return jnp.mean((z - y) ** 2)

    ex = examined(f, {"W": array(3, 3), "b": array(3)}, array(6, 3), array(6, 3))
    assert line_of(ex, "h1₋") == "h1₋ = before_t(h1, x)" and line_of(ex, "u1") == "u1 = h1₋ + a1 / 20"
    assert line_of(ex, "h1").endswith("(a1 + 2 a2 + 2 a3 + a4)")
    assert line_of(ex, "∂L/∂b") == "∂L/∂b = Σ_{t,n} δz4 + Σ_{t,n} δz3 + Σ_{t,n} δz2 + Σ_{t,n} δz1"


@pytest.mark.parametrize("order", [1, 2])
def test_a_loss_that_holds_a_derivative(order):
    """u' = −u with u(0) = 1 by a gradient, u'' = −u by two directional derivatives."""

    def f(p, x):
        def u(s):
            return jnp.tanh(s * p["w"] + p["b"]) @ p["v"]

        def d(g):
            return lambda s: jax.jvp(g, (s,), (1.0,))[1]

        slopes = jax.vmap(jax.grad(u) if order == 1 else d(d(u)))(x)
        return jnp.mean((slopes + jax.vmap(u)(x)) ** 2) + (u(0.0) - 1) ** 2

    ex = examined(f, {c: array(5) for c in "wbv"}, array(6))
    assert sum(line.symbol.startswith("∂L/∂") for line in ex.lines) == 3
    assert any(line.startswith("L = Σ_n (") and line.endswith("− 1)²") for line in lines_of(ex, "loss"))


# -------------------------------------------------------------------------------------------------- losses of optax

POINTS, LABELS = array(6, 3), R.integers(0, 3, 6)
ONE_HOT, SIGNS = np.eye(3, dtype=np.float32)[LABELS], np.sign(POINTS)
CHANCES = np.abs(POINTS) / np.abs(POINTS).sum(1, keepdims=True)
OPTAX = {
    "l2_loss": (POINTS, "δz1 = (z1 − y) / (3 N)"),
    "squared_error": (POINTS, "δz1 = 2 (z1 − y) / (3 N)"),
    "huber_loss": (POINTS, None),
    "log_cosh": (POINTS, None),
    "cosine_similarity": (POINTS, None),
    "cosine_distance": (POINTS, None),
    "softmax_cross_entropy": (ONE_HOT, None),
    "safe_softmax_cross_entropy": (ONE_HOT, None),
    "softmax_cross_entropy_with_integer_labels": (LABELS, "δz1 = (softmax(z1) − 1[h1 = y]) / N"),
    "sigmoid_binary_cross_entropy": (ONE_HOT, None),
    "sigmoid_focal_loss": (0.05 + 0.8 * ONE_HOT, None, ["u6", "u7", "u9", "u10"], ["δu9", "δu10"]),
    "hinge_loss": (SIGNS, "δz1 = −δu1 ⊙ y"),
    "perceptron_loss": (SIGNS, "δz1 = −δu1 ⊙ y"),
    "poly_loss_cross_entropy": (ONE_HOT, None),
    "multiclass_hinge_loss": (LABELS, None),
    "multiclass_perceptron_loss": (LABELS, None),
    "dice_loss": (ONE_HOT, None),
    "ranking_softmax_loss": (POINTS, None),
    "sparsemax_loss": (ONE_HOT, None),
    "kl_divergence": (CHANCES, None),
}


@pytest.mark.parametrize("name", OPTAX)
def test_losses_of_optax(name):
    y, slope, *unchecked = OPTAX[name]
    loss = getattr(optax.losses, name)

    def f(p, x, y):
        z = x @ p["W"] + p["b"]
        return jnp.mean(loss(jax.nn.log_softmax(z) if name == "kl_divergence" else z, y))

    unvalued, underived = unchecked or ([], [])
    ex = examined(f, {"W": array(4, 3), "b": array(3)}, array(6, 4), y, unvalued=unvalued, underived=underived)
    assert line_of(ex, "z1") == "z1 = x W + b" and line_of(ex, "∂L/∂W").startswith("∂L/∂W = xᵀ δ")
    assert slope is None or line_of(ex, "δz1") == slope


# ------------------------------------------------------------------------------------------------------ without rule


def test_sorting_has_no_rule():
    ex = examined(lambda w, x: jnp.sum(jnp.sort(x * w, axis=1)[:, 0]), array(4), array(6, 4), opaque=["sort"])
    assert "2 opaque (computed, not derived)" in ex.verdict and line_of(ex, "u2") == "u2 = opaque sort(u1)"
    assert line_of(ex, "∂L/∂w") == "∂L/∂w = Σ_n (δu1 ⊙ x)"


def test_the_cholesky_factor_has_no_rule():
    examined(lambda w: jnp.sum(jnp.linalg.cholesky(w @ w.T + 5 * jnp.eye(4))), array(4, 4), opaque=["cholesky"])


def test_a_loop_of_unknown_length_has_no_rule():
    def f(w, x):
        steps = lax.while_loop(lambda c: c[1] < 5, lambda c: (c[0] * 2, c[1] + 1), (1.0, 0))[0]
        return jnp.mean(w * x * steps)

    examined(f, array(4), array(6, 4), opaque=["while"])


def test_a_derivative_of_the_programs_own_has_no_rule():
    """The program says what the derivative is: it is used, and said to be the program's."""

    @jax.custom_vjp
    def clipped(x):
        return x * 1.0

    clipped.defvjp(lambda x: (x * 1.0, None), lambda _, g: (jnp.clip(g, -0.01, 0.01),))
    ex = examined(lambda w, x: jnp.mean(clipped(jnp.tanh(x @ w)) ** 2), array(4, 3), array(6, 4), opaque=["clipped"])
    assert line_of(ex, "∂L/∂w") == "∂L/∂w = xᵀ δz1"
