"""The tables of a calibration, and real gates."""

import dataclasses
import re

import pytest

from benchmarks.calibration import rates, report
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.rates import Rate
from benchmarks.calibration.real_gates import RealGate
from benchmarks.calibration.replay import Replay
from tests.helpers.pools import IDENTITY, simulated

FEW = {"ALARM_GATES": 8, "SIMULATED": 20, "GATES": 4, "AGAIN": 1, "EACH": 2, "OFTEN": {}}


def cells_of(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]


def test_the_whole_report(monkeypatch):
    pool = simulated(66, 0.01, rounds=6)
    for name, few in FEW.items():
        monkeypatch.setattr(report, name, few)
    monkeypatch.setattr(rates, "DRAWS", 2)
    replay = Replay(pool)
    monkeypatch.setattr(report, "count_all", lambda _, counts, *__: {key: of(replay) for key, of in counts.items()})
    text = report.report(pool, [])
    assert "a cpu, 2 cores, 1 thread a worker; 2026-11-20 to 2026-11-25. 6 rounds; replicates: A/A 66, +2% 66" in text
    assert [row[0] for row in cells_of(text)[2:5]] == [
        f"this gate, {what}" for what in ("exact sizes", "injected", "one implementation")
    ]
    assert "20 simulated gates" in text
    assert re.search(r"- exactly \+2% is found least often in [a-f] p/w/m: [\d.]+ % \[", text)


def test_a_pool_that_is_too_small_gives_no_figure():
    assert "takes 8 replicates" in report.report(simulated(7, 0.004), [])
    assert "takes 8 replicates" in report.report(Pool([], {}), [])


@pytest.mark.parametrize(("rounds", "bound"), [(5, False), (6, True)])
def test_few_rounds_give_no_bound(rounds, bound):
    counts = report.counts_of(simulated(4 * rounds, 0.004, rounds=rounds))
    assert ((report.EXACT, report.BOUND) in counts) is ((report.OF_ONE, report.BOUND) in counts) is bound


def rate(share, low, high):
    return Rate(share, low, high, 5.0, 100)


def targets_of(pool, limits=(1.0, 1.0), alarms=(0.0, 0.0, 0.002), gates=()):
    found = {(report.EXACT, name): rate(0.94, *limits) for name in report.TARGETS}
    found[report.EXACT, report.BOUND] = rate(*alarms)
    return cells_of(report.targets(pool, found, gates))[2:]


@pytest.mark.parametrize(("limits", "state"), [((0.95, 1.0), "met"), ((0.92, 0.99), "unclear"), ((0.5, 0.9), "missed")])
def test_a_target_is_met_or_missed_only_where_both_limits_say_so(limits, state):
    cells = targets_of(simulated(88, 0.004, rounds=8), limits)
    assert cells[0] == ["15 rounds", "8", "missed"]
    assert cells[1][1:] == ["0 % of 100 simulated gates, at most 0.2 %", "met"]
    assert cells[2][2] == state
    assert len(cells) == 4
    short = targets_of(simulated(80, 0.004, rounds=8), alarms=(0.02, 0.01, 0.03))
    assert short[0][1] == "0"  # such rounds are shorter than a gate
    assert short[1][2] == "missed"


def real(kind, minutes=1.0, slowed="", code=0, worse=(), machine="a cpu", date="2026-11-24"):
    return RealGate(
        kind=kind, slowed=slowed, exit_code=code, regressions=[], worse=list(worse), seconds=60 * minutes, date=date,
        machine=machine,
    )  # fmt: skip


def test_the_minutes_of_real_gates_are_targets_of_the_default_gates():
    gates = [real("same", 4.0), real("same", 6.0), real("+2%", 10.5), real("same, with background load", 30.0)]
    pool = simulated(88, 0.004, rounds=8)
    assert targets_of(pool, gates=gates)[-3:] == [
        ["real gates, same: mean at most 5 minutes", "5.0", "met"],
        ["real gates, same: longest at most 7 minutes", "6.0", "met"],
        ["real gates, +2%: longest at most 10 minutes", "10.5", "missed"],
    ]
    other = dataclasses.replace(pool, identity=type(IDENTITY)(IDENTITY.machine, problem="t1-b1-i1-h1"))
    assert len(targets_of(other, gates=gates)) == 4


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
