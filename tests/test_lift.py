"""The graph of a program has the program's values and gradients, whatever the program is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import chainrule as cr
from chainrule.equations.derivation import rules
from chainrule.equations.derivation.backward import backward
from chainrule.errors import CannotExplain
from chainrule.maths.losses import LOSSES
from chainrule.trace import lift_gathers
from chainrule.trace.evaluate import ALONG, ELEMENTWISE
from chainrule.trace.graph import COMPARISONS, Index, along, reachable
from chainrule.trace.lift import lift
from chainrule.trace.lift_elementwise import FUNCTIONS
from chainrule.trace.program import program
from counted_calls import calls_made
from graph_checker import autodiff, check
from lift_cases import SIZES, Numbers, total
from lift_cases_programs import CASES

A = Numbers(SIZES[0])
KEY = jax.random.key(0)


RUNS = [(name, k) for name in CASES for k in range(len(SIZES)) if k == 0 or name != "operations_without_a_rule"]


@pytest.mark.parametrize(("name", "k"), RUNS)
def test_programs(name, k):
    make, opaque = CASES[name]
    f, *args = make(Numbers(SIZES[k]))
    check(f, *args, opaque=opaque).expect()


# ---------------------------------------------------------------------------------------------- the house's own


ACTIVATIONS = "elu gelu identity leaky_relu log_softmax relu sigmoid silu softmax softplus tanh".split()


def test_activations():
    names = {"gelu", "log_softmax", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"}
    report = check(lambda x: total(*(getattr(cr, name)(x) for name in ACTIVATIONS)), A("nd")).expect()
    assert names <= report.names() and "erfc" not in report.names()


def targets(loss, rows):
    """Network outputs and targets that a loss accepts."""
    name = loss.name
    if name == "cross_entropy":
        return A.rng.normal(size=(rows, 3)), A.rng.integers(0, 3, rows)
    if name == "binary_cross_entropy":
        return A.rng.normal(size=rows), A.rng.integers(0, 2, rows).astype(float)
    if name == "gaussian_nll":
        return A.rng.normal(size=(rows, 2)), A.rng.normal(size=rows)
    if name == "poisson_nll":
        return A.rng.normal(size=rows), A.rng.poisson(2.0, rows).astype(float)
    return A.rng.normal(size=rows), A.rng.normal(size=rows)


LIST = [*dict.fromkeys(LOSSES.values()), cr.quantile(0.9), cr.CrossEntropy(label_smoothing=0.1), cr.Huber(0.3)]


@pytest.mark.parametrize("loss", LIST, ids=str)
def test_losses(loss):
    z, y = targets(loss, 5)
    z, y = jnp.asarray(z, jnp.float32), jnp.asarray(y)
    check(lambda z, y: loss(z, y).mean(), z, y).expect()


def test_penalties():
    p = {"W": A("dh"), "V": A("hk")}
    for penalty in (cr.l1(0.1), cr.l2(0.2), cr.elastic_net(0.1, 0.3)):
        check(lambda p, penalty=penalty: penalty(jax.tree.leaves(p)), p).expect()


LAYERS = [
    cr.Chain(cr.Dense(5), cr.relu, cr.Dense(3)),
    cr.Chain(
        cr.Flatten(), cr.Dense(4), cr.gelu, cr.LayerNorm(), cr.Residual(cr.Chain(cr.Dense(4), cr.silu)), cr.Dense(2)
    ),
    cr.Chain(cr.Flatten(), cr.Standardize(), cr.BatchNorm(), cr.Scale(), cr.Reshape((3, 4)), cr.Dense(2)),
    cr.Chain(cr.Parallel(cr.Dense(3), cr.Chain(cr.Dense(2), cr.tanh)), cr.Concatenate(), cr.Dense(2)),
    cr.Chain(cr.Parallel(cr.Dense(3), cr.Dense(3)), cr.Add()),
    cr.Chain(cr.Parallel(cr.Dense(3), cr.Dense(2)), cr.Select(1)),
]


def parameters(net, x):
    return jax.tree.map(
        lambda a: a + 0.1 + 0.3 * A("1")[0] * jnp.cos(jnp.arange(a.size).reshape(a.shape)), net.init(KEY, x)
    )


@pytest.mark.parametrize("net", LAYERS, ids=lambda net: repr(net)[:40])
def test_layers(net):
    x = A("534")
    check(lambda p, x: total(net(p, x)), parameters(net, x), x, wrt=(0, 1)).expect()


def test_embeddings():
    net, ids = cr.Chain(cr.Embedding(7, 3), cr.Dense(2), cr.tanh), A.rng.integers(0, 7, (4, 5))
    report = check(lambda p, ids: total(net(p, ids)), parameters(net, ids), ids).expect()
    assert not report.by_input["0[0]['E']"][list({*range(7)} - {*ids.ravel().tolist()})].any()


def test_training_with_noise_and_statistics():
    net, x = cr.Chain(cr.Dense(6), cr.BatchNorm(), cr.relu, cr.Dropout(0.4), cr.Dense(2)), A("534")
    report = check(lambda p, x, key: total(net.run(p, x, key)[0]), parameters(net, x), x, jax.random.key(3)).expect()
    drawn = [n for n in reachable(report.graph.outputs, {}) if n.op == "drawn"]
    assert [(n.kind, n.shape) for n in drawn] == [("bool", (5, 3, 6))]


def test_noise_in_a_loop_and_from_an_old_key():
    def f(p, key, x):
        old = jax.random.normal(jax.random.PRNGKey(1), x.shape)

        def step(carry, row):
            h, key = carry
            key, mine = jax.random.split(key)
            kept = jax.random.bernoulli(mine, 0.6, h.shape)
            return (jnp.where(kept, jnp.tanh(h * row), 0.0), key), h

        return total(*lax.scan(step, (p, key), x)[1]) + total(old * p)

    report = check(f, A("d"), jax.random.key(3), A("td")).expect()
    assert "drawn" in report.names()


# ------------------------------------------------------------------------------------- functions of the user's own


def test_a_derivative_of_the_users_own_is_the_one_of_training():
    @jax.custom_jvp
    def stepped(x):
        return jnp.round(x)

    stepped.defjvps(lambda g, y, x: g * 0.5)  # a straight-through estimator: its equations have the slope 0

    @jax.custom_vjp
    def reversed_(x, scale):
        return x * scale

    reversed_.defvjp(lambda x, s: (x * s, (x, s)), lambda r, g: (-r[1] * g, jnp.sum(r[0] * g)))

    def f(p, x):
        scanned = lax.scan(lambda c, row: (stepped(c + row), None), p[0], x)[0]
        return total(stepped(3 * p), reversed_(p, p[0, 0]) * x, scanned)

    p, x = A("nd"), A("nd")
    report = check(f, p, x, opaque=("stepped", "reversed_")).expect()
    np.testing.assert_allclose(report.by_input["0"], autodiff(f, p, x), rtol=1e-9)


def test_a_derivative_that_only_avoids_trouble_is_none_of_its_own():
    @jax.custom_jvp
    def safe(x):
        return jnp.sqrt(x)

    safe.defjvps(lambda g, y, x: g * jnp.where(x > 0, 0.5 / y, 0.0))
    p = A("nd", 0.5, 1.0)
    report = check(lambda p: total(safe(p), jax.vmap(safe)(p), jax.nn.relu(p)), p).expect()
    assert {"sqrt", "relu"} <= report.names("map")
    np.testing.assert_allclose(report.by_input["0"], autodiff(lambda p: total(safe(p), safe(p), p), p), rtol=1e-9)


def test_gradients_equal_those_of_the_program_as_it_is_written():
    """The taps of the checker and JAX's own gradient of the function are two programs."""
    for name in ("attention", "gru_backwards", "convolutions", "lookups"):
        make, _ = CASES[name]
        f, p, *rest = make(A)
        report = check(f, p, *rest)
        expected = jax.tree.leaves(autodiff(f, p, *rest))
        for got, wanted in zip(report.by_input.values(), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8 * np.abs(wanted).max())


