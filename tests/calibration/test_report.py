"""The tables of a calibration, and real gates."""

from collections import defaultdict

import pytest

from benchmarks.calibration import command, other_rules, rates, report
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.real_gates import RealGate
from tests.helpers.markdown import cells_of
from tests.helpers.pools import simulated

FEW = {"ALARM_GATES": 8, "SIMULATED": 20, "GATES": 4, "AGAIN": 1, "OFTEN": {}}


@pytest.mark.process  # asv asks uname
def test_the_whole_report(monkeypatch):
    pool = simulated(66, 0.01, rounds=6)
    for name, few in FEW.items():
        monkeypatch.setattr(report, name, few)
    monkeypatch.setattr(rates, "DRAWS", 2)
    rates_of_pool = defaultdict(dict)
    for (row, column), count in report.counts_of(pool).items():
        rates_of_pool[row][column] = count(pool)
    text = report.report(pool, [], rates_of_pool)
    assert "a cpu, 2 cores, 1 thread a worker; 2026-11-20 to 2026-11-25. 6 rounds; replicates: A/A 66, +2% 66" in text
    rows = cells_of(text)[2:9]
    assert [row[0] for row in rows[:3]] == [
        f"this gate, {what}" for what in ("exact sizes", "injected", "one implementation")
    ]
    assert [row[0] for row in rows[3:]] == [other_rules.PAIRED, *other_rules.TOOLS]
    processes, independent = zip(*(row[1:3] for row in rows[3:]), strict=True)
    assert processes == ("8", "1", "2", "20")
    assert independent == ("6", "6", "6", "1")  # no round has 40 replicates, and all have 66
    assert "Not installed" not in text
    assert "- false alarms: 0 % of 20 simulated gates, at most" in text
    assert [row[0] for row in cells_of(text) if row[0].endswith("lasts")] == [f"{n} % lasts" for n in (0, 2, 4, 8)]


@pytest.mark.nightly
def test_tables_made_again_are_the_same_to_the_digit(tmp_path, monkeypatch):
    for name, few in FEW.items():
        monkeypatch.setattr(report, name, few)
    monkeypatch.setattr(rates, "DRAWS", 2)
    monkeypatch.setattr(Pool, "load", lambda _: simulated(66, 0.01, rounds=6))
    made = []
    for _ in range(2):
        command.make_tables(tmp_path)
        made.append([path.read_text() for path in sorted(tmp_path.iterdir())])
    assert len(made[0]) == 2
    assert made[0] == made[1]


def test_a_pool_that_is_too_small_gives_no_figure():
    for pool in (simulated(7, 0.004), Pool([], {})):
        assert report.counted(pool, print) == {}
        assert "takes 8 replicates" in report.report(pool, [], {})


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
