"""LaTeX, MathML and the page of an explanation, on lines of an MLP, convolution, LSTM, attention and normalization."""

import math
import re
import shutil
import subprocess
from collections import Counter
from fractions import Fraction
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.equations import formula as fm
from chainrule.equations.formula import (
    Call,
    Line,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Product,
    Quotient,
    Sum,
    Total,
)
from chainrule.equations.prints import latex, mathml, page
from chainrule.equations.prints.page_style import SCOPE, STYLE


def at(name, *labels, transposed=False):
    """A symbol, read at labels or places."""
    index = tuple(p if isinstance(p, Place | fm.Symbol) else Place(((p, 1),)) for p in labels)
    return fm.Symbol(name, index or None, transposed)


def place(*terms, offset=0, divisor=1):
    return Place(tuple(terms), offset, divisor)


def plus(*terms):
    return Sum(tuple((-1, t.body) if isinstance(t, Negative) else (1, t) for t in terms))


def times(*factors):
    return Product(tuple(factors))


def holds(a, relation, b):
    return fm.Test(relation, a, b)


x, y, z, W, b = at("x"), at("y"), at("z1"), at("W1"), at("b1")
wt = {k: at(f"W{k}", transposed=True) for k in (1, 2, 3)}
two, N = Number(2), Number(1, 1)


def mlp():
    """Three layers with relu, cross-entropy, back-propagation and a step of gradient descent."""
    nk = ("n", "k")
    n = [("n", "h1"), ("n", "h2"), nk]
    rows = []
    for k, source in ((1, x), (2, at("a1")), (3, at("a2"))):
        affine = plus(Matrix(source, at(f"W{k}")), at(f"b{k}"))
        rows.append((Line(f"z{k}", n[k - 1], affine), f"scores of layer {k}", f"{2 * k - 2}:Dense"))
        if k < 3:
            rows.append(
                (Line(f"a{k}", n[k - 1], Call("relu", (at(f"z{k}"),))), "what is positive", f"{2 * k - 1}:relu")
            )
    loss = [
        (Line("p1", nk, Call("softmax", (at("z3"),)), "loss"), "probabilities of the classes", ""),
        (Line("ℓ", ("n",), Negative(Call("log", (at("p1", "n", y),))), "loss"), "the surprise at each true class", ""),
        (Line("L", (), Quotient(Total(("n",), at("ℓ")), N), "loss"), "their mean", ""),
    ]
    onehot = holds(place(("k", 1)), "=", y)
    back = [
        (Line("δz3", nk, Quotient(plus(at("p1"), Negative(onehot)), N), "backward"), "softmax and loss at once", "")
    ]
    for k, source in ((3, at("a2")), (2, at("a1")), (1, x)):
        delta = at(f"δz{k}")
        weights = Matrix(fm.Symbol(source.name, None, True), delta)
        back.append((Line(f"∂L/∂W{k}", ("d", "h1"), weights, "backward"), "", f"{2 * k - 2}:Dense"))
        back.append((Line(f"∂L/∂b{k}", ("h1",), Total(("n",), delta), "backward"), "", f"{2 * k - 2}:Dense"))
        if k > 1:
            passed = times(Matrix(delta, wt[k]), holds(at(f"z{k - 1}"), ">", Number(0)))
            back.append((Line(f"δz{k - 1}", n[k - 2], passed, "backward"), "where relu was open", f"{2 * k - 3}:relu"))
    step = plus(W, Negative(times(at("η"), at("∂L/∂W1"))))
    update = [(Line("W1", ("d", "h1"), step, "update"), "a step downhill", "")]
    return view("Three layers", Forward=rows, Loss=loss, Backward=back, Update=update)


