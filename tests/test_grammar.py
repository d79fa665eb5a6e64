"""Printed lines are read by docs/notation.md: every row of it, by hand, against NumPy and loops written out."""

import ast
import inspect
import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, special

from chainrule.equations.checks import grammar, meaning
from chainrule.equations.checks.grammar import NotationError, Vocabulary, parse, primed
from chainrule.equations.checks.meaning import Labeled, evaluate
from counted_calls import calls_made

SIZES = {
    "n": 5,
    "d": 4,
    "h1": 6,
    "h": 6,
    "t": 3,
    "e": 2,
    "i": 4,
    "j": 7,
    "u": 3,
    "v": 2,
    "c": 2,
    "k": 3,
    "s": 3,
    "g": 8,
}
SHAPES = {
    "x": "n d", "x̃3": "n d", "W1": "d h1", "b1": "h1", "z1": "n h1", "δz1": "n h1", "h₋": "n h1", "∂L/∂W1": "d h1",
    "L": "", "ℓ": "n", "μ1": "h1", "σ²1": "h1", "β1": "", "p": "", "x′": "n d", "w": "d", "r": "d", "m": "n d",
    "q": "n t e", "κ": "n t e", "val": "n t e", "S": "n t t′", "R": "n t t′", "A": "t t′", "B": "t t′", "C": "t t′",
    "o3": "n t e", "p3": "n i j c", "K": "u v c k", "y3": "n i j k", "E": "g e", "emb": "n t e", "flat": "n h",
    "z": "n k", "a1": "n d", "a2": "n e", "cat": "n h1", "one": "n k", "seq": "n t d", "edge": "n d", "F": "n t",
}  # fmt: skip
_random = np.random.default_rng(7)


def labeled(labels):
    names = tuple(labels.split())
    return Labeled(_random.normal(size=[SIZES[name.rstrip("′″")] for name in names]), names)


VALUES = {name: labeled(labels) for name, labels in SHAPES.items()}
VALUES["σ²1"] = Labeled(VALUES["σ²1"].value ** 2, ("h1",))
VALUES["ids"] = Labeled(_random.integers(-8, 8, (5, 3)), ("n", "t"))
VALUES["y"] = Labeled(np.array([0, 2, 1, -1, -3]), ("n",))
VALUES["marks"] = Labeled(_random.integers(0, 2, (5, 3)), ("n", "t"))
VOCABULARY = Vocabulary(VALUES, SIZES)
ARRAYS = {name: array.value for name, array in VALUES.items()}


def read(line, values=VALUES, sizes=SIZES, examples=5):
    parsed = parse(line, Vocabulary(values, sizes) if values is not VALUES else VOCABULARY)
    return evaluate(parsed, values, sizes, examples).value


def hand(formula):
    """NumPy's value of an expression over the arrays above; names that Python cannot hold are written _('h₋')."""
    names = {unicodedata.normalize("NFKC", name): value for name, value in ARRAYS.items()}  # as Python reads names
    return eval(formula, {"np": np, "special": special, "N": 5, "_": ARRAYS.__getitem__, **names})


