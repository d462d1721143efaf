"""Runs of years and of many machines: a file for each run, on any address that fsspec knows.

    ADDRESS/month=YYYY-MM/RUN_ID.parquet

A file is a run's results.parquet, and has its environment.json in the metadata of Parquet. It is written whole, so a
second writer or a second try replaces it. Files of older schema versions stay as they are.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.metadata import Metadata
from impls.core.files import check_regular, write_text, write_whole
from impls.core.text import one_line
from reports.charts.drawing import file_name
from reports.frames import ENVIRONMENT, RESULTS, Unreadable, began, machine_label, read_run

IN_FILE = b"lstm-bench run"
"""The key of a Description in a file's metadata."""
A_RUN = re.compile(r"month=[^/]+/[^./][^/]*\.parquet")
"""A path in a dataset. One that starts with a dot is a file that is being written."""
AT_ONCE = 16
"""The files whose metadata are read at a time: a store takes long to answer."""
COLUMNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("machine_label", pa.string()),
        ("machine", pa.string()),
        ("month", pa.string()),
        ("date", pa.timestamp("us", "UTC")),
        ("commit", pa.string()),
        ("baseline", pa.string()),
        ("implementations", pa.list_(pa.string())),
        ("file", pa.string()),
    ]
)
"""What a condition may use."""


class Description(msgspec.Struct):
    """What a file says of its run: its implementations, and the text of its environment.json."""

    implementations: list[str]
    environment: str


class Dataset:
    """A dataset at an address such as /data/lstm or s3://bucket/lstm.

    `unreadable` has why files of the last runs() can't be read.
    """

    def __init__(self, address: str) -> None:
        import fsspec  # of the group `dataset`

        self.address = str(address).rstrip("/")
        self.files, self.root = fsspec.core.url_to_fs(self.address)
        self.is_folder = "file" in self.files.protocol
        self.unreadable: list[Unreadable] = []

    def put(self, folder: Path) -> str:
        """Add a run, or replace it, and return its id."""
        run = read_run(folder)
        names = sorted(map(str, run.records["implementation"].unique()))
        described = Description(names, (folder / ENVIRONMENT).read_text(encoding="utf-8"))
        table = pq.read_table(folder / RESULTS)
        known = {**(table.schema.metadata or {}), IN_FILE: msgspec.json.encode(described)}
        buffer = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(known), buffer, compression="zstd")
        date = began(run.run_id)
        month = "unknown" if pd.isna(date) else f"{date:%Y-%m}"
        path = f"{self.root}/month={month}/{file_name(run.run_id)}.parquet"
        if self.is_folder:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(Path(path), lambda temporary: temporary.write_bytes(buffer.getvalue()))
        else:  # a store has a file only when it is whole
            self.files.pipe_file(path, buffer.getvalue().to_pybytes())
        return run.run_id

    def runs(self, where: str = "") -> pd.DataFrame:
        """Return the runs that a condition of SQL chooses, the newest first, with COLUMNS.

        Args:
            where: such as "machine_label LIKE 'AMD%' AND date > '2026-11-01'"; empty for all.

        Raises:
            ValueError: where there is none, or the condition is no SQL.
        """
        import duckdb

        with ThreadPoolExecutor(AT_ONCE) as pool:
            read = list(pool.map(self._row, self._names()))
        self.unreadable = [each for each in read if isinstance(each, Unreadable)]
        rows = [each for each in read if not isinstance(each, Unreadable)]
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("runs", pa.Table.from_pylist(rows, schema=COLUMNS))
            chosen = f"SELECT * FROM runs WHERE {where or 'true'} ORDER BY date DESC, run_id"  # noqa: S608 — their own
            try:
                found: pd.DataFrame = connection.sql(chosen).df()
            except duckdb.Error as error:
                raise ValueError(f"the condition {where!r}: {one_line(str(error))}") from None
        return found

    def fetch(self, chosen: pd.DataFrame, folder: Path) -> list[Path]:
        """Write the files of chosen runs, which are rows of `runs`, to folders of their own, and return these."""
        places = [folder / file_name(run_id) for run_id in chosen["run_id"]]
        for place, file in zip(places, chosen["file"], strict=True):
            place.mkdir(parents=True)
            (place / RESULTS).write_bytes(self.files.cat_file(f"{self.root}/{file}"))
            write_text(place / ENVIRONMENT, _description(pq.read_metadata(place / RESULTS)).environment)
        return places

    def _names(self) -> list[str]:
        """Return the files of runs, relative to the address, or raise ValueError where there is none."""
        # fsspec's `find` would leave a folder out that can't be listed
        here = self.files.ls(self.root, detail=False) if self.files.exists(self.root) else []
        months = [path for path in here if path.rpartition("/")[2].startswith("month=")]
        found = [path for month in months for path in self.files.ls(month, detail=False)]
        names = sorted(path.removeprefix(f"{self.root}/") for path in found)
        runs = [name for name in names if A_RUN.fullmatch(name)]
        if not runs:
            raise ValueError(f"{self.address} holds no dataset: it has no month=…/*.parquet")
        return runs

    def _row(self, name: str) -> dict[str, Any] | Unreadable:
        """Return a file's row of COLUMNS, or why it can't be read."""
        try:
            if self.is_folder:
                check_regular(Path(self.root, name), 2**63)
            with self.files.open(f"{self.root}/{name}", block_size=2**16) as opened:
                described = _description(pq.read_metadata(opened))
            metadata = msgspec.json.decode(described.environment, type=Metadata)
        except (ValueError, OSError, RecursionError, pa.ArrowException) as error:
            return Unreadable(f"{name} is no run of a dataset: {error}")
        label, date = machine_label(metadata), began(metadata.run.run_id)
        return {
            "run_id": metadata.run.run_id,
            "machine_label": label,
            "machine": file_name(label).lower(),
            "month": name.partition("/")[0].removeprefix("month="),
            "date": None if pd.isna(date) else date.to_pydatetime(),
            "commit": metadata.commit.id,
            "baseline": metadata.run.baseline,
            "implementations": described.implementations,
            "file": name,
        }


def _description(file: pq.FileMetaData) -> Description:
    return msgspec.json.decode((file.metadata or {}).get(IN_FILE, b""), type=Description)


def is_dataset(address: str) -> bool:
    """Whether an address is that of a dataset, and not of a run's folder: it names a protocol, or has months."""
    return "://" in address or any(Path(address).glob("month=*"))