def convolution():
    """Stride 2 and padding 1, the gradient by its input, and max pooling."""
    reads = at("x", "n", place(("i", 2), ("u", 1), offset=-1), place(("j", 2), ("v", 1), offset=-1), "c")
    body = Total(("u", "v", "c"), times(reads, at("W1", "u", "v", "c", "k")))
    forward = Line("z1", ("n", "i", "j", "k"), plus(b, body), indexed=True)
    solved = [place((p, 1), (q, -1), offset=1, divisor=2) for p, q in (("i", "u"), ("j", "v"))]
    back = Total(("u", "v", "k"), times(at("δz1", "n", *solved, "k"), at("W1", "u", "v", "c", "k")))
    pool = Call("max", (at("a1", "n", place(("i", 2), ("u", 1)), place(("j", 2), ("v", 1)), "k"),), ("u", "v"))
    flat = Call("reshape", (at("r1"),), ("n", "f"))
    rows = [(forward, "a convolution", "0:Conv"), (Line("r1", ("n", "i2", "j2", "k"), pool), "", "1:MaxPool")]
    rows += [(Line("u1", ("n", "f"), flat), "one row of numbers for each picture", "2:Flatten")]
    grads = [(Line("δx", ("n", "i", "j", "c"), back, "backward", True), "", "")]
    return view("A convolution", Forward=rows, Backward=grads)


def lstm():
    """One step, its state, and the gradient that comes from the step after."""
    h, s, gates = ("t", "n", "h"), at("s"), {}
    for k, (gate, function) in enumerate({"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid"}.items()):
        gates[gate] = Call(function, (at("z", "t", "n", place(("h", 1), offset=5 * k)),))
    rows = [
        (Line("h₋", h, Call("before", (at("h"), Number(0)), ("t",))), "the output one step earlier", ""),
        (Line("s₋", h, Call("before", (s, at("s0")), ("t",))), "the memory one step earlier", ""),
        (Line("z", ("t", "n", "q"), plus(Matrix(x, at("Wx")), Matrix(at("h₋"), at("Wh")), at("b"))), "", ""),
        *((Line(gate, h, f, indexed=True), "", "") for gate, f in gates.items()),
        (Line("s", h, plus(times(at("f"), at("s₋")), times(at("i"), at("g")))), "keep some, write some", ""),
        (Line("h", h, times(at("o"), Call("tanh", (s,)))), "", ""),
    ]
    after = Call("after", (plus(at("δz"), Matrix(at("δz"), at("Wh", transposed=True))), Number(0)), ("t",))
    slope = plus(Number(1), Negative(Power(Call("tanh", (s,)), two)))
    back = [
        (Line("δh", h, plus(at("δh₋"), at("δh1")), "backward"), "", ""),
        (Line("δh₋", h, after, "backward"), "from the step after", ""),
        (Line("δs₋", h, times(plus(at("δs"), times(at("δh"), at("o"), slope)), at("f")), "backward"), "", ""),
        (Line("∂L/∂Wh", ("h", "q"), Matrix(at("h₋", transposed=True), at("δz")), "backward"), "", ""),
    ]
    return view("LSTM", Forward=rows, Backward=back)


def attention():
    """Scores of queries and keys, a causal mask, and the weighted mean of values."""
    s = Quotient(Matrix(at("q"), at("k", transposed=True)), Call("sqrt", (Number(8),)))
    masked = Call("where", (holds(place(("t′", 1)), "≤", place(("t", 1))), at("s1"), Number(-1e30)))
    tt = ("n", "t", "t′")
    weighed = Total(("t′",), times(at("a", "n", "t", "t′"), at("v", "n", "t′", "e")))
    back = times(at("a"), plus(at("δa"), Negative(Total(("t′",), times(at("a"), at("δa"))))))
    rows = [
        (Line("s1", tt, s), "how well each query fits each key", "attention"),
        (Line("u1", tt, masked), "nothing is read from later steps", "attention"),
        (Line("a", tt, Call("softmax", (at("u1"),))), "", "attention"),
        (Line("y", ("n", "t", "e"), weighed), "", "attention"),
        (Line("e1", ("n", "t", "e"), at("E", at("ids", "n", "t"), "e")), "rows of a table", "embedding"),
    ]
    return view("Attention", Forward=rows, Backward=[(Line("δu1", tt, back, "backward"), "", "attention")])


