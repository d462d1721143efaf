"""The regression gate's decision, on simulated replicates whose truth is known."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.regression import decision
from benchmarks.regression.decision import LogRatios, Rule, Sampling, Spread
from tests.helpers.gates import SDS, TIME, draw, gate


@pytest.mark.parametrize("tails", [False, True], ids=["normal", "heavy tails"])
def test_false_alarms_of_a_whole_gate_stay_below_a_third_of_a_percent(tails):
    rng = np.random.default_rng(1)
    alarms = sum(bool(gate(rng, SDS, [0.0] * len(SDS), tails)[0]) for _ in range(1500))
    assert alarms <= 4  # of 1500: more would be above a third of a percent


def test_false_alarms_stay_rare_where_the_spread_is_larger_than_the_margin():
    rng = np.random.default_rng(2)
    alarms = sum(bool(gate(rng, [0.05] * 6, [0.0] * 6)[0]) for _ in range(300))
    assert alarms <= 4


@pytest.mark.parametrize("noisy", [1, 3])
def test_false_alarms_stay_rare_where_few_benchmarks_are_much_noisier_than_the_others(noisy):
    """A variance that borrows from quiet benchmarks, at a look where its own happens to be small, would look sure."""
    rng = np.random.default_rng(12)
    alarms = sum(bool(gate(rng, [0.003] * (12 - noisy) + [0.015] * noisy, [0.0] * 12)[0]) for _ in range(1000))
    assert alarms <= 8  # at 0.3 %, 9 or more has p = 0.004


def test_a_state_that_a_process_keeps_is_no_alarm():
    """In four processes of ten, a call takes a quarter longer: on both sides, independently."""
    rng = np.random.default_rng(13)
    slow = 0
    for _ in range(1000):
        states = rng.random((2, decision.MOST)) < 0.4
        logs = 0.22 * (states[1].astype(float) - states[0]) + 0.003 * rng.standard_normal(decision.MOST)
        sampling, n = Sampling(1), decision.FEWEST
        while sampling.unsettled(measured := [LogRatios("b", TIME, tuple(logs[:n]), 1, 1)]):
            n += 1
        slow += decision.verdicts(measured, sampling)[0].verdict == "slower"
    assert slow <= 8


def test_a_gate_that_stops_where_a_mean_looks_large_would_cry_wolf():
    """The negative control: to look at p after each replicate, at 5 % for each benchmark, is wrong in most gates."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(100):
        logs = [draw(rng, 0.02, 0.0, decision.MOST) for _ in range(6)]
        looks = (
            decision.spreads([LogRatios(f"b{k}", TIME, one[:n], 1, 1) for k, one in enumerate(logs)])
            for n in range(decision.FEWEST, decision.MOST)
        )
        alarms += any(spread.p() < 0.05 for spreads in looks for spread in spreads)
    assert alarms > 50


@pytest.mark.parametrize(("effect", "least"), [(0.02, 0.93), (0.03, 0.985), (0.05, 0.995)])
def test_slowdowns_are_found(effect, least):
    rng = np.random.default_rng(4)
    found = 0
    for k in range(400):
        effects = [0.0] * len(SDS)
        effects[k % len(SDS)] = math.log1p(effect)
        found += f"b{k % len(SDS)}" in gate(rng, SDS, effects)[0]
    assert found / 400 >= least


@pytest.mark.parametrize("benchmarks", [1, 2, 4])
def test_a_gate_of_few_benchmarks_which_borrow_nothing(benchmarks):
    rng, sds = np.random.default_rng(14), [0.008, 0.012, 0.02, 0.008][:benchmarks]
    assert sum(bool(gate(rng, sds, [0.0] * benchmarks)[0]) for _ in range(1000)) <= 8
    effects = [math.log1p(0.02), *[0.0] * (benchmarks - 1)]
    assert sum("b0" in gate(rng, sds, effects)[0] for _ in range(200)) >= 180


def test_what_is_faster_is_no_regression_and_is_said():
    rng = np.random.default_rng(5)
    slower, found = gate(rng, [0.004] * 6, [-0.06, 0, 0, 0, 0, 0])
    assert slower == set()
    assert found[0].verdict == "faster"
    assert {one.verdict for one in found[1:]} <= {"same", "unclear"}


def test_a_slowdown_far_below_the_margin_is_none_however_sure():
    rng = np.random.default_rng(6)
    assert not any(gate(rng, [0.0005] * 6, [0.012] * 6)[0] for _ in range(20))


def test_most_of_what_is_unchanged_is_the_same():
    rng = np.random.default_rng(10)
    verdicts = [one.verdict for _ in range(50) for one in gate(rng, SDS, [0.0] * len(SDS))[1]]
    assert verdicts.count("same") / len(verdicts) >= 0.9


def test_what_is_futile_is_dropped_at_the_first_look_and_what_is_slow_is_not():
    rng = np.random.default_rng(11)
    effects = [math.log1p(0.03), *[0.0] * 5]
    measured = [LogRatios(f"b{k}", TIME, draw(rng, 0.004, effects[k], 4), 1, 1) for k in range(6)]
    sampling = Sampling(6)
    sampling.unsettled(measured)
    assert sampling.dropped == {(f"b{k}", "time") for k in range(1, 6)}


