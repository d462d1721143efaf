"""The agreement matrix: every implementation × dtype × problem, each implementation and dtype in its own process."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.cases import AGREE_CELL_PROBLEMS, AGREE_PROBLEMS, Benchmark
from benchmarks.correctness import agreement, controls
from benchmarks.measurement.arm import Arm, ArmFailed, Limits
from benchmarks.progress import progress
from benchmarks.record import HARMLESS
from benchmarks.terminal import all_fit, output
from impls.core.contract import Implementation
from impls.core.problem import Problem
from impls.core.weights import make_weights

SEED = 0


@dataclass(frozen=True)
class Cell:
    """The largest error of one implementation on one problem, or why there is none."""

    status: str
    error: float = 0.0
    reason: str = ""


def skip_cell(problem: Problem) -> bool:
    """One step is the same work whatever T is, so `cell` is checked on a few of the default problems."""
    return problem.id in AGREE_PROBLEMS and problem.id not in AGREE_CELL_PROBLEMS


def check_one(
    arm: Arm,
    cores: Sequence[int],
    problem: Problem,
    workloads: Sequence[str],
    expected: dict[tuple[str, str], Path],
) -> Cell:
    """Every workload and mode of one implementation on one problem.

    A worker starts with all processors in sight, so that what shards over them does so here too.
    """
    errors = []
    for workload in workloads:
        if workload not in arm.implementation.workloads or (problem.id, workload) not in expected:
            continue
        arm.ensure_running(tuple(cores))
        answer = arm.ask(
            "agree", problem=problem.id, workload=workload, seed=SEED, expected=str(expected[problem.id, workload])
        )
        errors.append(answer["error"])
    return Cell("ok", max(errors)) if errors else Cell("unsupported", reason="none of these workloads")


def agree(
    implementations: Sequence[Implementation],
    problems: Sequence[Problem],
    dtypes: Sequence[str],
    workloads: Sequence[str],
    call_seconds: float,
) -> int:
    """Print the matrix; 1 where anything disagrees, or could not be checked though it should."""
    scratch = Path(tempfile.mkdtemp(prefix="lstm-agree-"))
    cores = sorted(os.sched_getaffinity(0))
    found: dict[tuple[str, str, str], Cell] = {}
    try:
        expected: dict[tuple[str, str], Path] = {}
        for problem in problems:
            for workload in workloads:
                if workload == "cell" and skip_cell(problem):
                    continue
                job = Benchmark(problem, workload, "forward").job
                path = expected[problem.id, workload] = scratch / f"expected-{len(expected)}.npz"
                agreement.save_expected(path, job, workload, make_weights(job, workload, SEED))
        # the compiled ones take longest, so they start first
        longest_first = sorted(implementations, key=lambda one: (not one.name.endswith("compiled"), one.framework))
        jobs = [(one, dtype) for one in longest_first for dtype in dtypes]
        free = list(cores)

        arms: list[Arm] = []
        stopping = threading.Event()

        with progress() as advance:

            def work(job: tuple[Implementation, str]) -> None:
                implementation, dtype = job
                if stopping.is_set():
                    return
                core = free.pop()
                limits = Limits((core,), call_seconds, psutil.virtual_memory().total // 2)
                arm = Arm(implementation, "cpu", limits, dtype, scratch / dtype)
                arms.append(arm)
                try:
                    for problem in problems:
                        if stopping.is_set():
                            return
                        typed = problem.replace(dtype=dtype)
                        keys = {(typed.id, w): path for (name, w), path in expected.items() if name == problem.id}
                        try:
                            if dtype not in implementation.dtypes:
                                raise ArmFailed("unsupported", f"no {dtype}")
                            cell = check_one(arm, cores, typed, workloads, keys)
                        except ArmFailed as failure:
                            cell = Cell(failure.status, reason=failure.reason)
                        found[implementation.name, dtype, problem.id] = cell
                        advance(f"checking {implementation.name} {dtype}", len(found), len(jobs) * len(problems))
                finally:
                    arm.kill()
                    free.append(core)

            with ThreadPoolExecutor(len(cores)) as pool:
                try:
                    list(pool.map(work, jobs))
                except KeyboardInterrupt:
                    stopping.set()
                    for arm in arms:
                        arm.kill()
                    raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    console = output(200)
    show(found, [one.name for one in implementations], problems, dtypes, console)
    refused = controls.refusals()
    console.print("\nnegative controls, wrong on purpose; each must be refused:")
    for name, reason in refused.items():
        console.print(f"  {name}: {f'refused: {reason}' if reason else 'PASSED'}", markup=False, highlight=False)
    good = all(cell.status in HARMLESS for cell in found.values()) and all(refused.values())
    return 0 if good else 1


def show(
    found: dict[tuple[str, str, str], Cell],
    names: Sequence[str],
    problems: Sequence[Problem],
    dtypes: Sequence[str],
    console: Console,
) -> None:
    """A table per dtype: implementations down, problems across, largest errors in the cells."""

    def table_of(dtype: str, some: Sequence[Problem]) -> Table:
        table = Table(
            title=f"largest error, {dtype} (tolerance {agreement.TOLERANCES[dtype]:.0e})", title_justify="left"
        )
        table.add_column("implementation", no_wrap=True)
        for problem in some:
            table.add_column(problem.id.replace("-", "\n"), justify="right")
        for name in names:
            cells = [found[name, dtype, problem.id] for problem in some]
            texts = [f"{cell.error:.0e}" if cell.status == "ok" else f"[red]{cell.status}[/]" for cell in cells]
            table.add_row(name, *texts)
        return table

    for dtype in dtypes:
        for size in range(len(problems), 0, -1):  # as many side by side as the terminal is wide for
            tables = [table_of(dtype, problems[k : k + size]) for k in range(0, len(problems), size)]
            if all_fit(tables, console):
                break
        for table in tables:
            console.print(table)
    for (name, dtype, problem_id), cell in found.items():
        if cell.reason:
            console.print(f"{name}, {dtype}, {problem_id}: {cell.status}: {cell.reason}", markup=False, highlight=False)
