"""Splits are deterministic, complete and never empty; time never runs backwards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.ahead import look_ahead
from chainrule.data.splits import duplicates_across, holdout
from chainrule.data.table import Table
from chainrule.data.times import time_of, times_of
from chainrule.errors import DataError

SHARED = Path(__file__).parents[2] / "shared" / "data"


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(2, 60),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**40),
    classes=st.integers(1, 6),
    how=st.sampled_from(["plain", "labels", "groups", "order"]),
)
def test_every_row_is_in_one_part(rows, fraction, seed, classes, how):
    values = np.random.default_rng(seed).integers(0, classes, rows)
    given_as = {} if how == "plain" else {how: values}
    try:
        train, test = holdout(rows, fraction, seed, **given_as)
    except DataError:
        counts = np.bincount(values)
        assert how != "plain" and (counts.max() == 1 or np.count_nonzero(counts) == 1)
        return
    assert len(train) and len(test)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(rows))
    again = holdout(rows, fraction, seed, **given_as)
    np.testing.assert_array_equal(test, again[1])
    if how == "plain":
        assert len(test) == min(max(round(rows * fraction), 1), rows - 1)
    if how == "labels":
        assert set(values[train]) == set(values), "every class is taught"
    if how == "groups":
        assert not set(values[train]) & set(values[test])
    if how == "order":
        assert values[train].max() < values[test].min()


def test_the_split_of_a_seed_is_fixed():
    assert holdout(10, 0.3, 0)[1].tolist() == holdout(10, 0.3, 0)[1].tolist()
    assert len({tuple(holdout(100, 0.3, seed)[1]) for seed in range(20)}) == 20


def test_classes_are_held_out_in_proportion():
    labels = np.repeat([0, 1, 2], [80, 40, 1])
    _, test = holdout(121, 0.25, 7, labels=labels)
    assert np.bincount(labels[test], minlength=3).tolist() == [20, 10, 0]
    assert len(holdout(150, 0.2, 0, labels=np.repeat(["a", "b", "c"], 50))[1]) == 30


def test_held_out_rows_are_drawn_evenly():
    counts = sum(np.bincount(holdout(10, 0.5, seed, labels=[0] * 5 + [1] * 5)[1], minlength=10) for seed in range(400))
    assert np.all(np.abs(counts - 200) < 5 * np.sqrt(400 / 4))


def test_the_last_part_in_time_is_held_out():
    days = ["2024-01-03", "2024-01-01", "2024-01-02", "2024-01-04"]
    train, test = holdout(4, 0.25, 0, order=np.array(days, object))
    assert test.tolist() == [3] and train.tolist() == [0, 1, 2]
    assert holdout(6, 0.5, 0, order=[1, 1, 1, 1, 2, 3])[1].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0.0, 0), "fraction"),
        ((10, 1.0, 0), "fraction"),
        ((10, -0.1, 0), "fraction"),
        ((10, float("nan"), 0), "fraction"),
        ((10, "0.2", 0), "fraction"),
        ((1, 0.5, 0), "cannot be split"),
        ((10, 0.5, -1), "seed"),
        ((10, 0.5, 1.5), "seed"),
        ((3, 0.5, 0, [0, 1]), "labels has 2"),
        ((3, 0.5, 0, [0, 1, 2]), "none can be held out"),
        ((3, 0.5, 0, None, [1, 1, 1]), "one group"),
        ((3, 0.5, 0, None, None, [1, 1, 1]), "same time"),
        ((3, 0.5, 0, None, None, np.array(["x", "y", "z"], object)), "row 1 holds 'x'"),
    ],
)
def test_splits_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        holdout(*arguments)


def test_duplicates_across():
    table = Table.of({"a": [1, 2, 1, None, None], "b": ["x", "y", "x", "z", "z"]})
    assert duplicates_across(table, [0, 3], [1, 2, 4]) == 2
    assert duplicates_across(np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0]]), [0], [1, 2]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-31",
        "2024/03/31",
        "2024-3-31",
        "31.03.2024",
        "31 March 2024",
        "31-Mar-2024",
        "Mar 31, 2024",
        "2024-03-31 00:00",
        "2024-03-31T00:00:00Z",
        "2024-03-31T02:00:00+02:00",
        "2024-03-31 00:00:00.000",
        "03/31/2024",
    ],
)
def test_ways_to_write_a_date(text):
    assert times_of("t", np.array([text], object))[0] == np.datetime64("2024-03-31", "s").astype(float)


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-13-01", "2024-02-30", "31/31/2024", "2024-01-01 25:61", "1.5", "12"]
)
def test_texts_that_are_no_date(text):
    assert time_of(text) is None


def test_days_and_months_that_cannot_be_told_apart():
    assert times_of("t", np.array(["31/03/2024", "01/04/2024"], object))[1] == time_of("2024-04-01")
    assert times_of("t", np.array(["03/31/2024", "01/04/2024"], object))[1] == time_of("2024-01-04")
    for texts, message in ((["01/04/2024"], "day or the month"), (["31/03/2024", "03/31/2024"], "mixes")):
        with pytest.raises(DataError, match=message):
            times_of("t", np.array(texts, object))


def test_look_ahead():
    table = Table.of({"day": [3, 1, 2, 4], "rain": ["c", "a", "b", "d"]})
    found = look_ahead(table, "rain", "day", 2)
    assert found.names == ("day", "rain", "rain +2")
    assert found["rain"].tolist() == ["a", "b"] and found["rain +2"].tolist() == ["c", "d"]


@pytest.mark.parametrize(
    ("data", "target", "time", "steps", "message"),
    [
        ({"t": [1, 2], "y": [1, 2]}, "y", "t", 0, "at least 1"),
        ({"t": [1, 2], "y": [1, 2]}, "y", "t", 2, "leaves none"),
        ({"t": [1, 2], "y": [1, 2]}, "y", None, 1, "--time"),
        ({"t": [1, 2], "y": [1, 2]}, "z", "t", 1, "no column 'z'"),
        ({"t": [1, 1], "y": [1, 2]}, "y", "t", 1, "more than once"),
        ({"t": [1, None], "y": [1, 2]}, "y", "t", 1, "row 2 has no time"),
        ({"t": [1, 2], "y": [1, 2], "y +1": [1, 2]}, "y", "t", 1, "already"),
    ],
)
def test_look_ahead_refused(data, target, time, steps, message):
    with pytest.raises(DataError, match=message):
        look_ahead(Table.of(data), target, time, steps)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not beside the project")
def test_rain_tomorrow():
    table = Table.of(SHARED / "series" / "seattle-weather.csv")
    found = look_ahead(table.take(np.random.default_rng(0).permutation(table.rows)), "weather", "date", 1)
    assert found.rows == 1460 and found["weather +1"].tolist() == table["weather"][1:].tolist()
    train, test = holdout(found.rows, 0.2, 0, order=found["date"])
    assert found["date"][train].max() < found["date"][test].min() and len(test) == 292