ROWS = {
    # sums, by label; the order of labels does not matter
    "z1 = z1 + b1 − δz1": "z1 + b1 - δz1",
    "z1 = −b1 + z1": "-b1 + z1",
    "z1 = b1": "np.broadcast_to(b1, (5, 6))",
    "z1 = 2": "np.full((5, 6), 2.0)",
    "z1[n, h1] = ℓ − b1 − ℓ": "np.broadcast_to(-b1, (5, 6))",
    "z1 = h₋ ⊙ ℓ": "_('h₋') * ℓ[:, None]",
    "x = x̃3 + x′": "_('x̃3') + _('x′')",
    "μ1 = σ²1 / 2": "_('σ²1') / 2",
    # products and quotients from left to right
    "L = p / β1 ⊙ p": "p / β1 * p",
    "L = p ⊙ β1 / p / 4": "p * β1 / p / 4",
    "L = p − β1 ⊙ p − 1": "p - β1 * p - 1",
    "L = −p ⊙ β1": "-p * β1",
    # multiples
    "x = 2 x": "2 * x",
    "x = N x": "5 * x",
    "x = β1 x": "β1 * x",
    "x = 2 β1 x ⊙ m": "2 * β1 * x * m",
    "x = x ⊙ 2 m": "x * 2 * m",
    "x = x / 2 m": "x / (2 * m)",
    "z1 = 2 x W1": "2 * x @ W1",
    "L = 1 / N": "1 / 5",
    "L = 0.5 + 1e−05 + 1e+3": "1000.50001",
    "L = −∞": "-np.inf",
    "L = NaN": "np.nan",
    # matrix products
    "z1 = x W1 + b1": "x @ W1 + b1",
    "∂L/∂W1 = xᵀ δz1": "x.T @ δz1",
    "x = δz1 W1ᵀ": "δz1 @ W1.T",
    "w = μ1 W1ᵀ": "μ1 @ W1.T",
    "ℓ = x w": "x @ w",
    "L = w r": "w @ r",
    "μ1 = ℓ z1": "ℓ @ z1",
    "S = q κᵀ": "np.einsum('nte,nse->nts', q, κ)",
    "emb = S val": "np.einsum('nts,nse->nte', S, val)",
    "emb = Sᵀ val": "np.einsum('nst,nse->nte', S, val)",
    "S = S R": "np.einsum('nts,nsr->ntr', S, R)",
    "S = S A": "np.einsum('nts,sr->ntr', S, A)",
    "A = A Bᵀ": "A @ B.T",
    "F = F A": "F @ A",
    "A = Aᵀ": "A.T",
    "A = Aᵀ + B ⊙ Cᵀ": "A.T + B * C.T",
    "S = Sᵀ": "S.swapaxes(1, 2)",
    "W1 = W1ᵀ": "W1",
    # powers
    "x = −x²": "-(x**2)",
    "x = x^3 − x³": "0 * x",
    "x = x¹⁰": "x**10",
    "x = x²² / 2": "x**22 / 2",
    "x = (x²)²": "x**4",
    "x = 2^(p + 1)": "np.full((5, 4), 2 ** (p + 1))",
    "x = 2^p": "np.full((5, 4), 2**p)",
    "x = x² ⊙ 3 x²": "3 * x**4",
    "σ²1 = √(σ²1)² ": "_('σ²1')",
    "σ²1 = σ²1^(−0.5)": "_('σ²1') ** -0.5",
    # sums over labels
    "b1 = Σ_n z1": "z1.sum(0)",
    "L = Σ_{n,h1} z1": "z1.sum()",
    "L = Σ_{n, h1} z1² / N": "(z1**2).sum() / 5",
    "L = 2 Σ_{n,h1} z1²": "2 * (z1**2).sum()",
    "ℓ = Σ_d x ⊙ ℓ": "x.sum(1) * ℓ",
    "L = Σ_n 1": "5",
    "L = Σ_{n,t} p": "15 * p",
    "ℓ = Σ_{d,t} (x ⊙ m)": "3 * (x * m).sum(1)",
    "∂L/∂W1 = Σ_n (x ⊙ δz1)": "x.T @ δz1",
    "∂L/∂W1 = Σ_n (2 x ⊙ δz1 / N ⊙ ℓ)": "2 / 5 * x.T @ (δz1 * ℓ[:, None])",
    "∂L/∂W1 = Σ_n (−x ⊙ δz1 / (N ⊙ ℓ))": "-x.T @ (δz1 / ℓ[:, None]) / 5",
    "L = Σ_{n,d} (x / (m / x))": "(x * x / m).sum()",
    "∂L/∂W1 = Σ_n (β1 x ⊙ δz1)": "β1 * x.T @ δz1",
    "z1 = Σ_d (x ⊙ W1) + b1": "x @ W1 + b1",
    "z1 = Σ_d (x ⊙ W1 + W1)": "x @ W1 + W1.sum(0)",
    "z1 = Σ_d (x W1)": "4 * x @ W1",
    "ℓ = Σ_d (x − m)²": "((x - m) ** 2).sum(1)",
    "L = Σ_t A[t, t]": "np.trace(A)",
    "S[n, t, t′] = Σ_e (q ⊙ κ[n, t′, e])": "np.einsum('nte,nse->nts', q, κ)",
    # labels as numbers, and tests
    "b1 = h1 + 0.5": "np.arange(6) + 0.5",
    "one = 1[k = y[n]]": "(np.arange(3) == y[:, None]) * 1.0",
    "one = 1[k = y] − z": "(np.arange(3) == y[:, None]) - z",
    "A = 1[t′ ≤ t]": "np.tril(np.ones((3, 3)))",
    "S = 1[t′ ≤ t] ⊙ S": "np.tril(S)",
    "x = 2 1[x > 0] ⊙ x": "2 * (x > 0) * x",
    "x = 1[x < m]": "x < m",
    "x = 1[x ≥ m]": "x >= m",
    "x = 1[x ≠ m + 1[x = x]]": "x != m + 1",
    # index
    "A[t, t′] = B[t′, t]": "B.T",
    "S[n, t, t′] = S[n, t′, t]": "S.swapaxes(1, 2)",
    "ℓ = x[n, 0] + x[n, 3]": "x[:, 0] + x[:, 3]",
    "ℓ = x[n, 4] + x[n, −1] + x[n, 0.5]": "np.zeros(5)",
    "x[n, d] = x[N − 1 − n, 3 − d]": "x[::-1, ::-1]",
    "x[n, d] = x[n, d − 1]": "np.pad(x, ((0, 0), (1, 0)))[:, :-1]",
    "A[t, t′] = z[t, t′]": "z[:3]",
    "z1[n, h1] = x[n, h1]": "np.pad(x, ((0, 0), (0, 2)))",
    "L = A[1, 2]": "A[1, 2]",
    "E[g, e] = q[1, (g − 1) / 2, e]": "np.insert(q[1, [0, 1, 2]], [0, 1, 2, 3, 3], 0, axis=0)",
    "E[g, e] = q[1, floor_divide(g, 3), e]": "np.repeat(q[1], 3, axis=0)[:8]",
    "emb[n, t, e] = E[ids[n, t], e]": "E[_('ids')]",
    "emb = E[ids, e]": "E[_('ids')]",
    "ℓ = z[n, y]": "z[np.arange(5), y]",
    "o3[n, t, e] = emb[n, t, e] + E[ids[n, 2 − t], e]": "emb + E[_('ids')[:, ::-1]]",
    # along axes
    "ℓ = max_d(x)": "x.max(1)",
    "w = min_n(x)": "x.min(0)",
    "L = prod_{n,d}(x)": "x.prod()",
    "ℓ = any_d(1[x > 1])": "(x > 1).any(1)",
    "ℓ = all_d(1[x > −1])": "(x > -1).all(1)",
    "ℓ = argmax_d(x)": "x.argmax(1)",
    "ℓ = argmin(x)": "x.argmin(1)",
    "ℓ = argmax_{t,e}(q)": "q.reshape(5, 6).argmax(1)",
    "ℓ = argmax_{e,t}(q)": "q.swapaxes(1, 2).reshape(5, 6).argmax(1)",
    "ℓ = logsumexp_d(x)": "special.logsumexp(x, axis=1)",
    "L = logsumexp_{n,d}(2 x)": "special.logsumexp(2 * x)",
    "z = softmax(z)": "special.softmax(z, axis=1)",
    "z = softmax_n(z)": "special.softmax(z, axis=0)",
    "z = log_softmax_{k,n}(z)": "special.log_softmax(z)",
    "S = softmax_t′(q κᵀ / √(2))": "special.softmax(np.einsum('nte,nse->nts', q, κ) / 2**0.5, axis=2)",
    "S = softmax_t(S)": "special.softmax(S, axis=1)",
    "ℓ = max_t(ℓ)": "ℓ",
    "w = mean_n(x)": "x.mean(0)",
    "L = mean_{n,t}(ℓ²)": "(ℓ**2).mean()",
    "ℓ = CE(z, y)": "np.log(np.exp(z).sum(1)) - z[np.arange(5), y]",
    "F = CE(q, marks)": "np.log(np.exp(q).sum(2)) - np.take_along_axis(q, marks[..., None], 2)[..., 0]",
    "F[n, t] = CE(q, marks[n, t])": "np.log(np.exp(q).sum(2)) - np.take_along_axis(q, marks[..., None], 2)[..., 0]",
    # joining, arranging, steps
    "cat = concat_h1(a1, a2)": "np.concatenate([a1, a2], axis=1)",
    "z1 = concat_h1(z, z)": "np.concatenate([z, z], axis=1)",
    "z1 = 2 concat_h1(z, z) + b1": "2 * np.concatenate([z, z], axis=1) + b1",
    "flat = reshape(q; n, h)": "q.reshape(5, 6)",
    "q = reshape(flat; n, t, e)": "flat.reshape(5, 3, 2)",
    "A[t, t′] = reshape(B; t′, t)": "B.T",
    "seq = before_t(seq, edge)": "np.concatenate([edge[:, None], seq[:, :-1]], axis=1)",
    "seq = after_t(seq, edge)": "np.concatenate([seq[:, 1:], edge[:, None]], axis=1)",
    "seq = before_t(2 seq, 0)": "np.concatenate([0 * edge[:, None], 2 * seq[:, :-1]], axis=1)",
}


