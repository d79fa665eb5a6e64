"""Estimators keep scikit-learn's contract, learn what cr.fit learns, and hand their parameters on."""

import io
import logging
import warnings

import jax
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import chainrule as cr
from chainrule.data.table import Table

DECLARED = {
    "check_sample_weight_equivalence_on_dense_data": "sample_weight is not equivalent to removing/repeating samples."
}
"""As scikit-learn declares for its SGDClassifier and SGDRegressor; the check on sparse data is theirs alone."""
UNTRAINED = {
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_estimators_unfitted",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_all_zero_sample_weights_error",
    "check_complex_data",
    "check_estimators_empty_data_messages",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_classifiers_one_label",
    "check_classifiers_regression_target",
    "check_supervised_y_no_nan",
    "check_parameters_default_constructible",
    "check_fit2d_1sample",
    "check_get_params_invariance",
    "check_set_params",
    "check_fit1d",
    "check_requires_y_none",
}
"""The checks of scikit-learn that train nothing, or next to nothing; `make check-long` runs them all."""
TRAINED = {"check_methods_subset_invariance", "check_methods_sample_order_invariance"}
"""Two that share one shape of table, and so one program."""
SMALL = {"hidden_layer_sizes": (8,), "ensemble": 2, "max_epochs": 30, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
CODES = (X[:, 0] + 0.3 * X[:, 1] ** 2 > 0).astype(int)
VALUES = 1_000 + 50 * (X[:, 0] + np.abs(X[:, 1]))
NUMBERS = Table({"a": X[:, 0], "b": X[:, 1], "y": VALUES})

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.ChainruleWarning")


class Programs(logging.Handler):
    """Counts what JAX compiles, by the name of the function."""

    def __init__(self):
        super().__init__()
        self.names = []

    def emit(self, record):
        said = record.getMessage()
        if said.startswith("Compiling "):
            self.names.append(said.split()[1])

    def __enter__(self):
        self.log = logging.getLogger("jax._src.interpreters.pxla")
        self.level, self.heard = self.log.level, self.log.propagate
        self.log.addHandler(self)
        self.log.setLevel(logging.DEBUG)
        self.log.propagate = False
        jax.clear_caches()
        return self

    def __exit__(self, *_):
        self.log.removeHandler(self)
        self.log.setLevel(self.level)
        self.log.propagate = self.heard


def small(kind=cr.Classifier, **options):
    return kind(**SMALL | options)


def leaves(estimator):
    return [np.asarray(a).tobytes() for a in jax.tree.leaves(estimator.run_.params)]


def designed(**options):
    """The design that the parameters ask for, untrained."""
    return small(cr.Regressor, **options)._design(NUMBERS, "y", "regression")


def refused(match, kind=cr.Classifier, x=X, y=CODES, **options):
    with pytest.raises(cr.ChainruleError, match=match):
        small(kind, **options).fit(x, y)


# scikit-learn's contract


@pytest.mark.parametrize("kind", [cr.Classifier, cr.Regressor])
def test_the_checks_of_scikit_learn_that_train_little(kind):
    own = {"check_classifiers_one_label", "check_classifiers_regression_target"} if kind is cr.Regressor else set()
    run = set()
    for estimator, check in estimator_checks_generator(small(kind)):
        name = getattr(check, "func", check).__name__
        if name in UNTRAINED | TRAINED:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(estimator)
            run.add(name)
    assert (UNTRAINED | TRAINED) - run == own


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "programs"), [(cr.Classifier, 16), (cr.Regressor, 13)])
def test_all_checks_of_scikit_learn(kind, programs):
    with Programs() as compiled:
        results = check_estimator(kind(), on_fail=None, on_skip=None, expected_failed_checks=DECLARED)
    status = {result["check_name"]: result["status"] for result in results}
    assert len(status) > 50
    assert {name for name, said in status.items() if said == "failed"} == set()
    assert {name for name, said in status.items() if said == "xfail"} <= set(DECLARED)
    assert compiled.names.count("jit(compiled)") <= programs


# They learn what cr.fit learns


