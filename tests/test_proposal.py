"""cr.design: the choices, their reasons, what is refused and what is warned about."""

import gzip
import json
import math
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

from chainrule.cli.fit import saved
from chainrule.data.date_column import DateColumn
from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning, DataError, DesignError
from chainrule.layers.piecewise_linear import PiecewiseLinear
from chainrule.layers.summary import summary
from chainrule.proposal.baselines import baselines
from chainrule.proposal.leaks import decides
from chainrule.proposal.propose import design
from chainrule.proposal.schedule import batch_size_of, epochs_of, validation_of
from chainrule.proposal.target import aim_of, task_of
from chainrule.train.design import Design

SHARED = Path(__file__).parents[2] / "shared" / "data"
EMBEDDED = ("iris", "breast_cancer", "diabetes", "wine", "digits")
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared real data sets are not beside this checkout")


def draw(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def houses(rows=120, **columns):
    """A small table with a number target."""
    rng = draw()
    area = rng.normal(100, 30, rows)
    table = {"area": area, "age": rng.uniform(0, 80, rows), "price": 3 * area + rng.normal(0, 20, rows) + 0.5}
    return table | columns


def flowers(rows=120, **columns):
    """A small table with a class target."""
    rng = draw(1)
    kind = rng.integers(0, 3, rows)
    table = {"length": kind + rng.normal(0, 1, rows), "width": rng.normal(0, 1, rows)}
    return table | {"kind": np.array(["lily", "rose", "tulip"])[kind]} | columns


def words(text):
    return " ".join(str(text).split())


def encoded(proposed, data):
    """The encoder fitted on the table, and what the network reads of it."""
    table = Table.of(data)
    encoder = proposed.encoder.fit(table)
    return encoder, encoder.encode(table)


def first_loss(proposed, data):
    """The mean loss of fresh parameters on the whole table."""
    table = Table.of(data)
    encoder, x = encoded(proposed, table)
    y = encoder.target.encode(table[encoder.target.name])
    p = proposed.network.init(jax.random.key(0), x)
    return float(np.mean(proposed.loss(proposed.network(p, x), y)))


def expect_one_line_each(proposed):
    lines = str(proposed).splitlines()
    for reason in proposed.reasons:
        assert reason.choice and reason.because
        assert f"- {reason}" in lines and len(str(reason)) <= 100


class TestTask:
    @pytest.mark.parametrize(
        ("values", "task"),
        [
            (np.array(["a", "b"] * 20, object), "classification"),
            (np.arange(40) % 10, "regression"),  # four rows for each value
            (np.arange(400) % 10, "classification"),
            (np.arange(400) % 15 + 1, "classification"),
            (np.arange(1000) % 11 * 10, "regression"),  # 0, 10, …, 100: a scale, not codes
            (np.where(np.arange(100) % 2, 1, -1), "classification"),
            (np.arange(400) / 7, "regression"),
            (np.arange(100) + 25, "regression"),
            (draw().poisson(np.exp(draw(1).normal(1.5, 1.0, 500))), "counts"),
            (draw().poisson(1000, 500), "regression"),
        ],
    )
    def test_is_read_from_the_values(self, values, task):
        values = values if values.dtype == object else values.astype(float)
        assert task_of(values)[0] == task

    def test_may_be_told(self):
        grades = (np.arange(200) % 5).astype(float)
        aim = aim_of("grade", grades, "regression")
        assert aim.task == "regression" and aim.outputs == 1
        assert "you said so" in str(aim.reasons[0])
        assert aim_of("grade", grades, "classification").outputs == 5

    def test_that_is_unknown_or_impossible_is_refused(self):
        with pytest.raises(DesignError, match='"classification"'):
            design(houses(), "price", task="clustering")
        with pytest.raises(DesignError, match="holds text"):
            design(flowers(), "kind", task="regression")
        with pytest.raises(DesignError, match="whole numbers of at least 0"):
            design(houses(), "price", task="counts")
        with pytest.raises(DesignError, match="no class is seen often enough"):
            design(houses(), "price", task="classification")

    def test_heavy_tails_take_hubers_loss(self):
        assert str(aim_of("y", draw().normal(size=500)).loss) == "mean_squared_error"
        heavy = aim_of("y", draw().standard_t(2, size=500))
        assert str(heavy.loss).startswith("huber") and "kurtosis" in str(heavy.reasons[-1])


class TestColumns:
    def test_numbers_few_and_many_categories(self):
        rng, rows = draw(2), 600
        makes = np.array([f"make{i}" for i in range(30)])[rng.integers(0, 30, rows)]
        data = houses(rows, color=np.array(["red", "blue"])[rng.integers(0, 2, rows)], make=makes)
        proposed = design(data, "price")
        forms = {c.name: getattr(c, "method", "number") for c in proposed.encoder.columns}
        assert forms == {"area": "number", "age": "number", "color": "one_hot", "make": "embedding"}
        assert "Embedding(size=31, dim=11)" in repr(proposed.network)
        assert "color as 0/1 columns: 2 categories" in words(proposed)
        assert "make embedded: 31 codes learned in 11 dimensions" in words(proposed)
        _, x = encoded(proposed, data)
        assert set(x) == {"numbers", "make"}
        assert math.isfinite(first_loss(proposed, data))

    def test_only_the_values_of_numbers_are_cut_into_bins(self):
        rng, rows = draw(5), 240
        blank = np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows))
        data = houses(rows, color=np.array(["red", "blue"])[rng.integers(0, 2, rows)], depth=blank)
        data = {name: data[name] for name in ("color", "depth", "area", "age", "price")}
        proposed = design(data, "price")
        encoder, x = encoded(proposed, data)
        assert encoder.labels == ("depth", "area", "age", "color = red", "color = blue", "depth missing")
        bins = proposed.network.layers[0].branches[0].layers[0]
        assert isinstance(bins, PiecewiseLinear) and bins.features == 3
        p = bins.prepare(bins.init(jax.random.key(0), x), x)
        assert bool((p["slope"] > 0).all()), "every number fills its bins"
        np.testing.assert_array_equal(bins(p, x)[:, 3 * bins.bins :], x[:, 3:])
        np.testing.assert_array_equal(x[:, encoder.labels.index("depth missing")], np.isnan(blank))

    def test_too_many_numbers_stay_as_they_are(self):
        wide = {f"x{i}": draw(i).normal(size=60) for i in range(140)}
        assert "PiecewiseLinear" not in repr(design(houses(60, **wide), "price").network)

    def test_a_linear_model_is_beside_the_deep_one(self):
        proposed = design(houses(), "price")
        _, x = encoded(proposed, houses())
        (deep, linear), rest = proposed.network.init(jax.random.key(0), x)
        deep[-1]["W"] *= 0
        z = proposed.network(((deep, linear), rest), x)
        np.testing.assert_allclose(z, x @ linear["W"], rtol=1e-5, atol=1e-6)

    def test_only_embedded_columns(self):
        makes = np.array([f"make{i}" for i in range(30)])
        data = {"make": np.tile(makes, 20), "price": np.tile(np.arange(30.0), 20) + draw().normal(size=600)}
        assert math.isfinite(first_loss(design(data, "price"), data))

    def test_categories_that_training_never_saw_fit_the_embedding(self):
        makes = np.tile(np.array([f"make{i}" for i in range(30)]), 20)
        data = houses(600, make=makes)
        proposed = design(data, "price")
        part = Table.of(data).take(np.arange(20))
        encoder = proposed.encoder.fit(part)
        with pytest.warns(ChainruleWarning, match="make"):
            x = encoder.encode(Table.of(data))
        p = proposed.network.init(jax.random.key(0), x)
        assert np.isfinite(np.asarray(proposed.network(p, x))).all()

    def test_useless_columns_are_left_out_with_one_warning(self):
        data = houses(row_id=np.arange(120.0), country=["US"] * 120, notes=[None] * 120)
        with pytest.warns(ChainruleWarning, match="Left out") as caught:
            proposed = design(data, "price")
        assert len(caught) == 1
        assert [c.name for c in proposed.encoder.columns] == ["area", "age"]
        assert all(name in words(proposed) for name in ("row_id", "country", "notes"))

    def test_an_identifier_goes_in_when_it_is_asked_for(self):
        data = houses(row_id=np.arange(120.0))
        proposed = design(data, "price", features=["area", "row_id"])
        assert [c.name for c in proposed.encoder.columns] == ["area", "row_id"]

    def test_free_text_is_refused_with_what_to_type(self):
        remarks = [f"a quiet house number {i} with a garden and {i % 7} trees" for i in range(120)]
        data = houses(remark=remarks, other=remarks[::-1])
        with pytest.raises(DesignError, match="--drop age,remark,other"):
            design(data, "price", drop=["age"])
        assert [c.name for c in design(data, "price", drop=["age", "remark", "other"]).encoder.columns] == ["area"]

    def test_dates_go_in_by_the_calendar_unless_they_order_the_rows(self):
        days = [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(120)]
        proposed = design(houses(date_of_sale=days, seen=[None, *days[1:]]), "price")
        assert [c for c in proposed.encoder.columns if isinstance(c, DateColumn)] == [
            DateColumn("date_of_sale"),
            DateColumn("seen"),
        ]
        assert "1 more by the calendar: trend, season, weekday, clock" in words(proposed)
        assert "0/1 columns mark blanks in seen" in words(proposed)
        expect_one_line_each(proposed)
        x = encoded(proposed, houses(date_of_sale=days, seen=[None, *days[1:]]))[1]
        p = proposed.network.init(jax.random.key(0), x)
        assert np.isfinite(np.asarray(proposed.network(p, x))).all()
        ordered = design(houses(date_of_sale=days), "price", time="date_of_sale")
        assert [c.name for c in ordered.encoder.columns] == ["area", "age"]

    def test_groups_are_no_feature_and_are_said(self):
        data = houses(owner=[f"owner {i % 9}" for i in range(120)])
        proposed = design(data, "price", group="owner", test=0.2)
        assert [c.name for c in proposed.encoder.columns] == ["area", "age"]
        assert proposed.recipe.split.group == "owner" and "no owner in two parts" in words(proposed)
        expect_one_line_each(proposed)
        assert "owner" in [c.name for c in design(data, "price").encoder.columns]
        with pytest.raises(DesignError, match="time='age' holds out the last rows, and group='owner'"):
            design(data, "price", group="owner", time="age")
        with pytest.raises(DesignError, match="Did you mean 'owner'"):
            design(data, "price", group="owners")
        with pytest.raises(DesignError, match="is the target"):
            design(data, "price", group="price")
        data["owner"][4] = data["owner"][7] = None
        with pytest.raises(DataError, match="group column 'owner' is missing in rows 5, 8"):
            design(data, "price", group="owner")

    def test_names_that_are_wrong(self):
        with pytest.raises(DesignError, match="Did you mean 'price'"):
            design(houses(), "prize")
        with pytest.raises(DesignError, match="Did you mean 'area'"):
            design(houses(), "price", drop=["aera"])
        with pytest.raises(DesignError, match="no column 'when'"):
            design(houses(), "price", time="when")
        with pytest.raises(DesignError, match="among the features"):
            design(houses(), "price", features=["area", "price"])
        with pytest.raises(DesignError, match="target=COLUMN"):
            design(houses())
        with pytest.raises(DataError, match="No column is left"):
            design(houses(), "price", drop=["area", "age"])