@pytest.mark.parametrize("line", ROWS)
def test_every_row_of_the_notation(line):
    np.testing.assert_allclose(read(line), hand(ROWS[line]), rtol=1e-12, atol=1e-13)


FUNCTIONS = {
    **{
        name: getattr(np, name)
        for name in "exp expm1 exp2 sin cos tan arctan sinh cosh tanh abs sign floor ceil".split()
    },
    **{"round": np.round, "cbrt": np.cbrt, "erf": special.erf, "erfc": special.erfc, "lgamma": special.gammaln},
    **{"digamma": special.digamma, "truncate": np.trunc, "asinh": np.arcsinh, "isfinite": np.isfinite},
    "number": lambda x: x,
    "stop": lambda x: x,
    "σ": lambda x: 1 / (1 + np.exp(-x)),
    "ReLU": lambda x: np.where(x > 0, x, 0),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "SiLU": lambda x: x / (1 + np.exp(-x)),
    "GELU": lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2))),
    "Φ": lambda x: 0.5 * (1 + special.erf(x / np.sqrt(2))),
    "φ": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    "not": lambda x: x == 0,
}
BETWEEN_0_AND_1 = {"log": np.log, "log1p": np.log1p, "arcsin": np.arcsin, "arccos": np.arccos, "arctanh": np.arctanh}
BETWEEN_0_AND_1 |= {"erfinv": special.erfinv, "√": np.sqrt}
OF_TWO = {
    **{name: getattr(np, name) for name in "maximum minimum arctan2 logaddexp".split()},
    "BCE": lambda z, y: -y * np.log(1 / (1 + np.exp(-z))) - (1 - y) * np.log(1 / (1 + np.exp(z))),
    "remainder": lambda a, b: a - b * np.trunc(a / b),
    "floor_divide": lambda a, b: np.trunc(a / b),
    "and": lambda a, b: (a != 0) & (b != 0),
    "or": lambda a, b: (a != 0) | (b != 0),
}


