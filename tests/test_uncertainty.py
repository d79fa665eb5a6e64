"""A run's intervals, sets and confidence: in memory, after a file, and where there can be none."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.maths.calibration import temperature
from small_runs import NOISE, RNG, X, fitted


@pytest.mark.parametrize("options", [{}, {"ensemble": 4, "validation": "cross"}])
def test_intervals_hold_new_rows_and_survive_a_file(options, tmp_path):
    y = 3 * X[:, 0] + 0.5 * NOISE
    run = fitted(1, y, **options)
    low, high = run.predict_interval(X[160:])
    assert low.shape == (80,) and 0.8 <= np.mean((low <= y[160:]) & (y[160:] <= high)) <= 1
    run.save(tmp_path / "run")
    again = cr.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_interval(X[160:]), (low, high))
    assert str(again.confidence(X[:2])) == str(run.confidence(X[:2]))


@pytest.mark.parametrize("options", [{}, {"ensemble": 4, "validation": "cross"}])
def test_sets_hold_the_true_class_and_entropy_splits(options):
    y = (X[:, 0] + 0.5 * NOISE > 0).astype(int)
    run = fitted(2, y, **options)
    sets = run.predict_set(X[160:])
    assert sets.shape == (80, 2) and 0.8 <= np.mean(sets[np.arange(80), y[160:]]) <= 1
    table = run.confidence(X[160:])
    np.testing.assert_allclose(table["entropy"], table["aleatoric"] + table["epistemic"], atol=1e-9)
    assert run.confidence(X[160:] + 100)["ood"].min() == 1


def test_without_rows_left_out_there_is_no_confidence():
    run = fitted(1, X[:, 0], validation=None)
    with pytest.raises(cr.DataError, match="left out no rows"):
        run.predict_interval(X)
    with pytest.raises(cr.DataError, match=r"share between 0 and 1"):
        run.predict_interval(X, coverage=90)


def test_the_temperature_counts_rows_by_their_weights():
    """Labels are drawn at random, and the weights say that class 1 is nine times as likely."""
    y = RNG.integers(0, 2, 240)
    net = cr.Chain(cr.Dense(2))
    options = {"epochs": 40, "progress": False, "ensemble": 4, "validation": "cross", "optimizer": cr.adam(0.03)}
    run = cr.fit(net, X, y, sample_weight=np.where(y == 1, 9.0, 1.0), **options)
    assert run.confidence(X)["confidence"].mean() > 0.85
    even = np.log([0.5, 0.5]) * np.ones((8, 1))
    sure, codes = even + [0.0, 2.0], np.array([1, 1, 1, 1, 0, 0, 0, 0])
    repeated = temperature(np.repeat(sure, [3] * 4 + [1] * 4, axis=0), np.repeat(codes, [3] * 4 + [1] * 4))
    assert temperature(sure, codes, np.array([3.0] * 4 + [1.0] * 4)) == pytest.approx(repeated)
