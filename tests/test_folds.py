"""Folds: every row is left out once; classes are spread, groups stay whole, from a table to a trained ensemble."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.cli.app import run
from chainrule.data.encoders import Encoder
from chainrule.data.folds import folds
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, NumberTarget
from chainrule.errors import DataError, DesignError
from chainrule.train.materials import from_arrays, from_table
from chainrule.train.recipe import Split

ROWS = st.integers(2, 80)
SEEDS = st.integers(0, 2**33)


def cut(rows, count, seed, **given):
    fold = folds(rows, count, seed, **given)
    assert fold.shape == (rows,) and fold.min() >= 0 and fold.max() < count
    return fold, np.bincount(fold, minlength=count)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, count=st.integers(2, 9), seed=SEEDS)
def test_folds_are_equal_up_to_one_row(rows, count, seed):
    if rows < count:
        with pytest.raises(DataError, match=f"{rows} rows cannot be cut into {count} folds"):
            folds(rows, count, seed)
        return
    fold, sizes = cut(rows, count, seed)
    assert sizes.min() >= 1 and np.ptp(sizes) <= 1
    np.testing.assert_array_equal(fold, folds(rows, count, seed))


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, count=st.integers(2, 9), seed=SEEDS, classes=st.integers(1, 6), words=st.booleans())
def test_every_class_is_spread(rows, count, seed, classes, words):
    labels = np.random.default_rng(seed).integers(0, classes, rows)
    labels = np.array([f"class {c}" for c in labels], object) if words else labels
    if rows < count:
        return
    fold, sizes = cut(rows, count, seed, labels=labels)
    assert np.ptp(sizes) <= 1
    for label in set(labels.tolist()):
        assert np.ptp(np.bincount(fold[labels == label], minlength=count)) <= 1


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, count=st.integers(2, 9), seed=SEEDS, most=st.integers(1, 40))
def test_groups_stay_whole_and_fill_the_folds(rows, count, seed, most):
    groups = np.random.default_rng(seed).integers(0, most, rows)
    found = np.unique(groups)
    if len(found) < count:
        with pytest.raises(DataError, match=f"belong to {len(found)} group.*={len(found)} or less|rows cannot be cut"):
            folds(rows, count, seed, groups=groups)
        return
    fold, sizes = cut(rows, count, seed, labels=np.arange(rows) % 2, groups=groups)
    assert sizes.min() >= 1, "every fold holds a group"
    for group in found:
        assert len(set(fold[groups == group])) == 1
    # A group goes to the fold that holds the fewest rows, so folds differ by no more than the largest group.
    assert np.ptp(sizes) <= np.bincount(groups).max()


def test_seeds_draw_other_folds():
    for kept in ({}, {"labels": np.arange(60) % 3}, {"groups": np.arange(60) // 2}):
        assert len({tuple(folds(60, 4, seed, **kept)) for seed in range(20)}) == 20


def test_rows_of_a_class_are_not_left_out_in_the_order_they_came():
    fold = folds(100, 5, 0, labels=np.repeat([0, 1], 50))
    assert not np.array_equal(fold[:50], np.arange(50) % 5) and len(np.unique(np.diff(fold[:50]))) > 2


PATIENTS = 24


def visits(rows=240, seed=0, **columns):
    """Patients with some ten visits each; ``id`` says which row it is, as the network reads it."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, PATIENTS, rows)
    dose = rng.normal(size=rows)
    return {
        "patient": np.array([f"patient {p}" for p in patient], object),
        "id": np.arange(rows, dtype=float),
        "dose": dose,
        "pressure": dose + patient / 10 + rng.normal(0, 0.1, rows),
        "ill": np.where(dose + rng.normal(0, 0.3, rows) > 0, "yes", "no").astype(object),
        **columns,
    }


def design(target="pressure", **options):
    with pytest.warns(cr.ChainruleWarning, match="Left out.*id"):
        return cr.design(Table.of(visits()), target, group="patient", drop=["ill"], epochs=2, **options)


def by_hand(target, split, ensemble=1):
    recipe = cr.Recipe(optimizer=cr.adam(0.01), epochs=2, split=split, ensemble=ensemble)
    kinds = {"pressure": (NumberTarget, cr.mean_squared_error, 1), "ill": (ClassTarget, cr.cross_entropy, 2)}
    kind, loss, outputs = kinds[target]
    encoder = Encoder((NumberColumn("id"), NumberColumn("dose")), kind(target))
    return cr.Design(cr.Chain(cr.Dense(outputs)), loss, recipe, encoder)


def ids(materials, x):
    """Which rows of the table these encoded ones are."""
    column, y = materials.design.encoder.columns[0], np.asarray(x, float)
    return np.rint(y / np.sqrt(1 - (y / 3) ** 2) * column.scale + column.center).astype(int)


def parts_of(materials, ensemble):
    """The rows that train, and every part that is held out or tested: rows of the table by number."""
    train = ids(materials, materials.train.x[:, 0])
    parts = {"test": materials.test[0]["id"].astype(int)}
    if materials.folds is None:
        return parts | {"train": train, "held": ids(materials, materials.held.x[:, 0])}
    assert materials.held is None and len(materials.folds) == len(train)
    return parts | {f"fold {m}": train[materials.folds == m] for m in range(ensemble)}


