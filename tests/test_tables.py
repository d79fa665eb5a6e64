"""Files and frames become tables; what cannot be read says where and why."""

import contextlib
import gzip
import os
import string
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data.embedded import EMBEDDED, default_target, embedded
from chainrule.data.kinds import kind_of
from chainrule.data.reading import read_table
from chainrule.data.table import Table
from chainrule.errors import ChainruleError, ChainruleWarning, DataError, LoadError

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not beside the project")


@pytest.fixture
def written(tmp_path):
    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def values(column):
    return [None if v is None or v != v else v for v in column.tolist()]


def test_plain_csv(written):
    table = read_table(written("area,kind\n1.5,red\n2e3,blue\n"))
    assert table.names == ("area", "kind") and table.rows == 2
    assert table["area"].dtype == np.float64 and values(table["area"]) == [1.5, 2000.0]
    assert values(table["kind"]) == ["red", "blue"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(written, delimiter):
    text = "a,b,c\n1,2,x\n3,4,y\n".replace(",", delimiter)
    assert values(read_table(written(text))["b"]) == [2.0, 4.0]


def test_what_is_accepted_silently(written):
    text = '\ufeffname,"a b",n\r\n"x\r\ny", 1 ,?\r\n\r\n"say ""hi""",NA,3\r\n'
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_table(written(text))
    assert table.names == ("name", "a b", "n") and table.rows == 2
    assert values(table["name"]) == ["x\r\ny", 'say "hi"']
    assert values(table["a b"]) == [1.0, None] and values(table["n"]) == [None, 3.0]


def test_spellings_of_missing(written):
    spellings = ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "."]
    table = read_table(written("a,b\n" + "\n".join(f"{s},x" for s in spellings) + "\n7,y\n"))
    assert values(table["a"]) == [None] * len(spellings) + [7.0]


def test_a_dash_among_words_is_a_label(written):
    assert values(read_table(written("a,b\n+,1\n-,2\n"))["a"]) == ["+", "-"]


def test_more_spellings_of_missing_and_columns_of_text(written):
    path = written("zip,x\n01234,1\n99999,gone\n")
    table = read_table(path, missing="gone", text="zip")
    assert values(table["zip"]) == ["01234", "99999"] and values(table["x"]) == [1.0, None]
    assert table.origin is not None and table.origin.options == (("missing", ("gone",)), ("text", ("zip",)))
    assert values(Table.of(path, **dict(table.origin.options))["x"]) == [1.0, None]


def test_decimal_commas(written):
    path = written("x;y\n3,14;1\n2,5;2\n")
    with pytest.warns(ChainruleWarning, match="decimal commas in 'x'"):
        assert values(read_table(path)["x"]) == [3.14, 2.5]
    assert values(read_table(path, decimal=",")["x"]) == [3.14, 2.5]


def test_a_bad_cell_among_decimal_commas_is_named_itself(written):
    path = written("x;y\n" + "".join(f"{i},5;1\n" for i in range(20)) + "3;2\nunclear;2\n")
    for decimal in (None, ","):
        with pytest.raises(DataError, match=r"21 rows and words in 1 \(line 23: 'unclear'\)"):
            read_table(path, decimal=decimal)
    assert np.isnan(read_table(path, decimal=",", missing="unclear")["x"][-1])
    path = written("x;y\n" + "".join(f"{i}.5;1,5\n" for i in range(20)) + "unclear;2\n")
    with pytest.raises(DataError, match="'unclear'"):
        read_table(path, decimal=",")
    path = written("x,y\n" + "".join(f'"1,{i:03}.5",1\n' for i in range(20)) + "unclear,2\n")
    with pytest.raises(DataError, match=r"20 rows and words in 1 \(line 22: 'unclear'\)"):
        read_table(path)


def test_thousands(written):
    with pytest.warns(ChainruleWarning, match="between thousands in 'x'"):
        assert values(read_table(written('x,y\n"1,234",1\n"12,345,678.5",2\n'))["x"]) == [1234.0, 12345678.5]
    with pytest.warns(ChainruleWarning, match="decimal commas"):
        assert values(read_table(written("x;y\n1.234,5;1\n7;2\n"))["x"]) == [1234.5, 7.0]


