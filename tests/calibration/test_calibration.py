"""Replaying gates on pools whose truth is known."""

import dataclasses
import math
import random
import re
import time
import types

import msgspec
import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import evidence, pool, report
from benchmarks.calibration.counting import counting
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.replay import Head, Replay
from benchmarks.calibration.report import RealGate, right
from benchmarks.metadata import Machine, Metadata
from benchmarks.options import Options
from benchmarks.record import TURN, Record
from benchmarks.regression import decision
from tests.helpers.gates import gate
from tests.helpers.pools import simulated
from tests.helpers.records import record


def rate(pool, draw, happened, gates=150):
    return evidence.rate(Replay(pool, 0.02), range(len(pool.sessions)), draw, happened, gates, 1, seed=0)


def alarms_within_sessions(pool, gates=160):
    replay, draw = Replay(pool, 0.02), evidence.unchanged(pool)
    return evidence.rate_within_sessions(replay, range(len(pool.sessions)), draw, evidence.alarmed, gates, seed=0)


@pytest.mark.slow
def test_a_steady_pool_gives_no_alarm_and_finds_what_was_injected():
    steady = simulated(40, 0.006)
    assert rate(steady, evidence.unchanged(steady), evidence.alarmed).rate <= 0.01
    for side, least in (("+2%", 0.9), ("+3%", 0.99)):
        assert rate(steady, evidence.slowed(steady, side), evidence.found).rate >= least
    assert rate(steady, evidence.slowed(steady, shift=0.0198), evidence.found).rate >= 0.9
    assert rate(steady, evidence.slowed(steady, shift=0.005), evidence.found).rate <= 0.02


@pytest.mark.slow
def test_a_replay_agrees_with_the_simulation_that_planned_the_gate():
    """The same spread, once as log ratios and once as turns of a pool: the same power, within what chance allows."""
    sd, effect = 0.012, math.log1p(0.02)
    rng = np.random.default_rng(3)
    gates = 300
    planned = np.mean(
        ["b0" in gate(rng, [sd] * 6, [effect, *[0.0] * 5], rule=decision.rules(0.02)[0])[0] for _ in range(gates)]
    )
    replayed = np.mean([
        rate(pool, evidence.slowed(pool, shift=effect), evidence.found, 60).rate
        for pool in (simulated(200, sd, seed) for seed in range(5))
    ])  # fmt: skip
    assert abs(planned - replayed) < 4 * math.sqrt(planned * (1 - planned) * 2 / gates) + 0.01


@pytest.mark.slow
def test_the_benchmark_at_which_least_is_found_is_the_noisiest():
    pool = simulated(40, 0.004)
    noise = np.random.default_rng(5).normal(0, 0.03, len(pool.logs))
    for log, shift in zip(pool.logs, noise, strict=True):
        log["c p/w/m"][COPY] = log["c p/w/m"][COPY] + shift
    least = evidence.least_found(Replay(pool, report.MARGIN), range(40), math.log1p(0.02), 30, seed=1)
    assert least.benchmark == "c p/w/m"
    assert least.low < least.share < least.high
    assert least.share < 0.8
    assert evidence.least_found(Replay(pool, report.MARGIN), range(3), 0.02, 30, seed=1) is None


def test_what_starts_more_slowly_is_an_alarm_too():
    slow = simulated(40, 0.004)
    for one in slow.values:
        one["a p/w/m"][COPY]["start"] = 0.3
    assert rate(slow, evidence.unchanged(slow), evidence.alarmed).rate > 0.3  # half of the draws swap base and its copy


def test_a_pool_that_is_too_small_gives_no_figure():
    small = simulated(7, 0.004)
    assert rate(small, evidence.unchanged(small), evidence.alarmed) is None
    assert "takes 8 replicates" in report.report(small, [], Machine(cpu="a cpu", cores=2), 1)
    assert "takes 8 replicates" in report.report(Pool([], [], [], [], {}), [], Machine(cpu="a cpu", cores=2), 1)