class TestRefusals:
    def test_targets_that_cannot_be_learned(self):
        with pytest.raises(DataError, match="in all 120 rows"):
            design(houses(price=np.ones(120)), "price")
        with pytest.raises(DataError, match="in all 120 rows"):
            design(flowers(kind=["rose"] * 120), "kind")

    def test_few_rows(self):
        with pytest.raises(DataError, match="at least 10"):
            design(houses(9), "price")
        with pytest.warns(ChainruleWarning, match="40 rows are few"):
            design(houses(40), "price")

    def test_a_class_with_one_member_is_named(self):
        data = flowers()
        data["kind"] = np.append(data["kind"][:-1], "orchid")
        with pytest.warns(ChainruleWarning, match="orchid"):
            design(data, "kind")

    @pytest.mark.parametrize("leak", ["copy", "scaled", "reversed"])
    def test_a_number_that_gives_the_target_away(self, leak):
        data = houses()
        data["leak"] = {
            "copy": data["price"],
            "scaled": data["price"] * 1.2 - 7,
            "reversed": np.exp(-data["price"] / 100),
        }[leak]
        with pytest.warns(ChainruleWarning, match="'leak' alone decides 'price'"):
            design(data, "price")

    def test_a_code_that_gives_the_class_away(self):
        data = flowers()
        data["code"] = np.char.add(
            "k", np.char.str_len(data["kind"].astype(str)).astype(str) + data["kind"].astype("U1")
        )
        with pytest.warns(ChainruleWarning, match="--drop code"):
            design(data, "kind")

    def test_what_helps_is_not_called_a_leak(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            design(houses(), "price")
            design(flowers(), "kind")

    def test_a_nearly_unique_category_proves_nothing(self):
        names = np.array([f"n{i}" for i in range(100)], object)
        assert decides(names, np.arange(100) % 2 == 0, classes=True) == 0
        assert decides(names, np.arange(100.0), classes=False) == 0


class TestRecipe:
    @pytest.mark.parametrize("rows", [10, 50, 150, 1_000, 5_000, 20_000, 500_000])
    def test_steps_and_parts_stay_in_a_sensible_band(self, rows):
        train = round(rows * (1 - validation_of(rows)))
        batch = batch_size_of(train)
        epochs = epochs_of(train, batch)
        steps = epochs * math.ceil(train / batch)
        assert 560 <= steps <= 640 or epochs == 30 or epochs < 30 and 4e6 <= epochs * train <= 6e6
        assert 2 <= epochs and (epochs <= 300 or train < 32)
        assert 0.05 <= validation_of(rows) <= 0.2

    def test_what_is_said_is_kept(self):
        proposed = design(houses(), "price", epochs=7, seed=3, test=0.25, ensemble=2, time_budget=9.0)
        recipe = proposed.recipe
        assert (recipe.epochs, recipe.seed, recipe.split.test, recipe.ensemble, recipe.time_budget) == (
            7,
            3,
            0.25,
            2,
            9.0,
        )
        with pytest.raises(DesignError, match="test=1.5"):
            design(houses(), "price", test=1.5)

    def test_eight_networks_leave_out_rows_of_their_own(self):
        proposed = design(houses(), "price")
        assert (proposed.recipe.ensemble, proposed.recipe.split.validation) == (8, "cross")
        assert "8 networks" in words(proposed) and "each leaves out 1/8: all 120 rows teach" in words(proposed)
        assert not proposed.recipe.calibrated and design(flowers(), "kind").recipe.calibrated
        assert design(houses(), "price", ensemble=3).recipe.split.cross

    def test_one_network_holds_a_part_out(self):
        proposed = design(houses(), "price", ensemble=1)
        assert (proposed.recipe.ensemble, proposed.recipe.split.validation) == (1, 0.2)
        assert "networks" not in words(proposed) and "20% held out: 24 rows" in words(proposed)

    def test_one_network_of_a_saved_design_holds_a_part_out_too(self, tmp_path):
        design(houses(), "price").save(tmp_path / "design.json")
        recipe = saved(tmp_path / "design.json", None, [], {"ensemble": 1}).recipe
        assert (recipe.ensemble, recipe.split.validation, recipe.split.test) == (1, 0.2, 0.2)

    def test_of_later_rows_and_of_few_groups_nothing_is_crossed(self):
        later = design(houses(day=np.arange(120.0)), "price", time="day").recipe
        assert (later.ensemble, later.split.validation) == (8, 0.2)
        for owners, cross in ((5, False), (9, True)):
            data = houses(owner=[f"owner {i % owners}" for i in range(120)])
            assert design(data, "price", group="owner").recipe.split.cross == cross
        assert not design(data, "price", group="owner", test=0.2).recipe.split.cross

    def test_a_rare_class_is_noted(self):
        data = flowers()
        data["kind"] = np.where(np.arange(120) % 12 == 0, "rose", "lily")
        assert "read recall" in words(design(data, "kind"))

    def test_more_columns_than_rows_is_noted(self):
        wide = {f"x{i}": draw(i).normal(size=60) for i in range(80)}
        assert "more columns than rows" in words(design(houses(60, **wide), "price"))


class TestDesign:
    @pytest.mark.parametrize("name", EMBEDDED)
    def test_embedded_sets_start_at_the_loss_of_knowing_nothing(self, name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)  # digits has constant pixels
            proposed = design(name)
        classes = {"iris": 3, "breast_cancer": 2, "wine": 3, "digits": 10}.get(name)
        expected = (
            math.log(classes) if classes else float(np.mean(proposed.loss(np.zeros((2, 1)), np.array([[-1.0], [1.0]]))))
        )
        assert first_loss(proposed, name) == pytest.approx(expected, rel=0.03)

    @pytest.mark.parametrize("name", EMBEDDED)
    def test_every_reason_of_an_embedded_set_is_one_line(self, name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)
            expect_one_line_each(design(name))

    def test_every_reason_is_one_line_however_long_the_lists_and_names(self):
        rng, rows = draw(6), 600
        long = "a column whose name is a whole sentence, as in many surveys"
        flags = {f"{long} {i}": ["yes", "no", None] * (rows // 3) for i in range(30)}
        codes = {f"{long}, code {i}": np.tile([f"c{j}" for j in range(20 + i)], 30)[:rows] for i in range(20)}
        blank = {f"{long}, blank {i}": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)) for i in "abc"}
        same = {f"{long}, constant {i}": ["US"] * rows for i in range(9)}
        odd = {f"{long}, empty": [None] * rows, "row": np.arange(float(rows))}
        targets = {
            "heavy": rng.standard_t(2, rows) * -1e6,
            "normal": rng.normal(-2e5, 1.2e5, rows),
            "counts": rng.poisson(np.exp(rng.normal(6, 1, rows))).astype(float),
            "classes": np.where(rng.permutation(rows) < 60, long, long + " not"),
            "many classes": np.array([f"{long} {i % 100}" for i in rng.permutation(rows)]),
        }
        for name, values in targets.items():
            data = {"x": rng.normal(size=rows), **flags, **codes, **blank, **same, **odd, f"{name} of {long}": values}
            with pytest.warns(ChainruleWarning, match="Left out"):
                expect_one_line_each(design(data, f"{name} of {long}"))
        with pytest.warns(ChainruleWarning, match="few"):
            expect_one_line_each(design(houses(40, **{f"z{i}": rng.normal(size=40) for i in range(50)}), "price"))
        expect_one_line_each(design(houses(60), "price", epochs=3, task="regression"))

    def test_every_choice_has_a_reason_and_survives_json(self):
        proposed = design(houses(), "price")
        assert all(reason.choice and reason.because for reason in proposed.reasons)
        text = json.dumps(proposed.to_data())
        assert Design.from_data(json.loads(text)) == proposed
        assert "120 rows" in words(proposed)

    def test_its_network_has_no_note_of_vanishing_gradients(self):
        makes = np.tile([f"make{i}" for i in range(30)], 20)
        for data in (houses(), houses(600, make=makes), {"make": makes, "price": np.arange(600) % 7 / 3}):
            proposed = design(data, "price")
            found = summary(proposed.network, encoded(proposed, data)[1])
            assert not found.notes and found.parameters > 0 and "vanish" not in str(found)

    def test_the_same_table_gives_the_same_design(self):
        assert design(houses(), "price") == design(houses(), "price")


@needs_data
class TestRealTables:
    @pytest.mark.parametrize(
        ("name", "target", "task"),
        [
            ("penguins", "target", "classification"),
            ("mushroom", "target", "classification"),
            ("credit-g", "target", "classification"),
            ("movement_libras", "target", "classification"),
            ("yeast", "target", "classification"),
            ("sonar", "target", "classification"),
            ("537_houses", "target", "regression"),
            ("197_cpu_act", "target", "regression"),
            ("195_auto_price", "target", "regression"),
            ("201_pol", "target", "regression"),
        ],
    )
    def test_tables(self, name, target, task):
        path = SHARED / "tables" / f"{name}.tsv.gz"
        target = target if target in gzip.open(path, "rt").readline().strip().split("\t") else "class"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)  # some have constant columns
            proposed = design(path, target)
        assert proposed.reasons[0].choice == f"{task} of {target}"
        expect_one_line_each(proposed)
        assert math.isfinite(first_loss(proposed, path))

    def test_leaks_in_published_tables(self):
        with pytest.warns(ChainruleWarning, match="Genre"):
            design(SHARED / "tables" / "collins.tsv.gz", "class", drop="Corpus")

    def test_houses_with_blanks_and_words(self):
        path = SHARED / "messy" / "california-housing.csv"
        proposed = design(path, "median_house_value")
        assert {c.name: getattr(c, "method", "number") for c in proposed.encoder.columns}[
            "ocean_proximity"
        ] == "one_hot"
        assert "0/1 columns mark blanks in total_bedrooms" in words(proposed)
        expect_one_line_each(proposed)

    def test_horses_without_a_header(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainruleWarning)
            proposed = design(SHARED / "messy" / "horse-colic.csv", "c24", header=False, drop=["c3"])
        assert proposed.reasons[0].choice == "classification of c24"

    def test_weather(self):
        path = SHARED / "series" / "seattle-weather.csv"
        assert "date by the calendar: trend, season, weekday, clock; to forecast: --time date" in words(
            design(path, "weather")
        )
        with pytest.warns(ChainruleWarning, match="'precipitation' of the same moment"):
            design(path, "weather", time="date")
        tomorrow = design(path, "weather", time="date", ahead=1)
        expect_one_line_each(tomorrow)
        assert tomorrow.encoder.target.name == "weather +1"
        assert "weather" in [c.name for c in tomorrow.encoder.columns]
        assert tomorrow.recipe.split.time == "date" and tomorrow.recipe.split.ahead == 1


