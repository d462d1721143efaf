"""Blocks of mirrored turns: each block visits every benchmark once, so its turns are spread over the whole replicate.

A disturbance of a shared machine lasts a second or two. Successive blocks of a single benchmark would lie inside it.
What the runner and the machine saw during a turn is noted, and so are the processors that an arm took.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.cases import Benchmark
from benchmarks.judge.sanity import remembers
from benchmarks.record import Record
from benchmarks.runner import outside
from benchmarks.runner.arm import Arm
from benchmarks.runner.cards import Card
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from benchmarks.worker.devices import WARM_UP
from benchmarks.worker.timing import Plan, Turn

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")
MORE_CORES = 0.1
"""The cores that may be used beyond those that were given: the clocks of time and of processor time differ."""

SPACING_SECONDS = 0.25
"""The least time from the start of a block to the start of the next. With few benchmarks, the runner waits."""

CHECKED = 1 / 4
"""The share of the turns between the first and the last whose result is checked."""

PIPELINE_SECONDS = 0.05
"""Calls without a wait go on for about this time."""
MOST_PIPELINED = 200
LEAST_WARM = 3
"""Of such calls, at least this many come before those that are timed."""
SCARCE = 0.25
"""The share of the memory of machine and GPU that must be free, or no more are opened before others are done."""

ArmKey = tuple[str, str]
"""The label of a side, and the name of an implementation."""


@dataclass
class Entry:
    """An arm that takes turns at a benchmark: its plan, and the row that gets what is measured.

    expected: the file with the reference's results for the replicate's inputs.
    is_open: whether it takes turns.
    inputs: the set of inputs that it has loaded since it was opened.
    """

    benchmark: Benchmark
    arm: Arm
    plan: Plan
    row: Record
    expected: str
    is_open: bool = False
    inputs: int | None = None


Job = Mapping[ArmKey, Entry]
"""Those that take turns with each other at a benchmark."""


@dataclass
class Replicate:
    """A replicate while it is measured. An arm that fails at a job goes on with its other jobs; other arms go on.

    opening: makes the request that opens a benchmark.
    rng: makes all random orders, and says which turns are checked: it can't be foreseen.
    card: the GPU, to be read at each turn.
    free: the share of its memory that was free when a benchmark was last opened; None on a CPU.
    """

    jobs: Sequence[Job]
    opening: Callable[[Benchmark], requests.Open]
    blocks: int
    rng: random.Random
    card: Card | None = None
    free: float | None = None
    failed: list[tuple[Record, ArmFailed]] = field(default_factory=list)

    def measure(self, advance: Callable[[float], None], pipelined: bool) -> None:
        """Fill in the rows of every job; `pipelined` has calls without a wait timed too, after the turns."""
        left = self.jobs
        while left:
            group, left = self.open_some(left)
            before = len(self.jobs) - len(left) - len(group)
            for block in range(self.blocks):
                start = time.perf_counter()
                self.block(block, group)
                advance((before + len(group) * (block + 1) / self.blocks) / len(self.jobs))
                if block + 1 < self.blocks:
                    time.sleep(max(0.0, SPACING_SECONDS - (time.perf_counter() - start)))
            for entry in self.open_entries(group) if pipelined else ():
                self.pipeline(entry)
            if left:
                self.close(group)

    @staticmethod
    def open_entries(jobs: Iterable[Job]) -> list[Entry]:
        """Return what takes turns at some jobs."""
        return [entry for job in jobs for entry in job.values() if entry.is_open]

    def open(self, entry: Entry) -> None:
        """Open a benchmark in an arm, and start the arm where it does not run.

        An arm is refused whose environment has been built anew with other versions since it was admitted.
        """
        arm, row = entry.arm, entry.row
        try:
            arm.ensure_running()
            if arm.ready is not None and row.versions != arm.ready.versions:
                raise ArmFailed(
                    "error", f"admitted with {row.versions}, now it has {arm.ready.versions}"
                )
            opened = arm.ask(self.opening(entry.benchmark))
        except ArmFailed as failure:
            self.drop(entry, failure)
            return
        entry.is_open, entry.inputs, self.free = True, None, opened.free
        if row.turns is None:  # otherwise it is opened again, after another job killed the process
            row.warm_first_call_seconds = opened.first_call_seconds
            row.peak_bytes = opened.peak_bytes
            row.calls_per_sample = entry.plan.calls_per_sample
            row.turns = []

    def drop(self, entry: Entry, failure: ArmFailed) -> None:
        """Give up a benchmark in an arm. Where the arm's process is dead, others are opened in a new process."""
        entry.is_open = False
        self.failed.append((entry.row, failure))
        if not entry.arm.alive:
            lost = [other for other in self.open_entries(self.jobs) if other.arm is entry.arm]
            for other in lost:
                other.is_open = False
            for other in lost:
                self.open(other)

    def open_some(self, jobs: Sequence[Job]) -> tuple[Sequence[Job], Sequence[Job]]:
        """Open jobs in all their arms until memory gets scarce. Return those that are open, and those that are left."""
        for done, job in enumerate(jobs, 1):
            for entry in self.rng.sample(list(job.values()), len(job)):
                # one arm after the other: two at a time take longer, since their threads compete
                self.open(entry)
            if scarce() or (self.free is not None and self.free < SCARCE):
                return jobs[:done], jobs[done:]
        return jobs, []

    def close(self, jobs: Sequence[Job]) -> None:
        """Release jobs, so that others can use their memory."""
        for entry in itertools.chain.from_iterable(job.values() for job in jobs):
            entry.is_open = False
            if entry.arm.alive:
                with contextlib.suppress(ArmFailed):  # its next job starts it again
                    entry.arm.ask(requests.Close(entry.benchmark.id))

    def block(self, number: int, jobs: Sequence[Job]) -> None:
        """Visit every one of some jobs once, in a random order."""
        for job in self.rng.sample(jobs, len(jobs)):
            those = sorted(key for key, entry in job.items() if entry.is_open)
            for position, key in enumerate(mirrored(those, self.rng)):
                if job[key].is_open:
                    self.take_turn(job[key], number, position)

    def take_turn(self, entry: Entry, block: int, position: int) -> None:
        """Let an arm take a turn at a benchmark, and check it, where its time has come; its last one ends its row."""
        arm, row, benchmark, plan = entry.arm, entry.row, entry.benchmark, entry.plan
        assert row.turns is not None
        number = len(row.turns)
        inputs, checked = None, False
        if not arm.implementation.is_peak:  # which gets no inputs
            inputs, checked = self.check_of(number, entry.benchmark.changes_state)
            if (
                inputs is None and entry.inputs is None
            ):  # opened again: another job has killed the process
                inputs = 0
        try:
            entry.inputs = entry.inputs if inputs is None else inputs
            throttled = self.card.throttled() if self.card else None
            turn, first_seconds = take(arm, requests.TakeTurn(benchmark.id, plan, inputs, checked))
            turn.block, turn.position, turn.inputs = block, position, inputs
            if self.card:
                arms = [entry.arm for job in self.jobs for entry in job.values()]
                self.card.note(turn, throttled, {arm.process.pid for arm in arms if arm.process})
            row.turns.append(turn)
            if checked:
                part = f"{entry.inputs}/{plan.calls if entry.benchmark.changes_state else 1}"
                arm.ask(requests.Compare(benchmark.id, turn.seconds, entry.expected, part))
            if inputs is not None and remembers(first_seconds, turn.seconds):
                arm.ask(requests.CheckRemembered(benchmark.id))
            if number + 1 == 2 * self.blocks:  # the last one
                row.seconds = statistics.median(taken.seconds for taken in row.turns)
                used = [
                    (taken.cpu_seconds or 0.0) / (taken.wall_seconds or 1.0) for taken in row.turns
                ]
                row.cores_used = statistics.median(used)
                check_processors(row.turns, len(arm.cores))
        except ArmFailed as failure:
            where = f"{failure.reason} (in turn {number + 1} of {2 * self.blocks})"
            self.drop(entry, ArmFailed(failure.status, where))

    def check_of(self, number: int, updates: bool) -> tuple[int | None, bool]:
        """Return which set of inputs is loaded before a turn, None for no new ones, and whether the turn is checked.

        The first and the last turn begin with new inputs and are checked. Nobody can foresee which turns between them
        are checked. Those go on with their inputs, except where calls update parameters: the reference then has to do
        as many steps as the arm since its inputs were loaded.
        """
        if number in (0, 2 * self.blocks - 1):
            return int(number > 0), True
        checked = self.rng.random() < CHECKED
        return self.rng.randrange(2) if checked and updates else None, checked

    def pipeline(self, entry: Entry) -> None:
        """Time calls of an arm that do not wait for the device, and see what the device does for one.

        Where that fails, the row keeps its times, and its reason says why these are missing.
        """
        row, arm = entry.row, entry.arm
        if arm.implementation.is_peak or not row.seconds:
            return
        if not arm.alive:
            row.reason = "not pipelined: its process ended while another benchmark was"
            return
        calls = max(2, min(MOST_PIPELINED, round(PIPELINE_SECONDS / row.seconds)))
        warm = max(LEAST_WARM, math.ceil(WARM_UP["cuda"] / row.seconds))
        try:
            found = arm.ask(requests.Pipeline(entry.benchmark.id, warm, calls))
        except ArmFailed as failure:
            row.reason = f"not pipelined: {failure}"
            return
        row.pipelined_seconds, row.gpu_seconds, row.gpu_kernels = (
            found.seconds,
            found.gpu_seconds,
            found.gpu_kernels,
        )


