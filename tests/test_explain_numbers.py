"""The lines with real numbers, entries written out as sums, and the lines whose examples are columns."""

import math
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import chainrule as cr
from chainrule.equations import columns
from chainrule.equations.derivation.derive import derive
from chainrule.equations.formula import Line, Matrix, Symbol
from chainrule.equations.numbers import expand, numbers, own_numbers, terms
from chainrule.equations.prints import text
from test_explain_steps import LABELS, PROGRAMS, X, derivation, function, lstm, network, normal

ENTRIES = 1000 // len(PROGRAMS) + 1


# One example


def test_the_numbers_are_those_of_the_examples_own_data():
    """Written out in NumPy from the parameters that are shown: nothing is moved, and N is 20."""
    d = derivation("classifier")
    v = numbers(d, 7).values
    assert np.array_equal(v["x"], X[7]) and v["y"] == LABELS[7]
    W, b = ([own_numbers(d).values[f"{letter}{k}"].value for k in (1, 2, 3)] for letter in "Wb")
    z1 = X @ W[0] + b[0]
    z2 = np.maximum(z1, 0) @ W[1] + b[1]
    z3 = np.maximum(z2, 0) @ W[2] + b[2]
    losses = special.logsumexp(z3, axis=1) - z3[np.arange(20), LABELS]
    error = (special.softmax(z3, axis=1) - np.eye(3)[LABELS]) / 20
    for name, expected in {"z1": z1[7], "z3": z3[7], "ℓ": losses[7], "L": losses.mean(), "δz3": error[7]}.items():
        assert np.allclose(v[name], expected, rtol=1e-5), name
    assert np.allclose(v["∂L/∂W3"], np.maximum(z2, 0).T @ error, rtol=1e-5, atol=1e-8)
    assert v["W1"].shape == (4, 16) and v["L"].shape == ()


def test_a_loop_has_its_own_numbers():
    """The gradient of the recurrent weights is autodiff's at the data itself."""
    x, y = normal(14, 4, 6, 3), normal(15, 4, 2)
    p = {"Wx": normal(10, 3, 20), "Wh": normal(11, 5, 20), "b": normal(12, 20), "V": normal(13, 5, 2)}
    v = numbers(derivation("lstm"), 3).values
    assert np.allclose(v["L"], lstm(p, x, y), rtol=1e-5)
    for name, gradient in jax.grad(lstm)(p, x, y).items():
        assert np.allclose(v[f"∂L/∂{name}"], gradient, rtol=1e-4, atol=1e-5), name
    assert v["h"].shape == (6, 5)  # steps and units of example 3: n is the second axis there


