"""Records of one run or many as tidy DataFrames: one row a replicate, and one row a turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks.record import SCHEMA_VERSION, TURN

BENCHMARK = ["problem", "workload", "mode", "device"]
"""What arms are compared within."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]


class Unreadable(ValueError):
    """A run that can't be read; the message says what is wrong with it, in one line."""


@dataclass(frozen=True)
class Run:
    """One run's folder: a row a replicate, and what environment.json says."""

    folder: Path
    records: pd.DataFrame
    environment: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """What the run was asked to do."""
        return dict(self.environment.get("run", {}))


def read_parquet(path: Path) -> pd.DataFrame:
    """One Parquet file of records. Raises Unreadable."""
    try:
        records = pd.read_parquet(path)
    except FileNotFoundError:
        raise Unreadable(f"{path} does not exist") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path} is not a readable Parquet file ({' '.join(str(error).split())[:120]})") from None
    missing = {*KEY, "schema_version", "status", "reason", "turns"} - set(records.columns)
    if missing:
        raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")
    newest = records["schema_version"].max() if len(records) else SCHEMA_VERSION
    if newest > SCHEMA_VERSION:
        raise Unreadable(f"{path} has schema version {newest}; this version reads up to {SCHEMA_VERSION}")
    return records


def read_run(folder: Path) -> Run:
    """One run. Raises Unreadable."""
    try:
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unreadable(f"{folder} holds no finished run: it has no environment.json") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{folder}/environment.json is not readable JSON ({error})") from None
    return Run(folder, read_parquet(folder / "results.parquet"), environment)


def turns(records: pd.DataFrame) -> pd.DataFrame:
    """One row a turn: KEY, then block, position, started, seconds, wall_seconds, cpu_seconds, …"""
    kept = records.loc[records["status"] == "ok", [*KEY, "turns"]].explode("turns", ignore_index=True)
    kept = kept.dropna(subset=["turns"])
    columns = pd.DataFrame(list(kept["turns"]), index=kept.index, columns=[field.name for field in TURN])
    return pd.concat([kept.drop(columns="turns"), columns], axis=1)
