"""Update lines are the optimizer: what is printed, computed step by step, gives the parameters that training gives."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chainrule as cr
from chainrule.equations.checks import grammar, meaning
from chainrule.equations.derivation import algebra
from chainrule.equations.derivation.compose import Composer
from chainrule.equations.update import update_statements
from chainrule.trace.evaluate import ELEMENTWISE
from chainrule.trace.subject import Update
from chainrule.train.explained import SYMBOLS, update_of
from chainrule.train.optimizers import Optimizer
from chainrule.train.schedules import rates_of

STEPS = 3
OPTIMIZERS = [
    cr.sgd(0.1),
    cr.sgd(0.1, momentum=0.9),
    cr.sgd(cr.exponential(0.1, decay=0.5), momentum=0.8, nesterov=True),
    cr.adagrad(0.1, epsilon=0.01),
    cr.rmsprop(0.02, rho=0.8),
    cr.rmsprop(0.02, momentum=0.7, epsilon=1e-3),
    cr.adam(0.05),
    cr.adam(0.05, beta_1=0.0, epsilon=0.1),
    cr.adamw(cr.cosine(0.05), weight_decay=0.3),
    cr.adamw(0.05, weight_decay=1),
]
WHOLE = {
    "sgd": ["W₊ = W − η g"],
    "momentum": ["v₊ = g + μ v", "W₊ = W − η v₊"],
    "nesterov": ["v₊ = g + μ v", "W₊ = W − η (g + μ v₊)"],
    "adagrad": ["s₊ = s + g²", "W₊ = W − η g / (√(s₊) + ε)"],
    "rmsprop": ["s₊ = (1 − ρ) ⊙ g² + ρ s", "W₊ = W − η g / (√(s₊) + ε)"],
    "adam": [
        "m₊ = (1 − β1) ⊙ g + β1 m",
        "v₊ = (1 − β2) ⊙ g² + β2 v",
        "m̂ = m₊ / (1 − β1^t)",
        "v̂ = v₊ / (1 − β2^t)",
        "W₊ = W − η m̂ / (√(v̂) + ε)",
    ],
}


def explained(optimizer, taken=()):
    update = update_of(optimizer)
    assert update is not None
    return update_statements(update, taken)


def printed_step(lines, values):
    """The printed lines, read in order by the independent reader; a symbol with ₊ is its next value."""
    values = dict(values)
    for line in lines:
        known = values | {line.symbol: values["W"]}
        size = {"i": values["W"].value.size}
        parsed = grammar.parse(line.text, grammar.Vocabulary(known, size))
        values[line.symbol] = meaning.evaluate(parsed, known, size, 1)
    return values | {s.removesuffix("₊"): v for s, v in values.items() if s.endswith("₊")}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_printed_lines_computed_in_numpy_take_the_steps_of_training(optimizer):
    lines, _ = explained(optimizer)
    assert [line.status for line in lines] == ["verified"] * len(lines)
    rng = np.random.default_rng(0)
    net = cr.Chain(cr.Dense(1))
    with jax.enable_x64(True):
        x, y = jnp.asarray(rng.normal(size=(7, 3))), jnp.asarray(rng.normal(size=(7, 1)))
        init, update = cr.train.step(net, cr.mean_squared_error, optimizer, total=STEPS)
        start = ({"W": jnp.asarray(rng.normal(size=(3, 1))), "b": jnp.asarray([0.4])},)
        state = init(start)
        own = {}
        for name, value in start[0].items():
            zeros = meaning.Labeled(np.zeros(value.size), ("i",))
            own[name] = {"W": meaning.Labeled(np.asarray(value).ravel(), ("i",))} | dict.fromkeys("mvs", zeros)
        gradient = jax.grad(lambda p: jnp.mean((x @ p[0]["W"] + p[0]["b"] - y) ** 2))
        rates = rates_of(optimizer.learning_rate, np.arange(STEPS), STEPS, 1)
        for t, rate in enumerate(rates, 1):
            p = {name: jnp.asarray(values["W"].value).reshape(start[0][name].shape) for name, values in own.items()}
            slopes = gradient((p,))[0]
            for name in own:
                single = {"η": rate, "t": t} | {s: getattr(optimizer, f, 0.0) for f, s in SYMBOLS.items()}
                if name == "b":
                    single["λ"] = 0.0  # biases do not decay
                own[name] |= {s: meaning.Labeled(np.asarray(float(v)), ()) for s, v in single.items()}
                own[name]["g"] = meaning.Labeled(np.asarray(slopes[name]).ravel(), ("i",))
                own[name] = printed_step(lines, own[name])
            state, _ = update(state, x, y)
            for name, values in own.items():
                expected = np.asarray(state.params[0][name]).ravel()
                np.testing.assert_allclose(values["W"].value, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("sgd", cr.sgd(0.1)),
        ("momentum", cr.sgd(0.1, momentum=0.9)),
        ("nesterov", cr.sgd(0.1, momentum=0.9, nesterov=True)),
        ("adagrad", cr.adagrad()),
        ("rmsprop", cr.rmsprop()),
        ("adam", cr.adam()),
    ],
)
def test_lines_read_as_in_a_textbook(name, optimizer):
    lines, _ = explained(optimizer)
    assert [line.text for line in lines] == WHOLE[name]


def test_every_symbol_of_the_lines_is_in_the_legend_once_with_the_number_that_runs():
    lines, entries = explained(cr.adamw(0.02, beta_1=0.85, weight_decay=0.25))
    words = {e.symbol: e.words for e in entries}
    assert len(words) == len(entries)
    assert set(words) == {"W", "g", "m", "v", "η", "β1", "β2", "ε", "λ", "t", "m₊", "v₊", "m̂", "v̂", "W₊"}
    assert words["η"] == "the learning rate, 0.02" and words["β1"] == "beta_1 = 0.85"
    assert "weight_decay = 0.25" in words["λ"] and "biases" in words["λ"]
    assert {line.shape for line in lines} == {"like W"}


def test_symbols_of_the_network_are_left_to_it():
    lines, entries = explained(cr.adam(), taken=("W", "b", "β1", "m"))
    assert lines[-1].text == "θ₊ = θ − η m̂_2 / (√(v̂) + ε)" and lines[-1].status == "verified"
    assert not {"W", "β1", "β2", "m"} & {e.symbol for e in entries}
    assert "ρ1" in lines[0].text and "ρ2" in lines[1].text


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_number_counts_at_the_values_of_the_check(optimizer):
    """A symbol that is lost in print must show: the check is at numbers of which each moves some line."""
    update = update_of(optimizer)
    lines, entries = update_statements(update)
    shown = {e.symbol for e in entries}
    with jax.enable_x64(True):
        before = jax.tree.leaves(update.function(*map(jnp.asarray, update.args)))
        for k, name in enumerate(update.names):
            if name not in shown or name == "t":
                continue
            args = [a * (1 + 1e-3 * (i == k)) for i, a in enumerate(update.args)]
            after = jax.tree.leaves(update.function(*map(jnp.asarray, args)))
            moved = max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
            assert moved > 1e-6, name


def test_a_wrong_print_and_a_wrong_value_are_caught(monkeypatch):
    plus, times = algebra.plus, algebra.times
    with monkeypatch.context() as wrong:
        wrong.setattr(algebra, "plus", lambda a, b, sign=1: plus(a, b, 1))
        lines, _ = explained(cr.adam())
        assert lines[0].status == "failed" and lines[0].errors["value"] < 1e-9 < lines[0].errors["printed"]
        assert "printed" in lines[0].reason
    with monkeypatch.context() as wrong:
        wrong.setattr(algebra, "times", lambda a, b: a if b == a else times(a, b))
        assert explained(cr.adagrad())[0][0].status == "failed"
    with monkeypatch.context() as wrong:
        wrong.setitem(ELEMENTWISE, "sqrt", np.cbrt)
        lines, _ = explained(cr.rmsprop())
        assert [line.status for line in lines] == ["verified", "failed"]
        assert lines[1].errors["value"] > 1e-3 and lines[1].errors["printed"] < 1e-9
    with monkeypatch.context() as wrong:
        wrong.setattr(Composer, "line", lambda self, node: algebra.formula(algebra.Ratio(tops=())))
        assert {line.status for line in explained(cr.sgd(0.1))[0]} == {"failed"}


@dataclass(frozen=True, repr=False)
class lion(Optimizer):
    """A rule of a user's own, that looks at its number while it is built."""

    learning_rate: float = 0.1
    sharpness: float = 0.5

    def stages(self, numbers, decayed):
        """The sign of the gradient where the number is below 1."""
        return (optax.scale_by_sign(),) if self.sharpness < 1 else ()


