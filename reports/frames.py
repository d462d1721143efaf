"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.metadata import Metadata
from benchmarks.record import SCHEMA, SCHEMA_VERSION
from impls.core.command_line import describe
from impls.core.files import open_regular
from impls.core.text import one_line
from reports import benchmark_json
from reports.copies import share_turns
from reports.metadata import checked, from_records, read_json
from reports.schema import (
    ARM,
    BENCHMARK,
    KEY,
    WORDS,
    Unreadable,
    check_numbers,
    check_together,
    check_types,
    check_values,
)

__all__ = ["ARM", "BENCHMARK", "FIELDS", "KEY", "Run", "Unreadable", "plain", "read_run", "read_runs", "turns"]

Check = Callable[[Path, pd.DataFrame, pd.DataFrame], None]
"""Gets the path of a file, its records and its turns, and raises Unreadable where they can't be true."""
FIELDS = ("block", "started", "seconds", "gpu_throttled", "gpu_others")
"""The fields of a turn that tables and charts need."""
MOST_BYTES, MOST_VALUES = 2**30, 100_000_000
"""The most that a Parquet file may hold, unpacked, in the columns that are read; a million records are 42 million."""


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
    def baseline(self) -> str:
        """The implementation that all ratios are taken to."""
        return self.metadata.run.baseline


def read_run(path: Path, fields: Sequence[str] = FIELDS, check: Check = check_values) -> Run:
    """Read one run.

    Args:
        path: its folder, its Parquet file alone, or pytest-benchmark's JSON.
        fields: the fields of a turn to read, of those in benchmarks.record.TURN. A field that the run's schema version
            does not have is NaN.
        check: checks the values of a folder's records; those of a file alone are always checked.

    Raises:
        Unreadable: says in one line what is wrong.
    """
    if path.is_dir():
        if not (path / "environment.json").exists():
            raise Unreadable(f"{path} holds no finished run: it has no environment.json")
        known = checked(read_json(path / "environment.json"), f"{path}/environment.json")
        records, turns_read = read_parquet(path / "results.parquet", fields, check)
        if (run_id := records["run_id"].iloc[0]) != known.run.run_id:
            check_values(path / "results.parquet", records, turns_read)
            raise Unreadable(f"{path} mixes two runs: environment.json is of {known.run.run_id}, the rows of {run_id}")
        return Run(path, records, turns_read, known)
    if path.suffix == ".json":
        table, turns_column, known = benchmark_json.read(path)
        return Run(path, *_frames(path, table, turns_column, fields, check_values), known)
    records, turns_read = read_parquet(path, fields)
    known = from_records(records, turns_read)
    beside = path.with_name("environment.json")
    with contextlib.suppress(Unreadable):  # it may belong to something else
        said = checked(read_json(beside), str(beside))
        known = said if said.run.run_id == known.run.run_id else known
    return Run(path, records, turns_read, known)


def read_each(paths: Iterable[Path]) -> list[Run | Unreadable]:
    """Read several runs: of each path its run, or why it can't be read. Their values are checked together."""
    found = [_read_unchecked(path) for path in paths]
    runs = [each for each in found if isinstance(each, Run) and each.folder.is_dir()]  # a file alone has been checked
    wrong = check_together([(run.folder / "results.parquet", run.records, run.turns) for run in runs])
    by_run = dict(zip(map(id, runs), wrong, strict=True))
    return [by_run.get(id(each)) or each for each in found]


def _read_unchecked(path: Path) -> Run | Unreadable:
    try:
        return read_run(path, check=lambda *_: None)
    except Unreadable as error:
        return error
    except (OSError, MemoryError) as error:
        return Unreadable(describe(error))


def read_runs(paths: Iterable[Path]) -> tuple[list[Run], list[Unreadable]]:
    """Read several runs: those that can be read, each run_id once, and for each other path why it can't be read."""
    runs: dict[str, Run] = {}
    errors = []
    paths = list(paths)
    for path, run in zip(paths, read_each(paths), strict=True):
        if isinstance(run, Unreadable):
            errors.append(run)
        elif run.run_id in runs:
            errors.append(Unreadable(f"{path} is the same run as {runs[run.run_id].folder}: {run.run_id}"))
        elif same := next((known for known in runs.values() if share_turns(run.turns, known.turns)), None):
            errors.append(Unreadable(f"{path} holds turns of {same.folder}, under another run id: {run.run_id}"))
        else:
            runs[run.run_id] = run
    return list(runs.values()), errors