def test_complex_numbers_are_refused():
    with pytest.raises(CannotExplain, match="complex numbers, which have no rule"):
        lift(program(lambda x: jnp.abs(jnp.fft.fft(x)).sum(), jnp.ones(4)).traced, ["x"])


# ------------------------------------------------------------------------------------------------ what reads how


def graph_of(f, *args):
    traced = program(f, *args)
    return lift(traced.traced, traced.inputs)


def test_counters_are_positions_and_rows_are_read_at_the_step():
    x = jnp.ones((4, 3))
    graph = graph_of(lambda x: lax.fori_loop(0, 4, lambda i, s: s + x[i] * i, jnp.zeros(3)).sum(), x)
    nodes = reachable(graph.outputs, graph.links)
    assert [n.kind for n in nodes if n.op == "carry"] == ["float"]
    (read,) = [v for n in nodes for v in n.args if v.node is graph.inputs[0]]
    assert read.index == (along(0), along(1))


def test_indices_of_an_embedding_are_whole_numbers_and_not_wrapped():
    graph = graph_of(lambda e, i: e[i].sum(), jnp.ones((5, 2)), jnp.zeros((3, 4), int))
    nodes = reachable(graph.outputs, graph.links)
    assert {n.op for n in nodes} == {"input", "contract"}
    (looked,) = {i.view.node for n in nodes for v in n.args for i in v.index if not isinstance(i, Index)}
    assert looked is graph.inputs[1] and looked.kind == "int"


