"""Both sides of each implementation, alive together, turn by turn: the gate first, then replicates."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import Benchmark
from benchmarks.measurement import admission, blocks
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import Arm, ArmFailed, Home, Limits, start_all
from benchmarks.measurement.blocks import Job, Load
from benchmarks.measurement.session import Advance
from benchmarks.measurement.timing import plan
from benchmarks.record import Record, benchmark_id, blank
from benchmarks.regression.snapshots import ROOT, Side
from benchmarks.stopwatch import Clock

Key = tuple[str, str]
"""An implementation's name and a benchmark's id."""


@dataclass(frozen=True)
class Settings:
    """How everything is measured."""

    run_id: str
    device: str
    limits: Limits
    load: Load
    turn_seconds: float


@dataclass
class Measurement:
    """The sides' workers, and what became of each side's implementations at the gate."""

    sides: Sequence[Side]
    benchmarks: Sequence[Benchmark]
    settings: Settings
    scratch: Path
    advance: Advance
    clock: Clock = field(default_factory=Clock)
    admissions: dict[tuple[str, Key], Admission] = field(default_factory=dict)
    failures: dict[tuple[str, Key], ArmFailed] = field(default_factory=dict)
    order_seed: int = field(default_factory=lambda: secrets.randbits(32))
    """Of who starts first and takes which turn: new each time, so that no side is favoured for good."""

    @property
    def names(self) -> list[str]:
        """Every implementation of any side."""
        return list(dict.fromkeys(name for side in self.sides for name in (*side.versions, *side.broken)))

    def arms(self, name: str, rng: random.Random) -> dict[str, Arm]:
        """One worker a side, not started; whose path is called what, and whose starts first, is random."""
        mine = [side for side in self.sides if name in side.versions]
        rng.shuffle(mine)
        dtype = "float64" if any(one.problem.dtype == "float64" for one in self.benchmarks) else "float32"
        found = {}
        for k, side in enumerate(mine):
            version = side.versions[name]
            alias = self.scratch / f"{name}-{k}"
            alias.unlink(missing_ok=True)
            alias.symlink_to(version.root)
            beside = () if version.beside is None else (version.beside,)
            home = Home(side.python, (*beside, alias, ROOT))
            folder = self.scratch / side.label
            found[side.label] = Arm(
                version.implementation, self.settings.device, self.settings.limits, dtype, folder, home
            )
        return found

    def pass_gate(self) -> None:
        """Admit or refuse every implementation of each side on every benchmark."""
        settings = self.settings
        with self.clock.spent("agreement"):
            load = settings.load
            expected = admission.write_expected(self.benchmarks, load.seed, load.weights, self.scratch)

        def admit_one(arm: Arm, benchmark: Benchmark) -> Admission:
            want = expected[benchmark.problem.id, benchmark.workload]
            seconds = 2 * settings.turn_seconds
            return admission.admit(arm, benchmark, load.seed, load.weights, want, self.clock, seconds)

        for side in self.sides:
            for name, reason in side.broken.items():
                for benchmark in self.benchmarks:
                    self.admissions[side.label, (name, benchmark.id)] = Admission(name, benchmark.id, "error", reason)
        rng = random.Random(self.order_seed)
        for k, name in enumerate(self.names):
            arms = self.arms(name, rng)
            self.advance(f"checking {name}", k, len(self.names))
            try:
                with self.clock.spent("cold starts"):
                    start_all(
                        [arm for arm in arms.values() if any(not admission.refuse(arm, b) for b in self.benchmarks)]
                    )
                for label, arm in arms.items():
                    for found in admission.pass_all(arm, list(self.benchmarks), admit_one, self.clock, lambda _: None):
                        self.admissions[label, (name, found.benchmark)] = found
            finally:
                for arm in arms.values():
                    arm.kill()

    def ok(self, key: Key) -> bool:
        """Whether every side has been admitted, and has not failed since."""
        found = [self.admissions.get((side.label, key)) for side in self.sides]
        broken = any((side.label, key) in self.failures for side in self.sides)
        return not broken and all(one is not None and one.status == "ok" for one in found)

    def replicate(self, phase: str, number: int, wanted: Mapping[str, Iterable[Benchmark]], count: int) -> list[Record]:
        """Fresh workers of each side of each implementation, and `count` blocks of each benchmark wanted of it."""
        rng = random.Random(f"{self.order_seed} {phase} {number}")
        jobs: list[Job] = []
        arms: list[Arm] = []
        for name in rng.sample(list(wanted), len(wanted)):
            todo = [one for one in wanted[name] if self.ok((name, one.id))]
            if todo:
                mine = self.arms(name, rng)
                arms += mine.values()
                jobs += [self._job(name, benchmark, mine, phase, number) for benchmark in todo]
        try:
            with self.clock.spent("warm starts"):
                start_all(arms)
            for job in jobs:
                for label, row in job.rows.items():
                    row["versions"] = job.arms[label].ready.get("versions")
            for row, failure in blocks.measure(jobs, self.settings.load, count, rng, self.clock):
                row["status"], row["reason"] = failure.status, failure.reason
                self.failures[row["side"], (row["implementation"], benchmark_id(row))] = failure
        finally:
            for arm in arms:
                arm.kill()
        return [row for job in jobs for row in job.rows.values()]

    def _job(self, name: str, benchmark: Benchmark, arms: dict[str, Arm], phase: str, number: int) -> Job:
        settings, key = self.settings, (name, benchmark.id)
        rows = {
            label: blank(
                arm.implementation,
                benchmark,
                self.admissions[label, key],
                side=label,
                phase=phase,
                run_id=settings.run_id,
                device=settings.device,
                threads=len(settings.limits.cores),
                replicate=number,
            )
            for label, arm in arms.items()
        }
        # the same for all sides, so that nothing but the call differs
        seconds = max(self.admissions[label, key].seconds or 0.0 for label in arms)
        return Job(benchmark, arms, dict.fromkeys(arms, plan(seconds, settings.turn_seconds)), rows)