def test_functions_number_by_number():
    x, m = 3 * ARRAYS["x"], ARRAYS["m"]
    x[0, 0], m[1, 1] = 0, 1.5
    values = VALUES | {"x": Labeled(x, ("n", "d")), "m": Labeled(m, ("n", "d"))}
    for name, function in FUNCTIONS.items():
        np.testing.assert_allclose(read(f"x = {name}(x)", values), function(x), rtol=1e-12, atol=1e-15, err_msg=name)
    for name, function in OF_TWO.items():
        np.testing.assert_allclose(
            read(f"x = {name}(x, m)", values), function(x, m), rtol=1e-12, atol=1e-14, err_msg=name
        )
    inner = Labeled(np.linspace(0.05, 0.95, 20).reshape(5, 4), ("n", "d"))
    for name, function in BETWEEN_0_AND_1.items():
        np.testing.assert_allclose(read(f"x = {name}(m)", VALUES | {"m": inner}), function(inner.value), rtol=1e-14)
    np.testing.assert_allclose(read("x = arccosh(1 + m)", VALUES | {"m": inner}), np.arccosh(1 + inner.value))
    np.testing.assert_array_equal(read("x = where(1[x > 0], m, 2)", values), np.where(x > 0, m, 2))
    np.testing.assert_array_equal(read("x = where(x, m, ℓ)", values), np.where(x != 0, m, ARRAYS["ℓ"][:, None]))
    assert {*FUNCTIONS, *BETWEEN_0_AND_1, *OF_TWO, "arccosh", "where"} == set(grammar.ELEMENTWISE), (
        "a function untested"
    )


def test_every_function_that_parses_has_a_meaning():
    assert set(grammar.ELEMENTWISE) <= set(meaning._BY_NUMBER)
    assert set(grammar.ALONG) == set(meaning._AXES) | {"softmax", "log_softmax"}


