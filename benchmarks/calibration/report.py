"""The tables of a calibration, from the pool and the real gates."""

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

from benchmarks import processors
from benchmarks.calibration.other_tools import OTHER_TOOLS
from benchmarks.calibration.pool import BASE, COPY, Pool, name_of, replay
from benchmarks.metadata import Machine
from benchmarks.regression import decision
from benchmarks.regression.outcome import Steps
from benchmarks.words import count, markdown_cell

SHARES = (0.02, 0.03, 0.05, 0.10)
KINDS = ("same", "+5%", "same, with a hog")
DRAWS = 2000


@dataclass(frozen=True)
class RealGate:
    """A gate that was run from end to end: what it should find, and what it said."""

    kind: str  # one of KINDS
    planted: str  # the implementation with the injected slowdown; empty for the same code
    exit_code: int
    regressions: list[str]
    seconds: float
    date: str


def right(gate: RealGate) -> bool:
    """Whether a real gate found what it should find."""
    if not gate.planted:
        return gate.exit_code == 0
    return gate.exit_code == 1 and all(re.match(rf"{gate.planted} \S+: time ", text) for text in gate.regressions)


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate seen in n independent trials; n may be a fraction."""
    z = float(stats.norm.ppf(0.975))
    middle, half = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


@dataclass(frozen=True)
class Share:
    """How often a rule said slower, and the number of independent gates that this comes from."""

    rate: float
    gates: float
    processes: float  # of one side, in one gate
    measuring_seconds: float

    def __str__(self) -> str:
        low, high = wilson(self.rate, self.gates)
        return f"{self.rate:.1%} [{low:.0%}, {high:.0%}]"


def replayed(pool: Pool, side: str, draws: int, seed: int) -> Share | None:
    """Replay gates: `side` is the head of a random benchmark, the others are A/A; None where the pool is too small."""
    rng = random.Random(seed)
    called: list[bool] = []
    used: list[int] = []
    if not pool.benchmarks:
        return None
    for _ in range(draws):
        target = rng.choice(pool.benchmarks)
        sides = (BASE, COPY) if rng.random() < 0.5 else (COPY, BASE)
        heads = dict.fromkeys(pool.benchmarks, sides)
        if side != COPY:
            heads[target] = (BASE, side)
        draw = replay(pool, heads, decision.rules(0.02), Steps(), rng)
        if draw is None:
            return None
        called.append(target in draw.slower_time if side != COPY else bool(draw.slower))
        used.append(draw.used)
    mean = sum(used) / len(used)
    gates = len(pool.holding([BASE, COPY, side])) / mean
    return Share(sum(called) / draws, gates, mean, 2 * pool.base_seconds * mean)


def other_tool(pool: Pool, side: str, rule: Any, processes: int) -> Share:
    """Return how often another tool says slower of base's processes and head's, which run after base's."""
    order = pool.holding([BASE, COPY, side])
    called = []
    for k in range(len(order) - 2 * processes + 1):
        before, after = order[k : k + processes], order[k + processes : k + 2 * processes]
        for target in pool.benchmarks if side != COPY else [None]:
            said = {
                name: rule(
                    [pool.replicates[j][name][BASE] for j in before],
                    [pool.replicates[j][name][side if name == target else COPY] for j in after],
                )
                for name in ([target] if target else pool.benchmarks)
            }
            called.append(any(said.values()))
    gates = max(1.0, len(order) / (2 * processes))
    return Share(sum(called) / max(1, len(called)), gates, processes, 2 * pool.base_seconds * processes)


PROCESSES = {"pytest-benchmark, median:5%": 1, "asv continuous": 2, "pyperf compare_to": 20}
OURS = "this gate"
ENOUGH = Steps.replicates + decision.MOST
"""With this many replicates, any gate can be replayed."""


def report(pool: Pool, reals: Sequence[RealGate], machine: Machine, threads: int) -> str:
    """Return the machine, the size of the pool and the tables, in Markdown."""
    held = {side: len(pool.holding([BASE, COPY, side])) for side in (COPY, *map(name_of, SHARES))}
    counts = ", ".join(f"{'A/A' if side == COPY else side} {number}" for side, number in held.items())
    where = (
        f"{processors.words(machine)}, {machine.cores} cores, {count(threads, 'thread')} a worker; "
        f"{datetime.now(UTC):%Y-%m-%d}. Replicates in the pool: {counts}."
    )
    parts = [markdown_cell(where)]
    if held[COPY] >= ENOUGH:
        parts.append(
            f"For each figure, {DRAWS} gates were drawn from the pool, of {', '.join(pool.benchmarks)}. The brackets "
            "hold Wilson's 95 % interval for the number of independent gates in the pool."
        )
        parts.append(_replays(pool, held))
    else:
        parts.append(f"Replaying gates on draws from the pool takes {ENOUGH} replicates.")
    if reals:
        parts.append(_from_end_to_end(reals))
    return "\n\n".join(parts) + "\n"


def _replays(pool: Pool, held: dict[str, int]) -> str:
    rows = []
    for name in (OURS, *OTHER_TOOLS):
        shares: dict[str, Share | None] = {}
        for side, number in held.items():
            n = min(PROCESSES.get(name, 0), number // 2)
            if name == OURS:
                shares[side] = replayed(pool, side, DRAWS, seed=1)
            else:
                shares[side] = other_tool(pool, side, OTHER_TOOLS[name], n) if n else None
        first = shares[COPY]
        cells = [str(share) if share else "–" for share in shares.values()]
        if first:
            cells += [f"{first.processes:.1f}", f"{first.measuring_seconds:.0f} s", f"{first.gates:.1f}"]
        rows.append([name, *cells])
    found_headers = [f"{side} found" for side in held if side != COPY]
    header = ["rule", "false alarms", *found_headers, "processes a side", "measuring", "independent gates"]
    return tabulate(rows, headers=header, tablefmt="github", disable_numparse=True)


def _from_end_to_end(reals: Sequence[RealGate]) -> str:
    lines = []
    for kind in KINDS:
        gates = [gate for gate in reals if gate.kind == kind]
        if gates:
            good, middle = sum(map(right, gates)), statistics.median(gate.seconds for gate in gates)
            lines.append([kind, f"{good} of {len(gates)}", f"{middle / 60:.1f} min"])
    return tabulate(lines, headers=["gates from end to end", "right", "median time"], tablefmt="github")
