"""The gate in the published pools: tables of README and docs/gate-evidence.md, and the rows for claims."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from benchmarks import json_files
from benchmarks.calibration import report as calibration
from benchmarks.calibration.other_rules import PAIRED
from benchmarks.calibration.rates import Rate
from benchmarks.calibration.report import (
    ALARMS,
    DATA,
    EXACT,
    INJECTED,
    TEXT,
    Calibration,
    by_rounds_alone,
    percent,
)
from benchmarks.tables import markdown_table
from benchmarks.words import count
from reports.history import PUBLISHED
from reports.machines import short
from reports.publishing.figures import Published

GATE = PUBLISHED / "calibration-family-25-model-1"
"""The pool that docs show in full."""
RULES = {
    EXACT: "this gate",
    PAIRED: PAIRED,
    "pytest-benchmark, median:5%": "`pytest-benchmark`, `median:5%`",
    "asv continuous": "`asv continuous`",
    "pyperf compare_to": "`pyperf`",
}
"""Rows of a pool's table, with their names in README."""
SIZES = ("+2%", "+5%", "+10%")
"""The slowdowns that README shows."""


def published() -> list[tuple[Path, Calibration]]:
    """Return the folder of each published pool with what it shows, the one that docs show in full first."""
    folders = sorted(path.parent for path in PUBLISHED.glob(f"calibration-*/{DATA}"))
    folders.sort(key=lambda folder: folder != GATE)
    return [(folder, json_files.read(folder / DATA, Calibration)) for folder in folders]


def gate(_: Published) -> str:
    """Return README's table of the gate and of other rules, with a line on machines, limits and real gates."""
    pools = [pool for _, pool in published()]

    def cell(rule: str, column: str, show: Callable[[Rate], str]) -> str:
        rates = [pool.rates.get(rule, {}).get(column) for pool in pools]
        return in_order(show(rate) if rate else "–" for rate in rates)

    table = []
    for rule, words in RULES.items():
        processes = cell(rule, ALARMS, lambda alarms: f"{alarms.replicates:.0f}")
        shares = [cell(rule, column, whole_percent) for column in (ALARMS, *SIZES)]
        table.append([words, processes, *shares])
    heads = ["%", "processes/side", ALARMS, "found: +2%", *SIZES[1:]]
    about = []
    for pool in pools:
        brand, family = short(pool.machine).split(", ")[:2]
        about += [f"{brand}, {family}, {pool.dates}, {count(pool.rounds, 'round')}"]
    every_alarms = [pool.rates[EXACT][ALARMS] for pool in pools]
    alone = in_order(f"{100 * by_rounds_alone(alarms):.0f}" for alarms in every_alarms if alarms)
    simulated = in_order(percent(_limit(pool)).removesuffix(" %") for pool in pools)
    return f"""\
{markdown_table(table, heads)}

In order: {"; ".join(about)}. So few rounds exclude only false alarms above {alone} %; simulated: at most \
{simulated} %."""


def in_order(texts: Iterable[str]) -> str:
    """Return what the machines have, one after the other; once where all have the same."""
    every = list(texts)
    return every[0] if len(set(every)) == 1 else "/".join(every)


def whole_percent(rate: Rate) -> str:
    """Return a share in percent without its sign: with a decimal where it is small, but not 0."""
    share = 100 * rate.rate
    return f"{share:.1f}" if 0 < share < 9.95 else f"{share:.0f}"


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
        alarms = exact[ALARMS]
        lasting = pool.rates[calibration.LASTING]["8 %"]
        assert alarms
        assert lasting
        table.append(
            [
                f"[{pool.machine}](../reports/published/{folder.name}/calibration.md)",
                pool.dates,
                pool.rounds,
                calibration.replayed(alarms),
                percent(by_rounds_alone(alarms)),
                percent(_limit(pool)),
                percent(lasting.rate),
                calibration.share_found(exact["+2%"]),
                calibration.share_found(pool.rates[INJECTED]["+2%"]),
            ]
        )
    heads = ["machine", "date", "rounds", "false alarms"]
    heads += ["by rounds alone, at most", "simulated, at most", "simulated, 8 % lasts"]
    heads += ["exactly +2 % found", "injected +2 % found"]
    return markdown_table(table, heads)


def figures() -> pd.DataFrame:
    """Return the figures that claims are about: the share of gates, with what was counted in the place of a problem."""
    rows = []
    for _, pool in published():
        for rule, rates in pool.rates.items():
            for counted, rate in rates.items():
                if rate:
                    shares = (rate.rate, rate.low, rate.high, percent(rate.rate))
                    rows.append((pool.machine, rule, counted, *shares))
    names = ["machine", "implementation", "problem", "value", "low", "high", "text"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(column="share of gates", mode="gate")