class TestBaselines:
    def parts(self, data, target, **options):
        table = Table.of(data)
        proposed = design(table, target, **options)
        learned, test = table.take(np.arange(0, 90)), table.take(np.arange(90, 120))
        return proposed.encoder.fit(learned), (learned, learned[target]), (test, test[target])

    def test_classes(self):
        encoder, learned, test = self.parts(flowers(), "kind")
        scores = baselines(encoder, learned, test)
        words, count = np.unique(learned[1].astype(str), return_counts=True)
        assert scores["majority"]["accuracy"] == pytest.approx(np.mean(test[1] == words[count.argmax()]))
        assert scores["logistic"]["log_loss"] < scores["majority"]["log_loss"]

    def test_numbers(self):
        encoder, learned, test = self.parts(houses(), "price")
        scores = baselines(encoder, learned, test)
        assert scores["mean"]["mae"] == pytest.approx(np.mean(np.abs(test[1] - learned[1].mean())))
        assert scores["ridge"]["r2"] > 0.8 > 0.1 > scores["mean"]["r2"]

    def test_counts_and_embedded_columns(self):
        rng = draw(4)
        kind = np.arange(120) % 20
        data = {"kind": [f"k{i}" for i in kind], "x": rng.normal(size=120)}
        data["n"] = rng.poisson(np.exp(kind / 6.0)).astype(float)
        encoder, learned, test = self.parts(data, "n", task="counts")
        assert set(encoder.encode(learned[0])) == {"numbers", "kind"}
        scores = baselines(encoder, learned, test)
        assert scores["poisson"]["mae"] < scores["mean"]["mae"] / 2
