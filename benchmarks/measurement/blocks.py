"""Blocks of mirrored turns: in each block every benchmark is visited once, so its turns are spread over all the time.

What disturbs a shared machine lasts a second or two. Blocks of one benchmark in a row would all lie inside it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cases import Benchmark
from benchmarks.measurement import protocol, turns
from benchmarks.measurement.arm import Arm, ArmFailed
from benchmarks.measurement.timing import Plan, Turn
from benchmarks.record import Record
from benchmarks.stopwatch import Stopwatch

SPACING_SECONDS = 0.25
"""The least time from the start of one block to the start of the next. A replicate of few benchmarks waits."""

ArmKey = tuple[str, str]
"""The label of a side, and the name of an implementation."""


@dataclass(frozen=True)
class Job:
    """One benchmark and the arms that take turns at it. What is measured goes into their rows."""

    benchmark: Benchmark
    arms: Mapping[ArmKey, Arm]
    plans: Mapping[ArmKey, Plan]
    rows: Mapping[ArmKey, Record]


class Replicate:
    """One replicate at work. An arm that fails at a job leaves all others alone, and goes on with its own others."""

    def __init__(
        self,
        jobs: Sequence[Job],
        opening: Callable[[Benchmark], protocol.Open],
        rng: random.Random,
        stopwatch: Stopwatch,
    ) -> None:
        self.jobs = jobs
        self.opening = opening
        self.rng = rng
        self.stopwatch = stopwatch
        self.alive: dict[int, set[ArmKey]] = {k: set() for k in range(len(jobs))}
        self.failed: list[tuple[Record, ArmFailed]] = []

    def open(self, k: int, key: ArmKey) -> None:
        """Open a job in an arm, which is started where it does not run."""
        job = self.jobs[k]
        arm, row = job.arms[key], job.rows[key]
        try:
            with self.stopwatch.spent("warm starts"):
                arm.ensure_running()
                opened = arm.ask(self.opening(job.benchmark), protocol.Opened)
        except ArmFailed as failure:
            self.drop(k, key, failure)
            return
        self.alive[k].add(key)
        if row.turns is None:  # else it is opened again, after another job took the process down
            assert arm.ready is not None
            row.versions = arm.ready.versions
            row.base_bytes = arm.ready.base_bytes
            row.warm_first_call_seconds = opened.first_call_seconds
            row.peak_bytes = opened.peak_bytes
            row.calls_per_sample = job.plans[key].calls_per_sample
            row.turns = []

    def drop(self, k: int, key: ArmKey, failure: ArmFailed) -> None:
        """Give up a job in an arm. Where its process is gone, its other jobs are opened again in a new one."""
        arm = self.jobs[k].arms[key]
        self.alive[k].discard(key)
        self.failed.append((self.jobs[k].rows[key], failure))
        if not arm.alive:
            left = [j for j, job in enumerate(self.jobs) if key in self.alive[j] and job.arms[key] is arm]
            for j in left:
                self.alive[j].discard(key)
            for j in left:
                self.open(j, key)

    def block(self, number: int) -> None:
        """Visit every job once, in a random order."""
        for k in self.rng.sample(range(len(self.jobs)), len(self.jobs)):
            for position, key in enumerate(turns.mirrored(sorted(self.alive[k]), self.rng)):
                if key in self.alive[k]:
                    self.take_turn(k, key, number, position)

    def take_turn(self, k: int, key: ArmKey, block: int, position: int) -> None:
        """Have an arm take a turn at a job."""
        job = self.jobs[k]
        plan, row = job.plans[key], job.rows[key]
        request = protocol.TakeTurn(job.benchmark.id, plan.samples, plan.calls_per_sample)

        def ask() -> Turn:
            return job.arms[key].ask(request, protocol.Taken).turn

        try:
            with self.stopwatch.spent("measuring"):
                turn = turns.take(block, position, ask)
        except ArmFailed as failure:
            self.drop(k, key, failure)
            return
        assert row.turns is not None
        row.turns.append(turn)


def measure(
    jobs: Sequence[Job],
    opening: Callable[[Benchmark], protocol.Open],
    blocks: int,
    rng: random.Random,
    stopwatch: Stopwatch,
    advance: Callable[[float], None] = lambda _: None,
) -> list[tuple[Record, ArmFailed]]:
    """Fill in the rows of every job.

    Args:
        jobs: what is measured.
        opening: makes the request that opens a benchmark.
        blocks: how many blocks.
        rng: decides all orders.
        stopwatch: gets the time that this takes.
        advance: is told which share is done.

    Returns:
        The rows that failed, and how.
    """
    replicate = Replicate(jobs, opening, rng, stopwatch)
    for k, job in enumerate(jobs):
        for key in rng.sample(list(job.arms), len(job.arms)):
            # one after the other: two at a time take longer, as their threads collide
            replicate.open(k, key)
    for block in range(blocks):
        start = time.perf_counter()
        replicate.block(block)
        advance((block + 1) / blocks)
        if block + 1 < blocks:
            time.sleep(max(0.0, SPACING_SECONDS - (time.perf_counter() - start)))
    for k, job in enumerate(jobs):
        for key in replicate.alive[k]:
            summarise(job.rows[key])
    return replicate.failed


def summarise(row: Record) -> None:
    """Fill in what the turns of a row say together."""
    taken = row.turns or []
    row.seconds = statistics.median(turn.seconds for turn in taken)
    row.cores_used = statistics.median((turn.cpu_seconds or 0.0) / (turn.wall_seconds or 1.0) for turn in taken)
