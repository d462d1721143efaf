"""What other tools would have said of the same data: two runs, one after the other, compared by their own rules.

Each takes base's and head's times of one benchmark, one list of seconds per process, and says whether head is slower.
Sources: pytest-benchmark's documentation of `--benchmark-compare-fail`; asv/statistics.py (is_different) with the
factor of `asv continuous`; pyperf/_utils.py (is_significant), which `pyperf compare_to` goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special, stats

Processes = Sequence[Sequence[float]]


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """One process each; head's median more than 5 % above base's."""
    return bool(np.median(head[0]) > 1.05 * np.median(base[0]))


def asv(base: Processes, head: Processes) -> bool:
    """Two rounds each, their samples pooled; Mann-Whitney p < 0.002, and the medians a factor of 1.1 apart."""
    a, b = np.concatenate(base[:2]), np.concatenate(head[:2])
    if np.median(b) <= 1.1 * np.median(a):
        return False
    if 1 / special.binom(len(a) + len(b), min(len(a), len(b))) >= 0.002:  # too few samples ever to be sure
        return False
    return bool(stats.mannwhitneyu(a, b).pvalue < 0.002)


def pyperf(base: Processes, head: Processes) -> bool:
    """Every process gives one value, its mean; Student's two-sample t test at 95 %, two-sided."""
    a, b = ([float(np.mean(one)) for one in side] for side in (base, head))
    return bool(np.mean(b) > np.mean(a) and stats.ttest_ind(a, b).pvalue < 0.05)


OTHER_TOOLS: dict[str, Callable[[Processes, Processes], bool]] = {
    "pytest-benchmark, median:5%": pytest_benchmark,
    "asv continuous": asv,
    "pyperf compare_to": pyperf,
}
