"""Generated NumPy modules: run in a process without JAX, they compute what independent references do."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from chainrule.equations.code import Listing, Variable, copied, module
from chainrule.equations.code.layout import nested
from chainrule.equations.code.names import python_name
from chainrule.equations.derivation.paths import keys
from chainrule.equations.formula import (
    Call,
    Formula,
    Line,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Test,
    Total,
)
from chainrule.errors import CannotExplain

Test.__test__ = False  # type: ignore[attr-defined]
SITE = Path(np.__file__).parents[1]


def S(name: str, *index, T: bool = False) -> Symbol:
    return Symbol(name, tuple(map(at, index)) if index else None, T)


def at(entry) -> Place | Symbol:
    """An index: "n", 2, or pairs such as ("2i", "+u", -1)."""
    if isinstance(entry, str):
        return Place(((entry, 1),))
    return Place((), entry) if isinstance(entry, int) else entry


def place(*terms: tuple[str, int], offset: int = 0, divisor: int = 1) -> Place:
    return Place(terms, offset, divisor)


def plus(*terms: Formula) -> Sum:
    return Sum(tuple((1, t) for t in terms))


def minus(a: Formula, b: Formula) -> Sum:
    return Sum(((1, a), (-1, b)))


def times(*factors: Formula) -> Product:
    return Product(factors)


def f(name: str, *args: Formula, over: tuple[str, ...] = ()) -> Call:
    return Call(name, args, over)


def sums(labels: str, body: Formula) -> Total:
    return Total(tuple(labels.split()), body)


def line(symbol: str, labels: str, formula: Formula, kind: str = "forward") -> Line:
    return Line(symbol, tuple(labels.split()), formula, kind)


def lines_of(kind: str, *rows: tuple[str, str, Formula]) -> tuple[Line, ...]:
    return tuple(line(*row, kind) for row in rows)


def listing(title: str, inputs: str, lines: tuple[Line, ...], sizes: str, outputs: str = "", **more) -> Listing:
    """inputs: "W (d h) params['W']; ..."; sizes: "d=4 h=5"; outputs: "outputs=z loss=L"."""
    found = []
    for text in inputs.split(";"):
        name, rest = text.strip().split(" (", 1)
        labels, path = rest.split(")", 1)
        found.append(Variable(name, tuple(labels.split()), f"what {name} is", path.strip()))
    split = {k: int(v) for k, v in (pair.split("=") for pair in sizes.split())}
    named = dict(pair.split("=") for pair in outputs.split())
    return Listing(title, tuple(found), lines, {v.symbol: v for v in found}, split, named, **more)


class Generated:
    """A generated module that answers calls in a process of its own, where JAX cannot be imported."""

    def __init__(self, source: str, folder: Path):
        self.source = source
        self.folder = folder
        (folder / "generated.py").write_text(source, encoding="utf-8")

    def __call__(self, **calls: tuple):
        np.save(self.folder / "calls.npy", np.array(calls, object), allow_pickle=True)
        script = f"""
            import sys, warnings
            sys.path[:0] = [{str(self.folder)!r}, {str(SITE)!r}]
            for name in ("jax", "jaxlib", "scipy", "chainrule", "optax"):
                sys.modules[name] = None
            import numpy as np, generated
            calls = np.load({str(self.folder / "calls.npy")!r}, allow_pickle=True).item()
            results = {{name: getattr(generated, name.rstrip("_"))(*args) for name, args in calls.items()}}
            np.save({str(self.folder / "results.npy")!r}, np.array(results, object), allow_pickle=True)
        """
        run = [sys.executable, "-S", "-I", "-W", "error", "-c", textwrap.dedent(script)]
        done = subprocess.run(run, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}\n{self.source}"
        return np.load(self.folder / "results.npy", allow_pickle=True).item()


@pytest.fixture
def generated(tmp_path):
    return lambda program: Generated(module(program), tmp_path)


def close(found, expected, tolerance: float = 1e-9) -> None:
    found, expected = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def exact(loss, params, *data):
    """The loss and its gradients by automatic differentiation, in float64."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.value_and_grad(loss)(params, *data))


N = Number(1, 1)
ONE, TWO = Number(1), Number(2)

