"""Variances that borrow from each other: the prior that they seem to come from is found again."""

import numpy as np
import pytest
from scipy.special import digamma

from benchmarks.statistics.moderation import FEWEST, MOST_FREEDOM, inverse_trigamma, moderated, prior, trigamma


def test_the_prior_is_found_again():
    rng = np.random.default_rng(9)
    true = 0.02**2 * 8 / rng.chisquare(8, 5000)
    seen = true * rng.chisquare(4, 5000) / 4
    freedom, variance = prior(seen, np.full(5000, 4.0))
    assert 6.5 <= freedom <= 9.5
    assert 0.95 <= variance / 0.02**2 <= 1.05


def test_six_variances_of_which_one_has_no_freedom_have_this_prior():
    """With one standard error added to what they vary by: without, 6.9 degrees of freedom would be borrowed."""
    found = prior(np.array([1.0, 2, 4, 8, 16, 3]), np.array([3.0, 3, 4, 4, 5, 0]))
    assert found == pytest.approx((2.6843237927501975, 3.553631320629669))


def test_each_family_has_its_own_prior_and_borrows_no_more_than_the_most():
    """Six variances e^±a of one degree of freedom, where a is such that they borrow d; and one without freedom."""
    d = np.array([3.0, 25, 40])
    a = np.sqrt((trigamma(d / 2) + trigamma(0.5)) / (1 + np.sqrt(2 / 5)) * 5 / 6)
    variances = np.exp(a[:, None] * [1, -1, 1, -1, 1, -1, 0])
    borrowed, common = prior(variances, np.tile([1.0] * 6 + [0], (3, 1)))
    np.testing.assert_allclose(borrowed, [3, 25, MOST_FREEDOM])
    np.testing.assert_allclose(
        np.log(common), digamma(borrowed / 2) - np.log(borrowed / 2) - digamma(0.5) + np.log(0.5)
    )


def test_what_trigamma_is_of_is_found_again():
    x = np.geomspace(1e-3, 1e3, 50)
    np.testing.assert_allclose(inverse_trigamma(trigamma(x)), x, rtol=1e-11)


def test_few_variances_borrow_nothing():
    few = FEWEST - 1
    variances, freedom = np.linspace(1, 2, few), np.full(few, 3.0)
    shrunk, total = moderated(variances, freedom)
    np.testing.assert_allclose(shrunk, variances)
    np.testing.assert_array_equal(total, freedom)


def test_equal_variances_borrow_the_most_and_one_without_freedom_nothing():
    variances, freedom = np.full(40, 2.0), np.full(40, 3.0)
    freedom[0] = 0
    shrunk, total = moderated(variances, freedom)
    assert total[0] == 0
    assert total[1:] == pytest.approx(3 + MOST_FREEDOM)
    assert shrunk[0] == 2
