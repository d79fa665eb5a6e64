"""Designs edited by hand, and specifications with wrong or NumPy arguments: an error of ours, or a plain design."""

import inspect
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import spec
from chainrule.train.design import Reason
from chainrule.train.recipe import Split

DESIGN = cr.Design(
    cr.Chain(cr.Dense(8), cr.relu, cr.Dropout(0.1), cr.Dense(3)),
    cr.cross_entropy,
    cr.Recipe(optimizer=cr.adamw(cr.cosine(0.1)), penalty=cr.l2(1e-4), class_weight=(("ill", 2.0),)),
    reasons=(Reason("8 units", "few rows"),),
)


def edited(*path_and_value):
    """The data of the design with one place changed."""
    data = json.loads(json.dumps(DESIGN.to_data()))
    *path, last, value = path_and_value
    place = data["Design"]
    for name in path:
        place = place[name]
    place[last] = value
    return data


def places(data, path=()):
    """Every place in JSON data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def test_a_design_survives_its_file(tmp_path):
    DESIGN.save(tmp_path / "design.json")
    assert cr.Design.load(tmp_path / "design.json") == DESIGN


VALUES = (
    [None, True, -1, 0, 7, 1.5, float("nan"), float("inf"), "", "relu", [], [1], {}, {"relu": {}}, {"adam": {}}]
    + [{"Dense": {"units": 2}}, {"x": 1, "y": 2}, [["ill", "x"]], {"Chain": {"layers": []}}]
)  # fmt: skip


@pytest.mark.parametrize("path", [*places(DESIGN.to_data()["Design"])], ids=str)
def test_no_edit_gives_a_raw_error(path):
    for value in VALUES:
        try:
            design = cr.Design.from_data(edited(*path, value))
        except cr.ChainruleError:
            continue
        text = json.dumps(design.to_data())
        assert json.dumps(cr.Design.from_data(json.loads(text)).to_data()) == text
        assert repr(design) and str(design)


@pytest.mark.parametrize(
    ("edit", "kind", "said"),
    [
        (("network", "Chain", "layers", 0, {"Dense": {"unit": 8}}), cr.LoadError,
         "Dense has no 'unit'; its fields are units, use_bias, init. Did you mean 'units'?"),
        (("network", "Chain", "layers", 0, {"Dense": {}}), cr.LoadError, "Dense needs 'units'"),
        (("network", "Chain", "layers", 0, {"Dens": {}}), cr.LoadError, "Did you mean 'Dense'?"),
        (("network", "Chain", "layers", 1, "relu"), cr.DesignError, '{"relu": {}}'),
        (("network", "Chain", "layers", 1, {"relu": {"slope": 1}}), cr.LoadError, "relu has no fields"),
        (("network", "Chain", "layers", 7), cr.LoadError, "layers is a list"),
        (("network", "Chain", "layers", []), cr.DesignError, "Chain() has no layers"),
        (("network", 3), cr.DesignError, "this came: 3"),
        (("loss", "crossentropi"), cr.DesignError, "no loss 'crossentropi'"),
        (("loss", 3), cr.DesignError, "loss=3"),
        (("encoder", 3), cr.DesignError, "encoder=3"),
        (("recipe", None), cr.DesignError, "recipe=None"),
        (("reasons", "because"), cr.DesignError, "reasons='because'"),
        (("reasons", ["because"]), cr.DesignError, "Reason(choice, because)"),
        (("recipe", "Recipe", "optimizer", {"adam": {"learning_rate": -1}}), cr.DesignError,
         "adam: learning_rate=-1: a finite number above 0"),
        (("recipe", "Recipe", "optimizer", "adan"), cr.DesignError, "Did you mean 'adam'"),
        (("recipe", "Recipe", "metrics", ["acuracy"]), cr.DesignError, "Did you mean 'accuracy'"),
        (("recipe", "Recipe", "metrics", ["mae"]), cr.DesignError, "has no metric 'mae'"),
        (("recipe", "Recipe", "metrics", 3), cr.DesignError, "metrics=3"),
        (("recipe", "Recipe", "penalty", 0.1), cr.DesignError, "penalty=0.1"),
        (("recipe", "Recipe", "class_weight", "even"), cr.DesignError, "class_weight='even'"),
        (("recipe", "Recipe", "class_weight", [["ill", "much"]]), cr.DesignError, "weight 'much'"),
        (("recipe", "Recipe", "freeze", [1]), cr.DesignError, "freeze=(1,)"),
        (("recipe", "Recipe", "split", 0.2), cr.DesignError, "split=0.2"),
        (("recipe", "Recipe", "split", {"Split": {"time": 3}}), cr.DesignError, "time=3"),
        (("recipe", "Recipe", "epochs", 1.5), cr.DesignError, "epochs=1.5"),
    ],
)  # fmt: skip
def test_an_edit_is_refused_with_the_path_and_the_reason(tmp_path, edit, kind, said):
    path = tmp_path / "design.json"
    path.write_text(json.dumps(edited(*edit)))
    with pytest.raises(kind) as e:
        cr.Design.load(path)
    assert str(e.value).startswith(f"{path}: ")
    assert said in str(e.value)


def test_names_may_stand_in_a_design_file():
    data = edited("recipe", "Recipe", "metrics", ["accuracy"])
    data["Design"]["recipe"]["Recipe"]["optimizer"] = "sgd"
    data["Design"]["recipe"]["Recipe"]["freeze"] = "0:Dense"
    data["Design"]["loss"] = "cross_entropy"
    design = cr.Design.from_data(data)
    assert (design.loss, design.recipe.optimizer) == (cr.cross_entropy, cr.sgd(0.01))
    assert design.recipe.freeze == ("0:Dense",)
    assert design.recipe.metrics == ("accuracy",)
    assert cr.Design.from_data(design.to_data()) == design


def test_a_named_metric_is_in_the_history():
    X = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    y = np.where(X[:, 0] > 0, "b", "a")
    fitted = cr.fit(cr.Chain(cr.Dense(2)), X, y, epochs=1, progress=False).design
    recipe = cr.Recipe(metrics="accuracy", epochs=2)
    run = cr.fit(cr.Design(fitted.network, "cross_entropy", recipe, fitted.encoder), X, y, progress=False)
    assert len(run.history["accuracy"]) == 2


def test_numpy_numbers_are_numbers():
    recipe = cr.Recipe(
        epochs=np.int32(3),
        batch_size=np.int64(8),
        seed=np.uint8(1),
        ensemble=np.int16(2),
        accumulate=np.int8(1),
        clip_norm=np.float32(0.5),
        split=Split(validation=np.float64(0.25), ahead=np.int64(0)),
        early_stopping=np.int64(4),
        class_weight={np.int64(0): np.float32(0.5), np.str_("x"): 1},
        penalty=cr.l2(np.float32(0.5)),
        optimizer=cr.adam(np.float32(0.25)),
    )
    plain = cr.Recipe(
        epochs=3,
        batch_size=8,
        seed=1,
        ensemble=2,
        clip_norm=0.5,
        split=Split(validation=0.25),
        early_stopping=cr.EarlyStopping(4),
        class_weight=((0, 0.5), ("x", 1)),
        penalty=cr.l2(0.5),
        optimizer=cr.adam(0.25),
    )
    assert recipe == plain
    assert repr(recipe) == repr(plain)
    assert json.dumps(spec.to_data(recipe)) == json.dumps(spec.to_data(plain))
    assert repr(cr.Dense(np.int64(3))) == "Dense(units=3)"
    assert json.dumps(spec.to_data(cr.Embedding(np.int64(4), dim=np.int8(2))))
    with pytest.raises(cr.DesignError, match="units"):
        cr.Dense(np.float64(3.0))
    with pytest.raises(cr.DesignError, match="units"):
        cr.Dense(np.bool_(True))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cr.Dense(3, activation="relu"), "put the function after the layer, cr.Dense(3), cr.relu"),
        (lambda: cr.Dense(), "Dense needs 'units'"),
        (lambda: cr.Dense(3, True, cr.zeros, 1), "Dense has 3 fields (units, use_bias, init), and 4 values came"),
        (lambda: cr.Dense(3, units=3), "multiple values for argument 'units'"),
        (lambda: cr.adam(lr=1e-3), "adam has no 'lr': write learning_rate"),
        (lambda: cr.adamw(weight_decy=1), "Did you mean 'weight_decay'?"),
        (lambda: cr.Recipe(epoch=3), "Did you mean 'epochs'?"),
        (lambda: cr.cosine(), "cosine needs 'peak'"),
        (lambda: cr.l2(wait=1), "l2 has no 'wait'"),
        (lambda: cr.Chain(layers=(cr.Dense(3),)), "Chain takes its layers one after the other"),
        (lambda: cr.Chain(cr.Dense(3), "relu"), "write cr.relu, the function"),
        (lambda: cr.Chain(cr.Dense(3), "rellu"), "Did you mean 'relu'?"),
        (lambda: cr.Chain([cr.Dense(3), cr.relu]), "cr.Chain(*layers)"),
        (lambda: cr.Chain(), "Chain() has no layers"),
        (lambda: cr.Parallel(), "Parallel() has no branches"),
    ],
)
def test_wrong_arguments_are_refused(call, said):
    with pytest.raises(cr.DesignError) as e:
        call()
    assert said in str(e.value)


def test_constructors_keep_their_signatures():
    assert list(inspect.signature(cr.Dense).parameters) == ["units", "use_bias", "init"]
    assert inspect.signature(cr.adam).parameters["learning_rate"].default == 1e-3
    assert cr.Dense.__init__.__name__ == "__init__"


def test_an_error_inside_an_own_layer_stays_as_it_is():
    class Odd(cr.Layer):
        by: int = 1

        def __call__(self, p, x):
            return x + self.by

    with pytest.raises(TypeError):
        Odd(to=3)  # pyright: ignore[reportCallIssue]


def test_a_misspelled_name_of_chainrule_is_pointed_out():
    with pytest.raises(AttributeError, match="Did you mean 'relu'"):
        cr.rellu  # noqa: B018
