"""chainrule explain: prints the equations of a run, says what was checked, and ends with the right code."""

import json
import shutil
import sys
from unicodedata import combining

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.app import run
from chainrule.cli.explain import EXAMPLES, encoded, finite
from chainrule.equations.derivation import algebra
from chainrule.equations.explanation import Explanation

FORMATS = ("latex", "html", "numpy")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A directory with a table and two runs: on the table, and on arrays."""
    place = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal():.4f},{rng.normal():.4f},{'big' if rng.normal() > 0 else 'small'}" for _ in range(60)]
    (place / "small.csv").write_text("size,weight,kind\n" + "\n".join(rows) + "\n")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(place)
        design = cr.design("small.csv", target="kind")
        cr.fit(design, "small.csv", epochs=1, progress=False, out="run")
        X = rng.normal(size=(20, 3)).astype(np.float32)
        cr.fit(cr.Chain(cr.Dense(1)), X, X[:, 0], epochs=1, progress=False, out="arrays")
    return place


@pytest.fixture(autouse=True)
def workplace(made, tmp_path, monkeypatch):
    """A copy of it, in which each test stands."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def said(capsys):
    """A command's exit code, what it printed, and its errors."""

    def call(*arguments):
        code = run(["explain", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def equations(**options):
    """The explanation that the command is about."""
    from chainrule.equations.explain import explain
    from chainrule.train import explained  # noqa: F401

    return explain(cr.load("run"), **options)


def test_the_text_is_that_of_the_library(said):
    code, out, err = said("run")
    assert (code, err) == (0, "")
    assert out == equations().text(width=80)
    assert "∂L/∂W1 = xᵀ δz1" in out and "\x1b" not in out
    assert max(sum(not combining(c) for c in line) for line in out.splitlines()) <= 80


def test_it_is_as_wide_as_the_terminal_and_colored_there(said, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert said("run")[1] == equations().text(width=60, color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert said("run")[1] == equations().text(width=60, color=False)


def test_training_and_unfold_reach_the_explanation(said):
    assert said("run", "--training", "--unfold")[1] == equations(training=True).text(width=80, fold=False)


def test_json_holds_each_line_with_its_check_and_nothing_else(said):
    code, out, err = said("run", "--json")
    answer, ex = json.loads(out), equations()
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert answer["verified"] is True and answer["verdict"] == ex.verdict
    assert [line["text"] for line in answer["lines"]] == [line.text for line in ex.lines]
    first = answer["lines"][0]
    assert set(first) == {"symbol", "text", "kind", "shape", "scope", "status", "reason", "errors"}
    assert first["status"] == "verified" and 0 <= first["errors"]["printed"] < 1e-9
    assert {e["symbol"]: e["shape"] for e in answer["legend"]}["x"] == "N×2"


def test_errors_that_are_no_numbers_are_null_in_json():
    assert finite({"a": 1.0}["a"]) == 1.0 and finite(float("inf")) is None
    assert finite([1, [float("nan"), 2.5]]) == [1, [None, 2.5]]


def test_ascii_has_words_for_every_symbol(said):
    out = said("run", "--ascii")[1]
    assert out.isascii() and "?" not in out
    assert "dL/dW1 = x^T dz1" in out and " ok\n" in out


def test_symbols_stay_where_they_can_be_shown():
    assert encoded("m̂ = m₊ / (1 − β1^t), x̃₂", True) == "m_hat = m_next / (1 − beta1^t), x_tilde2"
    assert encoded("δz ⊙ σ(z)²", False) == "δz ⊙ σ(z)²"


@pytest.mark.parametrize("data", [[], ["--data", "small.csv"]])
def test_a_file_is_written_and_the_verdict_said(said, data):
    code, out, _ = said("run", "-o", "equations.txt", *data)
    with open("equations.txt", encoding="utf-8") as file:
        assert file.read() == equations().text(width=80)
    assert code == 0 and "lines verified" in out and "equations.txt" in out
    answer = json.loads(said("run", "-o", "equations.txt", "--json")[1])
    assert answer["output"] == "equations.txt" and answer["format"] == "text"


@pytest.mark.parametrize("format", FORMATS)
def test_other_formats_are_those_of_the_explanation(said, monkeypatch, format):
    monkeypatch.setattr(Explanation, format, lambda self: f"{format} of {len(self.lines)} lines", raising=False)
    assert said("run", "--format", format)[1] == f"{format} of {len(equations().lines)} lines\n"


class Numbers:
    """What ``Explanation.numbers`` returns, as far as the command knows it."""

    def __init__(self, example):
        self.values = {"z1": np.array([1.5, np.inf]), "L": np.array(0.25)}
        self.example = example

    def __str__(self):
        return f"row {self.example}"


def test_the_numbers_of_a_row(said, monkeypatch):
    monkeypatch.setattr(Explanation, "numbers", lambda self, example: Numbers(example), raising=False)
    assert said("run", "--example", "7")[:2] == (0, "row 7\n")
    answer = json.loads(said("run", "--example", "0", "--json")[1])
    assert answer["example"] == 0 and answer["values"] == {"z1": [1.5, None], "L": 0.25}


def test_a_row_beyond_the_first_is_among_the_examples(said, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Explanation, "numbers", lambda self, example: seen.append(len(self.derivation.subject.data[1])), raising=False
    )
    said("run", "--example", "40")
    assert seen == [41]


def test_a_line_that_fails_is_said_and_the_command_fails(said, monkeypatch):
    plus = algebra.plus
    monkeypatch.setattr(algebra, "plus", lambda a, b, sign=1: plus(a, b, -sign))
    code, out, err = said("run")
    assert (code, err) == (1, "") and "✗" in out and "FAILED" in out
    code, out, err = said("run", "--json")
    assert code == 1 and json.loads(out)["verified"] is False


def test_absent_and_changed_data_are_errors_that_name_the_file(said):
    with open("small.csv", "a") as file:
        file.write("0.1,0.2,big\n")
    code, out, err = said("run")
    words = " ".join(err.split())
    assert (code, out) == (1, "") and "small.csv (SHA-256" in words and "other data now" in words
    assert "--data FILE" in words
    assert said("run", "--data", "small.csv")[0] == 0
    shutil.move("small.csv", "moved.csv")
    code, out, err = said("run", "--json")
    assert (code, err) == (1, "") and json.loads(out)["kind"] == "DataError"
    assert said("run", "--data", "moved.csv")[0] == 0
    code, _, err = said("arrays")
    assert code == 1 and "trained on arrays in memory" in " ".join(err.split())


def test_a_table_without_the_target_is_an_error(said):
    with open("bare.csv", "w") as file:
        file.write("size,weight\n1.0,2.0\n")
    code, _, err = said("run", "--data", "bare.csv")
    assert code == 1 and "kind" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--format", "word"], "latex"),
        (["run", "--example", "0", "--format", "html"], "leave one out"),
        (["run", "--example", "-1"], "--example"),
        (["run", "--decimal", ","], "--data"),
        ([], "RUN"),
    ],
)
def test_wrong_use_ends_with_2(said, arguments, words):
    code, out, err = said(*arguments)
    assert (code, out) == (2, "") and words in " ".join(err.split())


def test_examples_of_the_help_are_commands(said):
    for example in EXAMPLES:
        assert example.startswith("chainrule explain ")
    assert run(["explain", "--help"]) == 0
