"""The regression gate's decision, on simulated replicates whose truth is known."""

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration.replay import run_gates
from benchmarks.regression import decision, findings
from benchmarks.regression.decision import FEWEST, MOST, TESTED, LogRatios, Rule, Sampling
from benchmarks.regression.sensitivity import smallest_and_alarms
from benchmarks.statistics.intervals import p_values

TIME = Rule("time", 0.02)
SDS = (0.004, 0.006, 0.008, 0.015, 0.003, 0.01)
START = Rule("start", 0.25, floor=0.05)


def draws(rng, sds, effects, n=MOST, tails=False):
    """Return n log ratios of each benchmark; with `tails`, many of them far away."""
    shape = len(sds), n
    noise = rng.standard_t(3, shape) / math.sqrt(3) if tails else rng.standard_normal(shape)
    return np.asarray(effects)[:, None] + np.asarray(sds)[:, None] * noise


def gates(logs):
    """Run whole decisions on log ratios of shape (gates, benchmarks, most). Return what each calls slower."""
    times = np.array(logs)[None]
    return run_gates([TIME], times, np.ones_like(times), np.ones_like(times))[0][0]


def of(*groups, rule=TIME, base=1.0, head=1.0):
    """Return the log ratios of benchmarks b, c and so on, whose sides have these values in each replicate."""
    n = np.array([len(group) for group in groups])
    logs = np.array([np.resize(group, n.max()) for group in groups])
    keys = [decision.GateKey(chr(ord("b") + number)) for number in range(len(groups))]
    return LogRatios(rule, logs, np.full(logs.shape, base), np.full(logs.shape, head), n, keys)


def around(mean, n, sd=1e-3):
    """Return n values with exactly this mean and standard deviation."""
    values = np.random.default_rng(n).standard_normal(n)
    return mean + sd * (values - values.mean()) / values.std(ddof=1)


@pytest.mark.parametrize(
    ("sds", "tails", "number", "most"),
    [
        (SDS, False, 800, 3),
        (SDS, True, 800, 3),
        ((0.05,) * 6, False, 100, 2),  # more than the margin
        ((0.003,) * 9 + (0.015,) * 3, False, 400, 5),  # a variance that borrows from quiet ones could look sure
        ((0.008,), False, 1000, 8),  # so few borrow nothing
        ((0.008, 0.012, 0.02, 0.008), False, 500, 5),
    ],
)
def test_false_alarms_of_a_whole_gate_stay_rare(sds, tails, number, most):
    rng = np.random.default_rng(1)
    found = gates([draws(rng, sds, [0.0] * len(sds), tails=tails) for _ in range(number)])
    assert found.any(axis=1).sum() <= most


def test_a_state_that_a_process_keeps_is_no_alarm():
    """In four processes of ten, a call takes a quarter longer: on both sides, independently."""
    rng = np.random.default_rng(13)
    states = rng.random((2, 300, 1, MOST)) < 0.4
    logs = 0.22 * (states[1].astype(float) - states[0]) + 0.003 * rng.standard_normal(states[0].shape)
    assert gates(logs).sum() <= 3


@pytest.mark.parametrize(
    ("sds", "effect", "least"),
    [
        (SDS, 0.02, 0.93),
        (SDS, 0.03, 0.985),
        (SDS, 0.05, 0.995),
        ((0.008,), 0.02, 0.9),
        ((0.008, 0.012, 0.02, 0.008), 0.02, 0.9),
    ],
)
def test_slowdowns_are_found(sds, effect, least):
    rng, targets = np.random.default_rng(4), np.arange(240) % len(sds)
    found = gates([draws(rng, sds, math.log1p(effect) * (np.arange(len(sds)) == target)) for target in targets])
    assert found[np.arange(240), targets].mean() >= least


