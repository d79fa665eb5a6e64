"""A run is explained: what its lines say is the loss that training descends, on its own data and in its own words."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.equations.explain import explain
from chainrule.errors import DataError
from chainrule.trace.subject import subject
from chainrule.train import explained
from chainrule.train.explained import equations, notes_of, preface

ROWS = 24
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype(np.float32)
CLASSES = np.array(["low", "mid", "top"])[RNG.integers(0, 3, ROWS)]


def fitted(net, X, y, **options):
    return cr.fit(net, X, y, progress=False, **{"epochs": 1, "validation": None} | options)


def verified(ex):
    assert [line.text for line in ex.lines if line.status != "verified"] == []
    return ex


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A run on a file with blanks, words and an embedded column."""
    place = tmp_path_factory.mktemp("houses")
    rng = np.random.default_rng(1)
    lines = ["area,rooms,street,price"]
    for k in range(60):
        rooms = "" if k % 7 == 3 else str(rng.integers(1, 9))
        lines.append(f"{500 + 90 * rng.normal():.2f},{rooms},s{rng.integers(0, 3)},{rng.normal():.3f}")
    (place / "houses.csv").write_text("\n".join(lines) + "\n")
    design = cr.design(place / "houses.csv", target="price")
    return place / "houses.csv", cr.fit(design, place / "houses.csv", epochs=1, progress=False)


@pytest.mark.parametrize(("penalty", "freeze"), [(None, ()), (cr.elastic_net(0.1, 0.2), ("0:Dense",))], ids=repr)
def test_the_loss_that_is_explained_is_the_one_that_training_descends(penalty, freeze):
    """One step of plain descent on all rows at rate 1 moves the parameters by the gradient."""
    net = cr.Chain(cr.Dense(5), cr.tanh, cr.LayerNorm(), cr.Dense(3))
    start = net.init(jax.random.key(3), X)
    options = {"optimizer": cr.sgd(1.0), "batch_size": "full", "penalty": penalty, "freeze": freeze}
    run = fitted(net, X, CLASSES, params=start, **options)
    found = subject(dataclasses.replace(run, params=start))
    assert np.array_equal(found.data[0], X) and len(found.data[1]) == ROWS
    slopes = jax.grad(lambda p: found.function(p, *found.data)[0])(found.params)
    leaves = jax.tree_util.tree_leaves_with_path(slopes)
    after = jax.tree.leaves(run.params)
    for (path, slope), old, new in zip(leaves, jax.tree.leaves(start), after, strict=True):
        moves = found.wrt(jax.tree_util.keystr(path))
        assert moves == (not freeze or path[0].idx != 0)
        np.testing.assert_allclose(np.where(moves, old - slope, old), new, rtol=1e-4, atol=1e-6)


def test_lines_of_a_run_are_verified_and_frozen_layers_have_no_gradient():
    net = cr.Chain(cr.Dense(5), cr.relu, cr.Dense(3))
    run = fitted(net, X, CLASSES, penalty=cr.l2(0.01), freeze="0:Dense")
    ex = verified(explain(run))
    derived = [line.symbol for line in ex.lines if line.symbol.startswith("∂L/∂")]
    assert len(derived) == 2
    assert [e.words for e in ex.legend].count("params[0]['W'], not trained") == 1
    assert "Σ" in next(line.text for line in ex.lines if line.symbol == "L").partition("/ N")[2]


def test_batch_norm_in_training_and_exact_are_two_programs():
    run = fitted(
        cr.Chain(cr.Dense(4, use_bias=False), cr.BatchNorm(), cr.relu, cr.Dropout(0.5), cr.Dense(3)), X, CLASSES
    )
    exact, training = subject(run), subject(run, training=True)
    assert exact.program.startswith("exact") and training.program.startswith("training")
    assert not any(exact.wrt(path) for path in ("[1]['mean']", "[1]['var']"))
    verified(explain(run, training=True))


def test_of_an_ensemble_the_first_member_is_shown():
    run = fitted(cr.Chain(cr.Dense(3)), X, CLASSES, ensemble=3)
    found = subject(run)
    np.testing.assert_array_equal(found.params[0]["W"], run.params[0]["W"][0])
    assert "An ensemble of 3 networks of the same equations; the numbers are those of member 1." in found.notes


