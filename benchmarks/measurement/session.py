"""One run: the gate, then replicates of fresh workers that take turns, each written whole as it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import Benchmark
from benchmarks.measurement import admission, blocks
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import Arm, ArmFailed, Limits, start_all
from benchmarks.measurement.blocks import Job, Load
from benchmarks.measurement.timing import Plan, plan
from benchmarks.record import Record, benchmark_id, blank, read_records, write_records
from benchmarks.scratch import scratch
from benchmarks.stopwatch import Clock
from impls.core import contract
from impls.core.contract import Implementation
from impls.core.files import write_text


@dataclass(frozen=True)
class Options:
    """All that decides what a run does; run.json keeps it, and --resume reads it back."""

    run_id: str
    implementations: tuple[str, ...]
    digests: tuple[str, ...]
    benchmarks: tuple[str, ...]
    device: str
    threads: int
    replicates: int
    blocks: int
    turn_seconds: float
    seed: int
    weights: str | None
    weights_digest: str | None
    call_seconds: float
    memory_bytes: int
    baseline: str
    shared_digest: str
    commit: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)

    def dumps(self) -> str:
        """As run.json keeps them."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def loads(cls, text: str) -> Options:
        """What dumps wrote."""
        fields = json.loads(text)
        for name in ("implementations", "digests", "benchmarks"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


Advance = Callable[[str, float, float], None]
"""Told what is being done, how much of it is done, and of how much."""


class Run:
    """The state of a run in its folder."""

    def __init__(self, options: Options, folder: Path, cores: tuple[int, ...], advance: Advance) -> None:
        self.options = options
        self.folder = folder
        self.raw = folder / "raw"
        self.clock = Clock()
        self.advance = advance
        self.benchmarks = [Benchmark.parse(text) for text in options.benchmarks]
        self.implementations = [contract.resolve(text) for text in options.implementations]
        self.limits = Limits(cores, options.call_seconds, options.memory_bytes)
        self.admissions: dict[tuple[str, str], Admission] = {}
        self.seen: dict[tuple[str, str], list[float]] = {}
        self.arms: dict[str, Arm] = {}

    def execute(self) -> list[Record]:
        """Do what is left to do of the run; returns every record."""
        self.raw.mkdir(parents=True, exist_ok=True)
        for leftover in self.raw.glob(".*"):  # of a process that was killed while it wrote
            leftover.unlink()
        with scratch() as folder:
            self.arms = {one.name: self.arm(one, folder) for one in self.implementations}
            try:
                self.pass_gate(folder)
                for replicate in range(self.options.replicates):
                    path = self.raw / f"replicate-{replicate:03}.parquet"
                    if path.exists():
                        rows = read_records(path)
                    else:
                        rows = self.measure(replicate)
                        write_records(path, rows)
                    self.learn(rows)
            finally:
                for arm in self.arms.values():
                    arm.kill()
        return [row for path in sorted(self.raw.glob("replicate-*.parquet")) for row in read_records(path)]

    def arm(self, implementation: Implementation, folder: Path) -> Arm:
        """A worker of an implementation, not started yet."""
        double = any(benchmark.problem.dtype == "float64" for benchmark in self.benchmarks)
        return Arm(implementation, self.options.device, self.limits, "float64" if double else "float32", folder)

    def pass_gate(self, folder: Path) -> None:
        """Admit or refuse every arm on every benchmark; kept in gate.json."""
        path = self.raw / "gate.json"
        if path.exists():
            found = admission.loads(path.read_text(encoding="utf-8"))
        else:
            with self.clock.spent("agreement"):
                expected = admission.write_expected(self.benchmarks, self.options.seed, self.options.weights, folder)
            steps, step = len(self.implementations) * len(self.benchmarks), 0

            def done(arm: Arm) -> None:
                nonlocal step
                step += 1
                self.advance(f"checking {arm.name}", step, steps)

            def admit_one(arm: Arm, benchmark: Benchmark) -> Admission:
                return admission.admit(
                    arm,
                    benchmark,
                    self.options.seed,
                    self.options.weights,
                    expected[benchmark.problem.id, benchmark.workload],
                    self.clock,
                    2 * self.options.turn_seconds,
                )

            found = []
            arms = list(self.arms.values())
            able = [arm for arm in arms if any(admission.refuse(arm, one) is None for one in self.benchmarks)]
            self.start(able, "cold starts")
            for arm in arms:
                found += admission.pass_all(arm, self.benchmarks, admit_one, self.clock, done)
            self.measure_peak()
            write_text(path, admission.dumps(found))
        self.admissions = {(one.implementation, one.benchmark): one for one in found}

    def measure_peak(self) -> None:
        """What a large matrix product reaches in each dtype, in operations per second; kept in peak.json."""
        found = {}
        floor = self.arms.get("floor")
        if floor is not None and floor.alive:
            for dtype in sorted({benchmark.problem.dtype for benchmark in self.benchmarks}):
                with contextlib.suppress(ArmFailed), self.clock.spent("measuring"):
                    found[dtype] = floor.ask("peak", dtype=dtype)["flops_per_second"]
        write_text(self.raw / "peak.json", json.dumps(found) + "\n")

    @property
    def peak(self) -> dict[str, float]:
        """What measure_peak found, by dtype."""
        path = self.raw / "peak.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def measure(self, replicate: int) -> list[Record]:
        """One replicate: blocks of mirrored turns at every benchmark; its workers end with it.

        The workers are fresh; those of the first replicate have passed the gate before, and nothing else.
        """
        rng = random.Random(f"{self.options.seed} {replicate}")
        arms = self.arms
        admitted = {
            benchmark.id: [name for name in arms if self.admissions[name, benchmark.id].status == "ok"]
            for benchmark in self.benchmarks
        }
        rows: dict[tuple[str, str], Record] = {
            (name, benchmark.id): self.row(arm.implementation, benchmark, replicate)
            for name, arm in arms.items()
            for benchmark in self.benchmarks
        }
        try:
            wanted = [arm for name, arm in arms.items() if any(name in names for names in admitted.values())]
            # in a new order each time: pages that one replicate frees the next one gets, and if always the same arm
            # got the same ones, all replicates of a run would be off by the same
            self.start([arm for arm in rng.sample(wanted, len(wanted)) if not arm.alive], "warm starts")
            jobs = [
                Job(
                    benchmark,
                    {name: arms[name] for name in admitted[benchmark.id]},
                    {name: self.plan(name, benchmark) for name in admitted[benchmark.id]},
                    {name: rows[name, benchmark.id] for name in admitted[benchmark.id]},
                )
                for benchmark in rng.sample(self.benchmarks, len(self.benchmarks))
            ]
            of_all = self.options.replicates
            load = Load(self.options.seed, self.options.weights)
            self.advance(f"replicate {replicate + 1} of {of_all}", replicate, of_all)

            def advance(share: float) -> None:
                self.advance(f"replicate {replicate + 1} of {of_all}", replicate + share, of_all)

            for row, failure in blocks.measure(jobs, load, self.options.blocks, rng, self.clock, advance):
                self.fail(row, failure)
        finally:
            for arm in arms.values():
                arm.kill()
        return list(rows.values())

    def start(self, arms: list[Arm], purpose: str) -> None:
        """Start workers, all at once; nothing is timed meanwhile."""
        with self.clock.spent(purpose):
            start_all(arms)

    def plan(self, name: str, benchmark: Benchmark) -> Plan:
        """How that arm fills its turns, from how long a call took in earlier replicates, or when the gate looked.

        Calls are slower at the begin of a turn. Were one look to count for the whole run, an unlucky one would give an
        arm short turns, and make it slower than its twin in all replicates.
        """
        seen = self.seen.get((name, benchmark.id))
        seconds = statistics.median(seen) if seen else self.admissions[name, benchmark.id].seconds
        assert seconds is not None
        return plan(seconds, self.options.turn_seconds)

    def fail(self, row: Record, failure: ArmFailed) -> None:
        """Mark a row."""
        row["status"], row["reason"] = failure.status, f"{failure.reason} (in replicate {row['replicate'] + 1})"

    def learn(self, rows: list[Record]) -> None:
        """From a replicate: what failed is not tried again in later ones, and how long calls take plans their turns."""
        for row in rows:
            key = row["implementation"], benchmark_id(row)
            if row["status"] == "ok":
                self.seen.setdefault(key, []).append(row["seconds"])
            else:
                self.admissions[key].status, self.admissions[key].reason = row["status"], row["reason"]

    def row(self, implementation: Implementation, benchmark: Benchmark, replicate: int) -> Record:
        """A record before it is measured: all that is known already."""
        return blank(
            implementation,
            benchmark,
            self.admissions[implementation.name, benchmark.id],
            run_id=self.options.run_id,
            versions=machine.versions_of(implementation.framework),
            device=self.options.device,
            threads=self.options.threads,
            replicate=replicate,
        )
