"""The one engine: arms keyed by side and implementation are admitted, then measured in replicates.

A run has one side, and its implementations take turns with each other. A regression has two sides, base and head, and
the two take turns for each implementation. A calibration has as many sides as it compares.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.cases import Benchmark
from benchmarks.measurement import admission, blocks, protocol
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import Arm, ArmFailed, Limits, start_all
from benchmarks.measurement.blocks import ArmKey, Job
from benchmarks.measurement.sides import Side, make_arm, shuffled, worker_dtype
from benchmarks.measurement.timing import Plan, plan
from benchmarks.record import Record, problem_fields
from benchmarks.stopwatch import Stopwatch
from impls.core.registry import Implementation
from impls.core.versions import distributions, versions_of

Key = tuple[str, str, str]
"""The label of a side, the name of an implementation, the id of a benchmark."""
Advance = Callable[[str, float, float], None]
"""Is told what is being done, how much of it is done, and of how much."""
PEAK_SECONDS = 120.0
"""The least that the floor may take for the machine's peak, whatever --timeout says."""


class Configuration(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What decides how a session measures, whatever it is for."""

    run_id: str
    benchmarks: tuple[str, ...]
    device: str
    threads: int
    turn_seconds: float
    seed: int
    weights: str | None  # the path of an .npz, instead of made-up weights
    call_seconds: float
    memory_bytes: int

    def opening(self, benchmark: Benchmark) -> protocol.Open:
        """The request that opens a benchmark."""
        return protocol.Open(benchmark.id, self.seed, self.weights)


class Session:
    """Sides, benchmarks and one configuration; the admissions and failures of their arms."""

    def __init__(
        self,
        configuration: Configuration,
        sides: Sequence[Side],
        cores: tuple[int, ...],
        scratch: Path,
        advance: Advance,
        order_seed: int | None = None,
    ) -> None:
        self.configuration = configuration
        self.sides = sides
        self.scratch = scratch
        self.advance = advance
        self.order_seed = configuration.seed if order_seed is None else order_seed
        self.benchmarks = [Benchmark.parse(text) for text in configuration.benchmarks]
        self.names = list(dict.fromkeys(name for side in sides for name in side.names))
        self.limits = Limits(cores, configuration.call_seconds, configuration.memory_bytes)
        self.stopwatch = Stopwatch()
        self.admissions: dict[Key, Admission] = {}
        self.failures: dict[Key, ArmFailed] = {}
        self.seconds_seen: dict[Key, list[float]] = {}
        self.arms: dict[ArmKey, Arm] = {}

    @property
    def everything(self) -> dict[str, list[Benchmark]]:
        """Every implementation with every benchmark."""
        return {name: list(self.benchmarks) for name in self.names}

    def close(self) -> None:
        """End every worker."""
        for arm in self.arms.values():
            arm.kill()
        self.arms = {}

    # admission

    def admit(self) -> list[Admission]:
        """Admit or refuse every arm at every benchmark.

        The workers go on running: the next replicate may take them over, or close() ends them.
        """
        configuration = self.configuration
        with self.stopwatch.spent("agreement"):
            expected = admission.write_expected(
                self.benchmarks, configuration.seed, configuration.weights, self.scratch
            )
        self.make_arms(self.names, random.Random(self.order_seed))
        able = [key for key in self.arms if any(self.refusal(key, benchmark) is None for benchmark in self.benchmarks)]
        with self.stopwatch.spent("cold starts"):
            start_all([self.arms[key] for key in able])
        steps = sum(len(side.names) for side in self.sides) * len(self.benchmarks)
        for name in self.names:
            for side in self.sides:
                if name in side.names:
                    unable: ArmFailed | None = None  # what cannot start once is not started for every benchmark
                    for benchmark in self.benchmarks:
                        unable = self._admit(side, name, benchmark, expected, unable)
                        self.advance(f"checking {name}", len(self.admissions), steps)
        return list(self.admissions.values())

    def refusal(self, key: ArmKey, benchmark: Benchmark) -> ArmFailed | None:
        """Why an arm is not tried at a benchmark; None where it is."""
        label, name = key
        side = next(side for side in self.sides if side.label == label)
        if name in side.unreadable:
            return ArmFailed("error", side.unreadable[name])
        version = side.versions[name]
        return version.failure or admission.refusal(version.implementation, self.configuration.device, benchmark)

    def _admit(
        self, side: Side, name: str, benchmark: Benchmark, expected: admission.Expected, unable: ArmFailed | None
    ) -> ArmFailed | None:
        """Admit or refuse one arm at one benchmark; the failure, where its worker cannot be started at all."""
        key = side.label, name
        failure = self.refusal(key, benchmark) or unable
        if failure is None:
            arm = self.arms[key]
            try:
                with self.stopwatch.spent("cold starts"):
                    arm.ensure_running()
            except ArmFailed as failed:
                failure = unable = failed
        if failure is None:
            self.admissions[*key, benchmark.id] = admission.admit(
                arm,
                benchmark,
                self.configuration.opening(benchmark),
                expected[benchmark.problem.id, benchmark.workload],
                2 * self.configuration.turn_seconds,
                self.stopwatch,
            )
        else:
            self.admissions[*key, benchmark.id] = admission.refused(name, benchmark, failure)
        return unable

    def measure_peak(self, dtype: str) -> protocol.Peak:
        """What a large matrix product reaches. Needs a running floor.

        Raises:
            ArmFailed: where the floor cannot say.
        """
        floor = next((arm for arm in self.arms.values() if arm.implementation.is_floor and arm.alive), None)
        if floor is None:
            raise ArmFailed("error", "the floor does not run")
        with self.stopwatch.spent("measuring"):
            seconds = max(PEAK_SECONDS, self.limits.call_seconds)
            return floor.ask(protocol.MeasurePeak(dtype), protocol.Peak, seconds)

    # replicates

    def make_arms(self, names: Sequence[str], rng: random.Random) -> None:
        """Replace the arms by new ones that are not started. Whose path is called what is random."""
        self.close()
        dtype = worker_dtype(benchmark.problem.dtype for benchmark in self.benchmarks)
        for name in names:
            for k, (side, version) in enumerate(shuffled(self.sides, name, rng)):
                alias = self.scratch / f"{name}-{k}" if len(self.sides) > 1 else None
                folder = self.scratch / side.label
                arm = make_arm(version, self.configuration.device, self.limits, dtype, folder, alias)
                self.arms[side.label, name] = arm

    def ok(self, name: str, benchmark_id: str) -> bool:
        """Whether every side of an implementation has been admitted to a benchmark, and has not failed since."""
        keys = [(side.label, name, benchmark_id) for side in self.sides]
        admitted = all(key in self.admissions and self.admissions[key].status == "ok" for key in keys)
        return admitted and not any(key in self.failures for key in keys)

    def replicate(
        self,
        number: int,
        count: int,
        wanted: Mapping[str, Sequence[Benchmark]] | None = None,
        phase: str | None = None,
        what: str = "replicate",
        of_all: int = 1,
    ) -> list[Record]:
        """Measure one replicate.

        The workers are fresh, but for those that run already: in a run, the first replicate takes over those that
        have been admitted. The others are started in a new order each time: pages that one replicate frees the next
        one gets, and if always the same arm got the same pages, all replicates of a run would be off by the same.

        Args:
            number: of the replicate, from 0.
            count: how many blocks.
            wanted: benchmarks by implementation; None for everything.
            phase: of a regression.
            what: is told to `advance`, with the number.
            of_all: how many replicates there will be.

        Returns:
            A row for every arm that was measured, and one for every arm that failed.
        """
        wanted = self.everything if wanted is None else wanted
        rng = random.Random(f"{self.order_seed} {phase} {number}")
        todo = {
            name: timed
            for name, benchmarks in wanted.items()
            if (timed := [benchmark for benchmark in benchmarks if self.ok(name, benchmark.id)])
        }
        if not any(arm.alive for arm in self.arms.values()):
            self.make_arms(rng.sample(list(todo), len(todo)), rng)
        rows = {
            key: self._row(key, benchmark, number, phase)
            for name, benchmarks in wanted.items()
            for benchmark in benchmarks
            for side in self.sides
            if name in side.versions and (key := (side.label, name, benchmark.id))
            if self.ok(name, benchmark.id) or self._has_failed(key)
        }
        label = f"{what} {number + 1} of {of_all}"
        self.advance(label, number, of_all)
        try:
            keys = [key for key in self.arms if key[1] in todo]
            with self.stopwatch.spent("warm starts"):
                start_all([self.arms[key] for key in rng.sample(keys, len(keys)) if not self.arms[key].alive])
            failed = blocks.measure(
                self._jobs(todo, rows, rng),
                self.configuration.opening,
                count,
                rng,
                self.stopwatch,
                lambda share: self.advance(label, number + share, of_all),
            )
            for row, failure in failed:
                row.status, row.reason = failure.status, f"{failure.reason} (in replicate {number + 1})"
        finally:
            self.close()
        self.learn(rows.values())
        return list(rows.values())

    def _has_failed(self, key: Key) -> bool:
        return key in self.failures or self.admissions[key].status != "ok"

    def _jobs(
        self, todo: Mapping[str, Sequence[Benchmark]], rows: Mapping[Key, Record], rng: random.Random
    ) -> list[Job]:
        """Who takes turns with whom: implementations where there is one side, else the sides of an implementation."""
        groups: dict[tuple[Benchmark, str], list[ArmKey]] = {}
        for label, name in self.arms:
            for benchmark in todo.get(name, ()):
                groups.setdefault((benchmark, name if len(self.sides) > 1 else ""), []).append((label, name))
        return [
            Job(
                benchmark,
                {key: self.arms[key] for key in keys},
                {key: self.plan(key[1], benchmark) for key in keys},
                {key: rows[*key, benchmark.id] for key in keys},
            )
            for (benchmark, _), keys in rng.sample(list(groups.items()), len(groups))
        ]

    def plan(self, name: str, benchmark: Benchmark) -> Plan:
        """How the arms of an implementation fill their turns at a benchmark: all sides alike.

        The plan comes from how long a call took in earlier replicates, or else at the admission. Calls are slower at
        the start of a turn: if one look decided for a whole run, an unlucky one would give an arm shorter turns in all
        replicates, and make it look slower than its copy.
        """
        known = []
        for side in self.sides:
            key = side.label, name, benchmark.id
            if key in self.seconds_seen:
                known.append(statistics.median(self.seconds_seen[key]))
            elif key in self.admissions:
                known.append(self.admissions[key].seconds or 0.0)
        return plan(max(known), self.configuration.turn_seconds)

    def learn(self, rows: Iterable[Record]) -> None:
        """Learn from a replicate: what failed is not tried again, and how long calls took plans later turns."""
        for row in rows:
            key = row.side or self.sides[0].label, row.implementation, row.benchmark
            if row.status == "ok" and row.seconds is not None:
                self.seconds_seen.setdefault(key, []).append(row.seconds)
            elif self.admissions[key].status == "ok":
                self.failures.setdefault(key, ArmFailed(row.status, row.reason or ""))

    def _row(self, key: Key, benchmark: Benchmark, number: int, phase: str | None) -> Record:
        """A row before it is measured: all that is known already."""
        label, name, _ = key
        admitted, failure = self.admissions[key], self.failures.get(key)
        implementation = next(side for side in self.sides if side.label == label).versions[name].implementation
        return Record(
            side=label if len(self.sides) > 1 else None,
            phase=phase,
            run_id=self.configuration.run_id,
            implementation=name,
            track=implementation.track,
            versions=admitted.versions or _versions_unstarted(implementation),
            digest=implementation.digest,
            **problem_fields(benchmark.problem),
            workload=benchmark.workload,
            mode=benchmark.mode,
            device=self.configuration.device,
            threads=self.configuration.threads,
            replicate=number,
            status=failure.status if failure else admitted.status,
            reason=failure.reason if failure else admitted.reason,
            error=admitted.error,
            error_tensor=admitted.error_tensor,
            first_call_seconds=admitted.first_call_seconds,
        )


def _versions_unstarted(implementation: Implementation) -> str:
    """The versions of an implementation whose worker has not told them."""
    if not implementation.requires:
        return versions_of(implementation)
    return ", ".join(f"{name} not installed" for name in distributions(implementation))
