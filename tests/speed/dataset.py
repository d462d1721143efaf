"""Seconds and memory of the ratios of a dataset: `python -m tests.speed.dataset FOLDER 1000 3000 10000`.

Each run has 100 records with 48 turns each. The folder is filled, and stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from reports.dataset import Dataset
from tests.helpers.processes import ROOT
from tests.helpers.records import record, save

IMPLEMENTATIONS, REPLICATES, TURNS = 20, 5, 48


def run_of(number: int) -> tuple[str, list[dict[str, Any]]]:
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
    return run_id, rows


def fill(folder: Path, first: int, last: int) -> None:
    """Add runs to a dataset, without the checks of `publish`."""
    with tempfile.TemporaryDirectory() as place:
        for number in range(first, last):
            run_id, rows = run_of(number)
            save(Path(place), rows, run_id)
            Dataset(str(folder)).put(Path(place))


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
