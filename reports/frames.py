"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import json_files
from benchmarks.metadata import Metadata
from benchmarks.options import Options
from impls.core.command_line import describe
from impls.core.text import one_line
from reports import benchmark_json, schema
from reports.schema import ARM, BENCHMARK, FIELDS, KEY, WORDS, Unreadable

__all__ = ["ARM", "BENCHMARK", "KEY", "Run", "Unreadable", "plain", "read_each", "read_run", "read_runs"]

USUAL_BASELINE = "torch_lstm"
ENVIRONMENT, RESULTS = "environment.json", "results.parquet"
"""The files of a run's folder that are read."""


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
        return self.metadata.run.baseline or usual_baseline(self.records["implementation"].unique())


def read_run(path: Path) -> Run:
    """Read one run.

    Args:
        path: its folder, its Parquet file alone, or the JSON of `pytest benchmarks`.

    Raises:
        Unreadable: says in one line what is wrong.
    """
    try:
        return _read(path)
    except Unreadable:
        raise
    except (OSError, MemoryError) as error:
        raise Unreadable(describe(error)) from None
    except (ValueError, OverflowError) as error:
        raise Unreadable(str(error)) from None


def _read(path: Path) -> Run:
    if path.is_dir():
        if not (path / ENVIRONMENT).exists():
            raise Unreadable(f"{path} holds no finished run: it has no {ENVIRONMENT}")
        known = json_files.read(path / ENVIRONMENT, Metadata)
        records, turns_read = _read_parquet(path / RESULTS)
        if (run_id := records["run_id"].iloc[0]) != known.run.run_id:
            raise Unreadable(f"{path} mixes two runs: {ENVIRONMENT} is of {known.run.run_id}, the rows of {run_id}")
        return Run(path, records, turns_read, known)
    if path.suffix == ".json":
        table, described = benchmark_json.read(path)
        records, turns_read = _frames(path, table.drop_columns("turns"), table["turns"])
        return Run(path, records, turns_read, msgspec.structs.replace(_of_records(records, turns_read), **described))
    records, turns_read = _read_parquet(path)
    known = _of_records(records, turns_read)
    with contextlib.suppress(ValueError):  # it may not be there, or belong to something else
        beside = json_files.read(path.with_name(ENVIRONMENT), Metadata)
        known = beside if beside.run.run_id == known.run.run_id else known
    return Run(path, records, turns_read, known)


def read_each(paths: Iterable[Path]) -> list[Run | Unreadable]:
    """Read several runs: of each path its run, or why it can't be read."""
    found: list[Run | Unreadable] = []
    for path in paths:
        try:
            found.append(read_run(path))
        except Unreadable as error:
            found.append(error)
    return found


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
        else:
            runs[run.run_id] = run
    return list(runs.values()), errors


def usual_baseline(implementations: Iterable[str]) -> str:
    """Return the baseline of a run that names none: torch_lstm if it is there, else the first implementation."""
    names = list(implementations)
    return USUAL_BASELINE if USUAL_BASELINE in names else names[0]


def _of_records(records: pd.DataFrame, turns_read: pd.DataFrame) -> Metadata:
    """Return what a run's records say of it; the rest is unknown."""
    threads = records["threads"].dropna()
    return Metadata(
        run=Options(
            run_id=str(records["run_id"].iloc[0]),
            baseline=usual_baseline(records["implementation"].unique()),
            threads=int(threads.iloc[0]) if len(threads) else 0,
            replicates=int(records["replicate"].nunique()),
            blocks=int(turns_read["block"].nunique()),
        )
    )


def _read_parquet(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the records, and FIELDS of their turns, of one Parquet file of any schema version.

    Raises:
        Unreadable: says in one line what is wrong.
    """
    if not path.is_file():
        raise Unreadable(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    try:
        columns = pq.read_schema(path)
        schema.check_columns(path, columns)
        names = [name for name in schema.RECORDS.names if name in columns.names]
        with pq.ParquetFile(path, read_dictionary=[name for name in names if name in WORDS]) as file:
            schema.check_version(path, file.read(["schema_version"])["schema_version"])
            leaves = [file.schema.column(k).path for k in range(len(file.schema))]
            wanted = [leaf for leaf in leaves if leaf.startswith("turns.") and leaf.rpartition(".")[2] in FIELDS]
            return _frames(path, file.read(names), file.read(wanted)["turns"])
    except Unreadable:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({one_line(str(error), 120)})") from None


def _frames(path: Path, table: pa.Table, column: pa.ChunkedArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records and turns as checked DataFrames; a column that an older version does not have is null."""
    table = schema.fitted(path, table, schema.RECORDS)
    words = [name for name in WORDS if not pa.types.is_dictionary(table.schema.field(name).type)]
    # the memory of a column is freed as soon as it is converted
    records = table.to_pandas(categories=words, split_blocks=True, self_destruct=True)
    lists = column.combine_chunks()
    structs = pc.list_flatten(lists)
    fields = pa.table(structs.flatten(), names=[field.name for field in structs.type])
    flat = schema.fitted(path, fields, schema.TURNS).to_pandas()
    flat["record"] = pc.list_parent_indices(lists).to_numpy()
    schema.check_values(path, records, flat)
    return records, flat


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with words in place of categories, for a table of few rows to which words are added."""
    kinds = {
        name: kind.categories.dtype for name, kind in table.dtypes.items() if isinstance(kind, pd.CategoricalDtype)
    }
    return table.astype(kinds)
