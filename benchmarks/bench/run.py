"""A run in its folder, and the rounds of one: what has been measured is read, and the rest is measured."""

import itertools
import time
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from benchmarks import duration, hardware, json_files, machine
from benchmarks.bench.rounds import PAUSE_SECONDS, SavedRun, joined, paced
from benchmarks.bench.run_options import FILES, RunOptions, changed, files_used, resumed
from benchmarks.options import new_run_id, start_of
from benchmarks.progress import Advance, account, progress
from benchmarks.record import Record, read_records, write_records
from benchmarks.runner.admission import BEFORE
from benchmarks.runner.files_seen import FilesSeen
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, version_of
from benchmarks.scratch import scratch
from impls.core import command_line, registry

SIDE = "run"


class Run:
    """A run in its folder: one side, and in raw/ a file for its admissions and for each replicate that has ended."""

    def __init__(self, options: RunOptions, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.raw = folder / "raw"
        implementations = [registry.resolve(text) for text in options.implementations]
        lstms = [each.name for each in implementations if each.is_lstm]
        self.rivals = [name for name in lstms if name != options.baseline]
        self.side = Side(SIDE, {each.name: version_of(each) for each in implementations})

    def execute(self, cores: tuple[int, ...], advance: Advance) -> Session:
        """Do what is left to do of the run, and return its session, which has all rows."""
        self.raw.mkdir(parents=True, exist_ok=True)
        replicates = self.options.replicates
        with (
            scratch() as folder,
            Session(self.options, [self.side], cores, folder, advance) as session,
        ):
            session.files.hashes = files_used(self.folder)
            self._admit(session)
            wanted = None
            if self._is_baseline_alone(session):
                command_line.say(
                    f"only {self.options.baseline} is left: nothing is timed", err=True
                )
                wanted = dict.fromkeys(self.rivals, session.benchmarks)
            for number in range(replicates):
                rows = self.rows(number)
                if rows is not None:
                    session.learn(rows)
                else:
                    rows = session.replicate(number, self.options.blocks, wanted, of_all=replicates)
                    self._write(number, rows, session.files)
        if self.options.device == "cpu":
            session.limits.refuse_by_interval(session.records)
        return session

    def _admit(self, session: Session) -> None:
        """Admit or refuse every arm; in a resumed run, read the admissions."""
        admissions = self.rows(BEFORE)
        if admissions is None:
            session.admit()
            if self.options.device != "cpu":
                # a GPU's profiler may go on slowing down the processes that it watched
                session.close()
            self._write(BEFORE, session.admissions.values(), session.files)
            return
        for row in admissions:
            session.admissions[SIDE, row.implementation, row.benchmark] = row
            failure = self.side.versions[row.implementation].failure
            if row.status == "ok" and failure is not None:
                raise click.UsageError(
                    f"{row.implementation} can't be measured any more: {failure.reason}"
                )

    def _is_baseline_alone(self, session: Session) -> bool:
        """Whether everything that the baseline was to be compared with has been refused."""
        pairs = itertools.product(self.rivals, session.benchmarks)
        return bool(self.rivals) and not any(session.ok(name, each.id) for name, each in pairs)

    def _write(self, number: int, rows: Iterable[Record], files: FilesSeen) -> None:
        """Write a replicate, or with BEFORE the admissions, if all that was used is as it was when the run began."""
        change = changed(self.options) or files.change
        if change:
            raise click.UsageError(f"{change}. Undo that and resume, or start a new run")
        json_files.write(self.folder / FILES, files.hashes)
        write_records(self.file(number), rows)

    def file(self, number: int) -> Path:
        """Return the file of a replicate, or with BEFORE that of the admissions."""
        if number == BEFORE:
            return self.raw / "admissions.parquet"
        return self.raw / f"replicate-{number:03}.parquet"

    def rows(self, number: int) -> list[Record] | None:
        """Return the rows of a replicate, or with BEFORE the admissions; None where they must be measured."""
        path = self.file(number)
        if not path.exists():
            return None
        try:
            return read_records(path)
        except ValueError as error:  # such as a damaged disk
            raise click.UsageError(f"{error}; remove it, and it is measured again") from None


def seconds_left(options: RunOptions, folder: Path) -> float:
    """Return about how long it takes to do what is left to do of a run, or of its rounds."""
    if options.rounds == 1:
        raw = folder / "raw"
        done = len(list(raw.glob("replicate-*.parquet")))
        admitted = (raw / "admissions.parquet").exists()
        return duration.seconds(options, options.replicates - done, admitted)
    of_round = msgspec.structs.replace(options, rounds=1)
    of_each = [seconds_left(of_round, place) for place in places(options, folder)]
    to_do = [seconds for seconds in of_each if seconds]
    to_next = [max(options.every, seconds + PAUSE_SECONDS) for seconds in to_do[:-1]]
    return sum(to_next) + sum(to_do[-1:])


def measure(options: RunOptions, folder: Path) -> SavedRun:
    """Do what is left to do of a run, or of its rounds, and return what was measured; its folder has it too."""
    if options.rounds > 1:
        return measure_rounds(options, folder)
    began = time.time()
    run = Run(options, folder)
    cores = hardware.choose_cores(options.threads, options.device)
    with progress(duration.stages(options)) as advance:
        records = run.execute(cores, advance).records
        saved = SavedRun(folder, records, machine.describe(options, at=options.commit))
        saved.write()
    command_line.say(account(began, records))
    return saved


def measure_rounds(options: RunOptions, folder: Path) -> SavedRun:
    """Do the rounds that are left to do, each in a folder of its own, and join all."""
    left = (place for place in places(options, folder) if not is_whole(place))
    for place in paced(left, lambda place: due(place, options.every)):
        command_line.say(f"{place.name} of {options.rounds}", err=True)
        place.mkdir(exist_ok=True)
        if not (place / "run.json").exists():
            of_round = msgspec.structs.replace(options, rounds=1, every=0.0, run_id=new_run_id())
            json_files.write(place / "run.json", of_round)
        of_round, _ = resumed(RunOptions(resume=str(place)))
        measure(of_round, place)
    with command_line.usage_errors():
        return joined(map(SavedRun.read, places(options, folder)), folder)


def places(options: RunOptions, folder: Path) -> list[Path]:
    """Return the folder of each round of a run."""
    return [folder / f"round-{number}" for number in range(1, options.rounds + 1)]


def due(place: Path, every: float) -> float:
    """Return the time.time() before which a round must not begin: so many seconds after the last one beside it began.

    It is 0 where the round has begun itself.
    """
    if not every or (place / "run.json").exists():
        return 0.0
    with command_line.usage_errors():
        begun = [
            json_files.read(path, RunOptions) for path in place.parent.glob("round-*/run.json")
        ]
    starts = [start_of(of_round.run_id).timestamp() for of_round in begun]
    return max(starts, default=0.0) + every


def is_whole(folder: Path) -> bool:
    """Return whether a round has ended, and its files can be read."""
    try:
        SavedRun.read(folder)
    except ValueError:
        return False
    return True
