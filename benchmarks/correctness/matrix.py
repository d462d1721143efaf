"""The agreement matrix: every implementation × dtype × problem, each implementation and dtype in its own process."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import terminal
from benchmarks.cases import AGREE_CELL_PROBLEMS, AGREE_PROBLEMS, Benchmark
from benchmarks.correctness import agreement
from benchmarks.measurement import admission, protocol
from benchmarks.measurement.admission import Expected
from benchmarks.measurement.arm import Arm, ArmFailed, Limits
from benchmarks.measurement.session import Advance
from benchmarks.measurement.sides import Version, make_arm
from benchmarks.record import HARMLESS
from impls.core.problem import Problem

SEED = 0

Key = tuple[str, str, str]
"""The name of an implementation, a dtype, the id of a problem."""


@dataclass(frozen=True)
class Cell:
    """The largest error of one implementation on one problem, or why there is none."""

    status: str
    error: float = 0.0
    reason: str = ""


class Matrix:
    """What is compared, and what became of it so far."""

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
        self.cells: dict[Key, Cell] = {}
        self.arms: list[Arm] = []
        self.stopping = threading.Event()

    @property
    def good(self) -> bool:
        """Whether all that could be compared agrees, and all that should have been compared was."""
        return all(cell.status in HARMLESS for cell in self.cells.values())

    def fill(self, folder: Path, advance: Advance) -> None:
        """Compare everything, as many arms at a time as there are processors; `folder` is for caches and logs."""
        benchmarks = [
            Benchmark(problem, workload, "forward")
            for problem in self.problems
            for workload in self.workloads
            if workload != "cell" or not _skip_cell(problem)
        ]
        expected = admission.write_expected(benchmarks, SEED, None, folder)
        # what is compiled takes longest, so it starts first
        first = sorted(
            self.versions,
            key=lambda one: (not one.implementation.name.endswith("compiled"), one.implementation.framework),
        )
        jobs = [(version, dtype) for version in first for dtype in self.dtypes]
        free = sorted(os.sched_getaffinity(0))

        def work(job: tuple[Version, str]) -> None:
            core = free.pop()
            try:
                self._fill_row(*job, core, folder, expected, advance)
            finally:
                free.append(core)

        with ThreadPoolExecutor(len(free)) as pool:
            try:
                list(pool.map(work, jobs))
            except KeyboardInterrupt:
                self.stopping.set()
                for arm in self.arms:
                    arm.kill()
                raise

    def _fill_row(
        self, version: Version, dtype: str, core: int, folder: Path, expected: Expected, advance: Advance
    ) -> None:
        """Compare one implementation in one dtype on every problem."""
        name = version.implementation.name
        limits = Limits((core,), self.call_seconds, psutil.virtual_memory().total // 2)
        arm = make_arm(version, self.device, limits, dtype, folder / dtype)
        self.arms.append(arm)
        try:
            for problem in self.problems:
                if self.stopping.is_set():
                    return
                try:
                    cell = self._compare(version, arm, problem, dtype, expected)
                except ArmFailed as failure:
                    cell = Cell(failure.status, reason=failure.reason)
                self.cells[name, dtype, problem.id] = cell
                of_all = len(self.versions) * len(self.dtypes) * len(self.problems)
                advance(f"checking {name} {dtype}", len(self.cells), of_all)
        finally:
            arm.kill()

    def _compare(self, version: Version, arm: Arm, problem: Problem, dtype: str, expected: Expected) -> Cell:
        """Compare every workload and mode on one problem.

        A worker starts with all processors in sight, so that what shards over them does so here too.
        """
        if version.failure is not None:
            raise version.failure
        errors = []
        for workload in self.workloads:
            benchmark = Benchmark(problem.replace(dtype=dtype), workload, "forward")
            path = expected.get((problem.id, workload))
            failure = admission.refusal(version.implementation, self.device, benchmark)
            if failure is not None and workload in version.implementation.workloads:
                raise failure
            if failure is not None or path is None:
                continue
            arm.ensure_running(tuple(sorted(os.sched_getaffinity(0))))
            request = protocol.CheckProblem(benchmark.problem.id, workload, SEED, str(path))
            errors.append(arm.ask(request, protocol.Checked).error)
        return Cell("ok", max(errors)) if errors else Cell("unsupported", reason="none of these workloads")

    def show(self, console: Console) -> None:
        """Print a table per dtype: implementations down, problems across, the largest errors in the cells."""
        for dtype in self.dtypes:
            for size in range(len(self.problems), 0, -1):  # as many side by side as the terminal is wide for
                parts = [self.problems[k : k + size] for k in range(0, len(self.problems), size)]
                tables = [self._table(dtype, part) for part in parts]
                if terminal.all_fit(tables, console):
                    break
            for table in tables:
                console.print(table)
        for (name, dtype, problem_id), cell in self.cells.items():
            if cell.reason:
                line = f"{name}, {dtype}, {problem_id}: {cell.status}: {cell.reason}"
                console.print(line, markup=False, highlight=False)

    def _table(self, dtype: str, problems: Sequence[Problem]) -> Table:
        title = f"largest error, {dtype} (tolerance {agreement.TOLERANCES[dtype]:.0e})"
        table = Table(title=title, title_justify="left")
        table.add_column("implementation", no_wrap=True)
        for problem in problems:
            table.add_column(problem.id.replace("-", "\n"), justify="right")
        for version in self.versions:
            name = version.implementation.name
            cells = [self.cells[name, dtype, problem.id] for problem in problems]
            texts = [f"{cell.error:.0e}" if cell.status == "ok" else f"[red]{cell.status}[/]" for cell in cells]
            table.add_row(name, *texts)
        return table


def _skip_cell(problem: Problem) -> bool:
    """Whether `cell` is left out: one step is the same work whatever T is, so a few default problems are enough."""
    return problem.id in AGREE_PROBLEMS and problem.id not in AGREE_CELL_PROBLEMS