def test_a_classifier_is_a_design_that_is_fitted():
    classifier = cr.Classifier(ensemble=2, max_epochs=20, random_state=3).fit(X, CODES)
    table = {f"x{j}": X[:, j] for j in range(3)} | {"y": CODES.astype(float)}
    run = cr.fit(cr.design(table, "y", ensemble=2, epochs=20, seed=3), table, progress=False)
    assert leaves(classifier) == [np.asarray(a).tobytes() for a in jax.tree.leaves(run.params)]
    np.testing.assert_array_equal(classifier.predict_proba(X), run.predict_proba(table))
    np.testing.assert_array_equal(classifier.predict(X), run.predict(table))
    assert classifier.run_.design.network == run.design.network


def test_a_regressor_answers_in_the_units_of_y():
    regressor = small(cr.Regressor, max_epochs=100, learning_rate=0.02).fit(X, VALUES)
    assert regressor.score(X, VALUES) > 0.9
    assert abs(regressor.predict(X).mean() - VALUES.mean()) < 10


def test_equal_numbers_give_equal_bytes_and_none_draws_one():
    assert leaves(small().fit(X, CODES)) == leaves(small().fit(X, CODES))
    assert leaves(small(random_state=1).fit(X, CODES)) != leaves(small().fit(X, CODES))
    state = np.random.RandomState(5)
    drawn = small(random_state=state).fit(X, CODES).run_.design.recipe.seed
    assert drawn == int(np.random.RandomState(5).randint(2**32, dtype=np.uint32))
    seeds = {small(random_state=None).fit(X, CODES).run_.design.recipe.seed for _ in range(2)}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.where(CODES, "yes ", "NA"), ["NA", "yes "]),
        (np.where(CODES, "10", "9").astype(object), ["10", "9"]),
        (CODES.astype(bool), [False, True]),
        (np.where(CODES, 10, 9), [9, 10]),
        (np.where(CODES, -7, 12), [-7, 12]),
        (np.where(CODES, 2.0, 1.0), [1.0, 2.0]),
    ],
    ids=["text", "objects", "booleans", "tens", "negative", "floats"],
)
def test_labels_come_back_as_they_were(labels, classes):
    classifier = small(max_epochs=60, learning_rate=0.02).fit(X, labels)
    assert classifier.classes_.tolist() == classes
    assert classifier.classes_.dtype == np.unique(labels).dtype
    said = classifier.predict(X)
    assert set(said) <= set(classes) and np.mean(said == labels) > 0.85
    by_column = np.array(classes)[classifier.predict_proba(X).argmax(axis=1)]
    np.testing.assert_array_equal(by_column, said)


def test_three_classes_keep_their_columns():
    x, y = load_iris(return_X_y=True)
    names = np.array(["virginica", "setosa", "versicolor"])[y]
    classifier = small(max_epochs=60).fit(x, names)
    p = classifier.predict_proba(x)
    assert p.shape == (150, 3) and np.allclose(p.sum(axis=1), 1)
    assert np.mean(classifier.predict(x) == names) > 0.9


# Weights of rows


def test_a_row_of_weight_0_counts_as_absent():
    weight = (np.arange(120) % 20 != 0).astype(float)
    wrong = np.where(weight > 0, CODES, 9)  # a class that no row of a weight has
    given = small().fit(X, wrong, sample_weight=weight)
    left = small().fit(X[weight > 0], CODES[weight > 0], sample_weight=weight[weight > 0])
    assert leaves(given) == leaves(left)
    assert given.classes_.tolist() == [0, 1]


def test_weights_move_the_answer():
    y = np.arange(120) % 2
    heavy = np.where(y == 1, 9.0, 1.0)
    options = {"max_epochs": 60, "learning_rate": 0.02}
    even = small(cr.Regressor, **options).fit(X, y)
    moved = small(cr.Regressor, **options).fit(X, y, sample_weight=heavy)
    assert abs(even.predict(X).mean() - 0.5) < 0.1
    assert abs(moved.predict(X).mean() - 0.9) < 0.1  # the weighted mean of y
    assert small(**options).fit(X, y, sample_weight=heavy).predict(X).mean() > 0.9


@pytest.mark.parametrize(
    ("weights", "match"),
    [(np.zeros(120), "zero in every row"), (np.ones(119), "119"), (-np.ones(120), "at least 0"), ([np.nan] * 120, "")],
)
def test_weights_that_cannot_be_used_are_refused(weights, match):
    with pytest.raises(cr.DataError, match=f"sample_weight.*{match}"):
        small().fit(X, CODES, sample_weight=weights)


# In pipelines and searches, with frames, in and out of pickles