def test_a_loss_and_a_layer_of_ones_own():
    class Square(cr.Layer):
        def __call__(self, p, x):
            return x * x

    def quartic(z, y):
        return jnp.sum((z - y) ** 4, axis=-1)

    run = fitted(cr.Chain(cr.Dense(3), Square(), cr.Dense(1)), X, X[:, :1], loss=quartic)
    ex = verified(explain(run))
    assert any("z1²" in line.text for line in ex.lines) and any("⁴" in line.text for line in ex.lines)


def test_examples_are_the_first_rows_or_those_that_are_given():
    run = fitted(cr.Chain(cr.Dense(1)), X, X[:, 0], loss="mse")
    assert subject(run, examples=5).data[0].shape == (5, 4)
    other = subject(run, X[10:] + 1, X[10:, 1], examples=3)
    np.testing.assert_array_equal(other.data[0], X[10:13] + 1)
    np.testing.assert_array_equal(other.data[1], X[10:13, 1:2])
    for wrong in (0, True, 2.5):
        with pytest.raises(DataError, match="at least 1"):
            subject(run, examples=wrong)
    with pytest.raises(DataError, match="y is missing"):
        subject(run, X)
    with pytest.raises(DataError, match="24 rows and y has 5"):
        subject(run, X, X[:5, 0])


def test_a_table_comes_through_its_encoder(houses):
    path, run = houses
    found, table = subject(run, examples=7), cr.Table.of(path)
    kept = run.data[0].take(slice(0, 7))
    np.testing.assert_array_equal(found.data[0], run.design.encoder.encode(kept))
    np.testing.assert_array_equal(found.data[1], run.design.encoder.target.encode(kept["price"]))
    given = subject(run, table.drop("price"), table["price"], examples=7)
    np.testing.assert_array_equal(given.data[1], subject(run, path, examples=7).data[1])
    with pytest.raises(DataError, match="price"):
        subject(run, table.drop("price"))
    verified(explain(run))


def test_the_preface_says_each_column_of_x_in_its_own_name(houses):
    path, run = houses
    said, encoder = preface(run.design), run.design.encoder
    rows = cr.Table.of(path).take(slice(0, 9))
    x = encoder.encode(rows)
    text = "\n".join(said)
    for place, label in enumerate(encoder.labels):
        assert text.count(f"x̃{chr(0x2080 + place)} = ") == 1, label
    at = encoder.labels.index("street = s1")
    assert f"x̃{chr(0x2080 + at)} = 1 where street = s1, else 0" in text
    np.testing.assert_array_equal(x[:, at], rows["street"] == "s1")
    at = encoder.labels.index("rooms missing")
    assert f"x̃{chr(0x2080 + at)} = 1 where rooms is missing, else 0" in text
    np.testing.assert_array_equal(x[:, at], np.isnan(rows["rooms"]))
    assert said[-1].startswith("price = ") and said[0].startswith("x̃ is what the network reads")


def test_the_preface_of_classes_and_of_many_columns():
    run = fitted(cr.Chain(cr.Dense(3)), X, CLASSES)
    assert preface(run.design) == ("y is the code of y: 0 low, 1 mid, 2 top.",)
    run = fitted(cr.Chain(cr.Dense(3)), X, np.arange(ROWS) % 3)
    assert preface(run.design) == ()
    wide = {f"c{k}": RNG.normal(size=60) for k in range(40)} | {"y": RNG.normal(size=60)}
    design = cr.design(wide, target="y")
    said = preface(dataclasses.replace(design, encoder=design.encoder.fit(cr.Table.of(wide))))
    assert len(said) == 1 + explained.MOST_COLUMNS + 2 and "16 more columns" in said[-2]


