"""The folder raw/ of a run: what has been measured so far. What does not fit is moved aside and measured again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.cases import Benchmark
from benchmarks.record import Record, read_records, write_records
from impls.core import command_line
from impls.core.files import remove_unfinished

ADMISSIONS = "admissions.parquet"
Content = TypeVar("Content")


class Raw:
    """The folder, and the id of its run."""

    def __init__(self, folder: Path, run_id: str, replicates: int) -> None:
        self.folder = folder
        self.run_id = run_id
        self.names = [f"replicate-{number:03}.parquet" for number in range(replicates)]

    def open(self) -> None:
        """Make the folder, or tidy up what a killed process left. Name the replicates that are not of this run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.folder)
        for path in sorted(self.folder.glob("replicate-*.parquet")):
            if path.name not in self.names:
                command_line.say(f"warning: {path} is no replicate of this run; it is left out", err=True)

    def _usable(self, name: str, read: Callable[[Path], Content]) -> Content | None:
        """Return what a file holds; None where it is missing, or does not fit, which is said."""
        path = self.folder / name
        if not os.path.lexists(path):
            return None
        try:
            return read(path)
        except ValueError as error:
            free = (f"{name}.damaged{number or ''}" for number in itertools.count())
            aside = next(path.with_name(name) for name in free if not os.path.lexists(path.with_name(name)))
            path.rename(aside)
            reason = str(error).removeprefix(str(path)).lstrip(": ")
            command_line.say(f"warning: {path}: {reason}; it is now {aside.name} and is measured again", err=True)
            return None

    def admissions(self, names: Collection[str], benchmarks: Sequence[Benchmark]) -> list[Record] | None:
        """Return the admissions of a run that is resumed; None where they must be made."""
        pairs = sorted((name, benchmark.id) for name in names for benchmark in benchmarks)

        def read_admissions(path: Path) -> list[Record]:
            admissions = read_records(path, sealed=True)
            if sorted((row.implementation, row.benchmark) for row in admissions) != pairs:
                raise ValueError("its admissions are not those of this run")
            return admissions

        return self._usable(ADMISSIONS, read_admissions)

    def replicate(self, number: int) -> list[Record] | None:
        """Return the rows of a replicate; None where it must be measured."""

        def read(path: Path) -> list[Record]:
            rows = read_records(path, sealed=True)
            for row in rows:
                if (row.run_id, row.replicate) != (self.run_id, number):
                    raise ValueError(f"it is replicate {row.replicate} of run {row.run_id}")
            if not rows:
                raise ValueError("it holds no rows")
            return rows

        return self._usable(self.names[number], read)

    def write(self, number: int, rows: Iterable[Record]) -> None:
        """Write a replicate, whole or not at all."""
        write_records(self.folder / self.names[number], rows)
