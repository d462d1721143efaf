"""python -m benchmarks bench: check every implementation, time those that agree, and write tables to a folder."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

import click
import msgspec

from benchmarks import hardware, json_files, machine
from benchmarks.bench import results_json as results
from benchmarks.bench import rounds
from benchmarks.bench.run_options import (
    RunOptions,
    changed,
    locked,
    resolved,
    resumed,
    write_files_used,
)
from benchmarks.cases import PRESETS
from benchmarks.metadata import Metadata
from benchmarks.options import command, new_run_id
from benchmarks.progress import Advance, account, progress
from benchmarks.record import Record, harmless, read_records, withdraw, write_records
from benchmarks.runner.admission import BEFORE
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, version_of
from benchmarks.scratch import scratch
from benchmarks.words import count
from impls.core import command_line, registry
from impls.core.command_line import describe, examples

SIDE = "run"


class Run:
    """A run in its folder: one side, and in raw/ a file for its admissions and for each replicate that has ended."""

    def __init__(self, options: RunOptions, folder: Path) -> None:
        self.options = options
        self.folder, self.raw = folder, folder / "raw"
        implementations = [registry.resolve(text) for text in options.implementations]
        self.side = Side(
            SIDE,
            {implementation.name: version_of(implementation) for implementation in implementations},
        )

    def execute(self, cores: tuple[int, ...], advance: Advance) -> Session:
        """Do what is left to do of the run, write it, and return its session, which has all rows."""
        self.raw.mkdir(parents=True, exist_ok=True)
        with (
            scratch() as folder,
            Session(self.options, [self.side], cores, folder, advance) as session,
        ):
            self._admit(session)
            for number in range(self.options.replicates):
                done = self.rows(number)
                if done is not None:
                    session.learn(done)
                else:
                    rows = session.replicate(
                        number, self.options.blocks, of_all=self.options.replicates
                    )
                    self._write(number, rows, session.used)
        if self.options.device == "cpu":
            session.limits.refuse_by_interval(session.records, session.peaks)
        withdraw(session.records)
        self.described = machine.describe(
            self.options, self.options.commit
        )  # the commit at its start
        json_files.write(self.folder / rounds.ENVIRONMENT, self.described)
        write_records(self.folder / rounds.RESULTS, session.records)  # with which it has ended
        return session

    def _write(self, number: int, rows: Iterable[Record], used: Mapping[str, Set[str]]) -> None:
        """Write a replicate, or with BEFORE the admissions, if all that was used is as it was when the run began.

        used: what workers have told, see Session.
        """
        if what := changed(self.options) or write_files_used(self.folder, used):
            raise click.UsageError(f"{what}. Undo that and resume, or start a new run")
        write_records(self.file(number), rows)

    def _admit(self, session: Session) -> None:
        """Admit or refuse every arm; in a resumed run, read the admissions."""
        admissions = self.rows(BEFORE)
        if admissions is not None:
            for admitted in admissions:
                session.admissions[SIDE, admitted.implementation, admitted.benchmark] = admitted
                failure = self.side.versions[admitted.implementation].failure
                if admitted.status == "ok" and failure is not None:
                    raise click.UsageError(
                        f"{admitted.implementation} can't be measured any more: {failure.reason}"
                    )
            return
        session.admit()
        if (
            self.options.device != "cpu"
        ):  # a GPU's profiler may go on slowing down the processes that it watched
            session.close()
        self._write(BEFORE, session.admissions.values(), session.used)

    def file(self, number: int) -> Path:
        """Return the file of a replicate, or with BEFORE that of the admissions."""
        return self.raw / (
            "admissions.parquet" if number == BEFORE else f"replicate-{number:03}.parquet"
        )

    def rows(self, number: int) -> list[Record] | None:
        """Return the rows of a replicate, or with BEFORE the admissions; None where they must be measured."""
        path = self.file(number)
        try:
            return read_records(path) if path.exists() else None
        except ValueError as error:  # such as a damaged disk
            raise click.UsageError(f"{error}; remove it, and it is measured again") from None


def measured(options: RunOptions, folder: Path) -> tuple[list[Record], Metadata]:
    """Do what is left to do of a run or a round, and return what was measured; its folder has it too."""
    run, began = Run(options, folder), time.time()
    with progress() as advance:
        session = run.execute(hardware.choose_cores(options.threads, options.device), advance)
    command_line.say(account(began, session.records))
    return session.records, run.described


def in_rounds(options: RunOptions, folder: Path) -> tuple[list[Record], Metadata]:
    """Do the rounds that are left to do, each in a folder of its own, and join all."""
    places = [folder / f"round-{number}" for number in range(1, options.rounds + 1)]
    for place in rounds.paced(place for place in places if not rounds.is_whole(place)):
        command_line.say(f"{place.name} of {options.rounds}", err=True)
        place.mkdir(exist_ok=True)
        if not (place / "run.json").exists():
            mine = msgspec.structs.replace(options, rounds=1, run_id=new_run_id())
            json_files.write(place / "run.json", mine)
        measured(resumed(RunOptions(resume=str(place)))[0], place)
    try:
        return rounds.joined([rounds.Read.of(place) for place in places], folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


PRESET_LINES = "\n".join(
    f"  {name:17} {count(len(it.problems), 'shape')}, {count(len(it.pairs), 'mode')}, {it.replicates} replicates;"
    f" {', '.join(it.implementations[:2]) or 'every LSTM here'}{', …' * (len(it.implementations) > 2)}"
    for name, it in PRESETS.items()
)


@command(
    RunOptions,
    epilog=examples(
        "benchmarks bench --problem t100-b32-i64-h256",
        "benchmarks bench --impl torch_lstm --impl path/to/mine.py",
        more=f"\n\b\nPresets:\n{PRESET_LINES}",
    ),
    defaults=dict.fromkeys(("implementations", "problems", "workloads", "modes"), "the preset's"),
)
def bench(options: RunOptions) -> int:
    """Check every LSTM, then time those that agree."""
    options, folder = resumed(options) if options.resume else resolved(options)
    resume = command_line.again("benchmarks", "bench", "--resume", command_line.near(folder))
    report = ["reports", "report", command_line.near(folder)]
    command_line.heed_signals()
    with locked(folder):
        try:
            records, described = (measured if options.rounds == 1 else in_rounds)(options, folder)
            json_files.write(
                folder / "results.json", results.pytest_benchmark_json(records, described)
            )
            if all(record.status != "ok" for record in records):
                reasons = sorted({f"{record.status}: {record.reason}" for record in records})
                command_line.say(f"nothing was timed ({'; '.join(reasons[:3])})", err=True)
            # in a process of its own: an error in the report cannot lose the measurement. Its last lines are the answer
            reported = subprocess.run([sys.executable, "-m", *report], check=False)
        except KeyboardInterrupt:
            command_line.say(f"interrupted; continue with: {resume}", err=True)
            return 130
        except OSError as error:  # such as a full disk
            how = f"; when that is fixed, continue with: {resume}"
            raise click.UsageError(
                describe(error) + (how if (folder / "run.json").exists() else "")
            ) from None
    if reported.returncode:
        command_line.say(f"no report could be made; where it can: {command_line.again(*report)}")
    statuses = harmless(described.machine.gpu)
    bad = any(record.status not in statuses for record in records)
    return 1 if bad or reported.returncode not in (0, command_line.NOT_INSTALLED) else 0
