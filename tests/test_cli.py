"""The command line does its job, says it in plain words or one JSON object, and ends with the right code."""

import csv
import gc
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import chainrule as cr
from chainrule.cli import app as application
from chainrule.cli import reference
from chainrule.cli.app import app, run
from chainrule.cli.interruption import interruptible
from chainrule.cli.pasted import pasted
from chainrule.cli.terminal import Terminal
from chainrule.train.history import History
from chainrule.train.progress import screen
from chainrule.train.training import Standing

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-c", "from chainrule.cli import main; main()"]
FOUND = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""Where `chainrule` is found: the commands that are printed begin with it then."""
COMMANDS = ["demo", "fit", "design", "predict", "evaluate", "explain", "report", "resume", "data"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "xla"))
    monkeypatch.setenv("PATH", FOUND)
    return tmp_path


@pytest.fixture(scope="module")
def tumors(tmp_path_factory):
    """A run on a small table with words and blanks, made by the command itself, and what it printed."""
    place = tmp_path_factory.mktemp("tumors")
    (place / "small.csv").write_text(table(80))
    said = called("fit", "small.csv", "--target", "kind", "--epochs", "3", "--out", "run", cwd=place)
    assert said.returncode == 0, said.stderr
    return place, said


def table(rows: int, target: bool = True) -> str:
    rng = np.random.default_rng(0)
    size, shade = rng.normal(size=rows), rng.choice(["light", "dark"], rows)
    lines = ["shade,size,weight" + (",kind" if target else "")]
    for i in range(rows):
        kind = "big" if size[i] + 0.3 * rng.normal() > 0 else "small"
        cells = [shade[i], f"{size[i]:.4f}", "?" if i % 9 == 5 else f"{rng.normal():.4f}"]
        lines.append(",".join([*cells, kind] if target else cells))
    return "\n".join(lines) + "\n"


def called(*arguments, cwd=None, **environment):
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ
        | {"JAX_COMPILATION_CACHE_DIR": str(ROOT / ".pytest_cache" / "xla"), "COLUMNS": "80", "PATH": FOUND}
        | environment,
    )


def in_process(capsys, *arguments):
    code = run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


# Help and reference


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_names_the_command(command):
    said = CliRunner().invoke(app, [command, "--help"])
    assert said.exit_code == 0
    assert "Example" in said.output and f"\n    chainrule {command}" in said.output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_reference_list_the_same_options(command):
    group: Any = typer.main.get_command(app)
    text = reference.section(command, group.commands[command])
    shown = CliRunner().invoke(app, [command, "--help"]).output
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", shown)) - {"--help"} == set(
        re.findall(r"--[a-z]+(?:-[a-z]+)*", text)
    )


def test_the_reference_is_what_the_commands_say():
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference.reference()


def test_usage_names_arguments_plainly():
    for command, usage in (("predict", "[OPTIONS] RUN DATA\n"), ("demo", "[OPTIONS] [cancer|houses]\n")):
        assert usage in CliRunner().invoke(app, [command, "--help"]).output
    shown = CliRunner().invoke(app, ["demo", "--help"]).output
    assert "default: 0" not in shown and "Default: 0." in shown


def test_help_needs_neither_jax_nor_sklearn():
    code = (
        "import sys; from chainrule.cli.app import run; run(['fit', '--help']); "
        "print(sorted({'jax', 'numpy', 'sklearn', 'rich'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


def test_no_arguments_print_the_help_and_version_the_version(capsys):
    assert in_process(capsys)[0] == 0
    code, out, _ = in_process(capsys, "--version")
    assert code == 0 and out.startswith("chainrule 0.")


# Exit codes and messages


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["fit"], "Missing argument"),
        (["nonsense"], "nonsense"),
        (["fit", "iris", "--epochs", "0"], "--epochs"),
        (["fit", "iris", "--nonsense"], "--nonsense"),
        (["fit", "iris", "--task", "poetry"], "poetry"),
        (["fit", "iris", "--time-budget", "-1"], "not a number above 0"),
        (["fit", "iris", "--target", "specis"], "Did you mean 'species'?"),
        (["fit", "iris", "--drop", "petal"], "no column 'petal'"),
        (["fit", "iris", "--ahead", "1"], "--time COLUMN"),
        (["fit", "iris", "--drop", "species"], "'species' is the target"),
        (["design", "iris", "--features", "petal width (cm),species"], "'species' is the target"),
        (["fit", "iris", "--decimal", ";"], "--decimal"),
        (["design", "small.csv"], "--target is missing; the columns are shade, size, weight, kind"),
    ],
)
def test_wrong_use_is_2(capsys, arguments, said):
    Path("small.csv").write_text(table(5))
    code, out, err = in_process(capsys, *arguments)
    assert code == 2 and not out
    assert err.startswith("error: ") and said in " ".join(err.split()) and "--help`" in err
    code, out, err = in_process(capsys, *arguments, "--json")
    assert code == 2 and not err
    assert json.loads(out)["kind"] == "WrongUse"


@pytest.mark.parametrize(
    "arguments, kind",
    [
        (["fit", "absent.csv", "--target", "y"], "LoadError"),
        (["predict", "absent", "iris"], "LoadError"),
        (["predict", "last", "iris"], "LoadError"),
        (["resume", "last"], "LoadError"),
        (["resume", "absent"], "LoadError"),
        (["data", "absent"], "LoadError"),
        (["fit", "one.csv", "--target", "y"], None),
    ],
)
def test_a_failed_job_is_1(capsys, arguments, kind):
    Path("one.csv").write_text("x,y\n" + "1,2\n" * 30)
    code, out, err = in_process(capsys, *arguments)
    assert code == 1 and err.count("error: ") == 1 and "Traceback" not in err
    code, out, err = in_process(capsys, *arguments, "--json")
    said = json.loads(out)
    assert code == 1 and said["error"] and kind in (None, said["kind"])
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_an_absent_file_named_like_an_embedded_set_is_the_embedded_set_and_a_file_wins(capsys):
    assert json.loads(in_process(capsys, "data", "iris", "--json")[1])["rows"] == 150
    Path("iris").write_text("a,b\n1,2\n3,4\n")
    assert json.loads(in_process(capsys, "data", "iris", "--json")[1])["rows"] == 2


def test_a_warning_is_one_note(capsys):
    Path("small.csv").write_text(
        "\n".join(f"{line},{7 if i else 'always'}" for i, line in enumerate(table(60).split()))
    )
    code, _, err = in_process(capsys, "design", "small.csv", "--target", "kind")
    assert code == 0, err
    assert err.count("note: ") == 1 and "always" in err and ".py" not in err
    code, out, err = in_process(capsys, "design", "small.csv", "--target", "kind", "--json")
    assert code == 0 and "note: " in err
    json.loads(out)


def test_an_error_of_ours_in_a_design_file(capsys):
    Path("design.json").write_text('{"Design": {}}')
    code, _, err = in_process(capsys, "fit", "iris", "--design", "design.json")
    assert code == 1 and "error: " in err
    code, _, err = in_process(capsys, "fit", "iris", "--design", "design.json", "--task", "regression")
    assert code == 2 and "leave out --task" in err


# data and design


def test_data_lists_and_shows(capsys):
    code, out, _ = in_process(capsys, "data")
    assert code == 0 and all(name in out for name in ("breast_cancer", "digits", "diabetes", "wine", "iris"))
    code, out, _ = in_process(capsys, "data", "breast_cancer")
    assert "diagnosis" in out and "category" in out and max(map(len, out.splitlines())) <= 100


def test_design_says_reasons_and_sizes_and_can_be_fitted(tumors):
    place, _ = tumors
    said = called("design", "small.csv", "--target", "kind", "--epochs", "2", "-o", "design.json", cwd=place)
    assert said.returncode == 0, said.stderr
    for words in ("Why", "parameters", "FLOPs", "signal", "chainrule fit small.csv --design design.json"):
        assert words in said.stdout
    said = called("fit", "small.csv", "--design", "design.json", "--json", "--out", "edited", cwd=place)
    assert said.returncode == 0, said.stderr + said.stdout
    assert json.loads(said.stdout)["epochs"] == 2


# fit, evaluate, predict


def test_fit_says_scores_beside_baselines_and_leaves_a_run(tumors):
    place, said = tumors
    for words in ("Design", "Why", "95 % interval", "majority", "logistic", "recall[big]", "16 rows"):
        assert words in said.stdout, words
    assert not said.stderr or "note: " in said.stderr  # no bar where nobody watches
    assert {p.name for p in (place / "run").iterdir()} == {
        "design.json",
        "history.csv",
        "model.safetensors",
        "report.html",
        "scores.json",
    }
    scores = json.loads((place / "run" / "scores.json").read_text())
    assert scores["baselines"].keys() == {"majority", "logistic"}


def test_the_command_at_the_end_works_when_pasted(tumors):
    place, said = tumors
    command = next(line for line in said.stdout.splitlines() if line.startswith("  chainrule predict"))
    assert called(*command.split()[1:], cwd=place).returncode == 0
    rows = list(csv.DictReader(io.StringIO((place / "predictions.csv").read_text())))
    assert len(rows) == 80 and list(rows[0]) == ["prediction", "probability big", "probability small"]
    for row in rows:
        big, small = float(row["probability big"]), float(row["probability small"])
        assert row["prediction"] == ("big" if big >= small else "small") and abs(big + small - 1) < 1e-5


def test_predict_takes_columns_in_any_order_without_the_target(tumors, workplace):
    place, _ = tumors
    lines = [line.split(",") for line in table(80).splitlines()]
    Path("other.csv").write_text("\n".join(",".join([w, "9", s, d]) for d, s, w, _ in lines).replace("9", "more", 1))
    same = called("predict", str(place / "run"), str(place / "small.csv"), cwd=workplace)
    other = called("predict", str(place / "run"), "other.csv", cwd=workplace)
    assert same.returncode == other.returncode == 0, other.stderr
    assert same.stdout == other.stdout and same.stdout.startswith("prediction,")


def test_evaluate_gives_intervals(tumors):
    place, _ = tumors
    said = called("evaluate", "run", "small.csv", "--json", cwd=place)
    assert said.returncode == 0, said.stderr
    accuracy, low, high = json.loads(said.stdout)["scores"]["estimates"]["accuracy"]
    assert 0 <= low <= accuracy <= high <= 1


def test_evaluate_says_where_rows_were_trained_on(tumors, capsys):
    place, _ = tumors
    code, out, err = in_process(capsys, "evaluate", str(place / "run"), str(place / "small.csv"), "--json")
    assert code == 0 and json.loads(out)["trained_on"]
    assert "trained on most rows" in " ".join(err.split()) and "scores.json" in err
    Path("other.csv").write_text(table(81))
    code, out, err = in_process(capsys, "evaluate", str(place / "run"), "other.csv", "--json")
    assert code == 0 and not json.loads(out)["trained_on"] and not err


def test_last_is_named_by_its_directory(tumors, capsys, monkeypatch):
    shutil.copytree(tumors[0] / "run", Path("runs", "tumors-001"))
    Path("other.csv").write_text(table(81))
    last = str(Path("runs", "tumors-001"))
    for command in ("predict", "evaluate"):
        code, out, err = in_process(capsys, command, "last", "other.csv", "--json")
        assert code == 0 and json.loads(out)["run"] == last, err
    assert in_process(capsys, "evaluate", "last", "other.csv")[1].startswith(f"{last} on other.csv: 81 rows")


def test_json_is_one_object_and_nothing_else(workplace):
    said = called("fit", "iris", "--epochs", "2", "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    assert said.stdout.count("\n") == 1 and answer["run"] == str(Path("runs") / "iris-001")
    assert answer["scores"]["baselines"]["logistic"]["accuracy"] > 0.5


def test_quiet_says_only_the_directory_and_last_is_the_newest(capsys):
    for number in ("001", "002"):
        code, out, _ = in_process(capsys, "fit", "iris", "--epochs", "2", "--quiet")
        assert code == 0 and out == f"{Path('runs') / f'iris-{number}'}\n"
    code, out, err = in_process(capsys, "predict", "last", "iris", "--json")
    assert code == 0 and len(json.loads(out)["columns"]["prediction"]) == 150, err


def test_a_run_is_never_overwritten(tumors):
    place, _ = tumors
    said = called("fit", "small.csv", "--target", "kind", "--out", "run", cwd=place)
    assert said.returncode == 1 and "never overwrites" in " ".join(said.stderr.split())


def test_no_header_is_remembered_for_prediction(capsys):
    Path("bare.csv").write_text("\n".join(table(80).splitlines()[1:]))
    code, _, err = in_process(
        capsys, "fit", "bare.csv", "--no-header", "--target", "c4", "--epochs", "2", "--out", "run"
    )
    assert code == 0, err
    code, out, err = in_process(capsys, "predict", "run", "bare.csv")
    assert code == 0 and len(out.splitlines()) == 81, err


def test_decimal_commas_are_remembered_and_said_once(capsys):
    rows = [line.split(",") for line in table(80).splitlines()]
    text = "\n".join(";".join(cell.replace(".", ",") for cell in row) for row in rows)
    Path("comma.csv").write_text(text)
    fit = ["fit", "comma.csv", "--target", "kind", "--epochs", "1", "--quiet", "--out"]
    code, _, err = in_process(capsys, *fit, "found")
    assert code == 0 and "decimal commas" in err and "--decimal" in err
    code, out, err = in_process(capsys, "predict", "found", "comma.csv")
    assert code == 0 and not err, "the note was said when the network was trained"
    code, _, err = in_process(capsys, *fit, "said", "--decimal", ",")
    assert code == 0 and "decimal" not in err
    Path("few.csv").write_text("shade;size;weight\nlight;1,234;2,345\n")
    code, _, err = in_process(capsys, "predict", "found", "few.csv")
    assert code == 1 and "--decimal ," in err, "1,234 may be a thousand"
    code, once, err = in_process(capsys, "predict", "said", "few.csv")
    assert code == 0 and not err
    assert in_process(capsys, "predict", "said", "few.csv", "--decimal", ",")[1] == once
    other = in_process(capsys, "predict", "said", "few.csv", "--decimal", ".")
    assert other[0] == 0 and other[1] != once
    said = in_process(capsys, "design", "comma.csv", "--target", "kind", "--decimal", ",")[1]
    assert "fit comma.csv --decimal , --design design.json" in said


def test_an_ensemble_and_a_time_budget_are_said(capsys):
    code, out, err = in_process(capsys, "fit", "iris", "--ensemble", "2", "--time-budget", "0.01")
    assert code == 0, err
    assert re.search(r"ensemble +2 networks, their answers averaged", out)
    assert "(the time budget of 0.01 s)" in out and "stopped early" not in out


def test_an_error_that_nobody_foresaw_is_one_line(capsys, monkeypatch):
    def broken(*arguments):
        raise TypeError("a list\ncame")

    monkeypatch.setattr("chainrule.cli.inputs.read", broken)
    code, out, err = in_process(capsys, "data", "iris")
    text = " ".join(err.split())
    assert code == 1 and not out and "Traceback" not in err
    assert text.startswith("error: unexpected: TypeError: a list came. This is a bug of chainrule 0.")
    code, out, err = in_process(capsys, "data", "iris", "--json")
    assert code == 1 and not err and json.loads(out)["error"].startswith("unexpected: TypeError")
    monkeypatch.setenv("CHAINRULE_DEBUG", "1")
    assert "Traceback" in in_process(capsys, "data", "iris")[2]


@pytest.mark.skipif(os.name == "nt", reason="a program is a file with a mode")
def test_printed_commands_name_the_program_that_printed_them(workplace, monkeypatch):
    own = workplace / "tools" / "bin" / "chainrule"
    own.parent.mkdir(parents=True)
    own.write_text("")
    own.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(own)])
    monkeypatch.setenv("PATH", os.defpath)
    assert pasted("predict", "last", "a b.csv") == "tools/bin/chainrule predict last 'a b.csv'"
    monkeypatch.chdir(own.parent)
    assert pasted("demo") == "./chainrule demo"
    (workplace / "else").mkdir()
    monkeypatch.chdir(workplace / "else")
    assert pasted("demo") == f"{own} demo"
    monkeypatch.setenv("PATH", str(own.parent))
    assert pasted("demo") == "chainrule demo"


def test_regression_beside_the_mean_and_ridge(capsys):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 2))
    lines = [f"{a:.4f},{b:.4f},{3 * a - b + 0.1 * rng.normal():.4f}" for a, b in x]
    Path("plane.csv").write_text("\n".join(["a,b,height", *lines]))
    code, out, err = in_process(capsys, "fit", "plane.csv", "--target", "height", "--epochs", "3", "--ascii")
    assert code == 0, err
    assert out.isascii() and "ridge" in out and "rmse" in out
    code, out, err = in_process(capsys, "predict", "last", "plane.csv")
    assert out.splitlines()[0] == "prediction" and len(out.splitlines()) == 91, err


def test_symbols_have_words_where_the_encoding_lacks_them(workplace):
    Path("größe.csv").write_text(table(60), encoding="utf-8")
    said = called("design", "größe.csv", "--target", "kind", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert said.returncode == 0, said.stderr
    assert said.stdout.isascii() and "gro" in said.stdout


def test_the_demo_without_a_network_says_how_to_pass_a_file(capsys, monkeypatch):
    import sklearn.datasets

    def unreachable(**settings):
        raise OSError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_california_housing", unreachable)
    code, _, err = in_process(capsys, "demo", "houses")
    assert code == 1 and "chainrule fit houses.csv --target median_house_value" in " ".join(err.split())


def test_the_demo_speaks_of_malignant_tumors(capsys):
    code, out, err = in_process(capsys, "demo")
    assert code == 0, err
    text = " ".join(out.split())
    assert "sensitivity (recall) for malignant" in text and "Logistic regression finds" in text
    command = out.splitlines()[-1].split()
    assert command == "chainrule predict last breast_cancer -o predictions.csv".split()
    assert in_process(capsys, *command[1:])[0] == 0
    assert len(Path("predictions.csv").read_text().splitlines()) == 570


# Interruptions


LONG = ["fit", "digits", "--epochs", "80", "--seed", "3", "--quiet"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nobody interrupted."""
    place = tmp_path_factory.mktemp("whole")
    said = called(*LONG, "--out", "whole", cwd=place)
    assert said.returncode == 0, said.stderr
    return place / "whole"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_training_goes_on_to_the_same_bytes(whole, number, code):
    for delay in (0.1, 0.3, 0.6, 1, 2, 4, 8):  # until the signal comes while training runs, on a machine of any speed
        began = subprocess.Popen([*COMMAND, *LONG, "--out", "cut"], stderr=subprocess.PIPE, text=True)
        while not Path("cut/design.json").exists():
            assert began.poll() is None and time.sleep(0.01) is None
        time.sleep(delay)
        began.send_signal(number)
        _, err = began.communicate(timeout=60)
        assert "Traceback" not in err
        if list(Path("cut").glob("*.safetensors")):
            break
        assert began.returncode == code and "Nothing was trained yet" in " ".join(err.split())
        shutil.rmtree("cut")
    if Path("cut/scores.json").exists():
        pytest.skip("the run was over before the signal came")
    assert began.returncode == code
    assert "chainrule resume cut" in " ".join(err.split())
    said = called("resume", "cut", "--quiet")
    assert said.returncode == 0 and said.stdout == "cut\n", said.stderr
    for name in ("model.safetensors", "history.csv", "scores.json"):
        assert Path("cut", name).read_bytes() == (whole / name).read_bytes(), name