REFUSED = {
    "z1 = x b1": r"character 6 .*inner labels",
    "z1 = x x": "inner labels",
    "z1 = x L": "inner labels",
    "z1 = (x) W1": "number or a bare symbol",
    "z1 = (x + x) W1": "character 6 .*number or a bare symbol",
    "z1 = x (W1)": "joins two bare symbols",
    "z1 = x 2": "joins two bare symbols",
    "z1 = x x W1": "joins two bare symbols",
    "z1 = ReLU(x) W1": "number or a bare symbol",
    "A = A[t, t′] B": "number or a bare symbol",
    "x = (1 − β1) x": "number or a bare symbol",
    "b1 = i 2": "number or a bare symbol",
    "A = A S": "no place for the label n",
    "x = x + y9": "character 9 .*'y9' is no known",
    "x9 = x": "'x9' is no known",
    "q9 = x": "'q9' is no known",
    "x = x99": "'x99' is no known",
    "x = x̃": "'x̃' is no known",
    "x = x″": "no known",
    "x = 2x": "'2x' is no known",
    "x = x - x": "'-' is no known",
    "x = frobnicate(x)": "'frobnicate' is no known",
    "x = m(x)": "'m' is no known function",
    "x = x_d": "'x' is no known function",
    "d = x": "begins with the symbol",
    "x": "'=' is expected",
    "x =": "the end.*is expected",
    "x = x = m": "within 1",
    "x = x > 0": "within 1",
    "x = where(x > 0, x, m)": "within 1",
    "x = (x > 0) ⊙ x": "within 1",
    "x = 1[x]": "one of < ≤",
    "x = 1[0 < x < 1]": "within 1",
    "x = 21[x > 0]": "bare symbol only",
    "x = x)": "end",
    "x = (x": r"'\)' is expected",
    "x = x m": "inner labels",
    "x = x + ": "is expected",
    "x = (x²)²^2": "brackets",
    "x = x^2²": "brackets",
    "ℓ = CE(z)": "takes 2 arguments",
    "ℓ = CE(2 z, y)": "CE takes",
    "ℓ = CE(z, 2 y)": "CE takes",
    "ℓ = CE(z, 2)": "CE takes",
    "S = CE(S, y)": r"S should have the labels \(n\) of y, and one more",
    "L = CE(L, y)": "needs an array with a label",
    "L = Nᵀ": "ᵀ needs two labels",
    "x = x N": "inner labels",
    "x = x^2^2": "brackets",
    "x = x^−1": "is expected",
    "x = (x)ᵀ": "bare symbol only",
    "x = x[n, d][n, d]": "bare symbol only",
    "x = x[n, d]ᵀ": "bare symbol only",
    "x = dᵀ": "bare symbol only",
    "w = wᵀ": "ᵀ needs two labels",
    "L = Lᵀ": "ᵀ needs two labels",
    "x = z1": "the label h1, which the left side lacks",
    "ℓ = x + m": "the label d",
    "L = Σ_n x": "the label d",
    "A = A[t, t″]": "the label t″",
    "x[d, n] = x": "in this order",
    "A[t′, t] = A": "in this order",
    "b1 = Σ_{n,n} z1": "twice",
    "b1 = Σ_{} z1": "a label is expected",
    "b1 = Σ z1": "'_' is expected",
    "b1 = Σ_x z1": "a label is expected",
    "x = x[n]": "one place for each",
    "x = x[n, x]": "not everywhere a whole number",
    "ℓ = z[n, 2 y]": "a place is a label",
    "ℓ = z[n, y + 1]": "a place is a label",
    "ℓ = x[n, h1[0]]": "bare symbol only",
    "x = opaque sort(x)": "character 5 .*computed by the program",
    "x = exp(x, x)": "takes 1 arguments, 2 are given",
    "x = maximum(x)": "takes 2 arguments, 1 are given",
    "x = exp_d(x)": "takes no labels",
    "z = softmax(2 z)": "bare symbol",
    "z = softmax((z))": "bare symbol",
    "L = softmax(L)": "needs an array with a label",
    "cat = concat(a1, a2)": "takes one label",
    "cat = concat_h1(a1, 2 a2)": "bare symbols",
    "cat = concat_h1(a1, a1)": "do not make up one axis h1 of length 6",
    "cat = concat_h1(a1, w)": "do not make up",
    "flat = reshape(q, n, h)": "';' is expected",
    "flat = reshape(2 q; n, h)": "bare symbol",
    "flat = reshape(q; n, t)": "30 numbers cannot fill",
    "seq = before_t(seq)": "takes 2 arguments",
    "seq = before(seq, edge)": "takes one label",
    "seq = before_t(seq, seq)": "has itself the label t",
    "x = Σ": "'_' is expected",
    "": "begins with the symbol",
    "x = x[n, d": "is expected",
    "x = 1[x > 0": "is expected",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_the_notation_forbids_is_refused_with_its_place(line):
    with pytest.raises(NotationError, match=REFUSED[line]) as caught:
        read(line)
    assert " at character " in str(caught.value)


def test_arrays_of_other_lengths_are_refused():
    values = VALUES | {"m": Labeled(np.ones((5, 1)), ("n", "d"))}  # NumPy would repeat it
    with pytest.raises(NotationError, match=r"m \(n, d\) should have the lengths \(5, 4\), and has \(5, 1\)"):
        read("x = x + m", values)
    with pytest.raises(NotationError, match="the length of d is not known"):
        evaluate(parse("x = x", VOCABULARY), VALUES, {"n": 5}, 5)
    with pytest.raises(NotationError, match="m has no value"):
        evaluate(parse("x = m", VOCABULARY), {"x": VALUES["x"]}, SIZES, 5)
    with pytest.raises(NotationError, match="labels that are not known"):
        evaluate(parse("x = 1", VOCABULARY), {}, SIZES, 5)
    with pytest.raises(NotationError, match="whole number within the axis of length 3"):
        read("ℓ = z[n, y]", VALUES | {"y": Labeled(np.array([0, 1, 2, 3, 0]), ("n",))})


@pytest.mark.parametrize("name", ["", "a b", "x[0]", "f(x)", "Σ", "opaque", "NaN"])
def test_names_that_no_line_could_hold_are_refused(name):
    with pytest.raises(NotationError, match="cannot be the name"):
        Vocabulary({name}, {"n"})


def test_names_are_found_by_longest_match():
    sizes = {"n": 2, "k": 3, "h": 4, "h1": 5}
    arrays = {"k": ("n", "h"), "∂L/∂k": ("n", "h"), "h₋": ("h1",), "L": (), "σ": (), "V": ("n", "k")}
    arrays |= dict.fromkeys(("σ_h", "max", "W_k", "k1′"), ("h",))
    values = {
        name: Labeled(_random.normal(size=[sizes[label] for label in labels]), labels)
        for name, labels in arrays.items()
    }
    get = {name: array.value for name, array in values.items()}

    def value(line):
        return read(line, values, sizes, 2)

    np.testing.assert_array_equal(value("∂L/∂k = ∂L/∂k"), get["∂L/∂k"])
    np.testing.assert_array_equal(value("σ_h = σ_h + W_k + k1′"), get["σ_h"] + get["W_k"] + get["k1′"])
    np.testing.assert_array_equal(value("W_k = σ (W_k + 1)"), get["σ"] * (get["W_k"] + 1))
    np.testing.assert_allclose(value("W_k = σ(W_k + 1)"), special.expit(get["W_k"] + 1))
    np.testing.assert_array_equal(value("max = max ⊙ max"), get["max"] ** 2)
    np.testing.assert_array_equal(value("L = max_h(max)"), get["max"].max())
    np.testing.assert_array_equal(value("h₋ = h1"), np.arange(5))
    np.testing.assert_array_equal(value("k = k"), get["k"])  # an array in formulas, a label within [...]
    np.testing.assert_array_equal(value("k = Σ_k V[n, k] + k"), get["V"].sum(1)[:, None] + get["k"])
    np.testing.assert_array_equal(value("L = Σ_k 1"), 3)


def test_primes_have_one_spelling():
    assert [primed("t", more) for more in range(6)] == ["t", "t′", "t″", "t‴", "t⁗", "t⁗′"]
    assert primed("t′′") == "t″" and primed("t″", 1) == "t‴"
    values = {"T": Labeled(np.arange(8.0).reshape(2, 2, 2), ("t", "t′", "t′′"))}
    np.testing.assert_array_equal(read("T = T[t′′, t, t′]", values, {"t": 2}), values["T"].value.transpose(1, 2, 0))
    np.testing.assert_array_equal(read("T = Tᵀ", values, {"t": 2}), values["T"].value.transpose(0, 2, 1))
    np.testing.assert_array_equal(read("T = T ⊙ t″", values, {"t": 2}), values["T"].value * np.arange(2))
    values |= {
        "P": Labeled(np.arange(12.0).reshape(2, 2, 3), ("t", "t′", "e")),
        "Q": Labeled(np.ones((3, 2)), ("e", "t")),
    }
    np.testing.assert_array_equal(read("T = P Q", values, {"t": 2, "e": 3}), values["P"].value @ values["Q"].value)


def test_joined_arrays_of_which_any_axis_could_grow_follow_the_left_side():
    values = {name: Labeled(_random.normal(size=(2, 2)), ("n", "k")) for name in ("a", "b")}
    sizes = {"n": 2, "k": 2, "h": 4}
    for axis, labels in enumerate([("h", "k"), ("n", "h")]):
        values["z"] = Labeled(np.empty(0), labels)
        wanted = np.concatenate([values["a"].value, values["b"].value], axis=axis)
        np.testing.assert_array_equal(read("z = 1 + concat_h(a, b)", values, sizes), 1 + wanted)
    values["z"] = Labeled(np.empty(0), ("n", "k", "h"))
    with pytest.raises(NotationError, match="do not make up one axis h"):
        read("z = concat_h(a, b)", values, sizes)


def convolution(x, kernel, stride, padding):
    """The windows of the padded pictures, each multiplied with the kernel."""
    rows = (x.shape[1] + 2 * padding - kernel.shape[0]) // stride + 1
    columns = (x.shape[2] + 2 * padding - kernel.shape[1]) // stride + 1
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    y = np.zeros((x.shape[0], rows, columns, kernel.shape[3]))
    for i, j in np.ndindex(rows, columns):
        at = padded[:, stride * i : stride * i + kernel.shape[0], stride * j : stride * j + kernel.shape[1]]
        y[:, i, j] = np.tensordot(at, kernel, 3)
    return y


@pytest.fixture(params=[0, 1 << 20], ids=["walked", "whole"])
def walking(request, monkeypatch):
    monkeypatch.setattr(meaning, "WALK_ABOVE", request.param)


@pytest.mark.parametrize("stride, padding", [(1, 0), (1, 1), (2, 1), (3, 2)])
def test_convolutions_forward_and_backward(walking, stride, padding):
    x, kernel = _random.normal(size=(2, 7, 9, 3)), _random.normal(size=(3, 2, 3, 4))
    y = convolution(x, kernel, stride, padding)
    delta = _random.normal(size=y.shape)
    sizes = {"n": 2, "a": 7, "b": 9, "c": 3, "u": 3, "v": 2, "k": 4, "i": y.shape[1], "j": y.shape[2]}
    values = {
        "x": Labeled(x, ("n", "a", "b", "c")),
        "W": Labeled(kernel, ("u", "v", "c", "k")),
        "z": Labeled(y, ("n", "i", "j", "k")),
        "δz": Labeled(delta, ("n", "i", "j", "k")),
    }
    multiple = "" if stride == 1 else f"{stride} "
    at = f"n, {multiple}i + u − {padding}, {multiple}j + v − {padding}, c"
    z = read(f"z[n, i, j, k] = Σ_{{u,v,c}} (x[{at}] ⊙ W[u, v, c, k]) + 1", values, sizes)
    np.testing.assert_allclose(z, y + 1, atol=1e-12)

    slope = read(f"W[u, v, c, k] = Σ_{{n,i,j}} (x[{at}] ⊙ δz[n, i, j, k] / 2)", values, sizes)
    wanted = np.zeros_like(kernel)  # the slope of a linear map, one weight at a time
    for place in np.ndindex(*kernel.shape):
        unit = np.zeros_like(kernel)
        unit[place] = 1
        wanted[place] = (convolution(x, unit, stride, padding) * delta).sum() / 2
    np.testing.assert_allclose(slope, wanted, atol=1e-12)

    back = f"n, (a − u + {padding}) / {stride}, (b − v + {padding}) / {stride}, k"
    slope = read(f"x[n, a, b, c] = Σ_{{u,v,k}} (δz[{back}] ⊙ W)", values, sizes)
    wanted = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[place] = 1
        wanted[place] = (convolution(unit, kernel, stride, padding) * delta).sum()
    np.testing.assert_allclose(slope, wanted, atol=1e-12)


def test_a_convolution_equals_scipy(walking):
    x, kernel = _random.normal(size=(8, 9)), _random.normal(size=(3, 3))
    values = {name: Labeled(array, tuple(labels)) for name, array, labels in [("x", x, "ab"), ("W", kernel, "uv")]}
    values["z"] = Labeled(np.empty((8, 9)), ("a", "b"))
    z = read("z = Σ_{u,v} (W ⊙ x[a + u − 1, b + v − 1])", values, {"a": 8, "b": 9, "u": 3, "v": 3})
    np.testing.assert_allclose(z, signal.correlate(x, kernel, mode="same"), atol=1e-12)


def test_windows_of_a_large_convolution_are_never_built():
    import tracemalloc

    x, kernel = np.ones((8, 32, 32, 16)), np.ones((5, 5, 16, 4))
    sizes = {"n": 8, "a": 32, "b": 32, "c": 16, "u": 5, "v": 5, "k": 4}
    values = {
        "x": Labeled(x, ("n", "a", "b", "c")),
        "W": Labeled(kernel, ("u", "v", "c", "k")),
        "z": Labeled(np.empty(0), ("n", "a", "b", "k")),
    }
    tracemalloc.start()
    z = read("z = Σ_{u,v,c} (x[n, a + u − 2, b + v − 2, c] ⊙ W)", values, sizes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert z[0, 0, 0, 0] == 9 * 16 and z[0, 9, 9, 3] == 25 * 16
    assert peak < 8 * x.nbytes, "25 times x would be its windows"


@pytest.mark.parametrize("function, best", [("max", np.max), ("min", np.min)])
def test_windows_leave_out_places_beyond_the_axis(function, best):
    x = np.abs(_random.normal(size=(2, 5, 5, 3))) * (-1 if function == "max" else 1)  # a 0 from beyond would win
    values = {"x": Labeled(x, ("n", "a", "b", "c")), "z": Labeled(np.empty(0), ("n", "i", "j", "c"))}
    sizes = {"n": 2, "a": 5, "b": 5, "c": 3, "i": 3, "j": 3, "u": 3, "v": 2}
    z = read(f"z[n, i, j, c] = {function}_{{u,v}}(x[n, 2 i + u − 1, 2 j + v, c])", values, sizes)
    place = read(f"z = arg{function}_{{u,v}}(2 x[n, 2 i + u − 1, 2 j + v, c] + 1)", values, sizes)
    for n, i, j, c in np.ndindex(z.shape):
        inside = {
            (u, v): x[n, 2 * i + u - 1, 2 * j + v, c]
            for u, v in itertools.product(range(3), range(2))
            if 0 <= 2 * i + u - 1 < 5 and 2 * j + v < 5
        }
        wanted = best(list(inside.values()))
        assert z[n, i, j, c] == wanted
        assert place[n, i, j, c] == min(2 * u + v for (u, v), value in inside.items() if value == wanted)


def test_places_beyond_the_axis_never_win_a_tie_nor_spread_what_is_not_finite():
    values = {"x": Labeled(np.full(3, -np.inf), ("a",)), "z": Labeled(np.empty(0), ("i",))}
    sizes = {"a": 3, "i": 2, "u": 2}
    np.testing.assert_array_equal(read("z = argmax_u(x[2 i + u − 1])", values, sizes), [1, 0])
    np.testing.assert_array_equal(read("z = Σ_u (2 x[2 i + u + 3])", values, sizes), [0, 0])
    values["x"] = Labeled(np.array([1, np.nan, 2]), ("a",))
    np.testing.assert_array_equal(read("z = argmax_u(x[2 i + u − 1])", values, sizes), [1, 0])


def test_long_sums_keep_their_digits():
    values = {"x": Labeled(np.full(10**6, 0.1), ("n",)), "L": Labeled(np.empty(()), ())}
    np.testing.assert_allclose(read("L = Σ_n x", values, {"n": 10**6}), 1e5, rtol=1e-14)


def test_nothing_is_written_into_the_arrays_that_are_read():
    before = {name: array.value.copy() for name, array in VALUES.items()}
    for line in ROWS:
        read(line)
    for name, array in VALUES.items():
        np.testing.assert_array_equal(array.value, before[name])


numbers = st.sampled_from(["p", "β1", "L", "2", "0.5", "N"])
formulas = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " − ", " ⊙ ", " / "]), inner).map("".join),
        inner.map(lambda a: f"({a})"),
        inner.map(lambda a: f"(−{a})"),
        inner.map(lambda a: f"({a})²"),
        st.tuples(numbers, inner).map(lambda pair: f"{pair[0]}² ⊙ ({pair[1]})"),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(formulas)