def test_the_print_says_the_example_and_is_aligned():
    shown = str(numbers(derivation("classifier"), 1)).splitlines()
    best = int(own_numbers(derivation("classifier")).values["z3"].value[1].argmax())
    assert shown[0] == f"Example 1 of 0 to 19: y = {LABELS[1]}; predicted {best}, the place of the largest of z3"
    assert {line.index("=") for line in shown[1:] if re.match(r"\S+ +=", line)} == {7}
    z1 = next(line for line in shown if line.startswith("z1"))
    assert re.fullmatch(r"z1     = x W1 \+ b1 = \[−?\d\.\d\d, −?\d\.\d\d, −?\d\.\d\d, …, −?\d\.\d\d\]", z1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_print_fits_in_80_columns(name):
    assert max(map(len, str(numbers(derivation(name), 0)).splitlines())) <= 80


def test_small_arrays_are_shown_whole_and_large_ones_in_part():
    shown = str(numbers(function(lambda W, x: (x @ W).sum(), np.arange(12.0).reshape(3, 4), np.eye(9, 3))(), 2))
    assert "x     = [0, 0, 1]" in shown
    assert "W     = [[0, 1,  2,  3]" in shown and "         [8, 9, 10, 11]]" in shown
    wide = str(numbers(function(lambda W, x: (x @ W).sum(), np.arange(27.0).reshape(3, 9), np.eye(5, 3))(), 2))
    assert "= [18, 19, 20, …, 26]" in wide


def test_an_example_that_is_not_there_is_refused():
    with pytest.raises(cr.CannotExplain, match="0 to 19"):
        numbers(derivation("classifier"), 20)
    with pytest.raises(cr.CannotExplain, match="0 to 19"):
        numbers(derivation("classifier"), -1)
    with pytest.raises(cr.CannotExplain, match="0 to 0"):
        numbers(derivation("no examples"), 1)


def test_a_program_without_examples_has_its_numbers():
    W, A, c = normal(31, 4), normal(32, 3, 4), normal(33, 4)
    expected = ((A @ W) ** 2).sum() + (c * W).sum()
    assert np.allclose(numbers(derivation("no examples")).values["L"], expected, rtol=1e-5)


def test_a_single_example_has_its_numbers():
    d = network(cr.Dense(5), cr.relu, cr.Dense(3))().subject
    one = derive(replace(d, data=(d.data[0][:1], d.data[1][:1])))
    assert numbers(one, 0).header[0].startswith("The numbers: ")
    assert np.allclose(numbers(one, 0).values["L"], numbers(one, 0).values["ℓ"])
    with pytest.raises(cr.CannotExplain, match="0 to 0"):
        numbers(one, 1)


# One entry


def entries(name, count, seed=0):
    """Random entries of random lines."""
    d, random = derivation(name), np.random.default_rng(seed)
    lines = [s.line.symbol for s in d.statements]
    for symbol in random.choice(lines, count):
        shape = own_numbers(d).values[symbol].value.shape
        yield d, str(symbol), tuple(int(random.integers(n)) for n in shape)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_terms_of_an_entry_sum_to_it(name):
    """1,000 random entries over all programs."""
    for d, symbol, index in entries(name, ENTRIES):
        found, total = terms(d, symbol, index)
        products = [math.prod(t) for t in found]
        scale = max(map(abs, products), default=0.0)
        assert total == own_numbers(d).values[symbol].value[index]
        assert abs(math.fsum(products) - total) <= 1e-9 * max(scale, abs(total)), (symbol, index)


class _Ones:
    """``1[a > b]``, so that a printed line is a Python expression."""

    def __getitem__(self, truth):
        return float(truth)


NAMES = {
    **{name: getattr(np, name) for name in "exp log tanh sin cos arctan2 maximum abs expm1 log1p sign".split()},
    "σ": special.expit,
    "ReLU": lambda x: max(x, 0.0),
    "SiLU": lambda x: x * special.expit(x),
    "GELU": lambda x: x * special.ndtr(x),
    "softplus": lambda x: np.logaddexp(x, 0),
    "Φ": special.ndtr,
    "φ": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
    "root": np.sqrt,
    "where": lambda c, a, b: a if c else b,
    "max": max,
    "min": min,
    "argmax": lambda *a: int(np.argmax(a)),
    "prod": lambda *a: math.prod(a),
    "minimum": min,
    "ones": _Ones(),
}


def python(shown):
    """A printed row of numbers as Python computes it."""
    shown = re.sub(r"1\[([^\]]*?) = ([^\]]*?)\]", r"1[\1 == \2]", shown)
    for ours, theirs in {
        "−": "-",
        "·": "*",
        "^": "**",
        "√": "root",
        "1[": "ones[",
        "≥": ">=",
        "≤": "<=",
        "≠": "!=",
    }.items():
        shown = shown.replace(ours, theirs)
    with np.errstate(all="ignore"):
        return eval(shown, {"__builtins__": {}}, NAMES)


def stages_of(shown):
    """What stands after each of the equals signs that are below each other."""
    rows = shown.splitlines()
    at = rows[0].index(" = ")
    stages: list[str] = []
    for row in rows:
        if row[at : at + 3] == " = ":
            stages.append(row[at + 3 :])
        else:
            stages[-1] += " " + row.strip()
    return stages


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_printed_with_all_digits_is_computed_to_the_entry(name):
    """The second row is an expression of numbers alone; Python's own parser reads it."""
    for d, symbol, index in entries(name, 25, seed=1):
        stages = stages_of(expand(d, symbol, index, terms=10**6, digits=17))
        value = own_numbers(d).values[symbol].value[index]
        for stage in stages[1:] or stages:
            assert "more terms" not in stage
            assert math.isclose(python(stage), value, rel_tol=1e-9, abs_tol=1e-12), stage


def test_an_entry_reads_as_a_textbook_writes_it():
    d = function(
        lambda W, b, x: jnp.tanh(x @ W + b).sum(), np.array([[0.5], [-2.0], [3.0]]), np.array([0.25]), X[:, :3]
    )()
    own = own_numbers(d).values
    d_rows = expand(d, "z1", (4, 0)).splitlines()
    assert d_rows[0] == "z1[4, 0] = x[4,0]·W[0,0] + x[4,1]·W[1,0] + x[4,2]·W[2,0] + b[0]"
    x = [f"{v:.3g}".replace("-", "−") for v in X[4, :3]]
    x = [f"({v})" if v.startswith("−") else v for v in x]
    assert d_rows[1] == f"         = {x[0]}·0.5 + {x[1]}·(−2) + {x[2]}·3 + 0.25"
    assert d_rows[2].strip() == "= " + f"{own['z1'].value[4, 0]:.3g}".replace("-", "−")
    assert expand(d, "a1", (-1, -1)).splitlines()[0] == "a1[19, 0] = tanh(z1[19,0])"


def test_only_some_terms_are_shown_and_the_others_are_summed():
    d = derivation("classifier")
    rows = " ".join(expand(d, "dL/dW1", (2, 7), terms=3, digits=17).split())
    shown, rest = re.search(r"= ([^=]*?) \+ … \(17 more terms, sum ([^)]*)\)", rows).groups()  # type: ignore[union-attr]
    assert shown.count("·") == 3
    value = own_numbers(d).values["∂L/∂W1"].value[2, 7]
    assert math.isclose(python(shown) + python(rest), value, rel_tol=1e-12)
    assert "more" not in expand(d, "dL/dW1", (2, 7), terms=20)


def test_places_outside_of_a_picture_are_no_terms():
    """A corner of a convolution with padding has fewer products than its kernel has numbers."""
    corner, _ = terms(derivation("convolution"), "z1", (0, 0, 0, 0))
    inner, _ = terms(derivation("convolution"), "z1", (0, 2, 4, 0))
    assert len(corner) == 2 * 2 * 2 + 1 and len(inner) == 3 * 3 * 2 + 1


def test_softmax_and_lookups_are_spelled_out():
    rows = expand(derivation("mixture"), "p1", (5, 1)).splitlines()
    assert rows[0] == "p1[5, 1] = exp(z1[5,1]) / (exp(z1[5,0]) + exp(z1[5,1]) + exp(z1[5,2]))"
    assert "z3[3,y[3]]" in expand(derivation("classifier"), "ell", 3)
    assert expand(derivation("lstm"), "h-", (2, 0, 1)).splitlines()[0] == "h₋[2, 0, 1] = h[1,0,1]"
    assert expand(derivation("lstm"), "h-", (0, 0, 1)) == "h₋[0, 0, 1] = 0"


def test_numbers_beyond_all_bounds_are_no_error():
    """Scores of a thousand: the entry is what softmax gives, and the print does not hide that exp is not finite."""
    d = function(lambda W, x: (jax.nn.softmax(x @ W) ** 2).mean(), np.diag([1e3, 2e3, 3e3]), np.eye(6, 3) + 1)()
    found, total = terms(d, "p1", (0, 2))
    assert found == [(total,)] and total == 1.0
    assert expand(d, "p1", (0, 2)).splitlines()[1].strip() == "= exp(3e+03) / (exp(2e+03) + exp(2e+03) + exp(3e+03))"


def test_an_index_that_does_not_fit_is_refused_with_the_shape():
    d = derivation("classifier")
    for index in [(0,), (0, 16), (20, 0), (-21, 0), (0, 0, 0)]:
        with pytest.raises(cr.CannotExplain, match=r"\(20, 16\).*\(n, h1\)"):
            expand(d, "z1", index)
    assert expand(d, "z1", (-1, -1)) == expand(d, "z1", (19, 15))
    assert expand(d, "W1", (0, 0)).startswith("W1[0, 0] = ")


def test_an_opaque_operation_has_no_terms():
    d = function(lambda w, x: (jnp.sort(x @ w, -1) * jnp.arange(3.0)).sum(), normal(1, 4, 3), normal(2, 6, 4))()
    opaque = next(s.line.symbol for s in d.statements if "opaque" in text.line(s.line))
    with pytest.raises(cr.CannotExplain, match="not derived"):
        expand(d, opaque, (0, 0))
    assert numbers(d, 0).values[opaque].shape == (3,)


# Columns


def test_lines_with_examples_as_columns_are_those_of_textbooks():
    shown = [text.line(line) for line in columns.lines(derivation("classifier"))]
    for line in [
        "z1 = W1ᵀ x + b1",
        "z3 = W3ᵀ a2 + b3",
        "ℓ = logsumexp_k(z3) − z3[y, n]",
        "L = Σ_n ℓ / N",
        "δa2 = W3 δz3",
        "∂L/∂W1 = x δz1ᵀ",
        "∂L/∂b1 = Σ_n δz1",
    ]:
        assert line in shown
    labels = {line.symbol: line.labels for line in columns.lines(derivation("classifier"))}
    assert labels["z1"] == ("h1", "n") and labels["∂L/∂W1"] == ("d", "h1") and labels["ℓ"] == ("n",)


@pytest.mark.parametrize("name", PROGRAMS)
def test_lines_with_examples_as_columns_are_read_back(name):
    checks = columns.verify(derivation(name))
    assert [c.reason for c in checks if c.status != "verified"] == []
    assert len(checks) == len(derivation(name).statements)


def test_a_vector_of_examples_is_a_column():
    d = function(lambda W, x, y: ((x @ W - y) ** 2).mean(), normal(1, 4), normal(2, 6, 4), normal(3, 6))()
    shown = [text.line(line) for line in columns.lines(d)]
    assert "z1 = xᵀ W" in shown and "∂L/∂W = x δz1" in shown
    assert {c.status for c in columns.verify(d)} == {"verified"}


def test_arrays_of_more_axes_stay_as_they_are():
    d = derivation("attention")
    assert [text.line(line) for line in columns.lines(d)] == [text.line(s.line) for s in d.statements]
    u = Line("u", ("n", "t", "h"), Symbol("v"))
    assert columns.columns(u, {"u": ("n", "t", "h"), "v": ("n", "t", "h")}, frozenset()) is None


@pytest.mark.parametrize("part", ["left", "right", "order"])
def test_a_wrong_transposition_is_seen(part, monkeypatch):
    right_product = columns._product

    def wrong(left, right, labels, turned):
        m = right_product(left, right, labels, turned)
        if part == "order":
            return Matrix(m.right, m.left)
        side = getattr(m, part)
        turned_side = Symbol(side.name, transposed=not side.transposed)
        return Matrix(turned_side, m.right) if part == "left" else Matrix(m.left, turned_side)

    monkeypatch.setattr(columns, "_product", wrong)
    d = derivation("classifier")
    failed = [line.symbol for line, c in zip(columns.lines(d), columns.verify(d), strict=True) if c.status == "failed"]
    assert {"z1", "z2", "z3", "∂L/∂W1", "δa1", "δa2"} <= set(failed)


def test_the_page_shows_the_numbers_of_an_example():
    x = np.array([[0.25, 2.0], [1.5, -3.0]], np.float32)
    ex = cr.explain(lambda w, x: jnp.tanh(x @ w).mean(), np.ones(2, np.float32), x)
    assert "1.5, -3. " in ex.html(example=1).replace("]", " ") and "1.5, -3. " not in ex.html().replace("]", " ")