@pytest.mark.slow
def test_drift_between_replicates_does_not_fool_the_gate(monkeypatch):
    drifting = simulated(44, 0.004, drift=0.1)
    assert rate(drifting, evidence.unchanged(drifting), evidence.alarmed, 60).rate <= 0.02
    for name, few in (("ALARM_GATES", 20), ("GATES", 20), ("AGAIN", 1), ("EACH", 2), ("OFTEN", {})):
        monkeypatch.setattr(report, name, few)
    text = report.report(drifting, [], Machine(cpu="a cpu", cores=2), 1)
    assert re.search(r"- exactly \+2% is found least often in [a-f] p/w/m: [\d.]+ % \[", text)
    first = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    ours = [f"{report.OURS}, {what}" for what in ("exact sizes", "injected", report.OF_ONE)]
    assert first[2:5] == ours
    assert "4 sessions" in text


@pytest.mark.slow
def test_what_lasts_for_a_session_is_an_alarm_within_sessions():
    """A real gate lives in one session. A replay that mixes sessions would take it for noise."""
    steady, apart = simulated(88, 0.004, sessions=8), simulated(88, 0.004, session_sd=0.015, sessions=8)
    assert alarms_within_sessions(steady).rate <= 0.02
    found = alarms_within_sessions(apart)
    assert found.sessions == 8
    assert found.rate > 0.1
    assert rate(apart, evidence.unchanged(apart), evidence.alarmed).rate < found.rate / 2
    assert alarms_within_sessions(simulated(40, 0.004, sessions=4)) is None


@pytest.mark.slow
def test_limits_widen_with_what_differs_between_sessions_and_hold_the_rate():
    found = alarms_within_sessions(simulated(66, 0.004, session_sd=0.015, sessions=6), 600)
    assert found.low <= found.rate <= found.high
    least, most = evidence.by_chance(round(600 * found.rate), 600)
    assert found.high - found.low > 1.5 * (most - least)


@pytest.mark.parametrize(("hits", "trials"), [(0, 2000), (3, 2000), (2000, 2000), (50, 100)])
def test_never_seen_is_not_at_most_zero(hits, trials):
    limits = stats.binomtest(hits, trials).proportion_ci(confidence_level=0.90, method="exact")
    assert evidence.by_chance(hits, trials) == pytest.approx((limits.low, limits.high), abs=1e-12)
    assert evidence.by_chance(0, 2000)[1] > 0.001


def test_few_sessions_give_no_bound(monkeypatch):
    monkeypatch.setattr(report, "SIMULATED", 2)
    for sessions, bound in ((5, False), (6, True)):
        pool = simulated(4 * sessions, 0.004, sessions=sessions)
        with counting(pool, 0.02) as ask:
            found = report._bound(ask, pool, range(4 * sessions), evidence.of_one)()
        assert (found is not None) is bound
        said = report._of_one(found)
        assert said.startswith("- false alarms of gates of one implementation: ") if bound else said == ""


def test_a_gate_of_one_implementation_compares_what_is_slowed_or_a_random_one_and_nothing_else():
    own = {name: {f"{name} p/w/{mode}" for mode in ("forward", "train_step")} for name in ("a", "b", "c")}
    small = types.SimpleNamespace(benchmarks=sorted(set().union(*own.values())))
    rng, drawn = random.Random(1), []
    for _ in range(60):
        drawn.append(set(evidence.of_one(evidence.unchanged(small))(rng)))
        heads = evidence.of_one(evidence.slowed(small, shift=0.02))(rng)
        (slower,) = [name for name, head in heads.items() if head.slowed]
        assert set(heads) == own[slower[0]]
    assert all(one in own.values() for one in drawn)
    assert all(one in drawn for one in own.values())


def simulated_alarms(pool, gates):
    held = range(len(pool.sessions))
    between = evidence.between_sessions(pool, held)
    draw = evidence.unchanged(pool)
    return evidence.alarms_of_simulated_gates(Replay(pool, report.MARGIN), held, draw, between, gates, seed=0)


