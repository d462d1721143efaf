"""No call is shorter than its matrix products take at the peak, which is measured on the same processors."""

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
from impls.core.workloads import WORKLOADS

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
        self.peak: Arm | None = None

    def measure(self, peak: Arm, benchmarks: Iterable[Benchmark]) -> None:
        """Measure the peak in an arm of its own, in each dtype of some benchmarks that it can compute in."""
        self.peak = peak
        of_dtype: dict[str, Benchmark] = {}
        for benchmark in benchmarks:
            of_dtype.setdefault(benchmark.problem.dtype, benchmark)
        for dtype, benchmark in of_dtype.items():
            if dtype in DEFAULT_DTYPES:
                self.measure_again(benchmark)

    def measure_again(self, benchmark: Benchmark) -> None:
        """Measure the peak once more, in a benchmark's dtype. A single measurement may have been disturbed."""
        if self.peak is None:
            return
        text = f"{benchmark.problem.id}/sequence/forward"
        try:
            self.peak.ensure_running()
            self.peak.ask(requests.Open(text, 0, None, 0))
            self.add(benchmark.problem.dtype, self.peak.ask(requests.Fastest(text, PEAK_SECONDS)))
        except ArmFailed:  # such as no compiler
            self.peak = None
        else:
            self.peak.kill()

    def add(self, dtype: str, seconds: float) -> None:
        """Add that a call of the peak took so long."""
        rate = peak_operations("cpu", dtype, self.cores) / seconds
        self.rates[dtype] = max(rate, self.rates.get(dtype, 0.0))

    def add_row(self, row: Record) -> None:
        """Add a row of the peak. Beside a stream it is one thread."""
        samples = [seconds for turn in row.turns or () for seconds in turn.samples or ()]
        if row.status == "ok" and samples and not WORKLOADS[row.workload].timed_by_call:
            self.add(str(row.dtype), min(samples))

    def least_seconds(self, benchmark: Benchmark) -> float:
        """Return what a call's products take at the peak; 0 where no peak can be measured in that dtype."""
        if benchmark.problem.dtype not in DEFAULT_DTYPES:
            return 0.0
        rate = self.rates.get(benchmark.problem.dtype, MOST_OPERATIONS * self.cores)
        return operations(benchmark.problem, benchmark.workload, benchmark.mode) / rate

    def check(self, benchmark: Benchmark, seconds: float) -> None:
        """Refuse an arm (ArmFailed) whose calls are too short for their products."""
        if seconds < self.least_seconds(benchmark):
            self.measure_again(benchmark)
        least = self.least_seconds(benchmark)
        if seconds < least:
            at = (
                "at the peak that was measured here"
                if benchmark.problem.dtype in self.rates
                else "on any processor"
            )
            reason = f"a call takes {1e6 * seconds:.1f} µs, and its products at least {1e6 * least:.1f} µs {at}"
            raise ArmFailed(
                "error", f"it does its work before it is called, or not at all: {reason}"
            )

    def refuse_by_interval(self, rows: Sequence[Record], peaks: Collection[str]) -> None:
        """Refuse what is above the peak by the interval over all replicates of a run. `peaks`: the names of peaks.

        The peak counts as it was in the same replicate, at its usual speed.
        """
        groups = self._log_shares(rows, peaks)
        if not groups:
            return
        lows, _ = t_interval(means([*groups.values()]))
        above = {
            key: math.exp(low) for key, low in zip(groups, lows.tolist(), strict=True) if low > 0
        }
        for row in rows:
            if low := above.get((row.implementation, row.benchmark)):
                row.status = "error"
                row.reason = f"it does its work before it is called, or not at all: {low:.0%} of the peak, at least"

    def _log_shares(
        self, rows: Sequence[Record], peaks: Collection[str]
    ) -> dict[tuple[str, str], list[float]]:
        """Return the logs of the shares of the peak that each implementation reached at a benchmark, by replicate."""
        usual = {(row.replicate, row.benchmark): row for row in rows if row.implementation in peaks}
        groups: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            peak = usual.get((row.replicate, row.benchmark))
            if row.implementation in peaks or WORKLOADS[row.workload].timed_by_call or peak is None:
                continue
            if row.status == "ok" and peak.status == "ok" and row.seconds and peak.seconds:
                benchmark = Benchmark.parse(row.benchmark)
                needed = operations(benchmark.problem, benchmark.workload, benchmark.mode)
                done = peak_operations("cpu", benchmark.problem.dtype, self.cores)
                share = needed / row.seconds / (done / peak.seconds)
                groups.setdefault((row.implementation, row.benchmark), []).append(math.log(share))
        return groups

    def refuse(self, rows: Iterable[Record]) -> None:
        """Refuse the rows of a replicate whose calls are too short for their products."""
        for row in rows:
            if row.status == "ok" and row.seconds is not None:
                try:
                    self.check(Benchmark.parse(row.benchmark), row.seconds)
                except ArmFailed as failure:
                    row.status = failure.status
                    row.reason = f"{failure.reason} (in replicate {row.replicate + 1})"
