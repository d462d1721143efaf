"""What other tools say of the same data: their own functions decide, on their own number of processes and samples.

A rule takes base's and head's times of a benchmark, a list of seconds per process, and says whether head is slower. The
times are those of turns of about 16 ms. How many a tool takes, and in which order it runs base and head, follows
asv_runner/benchmarks/time.py (a round has at most five samples) and asv/commands/run.py (two rounds, the second one in
reverse), and pyperf/_runner.py (20 processes, each with a warm-up and three values of at least 100 ms).

asv and pyperf are in the group `tools`. Their functions that decide are not public: tests compare pyperf's with its
command line.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Processes = Sequence[np.ndarray]


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """Does `--benchmark-compare-fail=median:5%` fail?"""
    from pytest_benchmark.utils import parse_compare_fail

    medians = [{"median": statistics.median(side[0].tolist())} for side in (head, base)]
    return parse_compare_fail("median:5%").fails(*medians) is not None


ASV_SAMPLES, ASV_FACTOR = 5, 1.1
"""The most samples that asv takes in a round, and the factor of `asv continuous`."""


def asv(base: Processes, head: Processes) -> bool:
    """Does asv call head worse by its factor?"""
    from asv.commands.compare import _is_result_better
    from asv_runner.statistics import compute_stats

    samples = [[second for round_ in side for second in round_[:ASV_SAMPLES].tolist()] for side in (base, head)]
    (before, of_base), (now, of_head) = (compute_stats(side, 1) for side in samples)
    return bool(_is_result_better(before, now, (of_base, samples[0]), (of_head, samples[1]), ASV_FACTOR))


PYPERF_VALUES, PYPERF_TURNS = 3, 6
"""A process of pyperf gives three values after a warm-up, each of at least 100 ms: about six turns."""


def pyperf(base: Processes, head: Processes) -> bool:
    """Does pyperf call the difference significant, and head slower?"""
    from pyperf._compare import CompareData, CompareResult

    result = CompareResult(CompareData("base", pyperf_benchmark(base)), CompareData("head", pyperf_benchmark(head)))
    return bool(result.significant and result.norm_mean > 1)


def pyperf_benchmark(processes: Processes) -> Any:
    """Return the values of processes as pyperf keeps them: a pyperf.Benchmark."""
    import pyperf

    described = {"name": "lstm", "loops": 1}
    runs = [pyperf.Run(_values(seconds), metadata=described, collect_metadata=False) for seconds in processes]
    return pyperf.Benchmark(runs)


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

    def windows(self, replicates: Sequence[int], sessions: Sequence[str]) -> list[Sequence[int]]:
        """Return all windows of as many replicates as a comparison takes: within sessions, where one is long enough."""
        size = 2 * self.processes
        every = [replicates[first : first + size] for first in range(len(replicates) - size + 1)]
        return [window for window in every if len({sessions[k] for k in window}) == 1] or every

    def apart(self, windows: Sequence[Sequence[int]]) -> int:
        """Return how many of these windows have no replicate in common."""
        used: set[int] = set()
        number = 0
        for window in windows:
            if used.isdisjoint(window):
                used |= set(window)
                number += 1
        return number

    def order(self, replicates: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Split replicates that follow one another into those of base and those of head."""
        if self.mirrored:
            firsts, seconds = replicates[::2], replicates[1::2]
            swapped = [(b, a) if k % 2 else (a, b) for k, (a, b) in enumerate(zip(firsts, seconds, strict=True))]
            return [base for base, _ in swapped], [head for _, head in swapped]
        return replicates[: self.processes], replicates[self.processes :]


OTHER_TOOLS = {
    "pytest-benchmark, median:5%": Tool(pytest_benchmark, 1, threshold=0.05),
    "asv continuous": Tool(asv, 2, threshold=ASV_FACTOR - 1, mirrored=True),
    "pyperf compare_to": Tool(pyperf, 20),
}
