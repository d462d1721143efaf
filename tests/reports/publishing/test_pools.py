"""README's table of the gate, from pools of two machines."""

from pathlib import Path

from benchmarks.calibration.rates import Rate
from benchmarks.calibration.report import ALARMS, BOUND, EXACT, Calibration
from reports.publishing import pools
from tests.helpers.markdown import cells_of


def rate(share, independent):
    return Rate(share, 0.0, 0.0125, 7.6, 100, independent)


def test_cells_have_each_machine_in_order_and_what_all_share_once(monkeypatch):
    first = {
        EXACT: {ALARMS: rate(0.0, 15), BOUND: rate(0.0, 15), "+2%": rate(0.975, 15), "+5%": rate(0.9999, 15)},
        "pyperf compare_to": {ALARMS: rate(0.252, 4), "+2%": rate(0.02, 4)},
    }
    second = {EXACT: {**first[EXACT], ALARMS: rate(0.0, 8), "+2%": rate(0.0949, 8)}}
    machines = ("A cpu, family 1, AVX2, 2 cores", "B cpu, family 2, AVX2, 2 cores")
    every = [
        (Path(), Calibration(machine, "2026-11-29", alarms, rates))
        for machine, alarms, rates in zip(machines, (15, 8), (first, second), strict=True)
    ]
    monkeypatch.setattr(pools, "published", lambda: every)
    text = pools.gate(None)
    rows = {row[0]: row[1:] for row in cells_of(text)}
    assert rows["this gate"] == ["8", "0", "98/9.5", "100", "–"]
    assert rows["`pyperf`"] == ["8/–", "25/–", "2.0/–", "–", "–"]
    assert rows["`asv continuous`"] == ["–"] * 5
    assert "In order: A cpu, family 1, 2026-11-29, 15 rounds; B cpu, family 2, 2026-11-29, 8 rounds." in text
    assert "exclude only false alarms above 18/31 %; simulated: at most 1.25 %." in text
