"""The rules of other tools, for the same data: two runs, one after the other.

Each rule takes base's and head's times of a benchmark, a list of seconds per process, and says whether head is slower.
Sources: pytest-benchmark's documentation of `--benchmark-compare-fail`; asv/statistics.py (is_different) with the
factor of `asv continuous`; pyperf/_utils.py (is_significant), which `pyperf compare_to` uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special, stats

Processes = Sequence[Sequence[float]]


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """Use a process of each: is head's median more than 5 % above base's?"""
    return bool(np.median(head[0]) > 1.05 * np.median(base[0]))


def asv(base: Processes, head: Processes) -> bool:
    """Use two processes of each, with pooled samples: is Mann-Whitney's p < 0.002, and the median 1.1 times base's?"""
    a, b = np.concatenate(base[:2]), np.concatenate(head[:2])
    if np.median(b) <= 1.1 * np.median(a):
        return False
    if (
        1 / special.binom(len(a) + len(b), min(len(a), len(b))) >= 0.002
    ):  # with so few samples, p can never be below 0.002
        return False
    return bool(stats.mannwhitneyu(a, b).pvalue < 0.002)


def pyperf(base: Processes, head: Processes) -> bool:
    """Use the mean of each process: does Student's two-sided t test at 95 % say that head is slower?"""
    a, b = ([float(np.mean(seconds)) for seconds in side] for side in (base, head))
    return bool(np.mean(b) > np.mean(a) and stats.ttest_ind(a, b).pvalue < 0.05)


OTHER_TOOLS: dict[str, Callable[[Processes, Processes], bool]] = {
    "pytest-benchmark, median:5%": pytest_benchmark,
    "asv continuous": asv,
    "pyperf compare_to": pyperf,
}
