"""The regression gate's decision, on simulated replicates whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.regression import decision
from benchmarks.regression.decision import LogRatios, Rule, Spread

TIME = Rule("time", 0.02)
SDS = (0.004, 0.006, 0.008, 0.015, 0.003, 0.01)


def draw(rng, sd, effect, n, tails=False):
    noise = rng.standard_t(3, n) / math.sqrt(3) if tails else rng.standard_normal(n)
    return tuple(effect + sd * noise)


def gate(rng, sds, effects, tails=False, rule=TIME, replicates=4, noisier=1.55):
    """The whole decision, screen and confirm; the names of what it calls slower, and all findings."""

    def ratios(k, n, factor):
        return LogRatios(f"b{k}", rule, draw(rng, sds[k] * factor, effects[k], n, tails), 1.0, math.exp(effects[k]))

    # a screening replicate has 10 blocks, a confirming one 24: √2.4 is 1.55
    screen = [ratios(k, replicates, noisier) for k in range(len(sds))]
    suspected = decision.suspects(screen)
    counts = decision.confirming_replicates(screen, suspected)
    confirm = [ratios(k, counts[f"b{k}"], 1.0) for k in suspected]
    found = decision.verdicts(screen, suspected, confirm)
    return {one.benchmark for one in found if one.verdict == "slower"}, found


@pytest.mark.parametrize("tails", [False, True], ids=["normal", "heavy tails"])
def test_false_alarms_of_a_whole_gate_stay_below_a_third_of_a_percent(tails):
    rng = np.random.default_rng(1)
    alarms = sum(bool(gate(rng, SDS, [0.0] * len(SDS), tails)[0]) for _ in range(1500))
    assert alarms <= 10  # of 1500 at 0.3 %: 4.5 expected at the most, 10 has p = 0.007


def test_false_alarms_stay_rare_where_the_spread_is_larger_than_the_margin():
    rng = np.random.default_rng(2)
    alarms = sum(bool(gate(rng, [0.05] * 6, [0.0] * 6)[0]) for _ in range(1000))
    assert alarms <= 8


def test_a_gate_without_the_confirming_step_would_cry_wolf():
    """The negative control: the screen's own suspects are wrong far more often than the gate."""
    rng = np.random.default_rng(3)
    suspected = 0
    for _ in range(200):
        screen = [LogRatios(f"b{k}", TIME, draw(rng, 0.02, 0.0, 4), 1.0, 1.01) for k in range(6)]
        suspected += bool(decision.suspects(screen))
    assert suspected > 100


@pytest.mark.parametrize(("effect", "least"), [(0.03, 0.93), (0.05, 0.985)])
def test_slowdowns_are_found(effect, least):
    rng = np.random.default_rng(4)
    found = 0
    for k in range(400):
        effects = [0.0] * len(SDS)
        effects[k % len(SDS)] = math.log1p(effect)
        found += f"b{k % len(SDS)}" in gate(rng, SDS, effects)[0]
    assert found / 400 >= least


def test_what_is_faster_is_no_regression_and_is_said():
    rng = np.random.default_rng(5)
    slower, found = gate(rng, [0.004] * 6, [-0.06, 0, 0, 0, 0, 0])
    assert slower == set()
    assert found[0].verdict == "faster"
    assert {one.verdict for one in found[1:]} <= {"same", "unknown"}


def test_a_slowdown_below_the_margin_is_none_however_sure():
    rng = np.random.default_rng(6)
    assert not any(gate(rng, [0.0005] * 6, [0.012] * 6)[0] for _ in range(20))


def test_the_smallest_slowdown_is_found_nine_times_of_ten():
    rng = np.random.default_rng(7)
    sd, hits = 0.012, 0
    spread = Spread(0.0, sd, 30.0, 4)
    effect = math.log1p(decision.smallest(TIME.margin, spread, 1))
    assert 0.02 < effect < 0.2
    for _ in range(300):
        slower, _ = gate(rng, [sd] * 6, [effect, 0, 0, 0, 0, 0], noisier=1.0)
        hits += "b0" in slower
    assert hits / 300 >= 0.86


def test_the_intervals_hold_the_truth_95_times_of_100():
    rng = np.random.default_rng(8)
    held = total = 0
    for _ in range(400):
        ratios = [LogRatios(f"b{k}", TIME, draw(rng, 0.01, 0.02, 6), 1, 1) for k in range(6)]
        for spread in decision.spreads(ratios, share=False):
            low, high = spread.interval()
            held += low <= 0.02 <= high
            total += 1
    assert 0.93 <= held / total <= 0.97


def test_p_is_uniform_where_nothing_changed():
    rng = np.random.default_rng(9)
    ratios = [LogRatios(f"b{k}", TIME, draw(rng, 0.01, 0.0, 5), 1, 1) for k in range(4000)]
    p = np.array([spread.p() for spread in decision.spreads(ratios, share=False)])
    for level in (0.003, 0.01, 0.05, 0.5):
        assert abs((p < level).mean() - level) < 4 * math.sqrt(level / 4000)


@settings(max_examples=60)
@given(st.floats(0.001, 0.1), st.floats(0.005, 0.1), st.integers(1, 12))
def test_the_number_of_confirming_replicates_is_bounded_and_grows_with_the_spread(sd, margin, suspected):
    alpha = decision.FAMILY / suspected
    n = decision.replicates_needed(margin, sd, alpha)
    assert decision.FEWEST <= n <= decision.MOST
    assert n >= decision.replicates_needed(margin, sd / 2, alpha)
    if n < decision.MOST:
        assert decision.power(1.5 * margin, margin, sd, n, alpha) >= decision.POWER


def test_a_metric_with_a_floor_needs_both_the_ratio_and_the_difference():
    start = Rule("start", 0.25, floor=0.05)
    logs = tuple(math.log(2) + 0.001 * k for k in range(5))
    for base, head, verdict in ((0.01, 0.02, "same"), (0.1, 0.2, "slower")):
        ratios = LogRatios("b", start, logs, base, head)
        suspected = decision.suspects([ratios])
        found = decision.verdicts([ratios], suspected, [ratios for _ in suspected])
        assert [one.verdict for one in found] == [verdict]


def test_time_is_judged_by_paired_ratios_alone():
    """Unpaired medians may say the opposite on a machine that drifts."""
    ratios = LogRatios("b", TIME, (0.050, 0.051, 0.049, 0.050, 0.052), 2.0, 1.0)
    found = decision.verdicts([ratios], decision.suspects([ratios]), [ratios])
    assert [one.verdict for one in found] == ["slower"]


def test_one_replicate_says_nothing():
    ratios = [LogRatios("b", TIME, (0.5,), 1.0, 1.6)]
    found = decision.verdicts(ratios, [0], ratios)
    assert found[0].verdict == "unknown"
    assert math.isnan(found[0].smallest)