@pytest.mark.slow
def test_simulated_gates_raise_alarms_where_sessions_differ_and_none_where_they_are_alike():
    steady, apart = simulated(88, 0.004, sessions=8), simulated(88, 0.004, session_sd=0.015, sessions=8)
    quiet = simulated_alarms(steady, 200)
    assert quiet.rate == 0
    assert quiet.high == pytest.approx(evidence.by_chance(0, 200)[1])
    assert (quiet.gates, quiet.sessions) == (200, 8)
    loud = simulated_alarms(apart, 60)
    assert loud.low > report.MOST_ALARMS
    replayed = alarms_within_sessions(apart)
    assert loud.rate > replayed.rate / 2  # the bound on the spread between sessions is above what was measured


@pytest.mark.parametrize(
    ("low", "high", "state"), [(0.96, 1.0, "met"), (0.95, 1.0, "met"), (0.92, 0.99, "not shown"), (0.5, 0.9, "missed")]
)
def test_a_target_is_met_or_missed_only_where_both_limits_say_so(low, high, state):
    rates = {name: evidence.Rate(0.94, low, high, 5.0, 100, 8) for name in report.TARGETS}
    pool = simulated(88, 0.004, sessions=8)
    table = report._targets(pool, range(88), evidence.Rate(0.0, 0.0, 0.002, 5.0, 100, 8), rates)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert cells[0] == ["15 sessions", "8", "missed"]
    assert cells[1][1:] == ["0 % of 100 simulated gates, at most 0.2 %", "met"]
    assert cells[2][2] == state
    short = report._targets(pool, range(80), evidence.Rate(0.0, 0.0, 0.002, 5.0, 100, 8), rates)
    assert "| 7 " in short  # the last session then has too few replicates for a gate
    noisy = report._targets(pool, range(88), evidence.Rate(0.02, 0.01, 0.03, 5.0, 100, 8), rates)
    assert "| missed" in noisy.splitlines()[3]
    assert "real gates" not in table


def real(kind, minutes=1.0, planted="", code=0, regressions=(), machine="a cpu", date="2026-11-24"):
    return RealGate(
        kind=kind,
        planted=planted,
        exit_code=code,
        regressions=list(regressions),
        seconds=60 * minutes,
        date=date,
        machine=machine,
    )


def test_the_minutes_of_real_gates_are_targets_too():
    gates = [real("same", 4.0), real("same", 6.0), real("+2%", 10.5), real("same, with a hog", 30.0)]
    rates = dict.fromkeys(report.TARGETS, evidence.Rate(1.0, 1.0, 1.0, 5.0, 100, 8))
    table = report._targets(simulated(88, 0.004, sessions=8), range(88), None, rates, gates)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert cells[-3:] == [
        ["real gates, same: mean at most 5 minutes", "5.0", "met"],
        ["real gates, same: longest at most 7 minutes", "6.0", "met"],
        ["real gates, +2%: longest at most 10 minutes", "10.5", "missed"],
    ]


def test_the_table_of_real_gates_says_where_and_when_they_ran():
    gates = [real("same", date="2026-11-24"), real("+2%", date="2026-11-26"), real("same", machine="another")]
    said = report._real_gates(gates).splitlines()[0]
    assert said.startswith("Real gates: a cpu, 2026-11-24 to 2026-11-26; another, 2026-11-24. Minutes without")


def test_sessions_that_differ_are_seen():
    alike, apart = (
        evidence.between_sessions(pool, range(60))
        for pool in (simulated(60, 0.006, sessions=6), simulated(60, 0.006, session_sd=0.006, sessions=6))
    )
    assert alike.share < 0.3
    assert alike.bound < 0.6
    assert apart.share > 0.4


def shifted(pool, by):
    """The same pool with a copy that is slower, by so much as a log, in every session and benchmark."""
    logs = [{name: {**sides, COPY: sides[COPY] + by} for name, sides in one.items()} for one in pool.logs]
    return dataclasses.replace(pool, logs=logs)


