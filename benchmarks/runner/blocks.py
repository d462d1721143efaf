"""Blocks of mirrored turns: each block visits every benchmark once, so its turns are spread over the whole replicate.

A disturbance of a shared machine lasts a second or two. Successive blocks of a single benchmark would lie inside it.
What the runner and the machine saw during a turn is noted, and so are the processors that an arm took.
"""

import contextlib
import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.cases import Benchmark
from benchmarks.judge.sanity import remembers
from benchmarks.record import Record
from benchmarks.runner import process_tree, round_trip
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
"""Of such calls, at least this many come before the timed ones."""
SCARCE = 0.25
"""The share of the memory of machine and GPU that must be free, or no more are opened before others are done."""


@dataclass
class Entry:
    """An arm that takes turns at a benchmark: its plan, and the row that gets what is measured.

    is_open: whether it takes turns.
    inputs: the set of inputs that it has loaded since it was opened.
    """

    benchmark: Benchmark
    arm: Arm
    plan: Plan
    row: Record
    is_open: bool = False
    inputs: int | None = None


Job = list[Entry]
"""The arms that take turns with each other at a benchmark."""


def open_entries(jobs: Iterable[Job]) -> list[Entry]:
    """Return what takes turns at some jobs."""
    return [entry for job in jobs for entry in job if entry.is_open]


