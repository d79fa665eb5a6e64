"""Columns become numbers, by the equation that is printed, and survive JSON."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import spec
from chainrule.data.category_column import CategoryColumn
from chainrule.data.encoders import Encoder
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, CountTarget, NumberTarget, usable_rows, whole
from chainrule.errors import ChainruleWarning, DataError

SHARED = Path(__file__).parents[2] / "shared" / "data"


def again(part):
    return spec.from_data(json.loads(json.dumps(spec.to_data(part))))


def words(*texts):
    return np.array(texts, object)


def test_a_number_is_scaled_as_printed():
    x = np.random.default_rng(0).lognormal(3, 1, 200)
    column = NumberColumn("area").fit(x)
    quarter, half, three = np.quantile(x, [0.25, 0.5, 0.75])
    u = (x - half) / (three - quarter)
    np.testing.assert_allclose(column.encode(x)[:, 0], u / np.sqrt(1 + (u / 3) ** 2), rtol=1e-6)
    assert column.explain() == f"u = (area − {half:.4g})/{three - quarter:.4g},  x̃ = u/√(1 + (u/3)²)"


def test_robust_scaling_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.preprocessing", reason="an independent reference")
    x = np.random.default_rng(1).normal(5, 2, 101)
    scaler = sklearn.RobustScaler().fit(x[:, None])
    column = NumberColumn("a").fit(x)
    assert (column.center, column.scale) == pytest.approx((scaler.center_[0], scaler.scale_[0]))


def test_scales_when_most_values_are_equal():
    assert NumberColumn("a").fit(np.array([0.0] * 9 + [8.0])).scale == 4.0
    constant = NumberColumn("a").fit(np.full(4, 7.0))
    assert constant.scale == 1.0 and not constant.encode(np.full(2, 7.0)).any()


def test_missing_numbers():
    column = NumberColumn("a").fit(np.array([1.0, 2.0, np.nan, 3.0]))
    assert column.labels == ("a", "a missing")
    assert column.encode(np.array([np.nan, 2.0])).tolist() == [[0.0, 1.0], [0.0, 0.0]]
    whole_column = NumberColumn("a").fit(np.array([1.0, 2.0, 3.0]))
    assert "never was in training: its median stands in" in (whole_column.surprise(np.array([np.nan])) or "")
    assert whole_column.encode(np.array([np.nan])).tolist() == [[0.0]] and column.surprise(np.array([np.nan])) is None
    assert NumberColumn("a").fit(np.full(3, np.nan)).encode(np.array([np.nan])).tolist() == [[0.0, 1.0]]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-3e38, 3e38), min_size=1, max_size=20),
    st.lists(st.floats(-3e38, 3e38), min_size=1, max_size=5),
)
def test_numbers_are_finite_and_at_most_three(train, later):
    column = NumberColumn("a").fit(np.array(train))
    y = column.encode(np.array(later))
    assert np.all(np.abs(y) <= 3.000001)
    order = np.argsort(later)
    assert np.all(np.diff(y[order, 0]) >= 0), "larger numbers stay larger"


def test_numbers_that_are_refused():
    for bad, message in (
        (np.array([1.0, np.inf]), "row 2"),
        (np.array([1e300]), "3.4e38"),
        (words("x"), "holds words"),
    ):
        with pytest.raises(DataError, match=message):
            NumberColumn("a").fit(bad)
    with pytest.raises(DataError, match="call fit"):
        NumberColumn("a").encode(np.ones(2))


def test_categories_by_frequency_then_name():
    color = CategoryColumn("color").fit(words("red", "blue", "green", "blue", "green", None))
    assert color.categories == ("blue", "green", "red") and color.missing
    assert color.labels == ("color = blue", "color = green", "color = red", "color missing")
    assert color.encode(words("red", None)).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_unseen_categories_are_told_once():
    color = CategoryColumn("color").fit(words("red", "blue"))
    assert not color.encode(words("pink", "teal", "pink")).any()
    encoder = Encoder((color, NumberColumn("a", center=0.0, scale=1.0)))
    with pytest.warns(ChainruleWarning, match="'color'.*'pink', 'teal'.*; column 'a' is missing in row 1") as told:
        encoder.encode({"color": ["pink", "teal", "pink"], "a": [None, 1.0, 2.0]})
    assert len(told) == 1
    codes = CategoryColumn("color", method="embedding").fit(words("red", "blue"))
    got = codes.encode(words("red", "pink", None, "blue"))
    assert "'pink'" in (codes.surprise(words("red", "pink", None)) or "")
    assert got.dtype == np.int32 and got.tolist() == [2, 0, 0, 1] and codes.size == 3


def test_one_hot_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.preprocessing", reason="an independent reference")
    texts = words(*"abcabacdd")
    color = CategoryColumn("c").fit(texts)
    other = sklearn.OneHotEncoder(categories=[list(color.categories)], sparse_output=False)
    np.testing.assert_array_equal(color.encode(texts), other.fit_transform(texts[:, None]))


def test_categories_written_as_numbers():
    size = CategoryColumn("size").fit(words("12", "14", "14b"))
    assert size.encode(np.array([12.0, 14.0])).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(DataError, match="method='onehot'"):
        CategoryColumn("c", method="onehot")


TABLE = {"area": [1.0, 2.0, None, 4.0], "color": ["red", "blue", "red", "red"], "price": [10.0, 20.0, 30.0, 40.0]}


@pytest.fixture
def encoder():
    return Encoder((NumberColumn("area"), CategoryColumn("color")), NumberTarget("price")).fit(TABLE)


def test_an_encoder_puts_columns_side_by_side(encoder):
    x = encoder.encode(TABLE)
    assert x.dtype == np.float32 and x.shape == (4, 4)
    assert encoder.labels == ("area", "area missing", "color = red", "color = blue")
    reordered = {"color": TABLE["color"], "extra": [1, 2, 3, 4], "area": TABLE["area"]}
    np.testing.assert_array_equal(encoder.encode(reordered), x)
    assert encoder.target.mean == 25.0 and len(encoder.explain()) == 2


def test_an_encoder_with_embedded_columns():
    encoder = Encoder((NumberColumn("area"), CategoryColumn("color", method="embedding"))).fit(TABLE)
    x = encoder.encode(TABLE)
    assert sorted(x) == ["color", "numbers"] and x["numbers"].shape == (4, 2) and x["color"].dtype == np.int32
    alone = Encoder((CategoryColumn("color", method="embedding"),)).fit(TABLE)
    assert list(alone.encode(TABLE)) == ["color"]
    with pytest.raises(DataError, match="Rename"):
        Encoder((NumberColumn("numbers"), CategoryColumn("color", method="embedding")))


def test_all_faults_are_told_at_once():
    encoder = Encoder((NumberColumn("area"), NumberColumn("rooms"), CategoryColumn("color"), NumberColumn("age")))
    with pytest.raises(DataError, match=r"\['rooms', 'color'\] are missing.*'area' holds words \(row 1: 'big'\)"):
        encoder.fit({"area": ["big"], "age": [3]})
    with pytest.raises(DataError, match="no names"):
        encoder.fit(np.ones((2, 4)))
    for columns, message in (((), "no columns"), ((NumberColumn("a"), NumberColumn("a")), "more than once")):
        with pytest.raises(DataError, match=message):
            Encoder(columns)
    with pytest.raises(DataError, match="given away"):
        Encoder((NumberColumn("price"),), NumberTarget("price"))


def test_encoders_survive_json(encoder):
    codes = CategoryColumn("color", method="embedding").fit(words("red", "blue"))
    for part in (
        encoder,
        codes,
        NumberColumn("a"),
        CountTarget("n"),
        ClassTarget("k", ("a", "b")),
        ClassTarget("k", (0, 1)),
    ):
        copy = again(part)
        assert copy == part and hash(copy) == hash(part) and repr(copy) == repr(part)
        assert (
            eval(
                repr(part), {type(p).__name__: type(p) for p in (part, *vars(part).get("columns", ()), encoder.target)}
            )
            == part
        )
    np.testing.assert_array_equal(again(encoder).encode(TABLE), encoder.encode(TABLE))


def test_a_number_target():
    y = np.random.default_rng(0).normal(50, 9, 30)
    target = NumberTarget("y").fit(y)
    z = target.encode(y)
    assert z.shape == (30, 1) and z.mean() == pytest.approx(0, abs=1e-6) and z.std() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(target.decode(z), y, rtol=1e-6)
    for bad, message in (
        ([1.0, 1.0], "nothing to learn"),
        ([1.0, np.nan], "row 2"),
        ([1.0, None], "row 2"),
        (["a", "b"], "numbers are expected"),
        ([[1, 2], [3, 4]], "shape"),
        ([], "shape"),
        ([[1], [1, 2]], "cannot be read"),
    ):
        with pytest.raises(DataError, match=message):
            NumberTarget("y").fit(bad)


def test_a_count_target():
    assert CountTarget("n").fit([0, 3]).encode([0, 3]).tolist() == [[0.0], [3.0]]
    for bad in ([1, -1], [0.5, 1]):
        with pytest.raises(DataError, match="counts are whole numbers"):
            CountTarget("n").fit(bad)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([3, 1, 3], (1, 3)),
        ([True, False], (False, True)),
        (np.array([0.0, 1.0]), (0, 1)),
        (np.array([[1], [2]]), (1, 2)),
        (np.array(["x", "y"]), ("x", "y")),
        (words("x", "y"), ("x", "y")),
        ([-1, 1], (-1, 1)),
        ([-1, 0, 1], (-1, 0, 1)),
        (np.eye(3)[[0, 2, 2]], (0, 1, 2)),
    ],
)
def test_labels_keep_their_type(labels, classes):
    target = again(ClassTarget("k").fit(labels))
    assert target.classes == classes and [type(c) for c in target.classes] == [type(c) for c in classes]
    codes = target.encode(labels)
    assert codes.dtype == np.int32 and codes.max() < len(classes)
    back = target.decode(codes)
    flat = np.asarray(labels).argmax(1) if np.ndim(labels) == 2 and np.shape(labels)[1] > 1 else np.ravel(labels)
    assert back.tolist() == flat.tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "one class"),
        ([0, 1, 0.5], "0.5 in row 3"),
        (["a", None], "missing in row 2"),
        ([0.0, np.nan], "missing in row 2"),
        (["a", 1], "mixes"),
        ([True, 2], "mixes"),
        ([], "empty"),
        (np.ones((2, 3)), "shape"),
        ([1j, 2j], "holds"),
        ([f"k{i}" for i in range(50)], "most labels occur once"),
    ],
)
def test_labels_that_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        ClassTarget("k").fit(labels)


def test_an_unknown_label_is_named():
    with pytest.raises(DataError, match=r"'c' in row 2, and the classes are 'a', 'b'"):
        ClassTarget("k", ("a", "b")).encode(["a", "c"])


def test_rows_without_a_target():
    table = Table.of({"x": [1, 2, 3], "y": ["a", None, "b"], "z": [None, None, None]})
    with pytest.warns(ChainruleWarning, match="missing in row 2: left out, 2 rows remain"):
        assert usable_rows(table, "y")["x"].tolist() == [1.0, 3.0]
    with pytest.raises(DataError, match="all 3 rows"):
        usable_rows(table, "z")
    assert usable_rows(table, "x") is table


def test_whole_numbers_are_told_from_measurements():
    assert whole(np.array([1.0, 2.0])).dtype == np.int64
    assert whole(np.array([1.5, 2.0])).dtype == whole(np.array([1.0, np.nan])).dtype == np.float64


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not beside the project")
def test_real_houses():
    table = Table.of(SHARED / "messy" / "california-housing.csv")
    names = [n for n in table.names if n not in ("median_house_value", "ocean_proximity")]
    columns = (*map(NumberColumn, names), CategoryColumn("ocean_proximity"))
    encoder = Encoder(columns, NumberTarget("median_house_value")).fit(table.take(slice(0, 15000)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainruleWarning)
        x = encoder.encode(table)
    assert x.shape == (20640, len(encoder.labels)) and np.isfinite(x).all() and np.abs(x).max() <= 3
    assert "total_bedrooms missing" in encoder.labels