MLP = listing(
    "a small net",
    "W1 (d h) params[0]['W']; b1 (h) params[0]['b']; W2 (h k) params[2]['W']; b2 (k) params[2]['b']; "
    "x (n d) x; y (n) y",
    (
        *lines_of(
            "forward",
            ("z1", "n h", plus(Matrix(S("x"), S("W1")), S("b1"))),
            ("a1", "n h", f("relu", S("z1"))),
            ("z2", "n k", plus(Matrix(S("a1"), S("W2")), S("b2"))),
        ),
        *lines_of(
            "loss",
            ("logp", "n k", f("log_softmax", S("z2"))),
            ("ℓ", "n", Negative(S("logp", "n", S("y")))),
            ("L", "", Quotient(sums("n", S("ℓ")), N)),
        ),
        *lines_of(
            "backward",
            ("δz2", "n k", Quotient(minus(f("softmax", S("z2")), Test("=", at("k"), S("y"))), N)),
            ("∂L/∂W2", "h k", Matrix(S("a1", T=True), S("δz2"))),
            ("∂L/∂b2", "k", sums("n", S("δz2"))),
            ("δa1", "n h", Matrix(S("δz2"), S("W2", T=True))),
            ("δz1", "n h", times(S("δa1"), Test(">", S("z1"), Number(0)))),
            ("∂L/∂W1", "d h", Matrix(S("x", T=True), S("δz1"))),
            ("∂L/∂b1", "h", sums("n", S("δz1"))),
        ),
        *lines_of(
            "update",
            ("W1₊", "d h", minus(S("W1"), times(S("η"), S("∂L/∂W1")))),
            ("b1₊", "h", minus(S("b1"), times(S("η"), S("∂L/∂b1")))),
            ("W2₊", "h k", minus(S("W2"), times(S("η"), S("∂L/∂W2")))),
            ("b2₊", "k", minus(S("b2"), times(S("η"), S("∂L/∂b2")))),
        ),
    ),
    "d=4 h=5 k=3",
    "outputs=z2 loss=L",
    gradients={f"[{i}]['{name}']": f"∂L/∂{name}{j}" for i, j in ((0, 1), (2, 2)) for name in "Wb"},
)


def test_mlp_with_cross_entropy(generated):
    params = ({"W": numbers(4, 5), "b": numbers(5)}, {}, {"W": numbers(5, 3), "b": numbers(3)})
    x, y = numbers(7, 4), np.array([0, 2, 1, 1, 0, 2, 2])

    def outputs(params, x):
        return jnp.maximum(x @ params[0]["W"] + params[0]["b"], 0) @ params[2]["W"] + params[2]["b"]

    def loss(params, x, y):
        return -jax.nn.log_softmax(outputs(params, x))[jnp.arange(7), y].mean()

    net = generated(MLP)
    value, gradient = exact(loss, params, x, y)
    found = net(
        forward=(params, x), loss=(params, x, y), gradients=(params, x, y), update=(params, gradient, np.float64(0.1))
    )
    close(found["forward"], np.asarray(outputs(params, x), float), 1e-5)
    close(found["loss"], value)
    close(found["gradients"], gradient)
    close(found["update"], jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient))


def test_statements_stand_in_the_order_of_the_lines_with_the_printed_line_beside_them():
    source = module(MLP)
    places = [
        source.index(text) for text in ("z1 = x @ W1 + b1  # z1 = x W1 + b1", "a1 = np.maximum(z1, 0)", "logp = ")
    ]
    places += [source.index(f"# {shown}") for shown in ("δz2 = ", "∂L/∂W2 = a1ᵀ δz2", "δz1 = δa1 ⊙ 1[z1 > 0]")]
    assert places == sorted(places)
    assert source.count("np.maximum") == 1, "the forward pass is written once"
    assert "W1  (d = 4, h = 5)  what W1 is" in source


def conv(stride: int) -> Listing:
    """z = x * W with padding 1 and a stride along i, kernel dilation 2 along j."""
    read = S("x", "n", place(("i", stride), ("u", 1), offset=-1), place(("j", 1), ("v", 2), offset=-1), "c")
    return listing(
        "a convolution",
        "W (u v c k) params['W']; b (k) params['b']; x (n a e c) x",
        (
            *lines_of(
                "forward",
                ("z", "n i j k", plus(sums("u v c", times(read, S("W"))), S("b"))),
                ("p", "n k", f("max", S("z"), over=("i", "j"))),
            ),
            *lines_of("loss", ("L", "", plus(sums("n i j k", Power(S("z"), Number(3))), sums("n k", S("p"))))),
            *lines_of(
                "backward",
                ("here", "n i j k", Test("=", S("z"), S("p"))),
                ("δz", "n i j k", plus(times(Number(3), Power(S("z"), TWO)), S("here"))),
                ("∂L/∂W", "u v c k", sums("n i j", times(read, S("δz")))),
                ("∂L/∂b", "k", sums("n i j", S("δz"))),
                (
                    "δx",
                    "n a e c",
                    sums(
                        "u v k",
                        times(
                            S(
                                "δz",
                                "n",
                                place(("a", 1), ("u", -1), offset=1, divisor=stride),
                                place(("e", 1), ("v", -2), offset=1),
                                "k",
                            ),
                            S("W"),
                        ),
                    ),
                ),
            ),
        ),
        f"a=8 e=9 c=2 u=3 v=2 k=4 i={(8 + 2 - 3) // stride + 1} j=9",
        "outputs=z loss=L",
        gradients={"[0]['W']": "∂L/∂W", "[0]['b']": "∂L/∂b", "[1]": "δx"},
    )


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolution_with_stride_padding_and_dilation(generated, stride):
    params, x = {"W": numbers(3, 2, 2, 4), "b": numbers(4)}, numbers(3, 8, 9, 2)

    def outputs(params, x):
        sides = ("NHWC", "HWIO", "NHWC")
        z = jax.lax.conv_general_dilated(
            x, params["W"], (stride, 1), ((1, 1), (1, 1)), rhs_dilation=(1, 2), dimension_numbers=sides
        )
        return z + params["b"]

    def loss(both):
        z = outputs(*both)
        return (z**3).sum() + z.max((1, 2)).sum()

    net = generated(conv(stride))
    value, gradient = exact(loss, (params, x))
    found = net(forward=(params, x), loss=(params, x), gradients=(params, x))
    with jax.enable_x64(True):
        close(found["forward"], np.asarray(outputs(params, x)))
    close(found["loss"], value)
    close(found["gradients"], gradient, 1e-8)
    assert "for u in range(3) for v in range(2)" in net.source and " read(" not in net.source
    assert ("spread" in net.source) == (stride > 1), "zeros between numbers are needed for strides only"