def test_a_search_in_a_pipeline_finds_the_network_that_can_learn():
    bent = (np.abs(X[:, 0]) < 0.7).astype(int)
    pipeline = make_pipeline(StandardScaler(), cr.Classifier(cr.Chain(cr.Dense(2)), **SMALL | {"max_epochs": 80}))
    pipeline.set_params(classifier__hidden_layer_sizes="auto")
    grid = {"classifier__network": [cr.Chain(cr.Dense(2)), cr.Chain(cr.Dense(16), cr.relu, cr.Dense(2))]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, bent)
    assert search.best_params_["classifier__network"] == grid["classifier__network"][1]
    assert search.score(X, bent) > 0.8


def test_cross_validation_clones():
    regressor = small(cr.Regressor, max_epochs=80)
    scores = cross_val_score(regressor, X, VALUES, cv=3)
    assert scores.shape == (3,) and np.all(np.isfinite(scores))
    assert not hasattr(regressor, "run_")
    copy = clone(small(cr.Classifier, network=cr.Chain(cr.Dense(2)), activation=cr.LeakyRelu(0.2)))
    assert copy.network == cr.Chain(cr.Dense(2)) and copy.activation == cr.LeakyRelu(0.2)


def test_several_targets_are_several_regressors():
    both = np.stack([VALUES, -VALUES], axis=1)
    several = MultiOutputRegressor(small(cr.Regressor)).fit(X, both)
    assert several.predict(X).shape == (120, 2)


def frame(library):
    columns = {
        "area": [None if i == 3 else float(v) for i, v in enumerate(X[:, 0])],
        "color": ["red" if v > 0 else "blue" for v in X[:, 1]],
        "town": [f"town {i % 14}" for i in range(120)],
    }
    return library.DataFrame(columns)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_a_frame_may_hold_words_and_blanks(library):
    x = frame(library)
    y = (x["color"] == "red").to_numpy().astype(int)
    classifier = small(max_epochs=80).fit(x, y)
    assert classifier.feature_names_in_.tolist() == ["area", "color", "town"] and classifier.n_features_in_ == 3
    assert classifier.score(x, y) > 0.95
    with pytest.raises(ValueError, match="same order"):
        classifier.predict(x[["color", "area", "town"]])


def test_a_series_gives_the_target_its_name():
    x = frame(pd)
    named = small().fit(x, pd.Series(CODES, name="sold"))
    assert named.run_.design.encoder.target.name == "sold"
    twice = small().fit(x, pd.Series(CODES, name="area"))
    assert twice.run_.design.encoder.target.name == "area_"


def test_an_array_after_a_frame_is_read_by_place():
    x = pd.DataFrame(X, columns=["a", "b", "c"])
    classifier = small().fit(x, CODES)
    with pytest.warns(UserWarning, match="valid feature names"):
        said = classifier.predict_proba(X)
    np.testing.assert_array_equal(said, classifier.predict_proba(x))
    numbered = small().fit(pd.DataFrame(X), CODES)
    assert not hasattr(numbered, "feature_names_in_") and leaves(numbered) == leaves(small().fit(X, CODES))


def test_a_pickle_holds_no_rows_and_answers_alike():
    classifier = small().fit(X, CODES)
    file = io.BytesIO()
    joblib.dump(classifier, file)
    file.seek(0)
    loaded = joblib.load(file)
    assert classifier.run_.data is not None and loaded.run_.data is None and loaded.run_.left_out is None
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    table = {f"x{j}": X[:, j] for j in range(3)}
    np.testing.assert_array_equal(loaded.run_.predict_set(table), classifier.run_.predict_set(table))


def test_the_run_is_explained():
    assert cr.explain(small().fit(X, CODES).run_).verified


# Few rows


def test_a_row_is_answered_alike_alone_and_among_others():
    regressor = small(cr.Regressor).fit(X, VALUES)
    alone = np.concatenate([regressor.predict(row[None]) for row in X[:20]])
    np.testing.assert_array_equal(alone, regressor.predict(X[:20]))
    np.testing.assert_allclose(alone, regressor.predict(X)[:20], rtol=1e-5)


def test_a_surprise_names_the_rows_that_came():
    classifier = small().fit(X, CODES)
    few = X[:3].copy()
    few[2, 0] = np.nan
    with pytest.warns(cr.ChainruleWarning, match="'x0' is missing in row 3,") as said:
        classifier.predict(few)
    assert len(said) == 1


