"""Seconds that a fleet adds to each job of Slurm: `python -m tests.speed.dispatch`. Needs slurm-wlm and munge."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from benchmarks.fleet import folder as fleets
from tests.helpers.processes import impls
from tests.helpers.slurm import Fleet, Slurm, until

SMALL = (
    "--problem", "t4-b2-i8-h8", "--mode", "forward", "--blocks", "2", "--no-floor", "--threads", "1",
    *impls("torch_lstm"),
)  # fmt: skip
TIMES = 3


def submitted(slurm: Slurm, folder: Path) -> None:
    """Print how long it takes to submit two jobs by sbatch and by a fleet, and until each run begins."""
    start = time.perf_counter()
    for node in slurm.nodes:
        slurm.command("sbatch", f"--nodelist={node}", "--exclusive", "--output=/dev/null", "--wrap=true")
    own = time.perf_counter() - start
    until(lambda: not slurm.command("squeue", "-h").strip(), "the end of both")
    fleet = Fleet(slurm, folder, SMALL)
    start = time.perf_counter()
    fleet.run("--help")
    command = time.perf_counter() - start
    start = time.perf_counter()
    members = fleet.start("--nodes", "2")
    both = time.perf_counter() - start
    beyond = (both - command - own) / len(members)
    print(f"two sbatch {own:.2f} s, the command alone {command:.2f} s, a fleet {both:.2f} s: {beyond:.2f} s more a job")
    fleet.wait()
    for member in members:
        said = slurm.command("scontrol", "show", "job", member.job)
        began = time.mktime(time.strptime(re.search(r"StartTime=(\S+)", said)[1], "%Y-%m-%dT%H:%M:%S"))  # type: ignore[index]
        run = (fleets.run_of(folder, member.name) / "run.json").stat().st_mtime
        print(f"job {member.job}: the run began {run - began:.1f} s after Slurm began the job", flush=True)


def main() -> None:
    """Start a Slurm, and measure."""
    with tempfile.TemporaryDirectory() as folder:
        slurm = Slurm(Path(folder))
        try:
            slurm.start()
            for number in range(TIMES):
                submitted(slurm, Path(folder) / f"fleet-{number}")
        finally:
            slurm.stop()


if __name__ == "__main__":
    main()