def read_parquet(
    path: Path, fields: Sequence[str] = FIELDS, check: Check = check_values
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the records, and these fields of their turns, of one Parquet file of any schema version.

    Raises:
        Unreadable: says in one line what is wrong.
    """
    try:
        source = open_regular(path, MOST_BYTES)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    try:
        with source, pq.ParquetFile(source) as file:
            check_types(path, file.schema_arrow)
            _check_size(path, file.metadata, fields)
            _check_version(path, file)
            filled = [field.name for field in file.schema_arrow if not pa.types.is_null(field.type)]
            names = [name for name in filled if name in SCHEMA.names and name != "turns"]
            leaves = [file.schema.column(k).path.split(".") for k in range(len(file.schema))]
            wanted = [".".join(leaf) for leaf in leaves if leaf[0] == "turns" and leaf[-1] in fields]
            with pq.ParquetFile(source, read_dictionary=[name for name in names if name in WORDS]) as words:
                return _frames(path, words.read(names), words.read(wanted)["turns"], fields, check)
    except Unreadable:
        raise
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({one_line(str(error), 120)})") from None


def _check_size(path: Path, file: pq.FileMetaData, fields: Sequence[str]) -> None:
    """Raise Unreadable where the columns that are read hold too much, as the file itself says: it is packed."""
    groups = [file.row_group(k) for k in range(file.num_row_groups)]
    columns = [group.column(k) for group in groups for k in range(group.num_columns)]
    read = [
        column
        for column in columns
        if (leaf := column.path_in_schema.split("."))[0] in SCHEMA.names and (leaf[0] != "turns" or leaf[-1] in fields)
    ]
    size, values = (sum(getattr(each, name) for each in read) for name in ("total_uncompressed_size", "num_values"))
    if size > MOST_BYTES or values > MOST_VALUES:
        raise Unreadable(
            f"{path} holds {values} values in {size / 2**20:.0f} MiB; at most {MOST_VALUES} values in"
            f" {MOST_BYTES / 2**20:.0f} MiB are read"
        )


def _check_version(path: Path, file: pq.ParquetFile) -> None:
    """Raise Unreadable where a record has a newer schema version: nothing is known of its columns."""
    if "schema_version" in file.schema_arrow.names:
        newest = pc.max(file.read(["schema_version"])["schema_version"]).as_py() or 0
        if newest > SCHEMA_VERSION:
            raise Unreadable(f"{path} has schema version {newest:g}; this version reads up to {SCHEMA_VERSION}")


def _frames(
    path: Path, table: pa.Table, turns: pa.ChunkedArray, fields: Sequence[str], check: Check
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records and turns as checked DataFrames; a column that an older version does not have is null."""
    for field in SCHEMA:
        if field.name not in (*table.column_names, "turns"):
            table = table.append_column(field, pa.nulls(len(table), field.type))
    check_numbers(path, table)
    words = [name for name in WORDS if not pa.types.is_dictionary(table.schema.field(name).type)]
    # the memory of a column is freed as soon as it is converted
    records = table.to_pandas(categories=words, split_blocks=True, self_destruct=True)
    column = turns.combine_chunks()
    structs = pc.list_flatten(column)
    names = [field.name for field in structs.type]
    fields_read = pa.table(structs.flatten(), names=names)
    check_numbers(path, fields_read, "turns.")
    flat = fields_read.to_pandas().reindex(columns=list(fields))
    flat["record"] = pc.list_parent_indices(column).to_numpy()
    if records.empty:
        raise Unreadable(f"{path} holds no record")
    check(path, records, flat)
    return records, flat


def turns(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """Return the turns of these of the run's records, a row for each turn: FIELDS and KEY. Words are categories."""
    return run.turns.merge(records[KEY], left_on="record", right_index=True).drop(columns="record")


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with words in place of categories, for a table of few rows to which words are added."""
    kinds = {
        name: kind.categories.dtype for name, kind in table.dtypes.items() if isinstance(kind, pd.CategoricalDtype)
    }
    return table.astype(kinds)
