"""Materials: the parts of a table share no row, and only the training part teaches the encoder."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.encoders import Encoder
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget, NumberTarget
from chainrule.train.design import Design
from chainrule.train.materials import from_table
from chainrule.train.recipe import Recipe, Split

ROWS = 200
COLUMNS = (NumberColumn("id"), NumberColumn("size"))
RECIPE = Recipe(optimizer=cr.adam(0.05), epochs=2, split=Split(validation=0.2, test=0.25))


def table(rows=ROWS, seed=0, **columns) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = rng.normal(10, 3, rows)
    kind = np.where(size + rng.normal(0, 1, rows) > 10, "large", "small").astype(object)
    return {"id": np.arange(rows, dtype=float), "size": size, "price": 3 * size + rng.normal(0, 1, rows)} | {
        "kind": kind,
        **columns,
    }


def design(target, loss, outputs, columns=COLUMNS):
    return Design(cr.Chain(cr.Dense(outputs)), loss, RECIPE, Encoder(columns, target))


PRICES = design(NumberTarget("price"), cr.mean_squared_error, 1)
KINDS = design(ClassTarget("kind"), cr.cross_entropy, 2)


def ids(materials, rows):
    """Which rows of the table these encoded ones are: the column of ids, decoded."""
    column = materials.design.encoder.columns[0]
    y = np.asarray(rows.x[:, 0], float)
    return np.rint(y / np.sqrt(1 - (y / 3) ** 2) * column.scale + column.center).astype(int)


def parts(materials):
    """The ids of the rows that train, that are held out and that test."""
    tested = materials.test[0]["id"].astype(int)
    return [set(p) for p in (ids(materials, materials.train), ids(materials, materials.held), tested.tolist())]


@pytest.mark.parametrize("asked", [PRICES, KINDS], ids=["regression", "classification"])
def test_no_row_is_in_two_parts_and_every_row_in_one(asked):
    materials = from_table(asked, table())
    train, held, tested = parts(materials)
    sizes = [len(materials.train.w), len(materials.held.w), materials.test[0].rows]
    assert [len(train), len(held), len(tested)] == sizes and sizes == [120, 30, 50]
    assert not (train & held or train & tested or held & tested)
    assert train | held | tested == set(range(ROWS))
    assert set(materials.learned[0]["id"].astype(int)) == train | held


@pytest.mark.parametrize("asked", [PRICES, KINDS], ids=["regression", "classification"])
def test_the_encoder_learns_from_the_training_part_only(asked):
    first = from_table(asked, table())
    train, held, tested = parts(first)
    for part, moves in ((held, False), (tested, False), (train, True)):
        data = table()
        outer = sorted(part)[: max(len(part) // 2, 1)]
        data["size"][outer] = 1e6
        data["price"][outer] = 1e6
        again = from_table(asked, data)
        assert (again.design.encoder.columns[1] != first.design.encoder.columns[1]) is moves
        if isinstance(asked.encoder.target, NumberTarget):
            assert (again.design.encoder.target != first.design.encoder.target) is moves
    sizes = table()["size"][sorted(train)]
    assert first.design.encoder.columns[1].center == pytest.approx(np.median(sizes))
    assert first.design.encoder.columns[1].scale == pytest.approx(np.subtract(*np.quantile(sizes, [0.75, 0.25])))


def test_a_run_that_goes_on_keeps_its_classes_and_its_scales():
    run = cr.fit(KINDS, table(), progress=False)
    other = table(seed=1)
    other["size"] *= 100
    more = cr.fit(run, other, progress=False)
    assert more.design.encoder == run.design.encoder and more.classes_ == ["large", "small"]
    other["kind"][7] = "giant"
    with pytest.raises(cr.DataError, match="'giant' in row 8"):
        cr.fit(run, other, progress=False)


def test_rows_without_a_target_are_left_out_once():
    prices = table()["price"]
    prices[[3, 77, 150]] = np.nan
    with pytest.warns(cr.ChainruleWarning, match="missing in rows 4, 78 and 151|197 rows remain") as said:
        materials = from_table(PRICES, table(price=prices))
    assert len(said) == 1
    train, held, tested = parts(materials)
    assert len(materials.train.w) + len(materials.held.w) + materials.test[0].rows == ROWS - 3
    assert train | held | tested == set(range(ROWS)) - {3, 77, 150}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cr.fit(PRICES, Table.of(table(price=prices)), progress=False)
    assert ["left out" in str(w.message) for w in said] == [True]
