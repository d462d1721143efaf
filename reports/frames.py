"""Records of one run or many as tidy, checked DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import json_files, processors, rounds
from benchmarks.metadata import UNKNOWN, Metadata, name_and_driver
from benchmarks.options import Options
from benchmarks.record import SCHEMA, SCHEMA_VERSION, STATUSES, TURN
from benchmarks.words import count, listed
from impls.core.command_line import describe
from impls.core.precision import TF32
from impls.core.text import one_line
from reports import benchmark_json

BENCHMARK = ["problem", "workload", "mode", "device"]
"""The columns that name a benchmark. Only arms of the same benchmark are compared."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]

NEEDED = ["schema_version", *KEY, "track", "versions", "dtype", "status"]
"""The columns that a file must have, without nulls."""
WORDS = [field.name for field in SCHEMA if field.type == pa.string()]
FIELDS = (
    "block", "started", "seconds", "p99_seconds", "largest_seconds", "pressure_seconds", "outside_seconds",
    "gpu_throttled", "gpu_others",
)  # fmt: skip
"""The fields of a turn that tables and charts need."""
RECORDS = pa.schema([field for field in SCHEMA if field.name != "turns"])
TURNS = pa.schema([TURN.field(name) for name in FIELDS])
USUAL_BASELINE = "torch_lstm"
ENVIRONMENT, RESULTS = rounds.ENVIRONMENT, rounds.RESULTS


class Unreadable(ValueError):
    """A run that can't be read. The message says in one line what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, 1000))


@dataclass(frozen=True, eq=False)
class Run:
    """One run: a row for each replicate, a row for each turn, and its metadata. Words are categories.

    `folder` is the folder or file that the run was read from. A turn's `record` is the label of its row in `records`.
    """

    folder: Path
    records: pd.DataFrame
    turns: pd.DataFrame
    metadata: Metadata

    @property
    def run_id(self) -> str:
        """Such as `20261124T190533-b1085af4`."""
        return self.metadata.run.run_id

    @property
    def rounds(self) -> dict[str, int]:
        """How many replicates each of its rounds has, by the round's run_id, the oldest first."""
        replicates = self.records[["run_id", "replicate"]].drop_duplicates()
        counts = replicates["run_id"].astype(str).value_counts().sort_index()
        return {str(run_id): int(number) for run_id, number in counts.items()}

    @property
    def baseline(self) -> str:
        """The implementation that all ratios are taken to; of a run that names none, torch_lstm or its first one."""
        if self.metadata.run.baseline:
            return self.metadata.run.baseline
        names = self.records["implementation"]
        return USUAL_BASELINE if USUAL_BASELINE in set(names) else str(names.iloc[0])


def read_run(path: Path) -> Run:
    """Read one run from its folder, its Parquet file alone, or the JSON of `pytest benchmarks`, or raise Unreadable."""
    try:
        return _read(path)
    except (OSError, MemoryError, ValueError, OverflowError) as error:
        raise Unreadable(describe(error)) from None


def _read(path: Path) -> Run:
    if path.suffix == ".json":
        table, described = benchmark_json.read(path)
        records, turns_read = _frames(path, table.drop_columns("turns"), table["turns"])
        return Run(path, records, turns_read, msgspec.structs.replace(_of_records(records, turns_read), **described))
    results = path / RESULTS if path.is_dir() else path
    environment = results.with_name(ENVIRONMENT)
    if path.is_dir() and not environment.exists():
        raise Unreadable(f"{path} holds no finished run: it has no {ENVIRONMENT}")
    records, turns_read = _read_parquet(results)
    try:
        known = json_files.read(environment, Metadata)
        _refuse_others(path, records, known)
    except ValueError:
        if path.is_dir():
            raise
        known = _of_records(records, turns_read)  # what is beside a file may belong to something else
        _refuse_others(path, records, known)
    return Run(path, records, turns_read, known)


def _refuse_others(path: Path, records: pd.DataFrame, known: Metadata) -> None:
    """Raise Unreadable where records are not those of a run, or of the rounds that its metadata name."""
    found, wanted = sorted(set(records["run_id"].astype(str))), sorted(known.rounds or [known.run.run_id])
    if found != wanted:
        raise Unreadable(f"{path} mixes runs: its rows are of {listed(found)}, and not of {listed(wanted)}")


def read_runs(paths: Iterable[Path]) -> tuple[list[Run], list[Unreadable]]:
    """Read several runs: those that can be read, each run_id once, and for each other path why it can't be read."""
    runs: dict[str, Run] = {}
    errors = []
    for path in paths:
        try:
            run = read_run(path)
            if run.run_id in runs:
                raise Unreadable(f"{path} is the same run as {runs[run.run_id].folder}: {run.run_id}")
            runs[run.run_id] = run
        except Unreadable as error:
            errors.append(error)
    return list(runs.values()), errors