def test_a_copy_that_is_slower_in_every_session_counts_as_an_effect_of_the_session():
    pool = simulated(66, 0.006, sessions=6)
    alike, slower = (evidence.between_sessions(one, range(66)) for one in (pool, shifted(pool, 0.006)))
    assert slower.share > 0.7
    assert slower.share > alike.share + 0.5


@pytest.mark.slow
def test_a_difference_that_lasted_in_a_pool_does_not_count_twice_in_simulated_gates():
    """It is in the variance between sessions. Without that, the gates have the noise of the replicates alone."""
    pool, none = shifted(simulated(66, 0.006, sessions=6), 0.006), evidence.Between(0.0, 0.0)
    held, draw, replay = range(66), evidence.unchanged(pool), Replay(pool, report.MARGIN)
    assert evidence.alarms_of_simulated_gates(replay, held, draw, none, 200, seed=0).rate <= 0.01
    assert simulated_alarms(pool, 60).rate > 0.1


@pytest.mark.parametrize(
    ("side", "swapped", "sides"),
    [
        (COPY, False, (BASE, COPY)),
        (COPY, True, (COPY, BASE)),
        ("+2%", False, (BASE, "+2%")),
        ("+2%", True, (COPY, "+2%")),
    ],
)
def test_base_and_its_copy_swap_their_labels_and_a_slower_side_keeps_its_own(side, swapped, sides):
    assert Head(side).sides(swapped) == sides
    assert Head(side).slowed is (side != COPY)


def test_the_bound_on_the_spread_between_sessions_holds_95_times_of_100():
    """The truth is a share of 0.25."""
    below = [
        evidence.between_sessions(simulated(24, 0.006, seed, session_sd=0.003, sessions=6), range(24)).bound < 0.25
        for seed in range(60)
    ]
    assert np.mean(below) <= 0.15


def test_sessions_of_one_replicate_do_not_count_for_the_spread_between_them():
    pool = simulated(24, 0.006, sessions=4)
    longer = [*range(24)]
    odd = dataclasses.replace(pool, sessions=[*pool.sessions[:-1], "alone"])
    whole, without = (evidence.between_sessions(one, held) for one, held in ((odd, longer), (odd, longer[:-1])))
    assert whole == without


def test_p_values_of_copies_are_uniform():
    p = np.concatenate([evidence.p_values_of_copies(simulated(40, 0.006, seed), range(40)) for seed in range(10)])
    assert len(p) == 10 * 4 * 6
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_size_is_what_was_measured():
    found = {(one.benchmark, one.side): one for one in evidence.sizes(simulated(40, 0.004), ["+2%", "+5%"])}
    assert len(found) == 12
    for (_, side), one in found.items():
        assert one.low <= one.ratio <= one.high
        assert abs(one.ratio - {"+2%": 0.02, "+5%": 0.05}[side]) < 0.004
        assert (one.work, one.n) == ("arithmetic", 40)


def test_injected_slowdowns_are_summed_up_and_each_is_listed():
    pool = simulated(40, 0.004)
    (table,) = report._sizes(pool)
    lines = {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in table.splitlines()[2:]}
    for (side, work), line in lines.items():
        assert work == "arithmetic"
        value, low, high = map(float, re.findall(r"[+-]\d+\.\d+", line)[:3])
        assert low < value < high
        assert abs(value - float(side.strip("+%"))) < 0.2
    listed = report.slowdowns_listed(pool)
    assert len(listed.splitlines()) == 2 + len(report.SHARES) * len(pool.benchmarks)
    assert (
        report.slowdowns_listed(dataclasses.replace(pool, works={}, replicates=[], logs=[], values=[], sessions=[]))
        == ""
    )


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (1, 400)])
def test_wilson_is_scipys(hits, n):
    want = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert report.wilson(hits, n) == pytest.approx((want.low, want.high), abs=1e-12)


