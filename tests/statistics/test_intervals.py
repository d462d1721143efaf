"""Intervals and verdicts on simulated data whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.statistics.multiplicity import holm
from reports import estimates, verdict
from reports.frames import ARM


def simulated(rng, replicates, blocks, ratio, noise=0.03, drift=0.2, between=0.01, problems=1):
    """Turns of a machine whose speed wanders from block to block, seen by both arms alike; many problems at once."""
    shape = (problems, replicates, blocks, 2, 2)  # the last two: arms, and the two turns of each
    logs = rng.normal(0, drift, shape[:3])[..., None, None] + rng.normal(0, noise, shape)
    logs = logs + rng.normal(0, between, (problems, replicates, 1, 2, 1))
    logs[:, :, :, 1] += np.log(ratio)
    index = pd.MultiIndex.from_product(
        [range(problems), range(replicates), range(blocks), ("base", "other"), range(2)],
        names=["problem", "replicate", "block", "implementation", "turn"],
    )
    turns = pd.DataFrame({"seconds": 1e-3 * np.exp(logs.ravel())}, index=index).reset_index()
    return turns.assign(run_id="r", workload="w", mode="m", device="cpu")


@pytest.mark.parametrize("replicates", [4, 10])
def test_the_95_percent_interval_holds_the_truth_95_times_in_100(replicates):
    """The whole chain, turns → blocks → replicates → interval: 3000 comparisons, so ±0.8 % is two standard errors."""
    turns = simulated(np.random.default_rng(1), replicates, 5, 1.07, problems=3000)
    found = estimates.ratios(turns, "base")
    held = ((found["ratio_low"] <= 1.07) & (found["ratio_high"] >= 1.07)).mean()
    assert len(found) == 3000
    assert 0.93 <= held <= 0.97, held


def test_without_blocks_the_drift_would_hide_what_blocks_show():
    """What interleaving buys: the ratio inside blocks is far narrower than the ratio of the two times."""
    turns = simulated(np.random.default_rng(2), 8, 8, 1.05)
    paired = estimates.ratios(turns, "base").iloc[0]
    per_replicate = turns.groupby([*ARM, "replicate"], as_index=False)["seconds"].median()
    alone = estimates.times(per_replicate).set_index("implementation")
    width = np.log(paired["ratio_high"] / paired["ratio_low"])
    assert width < 0.3 * np.log(alone.loc["other", "seconds_high"] / alone.loc["other", "seconds_low"])


@pytest.mark.slow
def test_runs_without_a_difference_raise_false_alarms_at_the_nominal_rate():
    """20 comparisons a run, Holm at 5 % so that a rate can be seen: 2000 runs, so ±1 % is two standard errors.

    Borrowing is held back a little, so the rate may lie below the nominal one; above it may not.
    """
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(2000):
        found = estimates.intervals([rng.normal(0, spread, 6) for spread in spreads(rng, 20)]).add_prefix("ratio_")
        found = found.assign(ratio=found["ratio_value"], implementation="other")
        alarms += (verdict.verdicts(found, alpha=0.05) != "tie").any()
    assert 0.02 * 2000 <= alarms <= 0.06 * 2000, alarms


def test_a_difference_is_found_and_has_a_direction():
    rng = np.random.default_rng(4)
    for ratio, word in ((1.1, "slower"), (0.9, "faster")):
        found = estimates.ratios(simulated(rng, 8, 6, ratio, between=0.005), "base")
        assert list(verdict.verdicts(found)) == [word]


def test_one_replicate_has_no_interval_and_no_verdict():
    found = estimates.ratios(simulated(np.random.default_rng(5), 1, 6, 2.0), "base")
    assert (found["ratio_low"][0], found["ratio_high"][0]) == (0, np.inf)
    assert list(verdict.verdicts(found)) == ["unknown"]


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(p_values)
def test_holm_is_between_the_p_value_and_bonferroni_and_keeps_the_order(values):
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_on_the_textbook_example():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.01, np.nan])), [0.01, np.nan])


@settings(max_examples=50)
@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=12), st.floats(0.1, 10))
def test_an_interval_scales_with_its_values(logs, factor):
    one, other = (estimates.intervals([np.array(logs) + np.log(f)]).iloc[0] for f in (1.0, factor))
    for name in ("value", "low", "high"):
        np.testing.assert_allclose(other[name], one[name] * factor)


def test_scipy_agrees_where_nothing_is_borrowed():
    from scipy import stats

    logs = np.random.default_rng(6).normal(0.1, 0.05, 7)
    found = estimates.intervals([logs]).iloc[0]
    want = stats.ttest_1samp(logs, 0)
    low, high = want.confidence_interval(0.95)
    np.testing.assert_allclose([found["p"], np.log(found["low"]), np.log(found["high"])], [want.pvalue, low, high])


def spreads(rng, count, freedom=6.0):
    """True standard deviations that differ as those of real benchmarks do: 2 %, within a factor of two or so."""
    return 0.02 * np.sqrt(freedom / rng.chisquare(freedom, count))


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [3, 4, 8])
@pytest.mark.parametrize("freedom", [3.0, 12.0, 1e6])
def test_borrowing_keeps_the_coverage(replicates, freedom):
    """40 comparisons a run whose true spreads differ a lot, a little, or not at all: 95 % hold the truth."""
    rng = np.random.default_rng(7)
    held = [
        ((found["low"] <= 1) & (found["high"] >= 1)).mean()
        for _ in range(200)
        for found in [estimates.intervals([rng.normal(0, s, replicates) for s in spreads(rng, 40, freedom)])]
    ]
    assert 0.93 <= np.mean(held) <= 0.97, np.mean(held)


def test_borrowing_finds_with_four_replicates_what_alone_it_can_not():
    rng = np.random.default_rng(8)
    groups = [rng.normal(np.log(1.3) if k < 20 else 0.0, 0.03, 4) for k in range(40)]
    together = holm(estimates.intervals(groups)["p"].to_numpy())[:20] < 0.01
    alone = holm(np.array([estimates.intervals([g])["p"][0] for g in groups]))[:20] < 0.01
    assert together.mean() >= 0.95 > 0.5 > alone.mean()


def test_the_prior_is_found_again():
    from benchmarks.statistics import moderation

    rng = np.random.default_rng(9)
    true = 0.02**2 * 8 / rng.chisquare(8, 5000)
    seen = true * rng.chisquare(4, 5000) / 4
    freedom, variance = moderation.prior(seen, np.full(5000, 4.0))
    assert 6.5 <= freedom <= 9.5
    assert 0.95 <= variance / 0.02**2 <= 1.05
