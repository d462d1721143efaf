"""No call is shorter than its matrix products take at the peak, which is measured on the same processors."""

import math
from collections.abc import Collection, Iterable, Sequence

from benchmarks.cases import Benchmark
from benchmarks.record import Record
from benchmarks.runner.arm import Arm
from benchmarks.runner.sides import ArmFailed
from benchmarks.statistics.intervals import means, t_interval
from benchmarks.worker import requests
from impls.core.constants import DEFAULT_DTYPES
from impls.core.operations import operations, peak_operations
from impls.core.workloads import WORKLOADS

MOST_OPERATIONS = 4e12
"""So many operations in a second are more than any core of 2026 does, where the peak could not be measured."""
TOO_SHORT = "it does its work before it is called, or not at all"
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
        of_dtype = {benchmark.problem.dtype: benchmark for benchmark in benchmarks}
        for dtype in DEFAULT_DTYPES:
            if dtype in of_dtype:
                self.measure_again(of_dtype[dtype])

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
        if seconds >= self.least_seconds(benchmark):
            return
        self.measure_again(benchmark)
        least = self.least_seconds(benchmark)
        if seconds < least:
            measured = benchmark.problem.dtype in self.rates
            at = "at the peak that was measured here" if measured else "on any processor"
            times = f"a call takes {1e6 * seconds:.1f} µs, and its products at least {1e6 * least:.1f} µs"
            raise ArmFailed("error", f"{TOO_SHORT}: {times} {at}")

    def refuse_by_interval(self, rows: Sequence[Record]) -> None:
        """Refuse what is above the peak by the interval over all replicates of a run.

        The peak counts as it was in the same replicate, at its usual speed.
        """
        log_shares = self._log_shares(rows)
        if not log_shares:
            return
        lows, _ = t_interval(means([*log_shares.values()]))
        low_of = dict(zip(log_shares, lows.tolist(), strict=True))
        for row in rows:
            low = low_of.get((row.implementation, row.benchmark), 0.0)
            if low > 0:
                row.fail("error", f"{TOO_SHORT}: {math.exp(low):.0%} of the peak, at least")

    def _log_shares(self, rows: Sequence[Record]) -> dict[tuple[str, str], list[float]]:
        """Return the logs of the shares of the peak that each implementation reached at a benchmark, by replicate."""
        peaks = {(row.replicate, row.benchmark): row.seconds for row in rows if row.is_peak}
        log_shares: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            peak_seconds = peaks.get((row.replicate, row.benchmark))
            if row.is_peak or WORKLOADS[row.workload].timed_by_call:
                continue
            if row.seconds and peak_seconds:
                benchmark = Benchmark.parse(row.benchmark)
                needed = operations(benchmark.problem, benchmark.workload, benchmark.mode)
                done = peak_operations("cpu", benchmark.problem.dtype, self.cores)
                share = needed / row.seconds / (done / peak_seconds)
                key = (row.implementation, row.benchmark)
                log_shares.setdefault(key, []).append(math.log(share))
        return log_shares

    def refuse(self, rows: Collection[Record]) -> None:
        """Refuse the rows of a replicate whose calls are too short for their products. Its peak is added first."""
        for row in rows:
            if row.is_peak:
                self.add_row(row)
        for row in rows:
            if row.seconds is not None and not row.is_peak:
                try:
                    self.check(Benchmark.parse(row.benchmark), row.seconds)
                except ArmFailed as failure:
                    row.fail(failure.status, f"{failure.reason} (in replicate {row.replicate + 1})")