def test_a_real_gate_is_right_where_it_names_the_slowed_one_by_its_time():
    def is_right(kind, planted, code, *regressions):
        return right(real(kind, planted=planted, code=code, regressions=regressions))

    assert is_right("same", "", 0)
    assert not is_right("same", "", 1, "x p/w/m: time +3 %")
    assert not is_right("same", "", 3)
    assert is_right("+3%", "x p/w/m", 1, "x p/w/m: time +5.0% [+4.0%, +6.0%]")
    assert not is_right("+3%", "x p/w/m", 1, "x p/w/m: start +50.0%")
    assert not is_right("+3%", "x p/w/m", 1, "y p/w/m: time +5.0%")
    assert not is_right("+3%", "x p/w/m", 0)
    assert not is_right("+3%", "x p/w/m", 1)


def test_a_replicate_is_kept_without_its_samples_and_read_back(tmp_path):
    turns = [turn | {"samples": [1 + turn["seconds"], 3 + turn["seconds"]]} for turn in turns_of((1, 0))]
    rows = [record("i", 0, 1.5, side=side, turns=turns, warm_first_call_seconds=0.1) for side in (BASE, COPY)]
    rows.append(record("i", 0, None, side="+2%", turns=None, status="crashed"))
    rows = [msgspec.convert(row, Record) for row in rows]
    pool.save(tmp_path, rows)
    found = Pool.load(tmp_path)
    assert found.holding([BASE, COPY]) == [0]
    assert found.holding([BASE, "+2%"]) == []
    np.testing.assert_array_equal(found.replicates[0]["i p/w/m"][COPY], [3, 3, 4, 4])  # means, for other tools
    np.testing.assert_array_equal(found.logs[0]["i p/w/m"][COPY], np.log([1, 2]))
    assert found.values[0]["i p/w/m"][COPY] == {"time": 1.5, "start": 0.1, "memory": 2**20 + 2**20}
    assert found.log_ratio(0, "i p/w/m", BASE, COPY) == 0
    assert found.sessions == ["r"]


HERE = Machine(cpu="AMD EPYC", family=26, model=2)


def claimed(folder, machine=HERE, threads=1, **more):
    """Claim a pool, and leave something in it."""
    pool.claim(folder, machine, threads, **more)
    (folder / "replicate-20261124T194126.parquet").touch()


def test_a_pool_takes_replicates_of_one_machine_only(tmp_path):
    claimed(tmp_path / "one" / "pool")
    pool.claim(tmp_path / "one" / "pool", msgspec.structs.replace(HERE, memory_bytes=1), 1)
    for other in ({"family": 25}, {"model": 3}, {"dispatch": {"BLAS": "Haswell"}}, {"cpu": "AMD EPYC 2"}):
        with pytest.raises(ValueError, match=r"has replicates of another machine \(AMD EPYC, family 26"):
            pool.claim(tmp_path / "one" / "pool", msgspec.structs.replace(HERE, **other), 1)
    with pytest.raises(ValueError, match="threads a worker: 1"):
        pool.claim(tmp_path / "one" / "pool", HERE, 2)
    card = msgspec.structs.replace(HERE, gpu="H100, 580.1")
    with pytest.raises(ValueError, match=r"this one is .*, on H100, 580\.1"):
        pool.claim(tmp_path / "one" / "pool", card, 1, "cuda")
    pool.claim(tmp_path / "one" / "pool", card, 1)  # a card that is not used makes no other machine
    assert pool.threads_of(tmp_path / "one" / "pool") == 1
    claimed(tmp_path / "more" / "pool", threads=2)
    assert pool.threads_of(tmp_path / "more" / "pool") == 2
    assert pool.threads_of(tmp_path) is None


def test_a_pool_is_of_the_same_gates_once_something_is_measured(tmp_path):
    folder, mine = tmp_path / "mine" / "pool", "mine (01234567) at t4-b2-i8-h8"
    pool.claim(folder, HERE, 1)
    claimed(folder, what=mine)  # nothing had been measured
    pool.claim(folder, HERE, 1, what=mine)
    assert pool.description_of(folder) == mine
    assert pool.threads_of(folder) == 1
    with pytest.raises(ValueError, match=r"has gates of mine \(01234567\) at t4-.*; these are the default gates"):
        pool.claim(folder, HERE, 1)
    with pytest.raises(ValueError, match="has replicates of another machine"):
        pool.claim(folder, HERE, 12, what=mine)
    (folder / "replicate-20261124T194126.parquet").unlink()
    pool.claim(folder, HERE, 1)
    assert pool.description_of(folder) == pool.description_of(tmp_path) == ""