ATTENTION = listing(
    "attention",
    "Wq (d h e) params['q']; Wk (d h e) params['k']; Wv (d h e) params['v']; x (n t d) x",
    (
        *lines_of(
            "forward",
            *(
                (c, "n h t e", sums("d", times(S("x"), S(f"W{c}"))))
                for c in "qkv"
            ),
            ("s", "n h t t′", Quotient(Matrix(S("q"), S("k", T=True)), f("sqrt", Number(3)))),
            ("m", "n h t t′", f("where", Test("≤", at("t′"), at("t")), S("s"), Number(-1e30))),
            ("p", "n h t t′", f("softmax", S("m"))),
            ("o", "n h t e", Matrix(S("p"), S("v"))),
        ),
        *lines_of("loss", ("L", "", Quotient(sums("n h t e", Power(S("o"), TWO)), N))),
        *lines_of(
            "backward",
            ("δo", "n h t e", Quotient(times(TWO, S("o")), N)),
            ("δv", "n h t e", Matrix(S("p", T=True), S("δo"))),
            ("δp", "n h t t′", Matrix(S("δo"), S("v", T=True))),
            ("δs", "n h t t′", Quotient(
                times(S("p"), minus(S("δp"), sums("t′", times(S("p"), S("δp"))))), f("sqrt", Number(3)))),
            ("δq", "n h t e", Matrix(S("δs"), S("k"))),
            ("δk", "n h t e", sums("t′", times(S("δs", "n", "h", "t′", "t"), S("q", "n", "h", "t′", "e")))),
            *((f"∂L/∂W{c}", "d h e", sums("n t", times(S("x"), S(f"δ{c}")))) for c in "qkv"),
        ),
    ),
    "h=2 t=5 d=4 e=3",
    "outputs=o loss=L",
    gradients={f"['{c}']": f"∂L/∂W{c}" for c in "qkv"},
)  # fmt: skip


def test_attention(generated):
    params, x = {c: numbers(4, 2, 3, seed=ord(c)) for c in "qkv"}, numbers(3, 5, 4)

    def loss(params, x):
        q, k, v = (jnp.einsum("ntd,dhe->nhte", x, params[c]) for c in "qkv")
        s = jnp.einsum("nhte,nhse->nhts", q, k) / np.sqrt(3)
        p = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((5, 5), bool)), s, -1e30))
        return ((p @ v) ** 2).sum() / 3

    net = generated(ATTENTION)
    value, gradient = exact(loss, params, x)
    found = net(loss=(params, x), gradients=(params, x))
    close(found["loss"], value)
    close(found["gradients"], gradient)
    assert "q @ np.swapaxes(k, -2, -1)" in net.source


def test_a_matrix_times_the_transpose_of_its_like(generated):
    lines = lines_of("forward", ("s", "t t′", Matrix(S("x"), S("x", T=True))), ("u", "t", Matrix(S("s"), S("w"))))
    net = generated(listing("Gram", "w (t) params; x (t d) x", lines, "t=4 d=3", "outputs[0]=s outputs[1]=u"))
    w, x = numbers(4), numbers(4, 3)
    close(net(forward=(w, x))["forward"], (x @ x.T, x @ x.T @ w))


def lstm() -> Listing:
    gates = [
        (g, "t n h", f("tanh" if g == "g" else "sigmoid", S("z", "t", "n", place(("h", 1), offset=5 * k))))
        for k, g in enumerate("ifgo")
    ]
    slopes = {g: times(S(g), minus(ONE, S(g))) for g in "ifo"} | {"g": minus(ONE, Power(S("g"), TWO))}
    inner = {"i": S("g"), "f": S("s₋"), "g": S("i"), "o": f("tanh", S("s"))}
    outer = {"i": S("δs"), "f": S("δs"), "g": S("δs"), "o": S("δh")}
    return listing(
        "an LSTM",
        "W (d m) params['W']; U (h m) params['U']; b (m) params['b']; x (n t d) x; y (n h) y",
        (
            *lines_of(
                "forward",
                ("e", "t n m", plus(sums("d", times(S("x"), S("W"))), S("b"))),
                ("h₋", "t n h", f("before", S("h"), Number(0), over=("t",))),
                ("s₋", "t n h", f("before", S("s"), Number(0), over=("t",))),
                ("z", "t n m", plus(S("e"), Matrix(S("h₋"), S("U")))),
                *gates,
                ("s", "t n h", plus(times(S("f"), S("s₋")), times(S("i"), S("g")))),
                ("h", "t n h", times(S("o"), f("tanh", S("s")))),
                ("last", "n h", S("h", 5, "n", "h")),
            ),
            *lines_of("loss", ("L", "", Quotient(sums("n h", Power(minus(S("last"), S("y")), TWO)), N))),
            *lines_of(
                "backward",
                ("δlast", "n h", Quotient(times(TWO, minus(S("last"), S("y"))), N)),
                ("δh₊", "t n h", f("after", Matrix(S("δz"), S("U", T=True)), S("δlast"), over=("t",))),
                ("δh", "t n h", S("δh₊")),
                ("δs₊", "t n h", f("after", times(S("δs"), S("f")), Number(0), over=("t",))),
                (
                    "δs",
                    "t n h",
                    plus(S("δs₊"), times(S("δh"), S("o"), minus(ONE, Power(f("tanh", S("s")), TWO)))),
                ),
                *((f"δ{g}", "t n h", times(outer[g], inner[g], slopes[g])) for g in "ifgo"),
                ("δz", "t n m", f("concat", *(S(f"δ{g}") for g in "ifgo"), over=("m",))),
                ("∂L/∂W", "d m", sums("t n", times(S("x"), S("δz")))),
                ("∂L/∂U", "h m", sums("t", Matrix(S("h₋", T=True), S("δz")))),
                ("∂L/∂b", "m", sums("t n", S("δz"))),
            ),
        ),
        "t=6 d=3 h=5 m=20",
        "outputs=last loss=L",
        gradients={f"['{c}']": f"∂L/∂{c}" for c in "WUb"},
    )