def layer_norm():
    """Mean, variance, the normalized value, and the line for the gradient that is one long sum."""
    d, e = ("n", "d"), plus(at("x"), Negative(at("μ1")))
    root = Call("sqrt", (plus(at("σ²1"), Number(1e-5)),))
    mean = Quotient(Total(("d",), at("δx̂1")), Number(64))
    other = Quotient(times(at("x̂1"), Total(("d",), times(at("δx̂1"), at("x̂1")))), Number(64))
    rows = [
        (Line("μ1", ("n",), Quotient(Total(("d",), x), Number(64))), "the mean of a row", ""),
        (Line("σ²1", ("n",), Quotient(Total(("d",), Power(e, two)), Number(64))), "its variance", ""),
        (Line("x̂1", d, Quotient(e, root)), "", ""),
        (Line("y1", d, plus(times(at("γ1"), at("x̂1")), at("β1"))), "", ""),
        (
            Line(
                "g1",
                d,
                times(Number(0.5), at("y1"), plus(Number(1), Call("erf", (Quotient(at("y1"), Call("sqrt", (two,))),)))),
            ),
            "",
            "",
        ),
    ]
    back = [(Line("δx", d, Quotient(plus(at("δx̂1"), Negative(mean), Negative(other)), root), "backward"), "", "")]
    return view("Layer normalization", Forward=rows, Backward=back)


def view(title, **groups):
    """A page as the explanation fills it, with a legend of all symbols."""
    statuses = {"u1": "opaque", "g1": "failed"}
    groups = tuple(
        (
            heading,
            tuple(
                page.Row(of, shape(of.labels), words, statuses.get(of.symbol, "verified"), where, "0.31 −1.20 0.05")
                for of, words, where in rows
            ),
        )
        for heading, rows in groups.items()
    )
    lines = [row.line for _, rows in groups for row in rows]
    own = {line.symbol: line.labels for line in reversed(lines)}
    names = list(dict.fromkeys(n for line in lines for n in (line.symbol, *fm.symbols(line.formula))))
    legend = tuple(page.Entry(n, shape(own.get(n, ("d",))), f"what {n} is", "mean 0.02, 64 numbers") for n in names)
    verdict = f"{len(lines)} lines, all of them checked against the program in 64-bit arithmetic."
    notes = ("Rows of x are examples.", "δz means ∂L/∂z; N is the number of examples.")
    axes = (("n", 32, "examples"), ("t′", 5, "steps, again"), ("h1", 64, "units of the first layer"))
    return page.View(title, verdict, notes, groups, legend, axes)


def shape(labels):
    return f"({', '.join(labels)})"


VIEWS = {f.__name__: f() for f in (mlp, convolution, lstm, attention, layer_norm)}
LINES = [row.line for v in VIEWS.values() for _, rows in v.groups for row in rows]


@pytest.mark.parametrize(
    "name, expected",
    {
        "z1": "z_{1}",
        "δz1": r"\delta_{z_{1}}",
        "δ": r"\delta",
        "δ_x": r"\delta_{x}",
        "∂L/∂W1": r"\frac{\partial L}{\partial W_{1}}",
        "h₋": "h^{-}",
        "δh₋": r"\delta_{h^{-}}",
        "h1₋": "h_{1}^{-}",
        "δh2₊": r"\delta_{h_{2}^{+}}",
        "W_k": "W_{k}",
        "Wx1": "W_{x, 1}",
        "Whh": r"W_{\mathrm{hh}}",
        "x̃3": r"\tilde{x}_{3}",
        "μ̄": r"\bar{\mu}",
        "σ²1": r"\sigma_{1}^{2}",
        "ℓ": r"\ell",
        "kernel_2": r"\mathrm{kernel}_{2}",
        "dense_kernel_22": r"\mathrm{dense\_kernel}_{22}",
        "z1a": "z_{1a}",
        "t′": "t'",
        "h1″": "{h''}_{1}",
        "0.weight": r"\mathrm{0.weight}",
        "Größe": r"\mathrm{Gr\text{ö}\text{ß}e}",
        "Γ": r"\Gamma",
        "ϵ": r"\text{U+03F5}",
    }.items(),
)
def test_names(name, expected):
    assert latex.symbol(name) == expected
    assert latex.formula(at(name)) == expected


