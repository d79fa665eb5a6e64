"""cr.explain, from a program to verified lines: what every explanation keeps, and the programs of a first lesson."""

import re
import unicodedata

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.equations.explain import explain
from chainrule.equations.formula import Call, Place, Symbol, Total, parts

R = np.random.default_rng(0)


def examined(*args, opaque=(), unvalued=(), underived=(), **options):
    """An explanation, after everything that must hold for each was asserted.

    ``opaque``: the operations that have no rule. ``unvalued`` and ``underived``: symbols of the forward pass and
    gradients that are no variable of the program, so that only their print is compared.
    """
    ex = explain(*args, **options)
    shown = ex.text()
    failed = [(line.text, line.errors, line.reason) for line in ex.lines if line.status == "failed"]
    assert not failed, failed
    without = {name for line in ex.lines if line.status == "opaque" for name in _opaque(line.line.formula)}
    assert {name.rstrip("'") for name in without} == set(opaque)
    assert ex.verified == (not opaque)
    _expect_checks(ex, set(unvalued), set(underived))
    _expect_legend(ex)
    _expect_order(ex)
    wide = [row for row in shown.splitlines() if sum(not unicodedata.combining(c) for c in row) > 80]
    assert not wide, wide
    return ex


def _expect_checks(ex, unvalued, underived):
    """Each line was printed and read back, at a second N where there is one, and compared where the program has it."""
    second = [f"printed at N = {d.rows}" for d in ex.derivation.derived[1:]]
    for line in ex.lines:
        names = set(line.errors)
        if line.status == "opaque":
            assert not names
            continue
        assert {"printed", *second} <= names, line.text
    forward = [line for line in ex.lines if line.kind in ("forward", "loss") and line.status != "opaque"]
    back = [line for line in ex.lines if line.kind == "backward" and line.status != "opaque"]
    gradients = [line for line in back if line.symbol.startswith(("δ", "∂L/∂")) and not line.symbol.endswith("₊")]
    assert {line.symbol for line in forward if "value" not in line.errors} == unvalued
    assert {line.symbol for line in gradients if "gradient" not in line.errors} == underived
    expected = len(gradients) - len(underived)
    assert sum("gradient" in line.errors for line in ex.lines) == expected
    assert sum("value" in line.errors for line in ex.lines) == len(forward) - len(unvalued)


def _expect_legend(ex):
    """What a line shows is explained: its symbols in the legend, its labels among the axes."""
    explained, axes = {e.symbol for e in ex.legend}, {label for label, *_ in ex.axes}
    assert all(e.words and e.shape for e in ex.legend)
    for line in ex.lines:
        assert {line.symbol, *_symbols(line.line.formula)} <= explained, line.text
        labels = {*line.line.labels, *_labels(line.line.formula)}
        assert {label.rstrip("′″‴⁗") for label in labels} <= axes, line.text


def _expect_order(ex):
    """Each symbol is computed before it is used, but for what a loop brings from another step."""
    later = [line.symbol for line in ex.lines]
    assert len(set(later)) == len(later)
    for line in ex.lines:
        f = line.line.formula
        used = _symbols(f.args[1] if isinstance(f, Call) and f.name in ("before", "after") else f)
        assert not used & set(later), (line.text, used & set(later))
        later.remove(line.symbol)


def _symbols(f):
    own = {f.name} if isinstance(f, Symbol) else set()
    return own.union(*map(_symbols, parts(f)))


def _labels(f):
    if isinstance(f, Place):
        return {label for label, _ in f.terms}
    own = set(f.labels) if isinstance(f, Call | Total) else set()
    return own.union(*map(_labels, parts(f)))


def _opaque(f):
    own = {f.name.removeprefix("opaque ")} if isinstance(f, Call) and f.name.startswith("opaque ") else set()
    return own.union(*map(_opaque, parts(f)))


def line_of(ex, symbol):
    """The text of the line that defines a symbol."""
    return next(line.text for line in ex.lines if line.symbol == symbol)


def lines_of(ex, kind):
    """The texts of all lines of a kind."""
    return [line.text for line in ex.lines if line.kind == kind]


def array(*shape):
    """Random numbers."""
    return R.normal(size=shape).astype(np.float32)