def test_a_finished_run_is_shown_and_not_touched(tumors, capsys):
    path = tumors[0] / "run"
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.iterdir()}
    code, out, err = in_process(capsys, "resume", str(path))  # its data is not here, and not needed
    assert code == 0 and not err and "is finished already" in " ".join(out.split()) and "logistic" in out
    code, out, _ = in_process(capsys, "resume", str(path), "--json")
    assert json.loads(out)["scores"] == json.loads((path / "scores.json").read_text())
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.iterdir()} == before


def test_data_that_is_gone_or_replaced_is_said_before_anything_is_read(capsys):
    Path("small.csv").write_text(table(60))
    design = cr.design("small.csv", "kind", epochs=2, test=0.2)

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cr.fit(design, "small.csv", out="cut", callbacks=[stop])
    sha = hashlib.sha256(Path("small.csv").read_bytes()).hexdigest()[:12]
    Path("small.csv").rename("moved.csv")
    code, _, err = in_process(capsys, "resume", "cut")
    text = " ".join(err.split())
    assert code == 1 and f"small.csv (SHA-256 {sha}" in text and "no file small.csv" in text
    assert "chainrule resume cut --data FILE" in text
    Path("small.csv").write_text("a\n1,2\n")
    code, out, _ = in_process(capsys, "resume", "cut", "--json")
    said = json.loads(out)
    assert code == 1 and said["kind"] == "DataError" and sha in said["error"] and "holds other data" in said["error"]
    code, out, err = in_process(capsys, "resume", "cut", "--data", "moved.csv", "--quiet")
    assert code == 0 and out == "cut\n", err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_that_the_garbage_collector_swallows_comes_again(workplace):
    def callback(phase, info):
        gc.callbacks.remove(callback)  # first: the signal's exception leaves this function at once
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(typer.Exit) as ended, interruptible(workplace, Terminal()):
        gc.callbacks.append(callback)
        gc.collect()
        time.sleep(5)
    assert ended.value.exit_code == 143