@pytest.mark.parametrize(
    "formula, expected",
    [
        (plus(Matrix(x, W), b), r"x\,W_{1} + b_{1}"),
        (Matrix(at("a2", transposed=True), at("δz3")), r"a_{2}^{\top}\,\delta_{z_{3}}"),
        (Matrix(at("h₋", transposed=True), at("δz")), r"(h^{-})^{\top}\,\delta_{z}"),
        (Matrix(at("∂L/∂W1", transposed=True), z), r"\left( \frac{\partial L}{\partial W_{1}} \right)^{\top}\,z_{1}"),
        (Quotient(Total(("n",), at("ℓ")), N), r"\frac{1}{N}\,\sum_{n} \ell"),
        (times(Number(2, -1), plus(z, Negative(y))), r"\frac{2}{N}\,(z_{1} - y)"),
        (times(Total(("n",), x), y), r"\left( \sum_{n} x \right) \odot y"),
        (times(Quotient(Total(("n",), x), two), y), r"\left( \frac{1}{2}\,\sum_{n} x \right) \odot y"),
        (times(y, Total(("n", "t"), times(x, z))), r"y \odot \sum_{n, t} x \odot z_{1}"),
        (Total(("n",), plus(x, y)), r"\sum_{n} (x + y)"),
        (Power(x, two), "x^{2}"),
        (Power(at("σ²1"), two), r"(\sigma_{1}^{2})^{2}"),
        (Power(Quotient(x, y), two), r"\left( \frac{x}{y} \right)^{2}"),
        (Power(x, plus(at("p"), Negative(Number(1)))), "x^{p - 1}"),
        (Power(x, Number(-1)), "x^{-1}"),
        (plus(x, Number(-1)), "x + (-1)"),
        (times(two, Power(Number(3), x)), r"2 \cdot 3^{x}"),
        (Negative(plus(x, y)), "-(x + y)"),
        (plus(x, Negative(plus(y, z))), "x - (y + z_{1})"),
        (times(Quotient(times(x, Total(("n",), y)), two), y), r"\frac{x \odot \sum_{n} y}{2} \odot y"),
        (Number(math.nan), r"\mathrm{NaN}"),
        (at("k", "n", "t′", "e"), r"k_{n\,t'\,e}"),
        (at("W1", "u", "k"), "W_{1}[u, k]"),
        (Power(at("W1", "u", "k"), two), "W_{1}[u, k]^{2}"),
        (Power(at("h₋", "n"), two), "(h_{n}^{-})^{2}"),
        (at("x", "n", place(("i", 2), ("u", 1), offset=-1)), r"x[n, 2\,i + u - 1]"),
        (at("δz1", place(("i", 1), ("u", -1), divisor=2), place()), r"\delta_{z_{1}}[(i - u)/2, 0]"),
        (at("E", at("ids", "n", "t"), "e"), r"E[\mathrm{ids}_{n\,t}, e]"),
        (holds(place(("k", 1)), "≠", y), r"\mathbf{1}[k \ne y]"),
        (Call("sqrt", (plus(x, Number(1e-5)),)), r"\sqrt{x + 10^{-5}}"),
        (Call("exp", (Negative(z),)), "e^{-z_{1}}"),
        (Call("exp", (plus(at("weight"), at("kernel")),)), r"\exp(\mathrm{weight} + \mathrm{kernel})"),
        (Call("sigmoid", (z,)), r"\sigma(z_{1})"),
        (Call("log1p", (z,)), r"\log(1 + z_{1})"),
        (Power(Call("tanh", (z,)), two), r"\tanh(z_{1})^{2}"),
        (Call("softmax", (z,), ("k",)), r"\operatorname{softmax}_{k}(z_{1})"),
        (Call("max", (z,), ("k",)), r"\max_{k} (z_{1})"),
        (Call("argmax", (z,), ("k",)), r"\operatorname*{arg\,max}_{k} (z_{1})"),
        (Call("maximum", (z, Number(0))), r"\max(z_{1}, 0)"),
        (Call("reshape", (x,), ("n", "t")), r"\operatorname{reshape}(x; n, t)"),
        (Call("abs", (z,)), "|z_{1}|"),
        (Call("opaque top_k", (z,)), r"\text{opaque top\_k}(z_{1})"),
        (
            Call("where", (holds(x, ">", y), x, Call("where", (z, y, Number(math.inf))))),
            r"\begin{cases} x & \text{if~}x > y \\ y & \text{if~}z_{1} \ne 0 \\ \infty & \text{otherwise} \end{cases}",
        ),
        (
            Call("before", (at("h"), Number(0)), ("t",)),
            r"\begin{cases} 0 & \text{if~}t = 0 \\ h[t - 1] & \text{otherwise} \end{cases}",
        ),
        (
            times(x, Call("where", (holds(x, ">", y), y, z))),
            r"x \odot \left( \begin{cases} y & \text{if~}x > y \\ z_{1} & \text{otherwise} \end{cases} \right)",
        ),
    ],
)
def test_formulas(formula, expected):
    assert latex.formula(formula) == expected


