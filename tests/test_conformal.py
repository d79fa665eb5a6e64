"""Conformal prediction: the truth is held as often as was said, and the bounds are those of the definition."""

import math

import numpy as np
import pytest

from chainrule.maths import conformal
from chainrule.maths.spread import spread

COVERAGES = [0.5, 0.8, 0.9, 0.95]


def by_definition(m, s, scores, coverage):
    """(lower, upper) by sorting all m_j + s r_i and all m_j - s r_i, row by row."""
    n = sum(map(len, scores))
    k = math.ceil(round(coverage * (n + 1), 9))
    out = []
    for row in range(m.shape[1]):
        high = sorted(m[j, row] + s[row] * r for j, own in enumerate(scores) for r in own)
        low = sorted((m[j, row] - s[row] * r for j, own in enumerate(scores) for r in own), reverse=True)
        out.append((low[k - 1], high[k - 1]) if k <= n else (-math.inf, math.inf))
    return np.array(out).T


@pytest.mark.parametrize("members", [1, 2, 8])
@pytest.mark.parametrize("coverage", COVERAGES)
def test_an_interval_is_that_of_the_sorted_bounds(members, coverage):
    rng = np.random.default_rng(members)
    m = rng.normal(size=(members, 30)) * 100 + 1e4
    scores = [rng.exponential(size=int(rng.integers(1, 12))) for _ in range(members)]
    s = rng.uniform(0.1, 30, 30)
    lower, upper = conformal.interval(m, s, scores, coverage)
    low, high = by_definition(m, s, scores, coverage)
    np.testing.assert_allclose(np.minimum(low, high), lower, rtol=1e-13)
    np.testing.assert_allclose(np.maximum(low, high), upper, rtol=1e-13)


def test_members_that_disagree_give_an_interval_whose_ends_are_in_order():
    lower, upper = conformal.interval(np.array([[-9.0], [9.0]]), np.ones(1), [np.ones(10), np.ones(10)], 0.1)
    assert (lower, upper) == (pytest.approx(-8), pytest.approx(8))


def test_without_errors_the_interval_is_a_point():
    lower, upper = conformal.interval(np.array([[2.0, 3.0]]), np.ones(2), [np.zeros(30)], 0.9)
    assert lower.tolist() == upper.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(("rows", "finite"), [(8, False), (9, True), (19, True)])
def test_too_few_rows_give_no_bound(rows, finite):
    """ceil(0.9 * (n + 1)) <= n from n = 9 on."""
    lower, upper = conformal.interval(np.zeros((1, 3)), np.ones(3), [np.arange(rows) + 1.0], 0.9)
    assert np.all(np.isfinite(upper)) == np.all(np.isfinite(lower)) == finite
    everything = conformal.classes(np.array([[[0.999, 0.001]]]), [np.linspace(0, 0.5, rows)], 0.9)
    assert everything.tolist() == [[True, not finite]]


def held(coverage, rows, draws, one):
    """The share of draws in which ``one`` held the truth, and how many standard errors it lies outside the theorem."""
    share = np.mean([one(np.random.default_rng([draw, rows])) for draw in range(draws)])
    error = math.sqrt(coverage * (1 - coverage) / draws)
    return max(coverage - share, share - coverage - 1 / (rows + 1)) / error


@pytest.mark.parametrize("rows", [19, 20, 33, 100])
@pytest.mark.parametrize("coverage", COVERAGES)
def test_split_intervals_hold_the_truth_as_the_theorem_says(coverage, rows):
    """Between coverage and coverage + 1/(n + 1), exactly: Lei et al. 2018, theorem 2.2."""

    def one(rng):
        x = rng.uniform(1, 3, rows + 1)
        y = 5 + x * rng.standard_t(3, rows + 1)  # the network says 4, and the spread x**2 is wrong too: no matter
        r = np.abs(y - 4) / x**2
        lower, upper = conformal.interval(np.full((1, 1), 4.0), x[-1:] ** 2, [r[:-1]], coverage)
        return lower[0] <= y[-1] <= upper[0]

    assert held(coverage, rows, 4000, one) < 4


