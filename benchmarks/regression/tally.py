"""From the pool and the real gates to the table of a calibration."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scipy import stats
from tabulate import tabulate

from benchmarks.regression import decide, pool
from benchmarks.regression.judge import Steps
from benchmarks.regression.pool import BASE, TWIN, Pool, name_of
from benchmarks.regression.rivals import RIVALS

SHARES = (0.02, 0.03, 0.05, 0.10)
KINDS = ("same", "+5%", "same, with a hog")
DRAWS = 2000


@dataclass(frozen=True)
class Real:
    """A gate that was run from end to end: what it was to find, and what it said."""

    kind: str  # one of KINDS
    planted: str  # the implementation that was slowed down, if any
    exit_code: int
    regressions: list[str]
    seconds: float
    date: str


def right(one: Real) -> bool:
    """Whether a real gate said what it was to say."""
    if not one.planted:
        return one.exit_code == 0
    return one.exit_code == 1 and all(re.match(rf"{one.planted} \S+: time ", text) for text in one.regressions)


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate seen in n independent trials; n and the count behind it may be fractions."""
    z = float(stats.norm.ppf(0.975))
    middle, half = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


@dataclass(frozen=True)
class Share:
    """How often something was called slower, and how many independent gates stand behind that."""

    rate: float
    gates: float
    processes: float  # of one side, in one gate
    measuring_seconds: float

    def __str__(self) -> str:
        low, high = wilson(self.rate, self.gates)
        return f"{self.rate:.1%} [{low:.0%}, {high:.0%}]"


def replayed(found: Pool, side: str, draws: int, seed: int) -> Share | None:
    """The gate replayed: with `side` as the head of one benchmark, twins everywhere else; None for too small a pool."""
    rng = random.Random(seed)
    called: list[bool] = []
    used: list[int] = []
    if not found.benchmarks:
        return None
    for _ in range(draws):
        target = rng.choice(found.benchmarks)
        sides = (BASE, TWIN) if rng.random() < 0.5 else (TWIN, BASE)
        heads = dict.fromkeys(found.benchmarks, sides)
        if side != TWIN:
            heads[target] = (BASE, side)
        one = pool.replay(found, heads, decide.rules(0.02), Steps(), rng)
        if one is None:
            return None
        called.append(target in one.slower_time if side != TWIN else bool(one.slower))
        used.append(one.used)
    mean = sum(used) / len(used)
    gates = len(found.holding([BASE, TWIN, side])) / mean
    wall = sum(one[BASE] for one in found.walls) / len(found.walls)
    return Share(sum(called) / draws, gates, mean, 2 * wall * mean)


def rival(found: Pool, side: str, rule: Any, processes: int) -> Share:
    """What a rival says of base's processes and, one window later, head's."""
    order = found.holding([BASE, TWIN, side])
    called = []
    for k in range(len(order) - 2 * processes + 1):
        before, after = order[k : k + processes], order[k + processes : k + 2 * processes]
        for target in found.benchmarks if side != TWIN else [None]:
            said = {
                name: rule(
                    [found.replicates[j][name][BASE].ravel() for j in before],
                    [found.replicates[j][name][side if name == target else TWIN].ravel() for j in after],
                )
                for name in ([target] if target else found.benchmarks)
            }
            called.append(any(said.values()))
    wall = sum(one[BASE] for one in found.walls) / len(found.walls)
    gates = max(1.0, len(order) / (2 * processes))
    return Share(sum(called) / max(1, len(called)), gates, processes, 2 * wall * processes)


PROCESSES = {"pytest-benchmark, median:5%": 1, "asv continuous": 2, "pyperf compare_to": 20}
OURS = "this gate"


def report(found: Pool, reals: Sequence[Real], described: dict[str, Any], threads: int) -> str:
    """The table in Markdown, and what stands behind it."""
    planted = [name_of(one) for one in SHARES]
    held = {side: len(found.holding([BASE, TWIN, side])) for side in (TWIN, *planted)}
    rows = []
    for name in (OURS, *RIVALS):
        shares: dict[str, Share | None] = {}
        for side in (TWIN, *planted):
            n = min(PROCESSES.get(name, 0), held[side] // 2)
            if name == OURS:
                shares[side] = replayed(found, side, DRAWS, seed=1)
            else:
                shares[side] = rival(found, side, RIVALS[name], n) if n else None
        first = shares[TWIN]
        cells = [str(one) if one else "–" for one in shares.values()]
        if first:
            cells += [f"{first.processes:.1f}", f"{first.measuring_seconds:.0f} s", f"{first.gates:.1f}"]
        rows.append([name, *cells])
    header = [
        "rule",
        "false alarms",
        *(f"{one} found" for one in planted),
        "processes a side",
        "measuring",
        "independent gates",
    ]
    machine = described["machine"]
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    counts = ", ".join(f"{'twins' if side == TWIN else side}: {count}" for side, count in held.items())
    said = (
        f"{machine['cpu']}, {machine['cores']} cores, {threads} thread{'s' if threads > 1 else ''} a worker; {date}.",
        f"Benchmarks: {', '.join(found.benchmarks)}.",
        f"Replicates in the pool: {counts}. {DRAWS} gates drawn for each figure;",
        "in brackets Wilson's 95 % interval for as many gates as the pool holds independent ones.",
    )
    parts = [" ".join(said), tabulate(rows, headers=header, tablefmt="github", disable_numparse=True)]
    if reals:
        lines = []
        for kind in KINDS:
            mine = [one for one in reals if one.kind == kind]
            if mine:
                middle = sorted(one.seconds for one in mine)[len(mine) // 2]
                good = sum(map(right, mine))
                lines.append([kind, f"{good} of {len(mine)}", f"{middle / 60:.1f} min"])
        parts.append(tabulate(lines, headers=["from end to end", "right", "median time"], tablefmt="github"))
    return "\n\n".join(parts) + "\n"
