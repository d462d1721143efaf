"""One run: the gate, then replicates of fresh workers that take turns, each written whole as it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import agreement, environment, gate, turns
from benchmarks.arm import Arm, ArmFailed, Limits, Message
from benchmarks.cases import Benchmark
from benchmarks.clock import Clock
from benchmarks.gate import Admission
from benchmarks.record import Record, problem_fields, read_records, write_records
from benchmarks.timing import Plan, plan
from impls import contract
from impls import weights as canonical
from impls.contract import Implementation
from impls.files import write_text


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
        self.arms: dict[str, Arm] = {}

    def execute(self) -> list[Record]:
        """Do what is left to do of the run; returns every record."""
        self.raw.mkdir(parents=True, exist_ok=True)
        for leftover in self.raw.glob(".*"):  # of a process that was killed while it wrote
            leftover.unlink()
        with self.scratch() as scratch:
            self.arms = {one.name: self.arm(one, scratch) for one in self.implementations}
            try:
                self.pass_gate(scratch)
                for replicate in range(self.options.replicates):
                    path = self.raw / f"replicate-{replicate:03}.parquet"
                    if not path.exists():
                        write_records(path, self.measure(replicate))
            finally:
                for arm in self.arms.values():
                    arm.kill()
        return [row for path in sorted(self.raw.glob("replicate-*.parquet")) for row in read_records(path)]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for compile caches and logs, gone when the run ends; the next run sweeps up after a killed one."""
        base = Path(tempfile.gettempdir())
        for old in base.glob("lstm-bench-*"):
            pid = old.name.rsplit("-", 1)[-1]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(old, ignore_errors=True)
        folder = base / f"lstm-bench-{time.time_ns()}-{os.getpid()}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def arm(self, implementation: Implementation, scratch: Path) -> Arm:
        """A worker of an implementation, not started yet."""
        double = any(benchmark.problem.dtype == "float64" for benchmark in self.benchmarks)
        return Arm(implementation, self.options.device, self.limits, "float64" if double else "float32", scratch)

    def pass_gate(self, scratch: Path) -> None:
        """Admit or refuse every arm on every benchmark; kept in gate.json."""
        path = self.raw / "gate.json"
        if path.exists():
            found = gate.loads(path.read_text(encoding="utf-8"))
        else:
            expected = self.write_expected(scratch)
            steps, step = len(self.implementations) * len(self.benchmarks), 0

            def done(arm: Arm) -> None:
                nonlocal step
                step += 1
                self.advance(f"checking {arm.name}", step, steps)

            def admit_one(arm: Arm, benchmark: Benchmark) -> Admission:
                return gate.admit(
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
            self.start([arm for arm in arms if any(gate.refuse(arm, one) is None for one in self.benchmarks)])
            for arm in arms:
                found += gate.pass_all(arm, self.benchmarks, admit_one, self.clock, done)
            write_text(path, gate.dumps(found))
        self.admissions = {(one.implementation, one.benchmark): one for one in found}

    def write_expected(self, scratch: Path) -> dict[tuple[str, str], Path]:
        """The oracle's results of every problem and workload, each in a file."""
        found: dict[tuple[str, str], Path] = {}
        with self.clock.spent("agreement"):
            for benchmark in self.benchmarks:
                key = benchmark.problem.id, benchmark.workload
                if key not in found:
                    found[key] = scratch / f"expected-{len(found)}.npz"
                    job = benchmark.job
                    given = canonical.read_weights(Path(self.options.weights))[1] if self.options.weights else {}
                    arrays = canonical.complete(given, job, benchmark.workload, self.options.seed)
                    agreement.save_expected(found[key], job, benchmark.workload, arrays)
        return found

    def measure(self, replicate: int) -> list[Record]:
        """One replicate: every benchmark in a random order, blocks of mirrored turns; its workers end with it.

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
            self.start([arm for arm in wanted if not arm.alive])
            order = list(self.benchmarks)
            rng.shuffle(order)
            for k, benchmark in enumerate(order):
                self.advance(
                    f"replicate {replicate + 1} of {self.options.replicates}",
                    replicate + k / len(order),
                    self.options.replicates,
                )
                names = admitted[benchmark.id]
                self.measure_benchmark(benchmark, {name: arms[name] for name in names}, rows, rng)
        finally:
            for arm in arms.values():
                arm.kill()
        return list(rows.values())

    def start(self, arms: list[Arm]) -> None:
        """Start workers, all at once; nothing is timed meanwhile."""
        with self.clock.spent("worker starts"):
            for arm in arms:
                arm.start()
            for arm in arms:
                try:
                    arm.wait_ready()
                except ArmFailed:
                    arm.kill()  # told, with its reason, where it is needed

    def open(self, benchmark: Benchmark, arms: dict[str, Arm]) -> dict[str, Message | ArmFailed]:
        """Open one benchmark in every arm, one after the other: two at a time take longer, as their threads collide."""
        found: dict[str, Message | ArmFailed] = {}
        with self.clock.spent("worker starts"):
            for name, arm in arms.items():
                try:
                    arm.ensure_running()
                    found[name] = arm.ask(
                        "open", benchmark=benchmark.id, seed=self.options.seed, weights=self.options.weights
                    )
                except ArmFailed as failure:
                    found[name] = failure
        return found

    def measure_benchmark(
        self, benchmark: Benchmark, arms: dict[str, Arm], rows: dict[tuple[str, str], Record], rng: random.Random
    ) -> None:
        """Open one benchmark in every arm, then blocks of turns. An arm that fails leaves the others alone."""
        alive = {}
        for name, opened in self.open(benchmark, arms).items():
            row = rows[name, benchmark.id]
            if isinstance(opened, ArmFailed):
                self.fail(row, opened)
                continue
            alive[name] = self.plan(name, benchmark)
            row["warm_first_call_seconds"] = opened["first_call_seconds"]
            row["base_bytes"] = arms[name].ready["base_bytes"]
            row["calls_per_sample"] = alive[name].calls_per_sample
            row["turns"] = []
        for block in range(self.options.blocks):
            for position, name in enumerate(turns.mirrored(sorted(alive), rng)):
                if name not in alive:
                    continue
                how, arm = alive[name], arms[name]
                try:
                    with self.clock.spent("measuring"):
                        turn = turns.take(block, position, lambda arm=arm, how=how: arm.ask("turn", **vars(how)))  # type: ignore[misc]
                    rows[name, benchmark.id]["turns"].append(turn)
                except ArmFailed as failure:
                    del alive[name]
                    self.fail(rows[name, benchmark.id], failure)
        for name in alive:
            row = rows[name, benchmark.id]
            try:
                with self.clock.spent("worker starts"):
                    row["peak_bytes"] = arms[name].ask("close")["peak_bytes"]
                summarise(row)
            except ArmFailed as failure:
                self.fail(row, failure)

    def plan(self, name: str, benchmark: Benchmark) -> Plan:
        """How that arm fills its turns, from how long the gate saw a call take."""
        seconds = self.admissions[name, benchmark.id].seconds
        assert seconds is not None
        return plan(seconds, self.options.turn_seconds)

    def fail(self, row: Record, failure: ArmFailed) -> None:
        """Mark a row, and don't try that arm on that benchmark again in later replicates."""
        row["status"], row["reason"] = failure.status, f"{failure.reason} (in replicate {row['replicate'] + 1})"
        admission = self.admissions[row["implementation"], _benchmark_id(row)]
        admission.status, admission.reason = row["status"], row["reason"]

    def row(self, implementation: Implementation, benchmark: Benchmark, replicate: int) -> Record:
        """A record before it is measured: all that is known already."""
        admission = self.admissions[implementation.name, benchmark.id]
        return {
            "run_id": self.options.run_id,
            "implementation": implementation.name,
            "track": implementation.track,
            "versions": environment.versions_of(implementation.framework),
            "digest": implementation.digest,
            **problem_fields(benchmark.problem),
            "workload": benchmark.workload,
            "mode": benchmark.mode,
            "device": self.options.device,
            "threads": self.options.threads,
            "replicate": replicate,
            "status": admission.status,
            "reason": admission.reason,
            "error": admission.error,
            "error_tensor": admission.error_tensor,
            "first_call_seconds": admission.first_call_seconds,
        }


def summarise(row: Record) -> None:
    """Fill in what the turns of a record say together."""
    row["seconds"] = statistics.median(turn["seconds"] for turn in row["turns"])
    row["cores_used"] = statistics.median(turn["cpu_seconds"] / turn["wall_seconds"] for turn in row["turns"])


def _benchmark_id(row: Record) -> str:
    return f"{row['problem']}/{row['workload']}/{row['mode']}"
