"""No false alarm: whatever a program is made of, each line of its explanation is verified."""

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from chainrule.equations.explain import explain
from random_programs import Program, programs

OPTIONS = {"derandomize": True, "database": None, "deadline": None, "report_multiple_bugs": False}
OPTIONS["suppress_health_check"] = list(HealthCheck)


def sound(program: Program) -> None:
    """Explain a program and expect every line to be verified, or opaque."""
    ex = explain(program, *program.arguments())
    wrong = [f"{line.text}: {line.reason}" for line in ex.lines if line.status == "failed"]
    assert not wrong, f"{program}\n{jax.make_jaxpr(program)(*program.arguments())}\n" + "\n".join(wrong)
    assert all(np.isfinite(e) for line in ex.lines for e in line.errors.values())


@settings(max_examples=100, **OPTIONS)
@given(programs())
def test_random_programs(program):
    sound(program)


@pytest.mark.slow
@settings(max_examples=700, **OPTIONS)
@given(programs())
def test_many_random_programs(program):
    sound(program)
