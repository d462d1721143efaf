"""Slurm: which nodes there are, how a job is submitted, what becomes of it, and how it is ended.

Where Slurm does not answer, it is a CommandFailed, and options that cannot be used are a UsageError.
"""

import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence

import click

from benchmarks.fleet.job import Job
from impls.core.environments import import_path
from impls.core.processes import run

SECONDS = 60.0
"""The time in which a command of Slurm must answer."""
USABLE = ("idle", "mixed", "allocated", "planned")
MARKS = "~#-+"
"""The states of a node that can take a job, now or later, and the signs that such a state may have: it is powered down
or up, or planned for another job. A node that does not answer (*), is under maintenance ($), or is about to reboot or
to be powered down (@ ^ ! %) is not usable."""
MINUTES = 120
"""The time limit of a job. A run that reaches it is requeued, and goes on with what it has; a gate is given up."""
SIGNAL_SECONDS = 60
"""How long before its time limit a job is told."""
OWN = ("partition", "nodelist", "nodes", "exclusive", "requeue", "signal", "open-mode", "job-name")
"""The options of sbatch that the fleet gives itself."""


def present() -> bool:
    """Whether there is a Slurm."""
    return shutil.which("sbatch") is not None


def sbatch_options(given: Sequence[str]) -> dict[str, str]:
    """Return options of sbatch that were given as KEY=VALUE."""
    options = {}
    for text in given:
        name, _, value = text.partition("=")
        name = name.lstrip("-").replace("_", "-")
        if not value or not text.isprintable():  # it becomes a line of a shell script
            raise click.UsageError(f"--slurm {text} is not KEY=VALUE on one line")
        if name in OWN:
            raise click.UsageError(
                f"--slurm {text}: the fleet gives {name} itself (see --partition, --nodes)"
            )
        if name == "time" and not value.isdecimal():
            raise click.UsageError(f"--slurm {text} is not a number of minutes")
        options[name.replace("-", "_")] = value
    return options


def places(partition: str | None, count: int) -> list[str]:
    """Return such as `a/node1` for each of so many jobs: distinct nodes, from each partition in turn, idle ones first.

    Several partitions are written as `a,b`; None stands for Slurm's default.
    """
    usable: dict[str, list[tuple[bool, str]]] = {}  # by partition
    default = []
    for line in run(["sinfo", "--Node", "--noheader", "--format=%P %N %T"], SECONDS).splitlines():
        name, node, state = line.split()
        nodes = usable.setdefault(name.rstrip("*"), [])
        if name.endswith("*"):
            default = [name.rstrip("*")]
        if state.rstrip(MARKS) in USABLE:
            nodes.append((not state.startswith("idle"), node))
    wanted = partition.split(",") if partition else default
    if unknown := set(wanted) - set(usable):
        raise click.UsageError(f"Slurm: there is no partition {', '.join(sorted(unknown))}")
    if not wanted:
        raise click.UsageError("Slurm: no partition is the default; name one with --partition")
    by_node: dict[str, str] = {}  # a node may be in several partitions
    for turn in itertools.zip_longest(*(sorted(usable[name]) for name in wanted)):
        for name, place in zip(wanted, turn, strict=True):
            if place:
                by_node.setdefault(place[1], f"{name}/{place[1]}")
    if count > len(by_node):
        raise click.UsageError(f"--nodes is {count}; {len(by_node)} are usable")
    return list(by_node.values())[:count]


def submit(job: Job, where: str, timeouts: int, sbatch: Mapping[str, str]) -> str:
    """Submit a job to a node of a partition, such as `partition/node`, and return its id; RuntimeError where refused.

    It may reach its time limit and go on as often as `timeouts` says; `sbatch` has further options of sbatch.
    """
    import submitit

    partition, _, node = where.partition("/")
    further = dict(sbatch)
    executor = submitit.SlurmExecutor(job.folder / "logs", max_num_timeout=timeouts)
    executor.update_parameters(
        job_name=f"lstm-{job.name}",
        partition=partition,
        time=int(further.pop("time", MINUTES)),
        exclusive=True,
        signal_delay_s=SIGNAL_SECONDS,
        additional_parameters={
            "nodelist": node,
            "requeue": True,
            "open_mode": "append",
            "mem": "0",
            **further,
        },
    )
    os.environ["PYTHONPATH"] = import_path(sys.executable)  # of the job
    return str(executor.submit(job).job_id)


def states() -> dict[str, str]:
    """Return the state of each job that has not ended, in a word, such as `pending (Resources)`, by its id."""
    states = {}  # not by submitit's `sacct`: few clusters have accounts
    for line in run(["squeue", "--noheader", "--format=%A|%T|%r"], SECONDS).splitlines():
        job, state, reason = line.split("|")
        states[job] = state.lower()
        if state == "PENDING" and reason != "None":
            states[job] += f" ({reason})"
    return states


def cancel(jobs: Iterable[str]) -> None:
    """End jobs. What they have measured stays."""
    run(["scancel", "--", *jobs], SECONDS)
