"""The engine behind every command: arms, keyed by side and implementation, are admitted, then measured in replicates.

A run has one side, and its implementations take turns with each other. A regression has two sides, base and head, and
the two take turns for each implementation. A calibration has as many sides as it compares.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks import choices
from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.record import UNTRUE, Record
from benchmarks.runner import admission, blocks, cards, outside
from benchmarks.runner.admission import Admission
from benchmarks.runner.arm import Arm, ArmFailed, start_all
from benchmarks.runner.blocks import ArmKey, Job
from benchmarks.runner.expected import Expected, write_expected, write_expected_of_turns
from benchmarks.runner.home import Limits
from benchmarks.runner.rows import below_floor, forget_times, new_row
from benchmarks.runner.sides import Side, make_arm, shuffled, worker_dtype
from benchmarks.stages import Advance, Stage
from benchmarks.stopwatch import Stopwatch
from benchmarks.worker import agreement, requests
from benchmarks.worker.devices import LEAST_TURN, WARM_UP
from benchmarks.worker.timing import Plan, plan

Key = tuple[str, str, str]
"""The label of a side, the name of an implementation, the id of a benchmark."""


class Session:
    """Sides, benchmarks and options, with the admissions and failures of their arms."""

    def __init__(
        self,
        options: Options,
        sides: Sequence[Side],
        cores: tuple[int, ...],
        scratch: Path,
        advance: Advance,
        order_seed: int | None = None,
    ) -> None:
        self.options = options
        self.sides = sides
        self.scratch = scratch
        self.advance = advance
        self.order_seed = options.seed if order_seed is None else order_seed
        self.benchmarks = [Benchmark.parse(text) for text in options.benchmarks]
        self.names = list(dict.fromkeys(name for side in sides for name in side.names))
        self.limits = Limits(cores, options.call_seconds, options.memory_bytes or choices.half_memory())
        self.stopwatch = Stopwatch()
        self.admissions: dict[Key, Admission] = {}
        self.failures: dict[Key, ArmFailed] = {}
        self.seconds_seen: dict[Key, list[float]] = {}
        self.arms: dict[ArmKey, Arm] = {}
        self.card = cards.card(options.device)

    @property
    def everything(self) -> dict[str, list[Benchmark]]:
        """All benchmarks, by the name of each implementation."""
        return {name: list(self.benchmarks) for name in self.names}

    def _side(self, label: str) -> Side:
        return next(side for side in self.sides if side.label == label)

    def close(self) -> None:
        """End every worker, and what workers have left behind."""
        for arm in self.arms.values():
            arm.kill()
        self.arms = {}
        outside.end(outside.orphans())

    def opening(self, benchmark: Benchmark, inputs: int) -> requests.Open:
        """Return the request that opens a benchmark; `inputs` is the seed of its inputs."""
        return requests.Open(benchmark.id, self.options.seed, self.options.weights, inputs)

    # admission

    def admit(self, kernels: bool = False) -> list[Admission]:
        """Admit or refuse every arm at every benchmark.

        The workers go on running. The next replicate uses them, or close() ends them.

        Args:
            kernels: whether to find out which kernel each arm runs.
        """
        options = self.options
        inputs = agreement.draw_seed()
        with self.stopwatch.spent("agreement"):
            expected = write_expected(self.benchmarks, options.seed, options.weights, self.scratch, inputs)
        self.make_arms(self.names, random.Random(self.order_seed))
        able = [key for key in self.arms if any(self.refusal(key, benchmark) is None for benchmark in self.benchmarks)]
        with self.stopwatch.spent("cold starts"):
            start_all([self.arms[key] for key in able])
        steps = sum(len(side.names) for side in self.sides) * len(self.benchmarks)
        for name in self.names:
            for side in self.sides:
                if name in side.names:
                    unable: ArmFailed | None = None  # an arm that cannot start is not started again for each benchmark
                    for benchmark in self.benchmarks:
                        opening = self.opening(benchmark, inputs)
                        unable = self._admit(side, name, benchmark, opening, expected, unable, kernels)
                        self.advance(Stage.CHECKING, name, len(self.admissions), steps)
        return list(self.admissions.values())

    def refusal(self, key: ArmKey, benchmark: Benchmark) -> ArmFailed | None:
        """Return why an arm is not tried at a benchmark; None where it is tried."""
        label, name = key
        side = self._side(label)
        if name in side.unreadable:
            return ArmFailed("error", side.unreadable[name])
        version = side.versions[name]
        return version.failure or admission.refusal(version.implementation, self.options.device, benchmark)

    def _admit(
        self,
        side: Side,
        name: str,
        benchmark: Benchmark,
        opening: requests.Open,
        expected: Expected,
        unable: ArmFailed | None,
        kernels: bool,
    ) -> ArmFailed | None:
        """Admit an arm to a benchmark or refuse it. Return the failure of an arm that cannot be started at all."""
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
                opening,
                expected[benchmark.problem.id, benchmark.workload],
                2 * self.options.turn_seconds,
                self.stopwatch,
                kernels,
            )
        else:
            self.admissions[*key, benchmark.id] = admission.refused(name, benchmark, failure)
        return unable

    # replicates

    def make_arms(self, names: Sequence[str], rng: random.Random) -> None:
        """Replace all arms by new arms that are not started. Which side gets which alias is random."""
        self.close()
        outside.adopt_orphans()
        dtype = worker_dtype(benchmark.problem.dtype for benchmark in self.benchmarks)
        for name in names:
            for k, (side, version) in enumerate(shuffled(self.sides, name, rng)):
                alias = self.scratch / f"{name}-{k}" if len(self.sides) > 1 else None
                folder = self.scratch / side.label
                arm = make_arm(version, self.options.device, self.limits, dtype, folder, alias, self.options.precision)
                self.arms[side.label, name] = arm

    def ok(self, name: str, benchmark_id: str) -> bool:
        """Whether every side of an implementation has been admitted to a benchmark, and none has failed since."""
        keys = [(side.label, name, benchmark_id) for side in self.sides]
        admitted = all(key in self.admissions and self.admissions[key].status == "ok" for key in keys)
        return admitted and not any(key in self.failures for key in keys)

    def replicate(
        self,
        number: int,
        count: int,
        wanted: Mapping[str, Sequence[Benchmark]] | None = None,
        stage: Stage = Stage.REPLICATE,
        of_all: int = 1,
    ) -> list[Record]:
        """Measure a replicate.

        Its workers are fresh, except those that still run after the admission: a run's first replicate uses them.
        Workers are started in a new order each time. A replicate gets the pages that the replicate before has freed: if
        the same arm always got the same pages, all replicates of a run would have the same error.

        Args:
            number: the number of the replicate, from 0.
            count: how many blocks.
            wanted: benchmarks by implementation; None for all.
            stage: of the progress.
            of_all: how many replicates there will be.

        Returns:
            A row for every arm and benchmark that was measured or has failed.
        """
        wanted = self.everything if wanted is None else wanted
        rng = random.Random(f"{self.order_seed} {number}")
        inputs = agreement.draw_seed()
        todo = {
            name: timed
            for name, benchmarks in wanted.items()
            if (timed := [benchmark for benchmark in benchmarks if self.ok(name, benchmark.id)])
        }
        if not any(arm.alive for arm in self.arms.values()):
            self.make_arms(rng.sample(list(todo), len(todo)), rng)
        rows = {
            key: self._row(key, benchmark, number, inputs)
            for name, benchmarks in wanted.items()
            for benchmark in benchmarks
            for side in self.sides
            if name in side.versions and (key := (side.label, name, benchmark.id))
            if self.ok(name, benchmark.id) or self._has_failed(key)
        }
        label = f"{number + 1} of {of_all}"
        self.advance(stage, label, number, of_all)
        try:
            keys = [key for key in self.arms if key[1] in todo]
            with self.stopwatch.spent("warm starts"):
                start_all([self.arms[key] for key in rng.sample(keys, len(keys)) if not self.arms[key].alive])
            options = self.options
            pipelined = options.device == "cuda" and len(self.sides) == 1
            failed = blocks.measure(
                self._jobs(todo, rows, rng, self._expected_of(todo, inputs)),
                lambda benchmark: self.opening(benchmark, inputs),
                blocks.How(count, False, pipelined),
                rng,
                self.stopwatch,
                lambda share: self.advance(stage, label, number + share, of_all),
                self.card,
            )
            for row, failure in [*failed, *below_floor(list(rows.values()))]:
                row.status, row.reason = failure.status, f"{failure.reason} (in replicate {number + 1})"
                if failure.status in UNTRUE:
                    forget_times(row)
        finally:
            self.close()
        self.learn(rows.values())
        return list(rows.values())

    def _has_failed(self, key: Key) -> bool:
        return key in self.failures or self.admissions[key].status != "ok"

    def _expected_of(self, todo: Mapping[str, Sequence[Benchmark]], inputs: int) -> Expected:
        """Write the reference's results for a replicate."""
        calls = {(name, benchmark): self.plan(name, benchmark).calls for name in todo for benchmark in todo[name]}
        options = self.options
        with self.stopwatch.spent("agreement"):
            return write_expected_of_turns(calls, options.seed, options.weights, self.scratch, inputs)

    def _jobs(
        self,
        todo: Mapping[str, Sequence[Benchmark]],
        rows: Mapping[Key, Record],
        rng: random.Random,
        expected: Expected,
    ) -> list[Job]:
        """Group the arms that take turns: with a single side all implementations, otherwise the sides of each."""
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
                expected[benchmark.problem.id, benchmark.workload],
            )
            for (benchmark, _), keys in rng.sample(list(groups.items()), len(groups))
        ]

    def plan(self, name: str, benchmark: Benchmark) -> Plan:
        """Return how the arms of an implementation fill their turns at a benchmark; all sides have the same plan.

        The plan comes from how long a call took in earlier replicates, or at the admission. Calls are slower at the
        start of a turn, so an arm with shorter turns looks slower. A single bad estimate for the whole run would give
        an arm shorter turns in all its replicates.
        """
        known = []
        for side in self.sides:
            key = side.label, name, benchmark.id
            if key in self.seconds_seen:
                known.append(statistics.median(self.seconds_seen[key]))
            elif key in self.admissions:
                known.append(self.admissions[key].seconds or 0.0)
        device = self.options.device
        return plan(max(known), self.options.turn_seconds, WARM_UP[device], LEAST_TURN[device])

    def learn(self, rows: Iterable[Record]) -> None:
        """Keep what later replicates need: what has failed is not tried again; the times of calls give later plans."""
        for row in rows:
            key = row.side or self.sides[0].label, row.implementation, row.benchmark
            if row.status == "ok" and row.seconds is not None:
                self.seconds_seen.setdefault(key, []).append(row.seconds)
            elif self.admissions[key].status == "ok":
                self.failures.setdefault(key, ArmFailed(row.status, row.reason or ""))

    def _row(self, key: Key, benchmark: Benchmark, number: int, inputs: int) -> Record:
        """Return a row with everything that is known before it is measured."""
        label, name, _ = key
        return new_row(
            self.options,
            self._side(label).versions[name].implementation,
            benchmark,
            self.admissions[key],
            self.failures.get(key),
            side=label if len(self.sides) > 1 else None,
            replicate=number,
            input_seed=inputs,
        )
