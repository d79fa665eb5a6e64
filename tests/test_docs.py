"""The documentation is true: its code runs, and what it names exists."""

import re
from pathlib import Path

import jax

import chainrule as cr

ROOT = Path(__file__).parents[1]


def blocks(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(ROOT / "README.md"):
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    assert "0:Dense" in said and "95 % interval" in said
    assert float(re.findall(r"^(0\.\d+)$", said, re.MULTILINE)[0]) > 0.88
    assert (tmp_path / "digits.safetensors").is_file() and len(names["labels"]) == 1797
    assert isinstance(names["net"].init(jax.random.key(0), names["X"]), tuple)


def test_the_readme_names_what_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    absent = {"explain", "diagnose", "repair"}  # said to come later
    named = set(re.findall(r"\bcr\.(\w+)", text)) - absent
    assert not {name for name in named if not hasattr(cr, name)}
    for path in re.findall(r"\]\(([\w/.]+)\)", text) + re.findall(r"`(docs/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path


def test_the_makefile_has_the_targets_that_are_named():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named = set(re.findall(r"\bmake ([a-z][\w-]+)", (ROOT / page).read_text(encoding="utf-8")))
        assert named <= targets, page