def test_lstm_and_its_gradient_through_time(generated):
    params = {"W": numbers(3, 20), "U": numbers(5, 20) / 2, "b": numbers(20)}
    x, y = numbers(4, 6, 3), numbers(4, 5)

    def loss(params, x, y):
        h = s = jnp.zeros((4, 5))
        for t in range(6):
            i, f, g, o = jnp.split(x[:, t] @ params["W"] + h @ params["U"] + params["b"], 4, -1)
            s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(s)
        return ((h - y) ** 2).sum() / 4

    net = generated(lstm())
    value, gradient = exact(loss, params, x, y)
    found = net(loss=(params, x, y), gradients=(params, x, y))
    close(found["loss"], value)
    close(found["gradients"], gradient)
    assert "for t in range(6):" in net.source and "for t in reversed(range(6)):" in net.source
    before = net.source.index("e = "), net.source.index("for t in range(6)"), net.source.index("last = h[5]")
    assert before == tuple(sorted(before)), "what a loop does not carry is computed for all steps at once"


def test_loops_in_loops(generated):
    lines = lines_of(
        "forward",
        ("u₋", "t n h", f("before", S("u", "t", 2, "n", "h"), Number(1), over=("t",))),
        ("v₋", "t s n h", f("before", S("v"), S("u₋"), over=("s",))),
        ("v", "t s n h", f("tanh", plus(Matrix(S("v₋"), S("W")), S("x")))),
        ("u", "t s n h", times(TWO, S("v"))),
        ("L", "", sums("t s n h", Power(S("v"), TWO))),
    )
    net = generated(listing("scans", "W (h h′) params; x (n t s h) x", lines, "t=4 s=3 h=2", "loss=L"))
    W, x = numbers(2, 2), numbers(5, 4, 3, 2)
    total, u = 0.0, np.ones((5, 2))
    for t in range(4):
        v = u
        for s in range(3):
            v = np.tanh(v @ W + x[:, t, s])
            total += (v**2).sum()
        u = 2 * v
    close(net(loss=(W, x))["loss"], total)


def test_steps_before_and_after_of_what_no_loop_carries(generated):
    lines = lines_of(
        "forward",
        ("b", "n t", f("before", S("x"), S("w"), over=("t",))),
        ("c", "n t", f("after", Power(S("x"), TWO), Number(7), over=("t",))),
        ("d", "n t", minus(S("c"), S("b"))),
    )
    net = generated(listing("shifts", "w (n) w; x (n t) x", lines, "t=4", "outputs=d"))
    w, x = numbers(3), numbers(3, 4)
    expected = np.c_[x[:, 1:] ** 2, np.full(3, 7)] - np.c_[w, x[:, :-1]]
    close(net(forward=(w, x))["forward"], expected)
    assert "for " not in net.source.split("def forward")[1]


def test_embedding_lookups(generated):
    lines = (
        *lines_of(
            "forward",
            ("e", "n t d", S("E", S("ids"), "d")),
            ("m", "n d", Quotient(sums("t", S("e")), Number(6))),
            ("z", "n k", Matrix(S("m"), S("W"))),
        ),
        *lines_of("loss", ("L", "", Quotient(sums("n", Negative(S("z", "n", S("y")))), N))),
        *lines_of(
            "backward",
            ("δz", "n k", Negative(Quotient(Test("=", at("k"), S("y")), N))),
            ("δm", "n d", Matrix(S("δz"), S("W", T=True))),
            ("∂L/∂W", "d k", Matrix(S("m", T=True), S("δz"))),
            ("∂L/∂E", "v d", Quotient(sums("n t", times(Test("=", at("v"), S("ids")), S("δm"))), Number(6))),
        ),
    )
    gradients = {"['E']": "∂L/∂E", "['W']": "∂L/∂W"}
    inputs = "E (v d) params['E']; W (d k) params['W']; ids (n t) ids; y (n) y"
    net = generated(listing("embedding", inputs, lines, "t=6 d=4 k=3 v=7", "outputs=z loss=L", gradients=gradients))
    params = {"E": numbers(7, 4), "W": numbers(4, 3)}
    ids, y = np.random.default_rng(0).integers(0, 7, (5, 6)), np.array([0, 2, 1, 1, 0])

    def loss(params, ids, y):
        return -(params["E"][ids].mean(1) @ params["W"])[jnp.arange(5), y].mean()

    value, gradient = exact(loss, params, ids, y)
    found = net(loss=(params, ids, y), gradients=(params, ids, y))
    close(found["loss"], value)
    close(found["gradients"], gradient)
    assert "e = E[ids]" in net.source


