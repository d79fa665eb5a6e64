"""Metrics and Scores: values equal scikit-learn's, intervals cover, what is undefined is left out with its reason."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as theirs

from chainrule.errors import DataError, ShapeError
from chainrule.maths import estimates, metrics
from chainrule.maths.estimates import Estimate
from chainrule.maths.ranking import Ranking
from chainrule.train.scores import Scores
from equation_reader import solve


def predictions(rows, k, seed=0, digits=None):
    random = np.random.default_rng(seed)
    y = random.integers(0, k, rows)
    p = random.dirichlet(np.ones(k), rows) + 0.5 * np.eye(k)[y]
    p = p / p.sum(axis=1, keepdims=True)
    if digits is not None:  # ties
        p = np.round(p[:, 1:], digits)
        p = np.column_stack([1 - p.sum(axis=1), p])
    return y, p, random.uniform(0.1, 3, rows)


def expected_classification(y, p, w, names):
    k, said = p.shape[1], p.argmax(axis=1)
    precision, recall, f1, _ = theirs.precision_recall_fscore_support(
        y, said, labels=range(k), sample_weight=w, zero_division=np.nan
    )
    values = {"accuracy": theirs.accuracy_score(y, said, sample_weight=w)}
    for j, name in enumerate(names):
        values |= {f"precision[{name}]": precision[j], f"recall[{name}]": recall[j], f"f1[{name}]": f1[j]}
    score = p[:, 1] if k == 2 else p
    one_hot = y if k == 2 else np.eye(k)[y]
    return values | {
        "AUROC": theirs.roc_auc_score(y, score, multi_class="ovr", sample_weight=None if k > 2 else w),
        "AUPRC": theirs.average_precision_score(one_hot, score, sample_weight=w),
        "log_loss": theirs.log_loss(y, p, labels=range(k), sample_weight=w),
        "brier": theirs.brier_score_loss(y, score, labels=range(k), sample_weight=w),
        "ece": calibration_error(y, p, w),
    }


def calibration_error(y, p, w):
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for b in range(15):
        rows = (confidence >= b / 15) & ((confidence < (b + 1) / 15) | (b == 14))
        if rows.any():
            gap = np.average(confidence[rows], weights=w[rows]) - np.average(right[rows], weights=w[rows])
            total += w[rows].sum() / w.sum() * abs(gap)
    return total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("k", "digits"), [(2, None), (2, 1), (4, None)])
def test_classification_equals_scikit_learn(k, digits, weighted):
    y, p, w = predictions(300, k, digits=digits)
    names = [f"class {j}" for j in range(k)]
    got = metrics.classification(y, p, names, w if weighted else None)
    expected = expected_classification(y, p, w if weighted else np.ones(300), names)
    assert set(got) == set(expected) and not got.left_out
    for name, value in expected.items():
        if name == "AUROC" and k > 2 and weighted:  # scikit-learn takes no weights there: one column at a time
            value = np.mean([theirs.roc_auc_score(y == j, p[:, j], sample_weight=w) for j in range(k)])
        assert got[name].value == pytest.approx(value, rel=1e-12, abs=1e-12), name
        assert got[name].low <= got[name].value <= got[name].high


def test_what_is_undefined_is_left_out_with_its_reason():
    p = np.tile([0.9, 0.1], (5, 1))
    got = metrics.classification(np.zeros(5, int), p, ["benign", "malignant"])
    assert set(got.left_out) == {"precision[malignant]", "recall[malignant]", "f1[malignant]", "AUROC", "AUPRC"}
    assert got.left_out["precision[malignant]"] == "no row was predicted as malignant"
    assert got.left_out["AUROC"] == "no row belongs to malignant"
    assert all(math.isfinite(e.value) for e in got.values()) and got["accuracy"].value == 1.0
    got = metrics.classification(np.ones(5, int), p, ["benign", "malignant"])
    assert got["recall[malignant]"].value == got["f1[malignant]"].value == 0.0 == got["precision[benign]"].value
    assert got.left_out["AUROC"] == "no row belongs to benign"
    with pytest.raises(DataError, match="AUROC is left out: no row belongs to benign"):
        Scores(got)["AUROC"]


def test_one_row_has_values_and_no_bootstrap_interval():
    got = metrics.classification(np.array([1]), np.array([[0.2, 0.8]]), ["a", "b"])
    assert got["accuracy"].value == 1.0 and got["accuracy"].low < 0.3
    assert got["log_loss"] == Estimate(-math.log(0.8), None, None)
    with pytest.raises(DataError, match="no interval"):
        Scores(got).interval("log_loss")
    one = metrics.regression([1.0], [3.0])
    assert one["mse"].value == 4.0 and "constant" in one.left_out["r2"]
    assert "None" not in str(Scores(got)) and "nan" not in str(Scores(one))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_regression_equals_scikit_learn(k, weighted):
    random = np.random.default_rng(0)
    y, prediction = random.normal(size=(2, 200, k)) + 1e3
    w = random.uniform(0.1, 3, 200) if weighted else None
    shaped = (y[:, 0], prediction[:, 0]) if k == 1 else (y, prediction)
    got = metrics.regression(*shaped, weights=w)
    expected = {
        "mse": theirs.mean_squared_error(*shaped, sample_weight=w),
        "rmse": theirs.root_mean_squared_error(*shaped, sample_weight=w),
        "mae": theirs.mean_absolute_error(*shaped, sample_weight=w),
        "r2": theirs.r2_score(*shaped, sample_weight=w),
    }
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].value == pytest.approx(value, rel=1e-12), name
        assert got[name].low <= value <= got[name].high


def test_counts_and_constant_targets():
    random = np.random.default_rng(0)
    y, rate = random.poisson(3, 100), random.uniform(0.5, 6, 100)
    got = metrics.counts(y, rate)
    assert got["poisson_deviance"].value == pytest.approx(theirs.mean_poisson_deviance(y, rate), rel=1e-12)
    assert "not above 0" in metrics.counts(y, rate * 0).left_out["poisson_deviance"]
    with pytest.raises(DataError, match="at least 0"):
        metrics.counts(y - 10.0, rate)
    constant = metrics.regression(np.full(50, 0.1), rate[:50])
    assert "r2" not in constant and "constant" in constant.left_out["r2"]


def test_multilabel_equals_scikit_learn():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, (200, 3))
    p = np.clip(random.uniform(size=(200, 3)) * 0.6 + 0.4 * y, 0.01, 0.99)
    got, said = metrics.multilabel(y, p), (p > 0.5).astype(int)
    expected = {
        "accuracy": theirs.accuracy_score(y, said),
        "f1": theirs.f1_score(y, said, average="macro"),
        "AUROC": theirs.roc_auc_score(y, p),
        "AUPRC": theirs.average_precision_score(y, p),
        "log_loss": np.mean([theirs.log_loss(y[:, j], p[:, j]) for j in range(3)]),
        "brier": np.mean([theirs.brier_score_loss(y[:, j], p[:, j]) for j in range(3)]),
    }
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].value == pytest.approx(value, rel=1e-12), name
    y[:, 0] = 0
    assert set(metrics.multilabel(y, p).left_out) == {"AUROC", "AUPRC"}


def test_wilson_against_scipy_and_its_equation():
    for hits, trials in ((0, 5), (8, 10), (10, 10), (300, 1000)):
        e = estimates.wilson(hits, trials)
        interval = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
        assert (e.low, e.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
        stated = solve(estimates.wilson, hits=hits, trials=trials, u=estimates.NORMAL_95)
        assert (e.low, e.high) == pytest.approx((stated["low"], stated["high"]), abs=1e-12)


def test_bootstrap_is_always_the_same_and_as_wide_as_theory_says():
    random = np.random.default_rng(0)
    y = random.normal(size=400)
    first, second = metrics.regression(y, np.zeros(400)), metrics.regression(y, np.zeros(400))
    assert first == second
    mse = first["mse"]
    theory = 2 * 1.96 * np.std(y**2) / math.sqrt(400)
    assert mse.high - mse.low == pytest.approx(theory, rel=0.15)


def test_bootstrap_of_auroc_is_as_wide_as_hanley_and_mcneil_say():
    y, p, _ = predictions(400, 2)
    e = metrics.classification(y, p, ["a", "b"])["AUROC"]
    a, m, n = e.value, int(y.sum()), int((1 - y).sum())
    spread = a * (1 - a) + (m - 1) * (a / (2 - a) - a**2) + (n - 1) * (2 * a**2 / (1 + a) - a**2)
    assert e.high - e.low == pytest.approx(2 * 1.96 * math.sqrt(spread / (m * n)), rel=0.25)


def test_ranking_takes_many_weightings_at_once():
    y, p, _ = predictions(60, 2, digits=1)
    w = np.random.default_rng(1).integers(0, 3, (8, 60))
    auroc, auprc = Ranking(p[:, 1], y == 1).areas(w)
    for i in range(8):
        again = np.repeat(np.arange(60), w[i])
        assert auroc[i] == pytest.approx(theirs.roc_auc_score(y[again], p[again, 1]), rel=1e-12)
        assert auprc[i] == pytest.approx(theirs.average_precision_score(y[again], p[again, 1]), rel=1e-12)
    assert all(np.isnan(Ranking([0.1, 0.2], [True, True]).areas(np.ones(2))[0:1]))


def test_bad_input_is_refused():
    y, p, w = predictions(20, 2)
    cases = [
        (lambda: metrics.classification(y, p * np.nan, ["a", "b"]), DataError, "not finite in row 0"),
        (lambda: metrics.classification(y, p * 3, ["a", "b"]), DataError, "sum to 1"),
        (lambda: metrics.classification(y + 1, p, ["a", "b"]), DataError, "from 0 to 1"),
        (lambda: metrics.classification(y - 1, p, ["a", "b"]), DataError, "from 0 to 1"),
        (lambda: metrics.classification(y * 0.5, p, ["a", "b"]), DataError, "whole numbers"),
        (lambda: metrics.classification(y[:5], p, ["a", "b"]), ShapeError, "one code for each row"),
        (lambda: metrics.classification(y, p, ["a"]), ShapeError, "2 columns"),
        (lambda: metrics.classification(y[:0], p[:0], ["a", "b"]), ShapeError, "one or more rows"),
        (lambda: metrics.classification(y, p, ["a", "b"], -w), DataError, "weights"),
        (lambda: metrics.classification(y, p, ["a", "b"], w * 0), DataError, "weights"),
        (lambda: metrics.regression([1.0, 2.0], [[1.0], [2.0]]), ShapeError, "equal shapes"),
        (lambda: metrics.regression([1.0, math.inf], [1.0, 2.0]), DataError, "y is not finite in row 1"),
        (lambda: metrics.multilabel(p, p), DataError, "0 and 1"),
        (lambda: metrics.multilabel(np.ones((20, 2)), p * 9), DataError, "sigmoid"),
    ]
    for f, kind, match in cases:
        with pytest.raises(kind, match=match):
            f()


def test_scores_are_a_mapping_that_prints_and_survives_json():
    y, p, _ = predictions(80, 2)
    measured = metrics.classification(y, p, ["benign", "malignant"])
    scores = Scores(measured, baselines={"majority": {"accuracy": 0.5}, "logistic": {"AUROC": 0.75}})
    assert scores["accuracy"] == measured["accuracy"].value and list(scores) == list(measured)
    assert scores.interval("AUROC") == (measured["AUROC"].low, measured["AUROC"].high)
    again = Scores.from_data(json.loads(json.dumps(scores.to_data())))
    assert again == scores and hash(again) == hash(scores) and str(again) == str(scores)
    assert again != Scores(measured)
    lines = str(scores).splitlines()
    assert lines[0].split() == ["metric", "value", "95", "%", "interval", "majority", "logistic"]
    assert len({len(line) for line in lines}) == 1
    assert next(line for line in lines if line.startswith("accuracy")).split()[-2:] == ["0.500", "-"]
    with pytest.raises(DataError, match="did you mean 'accuracy'"):
        scores["acuracy"]
    with pytest.raises(DataError, match="the names are"):
        scores.interval("zzz")
    assert "zzz" not in scores


def test_a_long_table_says_what_it_does_not_show():
    scores = Scores({f"f1[{i}]": Estimate(0.5, 0.4, 0.6) for i in range(100)})
    assert len(scores) == 100 and str(scores).splitlines()[-1].startswith("and 60 more")
