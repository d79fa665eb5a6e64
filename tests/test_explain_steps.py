"""How lines follow: each step that claims an equality is read back and computed, and contributions sum to autodiff."""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.equations import numbers
from chainrule.equations.checks import grammar, meaning
from chainrule.equations.checks import readings as readings_of
from chainrule.equations.checks.values import arguments, checked_values
from chainrule.equations.derivation.derive import Derivation, derive
from chainrule.equations.derivation.rules import SLOPES
from chainrule.equations.formula import Line
from chainrule.equations.prints import text
from chainrule.equations.steps import steps, unfolded
from chainrule.trace.evaluate import full
from chainrule.trace.graph import number
from chainrule.trace.subject import subject

TOLERANCE = 1e-9


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X = normal(1, 20, 4)
LABELS = np.random.default_rng(2).integers(0, 3, 20)


def convolution(p, x):
    z = jax.lax.conv_general_dilated(
        x, p["K"], (2, 1), "SAME", rhs_dilation=(1, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return (jax.nn.relu(z + p["b"]) ** 2).mean()


def attention(p, x):
    q, k, v = (jnp.einsum("ntd,dhe->nhte", x, p[c]) for c in "qkv")
    scores = jnp.where(jnp.tril(jnp.ones((5, 5), bool)), jnp.einsum("nhte,nhse->nhts", q, k) / 2, -1e30)
    return (jnp.einsum("nhts,nhse->nthe", jax.nn.softmax(scores), v) ** 2).mean()


def lstm(p, x, y):
    def step(c, x):
        h, s = c
        i, f, g, o = jnp.split(x @ p["Wx"] + h @ p["Wh"] + p["b"], 4, -1)
        s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(s)
        return (h, s), h

    start = jnp.zeros((x.shape[0], 5))
    (h, _), every = jax.lax.scan(step, (start, start), x.swapaxes(0, 1))
    return ((h @ p["V"] - y) ** 2).mean() + (every**2).sum()


def pooling(w, x):
    return (jax.lax.reduce_window(x * w, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") ** 2).mean()


def mixture(w, x, y):
    z = x @ w
    chances = -(jnp.log(jax.nn.softmax(z) + 0.1) * y).mean()
    return chances + jax.nn.logsumexp(z, 1).mean() + z.max(1).sum() + jnp.prod(z, 1).mean()


def choices(w, x):
    z = x @ w
    return jnp.where(z > 0, z**2, jnp.sin(z)).mean() + jnp.maximum(z, 0.1).sum() + jnp.arctan2(z, z + 9).sum()


def pieces(w, v, x):
    u = jnp.concatenate([jnp.tanh(x @ w), jnp.exp(x @ v)], 1)
    return (u.reshape(u.shape[0], 2, 3).sum(1) ** 3).mean()


def network(*layers, y: Any = LABELS, loss: Any = cr.cross_entropy, training=False):
    return lambda: derive(subject(cr.Chain(*layers), X, y, loss=loss, training=training))


def function(f, *args, argnums: Any = 0):
    return lambda: derive(subject(f, *args, argnums=argnums))


PROGRAMS = {
    "classifier": network(cr.Dense(16), cr.relu, cr.Dense(16), cr.relu, cr.Dense(3)),
    "normalized": network(
        *(cr.Dense(5), cr.tanh, cr.LayerNorm(), cr.Residual(cr.Chain(cr.Dense(5), cr.silu)), cr.BatchNorm()),
        *(cr.Dropout(0.5), cr.Dense(3)),
        y=normal(3, 20, 3),
        loss="mse",
        training=True,
    ),
    "likelihood": network(cr.Dense(5), cr.gelu, cr.Dense(2), y=normal(4, 20, 1), loss=cr.gaussian_nll),
    "huber": network(cr.Dense(5), cr.elu, cr.Dense(2), y=normal(5, 20, 2), loss=cr.huber),
    "convolution": function(convolution, {"K": normal(6, 3, 3, 2, 4), "b": normal(7, 4)}, normal(8, 3, 7, 8, 2)),
    "attention": function(attention, {c: normal(ord(c), 4, 2, 3) for c in "qkv"}, normal(9, 6, 5, 4)),
    "lstm": function(
        *(lstm, {"Wx": normal(10, 3, 20), "Wh": normal(11, 5, 20), "b": normal(12, 20), "V": normal(13, 5, 2)}),
        *(normal(14, 4, 6, 3), normal(15, 4, 2)),
    ),
    "lookup": function(
        *(lambda E, ids, w: ((E[ids].mean(1) - w) ** 2).mean(), normal(16, 9, 4)),
        *(np.random.default_rng(17).integers(0, 9, (6, 5)), normal(18, 6, 4)),
    ),
    "mixture": function(mixture, normal(19, 4, 3), normal(20, 6, 4), normal(21, 6, 3)),
    "choices": function(choices, normal(22, 4, 3), normal(23, 6, 4)),
    "pieces": function(pieces, normal(24, 4, 2), normal(25, 4, 4), normal(26, 6, 4), argnums=(0, 1)),
    "pooling": function(pooling, normal(27, 4, 4, 3), normal(28, 6, 4, 4, 3)),
    "shared": function(lambda W, x: (jnp.tanh(jnp.tanh(x @ W) @ W) ** 2).mean(), normal(29, 4, 4), normal(30, 6, 4)),
    "no examples": function(
        *(lambda W, A, c: ((A @ W) ** 2).sum() + (c * W).sum(), normal(31, 4), normal(32, 3, 4), normal(33, 4))
    ),
}


@functools.cache
def derivation(name: str) -> Derivation:
    return PROGRAMS[name]()


@functools.cache
def readings(name: str):
    """Values of nodes by the graph, gradients by autodiff, and the values of symbols, all of the same inputs."""
    d = derivation(name)
    first, inputs = d.derived[0], arguments(d, d.derived[0], 0)
    lines = {n for s in d.statements for n in (s.view.node, s.by) if n is not None}
    return checked_values(first, lines, inputs), readings_of.known(d, first, inputs)


def computed(known, labels, formula):
    """The value of a formula, through its print and the independent reader."""
    values = {**known.values, "Q": meaning.Labeled(np.zeros(()), labels)}
    line = grammar.parse(text.line(Line("Q", labels, formula)), grammar.Vocabulary(values, known.sizes))
    return meaning.evaluate(line, values, known.sizes, known.examples).value


def worst(name):
    """The largest relative error of all equalities that are claimed, and how many there are."""
    values, known = readings(name)
    errors = []
    for statement in derivation(name).statements:
        for step in unfolded(derivation(name), statement.line.symbol):
            for formula in step.formulas:
                assert step.view is not None
                expected = full(step.view, values.graph)
                if statement.by is not None and step.text == text.line(statement.line):
                    expected = known.values[statement.line.symbol].value
                got = computed(known, step.labels, formula)
                assert got.size == expected.size, step.text
                error = np.abs(got - expected.reshape(got.shape)).max() / (np.abs(expected).max() or 1)
                errors.append((float(error), step.text))
    return max(errors), len(errors)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_equality_of_every_step_holds(name):
    (error, step), count = worst(name)
    assert error < TOLERANCE, step
    assert count > len(derivation(name).statements)


@pytest.mark.parametrize("name", PROGRAMS)
def test_contributions_sum_to_the_gradient_of_autodiff(name):
    values, known = readings(name)
    checked = 0
    for s in derivation(name).statements:
        if s.by is None or s.by not in values.gradient or s.by is derivation(name).derived[0].graph.outputs[0].node:
            continue
        rows = unfolded(derivation(name), s.line.symbol)
        first = s.line.symbol + " = "
        through = [r for r in rows if r.formulas and r.text.startswith("through ")]
        through = [r for r in through if r.labels == s.line.labels] if through else []
        own = [r for r in rows if r.formulas and r.text.startswith(first)]
        parts = derivation(name).derived[0].backward.parts[s.by]
        used = through[-len(parts) :] if len(parts) > 1 else own[:1]
        assert len(used) == len(parts), rows
        for pick in (0, -1):  # the slope times the gradient of the reader, and the same simplified
            total = sum(computed(known, r.labels, r.formulas[pick]) for r in used)
            gradient = values.gradient[s.by].transpose(s.order)
            scale = max(np.abs(full(v, values.graph)).max() for _, v in parts)
            assert np.abs(total - gradient).max() <= TOLERANCE * scale, s.line.symbol
        checked += 1
    assert checked > 1


@pytest.mark.parametrize(("name", "operation"), [("classifier", "relu"), ("normalized", "tanh"), ("mixture", "log")])
def test_a_wrong_slope_is_seen(name, operation, monkeypatch):
    derivation(name)
    right = SLOPES[operation]
    monkeypatch.setitem(SLOPES, operation, lambda a, y: (*right(a, y)[:-1], number(3.0, a.shape)))
    assert worst(name)[0][0] > 1e-3


def test_the_steps_of_a_network_are_those_of_a_textbook():
    d = derivation("classifier")
    assert steps(d, "δz2") == (
        "z2 is read by a2 = ReLU(z2)",
        "δz2 = δa2 · ∂a2/∂z2",
        "∂a2/∂z2 = 1[z2 > 0]",
        "δz2 = δa2 ⊙ 1[z2 > 0]",
    )
    assert steps(d, "δa2") == (
        "a2 is read by z3 = a2 W3 + b3",
        "δa2 = δz3 · ∂z3/∂a2",
        "∂z3[n, k]/∂a2[n, h2] = W3[h2, k]",
        "δa2 = Σ_k (δz3 ⊙ W3) = δz3 W3ᵀ",
    )
    assert steps(d, "∂L/∂W1")[2:] == ("∂z1[n, h1]/∂W1[d, h1] = x[n, d]", "∂L/∂W1 = Σ_n (δz1 ⊙ x) = xᵀ δz1")
    assert steps(d, "∂L/∂b1")[-1] == "∂L/∂b1 = Σ_n δz1"
    assert steps(d, "a1")[0] == "a1 = ReLU(z1)"
    assert steps(d, "a1")[-1] == "ReLU(z) is z where z is positive, else 0."
    assert "parameter params[0]['W']" in steps(d, "W1")[0]


def test_several_readers_are_several_terms():
    rows = steps(derivation("shared"), "∂L/∂W")
    assert rows[0] == "W is read by z1 = x W and by z2 = a1 W"
    assert rows[1] == "∂L/∂W = δz1 · ∂z1/∂W + δz2 · ∂z2/∂W"
    assert sum(row.startswith("through ") for row in rows) == 2


def test_what_has_no_name_is_walked_one_by_one():
    rows = steps(derivation("lstm"), "δz2")
    assert "∂((z2 − y)²)/∂(z2 − y) = 2 (z2 − y)" in rows
    assert "∂L/∂((z2 − y)²) = 1 / (2 N)" in rows
    assert rows[-1] == "δz2 = (z2 − y) / N"


def test_a_loop_says_what_the_step_after_sends_back():
    rows = steps(derivation("lstm"), "δc")
    assert rows[1] == "δc = δc₊ + δu4 · ∂u4/∂c"
    assert "through the step after: δc₊" in rows
    assert "what flows back through u5 comes in at the end of δh₊" in steps(derivation("lstm"), "δh")
    assert "the step after" in steps(derivation("lstm"), "dc+")[0]


def test_no_gradient_flows_through_a_stop():
    def centered(W, x):
        z = x @ W
        return ((z - jax.lax.stop_gradient(z.max(1, keepdims=True))) ** 2).mean()

    rows = steps(function(centered, normal(1, 4, 3), normal(2, 6, 4))(), "dz1")
    assert rows[:3] == (
        "z1 is read by M1 = max(z1) and by u1 = z1 − stop(M1)",
        "what flows back through M1 is 0",
        "δz1 = δu1 · ∂u1/∂z1",
    )


JACOBIAN = re.compile(r"∂([^\[\]()]+)\[([^\]]*)\]/∂([^\[\]()]+)\[([^\]]*)\] = (.*)")


@pytest.mark.parametrize(
    ("name", "symbol", "f"),
    [
        ("mixture", "δz1", {"p1": jax.nn.softmax, "r1": lambda z: jax.nn.logsumexp(z, 1), "M1": lambda z: z.max(1)}),
        ("classifier", "δz3", {"ℓ": lambda z, y: jax.nn.logsumexp(z, 1) - z[jnp.arange(len(z)), y.astype(int)]}),
        ("classifier", "δa2", {"z3": lambda a, W, b: a @ W + b}),
        ("classifier", "∂L/∂W2", {"z2": lambda W, a, b: a @ W + b}),
        ("attention", "δz3", {"z4": lambda k, q: jnp.einsum("nhte,nhse->nhts", q, k)}),
    ],
)
def test_a_local_jacobian_is_that_of_jax(name, symbol, f):
    """The formula with places, read over all labels at once, is the part of JAX's Jacobian at these places."""
    known = readings(name)[1]
    others = {"ℓ": ["y"], "z3": ["W3", "b3"], "z2": ["a1", "b2"], "z4": ["z2"]}
    seen = 0
    for row in steps(derivation(name), symbol):
        found = JACOBIAN.fullmatch(row)
        if found is None or found[1] not in f:
            continue
        reader, top, read, bottom, right = found.groups()
        top, bottom = top.split(", "), bottom.split(", ")
        labels = tuple(dict.fromkeys([*top, *bottom]))
        values = {**known.values, "Q": meaning.Labeled(np.zeros(()), labels)}
        parsed = grammar.parse(f"Q = {right}", grammar.Vocabulary(values, known.sizes))
        got = meaning.evaluate(parsed, values, known.sizes, known.examples).value
        with jax.enable_x64(True):
            given = [jnp.asarray(known.values[n].value) for n in (read, *others.get(reader, ()))]
            full_ = np.asarray(jax.jacobian(f[reader])(*given))
        letters = dict(zip(labels, "abcdefgh", strict=False))
        places = "".join(letters[x] for x in [*top, *bottom])
        expected = np.einsum(f"{places}->{''.join(letters.values())}", full_)
        assert np.allclose(got, expected, rtol=1e-9, atol=1e-12), row
        seen += 1
    assert seen == len(f)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_symbol_has_steps_that_end_in_its_line(name):
    d = derivation(name)
    for s in d.statements:
        rows = steps(d, s.line.symbol)
        last = rows[-1] if s.line.kind == "backward" else rows[0]
        assert last.endswith(f"= {text.text(s.line.formula)}"), rows
        assert all("\n" not in row for row in rows)


def test_symbols_may_be_written_in_ascii():
    d = derivation("classifier")
    assert steps(d, "dz2") == steps(d, "dL/dz2") == steps(d, "∂L/∂z2") == steps(d, " δz2 ")
    assert steps(d, "dL/dW1") == steps(d, "∂L/∂W1")
    assert steps(d, "ell") == steps(d, "ℓ")
    assert steps(derivation("normalized"), "dL/dgamma1") == steps(derivation("normalized"), "∂L/∂γ1")
    assert steps(derivation("lstm"), "h-") == steps(derivation("lstm"), "h₋")


def test_an_unknown_symbol_names_those_that_are_near():
    with pytest.raises(cr.CannotExplain, match="Near are .*z2"):
        steps(derivation("classifier"), "z22")
    with pytest.raises(cr.CannotExplain, match="no symbol ''"):
        numbers.expand(derivation("classifier"), "")
