"""The documentation is true: its code runs, prints what is printed there, and what it names exists.

``python tests/test_docs.py`` writes what the code prints now into the pages, below the code; read the difference.
"""

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

import jax
import pytest

import chainrule as cr

ROOT = Path(__file__).parents[1]
README, EXPLAIN = ROOT / "README.md", ROOT / "docs" / "guides" / "explain.md"
ELSEWHERE = {"other-libraries.md"}
"""Guides that need other libraries: test_adapt.py runs them."""
GUIDES = sorted(path for path in EXPLAIN.parent.glob("*.md") if path.name not in ELSEWHERE)

BLOCK = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<shown>.*?)```)?", re.DOTALL)
"""Code, and what it prints when that is shown below it."""
LEFT_OUT = "⋮"
"""A line that stands for any number of lines."""
DECIMAL = re.compile(r"[−-]?\d+\.\d+(?:e[−-]\d+)?")
ERROR = re.compile(r"(?<=relative error )\S+")


def printed(path: Path, names: dict) -> list[tuple[re.Match, str]]:
    """Run the code of a page from top to bottom: each block with what it prints. ``names`` are what the code makes."""
    out = []
    for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block["code"], path.name, "exec"), names)
        out.append((block, said.getvalue()))
    return out


def difference(shown: str, said: str) -> str:
    """The first line that is not as it is printed; "" when there is none."""
    lines, at, anywhere = said.rstrip().splitlines(), 0, False
    for line in shown.rstrip().splitlines():
        if line.strip() == LEFT_OUT:
            anywhere = True
            continue
        places = range(at, len(lines)) if anywhere else range(at, min(at + 1, len(lines)))
        found = next((k for k in places if alike(line, lines[k])), None)
        if found is None:
            return f"shown:   {line}\nprinted: {lines[at] if at < len(lines) else '(nothing)'}"
        at, anywhere = found + 1, False
    return "" if anywhere or at == len(lines) else f"not shown: {lines[at]}"


def alike(shown: str, said: str) -> bool:
    """Equal but for blanks, sizes of errors, and the last digits of decimals, which depend on the processor."""
    shown, said = (ERROR.sub("small", " ".join(line.split())) for line in (shown, said))
    if shown == said:
        return True
    if DECIMAL.sub("#", shown) != DECIMAL.sub("#", said):
        return False
    pairs = zip(DECIMAL.findall(shown), DECIMAL.findall(said), strict=True)
    return all(abs(number(a) - number(b)) <= 0.02 * abs(number(a)) + unit(a) for a, b in pairs)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def unit(text: str) -> float:
    """The size of a decimal's last digit."""
    digits, _, exponent = text.replace("−", "-").partition("e")
    return 1.001 * 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def refreshed(path: Path) -> str:
    """The page with what its code prints now; where lines are left out, the outputs stay, and differences are said."""
    page = path.read_text(encoding="utf-8")
    for block, said in reversed(printed(path, {})):
        if block["shown"] is None or not (found := difference(block["shown"], said)):
            continue
        if LEFT_OUT in block["shown"]:
            print(f"{path.name}: mend by hand, lines are left out:\n{found}")
        else:
            start, end = block.span("shown")
            page = page[:start] + said.rstrip() + "\n" + page[end:]
    return page


def test_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = printed(README, names)
    for block, said in blocks:
        assert block["shown"] is None or not difference(block["shown"], said), difference(block["shown"], said)
    said = "".join(said for _, said in blocks)
    assert "0:Dense" in said and "95 % interval" in said
    assert float(re.findall(r"^(0\.\d+)$", said, re.MULTILINE)[0]) > 0.88
    assert (tmp_path / "digits.safetensors").is_file() and len(names["labels"]) == 1797
    assert isinstance(names["net"].init(jax.random.key(0), names["X"]), tuple)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_runs_and_prints_what_it_shows(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = printed(path, {})
    assert blocks
    for block, said in blocks:
        assert block["shown"] is None or not difference(block["shown"], said), difference(block["shown"], said)


def test_the_explanations_that_are_shown_are_verified():
    for path in (README, EXPLAIN):
        text = path.read_text(encoding="utf-8")
        assert "lines verified: value, gradient by autodiff" in text and "✗" not in "".join(
            block["shown"] or "" for block in BLOCK.finditer(text)
        )


def test_a_difference_is_seen():
    said = "z1 = x W1\nL = 0.4478\nAll 2 lines verified; largest relative error 5e-16."
    assert not difference(said, said)
    assert not difference("z1 =  x W1\n⋮\nAll 2 lines verified; largest relative error 2e-15.", said)
    assert not difference("⋮\nL = 0.4477\n⋮", said)
    for wrong in (
        "z1 = x W2\n⋮",
        "z1 = x W1ᵀ\n⋮",
        "z1 = x W1",
        "z1 = x W1\nL = 0.4778\n⋮",
        "z1 = x W1\nL = −0.4478\n⋮",
        f"{said}\nmore",
        "⋮\nL = 0.4478\nz1 = x W1\n⋮",
    ):
        assert difference(wrong, said), wrong


@pytest.mark.parametrize("path", [README, *GUIDES], ids=lambda path: path.stem)
def test_a_page_names_what_exists(path):
    text = path.read_text(encoding="utf-8")
    absent = {"diagnose", "repair"}  # said to come later
    named = set(re.findall(r"\bcr\.(\w+)", text)) - absent
    assert not {name for name in named if not hasattr(cr, name)}
    for name in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (path.parent / name).exists(), name
    for name in re.findall(r"`((?:docs|benchmarks)/[\w/.-]*)`", text):
        assert (ROOT / name).exists(), name


def test_the_makefile_has_the_targets_that_are_named():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named = set(re.findall(r"\bmake ([a-z][\w-]+)", (ROOT / page).read_text(encoding="utf-8")))
        assert named <= targets, page


if __name__ == "__main__":
    for page in (README, *GUIDES):
        with tempfile.TemporaryDirectory() as folder:
            here = os.getcwd()
            os.chdir(folder)
            text = refreshed(page)
            os.chdir(here)
        page.write_text(text, encoding="utf-8")
