"""Runs of years and of many machines: a Parquet dataset on any address that fsspec knows, read through DuckDB.

    ADDRESS/runs/machine=M/month=YYYY-MM/KEY.parquet      a row for each run, with its environment.json
    ADDRESS/records/machine=M/month=YYYY-MM/KEY.parquet   its records, with every turn

KEY is a hash of the run's content: a second writer, or a second try, writes the same files again. A run is there once
its row in runs/ is, which is written last. Files of older schema versions stay as they are: a column that they lack is
null.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from impls.core.files import read_regular, write_text, write_whole
from reports import history
from reports.frames import Run, read_run

Thing = TypeVar("Thing")
RUNS, RECORDS = "runs", "records"
FILE_OF_A_TABLE = re.compile(r"/machine=[^/]*/month=[^/]*/[^./][^/]*\.parquet$")
"""A path in a dataset. One that starts with a dot is a file that is being written."""
LONGEST = 100
"""The longest name of a run's folder."""
BATCH = 200
"""The runs whose records are read at a time: what bounds the memory."""
MEMORY = "2GB"
"""What DuckDB may hold. Beyond, it writes to the disk."""
LARGE = 16 * 2**20
"""Bytes. Files of records are merged up to this size."""

RUN_COLUMNS = pa.schema(
    [
        ("key", pa.string()),
        ("run_id", pa.string()),
        ("machine_label", pa.string()),
        ("date", pa.timestamp("us", "UTC")),
        ("commit", pa.string()),
        ("baseline", pa.string()),
        ("implementations", pa.list_(pa.string())),
        ("environment", pa.string()),
        ("file", pa.string()),
    ]
)
"""The columns of runs/; machine and month come from the path. `file` is the one that has the run's records."""

EVERY_RUN = """
CREATE TABLE every AS
SELECT * EXCLUDE (path), regexp_extract(path, '.*/machine=([^/]*)/', 1) AS machine,
       regexp_extract(path, '.*/month=([^/]*)/', 1) AS month
FROM read_parquet($urls, union_by_name = true, hive_partitioning = false, filename = 'path')
"""
OF_RUNS = """
CREATE VIEW records AS
SELECT every.*, runs.key AS run_key FROM every JOIN runs ON every.run_id = runs.run_id AND every.filename = runs.url
"""
WHOLE = "SELECT * EXCLUDE (filename, file_row_number, run_key) FROM records ORDER BY filename, file_row_number"
SUMMARY = """
WITH failed AS (
    SELECT DISTINCT run_key, problem, workload, mode, device, implementation FROM records WHERE status <> 'ok'
), blocks AS (
    SELECT run_key, problem, workload, mode, device, implementation, replicate, turn.block AS block,
           avg(ln(turn.seconds)) AS log
    FROM (SELECT * EXCLUDE (turns), unnest(turns) AS turn FROM records WHERE status = 'ok')
    GROUP BY ALL
), replicates AS (
    SELECT a.run_key, a.problem, a.workload, a.mode, a.device, a.implementation, a.replicate,
           median(a.log - b.log) AS log
    FROM blocks a
    JOIN blocks b USING (run_key, problem, workload, mode, device, replicate, block)
    JOIN runs ON runs.key = a.run_key
    WHERE b.implementation = runs.baseline
    GROUP BY ALL
), arms AS (
    SELECT run_key, problem, workload, mode, device, implementation,
           exp(avg(log)) AS ratio, coalesce(stddev_samp(log), 0) AS sd, count(*) AS replicates
    FROM replicates ANTI JOIN failed USING (run_key, problem, workload, mode, device, implementation)
    GROUP BY ALL
)
SELECT run_id, arms.* EXCLUDE (run_key) FROM arms JOIN runs ON runs.key = run_key ORDER BY ALL
"""
"""The ratio of each arm to its run's baseline: as reports.estimates takes it, a mean of medians over blocks."""


class NoDataset(ValueError):
    """An address holds no dataset, or can't be read; the message says why, on one line."""