def test_two_layers_read_as_in_the_book():
    net = cr.Chain(cr.Dense(5), cr.relu, cr.Dense(3))
    ex = examined(net, array(20, 4), R.integers(0, 3, 20), loss=cr.cross_entropy)
    assert [line.text for line in ex.lines] == [
        "z1 = x W1 + b1",
        "a1 = ReLU(z1)",
        "z2 = a1 W2 + b2",
        "ℓ = CE(z2, y)",
        "L = Σ_n ℓ / N",
        "δL = 1",
        "δℓ = 1 / N",
        "δz2 = (softmax(z2) − 1[k = y]) / N",
        "∂L/∂W2 = a1ᵀ δz2",
        "∂L/∂b2 = Σ_n δz2",
        "δa1 = δz2 W2ᵀ",
        "δz1 = δa1 ⊙ 1[z1 > 0]",
        "∂L/∂W1 = xᵀ δz1",
        "∂L/∂b1 = Σ_n δz1",
    ]
    assert [line.shape for line in ex.lines[:5]] == ["N×5", "N×5", "N×3", "N", "1"]
    assert [line.kind for line in ex.lines] == ["forward"] * 3 + ["loss"] * 2 + ["backward"] * 9
    assert [line.scope for line in ex.lines[:3]] == ["0:Dense", "1:relu", "2:Dense"]
    assert dict((label, length) for label, length, _ in ex.axes) == {"n": "N", "d": "4", "h1": "5", "k": "3"}


def test_depth_is_folded():
    net = cr.Chain(*[f for _ in range(6) for f in (cr.Dense(5), cr.tanh)], cr.Dense(1))
    ex = examined(net, array(8, 5), array(8, 1), loss="mse")
    assert len(lines_of(ex, "forward")) == 13 and len(ex) == 13 + 2 + 3 + 6 * 4 + 2
    assert "more times" in ex.text() and len(ex.text().splitlines()) < len(ex.text(fold=False).splitlines())


def test_weights_used_twice_have_one_gradient_that_sums():
    def f(p, x):
        return jnp.mean(jnp.sum(jnp.tanh(jnp.tanh(x @ p["W"]) @ p["W"]) ** 2, -1))

    ex = examined(f, {"W": array(4, 4)}, array(6, 4))
    assert line_of(ex, "∂L/∂W") == "∂L/∂W = a1ᵀ δz2 + xᵀ δz1"


def test_several_arguments_are_derived():
    ex = examined(lambda w, b, x: jnp.mean((x @ w + b) ** 2), array(4, 3), array(3), array(6, 4), argnums=(0, 1))
    gradients = [line for line in lines_of(ex, "backward") if line.startswith("∂")]
    assert gradients == ["∂L/∂b = Σ_n δz1", "∂L/∂w = xᵀ δz1"]


def test_data_whose_first_axis_is_no_axis_of_examples():
    ex = examined(lambda w, c: jnp.sum(c * w), array(3), array(3))
    assert line_of(ex, "∂L/∂w") == "∂L/∂w = c"


def test_trees_of_parameters():
    def f(params, x):
        return jnp.mean((x @ params[0][0] + params[1]["b"]) ** 2) * params[2]

    ex = examined(f, ([array(4, 3)], {"b": array(3)}, np.float32(2)), array(6, 4))
    words = {e.words for e in ex.legend}
    assert {"parameter params[0][0]", "parameter params[1]['b']", "parameter params[2]"} <= words
    assert sum(line.symbol.startswith("∂L/∂") for line in ex.lines) == 3


def test_whole_numbers_and_keys_are_data():
    def f(E, ids, key):
        return jnp.mean(jnp.tanh(E[ids]) * jax.random.bernoulli(key, 0.5, (4,)))

    ex = examined(f, array(7, 4), R.integers(0, 7, 6), jax.random.key(1))
    assert {line.symbol for line in ex.lines if line.symbol.startswith("∂")} == {"∂L/∂E"}
    assert "drawn at random" in {e.words for e in ex.legend}


@pytest.mark.parametrize("f", [lambda w, x: jnp.tanh(x @ w), lambda w, x: x @ w * 2])
def test_an_array_has_no_gradient(f):
    ex = examined(f, array(4, 3), array(6, 4))
    assert not lines_of(ex, "backward")
    assert re.search(r"returns\s+an\s+array", ex.text())


def test_a_constant_has_the_gradient_zero():
    ex = examined(lambda w: 3.0, array(4, 3))
    assert [line.text for line in ex] == ["∂L/∂w = 0"] and ex.verified


