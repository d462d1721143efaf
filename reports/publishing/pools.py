"""What the published pools say of the gate: blocks of README and of docs/gate-evidence.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import json_files
from benchmarks.calibration import report as calibration
from benchmarks.calibration.real_gates import SAME, gates_of, right_and_minutes
from benchmarks.calibration.report import ALARMS, DATA, TEXT, Calibration
from benchmarks.tables import markdown_table
from benchmarks.words import span
from reports.estimates import PUBLISHED
from reports.report import Report

GATE = "calibration-family-25-model-1"
"""The pool that README's table of the gate is from."""
RULES = {
    "this gate, exact sizes": ("this gate", "2 %"),
    "this gate, injected": ("this gate, with code that is really slower", "2 %"),
    "pytest-benchmark, median:5%": ("`pytest-benchmark --benchmark-compare-fail=median:5%`", "5 %"),
    "asv continuous": ("`asv continuous`", "10 %"),
}
"""Rows of a pool's table, with their names in README and the slowdown that the rule is built to find."""


def gate(_reports: Sequence[Report]) -> str:
    """Return README's table of the gate: this rule and two others on the same replicates."""
    found = json_files.read(PUBLISHED / GATE / DATA, Calibration)
    rows = {**{f"this gate, {row}": rates for row, rates in found.rates.items()}, **found.others}
    table = []
    for rule, (words, built) in RULES.items():
        said = [rows[rule].get(column) for column in (ALARMS, "+2%", "+5%")]
        cells = [calibration.percent(rate.rate) if rate else "" for rate in said]
        if rule not in found.others and said[0]:
            cells[0] = calibration.replayed(said[0]).removesuffix(" replays")
        table.append([words, *cells, built])
    same = [gate for gate in gates_of(PUBLISHED / GATE) if gate.kind == SAME]
    right, minutes, longest = right_and_minutes(same)
    every = [json_files.read(path, Calibration) for path in PUBLISHED.glob(f"calibration-*/{DATA}")]
    most = max(float(each.rates[calibration.EXACT][calibration.BOUND].high) for each in every)  # type: ignore[union-attr]
    return f"""\
{markdown_table(table, ["", "false alarms", "+2 % found", "+5 % found", "built to find"])}

Replayed from replicates of one machine, twelve benchmarks a gate: {found.machine}; {found.dates}.
In simulated gates, false alarms are {_simulated(found)[0]} on that machine, and {calibration.percent(most)} on the \
worst of {len(every)} machines.
{right} real gates without a change were right, on {span(sorted({gate.date for gate in same}))}. They took \
{minutes} minutes on average, at most {longest}."""


def whole(_reports: Sequence[Report]) -> str:
    """Return the tables of the pool that README's are from."""
    return (PUBLISHED / GATE / TEXT).read_text(encoding="utf-8").strip()


def _simulated(found: Calibration) -> tuple[str, str]:
    """Return the upper limit of a pool's false alarms in simulated gates, and their rate where 8 % lasts for a gate."""
    bound, lasting = (
        found.rates[calibration.EXACT][calibration.BOUND],
        found.rates[calibration.LASTING]["8 %"],
    )
    assert bound
    assert lasting
    return f"at most {calibration.percent(bound.high)}", calibration.percent(lasting.rate)


def pools(_reports: Sequence[Report]) -> str:
    """Return what the published pools say, a row for each machine."""
    table = []
    for path in sorted(
        PUBLISHED.glob(f"calibration-*/{DATA}"), key=lambda path: path.parent.name != GATE
    ):
        found, name = json_files.read(path, Calibration), path.parent.name
        exact = found.rates[calibration.EXACT]
        link = f"[{found.machine}](../reports/published/{name}/calibration.md)"
        alarms = [calibration.replayed(exact[ALARMS]), "; ".join(_simulated(found))]
        sizes = [
            calibration.share_found(rates["+2%"])
            for rates in (exact, found.rates[calibration.INJECTED])
        ]
        table.append([link, found.dates, found.rounds, *alarms, *sizes])
    sizes = [f"{how} +2 % found" for how in ("exactly", "injected")]
    return markdown_table(
        table,
        [
            "machine",
            "date",
            "rounds",
            "false alarms",
            "simulated; where 8 % lasts for a gate",
            *sizes,
        ],
    )
