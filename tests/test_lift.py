"""The graph of a program has the program's values and gradients, whatever the program is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from graph_checker import autodiff, check
from lift_cases import CASES, SIZES, Numbers, total


@pytest.mark.parametrize("sizes", SIZES, ids=["small", "other"])
@pytest.mark.parametrize("name", CASES)
def test_programs(name, sizes):
    make, opaque = CASES[name]
    f, *args = make(Numbers(sizes))
    check(f, *args, opaque=opaque).expect()
