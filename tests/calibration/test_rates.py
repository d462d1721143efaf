"""Replaying gates on pools whose truth is known."""

import dataclasses
import math
import random

import numpy as np
import pytest

from benchmarks.calibration import assumptions, rates
from benchmarks.calibration.pool import BASE, COPY, Replicate
from benchmarks.calibration.rates import Count, by_chance
from benchmarks.calibration.replay import RULES, Replay, run_gates
from benchmarks.regression import decision, findings
from benchmarks.regression.decision import MOST, LogRatios, Sampling
from tests.helpers.pools import NAMES, simulated

EXACTLY_2 = math.log1p(0.02)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """The limits of gates from several rounds are of no interest here."""
    monkeypatch.setattr(rates, "DRAWS", 2)


def rate(pool, gates=150, **slowed):
    return Count(range(len(pool.replicates)), gates, 0, **slowed).across_rounds(pool, 1)


def alarms_within_rounds(pool, gates=160):
    return Count(range(len(pool.replicates)), gates, 0).within_rounds(pool)


def simulated_alarms(pool, gates):
    held = range(len(pool.replicates))
    return Count(held, gates, 0).simulated(pool, assumptions.between_rounds(pool, held).bound)


def shifted(pool, shifts):
    """The same pool with a slower copy, by a shift of the log for each replicate."""

    def slower(replicate, by):
        copies = {name: sides[COPY] for name, sides in replicate.sides.items()}
        slow = {name: dataclasses.replace(copy, logs=copy.logs + by) for name, copy in copies.items()}
        return Replicate(replicate.round, {name: {**replicate.sides[name], COPY: copy} for name, copy in slow.items()})

    return dataclasses.replace(pool, replicates=list(map(slower, pool.replicates, shifts)))


def test_a_steady_pool_gives_no_alarm_and_finds_what_was_injected():
    steady = simulated(40, 0.006)
    assert rate(steady).rate <= 0.01
    for side, least in (("+2%", 0.9), ("+3%", 0.99)):
        assert rate(steady, side=side).rate >= least
    assert rate(steady, shift=0.0198).rate >= 0.9
    assert rate(steady, shift=0.005).rate <= 0.02


def test_what_is_slowed_is_found_by_its_time_alone():
    pool = simulated(20, 0.004)
    for replicate in pool.replicates:
        for sides in replicate.sides.values():
            sides[COPY].values["start"] = 0.3
    assert rate(pool).rate > 0.3  # where the copy is head
    assert rate(pool, shift=1e-4).rate == 0


@pytest.mark.parametrize("seed", range(4))
def test_gates_that_are_replayed_together_decide_as_each_real_one_does(seed):
    """One replicate after the other, as outcome.measure_and_decide: with starts, memory, and times that grow later."""
    rng = np.random.default_rng(seed)
    shape = 3, 10, 6 - seed, MOST
    base, head = np.exp(rng.normal(0, 0.2, (2, *shape))) * np.reshape([1, 0.2, 2.0**27], (3, 1, 1, 1))
    head[1:, 0] *= 2
    logs = np.log(head / base)
    logs[0] = rng.normal(0, 0.012, shape[1:]) + rng.choice([0, 0.02, 0.05], shape[1:3])[..., None]
    logs[0, :, 0, :10] = -0.01
    slower, replicates = run_gates(RULES, logs, base, head)
    assert slower.any(axis=(1, 2)).all()
    assert len(set(replicates)) > 4
    keys = [decision.GateKey(str(number)) for number in range(shape[2])]
    for gate in range(shape[1]):
        sampling, n = Sampling(shape[2]), np.ones(shape[2], int)
        while True:
            arrays = zip(RULES, logs[:, gate], base[:, gate], head[:, gate], strict=True)
            measured = [LogRatios(*of_metric, n, keys) for of_metric in arrays]
            unsettled = sampling.unsettled(measured)
            if not unsettled:
                break
            n += [key in unsettled for key in keys]
        verdicts = [finding.verdict for finding in findings.verdicts(measured, sampling)]
        np.testing.assert_array_equal(np.reshape(verdicts, (-1, 3)).T == "slower", slower[:, gate])
        assert n.max() == replicates[gate]


def test_drift_between_replicates_does_not_fool_the_gate():
    assert rate(simulated(44, 0.004, drift=0.1), 60).rate <= 0.02


def test_what_lasts_for_a_round_is_an_alarm_within_rounds():
    """A real gate lives in one round. A replay that mixes rounds would take it for noise."""
    steady, apart = simulated(88, 0.004, rounds=8), simulated(88, 0.004, round_sd=0.015, rounds=8)
    assert alarms_within_rounds(steady).rate <= 0.02
    found = alarms_within_rounds(apart)
    assert found.rate > 0.1
    assert rate(apart).rate < found.rate / 2
    assert alarms_within_rounds(simulated(40, 0.004, rounds=4)) is None


def test_limits_widen_with_what_differs_between_rounds_and_hold_the_rate():
    found = alarms_within_rounds(simulated(66, 0.004, round_sd=0.015, rounds=6), 600)
    assert found.low <= found.rate <= found.high
    least, most = by_chance(round(600 * found.rate), 600)
    assert found.high - found.low > 1.5 * (most - least)


