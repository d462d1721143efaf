"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.record import SCHEMA_VERSION

BENCHMARK = ["problem", "workload", "mode", "device"]
"""What arms are compared within."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]


class Unreadable(ValueError):
    """A run that can't be read; the message says what is wrong with it, in one line."""


@dataclass(frozen=True)
class Run:
    """One run's folder: a row a replicate, a row a turn (without its single samples), and what environment.json says.

    A turn's `record` is the label of its row in `records`.
    """

    folder: Path
    records: pd.DataFrame
    turns: pd.DataFrame
    environment: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """What the run was asked to do."""
        return dict(self.environment.get("run", {}))


def read_parquet(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records and the turns of one Parquet file, of any schema version up to this one's. Raises Unreadable."""
    try:
        file = pq.ParquetFile(path)
        leaves = [file.schema.column(k).path for k in range(len(file.schema))]
        table = file.read([leaf for leaf in leaves if not leaf.startswith("turns.") or ".samples" not in leaf])
    except FileNotFoundError:
        raise Unreadable(f"{path} does not exist") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    missing = {*KEY, "schema_version", "status", "reason", "turns"} - set(table.column_names)
    if missing:
        raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")
    records = table.drop_columns(["turns"]).to_pandas()
    newest = records["schema_version"].max() if len(records) else SCHEMA_VERSION
    if newest > SCHEMA_VERSION:
        raise Unreadable(f"{path} has schema version {newest}; this version reads up to {SCHEMA_VERSION}")
    return records, _flat(table["turns"])


def _flat(column: pa.ChunkedArray) -> pd.DataFrame:
    """A column of lists of structs as one row a struct, with the number of its list as `record`."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    structs = pc.list_flatten(column)
    found = pa.Table.from_arrays(structs.flatten(), names=[field.name for field in structs.type]).to_pandas()
    return pd.DataFrame(found).assign(record=pc.list_parent_indices(column).to_numpy())


def read_run(folder: Path) -> Run:
    """One run. Raises Unreadable."""
    try:
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unreadable(f"{folder} holds no finished run: it has no environment.json") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{folder}/environment.json is not readable JSON ({error})") from None
    return Run(folder, *read_parquet(folder / "results.parquet"), environment)


def turns(run: Run, records: pd.DataFrame) -> pd.DataFrame:
    """The turns of these of its records, one row each: KEY, then block, position, started, seconds, wall_seconds, …

    Words are categories, so that a million turns take little memory.
    """
    keys = records[KEY].astype(dict.fromkeys((name for name in KEY if name != "replicate"), "category"))
    return run.turns.merge(keys, left_on="record", right_index=True).drop(columns="record")
