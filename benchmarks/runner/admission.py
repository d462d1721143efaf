"""Admission, before any timing: the cold first call, agreement, how long a call takes, and sanity.

An arm is admitted to each benchmark separately. Where it fails, its row gets a status and it is not timed. Where its
process has died, it is started again for its other benchmarks.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.progress import Advance, Stage
from benchmarks.record import Record, harmless, problem_fields
from benchmarks.runner.arm import Arm, kill_all, start_all
from benchmarks.runner.files_seen import FilesSeen
from benchmarks.runner.limits import Limits
from benchmarks.runner.sides import ArmFailed, ArmKey, Key, Side
from benchmarks.words import count
from benchmarks.worker import profiles, requests
from impls.core import command_line
from impls.core.environments import distributions, versions_of
from impls.core.text import one_line

Check = Callable[[Arm, Benchmark, Record], None]
"""Checks an arm that runs at a benchmark, and fills in its row, or raises ArmFailed."""
BEFORE = -1
"""The number of the replicate in the row of an admission."""


@dataclass
class Admission:
    """Admits or refuses the arms of a session at each benchmark.

    Attributes:
        opening: makes the request that opens a benchmark.
        expected_of: returns the file with the reference's results of a benchmark.
        rows: get the row of each arm at each benchmark, once it has been admitted or refused.
        stopping: whether the arms have been killed, since one of them could not be checked.
    """

    options: Options
    sides: Sequence[Side]
    benchmarks: Sequence[Benchmark]
    arms: Mapping[ArmKey, Arm]
    cores: tuple[int, ...]
    opening: Callable[[Benchmark], requests.Open]
    expected_of: Callable[[Benchmark], str]
    limits: Limits
    files: FilesSeen
    advance: Advance
    rows: dict[Key, Record]
    stopping: bool = False

    @cached_property
    def first_rows(self) -> dict[ArmKey, list[tuple[Benchmark, Record]]]:
        """By arm, its row at each benchmark before it has started. Sides of an implementation follow one another."""
        rows = {}
        for name in dict.fromkeys(name for side in self.sides for name in side.names):
            for side in self.sides:
                if name in side.names:
                    rows[side.label, name] = [
                        (benchmark, self.first_row(side, name, benchmark))
                        for benchmark in side.benchmarks_of(self.benchmarks)
                    ]
        return rows

    def one_by_one(self, peak: Arm) -> None:
        """Admit the arms that are to be timed, one after another. On a CPU, the peak is measured first."""
        tried = []
        for key, rows in self.first_rows.items():
            if any(row.status == "ok" for _, row in rows):
                tried.append(self.arms[key])
        if tried and self.options.device == "cpu":
            self.limits.measure(peak, self.benchmarks)
        start_all(tried)
        for key in self.first_rows:
            self._admit(key, self.check_timed)
            self._say_refused(key)

    def all_at_once(self, check: Check) -> None:
        """Admit arms of which nothing is timed: one works on each processor, and is ended when it is done."""
        free = list(self.cores)

        def on_one_core(key: ArmKey) -> None:
            arm = self.arms[key]
            arm.cores = (free.pop(),)
            try:
                self._admit(key, check)
            finally:
                free.extend(arm.cores)
                arm.kill()

        with ThreadPoolExecutor(len(free)) as pool:
            try:
                list(pool.map(on_one_core, self.first_rows))
            except BaseException:
                self.stopping = True
                kill_all(self.arms.values())
                raise

    def first_row(self, side: Side, name: str, benchmark: Benchmark) -> Record:
        """Return the row of an arm at a benchmark before the arm has started; it has failed where it is not tried."""
        row = Record(
            side=side.label if len(self.sides) > 1 else None,
            run_id=self.options.run_id,
            implementation=name,
            **problem_fields(benchmark.problem),
            workload=benchmark.workload,
            mode=benchmark.mode,
            device=self.options.device,
            threads=self.options.threads,
            replicate=BEFORE,
        )
        if name in side.unreadable:
            row.fail("error", side.unreadable[name])
            return row
        version = side.versions[name]
        implementation = version.implementation
        row.track = implementation.track
        row.digest = implementation.digest
        row.versions = versions_of(implementation)
        if implementation.requires:  # until its worker has started
            packages = distributions(implementation)
            row.versions = ", ".join(f"{package} not installed" for package in packages)
        lacks = implementation.lacks(self.options.device, benchmark.problem, benchmark.workload)
        if version.failure is not None:
            row.fail(version.failure.status, version.failure.reason)
        elif lacks:
            row.fail("unsupported", lacks)
        return row

    def _admit(self, key: ArmKey, check: Check) -> None:
        """Admit or refuse an arm at every benchmark."""
        steps = sum(map(len, self.first_rows.values()))
        for benchmark, row in self.first_rows[key]:
            if row.status == "ok":
                arm = self.arms[key]
                try:
                    arm.ensure_running(self.cores)
                    row.versions = arm.versions
                    check(arm, benchmark, row)
                except ArmFailed as failure:
                    row.fail(failure.status, failure.reason)
            if self.stopping:  # it may have been killed
                return
            self.rows[(*key, benchmark.id)] = row
            self.advance(Stage.CHECKING, row.implementation, len(self.rows), steps)

    def _say_refused(self, key: ArmKey) -> None:
        """Say in one line that an arm has failed: the table says so only when all others are timed."""
        rows = [row for _, row in self.first_rows[key]]
        failed = [row for row in rows if row.status not in harmless(None)]
        if failed:
            label, name = key
            which = name if len(self.sides) == 1 else f"{name} in {label}"
            where = f"{len(failed)} of {count(len(rows), 'benchmark')}"
            why = f"{failed[0].status}: {failed[0].reason}"
            command_line.say(f"not timed: {which} at {where}: {why}", err=True)

    def check_timed(self, arm: Arm, benchmark: Benchmark, row: Record) -> None:
        """Check an arm that is to be timed at a benchmark, and fill in its row, or refuse it (ArmFailed)."""
        opened = arm.ask(self.opening(benchmark))
        row.first_call_seconds = opened.first_call_seconds + opened.compiled_before_seconds
        row.warning = opened.warning
        is_peak = arm.implementation.is_peak  # which computes no LSTM
        if not is_peak:
            checked = arm.ask(requests.Check(benchmark.id, self.expected_of(benchmark)))
            row.error = checked.error
            row.error_tensor = checked.tensor
        row.seconds = arm.ask(requests.Inspect(benchmark.id, self.options.turn_seconds))
        if self.options.device == "cpu" and not is_peak:
            self.limits.check(benchmark, row.seconds)
        arm.check_from_outside()
        if len(self.sides) == 1:  # a comparison shows no kernels
            try:
                row.kernel = arm.ask(profiles.NameKernel(benchmark.id))
            except ArmFailed as failure:  # a profiler that fails is no fault of the implementation
                row.kernel = one_line(f"not known: {failure}", 100)
        if arm.alive:
            self.files.note(arm)
            arm.ask(requests.Close(benchmark.id))