def test_a_pool_from_before_machines_were_recorded_goes_on(tmp_path):
    (tmp_path / "replicate-20261124T194126.parquet").touch()
    pool.claim(tmp_path, HERE, 1)
    pool.claim(tmp_path, msgspec.structs.replace(HERE, family=25), 2)
    assert not (tmp_path / "machine.txt").exists()


def described_at(folder, machine, session="20261126T000000-00000001"):
    known = Metadata(run=Options(run_id=session, baseline=BASE), machine=machine)
    pool.describe(folder, pool.Collected(known, date="2026-11-26"))


def test_sessions_of_different_machines_are_no_pool(tmp_path):
    described_at(tmp_path, HERE)
    described_at(tmp_path, HERE, "20261126T010000-00000002")
    assert Pool.load(tmp_path).machine == HERE
    described_at(tmp_path, msgspec.structs.replace(HERE, family=25), "20261126T020000-00000003")
    with pytest.raises(
        ValueError, match=r"has sessions of different machines: AMD EPYC, family 26.*; AMD EPYC, family 25"
    ):
        Pool.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "\xff"])
def test_a_damaged_file_of_a_session_is_named(tmp_path, text):
    path = tmp_path / "session-20261126T000000-00000001.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} is damaged: "):
        Pool.load(tmp_path)


def turns_of(blocks):
    """Two turns in each block. Each takes a second more than the number of its block."""
    plain = dict.fromkeys((field.name for field in TURN), 0.0)
    empty = dict.fromkeys(("samples", "inputs", "gpu_throttled", "gpu_others"))
    return [
        plain | empty | {"block": block, "position": k, "involuntary_switches": 0, "seconds": 1.0 + block}
        for block in blocks
        for k in (0, 1)
    ]


def rows_of(blocks=2, status="ok"):
    """A replicate of a benchmark: `blocks` are those of the copy."""
    sides = {BASE: turns_of(range(2)), COPY: turns_of(range(blocks))}
    return [
        msgspec.convert(record("i", 0, 1.5, side=side, status=status, turns=turns, warm_first_call_seconds=0.1), Record)
        for side, turns in sides.items()
    ]


def test_a_replicate_that_is_not_whole_is_named(tmp_path):
    pool.save(tmp_path, rows_of())
    assert Pool.load(tmp_path).sessions == ["r"]
    for rows, said in (
        (rows_of(status="crashed"), "holds no times"),
        (rows_of(blocks=1), "has more blocks of one side than of another, of i p/w/m"),
    ):
        (path,) = tmp_path.glob("replicate-*")
        path.unlink()
        pool.save(tmp_path, rows)
        with pytest.raises(ValueError, match=said):
            Pool.load(tmp_path)


def test_replicates_of_two_sessions_in_one_second_are_two(tmp_path, monkeypatch):
    moment = time.gmtime()
    monkeypatch.setattr(time, "gmtime", lambda: moment)
    for session in ("20261126T000000-0000000a", "20261126T000000-0000000b"):
        pool.save(tmp_path, [msgspec.structs.replace(row, run_id=session) for row in rows_of()])
    assert len(Pool.load(tmp_path).sessions) == 2


def test_what_is_no_folder_is_no_pool(tmp_path):
    (tmp_path / "pool").touch()
    with pytest.raises(ValueError, match="pool is not a folder"):
        Pool.load(tmp_path / "pool")


def test_a_pool_knows_its_sessions(tmp_path):
    collected = pool.Collected(Metadata(run=Options(run_id="run", baseline=BASE)), date="2026-11-26", work="memory")
    pool.describe(tmp_path, collected)
    assert Pool.load(tmp_path).works == {"run": "memory"}