def _of_records(records: pd.DataFrame, turns_read: pd.DataFrame) -> Metadata:
    """Return what a run's records say of it; the rest is unknown."""
    threads = records["threads"].dropna()
    return Metadata(
        run=Options(
            run_id=str(records["run_id"].iloc[0]),
            threads=int(threads.iloc[0]) if len(threads) else 0,
            replicates=int(records["replicate"].nunique()),
            blocks=int(turns_read["block"].nunique()),
        )
    )


def _read_parquet(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the records, and FIELDS of their turns, of one Parquet file of any schema version."""
    if not path.is_file():
        raise Unreadable(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    try:
        schema = pq.read_metadata(path).schema
        leaves = [schema.column(k).path for k in range(len(schema))]
        turns = {leaf: f"turns.{leaf.rpartition('.')[2]}" for leaf in leaves if leaf.startswith("turns.")}
        missing = {*NEEDED, "reason", "seconds", "turns.block", "turns.seconds"} - {*leaves, *turns.values()}
        if missing:
            raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")
        names = [name for name in RECORDS.names if name in leaves]
        with pq.ParquetFile(path, read_dictionary=[name for name in names if name in WORDS]) as file:
            newest = pc.max(file.read(["schema_version"])["schema_version"]).as_py() or 0
            if newest > SCHEMA_VERSION:
                raise Unreadable(f"{path} has schema version {newest:g}; this version reads up to {SCHEMA_VERSION}")
            wanted = [leaf for leaf, name in turns.items() if name.removeprefix("turns.") in FIELDS]
            return _frames(path, file.read(names), file.read(wanted)["turns"])
    except Unreadable:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({one_line(str(error), 120)})") from None


def _frames(path: Path, table: pa.Table, column: pa.ChunkedArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records and turns as checked DataFrames; a column that an older version does not have is null."""
    table = fitted(path, table, RECORDS)
    words = [name for name in WORDS if not pa.types.is_dictionary(table.schema.field(name).type)]
    # the memory of a column is freed as soon as it is converted
    records = table.to_pandas(categories=words, split_blocks=True, self_destruct=True)
    lists = column.combine_chunks()
    structs = pc.list_flatten(lists)
    fields = pa.table(structs.flatten(), names=[field.name for field in structs.type])
    flat = fitted(path, fields, TURNS).to_pandas()
    flat["record"] = pc.list_parent_indices(lists).to_numpy()
    check_values(path, records, flat)
    return records, flat


def fitted(path: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the types of a schema: records that pandas has saved have other widths.

    A column that the table does not have is null. Words may be a dictionary's.
    """
    columns = []
    for field in schema:
        found = table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        if not pa.types.is_dictionary(found.type):
            try:
                found = found.cast(field.type)
            except pa.ArrowException as error:
                raise Unreadable(f"{path}: column {field.name} is not {field.type}: {error}") from None
        columns.append(found)
    return pa.table(columns, names=schema.names)


def check_values(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Raise Unreadable unless each record is there once, and their times are times."""
    if records.empty:
        raise Unreadable(f"{path} holds no record")
    for name in NEEDED:
        _refuse(path, records, records[name].isna(), f"has no {name}")
    _refuse(path, records, records.duplicated(KEY), "occurs more than once")
    _refuse(path, records, ~records["status"].isin(STATUSES), "has a status that this version does not know")
    _refuse(path, records, (records["status"] == "ok") & ~_is_time(records["seconds"]), "is ok and has no time")
    wrong = records.index.isin(turns.loc[~_is_time(turns["seconds"]), "record"])
    _refuse(path, records, pd.Series(wrong, records.index), "has a turn without a time")


def _is_time(seconds: pd.Series) -> pd.Series:
    return (seconds > 0) & (seconds < np.inf)


def _refuse(path: Path, records: pd.DataFrame, wrong: pd.Series, what: str) -> None:
    """Raise Unreadable where any record is wrong; name the first one."""
    if wrong.any():
        first = records.loc[wrong, KEY].iloc[0]
        raise Unreadable(f"{path}: {'/'.join(map(str, first))} {what}")


def machine_label(metadata: Metadata) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine, run = metadata.machine, metadata.run
    gpu = f" + {name_and_driver(machine.gpu)[0]}" if machine.gpu else ""
    gpu += ", TF32" if run.precision == TF32 else ""
    threads = count(run.threads, "thread") if run.threads else f"{UNKNOWN} threads"
    return f"{processors.key(machine)}{gpu}, {threads}"


def began(run_id: str) -> Any:
    """Return when a run began, in UTC, as its id says; NaT where the id does not say it."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with words in place of categories, for a table of few rows to which words are added."""
    kinds = {
        name: kind.categories.dtype for name, kind in table.dtypes.items() if isinstance(kind, pd.CategoricalDtype)
    }
    return table.astype(kinds)
