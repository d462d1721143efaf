"""The gate in the published pools: tables of README and docs/gate-evidence.md, and the rows for claims."""

from pathlib import Path

import pandas as pd

from benchmarks import json_files
from benchmarks.calibration import report as calibration
from benchmarks.calibration.real_gates import SAME, gates_of, right_and_minutes
from benchmarks.calibration.report import ALARMS, DATA, EXACT, INJECTED, TEXT, Calibration, percent
from benchmarks.tables import markdown_table
from benchmarks.words import span
from reports.history import PUBLISHED
from reports.publishing.figures import Published

GATE = PUBLISHED / "calibration-family-25-model-1"
"""The pool that README's tables of the gate are from."""
RULES = {
    EXACT: ("this gate", "2 %"),
    INJECTED: ("this gate, with code made slower", "2 %"),
    "pytest-benchmark, median:5%": ("`pytest-benchmark --benchmark-compare-fail=median:5%`", "5 %"),
    "asv continuous": ("`asv continuous`", "10 %"),
}
"""Rows of a pool's table, with their names in README and the slowdown that the rule is built to find."""


def published() -> list[tuple[Path, Calibration]]:
    """Return the folder of each published pool with what it shows, README's first."""
    paths = sorted(PUBLISHED.glob(f"calibration-*/{DATA}"), key=lambda path: path.parent != GATE)
    return [(path.parent, json_files.read(path, Calibration)) for path in paths]


def gate(_: Published) -> str:
    """Return README's table of the gate, and a line on limits and real gates.

    The table has this rule and two others on the same replicates.
    """
    pools = [pool for _, pool in published()]
    pool = pools[0]
    rates = {**pool.rates, **pool.others}
    table = []
    for rule, (words, built_for) in RULES.items():
        counts = [rates[rule].get(column) for column in (ALARMS, "+2%", "+5%")]
        cells = [percent(count.rate) if count else "" for count in counts]
        if rule == EXACT:
            cells[0] = calibration.replayed(counts[0]).removesuffix(" replays")
        table.append([words, *cells, built_for])
    heads = ["", "false alarms", "+2 % found", "+5 % found", "built to find"]
    real = [gate for gate in gates_of(GATE) if gate.kind == SAME]
    right, minutes, longest = right_and_minutes(real)
    days = span(sorted({gate.date for gate in real}))
    limits = [_limit(pool) for pool in pools]
    worst = percent(max(limits))
    return f"""\
{markdown_table(table, heads)}

{pool.machine}; {pool.dates}. Simulated false alarms: at most {percent(limits[0])}; on the worst of \
{len(pools)} machines {worst}. Real gates without a change: {right} right, {minutes} minutes on average, at most \
{longest}; {days}."""


def _limit(pool: Calibration) -> float:
    """Return the upper limit of the false alarms in simulated gates."""
    bound = pool.rates[EXACT][calibration.BOUND]
    assert bound
    return bound.high


def whole(_: Published) -> str:
    """Return the tables of the pool that README's are from."""
    return (GATE / TEXT).read_text(encoding="utf-8").strip()


def pools(_: Published) -> str:
    """Return what the published pools show, a row for each machine."""
    table = []
    for folder, pool in published():
        exact = pool.rates[EXACT]
        lasting = pool.rates[calibration.LASTING]["8 %"]
        assert lasting
        table.append(
            [
                f"[{pool.machine}](../reports/published/{folder.name}/calibration.md)",
                pool.dates,
                pool.rounds,
                calibration.replayed(exact[ALARMS]),
                percent(_limit(pool)),
                percent(lasting.rate),
                calibration.share_found(exact["+2%"]),
                calibration.share_found(pool.rates[INJECTED]["+2%"]),
            ]
        )
    heads = ["machine", "date", "rounds", "false alarms"]
    heads += ["simulated, at most", "simulated, 8 % lasts"]
    heads += ["exactly +2 % found", "injected +2 % found"]
    return markdown_table(table, heads)


def figures() -> pd.DataFrame:
    """Return the figures that claims are about: the share of gates, with what was counted in the place of a problem."""
    rows = []
    for _, pool in published():
        for rule, counts in {**pool.rates, **pool.others}.items():
            for counted, count in counts.items():
                if count:
                    shares = (count.rate, count.low, count.high, percent(count.rate))
                    rows.append((pool.machine, rule, counted, *shares))
    names = ["machine", "implementation", "problem", "value", "low", "high", "text"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(column="share of gates", mode="gate")