def scarce() -> bool:
    """Return whether little memory is left on this machine."""
    memory = psutil.virtual_memory()
    return bool(memory.available < SCARCE * memory.total)


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """Return the arms in a random order, then backwards: A B C C B A. A drift that is linear in time cancels."""
    order = list(arms)
    rng.shuffle(order)
    return order + order[::-1]


def pressure_seconds() -> float | None:
    """Return the seconds since the machine started in which a process waited for a processor; None where unknown."""
    try:
        return int(PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def take(arm: Arm, request: requests.TakeTurn) -> tuple[Turn, float]:
    """Let an arm take a turn, and fill in when that was, and what was seen; ArmFailed where it took too much.

    Returns:
        The turn, and the seconds of the first call in it, which is not timed.
    """
    if outside.strayed((arm.pid, *outside.descendants(arm.pid)), arm.cores):
        with contextlib.suppress(OSError):  # where this process may not use them any more either
            arm.bind()  # it was stopped since it was looked at last: another has moved it
    started, pressure = time.time(), pressure_seconds()
    start, cpu = time.perf_counter(), outside.cpu_seconds(arm.pid)
    taken = arm.ask(request)
    turn = taken.turn
    turn.started = started
    # within the seconds that follow, however long this process waits
    turn.outside_cpu_seconds = outside.cpu_seconds(arm.pid) - cpu
    turn.outside_seconds = time.perf_counter() - start
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    arm.check_from_outside(taken.threads)
    return turn, taken.first_seconds


def check_processors(taken: Sequence[Turn], given: int) -> None:
    """Refuse an arm (ArmFailed) that used more processors in its turns than it was given."""
    used = sum(turn.outside_cpu_seconds or 0.0 for turn in taken)
    took = sum(turn.outside_seconds or 0.0 for turn in taken)
    if used > (given + MORE_CORES) * took:
        raise ArmFailed("error", f"it used {used / took:.2f} processors; it was given {given}")
