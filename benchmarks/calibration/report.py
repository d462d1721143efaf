"""From the pool and the real gates to the table of a calibration."""

from __future__ import annotations

import math
import random
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scipy import stats
from tabulate import tabulate

from benchmarks.calibration import pool
from benchmarks.calibration.other_tools import OTHER_TOOLS
from benchmarks.calibration.pool import BASE, TWIN, Pool, name_of
from benchmarks.metadata import Machine
from benchmarks.regression import decision
from benchmarks.regression.outcome import Steps
from benchmarks.words import count

SHARES = (0.02, 0.03, 0.05, 0.10)
KINDS = ("same", "+5%", "same, with a hog")
DRAWS = 2000


@dataclass(frozen=True)
class RealGate:
    """A gate that was run from end to end: what it should find, and what it said."""

    kind: str  # one of KINDS
    planted: str  # the implementation that was slowed down; empty where none was
    exit_code: int
    regressions: list[str]
    seconds: float
    date: str


def right(gate: RealGate) -> bool:
    """Whether a real gate said what it should say."""
    if not gate.planted:
        return gate.exit_code == 0
    return gate.exit_code == 1 and all(re.match(rf"{gate.planted} \S+: time ", text) for text in gate.regressions)


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
        one = pool.replay(found, heads, decision.rules(0.02), Steps(), rng)
        if one is None:
            return None
        called.append(target in one.slower_time if side != TWIN else bool(one.slower))
        used.append(one.used)
    mean = sum(used) / len(used)
    gates = len(found.holding([BASE, TWIN, side])) / mean
    wall = sum(one[BASE] for one in found.walls) / len(found.walls)
    return Share(sum(called) / draws, gates, mean, 2 * wall * mean)


def other_tool(found: Pool, side: str, rule: Any, processes: int) -> Share:
    """What another tool says of base's processes and, one window later, head's."""
    order = found.holding([BASE, TWIN, side])
    called = []
    for k in range(len(order) - 2 * processes + 1):
        before, after = order[k : k + processes], order[k + processes : k + 2 * processes]
        for target in found.benchmarks if side != TWIN else [None]:
            said = {
                name: rule(
                    [found.replicates[j][name][BASE] for j in before],
                    [found.replicates[j][name][side if name == target else TWIN] for j in after],
                )
                for name in ([target] if target else found.benchmarks)
            }
            called.append(any(said.values()))
    wall = sum(one[BASE] for one in found.walls) / len(found.walls)
    gates = max(1.0, len(order) / (2 * processes))
    return Share(sum(called) / max(1, len(called)), gates, processes, 2 * wall * processes)


PROCESSES = {"pytest-benchmark, median:5%": 1, "asv continuous": 2, "pyperf compare_to": 20}
OURS = "this gate"


ENOUGH = Steps.replicates + decision.MOST
"""Replicates from which on a gate can be replayed, however many it asks for."""


def report(found: Pool, reals: Sequence[RealGate], machine: Machine, threads: int) -> str:
    """The tables in Markdown, under the machine and the size of the pool."""
    held = {side: len(found.holding([BASE, TWIN, side])) for side in (TWIN, *map(name_of, SHARES))}
    counts = ", ".join(f"{'twins' if side == TWIN else side} {count}" for side, number in held.items())
    where = (
        f"{machine.cpu}, {machine.cores} cores, {count(threads, 'thread')} a worker; "
        f"{datetime.now(UTC):%Y-%m-%d}. Replicates in the pool: {counts}."
    )
    parts = [where]
    if held[TWIN] >= ENOUGH:
        parts.append(
            f"{DRAWS} gates were drawn from the pool for each figure, of {', '.join(found.benchmarks)}. In brackets is "
            "Wilson's 95 % interval for as many gates as the pool holds independent ones."
        )
        parts.append(_replays(found, held))
    else:
        parts.append(f"Replaying gates on draws from the pool takes {ENOUGH} replicates.")
    if reals:
        parts.append(_from_end_to_end(reals))
    return "\n\n".join(parts) + "\n"


def _replays(found: Pool, held: dict[str, int]) -> str:
    rows = []
    for name in (OURS, *OTHER_TOOLS):
        shares: dict[str, Share | None] = {}
        for side, number in held.items():
            n = min(PROCESSES.get(name, 0), number // 2)
            if name == OURS:
                shares[side] = replayed(found, side, DRAWS, seed=1)
            else:
                shares[side] = other_tool(found, side, OTHER_TOOLS[name], n) if n else None
        first = shares[TWIN]
        cells = [str(one) if one else "–" for one in shares.values()]
        if first:
            cells += [f"{first.processes:.1f}", f"{first.measuring_seconds:.0f} s", f"{first.gates:.1f}"]
        rows.append([name, *cells])
    found_of = [f"{side} found" for side in held if side != TWIN]
    header = ["rule", "false alarms", *found_of, "processes a side", "measuring", "independent gates"]
    return tabulate(rows, headers=header, tablefmt="github", disable_numparse=True)


def _from_end_to_end(reals: Sequence[RealGate]) -> str:
    lines = []
    for kind in KINDS:
        mine = [one for one in reals if one.kind == kind]
        if mine:
            good, middle = sum(map(right, mine)), statistics.median(one.seconds for one in mine)
            lines.append([kind, f"{good} of {len(mine)}", f"{middle / 60:.1f} min"])
    return tabulate(lines, headers=["gates from end to end", "right", "median time"], tablefmt="github")
