"""The agreement matrix: implementation × dtype × problem or extreme. It is a session that is admitted and not timed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.cases import AGREE_PART_PROBLEMS, Benchmark
from benchmarks.judge import extremes
from benchmarks.machine import gpu_model
from benchmarks.options import Options
from benchmarks.progress import Advance
from benchmarks.record import Record, harmless
from benchmarks.runner.arm import Arm
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.worker import requests
from impls.core.problem import Problem
from impls.core.workloads import MODES_OF, WORKLOADS

FLUSHES = "flushes"
"""The reason of a row that agrees, where results below the smallest normal number are zero."""

Key = tuple[str, str, str]
"""The name of an implementation, a dtype, the id of a problem or the name of an extreme."""


class Matrix:
    """What is compared, and the cells that are filled so far: see `cell_of`."""

    def __init__(
        self,
        versions: Sequence[Version],
        problems: Sequence[Problem],
        dtypes: Sequence[str],
        options: Options,
    ) -> None:
        self.versions = {version.implementation.name: version for version in versions}
        self.dtypes = dtypes
        self.options = options
        self.benchmarks: dict[str, list[Benchmark]] = {}
        workloads = options.workloads or WORKLOADS
        for problem in problems:
            every = options.problems or problem.id in AGREE_PART_PROBLEMS
            if compared := [
                workload for workload in workloads if every or WORKLOADS[workload].agreed_everywhere
            ]:
                self.benchmarks[problem.id] = [
                    Benchmark(problem, workload, MODES_OF[workload][0]) for workload in compared
                ]
        if "sequence" in workloads:
            for extreme in extremes.EXTREMES:
                self.benchmarks[extreme] = [
                    Benchmark(extremes.PROBLEM, "sequence", "forward", extreme)
                ]
        self.cells: dict[Key, Record] = {}
        self.modes: dict[str, set[str]] = {}  # by implementation: those that were compared

    def columns_of(self, dtype: str) -> dict[str, list[Benchmark]]:
        """Return what is compared in a dtype for each problem and extreme: half precision has no extremes."""
        return {
            column: [
                replace(each, problem=each.problem.replace(dtype=dtype)) for each in benchmarks
            ]
            for column, benchmarks in self.benchmarks.items()
            if column not in extremes.EXTREMES or dtype in extremes.SWITCH
        }

    @property
    def missing(self) -> int:
        """How many cells were not reached before it was interrupted."""
        return len(self.versions) * sum(len(self.columns_of(dtype)) for dtype in self.dtypes) - len(
            self.cells
        )

    @property
    def good(self) -> bool:
        """Whether something agrees, and nothing should have been compared and does not agree."""
        found = {cell.status for cell in self.cells.values()}
        return "ok" in found and found <= {*harmless(gpu_model())}

    def line(self, refused: int, controls: int) -> str:
        """Return the result in one line, with how many of the negative controls were refused."""
        counts = Counter(cell.status for cell in self.cells.values()) + Counter(
            {"not reached": self.missing}
        )
        agreed = f"{counts.pop('ok', 0)} of {len(self.cells)} cells agree"
        others = "".join(f", {number} {status}" for status, number in sorted(counts.items()))
        return f"{agreed}{others}; {refused} of {controls} negative controls refused"

    def fill(self, folder: Path, advance: Advance) -> None:
        """Compare everything, with as many arms at a time as processors. `folder` is for caches and logs.

        A worker starts on all processors, so that an implementation that shards over them does so here too.
        """
        by_framework = sorted(
            self.versions.items(), key=lambda item: item[1].implementation.framework
        )
        # what compiles longest starts first, so that it does not end alone
        versions = dict(
            sorted(by_framework, key=lambda item: -item[1].implementation.compile_minutes)
        )
        columns = [column for dtype in self.dtypes for column in self.columns_of(dtype).values()]
        benchmarks = tuple(benchmark.id for column in columns for benchmark in column)
        cores = tuple(sorted(os.sched_getaffinity(0)))
        how = msgspec.structs.replace(self.options, benchmarks=benchmarks, threads=1)
        sides = [Side(dtype, versions, dtype=dtype) for dtype in self.dtypes]
        opened: dict[Arm, requests.Open] = {}

        def compare(arm: Arm, benchmark: Benchmark, row: Record) -> None:
            opening = session.opening(
                replace(benchmark, extreme=benchmark.extreme and next(iter(extremes.EXTREMES)))
            )
            limits = arm.implementation.limits
            if benchmark.extreme and (unknown := set(limits) - set(extremes.EXTREMES)):
                raise ArmFailed(
                    "error", f"its LIMITS name {', '.join(sorted(unknown))}, which is no extreme"
                )
            if arm in opened and opened[arm] != opening:
                arm.ask(requests.Close(opened.pop(arm).benchmark))
            try:
                if arm not in opened:
                    arm.ask(opening)
                    opened[arm] = opening
                expected = session.expected_of(benchmark)
                check = requests.Check(opening.benchmark, expected, True, benchmark.extreme)
                checked = arm.ask(check)
            except ArmFailed as failure:
                if not arm.alive:
                    opened.pop(arm, None)
                limit = limits.get(benchmark.extreme) if failure.status == "disagrees" else None
                raise (ArmFailed("unsupported", limit) if limit else failure) from None
            row.error, row.error_tensor = checked.error, checked.tensor
            row.reason = FLUSHES if checked.flushes else ""
            self.modes.setdefault(arm.name, set()).update(checked.modes)

        with Session(how, sides, cores, folder, advance) as session:
            try:
                session.admit(compare)
            finally:
                self.cells = self.cells_of(session)

    def cells_of(self, session: Session) -> dict[Key, Record]:
        """Return the cells whose benchmarks have all been compared."""
        cells = {}
        for dtype in self.dtypes:
            for column, benchmarks in self.columns_of(dtype).items():
                for name, version in self.versions.items():
                    keys = [(dtype, name, benchmark.id) for benchmark in benchmarks]
                    if all(key in session.admissions for key in keys):
                        rows = {
                            benchmark: session.admissions[key]
                            for benchmark, key in zip(benchmarks, keys, strict=True)
                        }
                        lacks = partial(version.implementation.lacks, self.options.device)
                        able = [
                            row
                            for each, row in rows.items()
                            if lacks(each.problem, each.workload) is None
                        ]
                        cells[name, dtype, column] = cell_of(able or [*rows.values()])
        return cells


def cell_of(rows: Sequence[Record]) -> Record:
    """Return the cell of the rows of a problem or extreme, one for each workload: the first that failed, or the worst.

    Where it agrees, it has an error, and the reason FLUSHES where small results are zero.
    """
    failed = next((row for row in rows if row.status != "ok"), None)
    return failed or max(rows, key=lambda row: row.error or 0.0)