def test_layer_normalization(generated):
    scaled = Quotient(minus(S("x"), S("μ")), S("σ"))
    lines = (
        *lines_of(
            "forward",
            ("μ", "n", Quotient(sums("d", S("x")), Number(4))),
            ("σ²", "n", Quotient(sums("d", Power(minus(S("x"), S("μ")), TWO)), Number(4))),
            ("σ", "n", f("sqrt", plus(S("σ²"), Number(1e-5)))),
            ("x̂", "n d", scaled),
            ("z", "n d", plus(times(S("γ"), S("x̂")), S("β"))),
        ),
        *lines_of("loss", ("L", "", sums("n d", Power(S("z"), Number(3))))),
        *lines_of(
            "backward",
            ("δz", "n d", times(Number(3), Power(S("z"), TWO))),
            ("∂L/∂γ", "d", sums("n", times(S("δz"), S("x̂")))),
            ("∂L/∂β", "d", sums("n", S("δz"))),
            ("δx̂", "n d", times(S("δz"), S("γ"))),
            ("m", "n", Quotient(sums("d", S("δx̂")), Number(4))),
            ("q", "n", Quotient(sums("d", times(S("δx̂"), S("x̂"))), Number(4))),
            ("δx", "n d", Quotient(minus(minus(S("δx̂"), S("m")), times(S("x̂"), S("q"))), S("σ"))),
        ),
    )
    gradients = {"['γ']": "∂L/∂γ", "['β']": "∂L/∂β", "['x']": "δx"}
    inputs = "γ (d) params['γ']; β (d) params['β']; x (n d) params['x']; w (n) w"
    net = generated(listing("normalization", inputs, lines, "d=4", "outputs=z loss=L", gradients=gradients))
    params = {"γ": numbers(4), "β": numbers(4, seed=1), "x": numbers(6, 4)}

    def loss(p, w):
        x = (p["x"] - p["x"].mean(1, keepdims=True)) / jnp.sqrt(p["x"].var(1, keepdims=True) + 1e-5)
        return ((p["γ"] * x + p["β"]) ** 3).sum()

    value, gradient = exact(loss, params, numbers(6))
    found = net(loss=(params,), gradients=(params,))
    close(found["loss"], value)
    close(found["gradients"], gradient, 1e-8)
    assert "mu = " in net.source and "var = " in net.source and "x_hat" in net.source


