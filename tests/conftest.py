"""Compiled programs of the tests are kept beside pytest's own cache, not in the user's."""

import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "xla"))

MANY = 20_000
"""Mappings of memory at which they go; the most that the whole suite was seen to reach is then 27,000."""


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_are_let_go():
    """Each takes some of the mappings that a process may have, 65,530 on Linux; past them XLA dies."""
    yield
    if "jax" in sys.modules and mappings() > MANY:
        sys.modules["jax"].clear_caches()
        gc.collect()


def mappings() -> int:
    """How many mappings of memory this process has."""
    try:
        return Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:  # not Linux: no such limit
        return 0
