"""Find a planted +5 % commit among 16: `python -m tests.speed.bisect FOLDER`. FOLDER is new, and keeps all reports."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.calibration.injection import inject
from tests.helpers.processes import ROOT, git

COMMITS, SHARE = 16, 0.05


def main(folder: Path) -> None:
    """Make the history, run the command, and print what it named and how long it took."""
    repository = folder / "repository"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet")
    source, planted = (ROOT / "impls" / "torch_cell.py").read_text(), random.randint(1, COMMITS)
    commits = []
    for number in range(COMMITS + 1):
        text = source if number < planted else inject(source, SHARE)
        (repository / "mine.py").write_text(f"{text}\n# commit {number}\n")
        git(repository, "add", "-A")
        git(repository, "commit", "--quiet", "-m", f"number {number}")
        commits.append(git(repository, "rev-parse", "HEAD"))
    command = [sys.executable, "-m", "benchmarks", "regression", "--bisect", f"{commits[0]}..{commits[-1]}"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--impl", str(repository / "mine.py"), "--out", str(folder / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    minutes = (time.perf_counter() - start) / 60
    said = done.stdout.strip().splitlines()[-1]
    print(
        f"planted in commit {planted} of {COMMITS}, {commits[planted][:12]}; {minutes:.1f} minutes, exit code", end=" "
    )
    print(f"{done.returncode}, {len(list((folder / 'out').iterdir()))} gates: {said}")
    print("right" if f"is {commits[planted][:12]} " in said else "wrong")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
