"""Whole processes, from starting Python: (d) to a trained and saved network, (f) to a library that is ready."""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from peers import HERE, PEERS
from rounds import Entrants, Failed, Found, Timing, rounds
from table import Section, columns, compared, show_seconds
from workloads import WHOLE

WARM, COLD = "chainrule, warm cache", "chainrule, cold cache"
SCRIPTS = {"PyTorch, fused Adam": "with_torch.py", "scikit-learn": "with_sklearn.py"}


def run(command: list, cache: Path | None = None) -> tuple[float, str]:
    """The seconds of a process and what it printed. ``cache`` is where compiled programs are kept."""
    environment = os.environ | ({} if cache is None else {"JAX_COMPILATION_CACHE_DIR": str(cache)})
    began = time.perf_counter()
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as e:
        raise Failed(str(e)) from e
    seconds = time.perf_counter() - began
    if ended.returncode:
        raise Failed((ended.stderr.strip() or f"exit {ended.returncode}").splitlines()[-1])
    return seconds, ended.stdout


def trained(script: str, data: Path, cache: Path | None) -> Timing:
    """Run a script of the folder; without ``cache`` it starts with an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, HERE / "whole_process" / script, data, folder]
        seconds, printed = run(command, cache or Path(folder))
    return Timing(seconds, float(printed))


def to_a_saved_network(pairs: int) -> Section:
    """The whole process that trains and saves a network."""
    with tempfile.TemporaryDirectory() as folder:
        data, cache = Path(folder, "data.npz"), Path(folder, "cache")
        X, y = WHOLE.data()
        np.savez(data, X=X, y=y)
        missing = {peer.name: peer.missing for peer in PEERS if peer.missing}
        entrants: Entrants = {
            WARM: partial(trained, "with_chainrule.py", data, cache),
            COLD: partial(trained, "with_chainrule.py", data, None),
        }
        entrants |= {
            name: partial(trained, script, data, cache) for name, script in SCRIPTS.items() if name not in missing
        }
        found: Found = {name: f"{missing[name]} is not installed" for name in SCRIPTS if name in missing}
        found = rounds(entrants, pairs) | found
    return compared(f"(d) {WHOLE.says}: seconds from starting python to a saved network", WARM, found)


def until_ready(pairs: int) -> Section:
    """Imports and the help of the command line."""
    python = [sys.executable, "-c"]
    commands = {
        "import jax": [*python, "import jax"],
        "import jax, chainrule": [*python, "import jax, chainrule"],
        "import jax; from chainrule import Chain, Dense, adam, fit": [
            *python,
            "import jax; from chainrule import Chain, Dense, adam, fit",
        ],
        "chainrule --help": [Path(sys.executable).with_name("chainrule"), "--help"],
    }
    found = rounds({name: partial(ready, command) for name, command in commands.items()}, pairs)
    seconds = {name: [t.seconds for t in timings] for name, timings in found.items() if not isinstance(timings, str)}
    rows = [
        (name, show_seconds(median(seconds[name]))) if name in seconds else (name, str(found[name])) for name in found
    ]
    measured = {"chainrule --help": seconds.get("chainrule --help", [])}
    ours, bare = seconds.get("import jax, chainrule", []), seconds.get("import jax", [])
    measured["import chainrule"] = [both - alone for both, alone in zip(ours, bare, strict=False)]
    return Section("(f) from starting python: seconds until it is ready", columns(("", "median"), rows), measured)


def ready(command: list) -> Timing:
    return Timing(run(command)[0])