def test_limits_of_gates_from_several_rounds_come_from_drawing_the_rounds_anew(monkeypatch):
    """Half of the rounds find it, half do not. With one round, limits are what chance makes them."""
    monkeypatch.setattr(rates, "DRAWS", 20)
    pool = shifted(simulated(32, 0.003, rounds=4), [-0.02] * 16 + [0.02] * 16)
    found = Count(range(32), 20, 0, shift=EXACTLY_2).across_rounds(pool, 4)
    least, most = by_chance(round(20 * found.rate), 20)
    assert found.high - found.low > 1.5 * (most - least)
    alone = Count(range(8), 20, 0, shift=EXACTLY_2).across_rounds(pool, 4)
    assert (alone.low, alone.high) == by_chance(round(20 * alone.rate), 20)
    assert Count(range(7), 20, 0, shift=EXACTLY_2).across_rounds(pool, 4) is None


def test_never_seen_is_not_at_most_zero():
    assert by_chance(0, 2000) == (0, pytest.approx(1 - 0.05 ** (1 / 2000)))


def test_a_gate_of_one_implementation_compares_what_is_slowed_or_a_random_one_and_nothing_else():
    modes = ("forward", "train_step")
    own = {name: {decision.GateKey(f"{name} p/w/{mode}") for mode in modes} for name in ("a", "b", "c")}
    benchmarks = sorted(set().union(*own.values()))
    rng, drawn = random.Random(1), []
    for _ in range(60):
        shifts, slowed = Count((), 1, 0, alone=True).compared(benchmarks, rng)
        assert slowed is None
        drawn.append(set(shifts))
        shifts, slowed = Count((), 1, 0, shift=0.02, alone=True).compared(benchmarks, rng)
        assert set(shifts) == own[slowed[0]]
        assert [name for name, shift in shifts.items() if shift] == [slowed]
    assert all(one in own.values() for one in drawn)
    assert all(one in drawn for one in own.values())


def test_base_and_its_copy_swap_their_labels_and_a_slower_side_keeps_its_own():
    pool = simulated(1, 0.01)
    sides = pool.replicates[0].sides[NAMES[0]]
    pairs = (BASE, COPY), (COPY, BASE), (BASE, "+2%"), (COPY, "+2%")
    wanted = [np.median(sides[head].logs - sides[base].logs) for base, head in pairs]
    assert Replay(pool, [0], "+2%").table[:, 0, 0, 0, 0].tolist() == wanted


def test_simulated_gates_raise_alarms_where_rounds_differ_and_none_where_they_are_alike():
    steady, apart = simulated(88, 0.004, rounds=8), simulated(88, 0.004, round_sd=0.015, rounds=8)
    quiet = simulated_alarms(steady, 200)
    assert quiet.rate == 0
    assert quiet.high == pytest.approx(by_chance(0, 200)[1])
    loud = simulated_alarms(apart, 60)
    assert loud.low > 0.003
    replayed = alarms_within_rounds(apart)
    assert loud.rate > replayed.rate / 2  # the bound on the spread between rounds is above what was measured


def test_alarms_grow_with_what_lasts_for_a_gate_and_with_its_tail():
    """The same variance in few gates gives alarms where the test allows for it in each of them."""
    pool, count = simulated(66, 0.01, rounds=6), Count(range(66), 2000, 0)
    none, some, much = (count.simulated(pool, share).rate for share in (0.0, 0.04, 0.3))
    assert none <= some < much / 20
    assert some + 0.003 < count.simulated(pool, 0.04, freedom=3).rate < much / 5
    assert count.simulated(pool, 0.3, freedom=1e6).rate == pytest.approx(much, abs=0.02)


def test_a_difference_that_lasted_in_a_pool_does_not_count_twice_in_simulated_gates():
    """It is in the variance between rounds. Without that, the gates have the noise of the replicates alone."""
    pool = shifted(simulated(66, 0.006, rounds=6), [0.006] * 66)
    assert Count(range(66), 200, 0).simulated(pool, 0.0).rate <= 0.01
    assert simulated_alarms(pool, 60).rate > 0.1


def test_rounds_that_differ_and_a_copy_that_is_slower_in_every_round_are_seen():
    alike = simulated(66, 0.006, rounds=6)
    pools = alike, simulated(66, 0.006, round_sd=0.006, rounds=6), shifted(alike, [0.006] * 66)
    none, apart, slower = (assumptions.between_rounds(pool, range(66)) for pool in pools)
    assert none.share <= none.bound < 0.05
    assert apart.share > 0.4
    assert slower.share > 0.7


def test_the_bound_on_the_spread_between_rounds_holds_95_times_of_100():
    """The truth is a share of 0.25."""
    below = [
        assumptions.between_rounds(simulated(24, 0.006, seed, round_sd=0.003, rounds=6), range(24)).bound < 0.25
        for seed in range(60)
    ]
    assert np.mean(below) <= 0.15


def test_a_size_is_what_was_measured():
    found = assumptions.sizes(simulated(40, 0.004), ["+2%", "+5%"])
    assert [*found] == [("+2%", "arithmetic"), ("+5%", "arithmetic")]
    for (ratios, lows, highs), size in zip(found.values(), (0.02, 0.05), strict=True):
        assert len(ratios) == len(NAMES)
        assert (lows <= ratios).all()
        assert (ratios <= highs).all()
        assert (abs(ratios - size) < 0.004).all()