@pytest.mark.parametrize(("sign", "word"), [(1, "slower"), (-1, "faster")])
def test_less_than_half_the_margin_is_none_however_sure(sign, word):
    half = 0.5 * TIME.margin
    for n in (TESTED, MOST):
        below, above = (
            findings.verdicts([of(around(sign * share * half, n))], Sampling(1))[0].verdict for share in (0.9, 1.1)
        )
        assert below != word
        assert above == word


@pytest.mark.parametrize(("sign", "word"), [(1, "slower"), (-1, "faster")])
def test_the_test_has_one_side_and_the_level_of_its_rule(sign, word):
    for share, verdict in ((0.7, word), (1.5, "unclear")):
        error = 0.01 * math.sqrt(1 / TESTED + decision.LASTING)
        mean = -sign * stats.t.ppf(share * decision.FAMILY, TESTED - 1) * error
        assert findings.verdicts([of(around(mean, TESTED, 0.01))], Sampling(1))[0].verdict == verdict


def test_a_finding_has_the_numbers_that_it_follows_from():
    measured, sampling = [of(around(0.05, 5, 0.01), head=2.0)], Sampling(3, 6, {("b", "time")})
    half = stats.t.ppf(0.975, 4) * 0.01 * math.sqrt(1 / 5 + decision.LASTING)
    size, alarms = smallest_and_alarms(measured[0].evidence(3)[0], 6)
    (found,) = findings.verdicts(measured, sampling)
    ends = np.exp([0.05, 0.05 - half, 0.05 + half])
    wanted = ("b", "time", "unclear", *ends, size, 5, 3, 1.0, 2.0, True, 0.01, alarms)
    assert msgspec.structs.astuple(found) == pytest.approx(wanted)


def test_same_is_an_interval_inside_the_margin_on_both_sides():
    verdicts = [findings.verdicts([of(around(mean, 6, 0.02))], Sampling(1))[0].verdict for mean in (-0.012, 0, 0.012)]
    assert verdicts == ["unclear"] * 3
    assert findings.verdicts([of(around(0.0, 6, 0.01))], Sampling(1))[0].verdict == "same"


@pytest.mark.parametrize(("errors", "dropped"), [(3.4, False), (5.5, True)])  # at 1 % of 3 degrees of freedom: 4.5
def test_what_is_futile_is_dropped_from_the_fourth_replicate_on(errors, dropped):
    error = 0.01 * math.sqrt(1 / FEWEST + decision.LASTING)
    for n, expected in ((FEWEST - 1, False), (FEWEST, dropped)):
        sampling = Sampling(1)
        sampling.unsettled([of(around(TIME.margin - errors * error, n, 0.01))])
        assert sampling.dropped == ({("b", "time")} if expected else set())


@pytest.mark.parametrize(("head", "dropped"), [(0.12, True), (0.13, False)])  # half the floor is 0.025
def test_what_lies_far_below_the_floor_is_futile_whatever_its_ratio(head, dropped):
    sampling = Sampling(1)
    sampling.unsettled([of(around(math.log(2), TESTED), rule=START, base=0.1, head=head)])
    assert bool(sampling.dropped) is dropped


def test_what_was_dropped_never_comes_back():
    sampling = Sampling(1, dropped={("b", "time")})
    slow, unsure = [of(around(0.05, 5))], [of(around(0.05, 5, 0.02))]
    assert Sampling(1).unsettled(unsure) == {"b"}
    assert sampling.unsettled(unsure) == Sampling(1, most=5).unsettled(unsure) == set()
    assert findings.verdicts(slow, sampling)[0].verdict != "slower"
    assert findings.verdicts(slow, Sampling(1))[0].verdict == "slower"


def test_a_slowdown_gets_eight_replicates_unless_it_is_a_thousand_times_as_sure_as_it_need_be():
    for share, n, more in ((2.0, TESTED - 1, True), (0.5, TESTED - 1, False), (2.0, TESTED, False)):
        p = share * decision.CERTAIN * decision.FAMILY
        mean = -stats.t.ppf(p, n - 1) * 0.004 * math.sqrt(1 / n + decision.LASTING)
        sampling = Sampling(1)
        assert bool(sampling.unsettled([of(around(mean, n, 0.004))])) is more  # the power would be enough
        assert not sampling.dropped
    assert not Sampling(1).unsettled([of(around(0.05, FEWEST, 1e-5))])


