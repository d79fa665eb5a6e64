"""Dates become a trend, the season, the weekday and the clock, by the calendar and by what is printed."""

import json
import math
import re
import warnings
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import spec
from chainrule.data.category_column import CategoryColumn
from chainrule.data.date_column import WEEKDAYS, DateColumn
from chainrule.data.encoders import Encoder
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.data.targets import NumberTarget
from chainrule.errors import ChainruleWarning, DataError
from chainrule.train.explained import preface

EPOCH = datetime(1970, 1, 1)
times = st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31)).map(lambda t: t.replace(microsecond=0))


def column(*texts):
    return np.array(texts, object)


def of(*moments):
    return column(*(moment if moment is None else moment.isoformat(" ") for moment in moments))


@settings(max_examples=200, deadline=None)
@given(train=st.lists(times, min_size=2, max_size=12), asked=times)
def test_features_are_those_of_the_calendar(train, asked):
    fitted = DateColumn("t").fit(of(*train))
    row = dict(zip(fitted.labels, fitted.encode(of(asked))[0].tolist(), strict=True))
    years = np.array([(t - EPOCH).total_seconds() / (365.2425 * 86400) for t in train])
    trend = NumberColumn("t").fit(years)
    now = np.array([(asked - EPOCH).total_seconds() / (365.2425 * 86400)])
    assert row["t"] == pytest.approx(trend.encode(now)[0, 0], abs=1e-5)
    midnight = asked.replace(hour=0, minute=0, second=0)
    day, hour = (midnight - asked.replace(month=1, day=1, hour=0, minute=0, second=0)).days, asked - midnight
    for circle, turns in (("year", day / 365.2425), ("day", hour.total_seconds() / 86400)):
        for wave in ("sin", "cos"):
            if f"t {wave}({circle})" in row:
                expected = getattr(math, wave)(2 * math.pi * turns)
                assert row[f"t {wave}({circle})"] == pytest.approx(expected, abs=1e-6)
    for name in fitted.weekdays:
        assert row[f"t on {name}"] == float(asked.strftime("%A") == name)
    assert ("t sin(year)" in row) == (len({t.timetuple().tm_yday for t in train}) > 1)
    assert ("t cos(day)" in row) == (len({t.time() for t in train}) > 1)
    seen = {t.strftime("%A") for t in train}
    varied = len(seen) > 1 and len({t.day for t in train}) > 1
    assert set(fitted.weekdays) == (seen if varied else set())


def test_only_what_varies_goes_in():
    yearly = DateColumn("t").fit(column("2019-01-01", "2020-01-01", "2021-01-01"))
    assert yearly.labels == ("t",), "always New Year: no season, and weekdays only tell the years apart"
    monthly = DateColumn("t").fit(column("2020-01", "2020-02", "2020-03"))
    assert monthly.labels == ("t", "t sin(year)", "t cos(year)")
    weekly = DateColumn("t").fit(column("2020-01-06", "2020-01-13", "2020-01-20"))
    assert weekly.weekdays == () and weekly.season
    hours = DateColumn("t").fit(column("2020-01-06 10:00", "2020-01-06 11:00", "2020-01-06 12:30"))
    assert hours.labels == ("t", "t sin(day)", "t cos(day)")
    assert hours.explain().startswith("u = (t − 2020-01-06 11:00:00)/(1.25 hours),  x̃ = u")
    assert hours.encode(column("2020-01-06 12:00")).round(6).tolist()[0][1:] == [0.0, -1.0]


def test_the_circle_closes_at_midnight_and_new_year():
    fitted = DateColumn("t").fit(column("2020-01-01 00:00", "2020-07-01 12:00", "2021-12-31 18:00"))
    late, early = fitted.encode(column("2021-12-31 23:59:59", "2022-01-01 00:00:00"))
    circles = [i for i, label in enumerate(fitted.labels) if "(year)" in label or "(day)" in label]
    assert len(circles) == 4
    np.testing.assert_allclose(late[circles], early[circles], atol=0.03)


def test_missing_dates():
    fitted = DateColumn("t").fit(column("2020-01-01", None, "2021-03-05", "2021-04-09"))
    assert fitted.labels[-1] == "t missing"
    blank, there = fitted.encode(column(None, "2021-03-05"))
    assert blank.tolist() == [0.0] * (len(fitted.labels) - 1) + [1.0] and there[-1] == 0.0
    assert fitted.surprise(column(None, "2021-03-05")) is None
    always = DateColumn("t").fit(column("2020-01-01", "2021-03-05"))
    assert always.labels[-1] != "t missing" and not always.encode(column(None)).any()
    assert "missing in row 2, and never was in training" in (always.surprise(column("2020-01-01", None)) or "")
    np.testing.assert_array_equal(fitted.encode(np.full(2, np.nan)), [blank, blank], "a column of blanks is of numbers")
    empty = DateColumn("t").fit(column(None, None))
    assert empty.labels == ("t", "t missing") and empty.encode(column(None, "2020-01-01"))[:, 1].tolist() == [1, 0]


def test_a_weekday_that_training_never_saw_is_told():
    fitted = DateColumn("t").fit(column("2024-01-01", "2024-01-02", "2024-01-03"))
    assert fitted.weekdays == ("Monday", "Tuesday", "Wednesday")
    assert "never saw a Saturday or a Sunday" in (fitted.surprise(column("2024-01-06", "2024-01-07")) or "")
    assert fitted.surprise(column("2024-01-08")) is None


