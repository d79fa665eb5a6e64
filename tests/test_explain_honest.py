"""What is checked is the program that runs, at the user's own number of examples, and every entry of every line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.equations.checks import verify as checks
from chainrule.equations.derivation import rules
from chainrule.trace.arithmetic import function
from chainrule.trace.graph import number

R = np.random.default_rng(0)


def array(*shape):
    return R.normal(size=shape).astype(np.float32)


def lines(ex):
    return {line.symbol: line for line in ex}


# ------------------------------------------------------------------------------------- the number of examples


def small_or_large(w, x):
    return jnp.sum((x @ w) ** 2) / (1 if len(x) > 10 else 2)


def at_most_six(w, x):
    return jnp.sum(((x @ w) ** 2)[:6])


def differences(w, x):
    return jnp.mean(((x[1:] - x[:-1]) @ w) ** 2)


@pytest.mark.parametrize("f", [small_or_large, at_most_six, differences])
@pytest.mark.parametrize("rows", [4, 20])
def test_a_program_that_asks_for_its_number_of_examples_is_explained_at_the_users_own(f, rows):
    w, x = array(3), array(rows, 3)
    ex = cr.explain(f, w, x)
    if rows == 20 or f is not small_or_large:
        assert f"this is it for N = {rows}." in " ".join(ex.text().split())
    assert ex.verified
    assert np.allclose(ex.numbers().values["L"], f(w, x), rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6])
def test_a_number_of_examples_that_is_another_number_of_the_program_too_is_told_apart(rows):
    """Widths 3 and 4, a square, a mean over 3 of 4 places, 5 and 6 as numbers."""

    def f(p, x):
        a = jnp.tanh(x @ p["W"]) * 5
        return jnp.mean(jnp.sum(a[:, :3] ** 2, 1) / 3) / 6

    p, x = {"W": array(3, 4)}, array(rows, 3)
    ex = cr.explain(f, p, x)
    assert ex.verified and "another form" not in ex.text()
    assert [line.text for line in ex if line.kind == "loss"] == [
        line.text for line in cr.explain(f, p, array(12, 3)) if line.kind == "loss"
    ]
    found = ex.numbers(rows - 1)
    assert np.allclose(found.values["L"], f(p, x), rtol=1e-5)
    assert np.allclose(found.values["∂L/∂W"], jax.grad(f)(p, x)["W"], rtol=1e-4, atol=1e-5)
    assert np.allclose(found.values["x"], x[rows - 1])


def test_loops_and_noise_have_their_numbers_at_the_users_own_number_of_examples():
    def f(p, x, key):
        def step(h, xt):
            h = jnp.tanh(xt @ p["W"] + h @ p["U"])
            return h, h

        h, _ = jax.lax.scan(step, jnp.zeros((len(x), 4)), x.transpose(1, 0, 2))
        return jnp.mean((h * jax.random.bernoulli(key, 0.8, h.shape)) ** 2)

    p, x, key = {"W": array(2, 4), "U": array(4, 4)}, array(9, 3, 2), jax.random.key(1)
    ex = cr.explain(f, p, x, key)
    assert ex.verified
    found = ex.numbers(8)
    assert np.allclose(found.values["L"], f(p, x, key), rtol=1e-5)
    assert np.allclose(found.values["∂L/∂U"], jax.grad(f)(p, x, key)["U"], rtol=1e-4, atol=1e-7)


# ------------------------------------------------------------------------------------- what turns a line red


def test_a_gradient_that_does_not_arrive_is_zero_in_its_line_and_that_is_red(monkeypatch):
    f, w, x = lambda w, x: jnp.mean(jnp.exp(x @ w)), array(3), array(6, 3)
    assert cr.explain(f, w, x).verified
    monkeypatch.setitem(rules.SLOPES, "exp", lambda a, y: (None,))
    line = lines(cr.explain(f, w, x))["∂L/∂w"]
    assert line.text == "∂L/∂w = 0" and line.status == "failed" and "gradient" in line.reason


def test_a_gradient_that_is_zero_is_said_and_verified():
    ex = cr.explain(lambda p, x: jnp.mean(x @ jax.lax.stop_gradient(p[0]) * p[1]), [array(3), array(1)], array(6, 3))
    first, *_ = [line for line in ex if line.text.endswith("= 0")]
    assert ex.verified and first.symbol.startswith("∂L/∂")
    assert ex.steps(first.symbol)[0].startswith("No gradient flows from L back to")


def test_a_small_entry_beside_large_ones_is_judged_by_itself(monkeypatch):
    x = array(6, 3) * np.array([1e3, 1, 1], np.float32)
    f, w = lambda w, x: jnp.sum(jnp.square(w * x)), array(3)
    assert cr.explain(f, w, x).verified
    right = rules.SLOPES["power"]
    monkeypatch.setitem(
        rules.SLOPES, "power", lambda *a: tuple(s and function("add", s, number(1e-4, s.shape)) for s in right(*a))
    )
    assert not cr.explain(f, w, x).verified


def test_the_program_itself_is_asked_at_the_second_number_of_examples_too(monkeypatch):
    f, w, x = lambda w, x: jnp.mean(jnp.tanh(x @ w)), array(3), array(6, 3)
    honest = checks.program_values
    monkeypatch.setattr(checks, "program_values", lambda *a: {n: v + 1e-3 for n, v in honest(*a).items()})
    ex = cr.explain(f, w, x)
    assert all("at N = " in line.reason for line in ex if line.kind == "forward")
    assert not any(line.status == "verified" for line in ex if line.kind == "forward")


# ------------------------------------------------------------------------------------- numbers that are none


def test_data_with_a_missing_number_is_named_with_its_place():
    x = array(6, 3)
    x[2, 1] = np.nan
    with pytest.raises(cr.CannotExplain, match=r"x holds nan at \(2, 1\)"):
        cr.explain(lambda w, x: jnp.mean((x @ w) ** 2), array(3), x)


def test_a_program_that_fills_in_what_is_missing_is_explained():
    x = array(6, 3)
    x[2, 1] = np.nan
    f = lambda w, x: jnp.mean((jnp.where(jnp.isnan(x), 0.0, x) @ w) ** 2)  # noqa: E731
    assert cr.explain(f, array(3), x).verified


def test_a_loss_that_overflows_says_where():
    with pytest.raises(cr.CannotExplain, match="first line that is not finite is"):
        cr.explain(lambda w, x: jnp.mean(jnp.exp(1e4 * jnp.square(x @ w) + 1e4)), array(3), array(6, 3))


# ------------------------------------------------------------------------------------- derivatives of their own


def own_rule(rule):
    @jax.custom_jvp
    def f(x):
        return x * x

    f.defjvp(lambda x, t: (f(x[0]), rule(x[0], t[0])))
    return f


RULES = {
    "clipped far away": lambda x, t: jnp.where(jnp.abs(x) > 10, 0, 2 * x) * t,
    "clipped very far away": lambda x, t: jnp.where(x > 1e5, 0, 2 * x) * t,
    "wrong near zero": lambda x, t: jnp.where(jnp.abs(x) < 1e-2, 5.0, 2 * x) * t,
    "wrong between 1 and 3": lambda x, t: jnp.where((x > 1) & (x < 3) & (x > 2.5), 3 * x, 2 * x) * t,
    "straight through": lambda x, t: t,
    "reversed": lambda x, t: -2 * x * t,
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_is_not_the_derivative_of_its_equations_stays_whole(name):
    f = own_rule(RULES[name])
    ex = cr.explain(lambda w, x: jnp.mean(f(x @ w)), array(3), array(6, 3))
    assert not ex.verified and any(line.status == "opaque" for line in ex)
    assert not any(line.status == "failed" for line in ex)


def test_a_rule_that_is_the_derivative_is_no_news():
    f = own_rule(lambda x, t: 2 * x * t)
    assert cr.explain(lambda w, x: jnp.mean(f(x @ w)), array(3), array(6, 3)).verified


def test_what_is_found_while_a_rule_is_tried_does_not_stay():
    """A wrong rule that is met first inside of a right one is wrong still when it is met alone."""
    wrong = own_rule(lambda x, t: 7 * x * t)

    @jax.custom_jvp
    def outer(x):
        return wrong(x) + x

    outer.defjvp(lambda x, t: (outer(x[0]), (2 * x[0] + 1) * t[0]))
    w, x = array(3), array(6, 3)
    cr.explain(lambda w, x: jnp.mean(outer(x @ w)), w, x)
    ex = cr.explain(lambda w, x: jnp.mean(wrong(x @ w)), w, x)
    assert any(line.status == "opaque" for line in ex) and not any(line.status == "failed" for line in ex)
