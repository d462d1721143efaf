"""python -m tests.speed: the seconds of a run that are not turns, for more and more implementations and problems.

Implementations are copies of numpy_lstm, and problems are tiny. So this is what the suite itself costs: starting
workers, agreement, files and the report. It must not grow faster than the number of rows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import ROOT
from benchmarks.record import read_records

IMPLEMENTATIONS, PROBLEMS, REPLICATES = (1, 4, 12), (1, 4, 20), 2


def seconds(implementations: int, problems: int, folder: Path) -> float:
    """Return the seconds of a run with so many implementations and problems, without those of its turns."""
    command = [sys.executable, "-m", "benchmarks", "bench", "--no-floor", "--out", str(folder / "run")]
    command += ["--mode", "forward", "--replicates", str(REPLICATES), "--blocks", "1"]
    for k in range(implementations):
        copy = folder / f"copy_{k}.py"
        shutil.copy(ROOT / "impls" / "numpy_lstm.py", copy)
        command += ["--impl", str(copy)]
    for k in range(problems):
        command += ["--problem", f"t{4 + k}-b1-i8-h8"]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    total = time.perf_counter() - start
    rows = read_records(folder / "run" / "results.parquet")
    return total - sum(turn.outside_seconds or 0.0 for row in rows for turn in row.turns or ())


def main() -> None:
    """Print a table: a line for each number of problems, and in it for each number of implementations."""
    found: dict[tuple[int, int], float] = {}
    print("seconds that are not turns (for each row: implementation, problem and replicate)")
    print("problems", *(f"{n:>4} implementations" for n in IMPLEMENTATIONS), sep="  ")
    for problems in PROBLEMS:
        for implementations in IMPLEMENTATIONS:
            with tempfile.TemporaryDirectory() as folder:
                found[implementations, problems] = seconds(implementations, problems, Path(folder))
        cells = [(found[n, problems], found[n, problems] / (n * problems * REPLICATES)) for n in IMPLEMENTATIONS]
        print(f"{problems:>8}", *(f"{total:10.1f} ({each:.2f})".rjust(20) for total, each in cells), sep="  ")


if __name__ == "__main__":
    main()