def test_sampling_ends_by_the_spread_and_not_by_the_mean():
    """The same noise around two means, neither futile nor certain: as many replicates, for a power of POWER."""
    noise = np.tile([0.01, -0.01], MOST // 2)
    ends = [
        next(n for n in range(FEWEST, MOST + 1) if not Sampling(1).unsettled([of(noise[:n] + mean)]))
        for mean in (0.014, 0.018)
    ]
    assert ends[0] == ends[1]
    assert TESTED < ends[0] < MOST
    for n, enough in ((ends[0] - 1, False), (ends[0], True)):
        seen = of(noise[:n]).evidence(1)
        assert (seen.power(TIME.margin, n) >= 0.97) == enough


@pytest.mark.parametrize("n", [5, 28])
def test_p_is_uniform_where_nothing_changed_but_what_the_test_allows_for(n):
    rng, p = np.random.default_rng(9), []
    for _ in range(300):
        effects = rng.normal(0.0, SDS) * math.sqrt(decision.LASTING)
        p += p_values(of(*draws(rng, SDS, effects, n)).evidence(len(SDS)), 1).tolist()
    for level in (0.003, 0.01, 0.05, 0.5):
        assert abs((np.array(p) < level).mean() - level) < 4 * math.sqrt(level / len(p))


def test_what_lasts_for_a_gate_is_no_alarm_as_far_as_the_test_allows_for_it(monkeypatch):
    """Ten times as much as the gate allows for: with an allowance for it the alarms stay rare, without they do not."""
    share = 10 * decision.LASTING

    def alarms(allowed):
        monkeypatch.setattr(decision, "LASTING", allowed)
        rng, sds = np.random.default_rng(15), np.full(12, 0.012)
        found = gates([draws(rng, sds, rng.normal(0.0, sds) * math.sqrt(share)) for _ in range(60)])
        return found.any(axis=1).sum()

    assert alarms(share) <= 1
    assert alarms(0.0) > 6


def test_a_variance_borrows_at_most_ten_degrees_of_freedom():
    seen = of(*[around(0.0, 5)] * 20).evidence(20)
    assert set(seen.freedom) == {4 + 10}


def test_the_rules_are_these_and_the_levels_of_a_gate_add_up_to_its_family():
    rules = decision.rules(0.03)
    assert rules == (
        Rule("time", 0.03, 0.0, 0.8), Rule("start", 0.25, 0.05, 0.1), Rule("memory", 0.10, 8 * 2**20, 0.1)
    )  # fmt: skip
    for benchmarks in (1, 12, 100):
        levels = [of([0.0], rule=rule).evidence(benchmarks).level for rule in rules]
        assert benchmarks * sum(levels) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("rule", "log", "base", "head", "verdict"),
    [
        (START, math.log(2), 0.01, 0.02, "same"),
        (START, math.log(2), 0.05, 0.1, "slower"),  # exactly the floor
        (START, math.log(0.5), 0.1, 0.05, "faster"),
        (TIME, 0.05, 2.0, 1.0, "slower"),  # unpaired medians may say the opposite on a machine that drifts
    ],
)
def test_a_metric_with_a_floor_needs_both_the_ratio_and_the_difference(rule, log, base, head, verdict):
    measured = of(around(log, TESTED), rule=rule, base=base, head=head)
    assert findings.verdicts([measured], Sampling(1))[0].verdict == verdict


def test_one_replicate_says_nothing_and_nothing_measured_is_no_error():
    assert Sampling(1).unsettled([]) == set()
    (found,) = findings.verdicts([of([0.5])], Sampling(1))
    assert found.verdict == "unclear"
    assert found.ratio == pytest.approx(math.exp(0.5))
    assert (found.low, found.high, found.smallest, found.alarms) == (None, None, None, None)
