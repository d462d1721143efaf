"""How a job is submitted: to Slurm, or to submitit's executor for this machine.

`python -m benchmarks.fleet.submit FOLDER NAME MINUTES TIMEOUTS` submits a local job and prints its id. It is a process
in a session of its own: what it starts is not ended by Ctrl-C at the command's terminal, and holds none of its pipes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import ROOT
from benchmarks.fleet.folder import LOGS, folder_of

TIMEOUTS = 4
"""How often a run may reach its time limit and go on; at the next time it is given up."""
SIGNAL_SECONDS = 60
"""How long before its time limit a job is told."""
PATIENCE = 60.0


def to_slurm(folder: Path, name: str, minutes: int, timeouts: int, where: str, sbatch: Mapping[str, str]) -> str:
    """Submit a member's job to a node of a partition, and return the job's id.

    Args:
        folder: the fleet's.
        name: the member's.
        minutes: the time limit.
        timeouts: how often the job may reach it and go on.
        where: such as `partition/node`.
        sbatch: further options of sbatch.

    Raises:
        RuntimeError: where Slurm refuses it (submitit's errors).
    """
    import submitit

    from benchmarks.fleet.job import Job

    partition, _, node = where.partition("/")
    executor = submitit.SlurmExecutor(folder / LOGS, max_num_timeout=timeouts)
    executor.update_parameters(
        job_name=f"lstm-{name}",
        partition=partition,
        time=minutes,
        exclusive=True,
        signal_delay_s=SIGNAL_SECONDS,
        additional_parameters={"nodelist": node, "requeue": True, "open_mode": "append", "mem": "0", **sbatch},
    )
    os.environ["PYTHONPATH"] = _path()  # jobs inherit it
    return str(executor.submit(Job(folder, name, alone=False)).job_id)


def here(folder: Path, name: str, minutes: int, timeouts: int) -> str:
    """Submit a member's job on this machine, and return the job's id: the process id of submitit's controller.

    Raises:
        RuntimeError: where that fails.
    """
    place = folder_of(folder, name)
    place.mkdir(parents=True, exist_ok=True)
    said, log = place / "job.txt", place / "submitit.txt"
    with said.open("wb") as output, log.open("wb") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.fleet.submit", str(folder), name, str(minutes), str(timeouts)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _path()},
            start_new_session=True,
            timeout=PATIENCE,
            check=False,
        )
    if done.returncode:
        raise RuntimeError((log.read_text(errors="replace").strip().splitlines() or ["submitit failed"])[-1])
    return said.read_text().strip()


def _path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])


def main(folder: str, name: str, minutes: str, timeouts: str) -> None:
    """Submit a local job and print its id."""
    import submitit

    from benchmarks.fleet.job import Job

    executor = submitit.LocalExecutor(Path(folder) / LOGS, max_num_timeout=int(timeouts))
    executor.update_parameters(timeout_min=int(minutes), signal_delay_s=SIGNAL_SECONDS)
    job = executor.submit(Job(Path(folder), name, alone=True))
    job._cancel_at_deletion = False
    print(job.job_id, flush=True)
    os._exit(0)  # submitit would wait for what it has started


if __name__ == "__main__":
    main(*sys.argv[1:])
