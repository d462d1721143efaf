"""Replaying gates on pools whose truth is known."""

import dataclasses
import math
import random
import statistics

import numpy as np
import pytest

from benchmarks.calibration import assumptions, rates, replay
from benchmarks.calibration.pool import BASE, COPY, Replicate
from benchmarks.calibration.rates import Count, by_chance
from benchmarks.calibration.replay import Case, Gate, Head, Replay
from benchmarks.regression import decision
from benchmarks.regression.decision import Sampling
from tests.helpers.pools import NAMES, simulated

SAME = Case()


def exactly(shift):
    return Case(Head(shift=shift))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """The limits of gates from several rounds are of no interest here."""
    monkeypatch.setattr(rates, "DRAWS", 2)


def rate(pool, case, gates=150):
    return Count(range(len(pool.replicates)), case, gates, 0).across_rounds(Replay(pool), 1)


def alarms_within_rounds(pool, gates=160):
    return Count(range(len(pool.replicates)), SAME, gates, 0).within_rounds(Replay(pool))


def simulated_alarms(pool, gates):
    held = range(len(pool.replicates))
    return Count(held, SAME, gates, 0).simulated(Replay(pool), assumptions.between_rounds(pool, held).bound)


def shifted(pool, shifts, benchmarks):
    """The same pool with a copy that is slower at some benchmarks, by a shift of the log for each replicate."""

    def slower(replicate, by):
        added = {name: by if name in benchmarks else 0.0 for name in replicate.logs}
        logs = {name: {**sides, COPY: sides[COPY] + added[name]} for name, sides in replicate.logs.items()}
        return Replicate(replicate.round, logs, replicate.values)

    return dataclasses.replace(pool, replicates=list(map(slower, pool.replicates, shifts)))


def with_slower_copy(pool, by):
    """In every round and benchmark."""
    return shifted(pool, [by] * len(pool.replicates), pool.benchmarks)


def test_a_steady_pool_gives_no_alarm_and_finds_what_was_injected():
    steady = simulated(40, 0.006)
    assert rate(steady, SAME).rate <= 0.01
    for side, least in (("+2%", 0.9), ("+3%", 0.99)):
        assert rate(steady, Case(Head(side))).rate >= least
    assert rate(steady, exactly(0.0198)).rate >= 0.9
    assert rate(steady, exactly(0.005)).rate <= 0.02


def test_what_is_slowed_is_found_by_its_time_alone():
    some = [Gate(frozenset({("b", metric)}), 8) for metric in ("start", "time")]
    assert [gate.found({"b": Head(shift=0.02)}) for gate in some] == [False, True]
    assert [gate.found({"b": Head()}) for gate in some] == [True, True]


def test_gates_that_are_replayed_together_decide_as_each_real_one_does(monkeypatch):
    """One replicate after the other, as outcome.measure_and_decide: with starts, memory, and times that grow later."""
    monkeypatch.setattr(replay, "AT_ONCE", 7)  # so that there are several lots
    pool, rng, draws = simulated(60, 0.016, seed=3), random.Random(5), []
    pool = shifted(pool, [-0.02] * 15 + [0.06] * 45, NAMES[:2])
    noise = np.random.default_rng(8)
    for replicate in pool.replicates:
        for sides in replicate.values.values():
            for values in sides.values():
                values["start"], values["memory"] = 0.2 * noise.lognormal(0, 0.25), 2.0**27 * noise.lognormal(0, 0.02)
    for number in range(30):
        head = Head(*((COPY, rng.choice([0.0, 0.015, 0.02, 0.05])) if number % 3 else ("+2%", 0.0)))
        heads = Case(head, alone=not number % 5).draw(NAMES, rng)
        order = rng.sample(range(60), 40)
        draws.append((heads, (sorted(order) if number % 2 else order, [number % 4 == 2] * 40)))
    replayed = Replay(pool)
    draws.sort(key=lambda drawn: len(drawn[0]))
    alike = ([drawn for drawn in draws if len(drawn[0]) == size] for size in (1, len(NAMES)))
    found = [gate for some in alike for gate in replayed.gates(some)]
    assert len({gate.replicates for gate in found}) > 4
    assert len({gate.slower for gate in found}) > 4
    for gate, (heads, (order, swaps)) in zip(found, draws, strict=True):
        sampling, n = Sampling(len(heads)), dict.fromkeys(heads, decision.FEWEST)
        while unsettled := sampling.unsettled(measured := list(ratios(pool, heads, order, swaps, n))):
            n |= {name: n[name] + 1 for name in unsettled}
        found_slower = [one for one in decision.verdicts(measured, sampling) if one.verdict == "slower"]
        slower = {(one.benchmark, one.metric) for one in found_slower}
        assert (gate.slower, gate.replicates) == (slower, max(n.values()))