def test_precedence_is_that_of_arithmetic(formula):
    python = formula.replace("−", "-").replace("⊙", "*").replace("²", "**2")
    with np.errstate(all="ignore"):
        wanted = eval(python, {"N": np.float64(5), **{name: np.float64(ARRAYS[name]) for name in ("p", "β1", "L")}})
        np.testing.assert_allclose(read(f"L = {formula}"), wanted, rtol=1e-9)


some_labels = st.lists(st.sampled_from("abcd"), unique=True, max_size=3).map(tuple)


@settings(max_examples=100, deadline=None)
@given(st.lists(some_labels, min_size=1, max_size=3), st.permutations("abcd"), st.integers(0, 4), st.data())
def test_sums_of_products_meet_by_label(factors, order, kept, data):
    sizes = {"a": 2, "b": 3, "c": 4, "d": 5}
    operations = [data.draw(st.sampled_from("⊙/")) for factor in factors]
    values = {
        f"x{i}": Labeled(1 + np.random.default_rng(i).random([sizes[label] for label in labels]), labels)
        for i, labels in enumerate(factors)
    }
    values["z"] = Labeled(np.empty(0), tuple(order[:kept]))
    line = "z = Σ_{" + ",".join(order[kept:]) + "} (x0" if kept < 4 else "z = (x0"
    line += "".join(f" {operation} x{i}" for i, operation in enumerate(operations[1:], 1)) + ")"
    wanted = np.zeros([sizes[label] for label in order[:kept]])
    for place in np.ndindex(2, 3, 4, 5):
        at = dict(zip("abcd", place, strict=True))
        terms = [values[f"x{i}"].value[tuple(at[label] for label in labels)] for i, labels in enumerate(factors)]
        term = terms[0]
        for operation, other in zip(operations[1:], terms[1:], strict=True):
            term = term * other if operation == "⊙" else term / other
        wanted[tuple(at[label] for label in order[:kept])] += term
    np.testing.assert_allclose(read(line, values, sizes), wanted, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(-2, 3), st.integers(-4, 2), st.integers(1, 2),
    st.sampled_from([("i", "k"), ("u", "k"), ("i", "u"), ("i",), ("k",)]), st.sampled_from([0, 1 << 20]),
)  # fmt: skip
def test_computed_places_by_loops(stride, step, shift, divisor, output, limit):
    sizes = {"i": 4, "u": 3, "a": 6, "k": 2}
    x, w = np.random.default_rng(1).normal(size=(6, 2)), np.random.default_rng(2).normal(size=(4, 3))
    values = {"x": Labeled(x, ("a", "k")), "w": Labeled(w, ("i", "u"))}
    values["z"] = Labeled(np.empty(0), output)
    place = (
        f"({stride} i {'+' if step >= 0 else '−'} {abs(step)} u {'+' if shift >= 0 else '−'} {abs(shift)}) / {divisor}"
    )
    over = ",".join(label for label in "iuk" if label not in output)
    wanted = np.zeros([sizes[label] for label in output])
    for i, u, k in np.ndindex(4, 3, 2):
        whole, rest = divmod(stride * i + step * u + shift, divisor)
        if rest == 0 and 0 <= whole < 6:
            at = {"i": i, "u": u, "k": k}
            wanted[tuple(at[label] for label in output)] += x[whole, k] * w[i, u]
    original, meaning.WALK_ABOVE = meaning.WALK_ABOVE, limit
    try:
        np.testing.assert_allclose(read(f"z = Σ_{{{over}}} (x[{place}, k] ⊙ w)", values, sizes), wanted, atol=1e-13)
    finally:
        meaning.WALK_ABOVE = original


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(ROWS)),
    st.integers(0, 60),
    st.integers(0, 3),
    st.text("xnd1 ()[]{}_,;²ᵀ^Σ−+⊙/=<′√", max_size=2),
)
def test_a_damaged_line_is_refused_or_read_but_never_breaks_the_reader(line, place, gone, new):
    damaged = line[:place] + new + line[place + gone :]
    try:
        read(damaged)
    except NotationError as error:
        assert " at character " in str(error)


def test_the_work_of_reading_a_line_grows_with_its_length_and_not_with_the_vocabulary():
    few, many = (
        Vocabulary({f"{name}{i}" for name in ("z", "a", "W", "δz", "∂L/∂W") for i in range(count)}, SIZES)
        for count in (150, 1500)
    )

    def line(terms):
        return "z1 = " + " + ".join(f"(a{i} + 2 z{i}) ⊙ z{i}" for i in range(2, 2 + terms))

    def work(terms, vocabulary):
        return calls_made(lambda: parse(line(terms), vocabulary))

    assert work(10, few) == work(10, many) < 2000
    assert work(40, few) < 4.4 * work(10, few)


def test_the_reader_shares_no_code_with_what_prints():
    allowed = {"chainrule.errors", "chainrule.equations.checks.grammar"}
    for module in (grammar, meaning):
        tree = ast.parse(inspect.getsource(module))
        ours = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert {name for name in ours if name.startswith("chainrule")} <= allowed
        assert not any(isinstance(node, ast.Import) and "chainrule" in ast.dump(node) for node in ast.walk(tree))