def test_lines():
    assert latex.line(LINES[0]) == r"z_{1} = x\,W_{1} + b_{1}"
    conv = VIEWS["convolution"].groups[0][1][0].line
    assert latex.line(conv).startswith("z_{1}[n, i, j, k] = b_{1} + ")


def test_lines_are_balanced():
    for line in LINES:
        written = latex.line(line)
        assert written.isascii(), written
        assert re.sub(r"\\[{}]", "", written).count("{") == re.sub(r"\\[{}]", "", written).count("}")
        assert len(re.findall(r"\\left\b", written)) == len(re.findall(r"\\right\b", written))
        assert re.findall(r"\\begin{(\w+)}", written) == re.findall(r"\\end{(\w+)}", written)


# What brackets say: formulas of numbers, written and read back by the rules of textbooks, keep their values.

NUMBERS = {"x": Fraction(3), "y": Fraction(-2), "z_{1}": Fraction(5, 7), "N": Fraction(11)}


def summed(body):
    """What a sum over n stands for here: any function will do, but no multiple, which factors might move through."""
    return body + 5


leaves = st.sampled_from([x, y, z, two, Number(3), Number(-2), Number(1, 1), Number(4, -1)])
exponents = st.sampled_from(
    [
        *(two, Number(3), plus(Number(1), two), Quotient(Number(4), two), times(two, Number(1))),
        *(Quotient(plus(Number(1), Number(3)), two), Quotient(Number(8), times(two, two))),
    ]
)


def grown(inner):
    return st.one_of(
        st.lists(st.tuples(st.sampled_from([1, -1]), inner), min_size=2, max_size=3).map(lambda t: Sum(tuple(t))),
        st.lists(inner, min_size=2, max_size=3).map(lambda f: Product(tuple(f))),
        st.builds(Quotient, inner, inner),
        st.builds(Negative, inner),
        st.builds(Power, inner, exponents),
        st.builds(Total, st.just(("n",)), inner),
        st.builds(Call, st.just("abs"), st.tuples(inner)),
    )


def value(f):
    match f:
        case Number(v, power):
            return Fraction(v) * NUMBERS["N"] ** power
        case fm.Symbol(name):
            return NUMBERS[{"z1": "z_{1}"}.get(name, name)]
        case Sum(terms):
            return sum(sign * value(term) for sign, term in terms)
        case Product(factors):
            return math.prod(map(value, factors))
        case Quotient(a, c):
            return value(a) / value(c)
        case Negative(body):
            return -value(body)
        case Power(base, exponent):
            return value(base) ** value(exponent)
        case Total(_, body):
            return summed(value(body))
        case Call("abs", (a,)):
            return abs(value(a))
    raise TypeError(f)


class Reader:
    """A reader of LaTeX's arithmetic: a sum sign takes the whole product that follows it, a power one atom."""

    def __init__(self, written):
        pattern = r"\\[a-z]+|\\,|z_\{1\}|_\{n\}|\d+|\S"
        self.tokens = [*re.findall(pattern, written.replace(r"\left", "").replace(r"\right", "")), "end"]

    def next(self, *expected):
        token = self.tokens.pop(0)
        assert not expected or token in expected, (token, self.tokens)
        return token

    def sum(self):
        total = -self.product() if self.tokens[0] == "-" and self.next() else self.product()
        while self.tokens[0] in "+-":
            total += {"+": 1, "-": -1}[self.next()] * self.product()
        return total

    def product(self):
        total = self.factor()
        while self.tokens[0] in (r"\odot", r"\cdot", r"\,", "/"):
            total = total / self.factor() if self.next() == "/" else total * self.factor()
        return total

    def factor(self):
        if self.tokens[0] == r"\sum":
            self.next(r"\sum")
            self.next("_{n}")
            return summed(self.product())
        atom = self.atom()
        if self.tokens[0] == "^":
            self.next()
            atom **= self.within("{", "}")
        return atom

    def within(self, before, after):
        self.next(before)
        inside = self.sum()
        self.next(after)
        return inside

    def atom(self):
        match self.tokens[0]:
            case "(":
                return self.within("(", ")")
            case "|":
                return abs(self.within("|", "|"))
            case r"\frac":
                self.next()
                top = self.within("{", "}")
                return top / self.within("{", "}")
        token = self.next()
        return Fraction(token) if token.isdigit() else NUMBERS[token]


