"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import json_files, processors
from benchmarks.metadata import ENVIRONMENT, Metadata, read_metadata
from benchmarks.options import Options
from benchmarks.processors import UNKNOWN
from benchmarks.record import (
    MEASURED,
    MOST_BYTES,
    RESULTS,
    SCHEMA,
    SCHEMA_VERSION,
    TURN,
    UNTRUE,
    harmless,
)
from benchmarks.words import count, listed
from impls.core.command_line import describe
from impls.core.files import read_regular
from impls.core.precision import TF32
from impls.core.text import one_line
from reports import benchmark_json

BENCHMARK = ["problem", "workload", "mode", "device"]
"""The columns that name a benchmark. Only arms of the same benchmark are compared."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]

FULL = [*KEY, "schema_version", "track", "versions", "dtype", "status"]
"""The columns that have a value in every record."""
NEEDED = {*FULL, "reason", "seconds", "turns"}
"""The columns without which a file holds no records of benchmarks."""
RECORDS = SCHEMA.remove(SCHEMA.get_field_index("turns"))
TURNS = pa.schema(list(TURN))
USUAL_BASELINE = "torch_lstm"


class Unreadable(ValueError):
    """A run that can't be read. The message says in one line what is wrong."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run: a row for each replicate, a row for each turn, and its metadata.

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
        return dict(self.records.groupby("run_id")["replicate"].nunique())

    def failures(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows, of records or of the summary, whose status is a failure on this machine."""
        return rows[~rows["status"].isin(harmless(self.metadata.machine.gpu))]

    @property
    def baseline(self) -> str:
        """The implementation that all ratios are taken to; of a run that names none, torch_lstm or its first one."""
        if self.metadata.run.baseline:
            return self.metadata.run.baseline
        names = self.records["implementation"].tolist()
        if USUAL_BASELINE in names:
            return USUAL_BASELINE
        return str(names[0])


def read_run(path: Path) -> Run:
    """Read one run from its folder, its Parquet file alone, or the JSON of `pytest benchmarks`, or raise Unreadable."""
    try:
        return _read(path)
    except (OSError, MemoryError, ValueError, OverflowError) as error:
        raise Unreadable(one_line(describe(error), 1000)) from None


def _read(path: Path) -> Run:
    metadata = Metadata(run=Options())
    if path.is_dir():
        if not (path / ENVIRONMENT).exists():
            raise Unreadable(f"{path} holds no finished run: it has no {ENVIRONMENT}")
        metadata = read_metadata(path / ENVIRONMENT)
        table = _table(path / RESULTS)
    elif path.suffix == ".json":
        if path.name == "results.json" and (path.parent / RESULTS).exists():
            raise Unreadable(f"{path} is for other programs; give its folder, {path.parent}")
        file = json_files.read(path, benchmark_json.File)
        metadata = file.metadata()
        table = file.records()
    else:
        table = _table(path)
    records, turns = _frames(path, table)
    if path.is_dir():
        measured = sorted(set(records["run_id"]))
        described = sorted(metadata.rounds or [metadata.run.run_id])
        if measured != described:
            raise Unreadable(
                f"{path} mixes runs: its rows are of {listed(measured)}, and not of {listed(described)}"
            )
    else:
        metadata = msgspec.structs.replace(metadata, run=_options(records, turns))
    return Run(path, records, turns, metadata)


def folders(place: Path) -> list[Path]:
    """Return the folders of the runs in a folder."""
    return sorted(path.parent for path in place.glob(f"*/{RESULTS}"))


def read_runs(paths: Iterable[Path]) -> tuple[list[Run], list[Unreadable]]:
    """Read several runs: each run_id once, and for each path that can't be read the reason."""
    runs: dict[str, Run] = {}
    errors = []
    for path in paths:
        try:
            run = read_run(path)
        except Unreadable as error:
            errors.append(error)
            continue
        same = runs.setdefault(run.run_id, run)
        if same is not run:
            message = f"{path} is the same run as {same.folder}: {run.run_id}"
            errors.append(Unreadable(one_line(message)))
    return list(runs.values()), errors


def _options(records: pd.DataFrame, turns: pd.DataFrame) -> Options:
    """Return what a run's records say of its options; the rest is unknown."""
    return Options(
        run_id=records["run_id"].iloc[0],
        threads=int(records["threads"].fillna(0).max()),
        replicates=records["replicate"].nunique(),
        blocks=turns["block"].nunique(),
    )


def _table(path: Path) -> pa.Table:
    """Return the records of a Parquet file of any schema version."""
    content = pa.BufferReader(read_regular(path, MOST_BYTES))
    try:
        table = pq.read_table(content)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = one_line(str(error), 120)
        raise Unreadable(f"{path} is not a readable Parquet file ({reason})") from None
    missing = NEEDED.difference(table.column_names)
    if missing:
        raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")
    return table


def _frames(path: Path, table: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records and turns as DataFrames."""
    if not len(table):
        raise Unreadable(f"{path} holds no record")
    lists = table["turns"].combine_chunks()
    try:
        turns = _fitted(pa.Table.from_struct_array(pc.list_flatten(lists)), TURNS)
        records = _fitted(table, RECORDS)
    except pa.ArrowException as error:
        raise Unreadable(f"{path}: {error}") from None
    newest = records["schema_version"].max()
    if newest > SCHEMA_VERSION:
        raise Unreadable(
            f"{path} has schema version {newest}; this version reads up to {SCHEMA_VERSION}"
        )
    untimed = (records["status"] == "ok") & ~(records["seconds"] > 0)
    wrong = records[records[FULL].isna().any(axis=1) | records.duplicated(KEY) | untimed]
    if len(wrong):
        first = "/".join(map(str, wrong[KEY].iloc[0]))
        raise Unreadable(f"{path}: the record {first} lacks a value or its time, or is there twice")
    records = withdrawn(records)
    turns = turns.assign(record=pc.list_parent_indices(lists).to_numpy())
    return records, turns[turns["record"].map(records["status"]) == "ok"]


def withdrawn(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records as record.withdraw leaves them: older files hold times of what failed."""
    failed = records[records["status"] != "ok"]
    untrue_first = failed.iloc[np.argsort(~failed["status"].isin(UNTRUE), kind="stable")]
    failures = untrue_first.drop_duplicates(ARM)[[*ARM, "status", "reason"]]
    of_arm = records[ARM].merge(failures, on=ARM, how="left")
    ok = of_arm["status"].isna()
    changed = {name: records[name].where(ok, of_arm[name]) for name in ("status", "reason")}
    changed |= {name: records[name].where(ok) for name in MEASURED if name != "turns"}
    first_call = records["first_call_seconds"].mask(changed["status"].isin(UNTRUE))
    return records.assign(**changed, first_call_seconds=first_call)


def _fitted(table: pa.Table, schema: pa.Schema) -> pd.DataFrame:
    """Return the columns of a schema, with its types; one that an older version does not have is null."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    frame: pd.DataFrame = table.select(schema.names).cast(schema).to_pandas()
    return frame


def machine_label(metadata: Metadata) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine = metadata.machine
    run = metadata.run
    label = processors.key(machine)
    if machine.gpu:
        label += f" + {machine.gpu}"
    if run.precision == TF32:
        label += ", TF32"
    if not run.threads:
        return f"{label}, {UNKNOWN} threads"
    return f"{label}, {count(run.threads, 'thread')}"


def began(run_id: str) -> str:
    """Return the day on which a run began, in UTC, as its id says, such as `2026-11-24`."""
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
