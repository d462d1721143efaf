"""The engine behind every command: arms, keyed by side and implementation, are admitted, then measured in replicates.

A run has one side, and its implementations take turns with each other. A regression has two sides, base and head, and
the two take turns for each implementation. A calibration has as many sides as it compares.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.cases import Benchmark
from benchmarks.judge import agreement
from benchmarks.judge.expected import Expected, key_of, write_expected
from benchmarks.options import Options
from benchmarks.progress import Advance, Stage
from benchmarks.record import Record, withdraw
from benchmarks.runner import cards
from benchmarks.runner.admission import Admission, Check
from benchmarks.runner.arm import Arm, kill_all, start_all
from benchmarks.runner.blocks import Entry, Job, Replicate
from benchmarks.runner.files_seen import FilesSeen
from benchmarks.runner.limits import Limits
from benchmarks.runner.sides import ArmFailed, ArmKey, Key, Side, Version
from benchmarks.worker import requests
from benchmarks.worker.devices import LEAST_TURN, WARM_UP
from benchmarks.worker.timing import Plan, plan
from impls.core import registry
from impls.core.weights import draw_seed
from impls.core.workloads import WORKLOADS


class Session:
    """Sides, benchmarks and options, with the admissions and failures of their arms, and all rows.

    At the end of a `with` block every worker is ended.
    """

    def __init__(
        self,
        options: Options,
        sides: Sequence[Side],
        cores: tuple[int, ...],
        scratch: Path,
        advance: Advance,
    ) -> None:
        self.options = options
        self.sides = sides
        self.scratch = scratch
        self.advance = advance
        self.benchmarks = [Benchmark.parse(text) for text in options.benchmarks]
        self.names = list(dict.fromkeys(name for side in sides for name in side.names))
        self.cores = cores
        self.rng = random.SystemRandom()  # so that no file can foresee an order
        self.admissions: dict[Key, Record] = {}
        self.records: list[Record] = []
        self.failures: dict[Key, ArmFailed] = {}
        self.seconds_seen: dict[Key, list[float]] = {}
        self.arms: dict[ArmKey, Arm] = {}
        self.card = cards.card(machine.gpu() if options.device == "cuda" else None)
        self.inputs = 0  # the seed of the present inputs
        self.expected: Expected = {}  # the reference's results for them
        self.limits = Limits(len(cores))
        self.files = FilesSeen()

    def close(self) -> None:
        """End every worker."""
        kill_all(self.arms.values())
        self.arms = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def admit(self, check: Check | None = None) -> None:
        """Admit or refuse every arm at every benchmark: `admissions` gets the row of each, without turns.

        The workers go on running. The next replicate uses them, or close() ends them.

        `check` checks an arm at a benchmark, where nothing is to be timed: then an arm works on each processor at the
        same time, and is ended when it is done.
        """
        options = self.options
        self.inputs = draw_seed()
        self.expected = write_expected(
            self.benchmarks, options.seed, options.weights, self.scratch, self.inputs
        )
        self.make_arms(self.names)
        if check is not None:
            self.admission().all_at_once(check)
        else:
            peak = Version(registry.resolve("peak"))
            folder = self.scratch / "limits"
            self.admission().one_by_one(Arm(peak, options, self.cores, "float32", folder))
        self.files.refuse_shared(self.admissions.values())

    def admission(self) -> Admission:
        """Return what admits the present arms."""
        return Admission(
            self.options,
            self.sides,
            self.benchmarks,
            self.arms,
            self.cores,
            self.opening,
            self.expected_of,
            self.limits,
            self.files,
            self.advance,
            self.admissions,
        )

    def opening(self, benchmark: Benchmark) -> requests.Open:
        """Return the request that opens a benchmark with the present inputs."""
        return requests.Open(benchmark.id, self.options.seed, self.options.weights, self.inputs)

    def expected_of(self, benchmark: Benchmark) -> str:
        """Return the file with the reference's results of a benchmark for the present inputs."""
        return str(self.expected[key_of(benchmark)])

    def make_arms(self, names: Sequence[str]) -> None:
        """Replace all arms by new arms that are not started. Which side gets which alias is random."""
        self.close()
        for name in names:
            sides = [side for side in self.sides if name in side.versions]
            for number, side in enumerate(self.rng.sample(sides, len(sides))):
                version = side.versions[name]
                if len(self.sides) > 1:
                    version = self._aliased(version, f"{name}-{number}")
                dtypes = {each.problem.dtype for each in side.benchmarks_of(self.benchmarks)}
                # JAX must know of float64 when it starts
                dtype = "float64" if "float64" in dtypes else "float32"
                folder = self.scratch / side.label
                self.arms[side.label, name] = Arm(version, self.options, self.cores, dtype, folder)

    def _aliased(self, version: Version, alias: str) -> Version:
        """Return a version by an alias of its folder, so that the paths of all sides are equally long."""
        root = self.scratch / alias
        root.unlink(missing_ok=True)
        root.symlink_to(version.root)
        return replace(version, root=root)

    def ok(self, name: str, benchmark_id: str) -> bool:
        """Whether every side of an implementation has been admitted to a benchmark, and none has failed since."""
        for side in self.sides:
            key = (side.label, name, benchmark_id)
            admission = self.admissions.get(key)
            if admission is None or admission.status != "ok" or key in self.failures:
                return False
        return True

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
            number: from 0.
            count: how many blocks.
            wanted: benchmarks by implementation; None for all.
            stage, of_all: of the progress, and how many replicates there will be.

        Returns:
            A row for every arm and benchmark that was measured or has failed.
        """
        if wanted is None:
            wanted = dict.fromkeys(self.names, self.benchmarks)
        on_cpu = self.options.device == "cpu"
        self.inputs = draw_seed()
        if not any(arm.alive for arm in self.arms.values()):
            self.make_arms(self.rng.sample(list(wanted), len(wanted)))
        jobs, rows = self._jobs(wanted, number)
        entries = list(itertools.chain(*jobs))
        label = f"{number + 1} of {of_all}"
        self.advance(stage, label, number, of_all)
        with self:
            arms = list({entry.arm for entry in entries if not entry.arm.alive})
            start_all(self.rng.sample(arms, len(arms)))
            self._write_expected(entries)
            replicate = Replicate(jobs, self.opening, self.expected_of, count, self.rng, self.card)
            replicate.measure(
                lambda share: self.advance(stage, label, number + share, of_all),
                pipelined=not on_cpu and len(self.sides) == 1,
            )
            self._note_files(entries)
            if on_cpu:  # a GPU's peak is not known
                self.limits.refuse(rows)
        self.learn(rows)
        return rows

    def _jobs(
        self, wanted: Mapping[str, Sequence[Benchmark]], number: int
    ) -> tuple[list[Job], list[Record]]:
        """Return what takes turns in a replicate, and the rows of that and of what has failed before.

        With a single side all implementations take turns with each other, otherwise the sides of each.
        """
        jobs: dict[tuple[str, str], Job] = {}
        rows = []
        for name, benchmarks in wanted.items():
            sides = [side for side in self.sides if name in side.versions]
            for benchmark, side in itertools.product(benchmarks, sides):
                key = (side.label, name, benchmark.id)
                row = msgspec.structs.replace(
                    self.admissions[key], replicate=number, input_seed=self.inputs, seconds=None
                )
                failure = self.failures.get(key)
                if failure is not None:
                    row.fail(failure.status, failure.reason)
                if self.ok(name, benchmark.id):
                    arm = self.arms[side.label, name]
                    entry = Entry(benchmark, arm, self.plan(name, benchmark), row)
                    together = name if len(self.sides) > 1 else ""
                    jobs.setdefault((benchmark.id, together), []).append(entry)
                elif row.status == "ok":  # another side has failed
                    continue
                rows.append(row)
        return self.rng.sample(list(jobs.values()), len(jobs)), rows

    def _write_expected(self, entries: Iterable[Entry]) -> None:
        """Write the reference's results for a replicate; where calls change the state, after as many as a turn has."""
        steps: dict[tuple[str, str, bool], set[int]] = {}
        for entry in entries:
            # nothing of the peak is compared
            if entry.benchmark.changes_state and not entry.arm.implementation.is_peak:
                steps.setdefault(key_of(entry.benchmark), set()).add(entry.plan.calls)
        self.expected = write_expected(
            dict.fromkeys(entry.benchmark for entry in entries),
            self.options.seed,
            self.options.weights,
            self.scratch,
            self.inputs,
            agreement.REPLICATE,
            steps,
        )

    def _note_files(self, entries: Sequence[Entry]) -> None:
        """Note the files that each arm has used in a replicate. Where it may not use one, its rows fail."""
        for arm in {entry.arm for entry in entries if entry.arm.alive}:
            try:
                self.files.note(arm)
            except ArmFailed as failure:
                for entry in entries:
                    if entry.arm is arm and entry.row.status == "ok":
                        entry.row.fail(failure.status, failure.reason)
        self.files.refuse_shared(entry.row for entry in entries)

    def plan(self, name: str, benchmark: Benchmark) -> Plan:
        """Return how the arms of an implementation fill their turns at a benchmark; all sides have the same plan.

        The plan comes from how long a call took in earlier replicates, or at the admission. Calls are slower at the
        start of a turn, so an arm with shorter turns looks slower. A single bad estimate for the whole run would give
        an arm shorter turns in all its replicates.
        """
        device = self.options.device
        keys = [(side.label, name, benchmark.id) for side in self.sides]
        seen = [self.seconds_seen.get(key, [self.admissions[key].seconds or 0.0]) for key in keys]
        return plan(
            max(map(statistics.median, seen)),
            self.options.turn_seconds,
            WARM_UP[device],
            LEAST_TURN[device],
            WORKLOADS[benchmark.workload].timed_by_call,
        )

    def learn(self, rows: Iterable[Record]) -> None:
        """Keep rows, and what later replicates need: what has failed is not tried again; times give later plans."""
        for row in rows:
            self.records.append(row)
            key = (row.side or self.sides[0].label, row.implementation, row.benchmark)
            if row.seconds is not None:
                self.seconds_seen.setdefault(key, []).append(row.seconds)
            elif self.admissions[key].status == "ok":
                self.failures.setdefault(key, ArmFailed(row.status, row.reason or ""))
        withdraw(self.records)