def ratios(pool, heads, order, swaps, n):
    """Yield the log ratios of each benchmark's first replicates, as log_ratios.of_records makes them."""
    for name, head in heads.items():
        firsts = [
            (pool.replicates[k], *head.sides(swap)) for k, swap in list(zip(order, swaps, strict=True))[: n[name]]
        ]
        for rule in decision.rules(0.02):
            base = [replicate.values[name][side][rule.metric] for replicate, side, _ in firsts]
            now = [replicate.values[name][side][rule.metric] for replicate, _, side in firsts]
            logs = [math.log(after / before) for before, after in zip(base, now, strict=True)]
            if rule.metric == "time":
                logs = [replicate.log_ratio(name, *sides) + head.shift for replicate, *sides in firsts]
            middles = statistics.median(base), statistics.median(now)
            yield decision.LogRatios(decision.GateKey(name), rule, tuple(logs), *middles)


def test_drift_between_replicates_does_not_fool_the_gate():
    assert rate(simulated(44, 0.004, drift=0.1), SAME, 60).rate <= 0.02


def test_what_lasts_for_a_round_is_an_alarm_within_rounds():
    """A real gate lives in one round. A replay that mixes rounds would take it for noise."""
    steady, apart = simulated(88, 0.004, rounds=8), simulated(88, 0.004, round_sd=0.015, rounds=8)
    assert alarms_within_rounds(steady).rate <= 0.02
    found = alarms_within_rounds(apart)
    assert found.rate > 0.1
    assert rate(apart, SAME).rate < found.rate / 2
    assert alarms_within_rounds(simulated(40, 0.004, rounds=4)) is None


def test_limits_widen_with_what_differs_between_rounds_and_hold_the_rate():
    found = alarms_within_rounds(simulated(66, 0.004, round_sd=0.015, rounds=6), 600)
    assert found.low <= found.rate <= found.high
    least, most = by_chance(round(600 * found.rate), 600)
    assert found.high - found.low > 1.5 * (most - least)


def test_limits_of_gates_from_several_rounds_come_from_drawing_the_rounds_anew(monkeypatch):
    """Half of the rounds find it, half do not. With one round, limits are what chance makes them."""
    monkeypatch.setattr(rates, "DRAWS", 20)
    pool = shifted(simulated(32, 0.003, rounds=4), [-0.02] * 16 + [0.02] * 16, NAMES)
    case = exactly(math.log1p(0.02))
    found = Count(range(32), case, 20, 0).across_rounds(Replay(pool), 4)
    least, most = by_chance(round(20 * found.rate), 20)
    assert found.high - found.low > 1.5 * (most - least)
    alone = Count(range(8), case, 20, 0).across_rounds(Replay(pool), 4)
    assert (alone.low, alone.high) == by_chance(round(20 * alone.rate), 20)
    assert Count(range(7), case, 20, 0).across_rounds(Replay(pool), 4) is None


def test_never_seen_is_not_at_most_zero():
    assert by_chance(0, 2000) == (0, pytest.approx(1 - 0.05 ** (1 / 2000)))


def test_a_gate_of_one_implementation_compares_what_is_slowed_or_a_random_one_and_nothing_else():
    own = {name: {f"{name} p/w/{mode}" for mode in ("forward", "train_step")} for name in ("a", "b", "c")}
    benchmarks = sorted(set().union(*own.values()))
    rng, drawn = random.Random(1), []
    for _ in range(60):
        drawn.append(set(Case(alone=True).draw(benchmarks, rng)))
        heads = Case(Head(shift=0.02), alone=True).draw(benchmarks, rng)
        (slower,) = [name for name, head in heads.items() if head.slowed]
        assert set(heads) == own[slower[0]]
    assert all(one in own.values() for one in drawn)
    assert all(one in drawn for one in own.values())


def test_base_and_its_copy_swap_their_labels_and_a_slower_side_keeps_its_own():
    assert [Head(COPY).sides(swapped) for swapped in (False, True)] == [(BASE, COPY), (COPY, BASE)]
    assert [Head("+2%").sides(swapped) for swapped in (False, True)] == [(BASE, "+2%"), (COPY, "+2%")]


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
    replayed, count = Replay(simulated(66, 0.01, rounds=6)), Count(range(66), SAME, 2000, 0)
    none, some, much = (count.simulated(replayed, share).rate for share in (0.0, 0.04, 0.3))
    assert none <= some < much / 20
    assert some + 0.003 < count.simulated(replayed, 0.04, freedom=3).rate < much / 5
    assert count.simulated(replayed, 0.3, freedom=1e6).rate == pytest.approx(much, abs=0.02)


def test_a_difference_that_lasted_in_a_pool_does_not_count_twice_in_simulated_gates():
    """It is in the variance between rounds. Without that, the gates have the noise of the replicates alone."""
    pool = with_slower_copy(simulated(66, 0.006, rounds=6), 0.006)
    assert Count(range(66), SAME, 200, 0).simulated(Replay(pool), 0.0).rate <= 0.01
    assert simulated_alarms(pool, 60).rate > 0.1


def test_rounds_that_differ_and_a_copy_that_is_slower_in_every_round_are_seen():
    alike = simulated(66, 0.006, rounds=6)
    pools = alike, simulated(66, 0.006, round_sd=0.006, rounds=6), with_slower_copy(alike, 0.006)
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
