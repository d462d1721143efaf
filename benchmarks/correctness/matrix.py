"""The agreement matrix: implementation × dtype × problem or extreme. Each implementation and dtype has its process."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks.cases import AGREE_CELL_PROBLEMS, AGREE_PROBLEMS, Benchmark
from benchmarks.machine import gpu_model
from benchmarks.record import harmless
from benchmarks.runner import admission, outside
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.expected import Expected, write_expected
from benchmarks.runner.home import Limits
from benchmarks.runner.sides import Version, make_arm
from benchmarks.stages import Advance, Stage
from benchmarks.worker import agreement, extremes, requests
from impls.core.precision import current
from impls.core.problem import Problem

SEED = 0
LONGEST = ("torch_lstm_compiled", "torch_cell_compiled", "torch_scan", "tinygrad_lstm")
"""Those that compile longest. They start first, so that none of them ends alone."""

Key = tuple[str, str, str]
"""The name of an implementation, a dtype, the id of a problem or the name of an extreme."""


@dataclass(frozen=True)
class Cell:
    """The largest error of an implementation on a problem, or the reason why there is none."""

    status: str
    error: float = 0.0
    reason: str = ""
    flushes: bool = False


NOT_REACHED = Cell("not reached")
"""A cell of a comparison that was interrupted before it."""


class Matrix:
    """What is compared, and the cells that are filled so far."""

    def __init__(
        self,
        versions: Sequence[Version],
        problems: Sequence[Problem],
        dtypes: Sequence[str],
        workloads: Sequence[str],
        device: str,
        call_seconds: float,
    ) -> None:
        self.versions = versions
        self.problems = problems
        self.dtypes = dtypes
        self.workloads = workloads
        self.device = device
        self.call_seconds = call_seconds
        names = [*extremes.EXTREMES] if "sequence" in workloads else []
        self.columns = [*(problem.id for problem in problems), *names]
        self.cells: dict[Key, Cell] = {}
        self.modes: dict[str, set[str]] = {}  # by implementation: those that were compared
        self.arms: list[Arm] = []
        self.stopping = threading.Event()

    def columns_of(self, dtype: str) -> list[str]:
        """Return the problems and extremes of a dtype: half precision has no extremes."""
        return [column for column in self.columns if column not in extremes.EXTREMES or dtype in extremes.SWITCH]

    @property
    def good(self) -> bool:
        """Whether something agrees, and nothing should have been compared and does not agree."""
        found = {cell.status for cell in self.cells.values()}
        return "ok" in found and found <= {*harmless(gpu_model())}

    def line(self, refused: int, controls: int) -> str:
        """Return the result in one line, with how many of the negative controls were refused."""
        counts = Counter(cell.status for cell in self.cells.values())
        agreed = f"{counts.pop('ok', 0)} of {len(self.cells)} cells agree"
        others = "".join(f", {number} {status}" for status, number in sorted(counts.items()))
        return f"{agreed}{others}; {refused} of {controls} negative controls refused"

    def fill(self, folder: Path, advance: Advance) -> None:
        """Compare everything, with as many arms at a time as processors. `folder` is for caches and logs."""
        benchmarks = [
            Benchmark(problem.replace(dtype=dtype), workload, "forward")
            for dtype in self.dtypes
            for problem in self.problems
            for workload in self.workloads
            if workload != "cell" or not _skip_cell(problem)
        ]
        outside.adopt_orphans()
        self.inputs = agreement.draw_seed()
        expected = write_expected(benchmarks, SEED, None, folder, self.inputs)
        for dtype in set(self.dtypes) & set(extremes.SWITCH):
            results = extremes.expected(dtype, SEED, self.inputs)
            agreement.save_expected(_of_extremes(folder, dtype), results)
        first = sorted(
            self.versions,
            key=lambda version: (version.implementation.name not in LONGEST, version.implementation.framework),
        )
        rows = [(version, dtype) for version in first for dtype in self.dtypes]
        free = sorted(os.sched_getaffinity(0))

        def work(row: tuple[Version, str]) -> None:
            core = free.pop()
            try:
                self._fill_row(*row, core, folder, expected, advance)
            finally:
                free.append(core)

        with ThreadPoolExecutor(len(free)) as pool:
            try:
                list(pool.map(work, rows))
            except KeyboardInterrupt:
                self.stopping.set()
                for arm in self.arms:
                    arm.kill()
                raise

    def _fill_row(
        self, version: Version, dtype: str, core: int, folder: Path, expected: Expected, advance: Advance
    ) -> None:
        """Compare an implementation in a dtype on every problem and extreme."""
        name = version.implementation.name
        limits = Limits((core,), self.call_seconds, psutil.virtual_memory().total // 2)
        arm = make_arm(version, self.device, limits, dtype, folder / dtype, precision=current())
        self.arms.append(arm)

        def compare_all(columns: Sequence[str], compare: Callable[[], Mapping[str, Cell]]) -> None:
            if self.stopping.is_set():
                return
            try:
                cells = compare()
            except ArmFailed as failure:
                if self.stopping.is_set():  # it was killed
                    return
                cells = dict.fromkeys(columns, Cell(failure.status, reason=failure.reason))
            self.cells |= {(name, dtype, column): cell for column, cell in cells.items()}
            of_all = len(self.versions) * sum(len(self.columns_of(each)) for each in self.dtypes)
            advance(Stage.CHECKING, f"{name} {dtype}", len(self.cells), of_all)

        try:
            for problem in self.problems:
                compare_all([problem.id], partial(self._compare, version, arm, problem, dtype, expected))
            if rest := self.columns_of(dtype)[len(self.problems) :]:
                compare_all(rest, partial(self._compare_extremes, version, arm, dtype, folder))
        finally:
            arm.kill()

    def _compare(self, version: Version, arm: Arm, problem: Problem, dtype: str, expected: Expected) -> dict[str, Cell]:
        """Compare every workload and mode on a problem.

        A worker starts on all processors, so that an implementation that shards over them does so here too.
        """
        if version.failure is not None:
            raise version.failure
        errors = []
        for workload in self.workloads:
            benchmark = Benchmark(problem.replace(dtype=dtype), workload, "forward")
            path = expected.get((benchmark.problem.id, workload))
            failure = admission.refusal(version.implementation, self.device, benchmark)
            if failure is not None and workload in version.implementation.workloads:
                raise failure
            if failure is not None or path is None:
                continue
            arm.ensure_running(tuple(sorted(os.sched_getaffinity(0))))
            request = requests.CheckProblem(benchmark.problem.id, workload, SEED, self.inputs, str(path))
            checked = arm.ask(request)
            errors.append(checked.error)
            self.modes.setdefault(version.implementation.name, set()).update(checked.modes)
        return {
            problem.id: Cell("ok", max(errors)) if errors else Cell("unsupported", reason="none of these workloads")
        }

    def _compare_extremes(self, version: Version, arm: Arm, dtype: str, folder: Path) -> dict[str, Cell]:
        """Compare every mode of the workload sequence on the extremes."""
        if version.failure is not None:
            raise version.failure
        benchmark = Benchmark(extremes.problem_in(dtype), "sequence", "forward")
        if failure := admission.refusal(version.implementation, self.device, benchmark):
            raise failure
        arm.ensure_running(tuple(sorted(os.sched_getaffinity(0))))
        if unknown := set(version.implementation.limits) - set(extremes.EXTREMES):
            raise ArmFailed("error", f"its LIMITS name {', '.join(sorted(unknown))}, which is no extreme")
        request = requests.CheckExtremes(dtype, SEED, self.inputs, str(_of_extremes(folder, dtype)))
        found = arm.ask(request)
        return {extreme: cell_of(one, version.implementation.limits.get(extreme)) for extreme, one in found.items()}


def cell_of(found: extremes.Found, limit: str | None) -> Cell:
    """Return the cell of an extreme. Where it disagrees and its file says why, it is unsupported.

    Args:
        found: what the implementation makes of the extreme.
        limit: what the file's LIMITS say of it.
    """
    if not found.reason:
        return Cell("ok", found.error, flushes=found.flushes)
    return Cell("unsupported", reason=limit) if limit else Cell("disagrees", found.error, found.reason)


def _of_extremes(folder: Path, dtype: str) -> Path:
    """Return the file with the reference's results on the extremes."""
    return folder / f"expected-extremes-{dtype}.float64"


def _skip_cell(problem: Problem) -> bool:
    """Whether `cell` is left out. A step is the same work whatever T is: a few default problems are enough."""
    return problem.id in AGREE_PROBLEMS and problem.id not in AGREE_CELL_PROBLEMS
