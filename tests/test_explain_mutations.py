"""The checks are honest: whatever is put in wrong, a derivative, a rewrite, a bracket or a sign, turns a line red."""

import functools
import random
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from jax.scipy.stats import norm

import chainrule as cr
from chainrule.equations.checks import values, verify
from chainrule.equations.checks.grammar import NotationError
from chainrule.equations.derivation import derive as derivation_of
from chainrule.equations.derivation import traces
from chainrule.equations.prints import text
from chainrule.trace import float64
from chainrule.trace.lift import lift
from chainrule.trace.subject import subject
from mutations import TRUE, Mutation, mutations

R = np.random.default_rng(0)
X = R.normal(size=(6, 4)).astype(np.float32)
SIGNS = R.choice([-1, 1], (6, 4)).astype(np.float32)


def n(*shape: int) -> np.ndarray:
    return R.normal(size=shape).astype(np.float32)


# ------------------------------------------------------------------------------------------------------- subjects


def functions(table: Any) -> Any:
    """Σ c_k f_k(x w + b), averaged over examples: every function of a table."""

    def f(p, x):
        z = x @ p["W"] + p["b"]
        return (sum(p["c"][k] * jnp.sum(g(z), 1) for k, g in enumerate(table))).mean()

    return f, {"W": n(4, 3), "b": n(3), "c": n(len(table))}, X


def inner(z):
    return 0.8 * jnp.tanh(z)


ACTIVATIONS = [
    jax.nn.relu,
    jax.nn.sigmoid,
    jnp.tanh,
    jax.nn.softplus,
    jax.nn.silu,
    lambda z: jax.nn.gelu(z, approximate=False),
]
ACTIVATIONS += [jnp.sin, jnp.cos, lambda z: z**3, jnp.square, lambda z: lax.stop_gradient(z) * z]
POWERS = [
    jnp.exp,
    jnp.exp2,
    lambda z: jnp.log(z**2 + 2),
    lambda z: jnp.log1p(z**2),
    jnp.expm1,
    lambda z: jnp.sqrt(z**2 + 1),
]
POWERS += [
    lambda z: jnp.cbrt(z**2 + 1),
    jnp.abs,
    lambda z: -z,
    lambda z: 1 / (1 + z**2),
    lambda z: 0.3 / jnp.sqrt(z**2 + 3),
]
CIRCLES = [lambda z: jnp.tan(inner(z)), lambda z: jnp.arcsin(inner(z)), lambda z: jnp.arccos(inner(z)), jnp.arctan]
CIRCLES += [jnp.sinh, jnp.cosh, jnp.arcsinh, lambda z: jnp.arccosh(z**2 + 2), lambda z: jnp.arctanh(inner(z))]
SPECIAL = [jax.scipy.special.erf, jax.scipy.special.erfc, lambda z: jax.scipy.special.erfinv(inner(z)), norm.cdf]
SPECIAL += [lambda z: jax.scipy.special.gammaln(z**2 + 1)]


def pairs(p, x, s):
    a, b = x * p["a"], x @ p["W"] + 3 * s
    c = b * b + 1
    made = [a + b, a - b, a * b, a / c, c**a, jnp.maximum(a, b), jnp.minimum(a, b), jnp.where(x > 0, a * a, b * b)]
    made += [
        jnp.arctan2(a, c),
        jnp.logaddexp(a, b),
        lax.rem(5 * a, c),
        optax.sigmoid_binary_cross_entropy(b, (s > 0) * 1.0),
    ]
    made += [
        lax.rem(c, b),
        b - (a - b) - b / (c / a),
        a * (s <= 0),
        b * (x >= 0.1),
        a * (s != 1),
        b * (s == 1),
        (x < 0) * a,
    ]
    made += [b / c / c, a / (b * c), jnp.maximum(b, a * (x > 0) + b), jnp.minimum(b, a * (x > 0) + b)]
    return sum(v * jnp.sum(m, 1) for v, m in zip(p["v"], made, strict=True)).mean()


PAIRS = pairs, {"a": n(4), "W": n(4, 4), "v": n(23)}, X, SIGNS