@settings(max_examples=400, deadline=None)
@given(st.recursive(leaves, grown, max_leaves=9))
def test_brackets_keep_the_meaning(formula):
    try:
        expected = value(formula)
    except ZeroDivisionError:
        return
    reader = Reader(latex.formula(formula))
    assert reader.sum() == expected
    assert reader.tokens == ["end"]


def test_missing_brackets_are_seen():
    assert Reader(r"x \odot y + z_{1}").sum() != value(times(x, plus(y, z)))
    assert Reader(r"\sum_{n} x \odot y").sum() == summed(-6)


def document():
    groups = [(heading, [r.line for r in rows]) for v in VIEWS.values() for heading, rows in v.groups]
    legend = [(e.symbol, e.shape, e.words) for v in VIEWS.values() for e in v.legend]
    return latex.document(groups, [*legend, ("α", "(n) & 50 %", "~^\\_{}#$ <é> 字 ∂L/∂W σ² ≤")], "A title: 100 %")


def test_document():
    written = document()
    assert written.count(r"\begin{align*}") == written.count(r"\end{align*}") == 12
    assert r"$\delta_{z_{3}}$ & (n, k) & what $" not in written  # words are text, not formulas
    assert r"$\delta_{z_{3}}$ & (n, k) & what \ensuremath{\delta}z3 is \\" in written
    assert r"(n) \& 50 \% & \textasciitilde{}\textasciicircum{}\textbackslash{}\_\{\}\#\$ \textless{}é" in written
    assert "U+5B57" in written


def test_long_lines_are_broken():
    long = Line("a", (), plus(*(times(at(f"kernel_{k}"), at(f"weight_{k}")) for k in range(1, 9))))
    body = latex.document([("G", [long])]).split(r"\begin{align*}")[1].split(r"\end{align*}")[0].strip()
    rows = body.split(r" \\" + "\n")
    assert len(rows) == 3 and all(row.count("&") == 1 for row in rows)
    assert all(row.startswith(r"&\quad + ") for row in rows[1:])
    assert " ".join(row.removeprefix(r"&\quad").strip() for row in rows).replace("&", "") == latex.line(long)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_document_compiles(tmp_path):
    (tmp_path / "explanation.tex").write_text(document(), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "explanation.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    log = run.stdout.decode("utf-8", "replace")
    assert run.returncode == 0, log[-2000:]
    assert "Overfull" not in log, re.findall(r"Overfull.*", log)


def test_mathtext_reads_the_lines():
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="matplotlib is not installed")
    parser = mathtext.MathTextParser("path")
    for line in LINES:
        written = latex.line(line)
        if r"\begin" not in written:  # mathtext has no cases
            parser.parse(f"${written}$")


def occurrences(f):
    own = [f.name] if isinstance(f, fm.Symbol) else []
    return [*own, *(name for part in fm.parts(f) for name in occurrences(part))]


def test_every_symbol_of_mathml_is_a_link():
    for line in LINES:
        root = ElementTree.fromstring(mathml.formula(line.formula, lambda name: f"#sym-{name}"))
        links = [a.attrib["href"].removeprefix("#sym-") for a in root.iter("a")]
        assert Counter(links) == Counter(occurrences(line.formula))
        assert all(root.tag in "math mrow mi mn mo mtext mspace msub msup msubsup mfrac msqrt munder mover".split()
                   or root.tag in ("mtable", "mtr", "mtd", "a") for root in root.iter())  # fmt: skip
        plain = ElementTree.fromstring(mathml.formula(line.formula))
        assert "".join(plain.itertext()) == "".join(root.itertext())
        assert not list(plain.iter("a"))


def test_mathml_is_escaped():
    written = mathml.formula(holds(at("a<b&c"), "<", y), lambda name: '#"<')
    root = ElementTree.fromstring(written)
    assert "".join(root.itertext()) == "𝟙[a<b&c<y]"
    assert next(root.iter("a")).attrib["href"] == '#"<'