def test_reading_at_positions_is_no_lookup():
    graph = graph_of(lambda z, y: -z[jnp.arange(3), y].mean(), jnp.ones((3, 4)), jnp.zeros(3, int))
    (read,) = [v for n in reachable(graph.outputs, {}) for v in n.args if v.node is graph.inputs[0]]
    assert read.index[0] == along(0) and not isinstance(read.index[1], Index)


# ---------------------------------------------------------------------------------------------- the checks check


def test_every_function_has_a_value_and_a_slope_or_is_flat():
    flat = COMPARISONS | {"sign", "floor", "ceil", "round", "stop", "truncate", "floor_divide"}
    assert not set(FUNCTIONS.values()) - flat - set(rules.SLOPES)
    assert not set(rules.SLOPES) - set(ELEMENTWISE) and not set(FUNCTIONS.values()) - set(ELEMENTWISE)
    assert {"max", "softmax", "logsumexp", "log_softmax"} <= set(ALONG)


SMOOTH = {
    "tanh": jnp.tanh,
    "multiply": lambda x: x * x[::-1],
    "divide": lambda x: x / (2 + x[::-1]),
    "where": lambda x: jnp.where(x > 0, x, 2 * x),
    "power": lambda x: x**3,
    "gelu": cr.gelu,
    "softplus": cr.softplus,
    "logaddexp": lambda x: jnp.logaddexp(x, 2 * x),
    "maximum": lambda x: jnp.maximum(x, x[::-1]),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_wrong_slope_is_caught(name, monkeypatch):
    right = rules.SLOPES[name]

    def wrong(*args):
        slopes = list(right(*args))
        k = next(k for k, s in enumerate(slopes) if s is not None)
        slopes[k] = rules.function("multiply", slopes[k], rules.number(1 + 1e-6, slopes[k].shape))
        return tuple(slopes)

    def f(x):
        return total(SMOOTH[name](x))

    x = A("nd")
    check(f, x).expect()
    monkeypatch.setitem(rules.SLOPES, name, wrong)
    assert check(f, x).faults


def test_a_wrong_rule_of_an_operation_is_caught(monkeypatch):
    x, w = A("td"), A("3dh")

    def f(p):
        x, w = p
        z = lax.conv_general_dilated(x[None], w, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
        return total(jax.nn.softmax(z), z.max(1), jnp.concatenate([x, x**2]).reshape(-1))

    check(f, (x, w)).expect()
    for name in ("contract", "along", "concat", "reshape"):
        right = rules._OPERATIONS[name]

        def wrong(node, g, right=right):
            return [v and rules.function("multiply", v, rules.number(1.001, v.shape)) for v in right(node, g)]

        with monkeypatch.context() as m:
            m.setitem(rules._OPERATIONS, name, wrong)
            assert check(f, (x, w)).faults, name


def test_a_wrong_index_is_caught(monkeypatch):
    ids, right = A.ids("t", 4), lift_gathers._indices
    monkeypatch.setattr(lift_gathers, "_indices", lambda *args: [*right(*args)][::-1])
    assert check(lambda e, ids: total(e[ids]), A("hh"), ids).faults


def test_a_gradient_that_does_not_arrive_is_caught(monkeypatch):
    monkeypatch.setitem(rules.SLOPES, "exp", lambda a, y: (None,))
    assert check(lambda x: total(jnp.exp(x)), A("nd")).faults


# -------------------------------------------------------------------------------------------------------- speed


def test_the_work_of_lifting_and_of_gradients_grows_with_depth_and_no_faster():
    def calls(depth):
        block = cr.Residual(cr.Chain(cr.LayerNorm(), cr.Dense(8), cr.gelu, cr.Dense(4)))
        net, x = cr.Chain(*[block] * depth), jnp.ones((5, 4))
        p = jax.eval_shape(net.init, KEY, x)
        traced = program(lambda p, x: jnp.sum(net(p, x) ** 2), p, x)
        graph = lift(traced.traced, traced.inputs)
        lifting = calls_made(lambda: lift(traced.traced, traced.inputs))
        return lifting, calls_made(lambda: backward(graph, graph.inputs[:-1]))

    calls(2)
    for few, many in zip(calls(10), calls(40), strict=True):
        assert many < 4.4 * few
