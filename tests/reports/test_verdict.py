"""Faster, slower or unclear."""

import numpy as np
import pandas as pd
import pytest

from reports import estimates
from reports.verdict import verdicts


def frame(groups, names="other"):
    found = estimates.intervals(groups).add_prefix("ratio_")
    return found.assign(ratio=found["ratio_value"], implementation=names)


@pytest.mark.slow
def test_runs_without_a_difference_raise_false_alarms_at_the_nominal_rate():
    """20 comparisons a run, Holm at 5 % so that a rate can be seen: 2000 runs, so ±1 % is two standard errors.

    Borrowing is held back a little, so the rate may lie below the nominal one; above it may not.
    """
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(2000):
        spreads = 0.02 * np.sqrt(6.0 / rng.chisquare(6.0, 20))
        alarms += (verdicts(frame([rng.normal(0, s, 6) for s in spreads]), alpha=0.05) != "unclear").any()
    assert 0.02 * 2000 <= alarms <= 0.06 * 2000, alarms


def test_there_are_three_verdicts():
    rng = np.random.default_rng(13)
    groups = [rng.normal(np.log(ratio), 0.01, 6) for ratio in (0.5, 1.0, 2.0)]
    assert list(verdicts(frame(groups, ["a", "b", "c"]))) == ["faster", "unclear", "slower"]


def test_one_replicate_is_unclear_and_not_counted():
    ratios = pd.DataFrame({"ratio": 2.0, "ratio_p": 0.008, "ratio_n": [4, 1], "implementation": ["a", "b"]})
    assert list(verdicts(ratios)) == ["slower", "unclear"]
