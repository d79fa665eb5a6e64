"""Staying silent: the price of it in numbers, and on the command line."""

import csv
import io
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.maths.selective import mean_size, selective, share_right
from small_runs import NOISE, RNG, X, fitted


def test_the_surest_rows_are_answered_first():
    sure, wrong = RNG.uniform(size=200), RNG.integers(0, 2, 200).astype(float)
    for share, threshold, score, low, high in selective(sure, wrong, share_right):
        kept = sure >= threshold
        assert abs(kept.mean() - share) <= 1 / 200 and score == pytest.approx(1 - wrong[kept].mean())
        assert low <= score <= high
    half = selective(sure, 1 - sure, mean_size)[-1]
    assert half[2] == pytest.approx((1 - np.sort(sure)[100:]).mean())


def test_the_price_on_new_rows_is_that_of_the_rows_above_the_threshold():
    y = np.where(X[:, 0] + 0.7 * NOISE > 0, "yes", "no")
    run = fitted(2, y)
    table = run.abstention(X[160:], y[160:])
    sure, right = run.confidence(X[160:])["confidence"], run.predict(X[160:]) == y[160:]
    for threshold, score in zip(table["threshold"], table["score"], strict=True):
        assert right[sure >= threshold].mean() == pytest.approx(score)
    assert table["score"][-1] > table["score"][0]
    number = fitted(1, X[:, 0] + 0.1 * NOISE)
    away = np.abs(number.predict(X[160:]) - (X[:, 0] + 0.1 * NOISE)[160:])
    assert number.abstention(X[160:], (X[:, 0] + 0.1 * NOISE)[160:])["score"][0] == pytest.approx(away.mean())
    with pytest.raises(cr.DataError, match="80 rows and y has 3"):
        run.abstention(X[160:], y[:3])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of classes, one of numbers and one in the order of time, as files, with the table that they are of."""
    place = tmp_path_factory.mktemp("runs")
    columns = {
        "day": 3 * np.arange(240) % 241,
        "a": X[:, 0],
        "b": X[:, 1],
        "kind": np.where(X[:, 0] > 0.3 * NOISE, "up", "down"),
    }
    columns["size"] = 2 * X[:, 1] + NOISE
    with (place / "table.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        lines.writerows(zip(*columns.values(), strict=True))
    options = {"epochs": 6, "ensemble": 2}
    for name, target, more in (("kind", "kind", {}), ("size", "size", {}), ("later", "size", {"time": "day"})):
        design = cr.design(place / "table.csv", target, **options, **more)
        cr.fit(design, place / "table.csv", progress=False).save(place / f"{name}.safetensors")
    return place


def said(*arguments):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_predict_adds_the_set_of_classes(runs):
    rows = said(runs / "kind.safetensors", runs / "table.csv", "--coverage", "0.9")
    sets = cr.load(runs / "kind.safetensors").predict_set(runs / "table.csv", 0.9)
    told = [
        {"down": (True, False), "up": (False, True), "down | up": (True, True), "": (False, False)}[r["set"]]
        for r in rows
    ]
    assert np.array_equal(told, sets)


def test_predict_adds_the_bounds_of_a_number(runs):
    rows = said(runs / "size.safetensors", runs / "table.csv", "--coverage", "0.8")
    bounds = np.array([(float(r["lower"]), float(r["upper"])) for r in rows])
    expected = cr.load(runs / "size.safetensors").predict_interval(runs / "table.csv", 0.8)
    np.testing.assert_allclose(bounds.T, expected, rtol=1e-5, atol=1e-5)


def test_predict_is_silent_below_a_confidence(runs):
    rows = said(runs / "kind.safetensors", runs / "table.csv", "--abstain-below", "0.9")
    silent = [r["prediction"] == "" for r in rows]
    assert silent == [float(r["confidence"]) < 0.9 for r in rows] and 0 < sum(silent) < 240
    assert list(said(runs / "kind.safetensors", runs / "table.csv", "--confidence")[0])[-5:] == [
        "confidence", "entropy", "aleatoric", "epistemic", "ood",
    ]  # fmt: skip


def test_a_share_that_is_none_is_wrong_use(runs):
    result = CliRunner().invoke(
        app, ["predict", str(runs / "kind.safetensors"), str(runs / "table.csv"), "--coverage", "90"]
    )
    assert result.exit_code == 2 and "share between 0 and 1" in " ".join(result.output.split())


def test_rows_in_the_order_of_time_are_warned_about(runs):
    run = cr.load(runs / "later.safetensors")
    with pytest.warns(cr.ChainruleWarning, match="ordered by day"):
        run.predict_interval(runs / "table.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.load(runs / "size.safetensors").predict_interval(runs / "table.csv")