def test_what_the_loss_does_not_read_has_the_gradient_zero():
    assert lines_of(examined(lambda w, x: jnp.mean(x), array(4, 3), array(6, 4)), "backward") == ["∂L/∂w = 0"]
    ex = examined(lambda p, x: jnp.mean(x @ p["W"]), {"W": array(4, 3), "b": array(3)}, array(6, 4))
    assert [line.symbol for line in ex.lines if line.symbol.startswith("∂")] == ["∂L/∂W", "∂L/∂b"]
    assert line_of(ex, "∂L/∂b") == "∂L/∂b = 0"


def test_single_numbers():
    ex = examined(lambda w: w**3, np.float32(3))
    assert lines_of(ex, "loss") == ["L = w³"] and line_of(ex, "∂L/∂w") == "∂L/∂w = 3 w²"
    assert line_of(examined(lambda w: w**2, np.float32(3)), "∂L/∂w") == "∂L/∂w = 2 w"


@pytest.mark.parametrize(
    "names", [("L", "x"), ("z1", "a1"), ("n", "N"), ("exp", "softmax"), ("g1", "u1"), ("M1", "p1")]
)
def test_the_names_of_inputs_keep_apart_from_those_of_lines(names):
    f = eval(f"lambda {', '.join(names)}: ({names[1]} @ {names[0]})", {})
    g = eval(f"lambda {', '.join(names)}: softmaxed(f({', '.join(names)}))", {"f": f, "softmaxed": _softmaxed})
    ex = examined(g, array(4, 3), array(6, 4))
    assert len({e.symbol for e in ex.legend}) == len(ex.legend)


def _softmaxed(z):
    return jnp.mean(jax.nn.softmax(jnp.exp(z)).max(-1) * jax.nn.softmax(z).max(-1))


def test_names_that_no_line_could_hold_are_rewritten():
    p = {"W x.y": array(4, 3), "b-1": array(3), "2": array(3)}
    ex = examined(lambda p, x: jnp.mean(((x @ p["W x.y"] + p["b-1"]) * p["2"]) ** 2), p, array(6, 4))
    assert {"parameter p['W x.y']", "parameter p['b-1']", "parameter p['2']"} <= {e.words for e in ex.legend}
    assert all(e.symbol.isidentifier() for e in ex.legend if "parameter" in e.words)


def test_parameters_are_numbered_only_among_their_like():
    """Two norms, one output: γ1 and γ2, but W and b."""
    p = {"in": {"gamma": array(4)}, "out": {"gamma": array(4)}, "last": {"W1": array(4, 3), "b1": array(3)}}

    def f(p, x):
        h = jnp.tanh(x * p["in"]["gamma"]) * p["out"]["gamma"]
        return jnp.mean((h @ p["last"]["W1"] + p["last"]["b1"]) ** 2)

    symbols = {e.symbol for e in examined(f, p, array(6, 4)).legend}
    assert {"γ1", "γ2", "W1", "b1"} <= symbols


def test_an_explanation_is_the_same_each_time():
    net = cr.Chain(cr.Dense(5), cr.gelu, cr.LayerNorm(), cr.Residual(cr.Chain(cr.Dense(5), cr.silu)), cr.Dense(1))
    x, y = array(8, 4), array(8, 1)
    assert explain(net, x, y, loss="huber").text() == explain(net, x, y, loss="huber").text()


@pytest.mark.parametrize("error", ["value", "gradient", "printed"])
def test_the_checks_can_fail(error, monkeypatch):
    """A wrong derivative, a wrong print and a wrong graph are each found by the check that is there for them."""
    from chainrule.equations.derivation import rules
    from chainrule.equations.prints import text
    from chainrule.trace import evaluate

    if error == "value":
        monkeypatch.setitem(evaluate.ELEMENTWISE, "tanh", np.sin)
    elif error == "gradient":
        monkeypatch.setitem(rules.SLOPES, "tanh", lambda a, y: (y,))
    else:
        monkeypatch.setitem(text.NAMES, "tanh", "sin")
    ex = explain(cr.Chain(cr.Dense(5), cr.tanh, cr.Dense(1)), array(8, 4), array(8, 1), loss="mse")
    failed = {line.symbol: line.errors for line in ex.lines if line.status == "failed"}
    assert not ex.verified and "FAILED" in ex.verdict and "✗" in ex.text()
    first = {"value": "a1", "gradient": "δz1", "printed": "a1"}[error]
    assert first in failed and failed[first][error] > 1e-3
