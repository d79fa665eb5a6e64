"""The model file: what was written comes back, anything else is refused, and a kill loses nothing."""

import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
import textwrap
import zipfile
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.errors import DesignError, LoadError
from chainrule.train import modelfile
from chainrule.train.modelfile import flatten, parse, read, unflatten, write

DATA = {"kind": "run", "net": {"Dense": {"units": 3}}, "name": "prix_médian_€", "none": None, "rates": [0.1, 1e-300]}
TENSORS = {
    "params/0/W": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "params/0/b": np.array([1.0, -0.0, 2.0], np.float64),
    "state/key": np.array([1, 2**32 - 1], np.uint32),
    "state/step": np.array(7, np.int32),
    "mask": np.array([True, False, True]),
    "half": np.array([1.5, -2.0], np.float16),
    "brain": np.array([1.5, -2.0, 3.0], ml_dtypes.bfloat16),
    "empty": np.zeros((0, 3), np.int64),
}


def encoded(data: dict = DATA, tensors: dict = TENSORS) -> bytes:
    return b"".join(modelfile.encode(data, tensors))


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        array = np.asarray(array)
        assert got[name].dtype == array.dtype and got[name].shape == array.shape
        assert got[name].tobytes() == array.tobytes(), name


# What was written comes back


def test_data_and_arrays_come_back_bit_for_bit(tmp_path):
    write(tmp_path / "m.safetensors", DATA, TENSORS)
    data, tensors = read(tmp_path / "m.safetensors")
    assert data == DATA
    assert_same(tensors, TENSORS)
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_safetensors_reads_the_arrays(tmp_path):
    from safetensors.numpy import load_file

    plain = {name: a for name, a in TENSORS.items() if name != "brain"}
    write(tmp_path / "m.safetensors", DATA, plain)
    assert_same(load_file(tmp_path / "m.safetensors"), plain)


def test_views_of_any_order_and_byte_order_are_written_by_value():
    base = np.arange(24.0).reshape(2, 3, 4)
    views = {"t": base.T, "r": base[:, ::-1], "f": np.asfortranarray(base), "j": jnp.arange(3.0)}
    _, tensors = parse(encoded({}, views | {"big": base.astype(">f8")}))
    assert_same(tensors, views | {"big": base})


def test_the_same_input_gives_the_same_bytes_in_two_processes():
    code = """
        import hashlib, numpy as np
        from chainrule.train.modelfile import encode
        names = {f"params/{i}/W": np.full((2, 2), i, np.float32) for i in range(9)}
        data = {name: {"b": 1, "a": [1.5, None]} for name in names}
        print(hashlib.sha256(b"".join(encode(data, names))).hexdigest())
        backwards = dict(reversed(names.items()))
        print(hashlib.sha256(b"".join(encode(dict(reversed(data.items())), backwards))).hexdigest())
    """
    seen = set()
    for seed in ("1", "2"):
        out = _python(code, env={"PYTHONHASHSEED": seed})
        seen |= set(out.split())
    assert len(seen) == 1


