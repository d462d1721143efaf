"""Blocks of mirrored turns: each block visits every benchmark once, so its turns are spread over the whole replicate.

A disturbance of a shared machine lasts a second or two. Successive blocks of a single benchmark would lie inside it.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.cases import Benchmark
from benchmarks.record import Record
from benchmarks.runner import plausible, turns
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.cards import Card, Reading
from benchmarks.stopwatch import Stopwatch
from benchmarks.worker import agreement, requests
from benchmarks.worker.devices import WARM_UP
from benchmarks.worker.timing import Plan

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
"""The share of the machine's memory that must be available, or no more benchmarks are opened before others are done."""

ArmKey = tuple[str, str]
"""The label of a side, and the name of an implementation."""


@dataclass(frozen=True)
class Job:
    """A benchmark, the arms that take turns at it, and by arm its plan and the row that gets what is measured.

    `expected` is the file with the reference's results for the replicate's inputs.
    """

    benchmark: Benchmark
    arms: Mapping[ArmKey, Arm]
    plans: Mapping[ArmKey, Plan]
    rows: Mapping[ArmKey, Record]
    expected: str

    def turn(self, key: ArmKey, read: bool = False) -> requests.TakeTurn:
        """Return the request of a turn of an arm; `read` has it read its last result."""
        plan = self.plans[key]
        return requests.TakeTurn(self.benchmark.id, plan.samples, plan.calls_per_sample, read)


