"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.record import SCHEMA, SCHEMA_VERSION
from reports import benchmark_json, metadata
from reports.schema import ARM, BENCHMARK, KEY, WORDS, Unreadable, check_types, check_values

__all__ = ["ARM", "BENCHMARK", "FIELDS", "KEY", "Run", "Unreadable", "plain", "read_run", "read_runs", "turns"]

FIELDS = ("block", "started", "seconds")
"""Of a turn, what tables and figures need."""


@dataclass(frozen=True)
class Run:
    """One run: a row a replicate, a row a turn, and what environment.json says. Words are categories.

    `folder` is where it was read from: a folder or a file. A turn's `record` is the label of its row in `records`.
    """

    folder: Path
    records: pd.DataFrame
    turns: pd.DataFrame
    environment: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """What the run was asked to do."""
        return dict(self.environment.get("run", {}))


def read_run(path: Path, fields: Sequence[str] = FIELDS) -> Run:
    """One run: its folder, its Parquet file alone, or pytest-benchmark's JSON. Raises Unreadable.

    `fields` are those of a turn that are read, of benchmarks.record.TURN; one that the run's schema version had not
    is NaN.
    """
    if path.is_dir():
        try:
            known = metadata.read_json(path / "environment.json")
        except metadata.Missing:
            raise Unreadable(f"{path} holds no finished run: it has no environment.json") from None
        known = metadata.checked(known, f"{path}/environment.json")
        return Run(path, *read_parquet(path / "results.parquet", fields), known)
    if path.suffix == ".json":
        table, known = benchmark_json.read(path)
        return Run(path, *_frames(path, table.drop_columns(["turns"]), table["turns"], fields), known)
    records, found = read_parquet(path, fields)
    known = metadata.of_records(records, found)
    beside = path.with_name("environment.json")
    with contextlib.suppress(Unreadable):  # it may be anybody's
        said = metadata.checked(metadata.read_json(beside), str(beside))
        known = said if said["run"]["run_id"] == known["run"]["run_id"] else known
    return Run(path, records, found, known)


def read_runs(paths: Iterable[Path]) -> tuple[list[Run], list[Unreadable]]:
    """All runs that can be read, each run_id once, and why each of the others can't be."""
    runs: dict[str, Run] = {}
    errors = []
    for path in paths:
        try:
            run = read_run(path)
        except Unreadable as error:
            errors.append(error)
            continue
        other = runs.setdefault(run.options["run_id"], run)
        if other is not run:
            errors.append(Unreadable(f"{path} is the same run as {other.folder}: {run.options['run_id']}"))
    return list(runs.values()), errors


def read_parquet(path: Path, fields: Sequence[str] = FIELDS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records, and these fields of the turns, of one Parquet file of any schema version. Raises Unreadable."""
    try:
        with pq.ParquetFile(path) as file:
            _check_version(path, file)
            check_types(path, file.schema_arrow)
            told = [field.name for field in file.schema_arrow if not pa.types.is_null(field.type)]
            names = [name for name in told if name in SCHEMA.names and name != "turns"]
            leaves = [file.schema.column(k).path.split(".") for k in range(len(file.schema))]
        with pq.ParquetFile(path, read_dictionary=[name for name in names if name in WORDS]) as file:
            wanted = [".".join(leaf) for leaf in leaves if leaf[0] == "turns" and leaf[-1] in fields]
            return _frames(path, file.read(names), file.read(wanted)["turns"], fields)
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable(f"{path} does not exist") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None


def _check_version(path: Path, file: pq.ParquetFile) -> None:
    """Raises Unreadable where a record has a newer schema version than this one: its columns may be of any kind."""
    if "schema_version" in file.schema_arrow.names:
        newest = pc.max(file.read(["schema_version"])["schema_version"]).as_py()
        if isinstance(newest, int) and newest > SCHEMA_VERSION:
            raise Unreadable(f"{path} has schema version {newest}; this version reads up to {SCHEMA_VERSION}")


def _frames(
    path: Path, table: pa.Table, turns: pa.ChunkedArray, fields: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records and turns as DataFrames, their values checked; a column that an older version had not is null."""
    for field in SCHEMA:
        if field.name not in (*table.column_names, "turns"):
            table = table.append_column(field, pa.nulls(len(table), field.type))
    words = [name for name in WORDS if not pa.types.is_dictionary(table.schema.field(name).type)]
    # every column is let go as soon as it is converted
    records = table.to_pandas(categories=words, split_blocks=True, self_destruct=True)
    column = turns.combine_chunks()
    structs = pc.list_flatten(column)
    names = [field.name for field in structs.type]
    found = pa.table(structs.flatten(), names=names).to_pandas().reindex(columns=list(fields))
    found["record"] = pc.list_parent_indices(column).to_numpy()
    check_values(path, records, found)
    return records, found


def turns(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """The turns of these of its records, one row each: the FIELDS that were read, and KEY. Words are categories."""
    return run.turns.merge(records[KEY], left_on="record", right_index=True).drop(columns="record")


def plain(found: pd.DataFrame) -> pd.DataFrame:
    """The same with words in place of categories: for a frame of few rows, which others may add words to."""
    kinds = {
        name: kind.categories.dtype for name, kind in found.dtypes.items() if isinstance(kind, pd.CategoricalDtype)
    }
    return found.astype(kinds)