def layers():
    net = cr.Chain(cr.Dense(5), cr.tanh, cr.LayerNorm(), cr.Residual(cr.Chain(cr.Dense(5), cr.silu)), cr.Dense(3))
    return net, X, R.integers(0, 3, 6)


def convolution(p, x, y):
    spec = ("NHWC", "HWIO", "NHWC")
    z = (
        lax.conv_general_dilated(x, p["K"], (2, 1), ((1, 0), (1, 2)), rhs_dilation=(1, 2), dimension_numbers=spec)
        + p["b"]
    )
    a = lax.reduce_window(jax.nn.relu(z), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 2, 1), "VALID")
    m = lax.reduce_window(z, 0.0, lax.add, (1, 2, 3, 1), (1, 2, 1, 1), "SAME") / 6
    low = lax.reduce_window(z, jnp.inf, lax.min, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    scores = jnp.concatenate([v.reshape(v.shape[0], -1) for v in (a, m, low)], 1) @ p["W"]
    return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()


CONVOLUTION = convolution, {"K": n(3, 2, 2, 2), "b": n(2), "W": n(60, 3)}, n(3, 7, 8, 2), R.integers(0, 3, 3)


def attention(p, x):
    q, k, v = (jnp.einsum("ntd,de->nte", x, p[c]) for c in "qkv")
    scores = jnp.where(jnp.tril(jnp.ones((4, 4), bool)), q @ k.swapaxes(1, 2) / jnp.sqrt(3.0), -1e9)
    out = jax.nn.softmax(scores) @ v
    mixed = jnp.einsum("nte,ef,nsf->nts", out, p["M"], k)
    return jnp.mean(jax.nn.log_softmax(out @ p["o"], 1)[:, 1:, ::2] ** 2) + jnp.mean(jnp.tril(mixed) * q @ p["M"].T)


ATTENTION = attention, {c: n(3, 4) for c in "qkv"} | {"o": n(4, 3), "M": n(4, 4)}, n(5, 4, 3)


def lstm(p, x, y):
    def step(carry, row):
        h, s = carry
        i, f, g, o = jnp.split(row @ p["W"] + h @ p["U"] + p["b"], 4, -1)
        s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(s)
        return (h, s), h

    start = jnp.tanh(p["h0"] + jnp.zeros((x.shape[0], 3))), jnp.zeros((x.shape[0], 3))
    (h, _), all_h = lax.scan(step, start, x.swapaxes(0, 1))
    back, _ = lax.scan(lambda c, row: (jnp.sin(c @ p["V"] + row), None), start[0], all_h, reverse=True)
    return jnp.mean((h + back - y) ** 2) + jnp.mean(all_h**2)


LSTM = lstm, {"W": n(2, 12), "U": n(3, 12), "b": n(12), "h0": n(3), "V": n(3, 3)}, n(4, 4, 2), n(4, 3)


def embedding(p, ids, y):
    e = p["E"][ids]
    z = jnp.concatenate([e.mean(1), e[:, 0] * e[:, -1]], 1) @ p["W"]
    z = jnp.where(ids[:, :1] > 3, z, z * z)
    picked = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1)
    return -picked.mean() + 0.01 * jnp.sum(p["E"].at[2].add(p["E"][1]) ** 2) + jnp.mean(p["W"][1:] * p["W"][:-1])


EMBEDDING = embedding, {"E": n(7, 3), "W": n(6, 5)}, R.integers(0, 7, (6, 4)), R.integers(0, 5, 6)


def batch_norm():
    return cr.Chain(cr.Dense(5), cr.BatchNorm(), cr.relu, cr.Dropout(0.5), cr.Dense(3)), X, n(6, 3)


