"""The spread of a round, on simulated values whose truth is known."""

import numpy as np
import pytest

from benchmarks.statistics.intervals import Means
from benchmarks.statistics.rounds import effective, mean_of_rounds, one_more


@pytest.mark.parametrize("replicates", [1, 2, 3, 4, 5, 20])
def test_a_median_has_the_variance_of_a_mean_of_fewer_values(replicates):
    medians = np.median(np.random.default_rng(1).normal(0, 1, (50_000, replicates)), axis=1)
    ratio = 1 / effective(np.array([replicates]))[0] / medians.var()
    assert 0.97 <= ratio <= 1.1


def test_the_error_to_one_more_round_has_what_lasts_and_its_freedom():
    of_replicates = Means(np.zeros(3), np.array([3.0, 3.0, 0.0]), np.array([20.0] * 3), np.array([5, 5, 5]))
    rounds = mean_of_rounds(of_replicates, np.array([0.0, 4.0, 0.0]), np.array([7.0] * 3))
    assert rounds.sd.tolist() == [3.0, 5.0, 0.0]
    assert rounds.freedom == pytest.approx([20.0, 625 / (81 / 20 + 256 / 7), 20.0])
    assert one_more(rounds).error[1] == pytest.approx(5.0 * (1 + 1 / 5) ** 0.5)
    assert rounds.error[1] == pytest.approx(5.0 / 5**0.5)