@dataclass(frozen=True, repr=False)
class slow(Optimizer):
    """A rule of a user's own with a number of its own."""

    learning_rate: float = 0.1
    share: float = 0.5

    def stages(self, numbers, decayed):
        """A share of the gradient, in its order."""
        return (optax.stateless(lambda g, p: self.share * jnp.sort(g)),)


def test_a_rule_of_ones_own_is_explained_as_it_runs():
    lines, entries = explained(lion())
    assert [line.text for line in lines] == ["W₊ = W − η sign(g)"] and lines[0].status == "verified"
    lines, entries = explained(slow())
    assert [line.status for line in lines] == ["opaque", "verified"]
    assert "opaque sort" in lines[0].text and "no rule" in lines[0].reason
    assert lines[1].text == "W₊ = W − η share u1"
    assert {e.symbol: e.words for e in entries}["share"] == "share = 0.5"


def test_a_search_has_no_lines():
    assert update_of(cr.lbfgs()) is None


def test_what_is_needed_twice_or_long_gets_a_name():
    def rule(W, g, a):
        r = jnp.tanh(g / a) + W
        return (W - r * r - jnp.exp(r),)

    args = np.array([0.3, -0.9, 0.4]), np.array([0.5, 1.0, -2.0]), 0.3
    lines, _ = update_statements(Update(rule, args, ("W", "g", "a"), ("W",), ("", "", "", "")))
    assert [line.text for line in lines] == ["u1 = tanh(g / a) + W", "W₊ = W − u1² − exp(u1)"]
    assert {line.status for line in lines} == {"verified"}