def test_an_embedded_column_is_said_by_its_codes():
    from chainrule.data.category_column import CategoryColumn
    from chainrule.data.encoders import Encoder
    from chainrule.data.number_column import NumberColumn

    table = cr.Table.of({"size": [1.0, 2.0, 4.0], "kind": ["a", "b", "a"]})
    encoder = Encoder((CategoryColumn("kind", method="embedding"), NumberColumn("size"))).fit(table)
    design = cr.Design(cr.Chain(cr.Dense(1)), cr.mean_squared_error, cr.Recipe(), encoder)
    said = preface(design)
    assert said[1] == "x['kind']: code of kind: 0 other, 1 a, 2 b" and "x̃₀ = " in said[2]


def test_notes_say_what_training_does_beside_the_lines():
    options = {"clip_norm": 1.5, "average": 0.9, "class_weight": "balanced", "optimizer": cr.adam(cr.exponential(0.1))}
    text = "\n".join(notes_of(fitted(cr.Chain(cr.Dense(3)), X, CLASSES, **options)))
    assert "c = 1.5" in text and "running mean" in text and "(0.9)" in text and "weighs its rows" in text
    assert "rates(t, E) = rate * decay ** (t // E)" in text and "T the number" not in text and "E that of" in text
    assert notes_of(fitted(cr.Chain(cr.Dense(3)), X, CLASSES)) == ()
    weighted = fitted(cr.Chain(cr.Dense(3)), X, CLASSES, sample_weight=np.ones(ROWS), optimizer=cr.sgd(lambda t: 0.1))
    assert "weighs its rows" in notes_of(weighted)[0] and "a function of the step" in notes_of(weighted)[1]


def test_a_search_is_said_and_not_derived():
    run = fitted(cr.Chain(cr.Dense(1)), X, X[:, 0], loss="mse", optimizer=cr.lbfgs(), batch_size="full")
    found = subject(run)
    assert found.update is None
    assert "not derived" in found.notes[0] and "W = W - rate * H @ g" in found.notes[0]
    assert subject(fitted(cr.Chain(cr.Dense(1)), X, X[:, 0], loss="mse")).update.title == "adam()"


def test_equations_are_those_of_the_docstring():
    assert equations(cr.sgd(0.1)) == ["v = momentum * v + g", "W = W - rate * where(nesterov, g + momentum * v, v)"]
    assert equations(cr.cosine(0.1))[2] == "rise(t, T) = peak * (t + 1) / (w(T) + 1)"
    assert equations(object()) == []


def test_a_saved_run_of_arrays_asks_for_them(tmp_path):
    fitted(cr.Chain(cr.Dense(3)), X, CLASSES).save(tmp_path / "net.safetensors")
    run = cr.load(tmp_path / "net.safetensors")
    with pytest.raises(DataError, match=r"arrays in memory \(24 rows.*cr.explain\(run, X, y\).*--data FILE"):
        subject(run)
    verified(explain(run, X, CLASSES))


def test_a_saved_run_of_a_file_reads_it_again_and_knows_when_it_changed(houses, tmp_path, monkeypatch):
    path, run = houses
    here = tmp_path / "moved.csv"
    here.write_bytes(path.read_bytes())
    run.save(tmp_path / "net.safetensors")
    loaded = dataclasses.replace(cr.load(tmp_path / "net.safetensors"))
    object.__setattr__(loaded, "record", dataclasses.replace(loaded.record, path=str(here)))
    table = cr.Table.of(path).take(slice(0, 32))
    np.testing.assert_array_equal(subject(loaded).data[0], run.design.encoder.encode(table))
    here.write_text(here.read_text().replace("s1", "s2"))
    with pytest.raises(DataError, match=rf"moved.csv \(SHA-256 {run.record.sha256[:12]}….*other data now.*--data FILE"):
        subject(loaded)
    here.unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file in"):
        subject(loaded)
    verified(explain(loaded, path))


def test_an_embedded_data_set_is_read_again_by_its_name(tmp_path):
    design = cr.design("iris")
    cr.fit(design, "iris", epochs=1, progress=False).save(tmp_path / "net.safetensors")
    run = cr.load(tmp_path / "net.safetensors")
    assert len(subject(run).data[1]) == explained.EXAMPLES
    assert json.dumps(list(subject(run).preface)).count("petal") >= 2
