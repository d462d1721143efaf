"""Blocks of mirrored turns: in each block every benchmark is visited once, so its turns are spread over all the time.

What disturbs a shared machine lasts a second or two: blocks of one benchmark in a row would all lie inside it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cases import Benchmark
from benchmarks.measurement import turns
from benchmarks.measurement.arm import Arm, ArmFailed
from benchmarks.measurement.timing import Plan
from benchmarks.record import Record
from benchmarks.stopwatch import Clock

SPACING_SECONDS = 0.25
"""The least from one block's begin to the next one's: a replicate of few benchmarks waits between its blocks."""


@dataclass(frozen=True)
class Load:
    """Which arrays every arm loads: those of this seed, or of this file."""

    seed: int
    weights: str | None = None


@dataclass(frozen=True)
class Job:
    """One benchmark and the arms that take turns at it; what is measured goes into their rows."""

    benchmark: Benchmark
    arms: Mapping[str, Arm]
    plans: Mapping[str, Plan]
    rows: Mapping[str, Record]


class Replicate:
    """One replicate at work. An arm that fails at a job leaves all others alone, and goes on with its own others."""

    def __init__(self, jobs: Sequence[Job], load: Load, rng: random.Random, clock: Clock) -> None:
        self.jobs = jobs
        self.load = load
        self.rng = rng
        self.clock = clock
        self.alive: dict[int, set[str]] = {k: set() for k in range(len(jobs))}
        self.failed: list[tuple[Record, ArmFailed]] = []

    def open(self, k: int, name: str) -> None:
        """Open a job in an arm, which is started where it does not run."""
        job, load = self.jobs[k], self.load
        arm, row = job.arms[name], job.rows[name]
        try:
            with self.clock.spent("warm starts"):
                arm.ensure_running()
                opened = arm.ask("open", benchmark=job.benchmark.id, seed=load.seed, weights=load.weights)
        except ArmFailed as failure:
            self.drop(k, name, failure)
            return
        self.alive[k].add(name)
        if "turns" not in row:  # else it is opened again, after another job took the process down
            row.update(
                warm_first_call_seconds=opened["first_call_seconds"],
                peak_bytes=opened["peak_bytes"],
                base_bytes=arm.ready["base_bytes"],
                calls_per_sample=job.plans[name].calls_per_sample,
                turns=[],
            )

    def drop(self, k: int, name: str, failure: ArmFailed) -> None:
        """Give up a job in an arm; where its process is gone, what it has left is opened again in a new one."""
        arm = self.jobs[k].arms[name]
        self.alive[k].discard(name)
        self.failed.append((self.jobs[k].rows[name], failure))
        if not arm.alive:
            left = [j for j, job in enumerate(self.jobs) if name in self.alive[j] and job.arms[name] is arm]
            for j in left:
                self.alive[j].discard(name)
            for j in left:
                self.open(j, name)

    def block(self, number: int) -> None:
        """Every job once, in a random order."""
        for k in self.rng.sample(range(len(self.jobs)), len(self.jobs)):
            job = self.jobs[k]
            for position, name in enumerate(turns.mirrored(sorted(self.alive[k]), self.rng)):
                if name not in self.alive[k]:
                    continue
                arm, request = job.arms[name], {"benchmark": job.benchmark.id, **vars(job.plans[name])}
                try:
                    with self.clock.spent("measuring"):
                        turn = turns.take(number, position, lambda arm=arm, request=request: arm.ask("turn", **request))  # type: ignore[misc]
                    job.rows[name]["turns"].append(turn)
                except ArmFailed as failure:
                    self.drop(k, name, failure)


def measure(
    jobs: Sequence[Job],
    load: Load,
    blocks: int,
    rng: random.Random,
    clock: Clock,
    advance: Callable[[float], None] = lambda _: None,
) -> list[tuple[Record, ArmFailed]]:
    """Fill in every job's rows; returns the rows that failed, and how. `advance` is told which share is done."""
    replicate = Replicate(jobs, load, rng, clock)
    for k, job in enumerate(jobs):
        for name in rng.sample(list(job.arms), len(job.arms)):
            # one after the other: two at a time take longer, as their threads collide
            replicate.open(k, name)
    for block in range(blocks):
        start = time.perf_counter()
        replicate.block(block)
        advance((block + 1) / blocks)
        if block + 1 < blocks:
            time.sleep(max(0.0, SPACING_SECONDS - (time.perf_counter() - start)))
    for k, job in enumerate(jobs):
        for name in replicate.alive[k]:
            summarise(job.rows[name])
    return replicate.failed


def summarise(row: Record) -> None:
    """Fill in what the turns of a record say together."""
    row["seconds"] = statistics.median(turn["seconds"] for turn in row["turns"])
    row["cores_used"] = statistics.median(turn["cpu_seconds"] / turn["wall_seconds"] for turn in row["turns"])