def losses(p, x, y):
    z = x @ p["W"] + p["b"]
    made = [jax.nn.logsumexp(z, 1), jnp.prod(z, 1), z.max(1), z.min(1), optax.huber_loss(z, y, delta=0.7).mean(1)]
    made += [optax.l2_loss(z, y).sum(1), jnp.linalg.norm(z, axis=1), (jnp.argmax(z, 1) - 1) * z[:, 0], jnp.var(z, 1)]
    made += [
        (jax.nn.softmax(z, 1) * y + jax.nn.softmax(z, 0)).sum(1),
        jnp.mean(jnp.cumsum(z, 1) ** 2, 1),
        jnp.log(jnp.abs(z)).mean(1),
    ]
    made += [jnp.mean(p["t"] * jax.nn.softplus(-z) + (1 - p["t"]) * jax.nn.softplus(z), 1)]
    penalty = 1e-3 * jnp.sum(p["W"] ** 2) + 0.0123456789 * jnp.sum(jnp.abs(p["W"] + p["b"]))
    return jnp.mean(sum(v * m for v, m in zip(p["v"], made, strict=True))) + penalty


LOSSES = losses, {"W": n(4, 3), "b": n(3), "t": n(3), "v": n(13)}, X, n(6, 3)


def shapes(p, x):
    w = p["w"]
    made = [
        w.reshape(6, 2).T @ p["u"],
        jnp.concatenate([w[0, :2], 2 * w[1], w[2, 1:]]),
        w[::2, ::-1] ** 2,
        jnp.pad(w, ((1, 0), (2, 1))) ** 3,
    ]
    made += [jnp.stack([w, w * w], 1)[:, 1], w.T.reshape(3, 4) * w, w[1:3, 1:] * w[:2, :-1], w.sum(0) - 2 * w.mean()]
    windows = lambda stride, apart: lax.reduce_window(w[0], 0.0, lax.add, (2,), (stride,), "VALID", (1,), (apart,))  # noqa: E731
    made += [2 * windows(2, 1).sum() + 3 * windows(1, 2).sum()]
    return sum(jnp.sum(jnp.sin(m)) for m in made) * jnp.mean(x) + jnp.sum((x - (p["u"][:4] - x)) ** 2) / (
        3 * jnp.sum(w**2)
    )


SHAPES = shapes, {"w": n(3, 4), "u": n(6)}, X

SUBJECTS = {
    "mlp": lambda: subject(layers()[0], *layers()[1:], loss=cr.cross_entropy),
    "activations": lambda: subject(*functions(ACTIVATIONS)),
    "powers": lambda: subject(*functions(POWERS)),
    "circles": lambda: subject(*functions(CIRCLES)),
    "special functions": lambda: subject(*functions(SPECIAL)),
    "pairs": lambda: subject(*PAIRS),
    "losses": lambda: subject(*LOSSES),
    "embedding": lambda: subject(*EMBEDDING),
    "attention": lambda: subject(*ATTENTION),
    "batch norm": lambda: subject(batch_norm()[0], *batch_norm()[1:], loss="mse", training=True),
    "convolution": lambda: subject(*CONVOLUTION),
    "lstm": lambda: subject(*LSTM),
    "shapes": lambda: subject(*SHAPES),
}


# -------------------------------------------------------------------------------------------------------- checking


@dataclass(eq=False)
class Bench:
    """A subject whose traces, graphs and values by autodiff are made once, for all mutations."""

    name: str
    subject: Any
    derivation: Any = None
    lines: list[str] = field(default_factory=list)
    has: set[str] = field(default_factory=set)
    """The operations and functions in its graph."""


def once(f: Any, key: Any) -> Any:
    """A function that is called once for each key of its arguments."""
    known: dict[Any, Any] = {}

    def remembered(*arguments: Any, **options: Any) -> Any:
        k = key(*arguments, **options)
        if k not in known:
            known[k] = f(*arguments, **options), arguments  # what a key is about must stay alive
        return known[k][0]

    return remembered


def all_values(traced: Any, arguments: Any) -> Any:
    """Values of, and gradients by, every variable that lines may be about, whatever a mutation asks for."""
    graph = lift(traced, [str(i) for i in range(len(traced.jaxpr.invars))])
    wanted = frozenset(key for key, _ in graph.traced.values())
    return float64.values_and_gradients(traced, arguments, wanted, wanted)


