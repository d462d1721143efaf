"""Intervals and verdicts on simulated data whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import estimate, verdict
from reports.frame import ARM


def simulated(rng, replicates, blocks, ratio, arms=("base", "other"), noise=0.03, drift=0.2, between=0.01):
    """Turns of a machine whose speed wanders from block to block, seen by all arms alike."""
    rows = []
    for replicate in range(replicates):
        offsets = {arm: rng.normal(0, between) for arm in arms}
        for block in range(blocks):
            speed = rng.normal(0, drift)
            for arm in arms:
                factor = ratio if arm != arms[0] else 1.0
                for _ in range(2):
                    seconds = 1e-3 * factor * np.exp(speed + offsets[arm] + rng.normal(0, noise))
                    rows.append(("r", "p", "w", "m", "cpu", arm, replicate, block, seconds))
    return pd.DataFrame(rows, columns=["run_id", *ARM, "replicate", "block", "seconds"])


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [4, 10])
def test_the_95_percent_interval_holds_the_truth_95_times_in_100(replicates):
    """The whole chain: turns → blocks → replicates → interval; 1000 runs, so ±1.4 % is two standard errors."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        found = estimate.ratios(simulated(rng, replicates, 5, 1.07), "base").iloc[0]
        held += found["ratio_low"] <= 1.07 <= found["ratio_high"]
    assert 930 <= held <= 970, held


def test_without_blocks_the_drift_would_hide_what_blocks_show():
    """What interleaving buys: the ratio inside blocks is far narrower than the ratio of the two times."""
    turns = simulated(np.random.default_rng(2), 8, 8, 1.05)
    paired = estimate.ratios(turns, "base").iloc[0]
    per_replicate = turns.groupby([*ARM, "replicate"], as_index=False)["seconds"].median()
    alone = estimate.times(per_replicate).set_index("implementation")
    width = np.log(paired["ratio_high"] / paired["ratio_low"])
    assert width < 0.3 * np.log(alone.loc["other", "seconds_high"] / alone.loc["other", "seconds_low"])


@pytest.mark.slow
def test_runs_without_a_difference_raise_false_alarms_at_the_nominal_rate():
    """20 comparisons a run, Holm at 5 % so that a rate can be seen: 2000 runs, 5 % ± 1 %."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(2000):
        found = [estimate.from_logs(rng.normal(0, 0.02, 6)) for _ in range(20)]
        frame = pd.DataFrame({"ratio": [f.value for f in found], "ratio_p": [f.p for f in found], "ratio_n": 6})
        alarms += (verdict.verdicts(frame, alpha=0.05) != "tie").any()
    assert 0.04 * 2000 <= alarms <= 0.06 * 2000, alarms


def test_a_difference_is_found_and_has_a_direction():
    rng = np.random.default_rng(4)
    for ratio, word in ((1.1, "slower"), (0.9, "faster")):
        found = estimate.ratios(simulated(rng, 8, 6, ratio, between=0.005), "base")
        assert list(verdict.verdicts(found)) == [word]


def test_one_replicate_has_no_interval_and_no_verdict():
    found = estimate.ratios(simulated(np.random.default_rng(5), 1, 6, 2.0), "base")
    assert (found["ratio_low"][0], found["ratio_high"][0]) == (0, np.inf)
    assert list(verdict.verdicts(found)) == ["unknown"]


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(p_values)
def test_holm_is_between_the_p_value_and_bonferroni_and_keeps_the_order(values):
    p = np.array(values)
    adjusted = verdict.holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_on_the_textbook_example():
    np.testing.assert_allclose(verdict.holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(verdict.holm(np.array([0.01, np.nan])), [0.01, np.nan])


@settings(max_examples=50)
@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=12), st.floats(0.1, 10))
def test_an_interval_scales_with_its_values(logs, factor):
    one, other = estimate.from_logs(np.array(logs)), estimate.from_logs(np.array(logs) + np.log(factor))
    np.testing.assert_allclose([other.value, other.low, other.high], np.array([one.value, one.low, one.high]) * factor)


def test_scipy_agrees_with_the_interval():
    from scipy import stats

    logs = np.random.default_rng(6).normal(0.1, 0.05, 7)
    found = estimate.from_logs(logs)
    want = stats.ttest_1samp(logs, 0)
    low, high = want.confidence_interval(0.95)
    np.testing.assert_allclose([found.p, np.log(found.low), np.log(found.high)], [want.pvalue, low, high])