def test_an_ambiguous_comma_is_refused(written):
    with pytest.raises(DataError, match="'1,234' can be 1.234 or 1234"):
        read_table(written("x;y\n1,234;1\n2,345;2\n"))
    assert values(read_table(written("x;y\n1,234;1\n"), decimal=".")["x"]) == [1234.0]
    with pytest.raises(DataError, match="Say what a point means"):
        read_table(written("x;y\n1,5;1.234\n2,5;5.678\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 cell, and line 1 has 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 cells"),
        ("a,b\n", "only a header"),
        ("\n\n  \n", "blank"),
        ("a,b,a\n1,2,3\n", "'a'"),
        ("a,b\n1,inf\n", "infinity in line 2"),
        ("a,b\n1,1e999\n", "infinity in line 2"),
        ('a,b\n1,"2\n3,4\n', "line 2 cannot be taken apart"),
        ("a,b\n" + "".join(f"{i},x\n" for i in range(40)) + "old,x\n", "line 42: 'old'"),
        ("2,1,2\n1,2,3\n3,4,5\n", "--no-header"),
    ],
)
def test_refused_rows(written, content, message):
    with pytest.raises(DataError, match=message) as e:
        read_table(written(content))
    assert str(e.value).startswith("t.csv: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes"),
        (b"a,b\n1,caf\xe9\n", r"line 2, byte 9: 0xe9 is not utf-8.*cp1252"),
        (b"a,b\n1,\x00\n", "line 2, byte 6: a NUL"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(b"a,b\n1,2\n" * 99)[:-12], "damaged"),
        (gzip.compress(b"a,b\n1,2\n")[:10] + b"garbage!", "damaged"),
        (b"PAR1 and nothing", "damaged Parquet"),
        (b"PK\x03\x04 and nothing", "ZIP"),
    ],
)
def test_unreadable_files(written, content, message):
    with pytest.raises(LoadError, match=message):
        read_table(written(content))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'[{"x": 1}]', r'a.json is JSON; .*: convert it.* pandas.read_json\("a.json"\)'),
        ("a.txt", b' {"x": 1}\n{"x": 2}\n', r"lines=True"),
        ("a.json", b'{"x": [1, 2', "is JSON"),
        ("a.safetensors", (8).to_bytes(8, "little") + b'{"a": 1}', "model file.*RUN"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "HDF5.*read_hdf"),
        ("a.pkl", b"\x80\x04\x95", "never opened"),
        ("a.csv", b"<!doctype html>\n<html>", "web page"),
        ("a.csv.gz", gzip.compress(b'{"x": 1}'), "is JSON"),
    ],
)
def test_files_of_other_kinds_say_what_they_are(written, name, content, message):
    with pytest.raises(LoadError, match=message) as e:
        read_table(written(content, name))
    assert "chainrule reads CSV, TSV (also .gz), Parquet, NPZ" in str(e.value)


def test_a_table_may_begin_with_a_bracket(written):
    assert read_table(written("[a],{b}\n1,2\n3,4\n")).names == ("[a]", "{b}")
    assert read_table(written("[1],[2]\n1,2\n3,4\n")).rows == 2


def test_other_encodings_are_read_when_said(written):
    assert values(read_table(written(b"a,b\n1,caf\xe9\n"), encoding="cp1252")["b"]) == ["café"]
    assert values(read_table(written("a,b\n1,é\n".encode("utf-16")), encoding="utf-16")["b"]) == ["é"]
    for encoding in ("nonsense", "rot13", "hex"):
        with pytest.raises(ChainruleError, match="encoding|read"):
            read_table(written("a\n1\n"), encoding=encoding)


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path, "directory"),
        (tmp_path / "pipe", "pipe"),
        (tmp_path / "no", "no file"),
        ("\0", "cannot be read"),
    ):
        with pytest.raises(LoadError, match=message):
            Table.of(path)


def test_without_header(written):
    table = read_table(written("1,x\n2,y\n"), header=False)
    assert table.names == ("c1", "c2") and table.rows == 2
    with pytest.warns(ChainruleWarning, match="--no-header"):
        read_table(written("1,x\n2,y\n"))


def test_a_header_without_a_name_for_the_index(written):
    assert read_table(written(",b\n0,1\n1,2\n")).names == ("c1", "b")


def test_tabs_keep_lone_quotes(written):
    table = read_table(written('label\ttext\nham\t"Oh\nspam\tbuy" now\nham\tyes\n', "t.tsv"))
    assert values(table["text"]) == ['"Oh', 'buy" now', "yes"]


def test_wide_tables_are_read_at_once(written):
    names = ",".join(f"v{j}" for j in range(100_000))
    table = read_table(written(names + "\n" + ",".join(["1"] * 100_000) + "\n"))
    assert len(table.names) == 100_000 and table["v99999"].tolist() == [1.0]


