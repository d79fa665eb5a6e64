"""Bare arrays: what is accepted silently, what is warned about, what is refused, and with which words."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data.array_encoder import ArrayTarget
from chainrule.data.arrays import features, infer_task, rows_of, sample_weights, target_numbers, target_of
from chainrule.data.scales import constant_warning, scale_warning
from chainrule.data.source import ArraySource
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget
from chainrule.errors import ChainruleError, DataError

X = np.arange(6, dtype=np.float64).reshape(3, 2)


@pytest.mark.parametrize(
    "given_as",
    [
        X,
        X.tolist(),
        [tuple(row) for row in X.tolist()],
        [row for row in X],
        np.asfortranarray(X),
        X[::-1][::-1],
        X.astype(object),
        X.astype(np.float16),
        np.ma.masked_array(X),
        Table.of({"a": X[:, 0], "b": X[:, 1]}),
    ],
)
def test_features_accepted(given_as):
    x = features(given_as)
    assert x.dtype == np.float32 and x.tolist() == X.tolist() and rows_of(given_as) == rows_of(x) == 3


def test_kinds_of_numbers():
    assert features(np.ones((2, 2), np.uint8)).dtype == np.uint8
    assert features([[1, 2]]).dtype == np.int32
    assert features(np.ones((2, 2), bool)).dtype == np.float32
    assert features(np.ones((2, 4, 4, 3))).shape == (2, 4, 4, 3)


def test_read_only_memmaps(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert features(mapped).tolist() == X.tolist()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_of_numbers(library):
    module = pytest.importorskip(library, reason="a frame")
    make = module.table if library == "pyarrow" else module.DataFrame
    assert features(make({"a": X[:, 0], "b": X[:, 1]})).tolist() == X.tolist()
    with pytest.raises(DataError, match="words"):
        features(make({"a": X[:, 0], "b": ["x", "y", "z"]}))
    with pytest.raises(DataError, match=r"X\[1, 1\].*'b'"):
        features(make({"a": X[:, 0], "b": [1.0, float("nan"), 2.0]}))


def test_several_inputs():
    x = features({"a": X.tolist(), "b": [[1], [2], [3]]})
    assert x["a"].dtype == np.float32 and x["b"].dtype == np.int32 and rows_of(x) == 3
    pair = features((X, X[:, :1]))
    assert isinstance(pair, tuple) and pair[1].shape == (3, 1) and rows_of((X, X)) == 3
    with pytest.raises(DataError, match="unequal numbers of rows"):
        features({"a": X, "b": X[:2]})
    with pytest.raises(DataError, match=r"X\['b'\]\[0, 1\] is nan"):
        features({"a": X, "b": [[1, np.nan]] * 3})


def sparse():
    with contextlib.suppress(ImportError):
        from scipy.sparse import csr_matrix

        return csr_matrix(X)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1.0, np.nan]], r"X\[0, 1\] is nan"),
        ([[1.0, 2.0], [np.inf, 3.0]], r"X\[1, 0\] is inf"),
        (np.array([[1e300]]), "float32 ends"),
        (np.array([[2**40]]), "int32 ends"),
        ([[10**400]], "float64|no array"),
        (np.arange(4.0), r"reshape\(-1, 1\)"),
        (np.float64(3), "single value"),
        (np.zeros((0, 3)), "no rows"),
        ([], "no rows"),
        (np.zeros((3, 0)), "no features"),
        ([["a", "b"]], "words"),
        ([["1", 2]], "words"),
        ([[1, None]], r"X\[0, 1\] is 'None'"),
        (np.array([[{}, 1]], object), "dict"),
        (np.ones((2, 2), complex), "complex"),
        (np.array([["2020-01-01"]], "M8[D]"), "datetime64"),
        ([[1, 2], [3]], "unequal lengths: row 1 has 1"),
        (None, "None"),
        (object(), "object"),
        ((i for i in [[1]]), "generator"),
        ({1, 2}, "set"),
        (np.ma.masked_array(X, X > 3), "masked"),
        ({}, "dict"),
    ],
)
def test_features_refused(bad, message):
    with pytest.raises(DataError, match=message):
        features(bad)


@pytest.mark.skipif(sparse() is None, reason="SciPy makes sparse matrices")
def test_sparse_features():
    with pytest.raises(DataError, match=r"X\.toarray\(\)"):
        features(sparse())


ANY = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.booleans(),
    st.complex_numbers(),
    st.binary(max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=3, min_side=0, max_side=3)), st.lists(st.lists(ANY))
    )
)
def test_anything_is_finite_numbers_or_refused(data):
    try:
        x = features(data)
    except ChainruleError:
        return
    assert x.ndim >= 2 and x.size and np.isfinite(x).all()
    np.testing.assert_allclose(x.astype(float), np.asarray(data).astype(float), rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 1], "classification"),
        (np.array([[0], [1]]), "classification"),
        (np.eye(3), "classification"),
        (np.array([0, 1, 2] * 10), "classification"),
        (np.array(["a", None], object), "classification"),
        (np.arange(50), "regression"),
        ([0.5, 1.5], "regression"),
        ([0.0, 1.0], "regression"),
        (np.ones((3, 2)) * 1.5, "regression"),
        (np.array([[1, 1, 0], [0, 0, 0]]), "multilabel"),
    ],
)
def test_tasks(y, task):
    found, reason = infer_task(y)
    assert found == task and reason.startswith("y ")


def test_targets_of_arrays():
    assert target_of(["b", "a"], "classification") == ClassTarget("y", ("a", "b"))
    assert target_of([1.0, 2.0], "regression") == ArrayTarget("y", None)
    assert target_of([[1.0], [2.0]], "regression") == ArrayTarget("y", 1)
    assert target_of(np.array([[1, 0], [1, 1]]), "multilabel") == ArrayTarget("y", 2)
    assert target_numbers([True, False]).tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        (np.zeros((1, 5)), "regression", r"y\.reshape\(-1\)"),
        ([1.0, np.nan], "regression", r"y\[1\] is nan"),
        ([1.0, None], "regression", r"y\[1\] is 'None'"),
        (["a", "b"], "regression", "cross_entropy"),
        (np.zeros((2, 2, 2)), "regression", "shape"),
        ([], "regression", "empty"),
        ([1e300, 1.0], "regression", "float32 ends"),
        ([0.0, 0.5], "classification", "0.5"),
        ([1, 1], "classification", "one class"),
        (np.array([[0, 2], [1, 1]]), "multilabel", r"y\[0, 1\] is 2"),
        (None, "regression", "None"),
    ],
)
def test_targets_refused(y, task, message):
    with pytest.raises(DataError, match=message):
        target_of(y, task)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_rows_of_frames(library):
    module = pytest.importorskip(library, reason="a frame")
    make = module.table if library == "pyarrow" else module.DataFrame
    assert rows_of(make({"a": [1, 2, 3]})) == 3


def test_missing_labels_of_pandas():
    pd = pytest.importorskip("pandas", reason="a series with NA")
    series = pd.Series(["a", pd.NA, "b"], dtype="string")
    with pytest.raises(DataError, match="missing in row 2"):
        target_of(series, *infer_task(series)[:1])
    assert target_of(pd.Series([3, 1, 3]), "classification").classes == (1, 3)


def test_sample_weights():
    assert sample_weights([[1], [0], [2]], 3).tolist() == [1.0, 0.0, 2.0]
    for bad, message in (
        ([1, 2], "3 rows"),
        ([1, -1, 1], r"sample_weight\[1\]"),
        ([1, np.nan, 1], r"sample_weight\[1\]"),
        ([0, 0, 0], "nothing would be learned"),
        (["a", "b", "c"], "type"),
    ):
        with pytest.raises(DataError, match=message):
            sample_weights(bad, 3)


def test_unscaled_features_are_told_with_their_names():
    x = np.array([[0.001, 4254.0], [0.002, 3.0]])
    assert scale_warning(x, None, ("smoothness", "area")) == (
        "Features range from 0.002 (smoothness) to 4254 (area): gradient descent will be slow. "
        "Put cr.Standardize() first (fitted on the training part), or use cr.design."
    )
    assert scale_warning(x / x.max(axis=0), [0.5, 1.0]) is None
    assert "y reaches 505" in str(scale_warning(x / x.max(axis=0), [505.0, 1.0]))
    assert "Features reach 255" in str(scale_warning(np.full((2, 3), 255, np.uint8)))
    assert scale_warning(np.array([[0.0, 1.0]])) is None, "a feature that is always 0 has no scale"


def test_constant_features_are_told():
    x = np.array([[1.0, 2.0], [1.0, 3.0]])
    assert str(constant_warning(x, ("a", "b"))).startswith(
        "1 feature has the same value in every row and can teach nothing: a."
    )
    assert constant_warning(x[:, 1:]) is None


def test_a_source_of_arrays():
    source = ArraySource({"a": X, "b": (X, X[:, :1])})
    taken = source.take(np.array([2, 0]))
    assert (
        source.rows == 3
        and taken["a"].tolist() == [[4.0, 5.0], [0.0, 1.0]]
        and taken["b"][1].tolist() == [[4.0], [0.0]]
    )