@pytest.mark.parametrize("rows", [19, 33, 100])
@pytest.mark.parametrize("coverage", COVERAGES)
def test_split_sets_hold_the_truth_as_the_theorem_says(coverage, rows):
    """Sadinle, Lei & Wasserman 2019, with classes drawn by other probabilities than are said."""

    def one(rng):
        said = rng.dirichlet(np.ones(3), rows + 1)
        true = said[:, ::-1] ** 2
        y = (rng.uniform(size=(rows + 1, 1)) > np.cumsum(true / true.sum(1, keepdims=True), axis=1)).sum(axis=1)
        r = 1 - said[np.arange(rows + 1), y]
        return conformal.classes(said[None, -1:], [r[:-1]], coverage)[0, y[-1]]

    assert held(coverage, rows, 4000, one) < 4


def fitted_line(x, y, at):
    return np.polyval(np.polyfit(x, y, 1), at)


def test_crossed_intervals_hold_the_truth_about_as_often():
    """CV+ promises 1 - 2 alpha, and gives about 1 - alpha with lines that are fitted on the other folds."""
    rows, folds, held = 40, 4, []
    for draw in range(600):
        rng = np.random.default_rng(draw)
        x = rng.normal(size=rows + 1)
        y = 2 * x + rng.normal(size=rows + 1)
        fold = np.arange(rows) % folds
        apart = [fold != j for j in range(folds)]
        m = np.array([fitted_line(x[:-1][a], y[:-1][a], x) for a in apart])
        scores = [np.abs(y[:-1] - m[j, :-1])[fold == j] for j in range(folds)]
        lower, upper = conformal.interval(m[:, -1:], np.ones(1), scores, 0.9)
        held.append(lower[0] <= y[-1] <= upper[0])
    assert 0.88 < np.mean(held) < 0.94


def test_crossed_sets_count_each_member_against_its_own_rows():
    p = np.array([[[0.7, 0.3]], [[0.2, 0.8]]])
    scores = [np.array([0.1, 0.4, 0.75]), np.array([0.1, 0.5, 0.85])]
    # class 0: 1 - p is 0.3 and 0.8: 2 + 1 scores are as large; class 1: 0.7 and 0.2: 1 + 2
    for coverage, expected in ((0.4, [False, False]), (0.45, [True, True])):
        assert conformal.classes(p, scores, coverage)[0].tolist() == expected


def test_larger_coverage_gives_larger_intervals_and_sets():
    rng = np.random.default_rng(0)
    m, s = rng.normal(size=(4, 20)), rng.uniform(1, 2, 20)
    scores = [rng.exponential(size=15) for _ in range(4)]
    p = rng.dirichlet(np.ones(5), (4, 20))
    widths = [np.subtract(*conformal.interval(m, s, scores, c)[::-1]) for c in (0.6, 0.8, 0.9)]
    assert np.all(np.diff(widths, axis=0) >= 0)
    sizes = [conformal.classes(p, [r / 10 for r in scores], c).astype(int) for c in (0.3, 0.6, 0.9)]
    assert np.all(np.diff(sizes, axis=0) >= 0)


def test_a_learned_width_does_not_lower_coverage():
    """Spread and scores come from the same rows: each row's spread from the other ones."""
    rows, held = 60, []
    for draw in range(1500):
        rng = np.random.default_rng(draw)
        f = rng.normal(size=(rows + 1, 4))
        e = np.exp(0.6 * f[:, 0]) * rng.normal(size=rows + 1)
        part, s = np.arange(rows) % 5, np.empty(rows)
        for k in range(5):
            s[part == k] = spread(f[:-1][part != k], e[:-1][part != k])(f[:-1][part == k])
        wide = spread(f[:-1], e[:-1])(f[-1:])
        held.append(conformal.interval(np.zeros((1, 1)), wide, [np.abs(e[:-1]) / s], 0.9)[1][0] >= abs(e[-1]))
    assert 0.9 - 4 * math.sqrt(0.09 / 1500) < np.mean(held) < 0.93