# Parameters


def test_parameters_reach_the_design():
    proposed = designed(hidden_layer_sizes="auto")
    said = {"alpha": 0.3, "batch_size": 16, "learning_rate": 0.02, "max_epochs": 7, "ensemble": 3, "time_budget": 9}
    design = designed(activation="tanh", **said)
    assert design.recipe.optimizer.weight_decay == 0.3
    assert (design.recipe.batch_size, design.recipe.epochs, design.recipe.ensemble) == (16, 7, 3)
    assert design.recipe.time_budget == 9
    assert design.recipe.optimizer.learning_rate.peak == 0.02
    assert design.recipe.optimizer.learning_rate.warmup == proposed.recipe.optimizer.learning_rate.warmup
    plain = designed(learning_rate=cr.cosine(0.5), batch_size="full", max_epochs=np.int64(3)).recipe
    assert plain.optimizer.learning_rate == cr.cosine(0.5) and plain.batch_size == "full" and plain.epochs == 3


def widths(net):
    """The outputs of every affine map, in the order in which they are printed."""
    if isinstance(net, cr.Dense):
        return [net.units]
    return [units for part in net.parts for units in widths(part)]


@pytest.mark.parametrize("sizes", [(), 5, (6, 4), [7, 3, 2]])
def test_hidden_layers_are_those_that_are_said(sizes):
    proposed = widths(designed(hidden_layer_sizes="auto").network)
    assert proposed.count(64) >= 1
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    assert widths(designed(hidden_layer_sizes=sizes).network) == [*listed, *(n for n in proposed if n != 64)]


def test_an_activation_stands_after_each_hidden_layer_with_the_start_that_suits_it():
    for activation, start in (("relu", True), ("gelu", True), ("tanh", False), (cr.sigmoid, False)):
        network = str(designed(activation=activation, hidden_layer_sizes=(8, 9)).network)
        for units in (8, 9):
            begun = ", init=he_normal" if start else ""
            assert f"Dense(units={units}{begun}), {getattr(activation, '__name__', activation)}," in network
    assert str(designed(activation="silu", hidden_layer_sizes="auto").network).count("silu") == 2


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": "64"}, "hidden_layer_sizes"),
        ({"activation": "logistic"}, 'mean "sigmoid"'),
        ({"activation": 3}, "activation=3"),
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"batch_size": "big"}, "batch_size='big'"),
        ({"batch_size": True}, "batch_size=True"),
        ({"learning_rate": -1.0}, "peak=-1.0"),
        ({"learning_rate": "adaptive"}, "learning_rate='adaptive'"),
        ({"max_epochs": 0}, "max_epochs=0"),
        ({"ensemble": 1.5}, "ensemble=1.5"),
        ({"time_budget": -1}, "time_budget=-1"),
        ({"random_state": -1}, "seed=-1"),
        ({"network": cr.Chain(cr.Dense(2))}, "Leave one of the two out"),
        ({"network": cr.Chain(cr.Dense(3)), "hidden_layer_sizes": "auto"}, "needs 2"),
        ({"network": cr.Dense, "hidden_layer_sizes": "auto"}, "is a class"),
    ],
)
def test_parameters_that_cannot_work_are_refused(options, match):
    refused(match, **options)


# Rows


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (X, ["a"] * 120, "one class, 'a'"),
        (X, [None, "a"] * 60, "missing in"),
        (X, ["a", 1] * 60, "mixes labels"),
        (X, np.array([2**60, 1] * 60), "Pass such labels as text"),
        (X[:9], CODES[:9], "9 rows"),
        (np.ones((120, 2)), CODES, "No column is left"),
        (pd.DataFrame({"a": [np.inf] * 120}), CODES, "infinity"),
        (X, None, "requires y to be passed, but the target y is None"),
    ],
)
def test_rows_that_teach_nothing_are_refused(x, y, match):
    refused(match, x=x, y=y)


def test_numbers_that_teach_nothing_are_refused():
    refused("nothing to learn", cr.Regressor, y=np.ones(120))
    with pytest.raises(ValueError, match="NaN"):
        small(cr.Regressor).fit(X, np.where(CODES, np.nan, 1.0))
    with pytest.raises(ValueError, match="continuous"):
        small().fit(X, VALUES)
    with pytest.raises(NotFittedError):
        small().predict(X)
