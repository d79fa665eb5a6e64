"""Commands that are printed, ready to be pasted: they work in the directory where they were printed."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def pasted(*words: object) -> str:
    """A chainrule command of these words, quoted where a shell needs it."""
    return shlex.join([program(), *map(str, words)])


def program() -> str:
    """How this program is called from here: by its name, or by its path where the name calls another one, or none."""
    beside = shutil.which("chainrule", path=str(Path(sys.executable).parent))
    own = sys.argv[0] if Path(sys.argv[0]).stem == "chainrule" and os.path.isfile(sys.argv[0]) else beside
    found = shutil.which("chainrule")
    if own is None or (found is not None and os.path.samefile(own, found)):
        return "chainrule"
    own, here = os.path.abspath(own), os.getcwd()
    if not Path(own).is_relative_to(here):
        return own
    near = os.path.relpath(own, here)
    return near if os.sep in near else os.path.join(os.curdir, near)