def test_gz_parquet_and_npz_agree_with_csv(written, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow reads Parquet")
    text = "a,b\n1.5,x\n,y\n"
    want = read_table(written(text))
    pq.write_table(pa.table({"a": [1.5, None], "b": ["x", "y"]}), tmp_path / "t.parquet")
    np.savez(tmp_path / "t.npz", a=[1.5, np.nan], b=["x", "y"])
    for path in (written(gzip.compress(text.encode()), "t.csv.gz"), tmp_path / "t.parquet", tmp_path / "t.npz"):
        table = read_table(path)
        assert table.names == want.names
        assert values(table["a"]) == values(want["a"]) and values(table["b"]) == values(want["b"])


def test_npz(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.arange(6).reshape(3, 2), y=[1, 2, 3])
    table = Table.of(tmp_path / "t.npz")
    assert table.names == ("X1", "X2", "y") and values(table["X2"]) == [1.0, 3.0, 5.0]
    np.savez(tmp_path / "u.npz", a=[1, 2], b=[1])
    with pytest.raises(DataError, match="equal lengths"):
        Table.of(tmp_path / "u.npz")
    np.savez(tmp_path / "v.npz", a=np.array([{}, {}], object))
    with pytest.raises(LoadError, match="never loaded"):
        Table.of(tmp_path / "v.npz")


def test_the_hash_is_of_the_files_bytes(written):
    import hashlib

    path = written("a\n1\n")
    origin = read_table(path).origin
    assert origin is not None and origin.sha256 == hashlib.sha256(b"a\n1\n").hexdigest()


def frames():
    data = {"n": [1.5, None, 3.0], "i": [1, 2, 3], "b": [True, False, None], "t": ["x", None, "?"]}
    for name in ("pandas", "polars", "pyarrow"):
        with contextlib.suppress(ImportError):
            module = __import__(name)
            yield name, (module.table if name == "pyarrow" else module.DataFrame)(data)


@pytest.mark.parametrize(("name", "frame"), list(frames()))
def test_frames_alike(name, frame):
    table = Table.of(frame)
    assert values(table["n"]) == [1.5, None, 3.0] and values(table["i"]) == [1.0, 2.0, 3.0]
    assert values(table["b"]) == ["True", "False", None] and values(table["t"]) == ["x", None, None]


def test_dates_become_iso_text():
    pd = pytest.importorskip("pandas", reason="a frame with times")
    frame = pd.DataFrame({"d": pd.to_datetime(["2024-01-31", None]), "t": pd.to_datetime(["2024-01-31 12:00", None])})
    frame["i"] = pd.array([1, None], "Int64")
    frame["c"] = pd.Categorical(["u", None])
    table = Table.of(frame)
    assert values(table["d"]) == ["2024-01-31", None] and values(table["t"]) == ["2024-01-31T12:00:00", None]
    assert values(table["i"]) == [1.0, None] and values(table["c"]) == ["u", None]
    assert values(Table.of({"d": np.array(["2024-01-31", "NaT"], "M8[ns]")})["d"]) == ["2024-01-31", None]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no columns"),
        ({"a": []}, "no rows"),
        ({"a": [1], "b": [1, 2]}, "equal lengths"),
        ({"a": 3}, "one value per row"),
        ({"a": [[1], [2]]}, "column 'a', row 1"),
        ({"a": [1, {}]}, "column 'a', row 2"),
        ({"a": [1 + 2j]}, "column 'a'"),
        ({"a": np.ones(2, complex)}, "complex"),
        ({"a": np.ones((2, 2))}, "shape"),
        ({"a": [1, "x"]}, "mixes types"),
        ({"a": [1.0, np.inf]}, "infinity in row 2"),
        ({"a": [10**400]}, "too large"),
        ({1: [1]}, "not text"),
        (3, "int came"),
        (np.ones((2, 2)), "ndarray came"),
    ],
)
def test_refused_objects(data, message):
    with pytest.raises(DataError, match=message):
        Table.of(data)


def test_duplicate_and_numbered_columns_of_frames():
    pd = pytest.importorskip("pandas", reason="frames with odd columns")
    with pytest.raises(DataError, match="'a'"):
        Table.of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="not text"):
        Table.of(pd.DataFrame([[1, 2]]))


def test_take_select_drop_and_print():
    table = Table.of({"a": [1, 2, 3], "b": ["x", None, "z" * 50]})
    assert values(table.take([2, 0])["a"]) == [3.0, 1.0]
    assert table.select(["b"]).names == ("b",) and table.drop(["b"]).names == ("a",)
    assert "3 rows, 2 columns" in str(table) and "missing" in str(table)
    with pytest.raises(DataError, match="no column 'c'"):
        table.drop(["c"])


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded(name):
    table = Table.of(name)
    target = default_target(name)
    assert table.names[-1] == target and not any(v is None or v != v for v in table[target])
    assert table.origin == embedded(name).origin
    known = {
        "breast_cancer": (569, 31),
        "digits": (1797, 65),
        "diabetes": (442, 11),
        "wine": (178, 14),
        "iris": (150, 5),
    }
    assert (table.rows, len(table.names)) == known[name]


