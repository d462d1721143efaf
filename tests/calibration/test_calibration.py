"""Replaying gates on pools whose truth is known."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import pool, report
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.report import RealGate, right
from benchmarks.metadata import Machine
from benchmarks.record import TURN, Record
from tests.helpers.records import record

SIDES = {BASE: 0.0, COPY: 0.0, "+2%": 0.0198, "+3%": 0.0296, "+5%": 0.0488, "+10%": 0.0953}


def simulated(replicates, sd, seed=0, drift=0.0):
    """Two benchmarks; `sd` is that of a replicate's log ratio, `drift` of what moves a whole replicate."""
    rng = np.random.default_rng(seed)
    found, values = [], []
    for _ in range(replicates):
        shift = rng.normal(0, drift)
        sides = {
            name: {
                side: np.exp(shift + effect + rng.normal(0, sd / np.sqrt(2)) + rng.normal(0, 0.002, (24, 2)))
                for side, effect in SIDES.items()
            }
            for name in ("a p/w/m", "b p/w/m")
        }
        found.append(sides)
        values.append(
            {
                name: {side: {"time": 1.0, "start": 0.1, "memory": 2.0**25} for side in SIDES}
                for name in ("a p/w/m", "b p/w/m")
            }
        )
    logs = [
        {name: {side: np.log(seconds).mean(axis=1) for side, seconds in sides.items()} for name, sides in one.items()}
        for one in found
    ]
    turns = [
        {name: {side: seconds.ravel() for side, seconds in sides.items()} for name, sides in one.items()}
        for one in found
    ]
    return Pool(turns, logs, values, [dict.fromkeys(SIDES, 1.0)] * replicates)


def test_a_steady_pool_gives_no_alarm_and_finds_what_was_injected():
    steady = simulated(40, 0.004)
    assert report.replayed(steady, COPY, 150, seed=0).rate == 0
    assert report.replayed(steady, "+3%", 150, seed=0).rate > 0.95
    assert report.replayed(steady, "+5%", 150, seed=0).rate == 1
    few = report.replayed(steady, "+2%", 150, seed=0)
    assert 0 < few.rate < 0.9
    assert few.gates == pytest.approx(40 / few.processes)


def test_what_starts_more_slowly_is_an_alarm_too():
    slow = simulated(40, 0.004)
    for one in slow.values:
        one["a p/w/m"][COPY]["start"] = 0.3
    assert report.replayed(slow, COPY, 40, seed=0).rate > 0.3  # half of the draws swap base and its copy


def test_a_pool_that_is_too_small_gives_no_figure():
    assert report.replayed(simulated(3, 0.004), COPY, 5, seed=0) is None
    assert report.replayed(Pool([], [], [], []), COPY, 5, seed=0) is None
    machine = Machine(cpu="a cpu", cores=2)
    assert "takes 20 replicates" in report.report(simulated(3, 0.004), [], machine, 1)


def test_drift_between_replicates_fools_other_tools_and_not_the_gate():
    drifting = simulated(40, 0.004, drift=0.1)
    assert report.replayed(drifting, COPY, 100, seed=0).rate == 0
    assert report.other_tool(drifting, COPY, report.OTHER_TOOLS["pytest-benchmark, median:5%"], 1).rate > 0.2
    text = report.report(drifting, [], Machine(cpu="a cpu", cores=2), 1)
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")][2:] == [
        report.OURS,
        *report.OTHER_TOOLS,
    ]


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (1, 400)])
def test_wilson_is_scipys(count, n):
    want = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert report.wilson(count / n, n) == pytest.approx((want.low, want.high), abs=1e-12)


def test_a_real_gate_is_right_where_it_names_the_slowed_one_by_its_time():
    def real(kind, planted, code, *regressions):
        return RealGate(kind, planted, code, list(regressions), 1.0, "2026-11-24")

    assert right(real("same", "", 0))
    assert not right(real("same", "", 1, "x p/w/m: time +3 %"))
    assert not right(real("same", "", 3))
    assert right(real("+5%", "x", 1, "x p/w/m: time +5.0% [+4.0%, +6.0%]"))
    assert not right(real("+5%", "x", 1, "x p/w/m: start +50.0%"))
    assert not right(real("+5%", "x", 1, "y p/w/m: time +5.0%"))
    assert not right(real("+5%", "x", 0))


def test_a_replicate_is_kept_without_its_samples_and_read_back(tmp_path):
    turns = [
        dict.fromkeys((field.name for field in TURN), 0.0)
        | {
            "block": block,
            "position": k,
            "involuntary_switches": 0,
            "seconds": 1.0 + block,
            "samples": [1.0],
            "inputs": None,
        }
        for block in (1, 0)
        for k in (0, 1)
    ]
    rows = [
        record("i", 0, 1.5, side=side, phase="pool", turns=turns, warm_first_call_seconds=0.1) for side in (BASE, COPY)
    ]
    rows.append(record("i", 0, None, side="+2%", phase="pool", turns=None, status="crashed"))
    rows = [msgspec.convert(row, Record) for row in rows]
    pool.save(tmp_path, rows)
    found = Pool.load(tmp_path)
    assert found.holding([BASE, COPY]) == [0]
    assert found.holding([BASE, "+2%"]) == []
    np.testing.assert_array_equal(found.replicates[0]["i p/w/m"][COPY], [1, 1, 2, 2])
    assert found.log_ratio(0, "i p/w/m", BASE, COPY, slice(None)) == 0


HERE = Machine(cpu="AMD EPYC", family=26, model=2)


def test_a_pool_takes_replicates_of_one_machine_only(tmp_path):
    pool.claim(tmp_path / "pool", HERE)
    pool.claim(tmp_path / "pool", msgspec.structs.replace(HERE, memory_bytes=1))
    for other in ({"family": 25}, {"model": 3}, {"dispatch": {"BLAS": "Haswell"}}, {"cpu": "AMD EPYC 2"}):
        with pytest.raises(ValueError, match=r"has replicates of another machine \(AMD EPYC, family 26"):
            pool.claim(tmp_path / "pool", msgspec.structs.replace(HERE, **other))


def test_a_pool_from_before_machines_were_recorded_goes_on(tmp_path):
    (tmp_path / "replicate-20261124T194126.parquet").touch()
    pool.claim(tmp_path, HERE)
    pool.claim(tmp_path, msgspec.structs.replace(HERE, family=25))
    assert not (tmp_path / "machine.txt").exists()