X, Y = numbers(5, 4), numbers(5, 4, seed=2)
W3 = numbers(4, 4, seed=3)
IDS = np.array([2, 0, 3, 1, -1])
FORMS = {
    "sums": ("n d", Sum(((-1, S("x")), (1, S("y")), (-1, Number(2)))), -X + Y - 2),
    "a row": ("n d", S("v"), np.broadcast_to(W3[0], (5, 4))),
    "a number everywhere": ("n d", Number(0.5), np.full((5, 4), 0.5)),
    "nothing": ("n d", Number(0), np.zeros((5, 4))),
    "a column": ("n d", Quotient(S("x"), sums("d", f("exp", S("x")))), X / np.exp(X).sum(1, keepdims=True)),
    "two columns": ("n d d′", times(S("x"), S("y", "n", "d′")), X[:, :, None] * Y[:, None]),
    "transposed": ("d n", S("x"), X.T),
    "moved": ("d d′ n", times(S("x"), S("y", "n", "d′")), (X[:, :, None] * Y[:, None]).transpose(1, 2, 0)),
    "slices": ("n e", S("x", "n", place(("e", 1), offset=1)), X[:, 1:3]),
    "strides": ("n e", S("x", "n", place(("e", 2))), X[:, ::2]),
    "reversed": ("n d", S("x", "n", place(("d", -1), offset=3)), X[:, ::-1]),
    "reversed part": ("n e", S("x", "n", place(("e", -2), offset=3)), X[:, 3:0:-2]),
    "a place": ("n", S("x", "n", 2), X[:, 2]),
    "moved beyond": ("n d", S("x", "n", place(("d", 1), offset=2)), np.c_[X[:, 2:], np.zeros((5, 2))]),
    "moved behind": ("n d", S("x", "n", place(("d", 1), offset=-1)), np.c_[np.zeros(5), X[:, :3]]),
    "never there": ("n", S("x", "n", 9), np.zeros(5)),
    "halves": ("n d", S("x", "n", place(("d", 1), divisor=2)), np.c_[X[:, 0], np.zeros(5), X[:, 1], np.zeros(5)]),
    "windows": ("n e u", S("x", "n", place(("e", 1), ("u", 1))), np.stack([X[:, u : u + 2] for u in range(3)], 2)),
    "diagonal": ("d", S("w", "d", "d"), np.diag(W3)),
    "lookups": ("n d", S("w", S("ids"), "d"), W3[IDS]),
    "lookups behind": ("n d", S("w", "d", S("ids")), W3[:, IDS].T),
    "one each": ("n", S("x", "n", S("ids")), X[np.arange(5), IDS]),
    "two each": ("n", S("w", S("ids"), S("ids")), W3[IDS, IDS]),
    "lookups and a place": ("n", S("w", S("ids"), 1), W3[IDS, 1]),
    "lookups beside a slice": ("n e", S("w", place(("e", 1), offset=1), S("ids")), W3[1:3, IDS].T),
    "lookups outside": ("n e", S("w", place(("e", 2), offset=2), S("ids")), np.c_[W3[2, IDS], np.zeros(5)]),
    "labels as numbers": ("n d", minus(place(("n", 2)), place(("d", 1))), 2 * np.arange(5)[:, None] - np.arange(4)),
    "a place as a number": ("d e", place(("d", 2), ("e", -1), offset=1, divisor=2),
        (2 * np.arange(4)[:, None] - np.arange(2) + 1) / 2),
    "yes minus yes": ("n d", minus(Test(">", S("x"), Number(0)), Test("≥", S("y"), Number(0))),
        (X > 0) * 1.0 - (Y >= 0)),
    "yes and yes": ("n d", plus(Test("<", S("x"), Number(0)), Test("≠", S("y"), S("x"))), (X < 0) * 1.0 + 1),
    "minus yes": ("n d", Negative(Test("≤", S("x"), Number(0))), -1.0 * (X <= 0)),
    "count": ("d", sums("n", Test(">", S("x"), Number(0))), (X > 0).sum(0)),
    "pairs": ("d d′", sums("n", times(Test(">", S("x"), Number(0)), Test(">", S("y", "n", "d′"), Number(0)))),
        (X > 0).T.astype(float) @ (Y > 0)),
    "powers": ("n d", times(Power(TWO, S("x")), Power(f("abs", S("y")), Number(-0.5))), 2**X / np.sqrt(np.abs(Y))),
    "squares of sums": ("n d", Power(minus(S("x"), S("y")), TWO), (X - Y) ** 2),
    "N": ("", Quotient(sums("n d", S("x")), times(Number(4, 1))), X.sum() / 20),
    "N squared": ("", times(Number(3, 2), Number(1, -1)), np.float64(15)),
    "sums of what is alike": ("n", sums("e", f("exp", S("x", "n", 0))), 2 * np.exp(X[:, 0])),
    "quotients in sums": ("n", sums("d", Quotient(times(S("x"), S("y")), f("exp", S("v")))),
        (X * Y / np.exp(W3[0])).sum(1)),
    "a negative sum": ("n", sums("d", Negative(times(Number(2), S("x"), S("y")))), -2 * (X * Y).sum(1)),
    "matrix": ("n d", Matrix(S("x"), S("w")), X @ W3),
    "matrix of itself": ("n d", Matrix(S("x"), S("w", T=True)), X @ W3.T),
    "vector": ("d", Matrix(S("v"), S("w")), W3[0] @ W3),
    "inner": ("", Matrix(S("v"), S("v")), W3[0] @ W3[0]),
    "product with a product": ("n d", times(S("y"), f("tanh", Matrix(S("x"), S("w")))), Y * np.tanh(X @ W3)),
    "times a matrix product": ("n d", times(TWO, Matrix(S("x"), S("w"))), 2 * (X @ W3)),
    "largest": ("n", f("max", S("x")), X.max(1)),
    "largest of all": ("", f("max", S("x"), over=("n", "d")), X.max()),
    "place of the largest": ("n", f("argmax", S("x")), X.argmax(1)),
    "place in all": ("", f("argmin", S("x"), over=("n", "d")), X.argmin()),
    "place turned": ("", f("argmax", S("x"), over=("d", "n")), X.T.argmax()),
    "windows' largest": ("n e", f("max", S("x", "n", place(("e", 2), ("u", 1), offset=-1)), over=("u",)),
        np.stack([X[:, :2].max(1), X[:, 1:4].max(1)], 1)),
    "windows' place": ("n e", f("argmin", S("x", "n", place(("e", 2), ("u", 1), offset=-1)), over=("u",)),
        np.stack([X[:, :2].argmin(1) + 1, X[:, 1:4].argmin(1)], 1)),
    "windows' product": ("n e", f("prod", S("x", "n", place(("e", 1), ("u", 1))), over=("u",)),
        np.stack([X[:, :3].prod(1), X[:, 1:].prod(1)], 1)),
    "means": ("d", f("mean", S("x"), over=("n",)), X.mean(0)),
    "mean of all": ("", f("mean", Power(S("x"), TWO), over=("n", "d")), (X**2).mean()),
    "windows' mean": ("n e", f("mean", S("x", "n", place(("e", 1), ("u", 1))), over=("u",)),
        np.stack([X[:, :3].mean(1), X[:, 1:].mean(1)], 1)),
    "cross-entropy": ("n", f("CE", S("x"), S("ids")), special.logsumexp(X, axis=1) - X[np.arange(5), IDS]),
    "yes at all": ("n", f("any", Test(">", S("x"), Number(1)), over=("d",)), (X > 1).any(1) * 1.0),
    "all alike": ("n", f("number", f("all", Test(">", S("x"), Number(-1)), over=("d",))), (X > -1).all(1) * 1.0),
    "logsumexp": ("d", f("logsumexp", S("x"), over=("n",)), special.logsumexp(X, axis=0)),
    "log_softmax": ("n d", f("log_softmax", S("x")), special.log_softmax(X, 1)),
    "softmax over two": ("n d", f("softmax", plus(S("x"), S("v")), over=("n", "d")), special.softmax(X + W3[0])),
    "choice": ("n d", f("where", f("and", Test(">", S("x"), Number(0)), f("not", Test(">", S("y"), Number(0)))),
        S("v"), Number(math_inf := np.inf)), np.where((X > 0) & ~(Y > 0), W3[0], math_inf)),
    "whole numbers": ("n d", f("floor_divide", times(Number(3), S("x")), Number(2)), np.trunc(3 * X / 2)),
    "remainder": ("n d", f("remainder", S("x"), f("stop", S("y"))), np.fmod(X, Y)),
    "together": ("n f", f("concat", S("x"), S("xe", "n", "e"), over=("f",)), np.c_[X, X[:, :2]]),
    "arranged": ("n e u", f("reshape", S("x"), over=("n", "e", "e′")), X.reshape(5, 2, 2)),
    "correlation": ("n e", sums("u", times(S("x", "n", place(("e", 1), ("u", 1))), f("exp", S("v", "u")))),
        np.stack([X[:, e : e + 3] @ np.exp(W3[0, :3]) for e in range(2)], 1)),
}  # fmt: skip
ELEMENTS = {
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": special.expit,
    "silu": lambda a: a * special.expit(a),
    "gelu": lambda a: a * special.ndtr(a),
    "softplus": lambda a: np.logaddexp(a, 0),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "normal_cdf": special.ndtr,
    "normal_pdf": lambda a: np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi),
    "asinh": np.arcsinh,
    "round": np.rint,
    "cbrt": np.cbrt,
    "truncate": np.trunc,
    "expm1": np.expm1,
}


