"""The least time that a call can take: its matrix products, at the peak that was measured on the same processors."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from benchmarks.cases import Benchmark
from benchmarks.record import Record
from benchmarks.runner.arm import Arm
from benchmarks.runner.sides import ArmFailed
from benchmarks.statistics.intervals import means, t_interval
from benchmarks.worker import requests
from impls.core.operations import operations, peak_operations
from impls.core.registry import DEFAULT_DTYPES

MOST_OPERATIONS = 4e12
"""So many operations in a second are more than any core of 2026 does, where the peak could not be measured."""
PEAK_SECONDS = 0.1
"""For so long the peak is called before anything else is: the shortest call counts."""


class Limits:
    """The most operations in a second that the processors have done, by dtype.

    The shortest call of the peak counts, of all that were made: a disturbance makes a call longer.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.rates: dict[str, float] = {}

    def measure(self, peak: Arm, benchmarks: Iterable[Benchmark]) -> None:
        """Measure the peak in an arm of its own, in each dtype of some benchmarks that it can compute in."""
        first = {benchmark.problem.dtype: benchmark for benchmark in reversed([*benchmarks])}
        for dtype in first.keys() & set(DEFAULT_DTYPES):
            text = f"{first[dtype].problem.id}/sequence/forward"
            try:
                peak.ensure_running()
                peak.ask(requests.Open(text, 0, None, 0))
                self.heed(dtype, peak.ask(requests.Fastest(text, PEAK_SECONDS)))
            except ArmFailed:  # such as no compiler
                continue
        peak.kill()

    def heed(self, dtype: str, seconds: float) -> None:
        """Take in that a call of the peak took so long."""
        rate = peak_operations("cpu", dtype, self.cores) / seconds
        self.rates[dtype] = max(rate, self.rates.get(dtype, 0.0))

    def heed_row(self, row: Record) -> None:
        """Take in a row of the peak. Beside a stream it is one thread."""
        samples = [seconds for turn in row.turns or () for seconds in turn.samples or ()]
        if row.status == "ok" and row.workload != "stream" and samples:
            self.heed(str(row.dtype), min(samples))

    def check(self, benchmark: Benchmark, seconds: float) -> None:
        """Refuse an arm (ArmFailed) whose calls are too short for their products."""
        dtype = benchmark.problem.dtype
        if dtype not in DEFAULT_DTYPES:
            return
        at = "at the peak that was measured here" if dtype in self.rates else "on any processor"
        rate = self.rates.get(dtype, MOST_OPERATIONS * self.cores)
        least = operations(benchmark.problem, benchmark.workload, benchmark.mode) / rate
        if seconds < least:
            reason = f"a call takes {1e6 * seconds:.1f} µs, and its products at least {1e6 * least:.1f} µs {at}"
            raise ArmFailed("error", f"it does its work before it is called, or not at all: {reason}")

    def refuse_by_interval(self, rows: Sequence[Record], peaks: Collection[str]) -> None:
        """Refuse what is above the peak by the interval over all replicates of a run. `peaks`: the names of peaks.

        The peak counts as it was in the same replicate, at its usual speed.
        """
        usual = {(row.replicate, row.benchmark): row for row in rows if row.implementation in peaks}
        groups: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            peak = usual.get((row.replicate, row.benchmark))
            timed = row.status == "ok" and row.implementation not in peaks and row.workload != "stream"
            if timed and peak is not None and peak.status == "ok" and row.seconds and peak.seconds:
                benchmark = Benchmark.parse(row.benchmark)
                needed = operations(benchmark.problem, benchmark.workload, benchmark.mode)
                done = peak_operations("cpu", benchmark.problem.dtype, self.cores)
                share = needed / row.seconds / (done / peak.seconds)
                groups.setdefault((row.implementation, row.benchmark), []).append(math.log(share))
        if not groups:
            return
        lows, _ = t_interval(means([*groups.values()]))
        above = {key: math.exp(low) for key, low in zip(groups, lows.tolist(), strict=True) if low > 0}
        for row in rows:
            if low := above.get((row.implementation, row.benchmark)):
                row.status = "error"
                row.reason = f"it does its work before it is called, or not at all: {low:.0%} of the peak, at least"

    def refuse(self, rows: Iterable[Record]) -> None:
        """Refuse the rows of a replicate whose calls are too short for their products."""
        for row in rows:
            if row.status == "ok" and row.seconds is not None:
                try:
                    self.check(Benchmark.parse(row.benchmark), row.seconds)
                except ArmFailed as failure:
                    row.status = failure.status
                    row.reason = f"{failure.reason} (in replicate {row.replicate + 1})"
