"""Seconds to collect a fleet: `python -m tests.speed.collect FOLDER 100`. The runs are copies of a published one.

Each copy has other numbers, since a run whose turns another run holds would be refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import ENDED, SLURM, Ended, Fleet, Member
from impls.core.files import write_text
from impls.core.text import json_text
from tests.helpers.processes import ROOT
from tests.helpers.records import QUICK

TIMES = 3


def copy(folder: Path, number: int) -> Member:
    """Make a node whose run is a copy with other numbers, and return its member."""
    name, rng = f"{number + 1:03}", np.random.default_rng(number)
    run = fleets.run_of(folder, name)
    run.mkdir(parents=True)
    table = pq.read_table(QUICK / "results.parquet")
    known = json.loads((QUICK / "environment.json").read_text())
    known["run"]["run_id"] = run_id = f"20261127T000000-{number:08x}"
    rows = table.to_pylist()
    for row in rows:
        row["run_id"] = run_id
        factor = float(np.exp(rng.normal(0, 0.01)))
        for turn in row["turns"] or ():
            turn["started"] += 1e5
            turn["seconds"] *= factor
            turn["samples"] = [factor * sample for sample in turn["samples"] or ()] or None
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), run / "results.parquet", compression="zstd")
    (run / "environment.json").write_text(json.dumps(known))
    write_text(fleets.folder_of(folder, name) / ENDED, json_text(Ended(f"n{number}", 0, "fine", 1)))
    return Member(name, f"all/n{number}", str(number))


def main(folder: Path, nodes: int) -> None:
    """Make a fleet of so many nodes, and print how long collecting it takes."""
    members = tuple(copy(folder, number) for number in range(nodes))
    fleets.write(folder, Fleet(SLURM, members))
    for _ in range(TIMES):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", "fleet", "collect", str(folder)],
            cwd=ROOT, capture_output=True, check=False,
        )  # fmt: skip
        print(f"{nodes} nodes: {time.perf_counter() - start:.1f} s, exit code {done.returncode}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
