"""What a new user types: every loss, odd names, models of other libraries. The module runs without JAX and agrees."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.explain import WORDS
from chainrule.equations.prints import layout
from chainrule.maths.losses import LOSSES

SITE = Path(np.__file__).parents[1]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3))
HIDDEN = """
import pickle, sys
sys.path.append({site!r})
sys.modules |= dict.fromkeys(("jax", "scipy", "chainrule"))
found = []
for source, calls in pickle.load(open({came!r}, "rb")):
    module = {{}}
    exec(source, module)
    found.append([module[name](*args) for name, args in calls])
pickle.dump(found, open({went!r}, "wb"))
"""


def outside(folder: Path, programs):
    """What generated modules return for (name of a function, its arguments), in a process that has NumPy alone."""
    came, went = str(folder / "came"), str(folder / "went")
    Path(came).write_bytes(pickle.dumps(programs))
    code = HIDDEN.format(site=str(SITE), came=came, went=went)
    done = subprocess.run([sys.executable, "-S", "-W", "error", "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return pickle.loads(Path(went).read_bytes())


def double(tree):
    return jax.tree.map(lambda a: np.asarray(a, np.float64), tree)


def agree(folder: Path, cases):
    """Each (explanation, loss as a function, parameters, data): verified, and its module is JAX in double precision."""
    programs = [
        (ex.numpy(), [(name, (double(p), *data)) for name in ("loss", "gradients")]) for ex, _, p, *data in cases
    ]
    for (ex, f, p, *data), (loss, gradients) in zip(cases, outside(folder, programs), strict=True):
        assert ex.verified, ex
        with jax.enable_x64(True):
            value, slopes = jax.value_and_grad(f)(jax.tree.map(jnp.asarray, double(p)), *map(jnp.asarray, data))
        np.testing.assert_allclose(loss, value, rtol=1e-9, err_msg=str(ex))
        assert jax.tree.structure(gradients) == jax.tree.structure(slopes), ex
        for mine, theirs in zip(jax.tree.leaves(gradients), jax.tree.leaves(slopes), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=str(ex))


def network(loss, y, activation: Any = cr.tanh, units=1, penalty=None):
    """An explained network with its loss as a function of parameters."""
    net = cr.Chain(cr.Dense(4), activation, cr.Dense(units))
    params = net.init(jax.random.key(0), jnp.asarray(X))

    def mean(p, x, y):
        return jnp.mean(loss(net(p, x), y)) + (
            0.0 if penalty is None else penalty([layer["W"] for layer in (p[0], p[2])])
        )

    ex = cr.explain(mean, params, X, y) if penalty else cr.explain(net, X, y, loss=loss, params=params)
    return ex, mean, params, X, y


def targets(name: str):
    """Targets that a loss takes, and how many outputs it needs."""
    whole = {"cross_entropy": 3, "binary_cross_entropy": 2, "poisson_nll": 5}
    y = RNG.integers(0, whole[name], 6) if name in whole else RNG.normal(size=6)
    return (y.astype(float) if name == "poisson_nll" else y), {"cross_entropy": 3, "gaussian_nll": 2}.get(name, 1)


def test_every_loss_gives_a_module_that_runs_without_jax(tmp_path):
    losses = [*dict.fromkeys(LOSSES.values()), cr.quantile(0.9), cr.Huber(0.5)]
    assert len(losses) >= 9
    agree(tmp_path, [network(loss, y, units=k) for loss in losses for y, k in [targets(loss.name)]])


def test_every_activation_gives_a_module_that_runs_without_jax(tmp_path):
    named = [getattr(cr, name) for name in cr._HOME["chainrule.maths.activations"].split() if name.islower()]
    assert len(named) >= 11
    y = RNG.normal(size=6)
    agree(tmp_path, [network(cr.mean_squared_error, y, f) for f in (*named, cr.LeakyRelu(0.2), cr.Elu(0.5))])


def test_every_penalty_gives_a_module_that_runs_without_jax(tmp_path):
    y = RNG.normal(size=6)
    penalties = [cr.l1(0.25), cr.l2(0.25), cr.elastic_net(0.25, 0.5)]
    agree(tmp_path, [network(cr.mean_squared_error, y, penalty=p) for p in penalties])


def test_every_optimizer_gives_an_update_that_is_pytorchs(tmp_path):
    torch = pytest.importorskip("torch")
    ours = {
        "SGD": (cr.sgd(0.1), {"lr": 0.1}),
        "momentum": (cr.sgd(0.1, momentum=0.9), {"lr": 0.1, "momentum": 0.9}),
        "nesterov": (cr.sgd(0.1, momentum=0.9, nesterov=True), {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        "Adagrad": (cr.adagrad(0.1), {"lr": 0.1}),
        "RMSprop": (cr.rmsprop(0.1, rho=0.9), {"lr": 0.1, "alpha": 0.9, "eps": cr.rmsprop(0.1).epsilon}),
        "Adam": (cr.adam(0.1), {"lr": 0.1}),
        "AdamW": (cr.adamw(0.1, weight_decay=0.01), {"lr": 0.1, "weight_decay": 0.01}),
    }
    settings = {"eta": 0.1, "mu": 0.9, "rho": 0.9, "beta1": 0.9, "beta2": 0.999, "lam": 0.01, "t": 1}
    W, g = RNG.normal(size=(2, 3, 2))
    programs, expected = [], []
    for name, (optimizer, options) in ours.items():
        net = cr.Chain(cr.Dense(2), cr.Dense(1))
        run = cr.fit(net, X, X[:, 0], loss="mse", optimizer=optimizer, epochs=1, progress=False)
        source = cr.explain(run).numpy()
        head = source[source.index("def update(") :].split("(")[1].split(")")[0].split(", ")
        numbers = {"W": W, "g": g, **dict.fromkeys("msv", np.zeros_like(W)), **settings}
        numbers["epsilon"] = getattr(optimizer, "epsilon", None)
        programs.append((source, [("update", tuple(numbers[n] for n in head))]))
        parameter = torch.nn.Parameter(torch.tensor(W))
        parameter.grad = torch.tensor(g)
        getattr(torch.optim, name if name[0].isupper() else "SGD")([parameter], **options).step()
        expected.append(parameter.detach().numpy())
    for (made,), theirs in zip(outside(tmp_path, programs), expected, strict=True):
        np.testing.assert_allclose(made[0] if isinstance(made, tuple) else made, theirs, rtol=1e-9)


def test_a_run_trained_with_lbfgs_gives_a_module(tmp_path):
    net = cr.Chain(cr.Dense(4), cr.tanh, cr.Dense(1))
    run = cr.fit(net, X, X[:, 0], loss="mse", optimizer=cr.lbfgs(), batch_size="full", epochs=1, progress=False)
    x = np.asarray(X[:2])
    [[made]] = outside(tmp_path, [(cr.explain(run).numpy(), [("forward", (double(run.params), x))])])
    np.testing.assert_allclose(made, run.outputs(x), rtol=1e-5)


ODD = ["Σ", "it's", "a b", "class", "1x", 'a"b', "both ' and \"", "a\\b", "", "σ", "δ", "L", "N", "ℓ", "∂L/∂W", "x"]
ODD += ["n", "k", "exp", "tanh", "mean", "Σ_n", "softmax", "np", "z1", "δz1", "a\nb", "a]b", "W.", "-", "NaN", "opaque"]


def one_key(key):
    def f(p, x):
        return jnp.mean(jnp.tanh(jnp.exp(x @ p[key])) ** 2)

    p = {key: RNG.normal(size=(3, 2)).astype(np.float32)}
    return cr.explain(f, p, X), f, p, X


def test_odd_keys_of_parameters_stay_readable_and_run(tmp_path):
    agree(tmp_path, [one_key(key) for key in ODD])


def two_keys(tree, W, v):
    def f(p, x):
        return jnp.mean(jnp.tanh(x @ W(p)) @ v(p))

    return cr.explain(f, tree, X), f, tree, X


def test_gradients_are_arranged_as_the_parameters_are(tmp_path):
    a, b = RNG.normal(size=(3, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    agree(
        tmp_path,
        [
            two_keys({0: a, 1: b}, lambda p: p[0], lambda p: p[1]),
            two_keys({3: {"W": a}, 10: {"W": b}}, lambda p: p[3]["W"], lambda p: p[10]["W"]),
            two_keys({("a", 1): a, ("b", 2): b}, lambda p: p["a", 1], lambda p: p["b", 2]),
            two_keys([a, b], lambda p: p[0], lambda p: p[1]),
            two_keys((a, {}, None, [b]), lambda p: p[0], lambda p: p[3][0]),
            two_keys({"a b": a, "a_b": b}, lambda p: p["a b"], lambda p: p["a_b"]),
            two_keys({"W_2": a, "kernel": b, "W": np.float32(1)}, lambda p: p["W_2"] * p["W"], lambda p: p["kernel"]),
        ],
    )


def test_names_of_arguments_that_code_uses_itself(tmp_path):
    def shadows(np, N):
        return jnp.mean(jnp.tanh(N @ np) ** 2)

    def greek(w, Σ):
        return jnp.mean(jax.nn.softmax(Σ @ w) ** 2)

    def letters(n, softmax):
        return jnp.mean(jax.nn.softmax(softmax @ n) ** 2)

    w = RNG.normal(size=(3, 2)).astype(np.float32)
    agree(tmp_path, [(cr.explain(f, w, X), f, w, X) for f in (shadows, greek, letters)])


def test_names_that_two_keys_would_share_differ():
    tree = {"W_2": jnp.ones(2), "kernel": jnp.ones(2), "W": jnp.ones(2), "weight": jnp.ones(2)}
    ex = cr.explain(lambda p: sum(jnp.sum(jnp.tanh(v) * k) for k, v in enumerate(p.values(), 1)), tree)
    shown = [line.symbol for line in ex if line.symbol.startswith("∂L/∂")]
    assert ex.verified and len(set(shown)) == len(tree)


def test_data_keeps_its_name_where_a_parameter_has_it_too():
    ex = cr.explain(lambda p, x: jnp.sum(x @ p["x"]), {"x": jnp.ones(3)}, jnp.ones((4, 3)))
    assert next(iter(ex)).text == "z1 = x x_2"


def texts(ex):
    assert ex.verified, ex
    return [line.text for line in ex]


def test_parameters_are_numbered_in_the_order_in_which_the_program_reads_them():
    layers = {str(k): {"W": jnp.eye(3) / (k + 1)} for k in (10, 9, 2)}

    def f(p, x):
        return jnp.mean(jnp.tanh(jnp.tanh(x @ p["2"]["W"]) @ p["9"]["W"]) @ p["10"]["W"])

    ex = cr.explain(f, layers, X)
    assert texts(ex)[0] == "z1 = x W1" and "a2 W3" in " ".join(texts(ex))
    assert [e.words for e in ex.legend[:3]] == [f"parameter p['{k}']['W']" for k in (2, 9, 10)]


def test_variables_of_flax_nnx_go_by_their_own_names():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    graph, params = nnx.split(model)
    ex = cr.explain(lambda params, x: jnp.mean(nnx.merge(graph, params)(x) ** 2), params, X)
    assert texts(ex)[0] == "z1 = x W + b" and not any("value" in e.words for e in ex.legend)


def test_a_model_of_another_library_is_refused_with_the_way_it_comes_in():
    torch, equinox = pytest.importorskip("torch"), pytest.importorskip("equinox")
    nnx = pytest.importorskip("flax.nnx")
    models = {
        "cr.adapt.torch(module, X)": torch.nn.Linear(3, 1),
        "equinox.partition(model": equinox.nn.MLP(3, 1, 2, 1, key=jax.random.key(0)),
        "nnx.split(model": nnx.Linear(3, 1, rngs=nnx.Rngs(0)),
    }
    for way, model in models.items():
        for options in ({}, {"loss": cr.mean_squared_error}):
            with pytest.raises(cr.CannotExplain) as refused:
                cr.explain(model, X, X[:, :1], **options)
            assert way in str(refused.value) and type(model).__name__ in str(refused.value)


def test_a_function_that_equinox_wrapped_is_a_function():
    equinox = pytest.importorskip("equinox")
    ex = cr.explain(equinox.filter_jit(lambda w, x: jnp.sum(x @ w)), jnp.ones(3), jnp.ones((4, 3)))
    assert texts(ex)[-1] == "∂L/∂w = Σ_n x"


def test_an_explanation_is_a_sequence_of_lines():
    ex = cr.explain(lambda w, x: jnp.sum(x @ w), jnp.ones(3), jnp.ones((4, 3)))
    assert ex[0] is next(iter(ex)) and ex[-1].symbol == "∂L/∂w" and len(ex[1:]) == len(ex) - 1
    with pytest.raises(IndexError):
        ex[len(ex)]


def picked(z, y):
    return jax.nn.log_softmax(z)[jnp.arange(len(y)), y]


CROSS_ENTROPIES = {
    "one-hot": lambda z, y: -jnp.mean(jnp.sum(jax.nn.one_hot(y, 4) * jax.nn.log_softmax(z), -1)),
    "one-hot, one sum": lambda z, y: -jnp.sum(jax.nn.one_hot(y, 4) * jax.nn.log_softmax(z)) / len(y),
    "log of softmax": lambda z, y: -jnp.mean(jnp.sum(jax.nn.one_hot(y, 4) * jnp.log(jax.nn.softmax(z)), -1)),
    "picked": lambda z, y: -jnp.mean(picked(z, y)),
    "picked, minus inside": lambda z, y: jnp.mean(-picked(z, y)),
    "taken": lambda z, y: -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1)[:, 0]),
    "taken, with its axis": lambda z, y: -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1)),
    "logsumexp": lambda z, y: jnp.mean(jax.nn.logsumexp(z, -1) - z[jnp.arange(len(y)), y]),
    "logsumexp, one-hot": lambda z, y: jnp.mean(jax.nn.logsumexp(z, -1) - jnp.sum(jax.nn.one_hot(y, 4) * z, -1)),
}


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_a_cross_entropy_written_by_hand_is_one(name):
    W, y = jnp.asarray(RNG.normal(size=(3, 4))), np.array([0, 1, 2, 3, 1, 2])
    lines = texts(cr.explain(lambda W, x, y: CROSS_ENTROPIES[name](x @ W, y), W, X, y))
    assert lines[1:5] == ["ℓ = CE(z1, y)", "L = Σ_n ℓ / N", "δL = 1", "δℓ = 1 / N"]
    assert lines[5] == "δz1 = (softmax(z1) − 1[h1 = y]) / N"


@pytest.mark.parametrize("labels", [[0, 2, -1, 1, -1, 2], [0, 2, 3, 1, 7, 2]])
def test_labels_that_name_no_class_leave_a_one_hot_form_what_it_is(labels):
    """Padding with −1 counts as 0 there, which is no entropy."""

    def f(W, x, y):
        return -jnp.mean(jnp.sum(jax.nn.one_hot(y, 3) * jax.nn.log_softmax(x @ W), axis=1))

    W, y = RNG.normal(size=(3, 3)).astype(np.float32), np.array(labels)
    ex = cr.explain(f, W, X, y)
    assert ex.verified and "CE" not in ex.text()
    np.testing.assert_allclose(ex.numbers().values["L"], f(W, X, y), rtol=1e-5)


def test_a_cross_entropy_of_steps_and_one_with_weights():
    W, x = jnp.asarray(RNG.normal(size=(3, 4))), RNG.normal(size=(6, 5, 3))
    y = RNG.integers(0, 4, (6, 5))

    def steps(W, x, y):
        return -jnp.mean(jnp.sum(jax.nn.one_hot(y, 4) * jax.nn.log_softmax(x @ W), -1))

    def weighted(W, x, y, s):
        return -jnp.mean(s * picked(x @ W, y))

    assert "δz1 = (softmax(z1) − 1[h1 = y]) / (5 N)" in texts(cr.explain(steps, W, x, y))
    assert "ℓ = CE(z1, y)" in texts(cr.explain(weighted, W, X, y[:, 0], RNG.uniform(size=6)))


def test_a_log_softmax_that_something_else_reads_stays_one():
    def f(W, x, y):
        logs = jax.nn.log_softmax(x @ W)
        return -jnp.mean(logs[jnp.arange(len(y)), y]) + jnp.mean(logs**2)

    shown = texts(cr.explain(f, jnp.asarray(RNG.normal(size=(3, 4))), X, np.array([0, 1, 2, 3, 1, 2])))
    assert "logp1 = log_softmax(z1)" in shown and not any("CE(" in line for line in shown)


def test_equal_terms_are_added():
    assert "δz1 = z1 / L" in texts(cr.explain(lambda W, x: jnp.linalg.norm(x @ W), jnp.eye(3), X))


def test_activations_by_the_sign_are_called_a():
    for f in (cr.leaky_relu, jax.nn.leaky_relu, cr.elu, jax.nn.elu):
        shown = texts(cr.explain(lambda W, x, f=f: jnp.mean(f(x @ W) ** 2), jnp.eye(3), X))
        assert any(line.startswith("a1 = where(1[z1 ") for line in shown), shown


def lstm(p, x):
    def step(state, x):
        h, c = state
        i, f, g, o = jnp.split(x @ p["W"] + h @ p["U"] + p["b"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((x.shape[0], 2))
    (h, _), _ = jax.lax.scan(step, (start, start), x.swapaxes(0, 1))
    return jnp.mean(h**2)


def test_gates_and_states_of_an_lstm_have_their_letters():
    shapes = {"W": (3, 8), "U": (2, 8), "b": (8,)}
    p = {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    shown = texts(cr.explain(lstm, p, RNG.normal(size=(4, 5, 3))))
    assert "c = f ⊙ c₋ + i ⊙ g" in shown and "h₋ = before_t(h, 0)" in shown and "δc₋ = δc ⊙ f" in shown
    assert any(line.startswith("o[t, n, ") for line in shown)


def attention_block(p, x):
    n, t, d = x.shape
    q, k, v = ((x @ p[name]).reshape(n, t, 2, d // 2).transpose(0, 2, 1, 3) for name in "QKV")
    x = x + (jax.nn.softmax(q @ k.mT) @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
    return x + jax.nn.relu(x @ p["W"]) @ p["O"]


def test_blocks_of_attention_fold():
    def f(blocks, x):
        for p in blocks:
            x = attention_block(p, x)
        return jnp.mean(x**2)

    ex = cr.explain(f, [{name: RNG.normal(size=(4, 4)) / 4 for name in "QKVWO"} for _ in range(4)], np.ones((3, 5, 4)))
    assert ex.verified
    forward = ex.text().split("Loss")[0]
    assert "2 more times" in forward and len(forward.splitlines()) < 0.8 * sum(line.kind == "forward" for line in ex)


def test_columns_stay_below_each_other_with_words_for_symbols():
    ex, *_ = network(cr.mean_squared_error, RNG.normal(size=6), cr.sigmoid)
    said = layout.page(ex, 80, True, False, WORDS)
    ends = {len(line) for line in said.splitlines() if line.endswith(" ok")}
    assert len(ends) == 1 and ends.pop() <= 80
    backward = said[said.index("Backward") : said.index("Legend")].splitlines()[1:-1]
    assert len({line.index(" = ") for line in backward}) == 1
