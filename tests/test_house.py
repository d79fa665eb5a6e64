"""The house stands: imports go down the floors, files stay small, public names are what they say."""

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr

ROOT = Path(cr.__file__).parent
FLOORS = {
    "errors": 0,
    "spec": 1,
    "maths": 2,
    "data": 2,
    "trace": 3,
    "layers": 4,
    "equations": 5,
    "adapt": 5,
    "train": 5,
    "testing": 5,
    "proposal": 6,
    "estimators": 7,
    "reports": 7,
    "cli": 8,
}


UPWARD = {("train/run.py", "reports")}
"""A notebook asks a run itself how it looks (``Run._repr_html_``), so this one import goes up."""


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages([str(ROOT)], "chainrule.") if not m.name.endswith("__main__")]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: write the full name"
            if (node.module or "").split(".")[0] == "chainrule":
                found |= {f"{node.module}.{alias.name}".split(".")[1] for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("chainrule.")}
    return found


def breaches(room: str, imported: set[str]) -> set[str]:
    return {other for other in imported if other != room and FLOORS[other] >= FLOORS[room]}


def test_imports_go_down():
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in FLOORS, f"{room} stands on no floor"
        allowed = {other for name, other in UPWARD if ROOT / name == path}
        assert not breaches(room, imports(path)) - allowed, f"{path} reaches up"


def test_the_floor_test_sees_a_breach():
    assert breaches("layers", {"maths", "train"}) == {"train"}
    assert breaches("maths", {"data"}) == {"data"}


def test_files_stay_small():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    big = {str(path): n for path, n in lines.items() if n > 400}
    assert not big, f"split these by idea: {big}"


def test_every_public_name_is_there_and_stays():
    for module in modules():
        importlib.import_module(module)
    for name in cr.__all__:
        value = getattr(cr, name)
        assert not isinstance(value, type(sys)), f"cr.{name} has become a module"
        assert value.__doc__, f"cr.{name} has no docstring"


def specified() -> dict[str, set[str]]:
    """Public names of functions and rules that have equations, and the sections that each docstring needs."""
    needed = {}
    for module, names in cr._HOME.items():
        room, _, idea = module.removeprefix("chainrule.").partition(".")
        if room == "layers" and idea not in ("layer", "summary") or idea in ("activations", "losses"):
            sections = {"Equation", "Shapes", "Source"}
        elif idea in ("penalties", "initializers", "optimizers"):
            sections = {"Equation", "Source"}
        else:
            continue
        needed |= dict.fromkeys(names.split(), sections)
    return needed


def sections_of(value: object) -> set[str]:
    lines = inspect.cleandoc(value.__doc__ or "").splitlines()
    return {line for line, below in itertools.pairwise(lines) if line[:1].isupper() and below.startswith("    ")}


@pytest.mark.parametrize("name", specified())
def test_what_computes_says_its_equation_and_its_source(name):
    assert not specified()[name] - sections_of(getattr(cr, name)), f"cr.{name} lacks these sections"


def test_names_for_type_checkers_equal_the_lazy_ones():
    text = (ROOT / "__init__.py").read_text(encoding="utf-8")
    block = text[text.index("if TYPE_CHECKING:") : text.index("_HOME")]
    assert sorted(re.findall(r"import \w+ as (\w+)", block)) == cr.__all__


@pytest.mark.parametrize("name", ["Sequential", "Linear", "Adam", "MSELoss"])
def test_names_of_other_libraries_say_ours(name):
    with pytest.raises(AttributeError, match=f"no {name}: write cr"):
        getattr(cr, name)


def test_import_is_light():
    code = (
        "import sys, chainrule; heavy = {'jax', 'sklearn', 'optax', 'rich', 'typer', 'narwhals'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_fresh_process_knows_every_name_that_a_file_may_hold():
    code = (
        "import importlib, pkgutil, chainrule as cr; from chainrule import spec; "
        "from chainrule.train import vocabulary; "
        "vocabulary.complete(); known = set(spec._TABLE); "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(cr.__path__, 'chainrule.')]; "
        "print(sorted(set(spec._TABLE) - known))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
