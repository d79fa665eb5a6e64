"""Models of other libraries become functions of their parameters; the ways that the guide shows are true."""

import functools
import importlib.util
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import adapt
from chainrule.adapt.names import paths
from chainrule.errors import DesignError
from chainrule.trace.model import Model
from chainrule.trace.program import program

QUICK = {"xla_llvm_disable_expensive_passes": True}
"""Programs that run once are compiled without polish."""
GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "other-libraries.md"


@pytest.fixture(scope="module")
def keras():
    """Keras, which reads its backend from the environment when it is first imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "jax")
        return pytest.importorskip("keras", reason="Keras is not installed: pip install keras")


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def ids(*shape):
    return np.random.default_rng(len(shape)).integers(0, 7, shape)


def perceptron(k):
    return k.Sequential(
        [
            k.Input((4,)),
            k.layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 1.0]),
            k.layers.Dense(8, "gelu"),
            k.layers.Dropout(0.5),
            k.layers.PReLU(),
            k.layers.Dense(3, "softmax"),
        ]
    )


def convolution(k):
    L = k.layers
    return k.Sequential(
        [
            k.Input((9, 8, 2)),
            L.RandomFlip(),
            L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            L.BatchNormalization(),
            L.SeparableConv2D(6, 3, padding="same"),
            L.Conv2DTranspose(3, 2, strides=2),
            L.MaxPooling2D((2, 3), padding="same"),
            L.GlobalAveragePooling2D(),
            L.Dense(2),
        ]
    )


def recurrent(k):
    L = k.layers
    return k.Sequential(
        [k.Input((5, 3)), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.SimpleRNN(3), L.Dense(1)]
    )


def words(k):
    L = k.layers
    return k.Sequential([k.Input((5,), dtype="int32"), L.Embedding(7, 4, mask_zero=True), L.GRU(3), L.Dense(2)])


def attention(k):
    x = k.Input((6, 8))
    y = k.layers.LayerNormalization()(x)
    y = x + k.layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True)
    return k.Model(x, k.layers.Dense(3)(y))


def norms(k):
    L = k.layers
    x = k.Input((4, 6))
    y = L.GroupNormalization(3)(L.RMSNormalization()(L.UnitNormalization()(L.Dense(6)(x))))
    return k.Model(x, L.Flatten()(L.SpectralNormalization(L.Dense(2))(y)))


def inputs_by_name(k):
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    join = k.layers.Concatenate()([k.layers.Dense(2, name="left")(a), b])
    return k.Model({"b": b, "a": a}, {"sum": k.layers.Add()([a, k.layers.Dense(4)(join)]), "join": join})


def inputs_by_place(k):
    a, b = k.Input((4,)), k.Input((3,))
    return k.Model([a, b], k.layers.Dense(2)(k.layers.Dot(-1)([k.layers.Dense(3)(a), b])))


def own_class(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [k.layers.Dense(4, "relu", name="block") for _ in range(2)]
            self.out = k.Sequential([k.layers.Dense(2), k.layers.Dense(1)])

        def call(self, x):
            for block in self.blocks:
                x = x + block(x)
            return self.out(x)

    net = Net()
    net(normal(2, 4))
    return net


MODELS = {
    perceptron: normal(5, 4),
    convolution: normal(3, 9, 8, 2),
    recurrent: normal(3, 5, 3),
    words: ids(4, 5),
    attention: normal(3, 6, 8),
    norms: normal(3, 4, 6),
    inputs_by_name: {"a": normal(5, 4), "b": normal(5, 3)},
    inputs_by_place: [normal(5, 4), normal(5, 3)],
    own_class: normal(5, 4),
}


@pytest.mark.parametrize("make", MODELS)
def test_values_and_gradients_are_those_of_keras(keras, make):
    net, x = make(keras), MODELS[make]
    for variable in net.trainable_variables:
        variable.assign(variable.value + 0.1 * normal(*variable.shape))
    model = adapt.keras(net)

    def total(y):
        return sum(jnp.sum(a * jnp.cos(jnp.arange(a.size).reshape(a.shape))) for a in jax.tree.leaves(y))

    exact = {} if make is own_class else {"training": False}
    trained = [v.value for v in net.trainable_variables]
    fixed = [v.value for v in net.non_trainable_variables]

    def reference(values):
        y, _ = net.stateless_call(values, fixed, x, **exact)
        return total(y), y

    def loss(params):
        y = model(params, x)
        return total(y), y

    (_, expected), theirs = jax.jit(jax.value_and_grad(reference, has_aux=True), compiler_options=QUICK)(trained)
    (_, values), ours = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=QUICK)(model.params)
    assert jax.tree.structure(values) == jax.tree.structure(expected)
    pairs = list(zip(jax.tree.leaves(values), jax.tree.leaves(expected), strict=True))
    seen: list[str] = []
    for variable, slope in zip(net.trainable_variables, theirs, strict=True):
        *above, last = variable.path.removeprefix(f"{net.name}/").split("/")
        again = seen.count(variable.path)
        seen.append(variable.path)
        pairs.append((functools.reduce(dict.__getitem__, above, ours)[f"{last}_{again}" if again else last], slope))
    assert len(jax.tree.leaves(ours)) == len(theirs) and (model.training is None) == (make is own_class)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1.0, float(jnp.abs(b).max())))


def test_what_is_trained_is_named_and_what_is_not_is_constant(keras):
    net = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="first", trainable=False),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(2, name="out"),
        ],
        name="net",
    )
    model, x = adapt.keras(net), normal(5, 4)
    shapes = {"norm": {"gamma": (3,), "beta": (3,)}, "out": {"kernel": (3, 2), "bias": (2,)}}
    assert jax.tree.map(jnp.shape, model.params) == shapes
    names = ("0['norm']['beta']", "0['norm']['gamma']", "0['out']['bias']", "0['out']['kernel']", "1")
    assert program(model, x).inputs == names
    assert repr(model) == "Model('Keras Sequential net', 14 parameters)"
    before = np.asarray(model(model.params, x))
    for variable in net.variables:
        variable.assign(variable.value + 1)
    np.testing.assert_array_equal(before, model(model.params, x))


def test_the_training_pass_reads_the_batch_and_draws_the_same_noise_each_time(keras):
    net = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=0)])
    model, x = adapt.keras(net), 3 * normal(400, 4) + 1
    assert model.training is not None
    y = np.asarray(model.training(model.params, x))
    np.testing.assert_array_equal(y, model.training(model.params, x))
    kept = y != 0
    assert 0.4 < kept.mean() < 0.6
    expected = 2 * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(y[kept], expected[kept], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(model.params, x), x / np.sqrt(1 + 1e-3), rtol=1e-5)


def test_keras_models_that_cannot_be_taken_are_refused_with_a_remedy(keras, monkeypatch):
    net = keras.Sequential([keras.layers.Dense(3)], name="late")
    with pytest.raises(DesignError, match=r"'late' is not built.*model\(x\[:1\]\)"):
        adapt.keras(net)
    with pytest.raises(DesignError, match="takes a model of Keras 3, and builtin_function_or_method of builtins came"):
        adapt.keras(len)
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    with pytest.raises(DesignError, match="runs on tensorflow here.*KERAS_BACKEND=jax before the import"):
        adapt.keras(net)


def test_names_with_parts_become_nested_dicts():
    found = paths(["a/b", "a/b", "a/b_1", "c", "c/d", "a/b"], "/")
    assert found == [("a", "b"), ("a", "b_1"), ("a", "b_1_1"), ("c",), ("c_1", "d"), ("a", "b_2")]


def test_a_model_is_a_function_with_its_parameters():
    model = Model(lambda p, x: {"y": x @ p["W"]}, {"W": jnp.ones((4, 2))}, "one matrix")
    assert model(model.params, jnp.ones((5, 4)))["y"].shape == (5, 2)
    assert program(model, jnp.ones((5, 4))).outputs["y"].shape == (5, 2)
    assert adapt.Model is Model


def blocks(section):
    """The code of a section of the guide, as one program."""
    (text,) = re.findall(
        rf"^## {section}\n(.*?)(?=^## |\Z)", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


NAMES = {
    "Equinox": "0.layers[0].weight 0.layers[0].bias 0.layers[1].weight 0.layers[1].bias 1",
    "Flax Linen": "0['BatchNorm_0']['bias'] 0['BatchNorm_0']['scale'] 0['Dense_0']['bias'] 0['Dense_0']['kernel'] "
    "0['Dense_1']['bias'] 0['Dense_1']['kernel'] 1",
    "Flax NNX": "0['hidden']['bias'].value 0['hidden']['kernel'].value "
    "0['out']['bias'].value 0['out']['kernel'].value 1",
}
"""The names that programs give to the inputs: the models' own."""
OWN = {
    "Equinox": lambda net, x, variables: jax.vmap(net)(x),
    "Flax Linen": lambda net, x, variables: net.apply(variables, x),
    "Flax NNX": lambda net, x, variables: net(x),
}


@pytest.mark.parametrize(
    ("section", "library", "said"),
    [
        ("Keras", "keras", "{'hidden': {'bias': (8,), 'kernel': (4, 8)}, 'out'"),
        ("PyTorch", "torch", "(8, 4)"),
        ("Equinox", "equinox", "(8, 4)"),
        ("Flax Linen", "flax", "(4, 8)"),
        ("Flax NNX", "flax", "(4, 8)"),
        ("Anything else", "jax", "Model('one layer', 10 parameters) (5, 2)"),
    ],
)
def test_the_guide_runs_and_its_ways_keep_names_and_values(section, library, said, monkeypatch, capsys):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install {library}")
    monkeypatch.setattr(adapt.aten, "OPERATIONS", dict(adapt.aten.OPERATIONS))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    names: dict = {}
    exec(compile(blocks(section), str(GUIDE), "exec"), names)
    assert said in capsys.readouterr().out
    if section in NAMES:
        f, params, x = names["f"], names["params"], names["x"]
        assert program(f, params, x).inputs == tuple(NAMES[section].split())
        np.testing.assert_allclose(f(params, x), OWN[section](names["net"], x, names.get("variables")), rtol=1e-6)
