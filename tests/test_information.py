"""Information: against scipy.stats, the identity of cross-entropy, and the edges at probability 0."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chainrule.errors import DataError, ShapeError
from chainrule.maths import information as info
from equation_reader import solve

POSITIVE = st.lists(st.floats(1e-6, 1.0), min_size=5, max_size=5).map(lambda p: np.array(p) / np.sum(p))


@settings(deadline=None)
@given(POSITIVE, POSITIVE, st.sampled_from([2, math.e, 10]))
def test_against_scipy_and_the_stated_equations(p, q, base):
    H, CE, KL = info.entropy(p, base), info.cross_entropy(p, q, base), info.kl_divergence(p, q, base)
    assert H == pytest.approx(stats.entropy(p, base=base), abs=1e-9)
    assert KL == pytest.approx(stats.entropy(p, q, base=base), abs=1e-9)
    assert CE == pytest.approx(H + KL, abs=1e-9) and KL >= -1e-12
    for f in (info.entropy, info.cross_entropy, info.kl_divergence):
        expected = solve(f, p=p, q=q, base=base)[f.__name__]
        assert (f(p, base) if f is info.entropy else f(p, q, base)) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(POSITIVE, POSITIVE)
def test_mutual_information(p, q):
    assert info.mutual_information(np.outer(p, q)) == pytest.approx(0, abs=1e-9)
    joint = np.diag(p) * 0.5 + np.outer(p, q) * 0.5
    rows, columns = joint.sum(1), joint.sum(0)
    expected = info.entropy(rows) + info.entropy(columns) - info.entropy(joint.ravel())
    assert info.mutual_information(joint) == pytest.approx(expected, abs=1e-9)
    stated = solve(info.mutual_information, joint=joint, base=2)["mutual_information"]
    assert info.mutual_information(joint) == pytest.approx(stated, abs=1e-9)


def test_zeros():
    assert info.entropy([1.0, 0.0]) == 0.0 and math.copysign(1, info.entropy([1.0, 0.0])) == 1
    assert info.kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert info.cross_entropy([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert info.kl_divergence([1.0, 0.0], [0.5, 0.5]) == 1.0
    assert info.mutual_information(np.eye(4) / 4) == 2.0


def test_rows_of_distributions():
    np.testing.assert_allclose(info.entropy([[0.5, 0.5], [1.0, 0.0]]), [1.0, 0.0])


def test_refusals():
    for wrong in ([0.5, 0.6], [-0.1, 1.1], [math.nan, 1.0], [0.0, 0.0]):
        with pytest.raises(DataError, match="sum to 1"):
            info.entropy(wrong)
    with pytest.raises(ShapeError, match="equal shapes"):
        info.kl_divergence([1.0], [0.5, 0.5])
    with pytest.raises(ShapeError, match="two axes"):
        info.mutual_information([0.5, 0.5])
    for base in (1, 0, -2, math.nan, math.inf, True):
        with pytest.raises(DataError, match="base"):
            info.entropy([1.0], base)