def test_mathml_of_a_fraction():
    expected = (
        '<math displaystyle="true"><mfrac><mrow class="symbol"><mi>x</mi></mrow>'
        '<mrow class="symbol"><msub><mi>z</mi><mn>1</mn></msub></mrow></mfrac></math>'
    )
    assert mathml.formula(Quotient(x, z)) == expected


class Checker(HTMLParser):
    """Checks that elements nest, and gathers ids, addresses and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.addresses, self.words, self.style = [], [], [], "", ""
        self.seen = Counter()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.seen[tag] += 1
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes["href"]] if "href" in attributes else []
        assert not any(name.startswith("on") for name in attributes)
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.words += data


@pytest.mark.parametrize("name", VIEWS)
def test_page(name):
    shown = VIEWS[name]
    html = page.page(shown)
    found = Checker(html)
    assert len(found.ids) == len(set(found.ids))
    assert {a.removeprefix("#") for a in found.addresses} <= set(found.ids)
    assert found.seen["script"] == found.seen["link"] == found.seen["img"] == 0
    assert "http" not in html and "url(" not in html and "@import" not in html
    for element in re.findall(r"<math.*?</math>(?=</?[dtws])", html):
        ElementTree.fromstring(element)
    rows = [row for _, group in shown.groups for row in group]
    for number, row in enumerate(rows, 1):
        assert f'id="line-{number}"' in html and f"({number})" in found.words
        assert row.words in found.words and row.shape in found.words
    for entry in shown.legend:
        assert entry.words in found.words
    assert found.seen["section"] == len(shown.groups) + 2
    assert found.words.count("not derived") == 0  # the mark is a sign; its meaning is a label
    assert html.count('aria-label="verified"') == sum(row.status == "verified" for row in rows)


def test_every_symbol_has_words_under_the_pointer():
    shown = VIEWS["mlp"]
    html = page.page(shown)
    rules = dict(re.findall(r'a\[href="(#[^"]+)"\]:is\(:hover, :focus-visible\)::after { content: "([^"]*)"; }', html))
    assert set(rules) == {a for a in Checker(html).addresses if a.startswith("#sym-")}
    assert rules["#sym-z1"] == r"z1  (n, h1)\a z1 = x W1 + b1\a what z1 is\a mean 0.02, 64 numbers"
    assert "W1 =" not in rules["#sym-W1"]  # a step of an update defines nothing


def test_page_escapes():
    row = page.Row(Line("a<b", (), x), "<i>", "<b>&", "odd<", "<u>/x", '</style>"\\')
    shown = page.View("<title>", "1 < 2", ("a & b",), (("<h>", (row, row)),), (page.Entry("x", "<", "&", '"'),), ())
    found = Checker(page.page(shown))
    assert found.seen["i"] == found.seen["u"] == 0 and found.seen["style"] == 2
    assert "<b>&" in found.words and "1 < 2" in found.words and "a & b" in found.words
    assert r"\3c /style>\22 \5c " in found.style


def test_fragments_do_not_meet():
    first, second = (Checker(page.page(VIEWS[name], whole=False)) for name in ("mlp", "lstm"))
    assert first.ids and not set(first.ids) & set(second.ids)
    assert first.seen["html"] == first.seen["body"] == 0
    assert page.page(VIEWS["mlp"], whole=False) == page.page(VIEWS["mlp"], whole=False)


def test_style_stays_in_its_scope():
    bare = re.sub(r"@(media|supports) [^{]*\{", "", STYLE)
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", bare)
    assert len(selectors) > 50
    for selector in selectors:
        for part in re.sub(r"\([^()]*\)", "", selector).split(","):
            assert part.strip().startswith(f".{SCOPE}"), selector


def test_layers_fold_in_long_sections():
    rows = [page.Row(Line(f"z{k}", (), x), "", "", "verified", f"{k // 10}:Block/0:Dense") for k in range(60)]
    failed = page.Row(Line("z60", (), x), "", "", "failed", "2:Block")
    html = page.page(page.View("t", "v", (), (("Forward", (*rows[:25], failed, *rows[25:])),), (), ()))
    assert html.count("<details>") == 5 and html.count("<details open>") == 1
    assert '<summary><b>2:Block</b> · 11 lines <span class="failed">✗ 1 failed</span></summary>' in html
    assert "<details>" not in page.page(page.View("t", "v", (), (("Forward", tuple(rows[:30])),), (), ()))