def test_how_the_day_comes_first_is_learned():
    fitted = DateColumn("t").fit(column("31/03/2020", "02/04/2020"))
    assert fitted.day_first
    np.testing.assert_array_equal(fitted.encode(column("02/04/2020")), fitted.encode(column("2020-04-02")))
    american = DateColumn("t").fit(column("03/31/2020", "02/04/2020"))
    np.testing.assert_array_equal(american.encode(column("02/04/2020")), american.encode(column("2020-02-04")))
    with pytest.raises(DataError, match="nothing says whether"):
        DateColumn("t").fit(column("03/04/2020", "05/06/2020"))


def test_datetime64_and_text_agree():
    moments = np.array(["2020-01-01T10:30", "NaT", "2021-03-05T23:59:30.5"], "M8[ms]")
    texts = column("2020-01-01 10:30", None, "2021-03-05 23:59:30.5")
    assert DateColumn("t").fit(moments) == DateColumn("t").fit(texts)
    np.testing.assert_array_equal(DateColumn("t").fit(texts).encode(moments), DateColumn("t").fit(texts).encode(texts))


def test_what_is_refused():
    with pytest.raises(DataError, match="'soon' in row 2, and dates such as"):
        DateColumn("t").fit(column("2020-01-01", "soon"))
    with pytest.raises(DataError, match=r"holds numbers \(row 2: 2020.0\), and dates"):
        DateColumn("t").fit(np.array([np.nan, 2020.0]))
    with pytest.raises(DataError, match="call fit"):
        DateColumn("t").encode(column("2020-01-01"))
    with pytest.raises(DataError, match="'Caturday'; Monday, Tuesday"):
        DateColumn("t", weekdays=("Caturday",))


def test_json_and_back():
    fitted = DateColumn("t").fit(column("2020-01-01 10:00", None, "31 Mar 2021 12:00"))
    again = spec.from_data(json.loads(json.dumps(spec.to_data(fitted))))
    assert again == fitted and eval(repr(fitted)) == fitted


TABLE = {
    "sold": [(datetime(2019, 1, 1) + timedelta(days=11 * i, hours=5 * i % 24)).isoformat() for i in range(60)],
    "area": [float(i % 7) if i % 9 else None for i in range(60)],
    "kind": [("a", "b", None)[i % 3] for i in range(60)],
    "price": [float(i % 11) for i in range(60)],
}


def test_the_printed_equations_give_the_features():
    encoder = Encoder((NumberColumn("area"), CategoryColumn("kind"), DateColumn("sold")), NumberTarget("price"))
    encoder = encoder.fit(TABLE)
    design = cr.Design(cr.Chain(cr.Dense(1)), cr.mean_squared_error, cr.Recipe(), encoder)
    said = [line for line in preface(design) if "sold" in line]
    assert len(said) == 1
    for place, label in enumerate(encoder.labels):
        name = "x̃" + str(place).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
        assert "".join(preface(design)).count(f"{name} = ") == 1, label
    rows = Table.of(TABLE)
    found = DateColumn("sold").fit(rows["sold"]).encode(rows["sold"])
    for i in range(0, 60, 7):
        np.testing.assert_allclose(printed(said[0], datetime.fromisoformat(TABLE["sold"][i])), found[i], atol=2e-3)


def printed(line, moment):
    """The features that a printed line gives for a moment, in order."""
    center, scale, unit = re.search(r"u = \(sold − ([\d-]+)\)/\(([\d.]+) (\w+)\)", line).groups()
    length = {"years": 365.2425 * 86400, "days": 86400}[unit] * float(scale)
    u = (moment - datetime.fromisoformat(center)).total_seconds() / length
    known = {"u": u, "d": moment.timetuple().tm_yday - 1, "h": moment.hour + moment.minute / 60}
    features = []
    for right in re.findall(r"x̃[₀-₉]+ = ([^,;]+)", line):
        if day := re.match(r"1 where sold is a (\w+)", right):
            features.append(float(WEEKDAYS[moment.weekday()] == day[1]))
        else:
            text = right.replace("u/√(1 + (u/3)²)", "u/(1+(u/3)**2)**0.5").replace("2π·", "2*pi*")
            features.append(eval(text, {"sin": math.sin, "cos": math.cos, "pi": math.pi}, known))
    return features


def test_a_design_with_dates_trains_and_survives_a_file(tmp_path):
    design = cr.design(TABLE, "price", epochs=3)
    dates = [c for c in design.encoder.columns if isinstance(c, DateColumn)]
    assert [c.name for c in dates] == ["sold"] and any("sold by the calendar" in str(r) for r in design.reasons)
    run = cr.fit(design, TABLE, progress=False)
    run.save(tmp_path / "run.safetensors")
    loaded = cr.load(tmp_path / "run.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainruleWarning)
        np.testing.assert_array_equal(loaded.predict(TABLE), run.predict(TABLE))
    with pytest.raises(DataError, match="column 'sold' holds numbers"):
        run.predict(TABLE | {"sold": np.arange(60.0)})


def test_a_season_is_learned():
    rng = np.random.default_rng(0)
    day = rng.integers(0, 4 * 365, 400)
    sold = [(datetime(2018, 1, 1) + timedelta(days=int(d))).date() for d in day]
    warm = np.cos(2 * np.pi * (day % 365) / 365) + rng.normal(0, 0.1, 400)
    table = {"sold": sold, "warm": warm}
    design = cr.design(table, "warm", test=0.25, ensemble=1)
    run = cr.fit(design, table, progress=False)
    assert run.scores["r2"] > 0.9