@functools.cache
def benches() -> list[Bench]:
    return [Bench(name, make()) for name, make in SUBJECTS.items()]


@pytest.fixture(scope="module")
def quick():
    """The traces, lifted graphs and values of the benches are remembered."""
    patch = pytest.MonkeyPatch()
    shapes_of = lambda tree: str(jax.tree.map(np.shape, tree))  # noqa: E731
    patch.setattr(traces, "program", once(traces.program, lambda f, *a: (id(f), shapes_of(a))))
    known = once(all_values, lambda traced, arguments: id(traced))
    patch.setattr(values, "values_and_gradients", lambda traced, arguments, *_: known(traced, arguments))
    with jax.enable_x64(False):
        for bench in benches():
            bench.derivation = derivation_of.derive(bench.subject)
            bench.lines = printed(bench.derivation)
            bench.has = {
                name for node in bench.derivation.derived[0].order for name in (node.op, node.name, node.place)
            }
            checks = verify.verify(bench.derivation)
            wrong = [(line, c.reason) for line, c in zip(bench.lines, checks, strict=True) if c.status != "verified"]
            assert not wrong, (bench.name, wrong)
    yield
    patch.undo()


def printed(derivation: Any) -> list[str]:
    return [text.line(s.line) for s in derivation.statements]


@dataclass
class Outcome:
    """What became of it: "red", "alive" (other lines, all verified), "crashed" or "unchanged" (the same lines)."""

    mutation: Mutation
    status: str = "unchanged"
    note: str = ""


def outcome(mutation: Mutation) -> Outcome:
    """The subjects in turn, those that have the operation first, until one has a red line."""
    result = Outcome(mutation)
    order = sorted(benches(), key=lambda b: (mutation.op not in b.has, len(b.lines)))
    for bench in order:
        with pytest.MonkeyPatch.context() as patch:
            mutation.put_in(patch)
            try:
                with np.errstate(all="ignore"):
                    tried(result, bench)
            except NotationError as e:
                result.status, result.note = "red", str(e)
            except Exception as e:  # noqa: BLE001
                if result.status == "unchanged":
                    result.status, result.note = "crashed", f"{bench.name}: {type(e).__name__}: {e}"
        if result.status == "red":
            break
    return result


def tried(result: Outcome, bench: Bench) -> None:
    level = result.mutation.level
    derivation = derivation_of.derive(bench.subject) if level == "lines" else bench.derivation
    lines = printed(derivation)
    if lines == bench.lines and level != "reader":
        return
    checks = verify.verify(derivation)
    failed = [f"{line}: {c.reason}" for line, c in zip(lines, checks, strict=True) if c.status == "failed"]
    if failed:
        result.status, result.note = "red", f"{bench.name}: {failed[0]}"
    elif level != "reader":
        new = [line for line in lines if line not in bench.lines]
        result.status, result.note = "alive", f"{bench.name}: {new[0] if new else 'a line less'}"


def judged(chosen: list[Mutation]) -> tuple[float, str]:
    """Try mutations: the part of them that turns a line red, and a message that lists all others."""
    outcomes = [outcome(m) for m in chosen]
    faults = [o for o in outcomes if o.mutation.name not in TRUE]
    red = sum(o.status == "red" for o in faults)
    shown = [f"{o.mutation.name}: {o.status}: {o.note}" for o in faults if o.status != "red"]
    stale = [
        f"{o.mutation.name}: listed as true, and red: {o.note}"
        for o in outcomes
        if o not in faults and o.status == "red"
    ]
    return red / len(faults), "\n".join([f"{red} of {len(faults)} faults turn a line red", *shown, *stale])


def test_faults_turn_a_line_red(quick):
    """A tenth of all, drawn with a fixed seed."""
    found = mutations()
    caught, message = judged(random.Random(0).sample(found, len(found) // 10))
    assert caught >= 0.99, message


@pytest.mark.slow
def test_all_faults_turn_a_line_red(quick):
    found = mutations()
    caught, message = judged(found)
    print(message)
    assert len(found) >= 200 and caught >= 0.99 and "listed as true" not in message, message
