"""What other rules make of a pool's replicates: other tools by their own functions, and a t test on pairs.

The tools do not measure. Their functions get the times of a pool's turns, each of about 16 ms. How many processes and
samples a tool takes, and in which order, is in asv_runner/benchmarks/time.py (a round has at most five samples),
asv/commands/run.py (two rounds, the second one in reverse) and pyperf/_runner.py (20 processes, each with a warm-up and
three values of at least 100 ms). What decides in asv and pyperf is not public: a new version may move it.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.rates import Count, Counts, Rate, of_rounds
from benchmarks.regression.decision import Rule

PAIRS = 8
"""How many replicates the t test gets: as many as take about the time of a gate."""
LEVEL = 0.01
"""Of the t tests of a gate, together."""
PAIRED = f"{PAIRS} interleaved pairs, t test"
"""The row of that rule."""
GATES = 4000
"""How many gates it decides for each rate."""
Processes = Sequence[np.ndarray]
"""The seconds of each turn of a benchmark, an array for each process of a side."""


def paired_t(
    _: Sequence[Rule], logs: np.ndarray, _base: np.ndarray, _head: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decide as run_gates does, but by t tests of the log ratios of times, of the first PAIRS replicates."""
    times = logs[:1, :, :, :PAIRS]
    p = stats.ttest_1samp(times, 0.0, axis=-1, alternative="greater").pvalue
    _, gates, benchmarks, replicates = times.shape
    return p < LEVEL / benchmarks, np.full(gates, replicates)


def pytest_benchmark(base: Processes, head: Processes) -> bool:
    """Return whether `--benchmark-compare-fail=median:5%` fails."""
    from pytest_benchmark.utils import parse_compare_fail

    before = {"median": statistics.median(base[0].tolist())}
    now = {"median": statistics.median(head[0].tolist())}
    return parse_compare_fail("median:5%").fails(now, before) is not None


ASV_SAMPLES = 5
"""The most samples that asv takes in a round."""
ASV_FACTOR = 1.1
"""That of `asv continuous`."""


def asv_continuous(base: Processes, head: Processes) -> bool:
    """Return whether asv calls base better than head."""
    from asv.commands.compare import _is_result_better
    from asv_runner.statistics import compute_stats

    medians = []
    about = []
    for side in (base, head):
        samples = np.concatenate([seconds[:ASV_SAMPLES] for seconds in side]).tolist()
        median, of_samples = compute_stats(samples, 1)
        medians.append(median)
        about.append((of_samples, samples))
    return bool(_is_result_better(*medians, *about, ASV_FACTOR))


PYPERF_VALUES = 3
"""How many values a process of pyperf gives, after a warm-up."""
PYPERF_TURNS = 6
"""How many turns a value takes, so that it is of at least 100 ms."""


def pyperf_compare(base: Processes, head: Processes) -> bool:
    """Return whether pyperf calls the difference significant, and head slower."""
    import pyperf
    from pyperf._compare import CompareData, CompareResult

    compared = []
    for name, side in (("base", base), ("head", head)):
        runs = []
        for seconds in side:
            warm = seconds[PYPERF_TURNS : (1 + PYPERF_VALUES) * PYPERF_TURNS]
            values = [float(turns.mean()) for turns in np.array_split(warm, PYPERF_VALUES)]
            about = {"name": "lstm", "loops": 1}
            runs.append(pyperf.Run(values, metadata=about, collect_metadata=False))
        compared.append(CompareData(name, pyperf.Benchmark(runs)))
    result = CompareResult(*compared)
    return bool(result.significant and result.norm_mean > 1)


@dataclass(frozen=True)
class Tool:
    """Another tool.

    slower: whether it calls head slower than base, from the processes of both.
    order: the sides of the processes of a comparison, in the order in which it starts them.
    """

    slower: Callable[[Processes, Processes], bool]
    order: Sequence[str]

    @property
    def installed(self) -> bool:
        """Whether its function is there."""
        some = [np.linspace(1.0, 2.0, 48)] * len(self.order)
        try:
            self.slower(some, some)
        except ImportError:
            return False
        return True

    def count(self, pool: Pool, slowdown: float) -> Rate | None:
        """Return how often it calls something slower, by the replicates that hold both copies; None for too few.

        Without a slowdown, any benchmark of a comparison counts. With one, such as 0.05, each is slower by itself, and
        counts by itself.
        """
        rounds = list(pool.by_round(pool.holding([BASE, COPY])).values())
        size = len(self.order)
        hits = []
        comparisons = []
        for group in windows(rounds, size):
            called = np.array([self.called(pool, window, slowdown) for window in group])
            counted = called if slowdown else called.any(axis=1, keepdims=True)
            hits.append(counted.sum())
            comparisons.append(counted.size)
        if not hits:
            return None
        weight = 1.0
        if size > max(map(len, rounds)):  # those of a group share most of their replicates
            weight = len(hits) / sum(comparisons)
        processes = self.order.count(COPY)
        return of_rounds(weight * np.array(hits), weight * np.array(comparisons), processes)

    def called(self, pool: Pool, window: Sequence[int], slowdown: float) -> list[bool]:
        """Return which benchmarks it calls slower, if all times of head are longer by a share."""
        called = []
        for name in pool.benchmarks:
            sides: dict[str, list[np.ndarray]] = {BASE: [], COPY: []}
            for side, k in zip(self.order, window, strict=True):
                sides[side].append(pool.replicates[k].sides[name][side].seconds)
            slowed = [seconds * (1 + slowdown) for seconds in sides[COPY]]
            called.append(self.slower(sides[BASE], slowed))
        return called


TOOLS = {
    "pytest-benchmark, median:5%": Tool(pytest_benchmark, (BASE, COPY)),
    "asv continuous": Tool(asv_continuous, (BASE, COPY, COPY, BASE)),
    "pyperf compare_to": Tool(pyperf_compare, (BASE,) * 20 + (COPY,) * 20),
}
"""By the name of their row."""


def windows(rounds: Sequence[Sequence[int]], size: int) -> list[list[Sequence[int]]]:
    """Return the replicates of comparisons, which follow one another: by round, if a round has enough.

    Otherwise all are taken as one round, and the comparisons that begin in the same `size` replicates are a group.
    """

    def within(replicates: Sequence[int]) -> list[Sequence[int]]:
        firsts = range(len(replicates) - size + 1)
        return [replicates[first : first + size] for first in firsts]

    groups = [group for group in map(within, rounds) if group]
    if groups:
        return groups
    every = within(list(itertools.chain(*rounds)))
    return [every[first : first + size] for first in range(0, len(every), size)]


def counts_of_others(pool: Pool, slowdowns: Mapping[str, float]) -> Counts:
    """Return the counts of each rule that is installed.

    Args:
        slowdowns: the size of each column, as a share; 0 for that of false alarms.
    """
    counts: Counts = {}
    replicates = pool.holding([BASE, COPY])
    tools = {name: tool for name, tool in TOOLS.items() if tool.installed}
    for column, share in slowdowns.items():
        shift = math.log1p(share)
        paired = Count(replicates, GATES, seed=1, shift=shift, decide=paired_t)
        counts[PAIRED, column] = paired.within_rounds
        for name, tool in tools.items():
            counts[name, column] = partial(tool.count, slowdown=share)
    return counts