def test_a_file_wins_over_an_embedded_name(written, monkeypatch):
    monkeypatch.chdir(written("a\n1\n", "iris").parent)
    assert Table.of("iris").names == ("a",)
    with pytest.raises(DataError, match="Did you mean 'breast_cancer'"):
        embedded("brest_cancer")


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("n", [1.0, 2.0, 1.0], "number"),
        ("n", [1.0, 1.0, np.nan], "constant"),
        ("n", [np.nan, np.nan], "empty"),
        ("n", [float(i) for i in range(1, 9)], "identifier"),
        ("user_id", [5.0, 3.0, 9.0, 11.0, 2.0], "identifier"),
        ("userId", [5.0, 3.0, 9.0, 11.0, 2.0], "identifier"),
        ("paid", [5.0, 3.0, 9.0, 11.0, 2.0], "number"),
        ("c", ["a", "b", "a"], "category"),
        ("c", [f"k{i}" for i in range(30)], "identifier"),
        ("c", [f"a long sentence number {i}" for i in range(30)], "text"),
        ("d", [f"2024-01-{i:02d}" for i in range(1, 31)], "date"),
        ("d", ["3/14/2024", "4/1/2024"], "date"),
    ],
)
def test_kinds(name, column, kind):
    array = np.array(column, object if isinstance(column[0], str) else float)
    found = kind_of(name, array)
    assert found.kind == kind and found.reason


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "tables").glob("*.tsv.gz"))[::8], ids=lambda p: p.name)
def test_real_tables_agree_with_pandas(path):
    pd = pytest.importorskip("pandas", reason="an independent reader")
    table, frame = read_table(path), pd.read_csv(path, sep="\t", na_values=["?"])
    assert table.names == tuple(map(str.strip, frame.columns)) and table.rows == len(frame)
    for name, original in zip(table.names, frame.columns, strict=True):
        if table[name].dtype != object:
            np.testing.assert_array_equal(table[name], frame[original].to_numpy(float))


@needs_shared
def test_real_messy_files():
    houses = read_table(SHARED / "messy" / "california-housing.csv")
    assert houses.rows == 20640 and np.isnan(houses["total_bedrooms"]).sum() == 207
    assert kind_of("ocean_proximity", houses["ocean_proximity"]).kind == "category"
    with pytest.raises(DataError, match="--no-header"):
        read_table(SHARED / "messy" / "horse-colic.csv")
    horses = read_table(SHARED / "messy" / "horse-colic.csv", header=False)
    assert len(horses.names) == 28 and np.isnan(horses["c4"]).any()
    assert kind_of("date", read_table(SHARED / "series" / "seattle-weather.csv")["date"]).kind == "date"
    assert read_table(SHARED / "series" / "monthly-sunspots.csv").names == ("Month", "Sunspots")
    messages = read_table(SHARED / "text" / "sms-spam.tsv", header=False)
    assert set(messages["c1"]) == {"ham", "spam"} and kind_of("c2", messages["c2"]).kind == "text"
    assert messages.rows == len((SHARED / "text" / "sms-spam.tsv").read_bytes().splitlines())


HOSTILE = st.text(st.sampled_from(',;\t|"\n\r \0.-+eE019?x_é\ufeff' + string.ascii_letters[:4]), max_size=80)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(HOSTILE.map(str.encode), st.binary(max_size=60)), header=st.booleans())
def test_hostile_files_are_read_or_refused(tmp_path, content, header):
    path = tmp_path / "h.csv"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainruleWarning)
        try:
            table = read_table(path, header=header)
        except ChainruleError:
            return
    assert table.rows and table.names
    for column in table.columns.values():
        assert len(column) == table.rows
        assert not np.isinf(column).any() if column.dtype != object else all(v is None or v for v in column)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(lambda s: "w" + s.strip())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(NUMBERS, WORDS, st.one_of(st.none(), NUMBERS)), min_size=1, max_size=12))
def test_what_the_csv_module_writes_comes_back(tmp_path, rows):
    import csv

    path = tmp_path / "w.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("n", "word", "m"), *rows])
    table = read_table(path)
    assert values(table["n"]) == [n for n, _, _ in rows]
    assert values(table["word"]) == [w.strip() for _, w, _ in rows]
    assert values(table["m"]) == [m for _, _, m in rows], "a missing number is missing, and only that"


def test_damaged_npz_files_never_raise_anything_else(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, a=np.arange(20.0), b=["x"] * 20)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for place, bit in zip(rng.integers(2, len(whole), 300), rng.integers(0, 8, 300), strict=True):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                table = read_table(path)
            except ChainruleError:
                refused += 1
            else:
                assert values(table["a"]) == list(range(20)), "what is read is what was written"
    assert refused > 200
