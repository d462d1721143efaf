"""The tables of a calibration, and real gates."""

from collections import defaultdict

import pytest

from benchmarks.calibration import rates, report
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.real_gates import RealGate
from tests.helpers.markdown import cells_of
from tests.helpers.pools import simulated

FEW = {"ALARM_GATES": 8, "SIMULATED": 20, "GATES": 4, "AGAIN": 1, "OFTEN": {}}

BY_CHANCE = rates.Rate(0.1, 0.05, 0.2, 2, 0, remark=", by chance")


def test_the_whole_report(monkeypatch):
    pool = simulated(66, 0.01, rounds=6)
    for name, few in FEW.items():
        monkeypatch.setattr(report, name, few)
    monkeypatch.setattr(rates, "DRAWS", 2)
    rates_of_pool = defaultdict(dict)
    for (row, column), count in report.counts_of(pool).items():
        rates_of_pool[row][column] = count(pool)
    others = {"a tool": dict.fromkeys(("false alarms", "+2%", "+3%", "+5%"), BY_CHANCE)}
    text = report.report(pool, [], rates_of_pool, others)
    assert "a cpu, 2 cores, 1 thread a worker; 2026-11-20 to 2026-11-25. 6 rounds; replicates: A/A 66, +2% 66" in text
    assert [row[0] for row in cells_of(text)[2:5]] == [
        f"this gate, {what}" for what in ("exact sizes", "injected", "one implementation")
    ]
    assert cells_of(text)[5] == ["a tool", *["10.0 % [5 %, 20.0 %], by chance"] * 4, "2"]
    assert "- false alarms: 0 % of 20 simulated gates, at most" in text
    assert [row[0] for row in cells_of(text) if row[0].endswith("lasts")] == [f"{n} % lasts" for n in (0, 2, 4, 8)]


def test_a_pool_that_is_too_small_gives_no_figure():
    for pool in (simulated(7, 0.004), Pool([], {})):
        assert report.counted(pool, print) == {}
        assert "takes 8 replicates" in report.report(pool, [], {}, {})


@pytest.mark.parametrize(("rounds", "bound"), [(5, False), (6, True)])
def test_few_rounds_give_no_bound(rounds, bound):
    counts = report.counts_of(simulated(4 * rounds, 0.004, rounds=rounds))
    assert ((report.EXACT, report.BOUND) in counts) is ((report.OF_ONE, report.BOUND) in counts) is bound
    if bound:
        assert counts[report.EXACT, report.BOUND].keywords["freedom"] == 3, "a heavy tail"


def real(kind, minutes=1.0, slowed="", code=0, worse=(), machine="a cpu", date="2026-11-24"):
    return RealGate(
        kind=kind, slowed=slowed, exit_code=code, worse=list(worse), seconds=60 * minutes, date=date,
        machine=machine,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slowed", "code", "worse", "right"),
    [
        ("", 0, [], True),
        ("", 1, [("x p/w/m", "time")], False),
        ("x p/w/m", 1, [("x p/w/m", "time")], True),
        ("x p/w/m", 1, [("x p/w/m", "start")], False),
        ("x p/w/m", 1, [("x p/w/m", "time"), ("y p/w/m", "time")], False),
        ("x p/w/m", 1, [], False),
    ],
)
def test_a_real_gate_is_right_where_it_names_the_slowed_one_by_its_time(slowed, code, worse, right):
    assert real("+3%" if slowed else "same", slowed=slowed, code=code, worse=worse).right is right