names = st.text(min_size=0, max_size=6)
leaves = st.tuples(
    st.sampled_from([np.float32, np.int32, np.uint32, np.bool_, np.float16, np.int8, ml_dtypes.bfloat16]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    st.integers(0, 2**32 - 1),
).map(lambda drawn: np.random.default_rng(drawn[2]).integers(0, 2, drawn[1]).astype(drawn[0]))


class Pair(NamedTuple):
    first: Any
    second: Any


trees = st.recursive(
    leaves | st.none(),
    lambda inner: (
        st.dictionaries(names, inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=8,
)


@given(trees, names)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_trees_come_back(tree, prefix):
    prefix = "p" + prefix
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)
    _, tensors = parse(encoded({}, flatten(tree, prefix) | {"other": np.ones(2)}))
    back = unflatten(tensors, prefix, like)
    assert jax.tree.structure(back) == jax.tree.structure(tree)
    for got, expected in zip(jax.tree.leaves(back), jax.tree.leaves(tree), strict=True):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        assert np.asarray(got).tobytes() == expected.tobytes()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_random_data_come_back(data):
    assert parse(encoded(data, {}))[0] == data


def test_text_with_half_characters_comes_back():
    data = {"column": "caf\udce9"}  # what a Latin-1 byte becomes when read with surrogateescape
    assert parse(encoded(data, {}))[0] == data


def test_paths_of_leaves_are_distinct_and_readable():
    tree = ({"W": 1, "a/b": 2, "a": {"b": 3}, "~1": 4}, Pair(5, [6]))
    assert list(flatten(tree, "params")) == [
        "params/0/W", "params/0/a/b", "params/0/a~1b", "params/0/~01", "params/1/first", "params/1/second/0",
    ]  # fmt: skip
    assert list(flatten(np.ones(2), "params")) == ["params"]


def test_every_disagreement_with_the_network_is_listed():
    given_ = {"params/0/W": np.ones((3, 4), np.float32), "params/0/b": np.ones(4), "params/9": np.ones(1, np.int32)}
    like = ({"W": jax.ShapeDtypeStruct((4, 3), jnp.float32), "b": jax.ShapeDtypeStruct((4,), jnp.float32),
             "c": jax.ShapeDtypeStruct((2,), jnp.float32)},)  # fmt: skip
    with pytest.raises(LoadError) as e:
        unflatten(given_, "params", like)
    for part in (
        "params/0/W: float32[3, 4] came, and float32[4, 3] is expected",
        "params/0/b: float64[4] came, and float32[4] is expected",
        "params/0/c: float32[2] is missing",
        "params/9: int32[1] is not expected",
    ):
        assert part in str(e.value)


def test_arrays_wider_than_jax_computes_are_not_cut_silently():
    tensors, like = {"params": np.ones(2)}, jax.ShapeDtypeStruct((2,), np.float64)
    with pytest.raises(LoadError, match="jax_enable_x64"):
        unflatten(tensors, "params", like)
    with jax.enable_x64(True):
        assert unflatten(tensors, "params", like).dtype == np.float64


# What cannot be written is refused before the file is touched


@pytest.mark.parametrize(
    ("data", "tensors", "said"),
    [
        ({"a": float("nan")}, {}, "plain JSON"),
        ({"a": {1, 2}}, {}, "plain JSON"),
        ({"a": np.float32(1)}, {}, "plain JSON"),
        ({}, {"params/0/W": np.array([1.0, np.nan])}, "params/0/W holds NaN"),
        ({}, {"params/0/W": np.array([np.inf], ml_dtypes.bfloat16)}, "params/0/W holds NaN"),
        ({}, {"x": np.array(["text"])}, "has no place"),
        ({}, {"x": np.array([None])}, "has no place"),
        ({}, {"x": np.ones(2, complex)}, "has no place"),
        ({}, {"__metadata__": np.ones(2)}, "has no place"),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_file_stays(tmp_path, data, tensors, said):
    path = tmp_path / "m"
    write(path, DATA, TENSORS)
    before = path.read_bytes()
    with pytest.raises(DesignError, match=said):
        write(path, data, tensors)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m"]


def test_deep_data_are_refused_when_written():
    def nested(depth):
        data: dict = {}
        for _ in range(depth):
            data = {"a": data}
        return data

    parse(encoded(nested(modelfile.DEEPEST - 2), {}))
    with pytest.raises(DesignError, match="nested"):
        encoded(nested(modelfile.DEEPEST + 1), {})
    with pytest.raises(DesignError):
        encoded(nested(10**5), {})


def test_histories_may_hold_nan():
    assert np.isnan(parse(encoded({}, {"history/val_loss": np.array([1.0, np.nan])}))[1]["history/val_loss"][1])


# Damage


def test_every_flipped_bit_is_detected():
    blob = encoded()
    assert 8 * len(blob) >= 10_000
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LoadError):
            parse(bytes(damaged))


def test_every_truncation_and_every_longer_file_is_detected():
    blob = encoded()
    for size in range(len(blob)):
        with pytest.raises(LoadError):
            parse(blob[:size])
    for more in (b"\0", b" ", b"\0" * 8, blob):
        with pytest.raises(LoadError):
            parse(blob + more)


def test_swapped_arrays_of_one_shape_are_detected():
    arrays = {"params/0/W": np.ones((2, 2), np.float32), "params/1/W": np.zeros((2, 2), np.float32)}
    blob = encoded({}, arrays)
    with pytest.raises(LoadError, match="'params/0/W' is not the one that was written"):
        parse(blob[:-32] + blob[-16:] + blob[-32:-16])
    header = blob[8:-32].replace(b"params/0/W", b"params/x/W").replace(b"params/1/W", b"params/0/W")
    with pytest.raises(LoadError):
        parse(blob[:8] + header.replace(b"params/x/W", b"params/1/W") + blob[-32:])


@pytest.mark.slow
def test_a_million_damaged_files_raise_only_load_errors():
    draw, blob = random.Random(0), encoded()
    words = [
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b"0",
        b"9" * 20,
        b"-1",
        b"null",
        b"\\u0000",
        b'"F32"',
        b"1e999",
        b"__metadata__",
    ]
    for _ in range(1_000_000):
        damaged = bytearray(blob)
        for _ in range(draw.randint(1, 4)):
            at, kind = draw.randrange(len(damaged)), draw.randrange(4)
            if kind == 0:
                damaged[at] = draw.randrange(256)
            elif kind == 1:
                del damaged[at : at + draw.randint(1, 40)]
            elif kind == 2:
                damaged[at:at] = draw.choice(words)
            else:
                damaged[at : at + 8] = draw.randbytes(8)
        if damaged != blob:
            with pytest.raises(LoadError):
                parse(bytes(damaged))


# Files made to deceive: sealed and summed up correctly, unless their point is that they are not


def sealed(entries: dict, body: bytes = b"", content: Any = None, text: str | None = None, **metadata) -> bytes:
    """A file with any header, sealed as ours are."""
    if text is None:
        digests = {
            name: hashlib.sha256(body[slice(*map(int, e["data_offsets"]))] if isinstance(e, dict) else b"").hexdigest()
            for name, e in entries.items()
        }
        text = _compact({"format": 1, "data": {}, "sha256": digests} if content is None else content)

    def header(seal):
        made = _compact({"__metadata__": {"chainrule": text, "sha256": seal} | metadata, **entries}).encode()
        return made + b" " * (-len(made) % 8)

    made = header(hashlib.sha256(header("0" * 64)).hexdigest())
    return len(made).to_bytes(8, "little") + made + body


def plain(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def array(dtype: Any = "F32", shape: tuple = (1,), offsets: tuple = (0, 4)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def _compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=False)


ONE = b"\0\0\x80\x3f"
DEEP = "[" * 10**5 + "]" * 10**5
HOSTILE = {
    "empty": b"",
    "zeros": b"\0" * 4096,
    "header of 2**63 bytes": (2**63).to_bytes(8, "little") + b"{}",
    "header of 2**64 - 1 bytes": b"\xff" * 8 + b"{}",
    "header longer than the file": (10**6).to_bytes(8, "little") + b"{}",
    "header that is a list": plain(b"[1, 2]  "),
    "header that is a number": plain(b"1       "),
    "header in UTF-16": plain("{}".encode("utf-16")),
    "header of invalid UTF-8": plain(b'{"\xff\xfe": 1}'),
    "header nested 10**5 deep": plain(b'{"a":' + DEEP.encode() + b"}"),
    "header with a number of 10**5 digits": plain(b'{"a":' + b"9" * 10**5 + b"}"),
    "header with NaN": plain(b'{"a":NaN}'),
    "header with a duplicate key": plain(b'{"__metadata__":{},"__metadata__":{}}'),
    "no metadata": plain(b"{}"),
    "metadata of another tool": plain(b'{"__metadata__":{"format":"pt"}}'),
    "metadata that is a list": plain(b'{"__metadata__":["chainrule"]}'),
    "no seal": plain(b'{"__metadata__":{"chainrule":"{}"}}'),
    "more metadata": sealed({}, more="1"),
    "text that is not JSON": sealed({}, text="import os"),
    "text that is a list": sealed({}, text="[]"),
    "text nested 10**5 deep": sealed({}, text='{"format":1,"sha256":{},"data":{"a":' + DEEP + "}}"),
    "text nested 900 deep": sealed({}, text='{"format":1,"sha256":{},"data":{"a":' + "[" * 900 + "]" * 900 + "}}"),
    "text with a duplicate key": sealed({}, text='{"format":1,"data":{},"data":{},"sha256":{}}'),
    "text with infinity": sealed({}, text='{"format":1,"data":{"a":Infinity},"sha256":{}}'),
    "data that are a list": sealed({}, content={"format": 1, "data": [], "sha256": {}}),
    "format 0": sealed({}, content={"format": 0, "data": {}, "sha256": {}}),
    "format true": sealed({}, content={"format": True, "data": {}, "sha256": {}}),
    "format as text": sealed({}, content={"format": "1", "data": {}, "sha256": {}}),
    "no format": sealed({}, content={"data": {}, "sha256": {}}),
    "no digests": sealed({"a": array()}, ONE, content={"format": 1, "data": {}, "sha256": {}}),
    "a digest too many": sealed({}, content={"format": 1, "data": {}, "sha256": {"a": "0" * 64}}),
    "a digest that is null": sealed({"a": array()}, ONE, content={"format": 1, "data": {}, "sha256": {"a": None}}),
    "overlapping arrays": sealed({"a": array(), "b": array()}, ONE),
    "overlapping arrays in a file as long as both": sealed({"a": array(), "b": array()}, ONE * 2),
    "a gap between arrays": sealed({"a": array(), "b": array(offsets=(8, 12))}, ONE * 3),
    "offsets beyond the file": sealed({"a": array(offsets=(0, 8), shape=(2,))}, ONE),
    "offsets that go back": sealed({"a": array(offsets=(4, 0))}, ONE),
    "offsets of three": sealed({"a": array(offsets=(0, 4, 4))}, ONE),
    "negative offsets": sealed({"a": array(offsets=(-4, 0))}, ONE),
    "fractional offsets": sealed({"a": array(offsets=(0, 4.0))}, ONE),
    "bytes left over": sealed({"a": array()}, ONE * 2),
    "a huge shape": sealed({"a": array(shape=(2**62, 2**62))}, ONE),
    "a shape whose size wraps to 4 bytes": sealed({"a": array(shape=(2**62 + 1, 4))}, ONE),
    "a huge shape without elements": sealed({"a": array(shape=(0, 2**62, 2**62), offsets=(0, 0))}),
    "a negative shape": sealed({"a": array(shape=(-1, -1))}, ONE),
    "a shape of truth values": sealed({"a": array(shape=(True,))}, ONE),
    "a shape of 10**5 axes": sealed({"a": array(shape=(1,) * 10**5)}, ONE),
    "an unknown type": sealed({"a": array(dtype="O")}, ONE),
    "a type that is a list": sealed({"a": array(dtype=["F32"])}, ONE),
    "an entry that is text": sealed({"a": "F32"}),
    "an entry with a field more": sealed({"a": array() | {"__reduce__": "os.system"}}, ONE),
    "a truth value of 2": sealed({"a": array(dtype="BOOL", offsets=(0, 1))}, b"\2"),
    "weights of NaN": sealed({"params/0/W": array()}, b"\0\0\xc0\x7f"),
    "weights of infinity": sealed({"params/0/W": array(dtype="F64", offsets=(0, 8))}, b"\0\0\0\0\0\0\xf0\x7f"),
    "a pickle": pickle.dumps({"a": 1}),
    "a pickle of an old protocol": pickle.dumps({"a": 1}, protocol=0),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_files_made_to_deceive_raise_only_load_errors(name):
    with pytest.raises(LoadError):
        parse(HOSTILE[name])


def test_the_forge_of_these_tests_makes_files_that_load():
    data, tensors = parse(sealed({"a": array(), "../../b": array(offsets=(4, 8))}, ONE * 2))
    assert data == {}
    assert_same(tensors, {"a": np.ones(1, np.float32), "../../b": np.ones(1, np.float32)})


def test_huge_promises_take_no_memory():
    import tracemalloc

    tracemalloc.start()
    for name in ("header of 2**63 bytes", "a huge shape", "a huge shape without elements", "zeros"):
        with pytest.raises(LoadError):
            parse(HOSTILE[name])
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_newer_format_says_which_and_what_to_do():
    with pytest.raises(LoadError, match=r"format 2.*reads format 1.*pip install --upgrade chainrule"):
        parse(sealed({}, content={"format": 2, "all": "different"}))


def test_foreign_files_are_named(tmp_path):
    with pytest.raises(LoadError, match="pickle, which could run any code"):
        parse(HOSTILE["a pickle"])
    with zipfile.ZipFile(tmp_path / "z", "w") as file:
        file.writestr("data.pkl", b"x" * 100)
    with pytest.raises(LoadError, match=r"z: This is a zip archive"):
        read(tmp_path / "z")
    from safetensors.numpy import save_file

    save_file({"W": np.ones(2)}, tmp_path / "s")
    with pytest.raises(LoadError, match="chainrule did not write"):
        read(tmp_path / "s")


# Places that are no files


def test_absent_folder_fifo_device_and_forbidden(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "forbidden").write_bytes(encoded())
    (tmp_path / "forbidden").chmod(0)
    for path, said in [
        (tmp_path / "absent", "does not exist"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("a\0b", "cannot be read"),
        (tmp_path / ("x" * 5000), "cannot be read"),
    ]:
        with pytest.raises(LoadError, match=said):
            read(path)
    if os.geteuid() != 0:
        with pytest.raises(LoadError, match="Permission denied"):
            read(tmp_path / "forbidden")


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    write(tmp_path / "m", DATA, TENSORS)
    (tmp_path / "link").symlink_to(tmp_path / "m")
    write(tmp_path / "link", {"new": 1}, {})
    assert (tmp_path / "link").is_symlink() and read(tmp_path / "m")[0] == read(tmp_path / "link")[0] == {"new": 1}
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(LoadError, match="cannot be read"):
        read(tmp_path / "loop")


def test_where_nothing_can_be_written(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "no" / "folder", tmp_path / ("x" * 300), "/dev/null"):
        with pytest.raises(LoadError, match="cannot be written: .*Nothing was written"):
            write(path, DATA, TENSORS)
    assert os.listdir(tmp_path) == ["fifo"]


# A full disk, a kill, several writers


def _python(code: str, *arguments: str, env: dict | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=os.environ | (env or {}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path):
    write(tmp_path / "m", DATA, TENSORS)
    out = _python(
        """
        import resource, sys, numpy as np
        from chainrule.errors import LoadError
        from chainrule.train.modelfile import write
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            write(sys.argv[1], {}, {"x": np.ones(10_000)})
        except LoadError as e:
            print(e)
        """,
        str(tmp_path / "m"),
    )
    assert "File too large. The file that was there is intact." in out
    assert os.listdir(tmp_path) == ["m"]
    assert_same(read(tmp_path / "m")[1], TENSORS)


def test_a_failed_rename_or_an_interruption_leaves_no_trace(tmp_path, monkeypatch):
    write(tmp_path / "m", DATA, TENSORS)
    for error, expected in ((PermissionError(1, "Operation not permitted"), LoadError), (KeyboardInterrupt(), None)):

        def fails(*_, error=error):
            raise error

        monkeypatch.setattr(os, "replace", fails)
        with pytest.raises(expected or KeyboardInterrupt):
            write(tmp_path / "m", {}, {})
        assert os.listdir(tmp_path) == ["m"]
    assert_same(read(tmp_path / "m")[1], TENSORS)


KILLER = """
    import itertools, os, random, signal, sys, time
    import numpy as np
    from chainrule.train.modelfile import read, write
    path, kills, draw, last, litter = sys.argv[1], int(sys.argv[2]), random.Random(0), 0, 0
    for _ in range(kills):
        seen, said = os.pipe()
        writer = os.fork()
        if writer == 0:
            for i in itertools.count(last + 1):
                write(path, {"i": i}, {"x": np.full(100_000, i)})
                os.write(said, b"%d\\n" % i)
        os.close(said)
        done = os.read(seen, 10)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        while more := os.read(seen, 1000):
            done += more
        os.close(seen)
        done = int(done.split()[-1])
        data, tensors = read(path)
        assert data["i"] in (done, done + 1) and np.all(tensors["x"] == data["i"])
        litter += len(os.listdir(os.path.dirname(path))) > 1
        last = data["i"]
    write(path, {}, {})
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    print(litter)
"""


def killed_while_writing(path, kills: int) -> int:
    """Kill a writer again and again, at random moments: what was last written loads. How often a kill left litter."""
    return int(_python(KILLER, str(path), str(kills)))


def test_kills_while_writing_lose_nothing(tmp_path):
    killed_while_writing(tmp_path / "m", kills=20)


@pytest.mark.slow
def test_500_kills_while_writing_lose_nothing(tmp_path):
    assert killed_while_writing(tmp_path / "m", kills=500) > 0


def test_what_a_killed_writer_left_goes_at_the_next_write_and_nothing_else_does(tmp_path):
    stays = [".m.notes.tmp", ".m.tmp", ".other.0123456789abcdef.tmp", "m.0123456789abcdef.tmp"]
    for name in [*stays, ".m.0123456789abcdef.tmp"]:
        (tmp_path / name).write_text("left")
    write(tmp_path / "m", DATA, TENSORS)
    assert sorted(os.listdir(tmp_path)) == sorted([*stays, "m"])


def test_several_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    code = """
        import sys, numpy as np
        from chainrule.train.modelfile import read, write
        for i in range(30):
            write(sys.argv[1], {"who": sys.argv[2]}, {"x": np.full(5000, int(sys.argv[2]))})
            data, tensors = read(sys.argv[1])
            assert np.all(tensors["x"] == int(data["who"]))
    """
    writers = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "m"), str(who)])
        for who in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert os.listdir(tmp_path) == ["m"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "m", {}, {})
    finally:
        os.umask(old)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640
