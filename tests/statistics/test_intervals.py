"""Intervals and p-values of simulated data whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics.intervals import first_means, first_medians, holm, means, p_values, t_interval


def spreads(rng, count, freedom):
    """True standard deviations of about 2 %."""
    return 0.02 * np.sqrt(freedom / rng.chisquare(freedom, count))


@pytest.mark.parametrize("most_freedom", [30.0, 0])
@pytest.mark.parametrize("values", [2, 7])
def test_scipy_agrees_where_nothing_is_borrowed(values, most_freedom):
    logs = np.random.default_rng(6).normal(0.1, 0.05, values)
    found = means([logs], most_freedom=most_freedom)
    wanted = stats.ttest_1samp(logs, 0)
    interval = wanted.confidence_interval(0.95)
    np.testing.assert_allclose(np.ravel(t_interval(found)), [interval.low, interval.high])
    np.testing.assert_allclose(p_values(found), wanted.pvalue)
    for sign, alternative in ((1, "greater"), (-1, "less")):
        np.testing.assert_allclose(p_values(found, sign), stats.ttest_1samp(logs, 0, alternative=alternative).pvalue)


def test_one_value_has_no_interval_and_no_p_value():
    found = means([[0.7], [0.1, 0.2]])
    low, high = t_interval(found)
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert (found.mean[0], p_values(found)[0]) == (0.7, 1)
    assert np.isfinite([low[1], high[1]]).all()


def test_values_that_are_all_alike_have_a_p_value_and_no_groups_are_no_error():
    np.testing.assert_array_equal(p_values(means([[0.0, 0.0], [0.1, 0.1]])), [1, 0])
    assert len(means([]).mean) == 0


@pytest.mark.parametrize("replicates", [3, 8])
@pytest.mark.parametrize("freedom", [3.0, 1e6])
def test_borrowing_keeps_the_coverage(replicates, freedom):
    """40 comparisons a run whose true spreads differ a lot, or not at all: 95 % hold the truth."""
    rng, held = np.random.default_rng(7), []
    for _ in range(100):
        low, high = t_interval(means([rng.normal(0, s, replicates) for s in spreads(rng, 40, freedom)]))
        held.append(((low <= 0) & (high >= 0)).mean())
    assert 0.93 <= np.mean(held) <= 0.97, np.mean(held)


def test_borrowing_finds_with_four_replicates_what_alone_it_can_not():
    rng = np.random.default_rng(8)
    groups = [rng.normal(np.log(1.3) if k < 20 else 0.0, 0.03, 4) for k in range(40)]
    together, alone = (holm(p_values(means(groups, most_freedom=most)))[:20] < 0.01 for most in (30, 0))
    assert together.mean() >= 0.95 > 0.5 > alone.mean()


def test_variances_borrow_along_the_last_axis_and_as_much_as_is_asked_for():
    quiet, loud = (np.array([np.arange(4) * sd] * 5) for sd in (1, 100))
    found = first_means(np.array([quiet, loud]), np.full((2, 5), 4), most_freedom=7)
    np.testing.assert_array_equal(found.freedom, 3 + 7)
    np.testing.assert_array_equal(found.sd[0], means(quiet, most_freedom=7).sd)


def test_no_standard_deviation_is_below_the_least_and_only_the_first_values_count():
    values = np.array([[1.0, 1.0, 9.0], [0.0, 1.0, 5.0]])
    found = first_means(values, np.array([2, 2]), least_sd=0.1, most_freedom=0)
    np.testing.assert_allclose(found.sd, [0.1, np.sqrt(0.5)])
    np.testing.assert_array_equal(found.mean, [1.0, 0.5])
    np.testing.assert_array_equal(first_medians(values, np.array([3, 1])), [1.0, 0.0])