class Replicate:
    """A replicate while it is measured. An arm that fails at a job goes on with its other jobs; other arms go on."""

    def __init__(
        self,
        jobs: Sequence[Job],
        opening: Callable[[Benchmark], requests.Open],
        blocks: int,
        rng: random.Random,
        stopwatch: Stopwatch,
        card: Card | None = None,
    ) -> None:
        self.jobs = jobs
        self.card = card
        self.opening = opening
        self.blocks = blocks
        self.rng = rng
        self.chance = random.SystemRandom()  # rng can be foreseen by who knows the seed of a run
        self.stopwatch = stopwatch
        self.inputs: dict[tuple[int, ArmKey], int] = {}  # the set of inputs that a job has loaded since it was opened
        self.alive: dict[int, set[ArmKey]] = {k: set() for k in range(len(jobs))}
        self.failed: list[tuple[Record, ArmFailed]] = []

    def open(self, k: int, key: ArmKey) -> None:
        """Open a job in an arm, and start the arm where it does not run.

        An arm is refused whose environment has been built anew with other versions since it was admitted.
        """
        job = self.jobs[k]
        arm, row = job.arms[key], job.rows[key]
        try:
            with self.stopwatch.spent("warm starts"):
                arm.ensure_running()
                if arm.ready is not None and row.versions != arm.ready.versions:
                    raise ArmFailed("error", f"admitted with {row.versions}, now it has {arm.ready.versions}")
                opened = arm.ask(self.opening(job.benchmark))
        except ArmFailed as failure:
            self.drop(k, key, failure)
            return
        self.alive[k].add(key)
        self.inputs.pop((k, key), None)
        if row.turns is None:  # otherwise it is opened again, after another job killed the process
            assert arm.ready is not None
            row.base_bytes = arm.ready.base_bytes
            row.warm_first_call_seconds = opened.first_call_seconds
            row.peak_bytes = opened.peak_bytes
            row.calls_per_sample = job.plans[key].calls_per_sample
            row.turns = []

    def drop(self, k: int, key: ArmKey, failure: ArmFailed) -> None:
        """Give up a job in an arm. Where the arm's process is dead, its other jobs are opened in a new process."""
        arm = self.jobs[k].arms[key]
        self.alive[k].discard(key)
        self.failed.append((self.jobs[k].rows[key], failure))
        if not arm.alive:
            left = [j for j, job in enumerate(self.jobs) if key in self.alive[j] and job.arms[key] is arm]
            for j in left:
                self.alive[j].discard(key)
            for j in left:
                self.open(j, key)

    def open_some(self, those: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Open jobs in all their arms until memory gets scarce. Return those that are open, and those that are left."""
        for done, k in enumerate(those, 1):
            for key in self.rng.sample(list(self.jobs[k].arms), len(self.jobs[k].arms)):
                # one arm after the other: two at a time take longer, since their threads compete
                self.open(k, key)
            if scarce():
                return those[:done], those[done:]
        return those, []

    def close(self, those: Sequence[int]) -> None:
        """Release jobs, so that others can use their memory."""
        for k in those:
            for arm in self.jobs[k].arms.values():
                if arm.alive:
                    with contextlib.suppress(ArmFailed):  # its next job starts it again
                        arm.ask(requests.Close(self.jobs[k].benchmark.id))
            self.alive[k] = set()

    def block(self, number: int, those: Sequence[int]) -> None:
        """Visit every one of some jobs once, in a random order."""
        for k in self.rng.sample(those, len(those)):
            for position, key in enumerate(turns.mirrored(sorted(self.alive[k]), self.rng)):
                if key in self.alive[k]:
                    self.take_turn(k, key, number, position)

    def take_turn(self, k: int, key: ArmKey, block: int, position: int) -> None:
        """Let an arm take a turn at a job, and check it, where its time has come."""
        job = self.jobs[k]
        row = job.rows[key]
        assert row.turns is not None
        number, of_all = len(row.turns), 2 * self.blocks
        inputs, checked = None, False
        if not job.arms[key].implementation.is_peak:  # which gets no inputs
            inputs, checked = self.check_of(number, of_all, _updates(job.benchmark))
            if inputs is None and (k, key) not in self.inputs:  # opened again: another job has killed the process
                inputs = 0
        try:
            with self.stopwatch.spent("measuring"):
                if job.plans[key].warm or inputs is not None:
                    job.arms[key].ask(requests.GetReady(job.benchmark.id, job.plans[key].warm, inputs), stop=False)
                if inputs is not None:
                    self.inputs[k, key] = inputs
                turn = turns.take(job.arms[key], job.turn(key, checked), block, position, self.reader())
                turn.inputs = inputs
                row.turns.append(turn)
                if checked:
                    self.compare(job, key, self.inputs[k, key], turn.seconds)
        except ArmFailed as failure:
            where = f"{failure.reason} (in turn {number + 1} of {of_all})"
            self.drop(k, key, ArmFailed(failure.status, where))

    def reader(self) -> Callable[[], Reading] | None:
        """Return a function that reads the card, which knows the workers of this replicate; None without a card."""
        if self.card is None:
            return None
        own = {arm.process.pid for job in self.jobs for arm in job.arms.values() if arm.process is not None}
        return functools.partial(self.card.reading, own)

    def check_of(self, number: int, of_all: int, updates: bool) -> tuple[int | None, bool]:
        """Return which set of inputs is loaded before a turn, None for no new ones, and whether the turn is checked.

        The first and the last turn begin with new inputs and are checked. Nobody can foresee which turns between them
        are checked. Those go on with their inputs, except where calls update parameters: the reference then has to do
        as many steps as the arm since its inputs were loaded.
        """
        if number in (0, of_all - 1):
            return int(number > 0), True
        checked = self.chance.random() < CHECKED
        return self.chance.randrange(2) if checked and updates else None, checked

    def compare(self, job: Job, key: ArmKey, inputs: int, seconds: float) -> None:
        """Compare the last result of a turn with the reference's on that set of inputs.

        Raises:
            ArmFailed: where it disagrees, or where reading it did work that the turn had left.
        """
        arm, benchmark = job.arms[key], job.benchmark
        steps = job.plans[key].calls if _updates(benchmark) else 1
        arm.ask(requests.Compare(benchmark.id, seconds, job.expected, f"{inputs}/{steps}"))

    def end(self, those: Sequence[int]) -> None:
        """Fill in what is known of some jobs once their turns are over."""
        for k in those:
            for key in list(self.alive[k]):
                job, row = self.jobs[k], self.jobs[k].rows[key]
                taken = row.turns or []
                row.seconds = statistics.median(turn.seconds for turn in taken)
                row.cores_used = statistics.median(
                    (turn.cpu_seconds or 0.0) / (turn.wall_seconds or 1.0) for turn in taken
                )
                try:
                    plausible.check(job.arms[key], row, job.turn(key))
                except ArmFailed as failure:
                    self.alive[k].discard(key)
                    self.failed.append((row, failure))

    def pipeline(self, job: Job, key: ArmKey) -> None:
        """Time calls of an arm that do not wait for the device, and see what the device does for one.

        Where that fails, the row keeps its times, and its reason says why these are missing.
        """
        row, arm = job.rows[key], job.arms[key]
        if arm.implementation.is_peak or not arm.alive or not row.seconds:
            return
        calls = max(2, min(MOST_PIPELINED, round(PIPELINE_SECONDS / row.seconds)))
        warm = max(LEAST_WARM, math.ceil(WARM_UP["cuda"] / row.seconds))
        try:
            with self.stopwatch.spent("measuring"):
                found = arm.ask(requests.Pipeline(job.benchmark.id, warm, calls))
        except ArmFailed as failure:
            row.reason = f"not pipelined: {failure}"
            return
        row.pipelined_seconds, row.gpu_seconds, row.gpu_kernels = found.seconds, found.gpu_seconds, found.gpu_kernels


def _updates(benchmark: Benchmark) -> bool:
    return agreement.updates(benchmark.workload, benchmark.mode)


def measure(
    jobs: Sequence[Job],
    opening: Callable[[Benchmark], requests.Open],
    blocks: int,
    rng: random.Random,
    stopwatch: Stopwatch,
    advance: Callable[[float], None] = lambda _: None,
    pipelined: bool = False,
    card: Card | None = None,
) -> list[tuple[Record, ArmFailed]]:
    """Fill in the rows of every job.

    Args:
        jobs: what is measured.
        opening: makes the request that opens a benchmark.
        blocks: how many.
        rng: makes all random orders.
        stopwatch: counts the time that this takes.
        advance: called with the share of the blocks that is done.
        pipelined: whether calls without a wait are timed too, after the turns.
        card: the GPU, to be read at each turn.

    Returns:
        The rows that failed, each with its failure.
    """
    replicate = Replicate(jobs, opening, blocks, rng, stopwatch, card)
    left: Sequence[int] = range(len(jobs))
    while left:
        group, left = replicate.open_some(left)
        before = len(jobs) - len(left) - len(group)
        for block in range(blocks):
            start = time.perf_counter()
            replicate.block(block, group)
            advance((before + len(group) * (block + 1) / blocks) / len(jobs))
            if block + 1 < blocks:
                time.sleep(max(0.0, SPACING_SECONDS - (time.perf_counter() - start)))
        replicate.end(group)
        for k in group if pipelined else ():
            for key in replicate.alive[k]:
                replicate.pipeline(jobs[k], key)
        if left:
            replicate.close(group)
    return replicate.failed


def scarce() -> bool:
    """Return whether little memory is left on this machine."""
    memory = psutil.virtual_memory()
    return bool(memory.available < SCARCE * memory.total)
