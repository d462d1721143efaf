"""Seconds and memory of the ratios of a dataset: `python -m tests.speed.dataset FOLDER 1000 3000 10000`.

Each run has 100 records with 48 turns each, on one of seven machines. The folder is filled, and stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.record import SCHEMA
from reports.dataset import RECORDS, RUN_COLUMNS, RUNS, slug
from tests.helpers.processes import ROOT
from tests.helpers.records import record

MACHINES, IMPLEMENTATIONS, REPLICATES, TURNS = 7, 20, 5, 48


def run_of(number: int) -> tuple[str, pa.Table]:
    """Return the id and the records of a made-up run."""
    began = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=3 * number)
    run_id = f"{began:%Y%m%dT%H%M%S}-{number:08x}"
    rng = np.random.default_rng(number)
    rows = []
    for k in range(IMPLEMENTATIONS):
        for replicate in range(REPLICATES):
            seconds = 1e-3 * (1 + k / 10) * np.exp(rng.normal(0, 0.02, TURNS))
            turns = [
                {"block": turn // 2, "position": turn % 2, "started": began.timestamp() + turn, "seconds": float(each)}
                for turn, each in enumerate(seconds)
            ]
            name = "base" if k == 0 else f"other-{k}"
            rows.append(record(name, replicate, float(np.median(seconds)), run_id=run_id, turns=turns))
    rows = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
    return run_id, pa.Table.from_pylist(rows, schema=SCHEMA)


def fill(folder: Path, first: int, last: int) -> None:
    """Add runs to a dataset, without the checks of `publish`."""
    for number in range(first, last):
        run_id, table = run_of(number)
        label, key = f"Processor {number % MACHINES}", f"{number:032x}"
        place = f"machine={slug(label)}/month={run_id[:4]}-{run_id[4:6]}"
        row = {
            "key": key, "run_id": run_id, "machine_label": label, "date": datetime.now(UTC), "commit": "0" * 40,
            "baseline": "base", "implementations": ["base"], "environment": "{}",
            "file": f"{RECORDS}/{place}/{key}.parquet",
        }  # fmt: skip
        for name, content in ((RECORDS, table), (RUNS, pa.Table.from_pylist([row], schema=RUN_COLUMNS))):
            path = folder / name / place / f"{key}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(content, path, compression="zstd")


def main(folder: Path, sizes: list[int]) -> None:
    """Fill the dataset to each size, and print what its ratios take."""
    there = 0
    for size in sorted(sizes):
        fill(folder, there, size)
        there = size
        words = [sys.executable, "-m", "reports", "summary", str(folder), "--out", str(folder / "ratios.parquet")]
        start = time.perf_counter()
        process = subprocess.Popen(words, cwd=ROOT)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        print(f"{size} runs: {seconds:.1f} s, {used.ru_maxrss / 2**20:.2f} GiB, exit code {status >> 8}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]])