@dataclass
class Replicate:
    """A replicate while it is measured. An arm that fails at a job goes on with its other jobs; other arms go on.

    opening: makes the request that opens a benchmark.
    expected_of: returns the file with the reference's results of a benchmark for the replicate's inputs.
    rng: makes all random orders, and says which turns are checked: it can't be foreseen.
    card: the GPU, to be read at each turn.
    free: the share of its memory that was free when a benchmark was last opened; None on a CPU.
    """

    jobs: Sequence[Job]
    opening: Callable[[Benchmark], requests.Open]
    expected_of: Callable[[Benchmark], str]
    blocks: int
    rng: random.Random
    card: Card | None = None
    free: float | None = None

    def measure(self, advance: Callable[[float], None], pipelined: bool) -> None:
        """Fill in the rows of every job; `pipelined` has calls without a wait timed too, after the turns."""
        done = 0
        while done < len(self.jobs):
            group = self.open_some(self.jobs[done:])
            for block in range(self.blocks):
                start = time.perf_counter()
                self.block(block, group)
                advance((done + len(group) * (block + 1) / self.blocks) / len(self.jobs))
                if block + 1 < self.blocks:
                    time.sleep(max(0.0, SPACING_SECONDS - (time.perf_counter() - start)))
            if pipelined:
                for entry in open_entries(group):
                    self.pipeline(entry)
            done += len(group)
            if done < len(self.jobs):
                self.close(group)

    def open(self, entry: Entry) -> None:
        """Open a benchmark in an arm, and start the arm where it does not run.

        An arm is refused whose environment has been built anew with other versions since it was admitted.
        """
        arm = entry.arm
        row = entry.row
        try:
            arm.ensure_running()
            if row.versions != arm.versions:
                raise ArmFailed("error", f"admitted with {row.versions}, now it has {arm.versions}")
            opened = arm.ask(self.opening(entry.benchmark))
        except ArmFailed as failure:
            self.drop(entry, failure)
            return
        self.free = opened.free
        entry.is_open = True
        entry.inputs = None
        if row.turns is None:  # otherwise it is opened again, after another job killed the process
            row.turns = []
            row.warm_first_call_seconds = opened.first_call_seconds
            row.peak_bytes = opened.peak_bytes
            row.calls_per_sample = entry.plan.calls_per_sample

    def drop(self, entry: Entry, failure: ArmFailed) -> None:
        """Give up a benchmark in an arm. Where the arm's process is dead, others are opened in a new process."""
        row = entry.row
        row.fail(failure.status, f"{failure.reason} (in replicate {row.replicate + 1})")
        entry.is_open = False
        if entry.arm.alive:
            return
        lost = [other for other in open_entries(self.jobs) if other.arm is entry.arm]
        for other in lost:
            other.is_open = False
        for other in lost:
            self.open(other)

    def open_some(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Open jobs in all their arms until memory gets scarce. Return those that are open."""
        for number, job in enumerate(jobs, 1):
            # one arm after the other: two at a time take longer, since their threads compete
            for entry in self.rng.sample(job, len(job)):
                self.open(entry)
            if scarce() or (self.free is not None and self.free < SCARCE):
                return jobs[:number]
        return jobs

    def close(self, jobs: Iterable[Job]) -> None:
        """Release jobs, so that others can use their memory."""
        for entry in itertools.chain(*jobs):
            entry.is_open = False
            if entry.arm.alive:
                with contextlib.suppress(ArmFailed):  # its next job starts it again
                    entry.arm.ask(requests.Close(entry.benchmark.id))

    def block(self, number: int, jobs: Sequence[Job]) -> None:
        """Visit every one of some jobs once, in a random order."""
        for job in self.rng.sample(jobs, len(jobs)):
            for position, entry in enumerate(mirrored(open_entries([job]), self.rng)):
                if entry.is_open:
                    self.take_turn(entry, number, position)

    def take_turn(self, entry: Entry, block: int, position: int) -> None:
        """Let an arm take a turn at a benchmark, and check it, where its time has come; its last one ends its row."""
        turns = entry.row.turns
        assert turns is not None
        number = len(turns) + 1
        of_all = 2 * self.blocks
        try:
            turns.append(self._turn(entry, number, block, position))
            if number == of_all:
                finish(entry.row, turns, len(entry.arm.cores))
        except ArmFailed as failure:
            reason = f"{failure.reason} (in turn {number} of {of_all})"
            self.drop(entry, ArmFailed(failure.status, reason))

    def _turn(self, entry: Entry, number: int, block: int, position: int) -> Turn:
        """Let an arm take a turn at a benchmark, and check it; ArmFailed where it does wrong."""
        arm = entry.arm
        benchmark = entry.benchmark.id
        inputs = None
        checked = False
        if not arm.implementation.is_peak:  # which gets no inputs
            inputs, checked = self.check_of(number, entry.benchmark.changes_state)
            if inputs is None and entry.inputs is None:
                inputs = 0  # opened again: another job has killed the process
        if inputs is not None:
            entry.inputs = inputs
        throttled = self.card.throttled() if self.card else None
        turn, first_seconds = take(arm, requests.TakeTurn(benchmark, entry.plan, inputs, checked))
        turn.block = block
        turn.position = position
        turn.inputs = inputs
        if self.card:
            processes = [other.arm.process for other in itertools.chain(*self.jobs)]
            own = {process.pid for process in processes if process}
            self.card.note(turn, throttled, own)
        if checked:
            steps = entry.plan.calls if entry.benchmark.changes_state else 1
            prefix = f"{entry.inputs}/{steps}"
            expected = self.expected_of(entry.benchmark)
            arm.ask(requests.Compare(benchmark, turn.seconds, expected, prefix))
        if inputs is not None and remembers(first_seconds, turn.seconds):
            arm.ask(requests.CheckRemembered(benchmark))
        return turn

    def check_of(self, number: int, updates: bool) -> tuple[int | None, bool]:
        """Return which set of inputs is loaded before a turn, None for no new ones, and whether the turn is checked.

        The first and the last turn begin with new inputs and are checked. Nobody can foresee which turns between them
        are checked. They go on with their inputs, except where calls update parameters: the reference then has to do
        as many steps as the arm since its inputs were loaded.
        """
        if number == 1:
            return 0, True
        if number == 2 * self.blocks:
            return 1, True
        checked = self.rng.random() < CHECKED
        return self.rng.randrange(2) if checked and updates else None, checked

    def pipeline(self, entry: Entry) -> None:
        """Time calls of an arm that do not wait for the device, and see what the device does for one.

        Where that fails, the row keeps its times, and its reason says why these are missing.
        """
        row = entry.row
        arm = entry.arm
        if arm.implementation.is_peak or not row.seconds:
            return
        if not arm.alive:
            row.reason = "not pipelined: its process ended while another benchmark was"
            return
        calls = max(2, min(MOST_PIPELINED, round(PIPELINE_SECONDS / row.seconds)))
        warm = max(LEAST_WARM, math.ceil(WARM_UP["cuda"] / row.seconds))
        try:
            pipelined = arm.ask(requests.Pipeline(entry.benchmark.id, warm, calls))
        except ArmFailed as failure:
            row.reason = f"not pipelined: {failure}"
            return
        row.pipelined_seconds = pipelined.seconds
        row.gpu_seconds = pipelined.gpu_seconds
        row.gpu_kernels = pipelined.gpu_kernels


def scarce() -> bool:
    """Return whether little memory is left on this machine."""
    memory = psutil.virtual_memory()
    return bool(memory.available < SCARCE * memory.total)


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """Return the arms in a random order, then backwards: A B C C B A. A drift that is linear in time cancels."""
    order = rng.sample(arms, len(arms))
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
    if process_tree.strayed((arm.pid, *process_tree.descendants(arm.pid)), arm.cores):
        with contextlib.suppress(OSError):  # where this process may not use them any more either
            arm.bind()  # it was stopped since it was looked at last: another has moved it
    trip_seconds = round_trip.seconds(arm.cores)
    started = time.time()
    pressure = pressure_seconds()
    start = time.perf_counter()
    cpu = process_tree.cpu_seconds(arm.pid)
    taken = arm.ask(request)
    turn = taken.turn
    turn.started = started
    turn.round_trip_seconds = trip_seconds
    # within the seconds that follow, however long this process waits
    turn.outside_cpu_seconds = process_tree.cpu_seconds(arm.pid) - cpu
    turn.outside_seconds = time.perf_counter() - start
    after = pressure_seconds()
    if pressure is not None and after is not None:
        turn.pressure_seconds = after - pressure
    arm.check_from_outside(taken.threads)
    return turn, taken.first_seconds


def finish(row: Record, turns: Sequence[Turn], cores: int) -> None:
    """Fill in what a row has of all its turns, or refuse an arm (ArmFailed) that took more than its cores."""
    check_processors(turns, cores)
    row.seconds = statistics.median(turn.seconds for turn in turns)
    row.cores_used = statistics.median(
        (turn.cpu_seconds or 0.0) / (turn.wall_seconds or 1.0) for turn in turns
    )


def check_processors(turns: Sequence[Turn], cores: int) -> None:
    """Refuse an arm (ArmFailed) that used more processors in its turns than it was given."""
    used = sum(turn.outside_cpu_seconds or 0.0 for turn in turns)
    seconds = sum(turn.outside_seconds or 0.0 for turn in turns)
    if used > (cores + MORE_CORES) * seconds:
        raise ArmFailed("error", f"it used {used / seconds:.2f} processors; it was given {cores}")
