"""The engine behind every command: arms, keyed by side and implementation, are admitted, then measured in replicates.

A run has one side, and its implementations take turns with each other. A regression has two sides, base and head, and
the two take turns for each implementation. A calibration has as many sides as it compares.
"""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.cases import Benchmark
from benchmarks.judge import agreement
from benchmarks.judge.expected import Expected, key_of, write_expected
from benchmarks.options import Options
from benchmarks.progress import Advance, Stage
from benchmarks.record import Record
from benchmarks.runner import admission, cards
from benchmarks.runner.arm import Arm, start_all
from benchmarks.runner.blocks import ArmKey, Entry, Job, Replicate
from benchmarks.runner.limits import Limits
from benchmarks.runner.sides import ArmFailed, Side
from benchmarks.worker import requests
from benchmarks.worker.devices import LEAST_TURN, WARM_UP
from benchmarks.worker.timing import Plan, plan
from impls.core.weights import draw_seed
from impls.core.workloads import WORKLOADS

Key = tuple[str, str, str]
"""The label of a side, the name of an implementation, the id of a benchmark."""


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
        self.rng = (
            random.SystemRandom()
        )  # which order comes next can't be foreseen, and no side is always favoured
        self.admissions: dict[Key, Record] = {}
        self.records: list[Record] = []
        self.failures: dict[Key, ArmFailed] = {}
        self.seconds_seen: dict[Key, list[float]] = {}
        self.arms: dict[ArmKey, Arm] = {}
        self.card = cards.card(machine.gpu() if options.device == "cuda" else None)
        self.inputs = 0  # the seed of the present inputs
        self.expected: Expected = {}  # the reference's results for them
        self.stopping = threading.Event()
        self.limits = Limits(len(cores))
        self.began = time.time()
        self.used: dict[
            str, set[str]
        ] = {}  # by path, each hash that a worker has seen of a file that it used
        self.built: dict[
            str, set[str]
        ] = {}  # by code that was made meanwhile, the implementations that use it

    @property
    def peaks(self) -> set[str]:
        """The names of what measures the peak, and computes no LSTM."""
        versions = [each for side in self.sides for each in side.versions.values()]
        return {
            version.implementation.name for version in versions if version.implementation.is_peak
        }

    def note_files(self, arm: Arm) -> None:
        """Note the files that an arm has used; ArmFailed where it used one that is not its own."""
        used = arm.ask(requests.UsedFiles())
        for path, digest in used.hashes.items():
            self.used.setdefault(path, set()).add(digest)
        for path in (*used.hashes, *used.made):
            is_code = path.endswith(".py") or ".so" in Path(path).suffixes
            if is_code and Path(path).exists() and Path(path).stat().st_mtime > self.began:
                self.built.setdefault(path, set()).add(arm.name)

    def _refuse_shared(self, rows: Iterable[Record]) -> None:
        """Refuse implementations that use a library or module which was made meanwhile: it has the code of one."""
        for path, names in self.built.items():
            for row in rows:
                if len(names) > 1 and row.implementation in names and row.status == "ok":
                    others = ", ".join(sorted(names - {row.implementation}))
                    row.status = "error"
                    row.reason = f"it uses {path}, which was made meanwhile, as {others} does: whose code is in it?"

    def close(self) -> None:
        """End every worker."""
        with (
            ThreadPoolExecutor() as pool
        ):  # the kernel takes a while to take back a worker's memory
            list(pool.map(lambda arm: arm.kill(), self.arms.values()))
        self.arms = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def admit(self, check: admission.Check | None = None) -> None:
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
        admission.admit(self, check)
        self._refuse_shared(self.admissions.values())

    def benchmarks_of(self, side: Side) -> list[Benchmark]:
        """Return the benchmarks of a side: all of them, or those in its dtype."""
        return [
            benchmark
            for benchmark in self.benchmarks
            if side.dtype in (None, benchmark.problem.dtype)
        ]

    def opening(self, benchmark: Benchmark) -> requests.Open:
        """Return the request that opens a benchmark with the present inputs."""
        return requests.Open(benchmark.id, self.options.seed, self.options.weights, self.inputs)

    def expected_of(self, benchmark: Benchmark) -> str:
        """Return the file with the reference's results of a benchmark for the present inputs."""
        return str(self.expected[key_of(benchmark)])

    # replicates

    def make_arms(self, names: Sequence[str]) -> None:
        """Replace all arms by new arms that are not started. Which side gets which alias is random."""
        self.close()
        for name in names:
            having = [side for side in self.sides if name in side.versions]
            self.rng.shuffle(having)
            for k, side in enumerate(having):
                version = side.versions[name]
                if (
                    len(self.sides) > 1
                ):  # by an alias, so that the paths of all sides are equally long
                    root = self.scratch / f"{name}-{k}"
                    root.unlink(missing_ok=True)
                    root.symlink_to(version.root)
                    version = replace(version, root=root)
                dtypes = {benchmark.problem.dtype for benchmark in self.benchmarks_of(side)}
                dtype = (
                    "float64" if "float64" in dtypes else "float32"
                )  # JAX must know of float64 when it starts
                folder = self.scratch / side.label
                self.arms[side.label, name] = Arm(version, self.options, self.cores, dtype, folder)

    def ok(self, name: str, benchmark_id: str) -> bool:
        """Whether every side of an implementation has been admitted to a benchmark, and none has failed since."""
        keys = [(side.label, name, benchmark_id) for side in self.sides]
        admitted = all(
            key in self.admissions and self.admissions[key].status == "ok" for key in keys
        )
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
            number: from 0.
            count: how many blocks.
            wanted: benchmarks by implementation; None for all.
            stage, of_all: of the progress, and how many replicates there will be.

        Returns:
            A row for every arm and benchmark that was measured or has failed.
        """
        wanted = dict.fromkeys(self.names, self.benchmarks) if wanted is None else wanted
        self.inputs = draw_seed()
        todo = {
            name: timed
            for name, benchmarks in wanted.items()
            if (timed := [benchmark for benchmark in benchmarks if self.ok(name, benchmark.id)])
        }
        if not any(arm.alive for arm in self.arms.values()):
            self.make_arms(self.rng.sample(list(todo), len(todo)))
        rows = {
            key: self._row(key, number)
            for name, benchmarks in wanted.items()
            for benchmark in benchmarks
            for side in self.sides
            if name in side.versions and (key := (side.label, name, benchmark.id))
            if self.ok(name, benchmark.id)
            or key in self.failures
            or self.admissions[key].status != "ok"
        }
        label = f"{number + 1} of {of_all}"
        self.advance(stage, label, number, of_all)
        with self:
            keys = [key for key in self.arms if key[1] in todo]
            start_all(
                [
                    self.arms[key]
                    for key in self.rng.sample(keys, len(keys))
                    if not self.arms[key].alive
                ]
            )
            self._write_expected(todo)
            jobs = self._jobs(todo, rows)
            replicate = Replicate(jobs, self.opening, count, self.rng, self.card)
            replicate.measure(
                lambda share: self.advance(stage, label, number + share, of_all),
                pipelined=self.options.device == "cuda" and len(self.sides) == 1,
            )
            self._note_all_files(rows)
            self._refuse_impossible(rows)
        for row, failure in replicate.failed:
            row.status, row.reason = failure.status, f"{failure.reason} (in replicate {number + 1})"
        self.learn(rows.values())
        return list(rows.values())

    def _refuse_impossible(self, rows: Mapping[Key, Record]) -> None:
        """Refuse the rows of a replicate that no code could have: on a GPU that is not known."""
        if self.options.device != "cpu":
            return
        peaks = self.peaks
        for row in rows.values():
            if row.implementation in peaks:
                self.limits.add_row(row)
        self.limits.refuse(row for row in rows.values() if row.implementation not in peaks)

    def _note_all_files(self, rows: Mapping[Key, Record]) -> None:
        """Note the files that each arm has used in a replicate. Where it may not use one, its rows fail."""
        for (label, name), arm in self.arms.items():
            try:
                if arm.alive:
                    self.note_files(arm)
            except ArmFailed as failure:
                for key, row in rows.items():
                    if key[:2] == (label, name) and row.status == "ok":
                        row.status, row.reason = failure.status, failure.reason
        self._refuse_shared(rows.values())

    def _write_expected(self, todo: Mapping[str, Sequence[Benchmark]]) -> None:
        """Write the reference's results for a replicate; where calls change the state, after as many as a turn has."""
        steps: dict[tuple[str, str, bool], set[int]] = {}
        for name in todo.keys() - self.peaks:  # nothing of the peak is compared
            for benchmark in todo[name]:
                if benchmark.changes_state:
                    steps.setdefault(key_of(benchmark), set()).add(self.plan(name, benchmark).calls)
        wanted, options = dict.fromkeys(itertools.chain(*todo.values())), self.options
        self.expected = write_expected(
            wanted,
            options.seed,
            options.weights,
            self.scratch,
            self.inputs,
            agreement.REPLICATE,
            steps,
        )

    def _jobs(
        self, todo: Mapping[str, Sequence[Benchmark]], rows: Mapping[Key, Record]
    ) -> list[Job]:
        """Group the arms that take turns: with a single side all implementations, otherwise the sides of each."""
        jobs: dict[tuple[Benchmark, str], dict[ArmKey, Entry]] = {}
        for (label, name), arm in self.arms.items():
            for benchmark in todo.get(name, ()):
                row, expected = rows[label, name, benchmark.id], self.expected_of(benchmark)
                entry = Entry(benchmark, arm, self.plan(name, benchmark), row, expected)
                jobs.setdefault((benchmark, name if len(self.sides) > 1 else ""), {})[
                    label, name
                ] = entry
        return self.rng.sample(list(jobs.values()), len(jobs))

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
            key = row.side or self.sides[0].label, row.implementation, row.benchmark
            if row.status == "ok" and row.seconds is not None:
                self.seconds_seen.setdefault(key, []).append(row.seconds)
            elif self.admissions[key].status == "ok":
                self.failures.setdefault(key, ArmFailed(row.status, row.reason or ""))

    def _row(self, key: Key, number: int) -> Record:
        """Return a row with everything that is known before it is measured."""
        row = msgspec.structs.replace(
            self.admissions[key], replicate=number, input_seed=self.inputs, seconds=None
        )
        if failure := self.failures.get(key):
            row.status, row.reason = failure.status, failure.reason
        return row
