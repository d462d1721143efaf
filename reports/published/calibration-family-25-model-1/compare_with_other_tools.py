# /// script
# dependencies = ["asv>=0.6.6", "pyperf>=2.9", "pytest-benchmark>=5.1", "numpy", "scipy", "pyarrow", "msgspec"]
# ///
"""What other tools say of the replicates in pool/: others.json, from which `calibrate` makes their rows of the table.

Their own functions decide, on their own number of processes and samples. A rule takes base's and head's times of a
benchmark, a list of seconds per process, and says whether head is slower. The times are those of turns of about 16 ms.
How many a tool takes, and in which order it runs base and head, follows asv_runner/benchmarks/time.py (a round has at
most five samples) and asv/commands/run.py (two rounds, the second one in reverse), and pyperf/_runner.py (20 processes,
each with a warm-up and three values of at least 100 ms).

The functions of asv and pyperf that decide are not public: a new version may move them. From the repository's root:
`PYTHONPATH=. uv run reports/published/calibration-family-25-model-1/compare_with_other_tools.py`.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyperf
from asv.commands.compare import _is_result_better
from asv_runner.statistics import compute_stats
from pyperf._compare import CompareData, CompareResult
from pytest_benchmark.utils import parse_compare_fail
from scipy import stats

from benchmarks.calibration.rates import Rate
from benchmarks.record import read_records
from impls.core.files import write_text
from impls.core.text import json_text

BASE, COPY = "base", "twin"
SIZES = {"+2%": 0.02, "+3%": 0.03, "+5%": 0.05}
Processes = Sequence[np.ndarray]
Replicate = dict[str, dict[str, np.ndarray]]
"""The seconds of each turn, by benchmark and side."""


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """Does `--benchmark-compare-fail=median:5%` fail?"""
    medians = [{"median": statistics.median(side[0].tolist())} for side in (head, base)]
    return parse_compare_fail("median:5%").fails(*medians) is not None


ASV_SAMPLES, ASV_FACTOR = 5, 1.1
"""The most samples that asv takes in a round, and the factor of `asv continuous`."""


def asv(base: Processes, head: Processes) -> bool:
    """Does asv call head worse by its factor?"""
    samples = [
        [second for round_ in side for second in round_[:ASV_SAMPLES].tolist()]
        for side in (base, head)
    ]
    (before, of_base), (now, of_head) = (compute_stats(side, 1) for side in samples)
    return bool(
        _is_result_better(before, now, (of_base, samples[0]), (of_head, samples[1]), ASV_FACTOR)
    )


PYPERF_VALUES, PYPERF_TURNS = 3, 6
"""A process of pyperf gives three values after a warm-up, each of at least 100 ms: about six turns."""


def pyperf_compare(base: Processes, head: Processes) -> bool:
    """Does pyperf call the difference significant, and head slower?"""
    result = CompareResult(
        *(CompareData(name, _runs(side)) for name, side in (("base", base), ("head", head)))
    )
    return bool(result.significant and result.norm_mean > 1)


def _runs(processes: Processes) -> pyperf.Benchmark:
    described = {"name": "lstm", "loops": 1}
    return pyperf.Benchmark(
        [pyperf.Run(_values(one), metadata=described, collect_metadata=False) for one in processes]
    )


def _values(seconds: np.ndarray) -> list[float]:
    warm = seconds[PYPERF_TURNS : (1 + PYPERF_VALUES) * PYPERF_TURNS]
    return [float(part.mean()) for part in np.array_split(warm, PYPERF_VALUES)]


@dataclass(frozen=True)
class Tool:
    """A tool's rule, how many processes of each side it starts, and in which order.

    threshold: a slowdown that is smaller can be called one by chance only.
    mirrored: base, head, head, base and so on; otherwise all of base runs before all of head.
    """

    rule: Callable[[Processes, Processes], bool]
    processes: int
    threshold: float = 0.0
    mirrored: bool = False

    def windows(self, replicates: Sequence[int], rounds: Sequence[str]) -> list[Sequence[int]]:
        """Return all windows of as many replicates as a comparison takes: within rounds, where one is long enough."""
        size = 2 * self.processes
        every = [replicates[first : first + size] for first in range(len(replicates) - size + 1)]
        return [window for window in every if len({rounds[k] for k in window}) == 1] or every

    def order(self, replicates: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Split replicates that follow one another into those of base and those of head."""
        if self.mirrored:
            firsts, seconds = replicates[::2], replicates[1::2]
            swapped = [
                (b, a) if k % 2 else (a, b)
                for k, (a, b) in enumerate(zip(firsts, seconds, strict=True))
            ]
            return [base for base, _ in swapped], [head for _, head in swapped]
        return replicates[: self.processes], replicates[self.processes :]


