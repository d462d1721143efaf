"""What a scheduler says of a fleet's jobs, and how jobs are ended, by Slurm's commands or this machine's processes."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence

import psutil

from benchmarks.fleet.folder import LOCAL, SLURM

SECONDS = 60.0
"""The time in which a command of Slurm must answer."""
USABLE, MARKS = ("idle", "mixed", "allocated", "planned"), "~#-+"
"""The states of a node that can take a job, now or later, and the signs that such a state may have: it is powered down
or up, or planned for another job. A node that does not answer (*), is under maintenance ($), or is about to reboot or
to be powered down (@ ^ ! %) is not usable."""
OVER = (
    "completed",
    "cancelled",
    "failed",
    "timeout",
    "node_fail",
    "boot_fail",
    "deadline",
    "out_of_memory",
    "revoked",
    "preempted",
)
"""The states of a job that has ended for good."""
GONE = "gone"
"""The state of a job that the scheduler no longer knows."""


class SchedulerFailed(Exception):
    """A command of the scheduler failed; the message is its own, on one line."""


def present() -> bool:
    """Whether there is a Slurm."""
    return shutil.which("sbatch") is not None


def _slurm(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    except FileNotFoundError:
        raise SchedulerFailed(f"{command[0]} is not on PATH") from None
    except subprocess.TimeoutExpired:
        raise SchedulerFailed(f"{command[0]} did not answer within {SECONDS:g} s") from None
    except subprocess.CalledProcessError as error:
        raise SchedulerFailed((error.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1]) from None


def nodes(partition: str) -> list[str]:
    """Return the nodes of a partition that can take a job, those that are idle first.

    Raises:
        SchedulerFailed: where Slurm doesn't answer, or has no such partition.
    """
    lines = _slurm("sinfo", "--Node", "--noheader", f"--partition={partition}", "--format=%N %T").splitlines()
    states = dict(line.split() for line in lines if line.strip())
    if not states:
        raise SchedulerFailed(f"there is no partition {partition}")
    usable = [name for name, state in states.items() if state.rstrip(MARKS) in USABLE]
    return sorted(usable, key=lambda name: (not states[name].startswith("idle"), name))


def default_partition() -> str:
    """Return the name of the partition that Slurm uses where none is named.

    Raises:
        SchedulerFailed: where there is none.
    """
    names = [line.strip() for line in _slurm("sinfo", "--noheader", "--format=%P").splitlines()]
    found = next((name.rstrip("*") for name in names if name.endswith("*")), None)
    if found is None:
        raise SchedulerFailed(f"no partition is the default; name one of {', '.join(names)}")
    return found


def states(cluster: str, jobs: Sequence[str]) -> dict[str, str]:
    """Return the state of each job in a word, such as `pending (Resources)`, and GONE for one that is not known."""
    if cluster == LOCAL:
        return {job: "running" if _alive(job) else GONE for job in jobs}
    found = dict.fromkeys(jobs, GONE)
    for line in _slurm("squeue", "--noheader", "--states=all", "--format=%A|%T|%r").splitlines():
        job, state, reason = line.split("|")
        if job in found:
            state = state.lower()
            waits = state == "pending" and reason not in ("None", "")
            found[job] = GONE if state in OVER else f"{state} ({reason})" if waits else state
    return found


def cancel(cluster: str, jobs: Iterable[str]) -> None:
    """End jobs. What they have measured stays.

    Raises:
        SchedulerFailed: where the scheduler refuses.
    """
    if cluster == SLURM:
        _slurm("scancel", *jobs)
        return
    for job in filter(_alive, jobs):
        started = psutil.Process(int(job)).children(recursive=True)
        runs = [process for process in started if "benchmarks" in _words(process)]
        for process in runs or started:  # a run ends its workers; a job that has none waits for its turn
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM if runs else signal.SIGKILL)


def _words(process: psutil.Process) -> list[str]:
    """Return the words of a process's command; none where it has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _alive(job: str) -> bool:
    """Whether a local job's controller runs: its id is that of a process, which may be another one by now."""
    try:
        process = psutil.Process(int(job))
        return process.status() != psutil.STATUS_ZOMBIE and any("submitit" in word for word in process.cmdline())
    except (psutil.Error, ValueError):
        return False
