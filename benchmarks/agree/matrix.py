"""The agreement matrix: implementation × dtype × problem or extreme. It is a session that is admitted and not timed."""

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.bits import Bits
from benchmarks.cases import AGREE_OPTIONS, AGREE_PART_PROBLEMS, Benchmark
from benchmarks.judge import extremes
from benchmarks.machine import gpu_name
from benchmarks.options import Options
from benchmarks.progress import Advance
from benchmarks.record import Record, harmless
from benchmarks.runner.arm import Arm
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.worker import profiles, requests
from benchmarks.worker.bits import CompareBits
from impls.core.problem import DTYPES, Problem
from impls.core.workloads import MODES_OF, WORKLOADS

Key = tuple[str, str, str]
"""The name of an implementation, a dtype, the id of a problem or the name of an extreme."""


class Matrix:
    """What is compared, and the cells that are filled so far: see `cell_of`.

    columns: by dtype, the benchmarks of each problem and extreme.
    flushes: the cells that agree, where results below the smallest normal number are zero.
    modes: by implementation, those that were compared.
    opened: by a worker's process, what is open there.
    each_option: the problems are one small shape with each option: so a sequence's alone, no extremes, and in other
        dtypes than float32 the first of them.
    kernels: the cells name the operator that computes a call, as their kernel.
    bits: then also whether the same input gives the same bits, by implementation and dtype.
    """

    def __init__(
        self,
        versions: Sequence[Version],
        problems: Sequence[Problem],
        dtypes: Sequence[str],
        options: Options,
        each_option: bool = False,
        kernels: bool = False,
    ) -> None:
        self.versions = {version.implementation.name: version for version in versions}
        self.options = options
        self.each_option = each_option
        self.kernels = kernels
        self.columns = {dtype: self._columns(problems, dtype) for dtype in dtypes}
        self.cells: dict[Key, Record] = {}
        self.flushes: set[Key] = set()
        self.modes: dict[str, set[str]] = {}
        self.opened: dict[object, requests.Open] = {}
        self.bits: dict[tuple[str, str], Bits] = {}

    def _columns(self, problems: Sequence[Problem], dtype: str) -> dict[str, list[Benchmark]]:
        """Return what is compared in a dtype for each problem and extreme: half precision has no extremes."""
        columns = {}
        workloads = self.options.workloads or WORKLOADS
        if self.each_option and dtype != DTYPES[0]:
            problems = problems[:1]
        for problem in problems:
            every = self.options.problems or problem.id in AGREE_PART_PROBLEMS
            compared = [
                workload for workload in workloads if every or WORKLOADS[workload].agreed_everywhere
            ]
            in_dtype = problem.replace(dtype=dtype)
            if compared:
                columns[problem.id] = [
                    Benchmark(in_dtype, workload, MODES_OF[workload][0]) for workload in compared
                ]
        if self.each_option:
            return columns
        if "sequence" in workloads and dtype in extremes.SWITCH:
            in_dtype = extremes.PROBLEM.replace(dtype=dtype)
            for extreme in extremes.EXTREMES:
                columns[extreme] = [Benchmark(in_dtype, "sequence", "forward", extreme)]
        return columns

    @property
    def missing(self) -> int:
        """How many cells were not reached before it was interrupted."""
        columns = sum(map(len, self.columns.values()))
        return columns * len(self.versions) - len(self.cells)

    @property
    def statuses(self) -> Counter[str]:
        """How many cells have a status."""
        return Counter(cell.status for cell in self.cells.values())

    @property
    def good(self) -> bool:
        """Whether something agrees, and nothing should have been compared and does not agree."""
        return "ok" in self.statuses and not set(self.statuses).difference(harmless(gpu_name()))

    def line(self, refused: int, controls: int) -> str:
        """Return the result in one line, with how many of the negative controls were refused."""
        counts = self.statuses
        words = [f"{counts.pop('ok', 0)} of {len(self.cells)} cells agree"]
        if self.missing:
            counts["not reached"] = self.missing
        words += [f"{number} {status}" for status, number in sorted(counts.items())]
        return f"{', '.join(words)}; {refused} of {controls} negative controls refused"

    def fill(self, folder: Path, advance: Advance) -> None:
        """Compare everything, with as many arms at a time as processors. `folder` is for caches and logs.

        A worker starts on all processors, so that an implementation that shards over them does so here too.
        """

        def in_order(item: tuple[str, Version]) -> tuple[float, str]:
            # what compiles longest starts first, so that it does not end alone
            implementation = item[1].implementation
            return -implementation.compile_minutes, implementation.framework

        versions = dict(sorted(self.versions.items(), key=in_order))
        sides = [Side(dtype, versions, dtype=dtype) for dtype in self.columns]
        benchmarks: list[str] = []
        for columns in self.columns.values():
            benchmarks += [benchmark.id for benchmark in itertools.chain(*columns.values())]
        options = msgspec.structs.replace(self.options, benchmarks=tuple(benchmarks), threads=1)
        cores = tuple(sorted(os.sched_getaffinity(0)))
        with Session(options, sides, cores, folder, advance) as session:
            try:
                session.admit(partial(self._compare, session))
            finally:
                self._fill_from(session)

    def _compare(self, session: Session, arm: Arm, benchmark: Benchmark, row: Record) -> None:
        """Compare an arm that runs at a benchmark, in all its modes. All extremes are of one open benchmark."""
        limits = arm.implementation.limits
        extreme = benchmark.extreme
        if extreme and not limits.keys() <= extremes.EXTREMES.keys():
            unknown = ", ".join(sorted(limits.keys() - extremes.EXTREMES.keys()))
            raise ArmFailed("error", f"its LIMITS name {unknown}, which is no extreme")
        opening = session.opening(replace(benchmark, extreme=extreme and "gates-shut"))
        worker = arm.process
        opened = self.opened.get(worker)
        if opened != opening:
            if opened:
                arm.ask(requests.Close(self.opened.pop(worker).benchmark))
            arm.ask(opening)
            self.opened[worker] = opening
        expected = session.expected_of(benchmark)
        try:
            checked = arm.ask(requests.Check(opening.benchmark, expected, True, extreme))
        except ArmFailed as failure:
            if failure.status == "disagrees" and extreme in limits:
                raise ArmFailed("unsupported", limits[extreme]) from None
            raise
        row.error = checked.error
        if self.kernels:
            self._learn(arm, benchmark, row)
        if checked.flushes:
            self.flushes.add((arm.name, benchmark.problem.dtype, extreme))
        self.modes.setdefault(arm.name, set()).update(checked.modes)

    def _learn(self, arm: Arm, benchmark: Benchmark, row: Record) -> None:
        """Learn what no verdict depends on: the kernel, and without an option also whether bits stay the same."""
        try:
            row.kernel = arm.ask(profiles.NameOperator(self.opened[arm.process].benchmark))
            problem = benchmark.problem
            if problem.replace(dtype=DTYPES[0]).id == AGREE_OPTIONS[0]:
                self.bits[arm.name, problem.dtype] = arm.ask(CompareBits(problem.dtype))
        except ArmFailed:
            pass  # it is no fault of the implementation

    def _fill_from(self, session: Session) -> None:
        """Fill the cells whose benchmarks have all been compared; what an implementation lacks counts only if alone."""
        for dtype, (name, version) in itertools.product(self.columns, self.versions.items()):
            lacks = partial(version.implementation.lacks, self.options.device)
            for column, benchmarks in self.columns[dtype].items():
                able = [each for each in benchmarks if not lacks(each.problem, each.workload)]
                keys = [(dtype, name, benchmark.id) for benchmark in able or benchmarks]
                rows = [session.admissions[key] for key in keys if key in session.admissions]
                if len(rows) == len(keys):
                    self.cells[name, dtype, column] = cell_of(rows)


def cell_of(rows: Sequence[Record]) -> Record:
    """Return the cell of the rows of a column, one for each workload: the first that failed, or the worst."""
    return max(rows, key=lambda row: (row.status != "ok", row.error or 0.0))
