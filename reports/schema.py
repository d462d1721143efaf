"""What the records of a run must be: their columns, and the values without which no table would be true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.record import SCHEMA, SCHEMA_VERSION, TURN
from impls.core.text import one_line

BENCHMARK = ["problem", "workload", "mode", "device"]
"""The columns that name a benchmark. Only arms of the same benchmark are compared."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]

NEEDED = ["schema_version", *KEY, "track", "versions", "dtype", "status"]
"""The columns that a file must have, without nulls."""
WORDS = [field.name for field in SCHEMA if field.type == pa.string()]
FIELDS = ("block", "started", "seconds", "gpu_throttled", "gpu_others")
"""The fields of a turn that tables and charts need."""


class Unreadable(ValueError):
    """A run that can't be read. The message says in one line what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, 1000))


def check_columns(path: Path, columns: pa.Schema) -> None:
    """Check that a file has the columns of records.

    Raises:
        Unreadable: names the first column that is missing.
    """
    turns = columns.field("turns").type if "turns" in columns.names else pa.null()
    structs = turns.value_type if pa.types.is_list(turns) else pa.null()
    fields = [f"turns.{field.name}" for field in structs] if pa.types.is_struct(structs) else []
    missing = {*NEEDED, "reason", "seconds", "turns", "turns.block", "turns.seconds"} - {*columns.names, *fields}
    if missing:
        raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")


def fitted(path: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the types of a schema: records that pandas has saved have other widths.

    A column that the table does not have is null. Words may be a dictionary's.

    Raises:
        Unreadable: names a column that holds something else.
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


RECORDS = pa.schema([field for field in SCHEMA if field.name != "turns"])
TURNS = pa.schema([TURN.field(name) for name in FIELDS])


def check_version(path: Path, versions: pa.ChunkedArray) -> None:
    """Raise Unreadable where a record has a newer schema version: nothing is known of its columns."""
    newest = pc.max(versions).as_py() or 0
    if newest > SCHEMA_VERSION:
        raise Unreadable(f"{path} has schema version {newest:g}; this version reads up to {SCHEMA_VERSION}")


def check_values(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Check that records are those of one run, each there once, and that their times are times.

    Raises:
        Unreadable: names the column and the row's KEY, for the first value that can't be true.
    """
    if records.empty:
        raise Unreadable(f"{path} holds no record")
    for name in NEEDED:
        _refuse(path, records, records[name].isna(), f"has no {name}")
    if len(runs := list(records["run_id"].unique())) > 1:
        raise Unreadable(f"{path} holds rows of {len(runs)} runs ({runs[0]}, {runs[1]}); it must hold one run")
    _refuse(path, records, records.duplicated(KEY), "occurs more than once")
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