TOOLS = {
    "pytest-benchmark, median:5%": Tool(pytest_benchmark, 1, threshold=0.05),
    "asv continuous": Tool(asv, 2, threshold=ASV_FACTOR - 1, mirrored=True),
    "pyperf compare_to": Tool(pyperf_compare, 20),
}


def apart(windows: Sequence[Sequence[int]]) -> int:
    """Return how many of these windows have no replicate in common."""
    used: set[int] = set()
    number = 0
    for window in windows:
        if used.isdisjoint(window):
            used |= set(window)
            number += 1
    return number


def read(folder: Path) -> tuple[list[Replicate], list[str]]:
    """Return the replicates of a pool, and the round of each."""
    replicates, rounds = [], []
    every = [
        record
        for path in sorted(folder.glob("replicate*.parquet"))
        for record in read_records(path)
    ]
    for (run_id, _), records in itertools.groupby(
        every, lambda record: (record.run_id, record.replicate)
    ):
        found: Replicate = defaultdict(dict)
        for one in records:
            turns = sorted(one.turns or [], key=lambda turn: turn.block)
            seconds = [turn.samples[0] if turn.samples else turn.seconds for turn in turns]
            found[f"{one.implementation} {one.benchmark}"][str(one.side)] = np.array(seconds)
        replicates.append(dict(found))
        rounds.append(run_id)
    return replicates, rounds


def called_slower(
    replicates: list[Replicate], side: str, tool: Tool, windows: Sequence[Sequence[int]]
) -> float:
    """Return in which share of comparisons a tool says slower."""
    called = []
    benchmarks = sorted(replicates[-1])
    for window in windows:
        before, after = tool.order(window)
        for target in benchmarks if side != COPY else [None]:
            said = [
                tool.rule(
                    [replicates[k][name][BASE] for k in before],
                    [replicates[k][name][side if name == target else COPY] for k in after],
                )
                for name in ([target] if target else benchmarks)
            ]
            called.append(any(said))
    return sum(called) / len(called)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of hits in n independent trials."""
    rate, z = hits / n, float(stats.norm.ppf(0.975))
    middle, half = (
        rate + z * z / (2 * n),
        z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)),
    )
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def row(replicates: list[Replicate], rounds: Sequence[str], tool: Tool) -> dict[str, Rate]:
    """Return the row of a tool: its false alarms, and what it finds of each size."""
    found = {}
    implementations = {
        benchmark.split()[0] for benchmark in replicates[-1]
    }  # each has processes of its own
    for side in (COPY, *SIZES):
        wanted = {BASE, COPY, side}
        held = [
            k
            for k, one in enumerate(replicates)
            if all(wanted <= set(sides) for sides in one.values())
        ]
        windows = tool.windows(held, rounds)
        share = called_slower(replicates, side, tool, windows)
        independent = apart(windows) * (1 if side == COPY else len(implementations))
        low, high = wilson(share * independent, independent)
        remark = "¹" * any(len({rounds[k] for k in window}) > 1 for window in windows)
        remark += ", by chance" * (side != COPY and SIZES[side] < tool.threshold and share > 0)
        found["false alarms" if side == COPY else side] = Rate(
            share, low, high, tool.processes, len(windows), remark=remark
        )
    return found


if __name__ == "__main__":
    here = Path(__file__).parent
    pool = read(here / "pool")
    write_text(
        here / "others.json", json_text({name: row(*pool, tool) for name, tool in TOOLS.items()})
    )
