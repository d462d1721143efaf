"""The rules of other tools, on the same data, each with its own number of processes and samples and its own order.

A rule takes base's and head's times of a benchmark, a list of seconds per process, and says whether head is slower. The
times are those of turns of about 16 ms. Sources: pytest-benchmark's documentation of `--benchmark-compare-fail`;
asv/statistics.py (is_different), and asv/commands/continuous.py for its factor, rounds and order; pyperf/_utils.py
(is_significant), which `pyperf compare_to` uses, and pyperf/_runner.py for its processes and values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

Processes = Sequence[np.ndarray]


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """Is head's median more than 5 % above base's?"""
    return bool(np.median(head[0]) > 1.05 * np.median(base[0]))


ASV_SAMPLES = 5
"""The most samples that asv takes in a round."""


def asv(base: Processes, head: Processes) -> bool:
    """With pooled samples: is Mann-Whitney's p < 0.002, and the median 1.1 times base's?"""
    a, b = (np.concatenate([seconds[:ASV_SAMPLES] for seconds in side]) for side in (base, head))
    if np.median(b) <= 1.1 * np.median(a):
        return False
    least = 1 / special.binom(len(a) + len(b), min(len(a), len(b)))  # p can never be below it
    return bool(least < 0.002 and stats.mannwhitneyu(a, b).pvalue < 0.002)


PYPERF_VALUES, PYPERF_TURNS = 3, 6
"""A process of pyperf gives three values, each of at least 100 ms: about six turns."""


def pyperf(base: Processes, head: Processes) -> bool:
    """Does Student's two-sided t test on all values, at 95 %, say that head is slower?"""
    a, b = (np.concatenate([_values(seconds) for seconds in side]) for side in (base, head))
    return bool(np.mean(b) > np.mean(a) and stats.ttest_ind(a, b).pvalue < 0.05)


def _values(seconds: np.ndarray) -> np.ndarray:
    return np.array([part.mean() for part in np.array_split(seconds[: PYPERF_VALUES * PYPERF_TURNS], PYPERF_VALUES)])


@dataclass(frozen=True)
class Tool:
    """A tool's rule, how many processes of each side it starts, and in which order.

    threshold: a slowdown that is smaller can be called one by chance only.
    interleaved: base and head take turns; otherwise all of base runs before all of head.
    """

    rule: Callable[[Processes, Processes], bool]
    processes: int
    threshold: float = 0.0
    interleaved: bool = False

    def windows(self, replicates: Sequence[int], sessions: Sequence[str]) -> list[Sequence[int]]:
        """Return all windows of as many replicates as a comparison takes: within sessions, where one is long enough."""
        size = 2 * self.processes
        every = [replicates[first : first + size] for first in range(len(replicates) - size + 1)]
        return [window for window in every if len({sessions[k] for k in window}) == 1] or every

    def order(self, replicates: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Split replicates that follow one another into those of base and those of head."""
        if self.interleaved:
            return replicates[::2], replicates[1::2]
        return replicates[: self.processes], replicates[self.processes :]


OTHER_TOOLS = {
    "pytest-benchmark, median:5%": Tool(pytest_benchmark, 1, threshold=0.05),
    "asv continuous": Tool(asv, 2, threshold=0.10, interleaved=True),
    "pyperf compare_to": Tool(pyperf, 20),
}