class Dataset:
    """A dataset at an address such as /data/lstm or s3://bucket/lstm.

    Args:
        address: where it is.
        options: of fsspec's file system, such as endpoint_url.
    """

    def __init__(self, address: str, **options: Any) -> None:
        import fsspec  # of the group `dataset`

        self.address = str(address).rstrip("/")
        self.files, self.root = fsspec.core.url_to_fs(self.address, **options)
        self.protocol = self.files.protocol if isinstance(self.files.protocol, str) else self.files.protocol[0]

    # writing

    def put(self, folder: Path) -> str:
        """Add a run, and return its key. A run that is there already is written again, with the same content.

        Raises:
            reports.schema.Unreadable: where the folder holds no run.
            NoDataset: where a run of that id is there with other content.
        """
        run = read_run(folder)
        label, date = history.machine_label(run), history.began(run.run_id)
        content = read_regular(folder / "results.parquet", 2**30), read_regular(folder / "environment.json")
        key = hashlib.sha256(b"\0".join(content)).hexdigest()[:32]
        month = "unknown" if pd.isna(date) else f"{date:%Y-%m}"
        place = f"machine={slug(label)}/month={month}"
        self._refuse_another(place, run.run_id, key)
        row = {
            "key": key,
            "run_id": run.run_id,
            "machine_label": label,
            "date": None if pd.isna(date) else date.to_pydatetime(),
            "commit": run.metadata.commit.id,
            "baseline": run.baseline,
            "implementations": sorted(map(str, run.records["implementation"].unique())),
            "environment": content[1].decode(),
            "file": (file := f"{RECORDS}/{place}/{key}.parquet"),
        }
        self._write(file, content[0])
        self._write(f"{RUNS}/{place}/{key}.parquet", _parquet(pa.Table.from_pylist([row], schema=RUN_COLUMNS)))
        return key

    def _refuse_another(self, place: str, run_id: str, key: str) -> None:
        """Refuse a run whose id is there with other content: which of the two is true?"""
        for name in self._in(RUNS, place):
            with contextlib.suppress(FileNotFoundError), self.files.open(name) as opened:
                rows = pq.read_table(opened, columns=["run_id", "key"], filters=[("run_id", "=", run_id)])
                if set(rows["key"].to_pylist()) - {key}:
                    raise NoDataset(f"{self.address} has a run {run_id} with other content")

    def _write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all. On an object store a file is there only when it is whole."""
        path = f"{self.root}/{name}"
        if self.protocol == "file":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(Path(path), lambda temporary: temporary.write_bytes(content))
        else:
            self.files.pipe_file(path, content)

    def compact(self) -> int:
        """Merge the small files of each machine and month. Return how many files are fewer.

        First the merged records are written, then the rows of runs/ that name them, and then the old files go: the rows
        of runs/ first. A reader takes each run from a file that is there. Where one goes meanwhile, it reads again.

        Raises:
            NoDataset: where there is none, or a file can't be read, also not at a second try.
        """
        return self._again(self._compact)

    def _compact(self) -> int:
        before = len(self._files(RUNS)) + len(self._files(RECORDS))
        known = self._runs("")
        once = known.drop_duplicates("run_id", keep=False)  # two of an id are not merged: they would then be mixed
        whole = set(once["file"])  # a run that is just being added has its records there, and no row yet
        for place, names in self._places(RECORDS).items():
            for group in self._groups([name for name in names if self._relative(name) in whole]):
                self._merge(place, group, known)
        return before - len(self._files(RUNS)) - len(self._files(RECORDS))

    def _groups(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Yield files that together are not larger than LARGE, two at least."""
        group: list[str] = []
        size = 0
        for name in names:
            mine = self.files.size(name)
            if size + mine > LARGE:
                if len(group) > 1:
                    yield group
                group, size = [], 0
            if mine <= LARGE:
                group.append(name)
                size += mine
        if len(group) > 1:
            yield group

    def _merge(self, place: str, group: Sequence[str], known: pd.DataFrame) -> None:
        """Merge some files of records, and the rows of runs/ that name them."""
        digest = hashlib.sha256("\n".join(sorted(group)).encode()).hexdigest()[:32]
        file = f"{RECORDS}/{place}/{digest}.parquet"
        old = {self._relative(name) for name in group}
        mine = known.loc[known["file"].isin(old)]
        rows = mine.assign(file=file)
        with self._connected() as connection:
            self._register(connection, mine, group)
            content = _parquet(connection.sql(WHOLE).to_arrow_table())
        self._write(file, content)
        columns = [field.name for field in RUN_COLUMNS]
        table = pa.Table.from_pandas(rows[columns], schema=RUN_COLUMNS, preserve_index=False)
        self._write(f"{RUNS}/{place}/{digest}.parquet", _parquet(table))
        for name in self._in(RUNS, place):
            if not name.endswith(f"/{digest}.parquet") and self._only(name, old | {file}):
                self._remove(name)
        for name in group:
            self._remove(name)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # another `compact` was faster
            self.files.rm_file(name)

    def _only(self, name: str, files: set[str]) -> bool:
        """Whether a file of runs/ names only these files of records."""
        try:
            with self.files.open(name) as opened:
                return set(pq.read_table(opened, columns=["file"])["file"].to_pylist()) <= files
        except FileNotFoundError:
            return False

    # reading

    def runs(self, where: str = "") -> pd.DataFrame:
        """Return the runs that a condition of SQL chooses, the newest first: RUN_COLUMNS, machine and month.

        Args:
            where: such as "machine_label LIKE 'AMD%' AND date > '2026-11-01'"; empty for all.

        Raises:
            NoDataset: where there is none, or the condition is no SQL.
        """
        return self._again(lambda: self._runs(where))

    def _runs(self, where: str, columns: str = "*") -> pd.DataFrame:
        import duckdb

        files = self._files(RUNS)
        if not files:
            raise NoDataset(f"{self.address} holds no dataset: it has no {RUNS}/machine=…/month=…/*.parquet")
        present = pd.DataFrame({"file": [self._relative(name) for name in self._files(RECORDS)]})
        with self._connected() as connection:
            connection.register("present", present)
            urls = [self._url(name) for name in files]
            connection.execute(EVERY_RUN, {"urls": urls})
            connection.execute(
                "CREATE VIEW runs AS SELECT DISTINCT ON (key) every.* FROM every SEMI JOIN present USING (file)"
                " ORDER BY key, file"
            )
            try:
                condition = f"WHERE {where or 'true'} ORDER BY date DESC, key"
                chosen = f"SELECT {columns} FROM runs {condition}"  # noqa: S608 — their own
                found: pd.DataFrame = connection.sql(chosen).df()
            except (
                duckdb.BinderException,
                duckdb.CatalogException,
                duckdb.ConversionException,
                duckdb.ParserException,
            ) as error:
                raise NoDataset(f"the condition {where!r}: {str(error).splitlines()[0]}") from None
        return found

    def _again(self, work: Callable[[], Thing]) -> Thing:
        """Do some reading, and once more where that fails: `compact` may be at work, or a store busy.

        Raises:
            NoDataset: where it fails twice.
        """
        import duckdb

        for attempt in range(2):
            try:
                return work()
            except (duckdb.Error, OSError) as error:
                if attempt:
                    raise NoDataset(f"{self.address}: {str(error).splitlines()[0]}") from None
                self.files.invalidate_cache()
        raise AssertionError

    def summary(self, where: str = "") -> pd.DataFrame:
        """Return a row for each chosen run, benchmark and implementation: its ratio to the run's baseline.

        Columns: run_id, problem, workload, mode, device, implementation, ratio, sd (of the logs of the replicates) and
        replicates. Memory is bounded: the records of about BATCH runs are read at a time.
        """
        return self._again(lambda: self._summary(where))

    def _summary(self, where: str) -> pd.DataFrame:
        chosen = self._runs(where, "key, run_id, baseline, file")  # without environment.json, which may be large
        parts = []
        for batch in _batches(chosen["file"]):
            with self._connected() as connection:
                self._register(
                    connection, chosen[chosen["file"].isin(batch)], [f"{self.root}/{file}" for file in batch]
                )
                parts.append(connection.sql(SUMMARY).df())
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def fetch(self, chosen: pd.DataFrame, folder: Path) -> Iterator[Run]:
        """Write chosen runs to folders of their own, and read each as any run.

        Args:
            chosen: rows of `runs`.
            folder: where their folders are made.
        """
        taken: set[str] = set()
        for row in chosen.itertuples(index=False):
            name = re.sub(r"[^A-Za-z0-9_-]", "-", str(row.run_id))[:LONGEST]
            name = str(row.key) if name in taken else name  # another run of the same id
            taken.add(name)
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            (place / "results.parquet").write_bytes(self._content_of(row))
            write_text(place / "environment.json", str(row.environment))
            yield read_run(place)

    def _content_of(self, row: Any) -> bytes:
        """Return the same as `_records_of`; where the file is gone, `compact` has merged it: ask where it is now."""
        import duckdb

        try:
            return self._records_of(row)
        except (OSError, duckdb.Error):
            self.files.invalidate_cache()
            escaped = str(row.key).replace("'", "''")
            (now,) = self.runs(f"key = '{escaped}'").itertuples(index=False)
            return self._again(lambda: self._records_of(now))

    def _records_of(self, row: Any) -> bytes:
        """Return the Parquet file of a run's records, as it was put where it has not been merged with others."""
        name = f"{self.root}/{row.file}"
        if row.file.endswith(f"/{row.key}.parquet"):
            return bytes(self.files.cat_file(name))
        with self._connected() as connection:
            self._register(connection, pd.DataFrame([row._asdict()]), [name])
            return _parquet(connection.sql(WHOLE).to_arrow_table())

    # files

    def _files(self, table: str) -> list[str]:
        return self._in(table, "")

    def _in(self, table: str, place: str) -> list[str]:
        """Return the files of a table, or of a place in it.

        A folder that can't be listed is an error. fsspec's glob would leave it out, and its runs would be missing.
        """
        path = f"{self.root}/{table}/{place}".rstrip("/")
        found = self.files.find(path) if self.protocol != "file" else _files_below(Path(path))
        return sorted(name for name in found if FILE_OF_A_TABLE.search(name))

    def _places(self, table: str) -> dict[str, list[str]]:
        """Return the files of each machine and month, by `machine=M/month=YYYY-MM`."""
        places: dict[str, list[str]] = {}
        for name in self._files(table):
            places.setdefault("/".join(name.split("/")[-3:-1]), []).append(name)
        return places

    def _register(self, connection: Any, chosen: pd.DataFrame, names: Sequence[str]) -> None:
        """Make the views `runs`, of chosen runs, and `records`, of their records: each run's from its own file only."""
        urls = [self._url(f"{self.root}/{file}") for file in chosen["file"]]
        connection.register("runs", chosen[["key", "run_id", "baseline"]].assign(url=urls))
        read = connection.read_parquet(
            [self._url(name) for name in names],
            union_by_name=True,
            hive_partitioning=False,
            filename=True,
            file_row_number=True,
        )
        read.create_view("every")
        connection.execute(OF_RUNS)

    def _relative(self, name: str) -> str:
        return name.removeprefix(f"{self.root}/")

    def _url(self, name: str) -> str:
        return name if self.protocol == "file" else f"{self.protocol}://{name}"

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        """Yield a DuckDB in memory that reads this file system."""
        import duckdb  # of the group `dataset`

        with duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 2}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            if self.protocol != "file":
                connection.register_filesystem(self.files)
            yield connection


def _batches(files: Iterable[str]) -> Iterator[list[str]]:
    """Yield the files of some runs, so many at a time that they have about BATCH runs: a merged file has many."""
    batch: list[str] = []
    runs = 0
    for file, count in Counter(files).items():
        if batch and runs + count > BATCH:
            yield batch
            batch, runs = [], 0
        batch.append(file)
        runs += count
    if batch:
        yield batch


def _files_below(folder: Path) -> Iterator[str]:
    """Yield every file of this file system that is below a folder; none where the folder is not there.

    Raises:
        OSError: where a folder can't be listed.
    """

    def fail(error: OSError) -> NoReturn:
        raise error

    if folder.is_dir():
        for place, _, names in os.walk(folder, onerror=fail):
            yield from (f"{place}/{name}" for name in names)


def slug(label: str) -> str:
    """Return a machine's label for a path: a few of its words, and a hash that keeps two labels apart."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", label)[:40].strip("-").lower()
    return f"{words}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _parquet(table: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue().to_pybytes())


def is_dataset(address: str) -> bool:
    """Whether an address is that of a dataset, and not of a run's folder: it names a protocol, or has both tables."""
    return "://" in address or ((Path(address) / RUNS).is_dir() and (Path(address) / RECORDS).is_dir())