@pytest.mark.parametrize("target", ["pressure", "ill"])
@pytest.mark.parametrize("ensemble", [1, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_no_group_is_in_two_parts(target, ensemble, seed):
    split = Split("cross" if ensemble > 1 else 0.2, 0.25, group="patient")
    materials = from_table(by_hand(target, split, ensemble), visits(seed=seed))
    parts = parts_of(materials, ensemble)
    assert len(parts) == (3 if ensemble == 1 else 1 + ensemble) and all(len(rows) for rows in parts.values())
    np.testing.assert_array_equal(np.sort(np.concatenate([*parts.values()])), np.arange(240))
    patients = [set(visits(seed=seed)["patient"][rows]) for rows in parts.values()]
    assert sum(map(len, patients)) == len(set().union(*patients)), "a patient is in two parts"


def test_rows_of_one_group_would_be_parted_without_its_name():
    split = Split("cross", 0.25)
    parts = parts_of(from_table(by_hand("pressure", split, 4), visits()), 4)
    patients = [set(visits()["patient"][rows]) for rows in parts.values()]
    assert sum(map(len, patients)) > len(set().union(*patients))


@pytest.mark.parametrize("options", [{"ensemble": 1, "validation": 0.2}, {"ensemble": 4, "validation": "cross"}])
def test_a_design_with_groups_trains(options, tmp_path):
    proposed = design(test=0.25)
    assert [c.name for c in proposed.encoder.columns] == ["dose"]
    run = cr.fit(proposed, visits(), progress=False, out=tmp_path / "run", **options)
    assert run.design.recipe.split.group == "patient" and run.scores["r2"] < 1
    loaded = cr.load(tmp_path / "run")
    assert loaded.design.recipe.split == run.design.recipe.split
    new = {"dose": [0.0, 1.0]}
    np.testing.assert_array_equal(loaded.predict(new), run.predict(new), "a new row needs no group")


def test_rows_without_a_group_are_named():
    table = visits()
    table["patient"][[2, 7]] = None
    split = Split(0.2, group="patient")
    with pytest.raises(DataError, match="group column 'patient' is missing in rows 3, 8"):
        from_table(by_hand("pressure", split), table)
    numbers = visits(patient=np.where(np.arange(240) == 5, np.nan, np.arange(240) // 10))
    with pytest.raises(DataError, match="group column 'patient' is missing in row 6"):
        cr.fit(by_hand("pressure", split), numbers, progress=False)
    numbers["pressure"][1] = np.nan
    with pytest.raises(DataError, match="missing in row 6"):  # numbered before rows without a target are left out
        cr.fit(by_hand("pressure", split), numbers, progress=False)


def test_groups_that_cannot_be_used():
    few = visits(patient=np.repeat(["a", "b", "c"], 80))
    split = Split("cross", group="patient")
    with pytest.raises(DataError, match="3 groups, which cannot be cut into 4 folds"):
        cr.fit(by_hand("pressure", split, 4), few, progress=False)
    with pytest.raises(DesignError, match="time='t' holds out the last rows, and group='g'"):
        Split(time="t", group="g")
    net = cr.Chain(cr.Dense(1))
    X, y = np.linspace(-1, 1, 20, dtype=np.float32)[:, None], np.linspace(0, 1, 20)
    arrays = cr.fit(net, X, y, epochs=1, progress=False).design
    asked = cr.Design(net, arrays.loss, cr.Recipe(split=Split(group="g")), arrays.encoder)
    with pytest.raises(DataError, match="group='g' names a column, and arrays came"):
        from_arrays(asked, X, y)


def test_a_member_must_have_rows_of_some_weight_to_be_measured_on():
    X, y = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), np.arange(40.0) / 40
    weight = (np.arange(40) < 3).astype(float)
    settings = {"ensemble": 4, "validation": "cross", "epochs": 1, "progress": False, "sample_weight": weight}
    with pytest.raises(DataError, match='validation="cross" gives each network.* of 4 have the weight 0'):
        cr.fit(cr.Chain(cr.Dense(1)), X, y, **settings)


def test_the_command_line_takes_groups(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = visits()
    names = ["patient", "dose", "pressure"]
    rows = zip(*(table[name] for name in names), strict=True)
    (tmp_path / "visits.csv").write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]))
    asked = ["visits.csv", "--target", "pressure", "--group", "patient", "--epochs", "1"]
    assert run(["fit", *asked, "--json", "--out", "run"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert any(reason["choice"] == "no patient in two parts" for reason in said["design"]["reasons"])
    assert cr.Design.load("run/design.json").recipe.split.group == "patient"
    assert run(["design", *asked, "-o", "design.json"]) == 0
    assert cr.Design.load("design.json").recipe.split.group == "patient"
    capsys.readouterr()
    for more, code, message in (
        (["--group", "patent"], 2, "Did you mean 'patient'?"),
        (["--group", "patient", "--time", "dose"], 1, "Leave one of the two out"),
        (["--group", "patient", "--design", "design.json"], 2, "leave out --group"),
    ):
        target = [] if "--design" in more else ["--target", "pressure"]
        assert run(["fit", "visits.csv", *target, *more]) == code
        assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