@pytest.mark.parametrize("plain", [True, False])
def test_progress_shows_both_losses_in_its_width(plain):
    losses = {name: np.linspace(1, end, 9)[:, None] for name, end in (("loss", 0.1), ("val_loss", 0.5))}
    text = io.StringIO()
    console = Console(file=text, width=80, force_terminal=False)
    unused: Any = None
    console.print(screen(45, Standing(unused, 20, History(losses)), 5, 90.0, 80, plain))
    lines = text.getvalue().splitlines()
    assert "training loss 0.1" in lines[0] and "validation loss 0.5" in lines[0]
    assert "epoch 9 of 20" in lines[-1] and "2 min left" in lines[-1] and max(map(len, lines)) <= 80
    assert all(line.isascii() for line in lines[:-1]) == plain


# The compilation cache


def test_the_cache_is_private_and_absent_where_it_cannot_be(tmp_path, monkeypatch):
    from chainrule.train import cache

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform != "win32":
        assert cache.directory() == tmp_path / "chainrule" / "xla"
    found = cache.private(tmp_path / "chainrule" / "xla")
    assert found is not None
    if os.name == "posix":
        assert found.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    assert cache.private(tmp_path / "file") is None
    assert cache.private(tmp_path / "file" / "below") is None
    (tmp_path / "link").symlink_to(found)
    assert cache.private(tmp_path / "link") is None
    assert cache.private(None) is None


def test_a_damaged_cache_breaks_nothing(tumors, workplace):
    place, cache = tumors[0], workplace / "cache"
    first = called("predict", "run", "small.csv", cwd=place, JAX_COMPILATION_CACHE_DIR=str(cache))
    files = [p for p in cache.iterdir() if p.name.endswith("-cache")]
    assert first.returncode == 0 and files, first.stderr
    for file in files:
        file.write_bytes(b"damaged")
    again = called("predict", "run", "small.csv", cwd=place, JAX_COMPILATION_CACHE_DIR=str(cache))
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, first.stderr)


def test_exit_codes_are_the_documented_ones():
    assert (application.DONE, application.FAILED, application.WRONG_USE) == (0, 1, 2)