def test_every_form(generated):
    """All forms in one program: each is one output."""
    inputs = "w (d d′) w; v (d) v; x (n d) x; y (n d) y; xe (n e) xe; ids (n) ids"
    lines = [line(f"o{k}", labels, formula) for k, (labels, formula, _) in enumerate(FORMS.values())]
    lines += [line(f"q{k}", "n d", f(name, f("tanh", S("x")))) for k, name in enumerate(ELEMENTS)]
    lines[list(FORMS).index("arranged")] = line("oo", "n e e′", FORMS["arranged"][1])
    program = listing("forms", inputs, tuple(lines), "d=4 e=2 u=3 f=6")
    outputs = {f"outputs[{k}]": made.symbol for k, made in enumerate(lines)}
    program = Listing(program.title, program.inputs, program.lines, program.variables, program.sizes, outputs)
    net = generated(program)
    found = net(forward=(W3, W3[0], X, Y, X[:, :2], IDS))["forward"]
    expected = [value for _, _, value in FORMS.values()] + [function(np.tanh(X)) for function in ELEMENTS.values()]
    for name, made, came, value in zip([*FORMS, *ELEMENTS], lines, found, expected, strict=True):
        assert np.shape(came) == np.shape(value), (name, made)
        np.testing.assert_allclose(came, value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_helpers_over_their_range():
    a = np.concatenate([np.linspace(-9.37, -0.21, 40), np.geomspace(1e-5, 300, 40)])
    np.testing.assert_allclose(copied.digamma(a), special.digamma(a), rtol=1e-11)
    y = np.concatenate([np.linspace(-0.99, 0.99, 41), 1 - np.geomspace(1e-14, 0.1, 20)])
    np.testing.assert_allclose(copied.erfinv(y), special.erfinv(y), rtol=1e-13)
    assert list(copied.erfinv(np.array([-1.0, 1.0]))) == [-np.inf, np.inf]
    assert copied.sigmoid(np.array([-800.0, 800.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("program", [MLP, conv(2), ATTENTION, lstm()], ids=lambda p: p.title)
def test_generated_code_is_clean_and_has_no_unused_helper(program, tmp_path):
    source = module(program)
    path = tmp_path / "generated.py"
    path.write_text(source, encoding="utf-8")
    settings = Path(__file__).parents[1] / "pyproject.toml"
    command = [Path(sys.executable).with_name("ruff"), "check", "--config", settings, path]
    if not command[0].exists():
        pytest.skip("ruff is not installed")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{source}"
    for name in copied.HELPERS:
        calls = re.findall(rf"(?<!def )\b{name}\(", source)
        assert source.count(f"def {name}(") == bool(calls), name
    assert source.isascii() or all(text.isascii() for text in map(_without_comments, source.split("\n\n\n")[1:]))


def _without_comments(text: str) -> str:
    return "\n".join(row.split("#")[0] for row in text.splitlines())


def test_numbers_that_the_program_knows_stand_in_the_module(generated):
    constants = {"C1": numbers(4, 30), "C2": np.array([np.inf, 1.0]), "C3": np.zeros((2, 2)), "unread": np.ones(3)}
    lines = lines_of("forward", ("z", "n m", Matrix(S("x"), S("C1"))), ("r", "n", Quotient(S("z", "n", 0), S("C2", 0))))
    program = listing("constants", "x (n d) x", lines, "d=4 m=30 e=2", "outputs[0]=z outputs[1]=r")
    variables = {"C1": Variable("C1", ("d", "m"), ""), "C2": Variable("C2", ("e",), "")}
    program = Listing(
        program.title,
        program.inputs,
        lines,
        program.variables | variables,
        program.sizes,
        program.outputs,
        {},
        constants,
    )
    net = generated(program)
    close(net(forward=(X,))["forward"], (X @ constants["C1"], np.zeros(5)), 1e-15)
    assert "unread" not in net.source and max(map(len, net.source.splitlines())) <= 120


def test_update_with_what_it_remembers(generated):
    """Adam for one array: the state of the step before comes in, the state after it is returned."""
    names = "W (d k) W; g (d k) g; m (d k) m; v (d k) v; t () t"
    lines = lines_of(
        "update",
        ("m₊", "d k", plus(times(Number(0.9), S("m")), times(Number(0.1), S("g")))),
        ("v₊", "d k", plus(times(Number(0.99), S("v")), times(Number(0.01), Power(S("g"), TWO)))),
        ("m̂", "d k", Quotient(S("m₊"), minus(ONE, Power(Number(0.9), S("t"))))),
        ("W₊", "d k", minus(S("W"), Quotient(times(S("η"), S("m̂")), plus(f("sqrt", S("v₊")), Number(1e-8))))),
    )
    variables = {v.symbol: v for v in listing("", names, (), "").inputs}
    variables = {s: Variable(s, v.labels, v.words) for s, v in variables.items()}
    net = generated(Listing("Adam", (), lines, variables, {"d": 3, "k": 2}, {}))
    W, g, m, v = (numbers(3, 2, seed=k) ** 2 for k in range(4))
    found = net(update=(W, g, m, v, 3, 0.1))["update"]
    m_new, v_new = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
    close(found, (W - 0.1 * m_new / (1 - 0.9**3) / (np.sqrt(v_new) + 1e-8), m_new, v_new))
    assert "def update(W, g, m, v, t, eta):" in net.source


def test_update_that_replaces_in_place(generated):
    lines = lines_of("update", ("v", "d", plus(times(Number(0.9), S("v")), S("g"))), ("w", "d", minus(S("w"), S("v"))))
    net = generated(listing("momentum", "w (d) params['w']; v (d) state; g (d) g", lines, "d=3"))
    w, v, g = numbers(3), numbers(3, seed=1), numbers(3, seed=2)
    close(net(update=({"w": w}, v, g))["update"], ({"w": w - 0.9 * v - g}, 0.9 * v + g))


REFUSED = {
    "only": ("n d", f("opaque sort", S("x")), "known to the traced program only"),
    "further label": ("n", S("x"), "has the label d"),
    "not said": ("n d", S("q"), "q is neither computed"),
    "length": ("n r", minus(S("x", "n", 0), at("r")), "the length of the label r is not known"),
    "no axes": ("n d", Matrix(S("x", "n", place(("d", 1), offset=1)), S("w")), "axes are not plain"),
    "count": ("n", S("x", "n"), "has 2 axes and is read at 1 places"),
    "circle": ("n d", plus(S("z"), S("x")), "need each other"),
    "own later": (
        "n d",
        f("before", plus(S("z"), S("z", "n", place(("d", 1), offset=1))), Number(0), over=("d",)),
        "reads another step",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_numpy_form_is_refused_with_its_line(name):
    labels, formula, message = REFUSED[name]
    program = listing("refused", "w (d d′) w; x (n d) x", (line("z", labels, formula),), "d=4", "outputs=z")
    with pytest.raises(CannotExplain, match=message) as caught:
        module(program)
    assert "z" in str(caught.value)


def test_names_are_valid_different_and_look_like_the_symbols():
    names = {
        s: python_name(s) for s in ("δz1", "∂L/∂W1", "h₋", "δh₊", "σ²1", "ℓ", "λ", "ŷ", "W1′", "μ", "in", "l", "3a")
    }
    expected = "dz1 dL_dW1 h_prev dh_next var1 losses lam y_hat W1_prime mu in_ l_ v3a"
    assert list(names.values()) == expected.split()
    lines = lines_of("forward", ("δa", "n", S("x", "n", 0)), ("da", "n", S("x", "n", 1)), ("sigmoid", "n", S("δa")))
    lines += lines_of("forward", ("z", "n", plus(f("sigmoid", S("sigmoid")), S("da"))))
    source = module(listing("clash", "x (n d) x", lines, "d=4", "outputs=z"))
    assert "da = x[:, 0]" in source and "da_2 = x[:, 1]" in source and "z = sigmoid(sigmoid_2) + da_2" in source


def test_paths_and_nested_results():
    assert keys("[0]['a b'].c[\"d\"]") == (0, "a b", "c", "d") and keys("") == () and keys("x[") is None
    assert nested({(0, "W"): "a", (2,): "b"}) == '({"W": a}, {}, b)'
    assert nested({(0,): "a"}) == "(a,)" and nested({(): "a"}) == "a"