def test_what_was_dropped_never_comes_back():
    sampling = Sampling(1, dropped={("b0", "time")})
    slow = [LogRatios("b0", TIME, (0.05, 0.051, 0.049, 0.05, 0.052), 1, 1)]
    assert sampling.unsettled(slow) == set()
    assert decision.verdicts(slow, sampling)[0].verdict != "slower"
    assert decision.verdicts(slow, Sampling(1))[0].verdict == "slower"


def test_sampling_ends_by_the_spread_and_not_by_the_mean():
    """The same noise around two means that are not futile: the same number of replicates."""
    noise = draw(np.random.default_rng(12), 0.01, 0.0, decision.MOST)
    noise = np.array(noise) - np.mean(noise)
    ends = set()
    for mean in (0.03, 0.3):
        for n in range(decision.FEWEST, decision.MOST + 1):
            if not Sampling(1).unsettled([LogRatios("b", TIME, tuple(noise[:n] + mean), 1, 1)]):
                ends.add(n)
                break
    assert len(ends) == 1
    assert decision.FEWEST < ends.pop() < decision.MOST


def test_the_smallest_slowdown_is_found_nine_times_of_ten():
    rng = np.random.default_rng(7)
    sd, hits = 0.012, 0
    spread = Spread(0.0, sd, 4 - 1 + decision.BORROWED, 4)
    effect = math.log1p(decision.smallest(TIME, spread, Sampling(6)))
    assert 0.01 < effect < 0.2
    for _ in range(300):
        slower, _ = gate(rng, [sd] * 6, [effect, 0, 0, 0, 0, 0])
        hits += "b0" in slower
    assert 0.86 <= hits / 300 <= 0.97


def lasting(rng, sds, share):
    """What lasts for a whole gate at benchmarks with these spreads; its variance is this share of a replicate's."""
    return [float(rng.normal(0.0, sd * math.sqrt(share))) for sd in sds]


@pytest.mark.parametrize("n", [5, 28])
def test_p_is_uniform_where_nothing_changed_but_what_the_test_allows_for(n):
    rng, sds = np.random.default_rng(9), SDS * 2
    p = np.array(
        [
            spread.p()
            for _ in range(300)
            for spread in decision.spreads(
                [
                    LogRatios(f"b{k}", TIME, draw(rng, sds[k], effect, n), 1, 1)
                    for k, effect in enumerate(lasting(rng, sds, decision.LASTING))
                ]
            )
        ]
    )
    for level in (0.003, 0.01, 0.05, 0.5):
        assert abs((p < level).mean() - level) < 4 * math.sqrt(level / len(p))


def test_what_lasts_for_a_gate_is_no_alarm_as_far_as_the_test_allows_for_it(monkeypatch):
    """Five times as much as the gate allows for: with an allowance for it the alarms stay rare, without they do not."""
    share = 5 * decision.LASTING

    def alarms(allowed):
        monkeypatch.setattr(decision, "LASTING", allowed)
        rng, sds = np.random.default_rng(15), [0.012] * 12
        return sum(bool(gate(rng, sds, lasting(rng, sds, share))[0]) for _ in range(400))

    assert alarms(share) <= 5  # at 0.3 %, 6 or more has p = 0.002
    assert alarms(0.0) > 12


@settings(max_examples=60)
@given(st.floats(0.0005, 0.1), st.floats(0.005, 0.3), st.integers(1, 40), st.integers(4, 28))
def test_power_is_a_chance_that_grows_with_the_effect_and_falls_with_the_spread(sd, margin, benchmarks, n):
    rule = Rule("time", margin)
    level = rule.level(benchmarks)
    effects = rule.margin * np.linspace(0.5, 3, 12)
    here, wider = (decision.power(effects, rule, Spread(0.0, s, 13.0, 4), n, level) for s in (sd, 2 * sd))
    assert ((here >= 0) & (here <= 1)).all()
    assert (np.diff(here) >= -1e-9).all()
    above = effects > rule.margin
    assert (here[above] >= wider[above] - 1e-9).all()


def test_the_levels_of_a_gate_add_up_to_no_more_than_its_family():
    for benchmarks in (1, 12, 100):
        levels = [rule.level(benchmarks) for rule in decision.rules(0.02)]
        assert benchmarks * sum(levels) == pytest.approx(decision.FAMILY)


def test_a_metric_with_a_floor_needs_both_the_ratio_and_the_difference():
    start = Rule("start", 0.25, floor=0.05)
    logs = tuple(math.log(2) + 0.001 * k for k in range(5))
    for base, head, verdict in ((0.01, 0.02, "same"), (0.1, 0.2, "slower")):
        ratios = [LogRatios("b", start, logs, base, head)]
        sampling = Sampling(1)
        sampling.unsettled(ratios)
        assert [one.verdict for one in decision.verdicts(ratios, sampling)] == [verdict]


def test_time_is_judged_by_paired_ratios_alone():
    """Unpaired medians may say the opposite on a machine that drifts."""
    ratios = [LogRatios("b", TIME, (0.050, 0.051, 0.049, 0.050, 0.052), 2.0, 1.0)]
    assert [one.verdict for one in decision.verdicts(ratios, Sampling(1))] == ["slower"]


def test_one_replicate_says_nothing():
    found = decision.verdicts([LogRatios("b", TIME, (0.5,), 1.0, 1.6)], Sampling(1), sizes=True)
    assert found[0].verdict == "unclear"
    assert found[0].ratio == pytest.approx(math.exp(0.5))
    assert (found[0].low, found[0].high, found[0].smallest) == (None, None, None)
    assert msgspec.json.decode(msgspec.json.encode(found[0]), type=decision.Finding) == found[0]
