"""What the commands share: their options, and the checks of what was given, before anything is written."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import click
import psutil

from impls.core import contract, reference
from impls.core.contract import DEVICES, MODES, WORKLOADS, Implementation
from impls.core.files import digest
from impls.core.problem import Problem
from impls.core.weights import read_weights, shapes


def implementations(names: tuple[str, ...], floor: bool) -> list[Implementation]:
    """What --impl names, or every one; none twice, and never the reference."""
    found = [contract.resolve(name) for name in names] or [
        one for one in contract.catalogue().values() if one.track not in ("floor", "reference")
    ]
    if floor and not any(one.name == "floor" for one in found):
        found.append(contract.resolve("floor"))
    for one, other in itertools.combinations(found, 2):
        if one.name == other.name:
            raise click.UsageError(f"two implementations are called {one.name} ({one.path}, {other.path}); rename one")
    for one in found:
        if one.track == "reference":
            raise click.UsageError(f"{one.name} is what the others are compared with; it is never timed")
    return found


def parse_problem(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[Problem, ...]:
    """What --problem names, as Problems, whose reference fits into memory."""
    try:
        found = tuple(Problem.parse(value) for value in values)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    there = psutil.virtual_memory().total
    for problem in found:
        needed = reference.bytes_needed(problem)
        if needed > there:
            gib = 2**30
            raise click.UsageError(
                f"{problem.id} is too large: its reference needs about {needed / gib:.0f} GiB of memory, "
                f"this machine has {there / gib:.0f}"
            )
    return found


class Finite(click.FloatRange):
    """A number in a range that is neither infinite nor none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click does."""
        if not math.isfinite(click.FLOAT.convert(value, param, ctx)):
            self.fail(f"{value} is no finite number", param, ctx)
        return float(super().convert(value, param, ctx))


impl_option = click.option("--impl", "impls", multiple=True, metavar="NAME|FILE.py", help="Only these. Repeatable.")
problem_option = click.option(
    "--problem", "problems", multiple=True, metavar="ID", callback=parse_problem, help="Such as t64-b16-i128-h128."
)


def fit_weights(path: Path, problems: list[Problem]) -> list[Problem]:
    """The problems that a weights file is timed on. Raises UsageError where it does not fit one."""
    try:
        implied, given = read_weights(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not problems:
        lengths = {} if (implied.seq_len, implied.batch) != (1, 1) else {"seq_len": 64, "batch": 16}
        return [implied.replace(**lengths)]
    for problem in problems:
        for name, shape in shapes(problem).items():
            if name not in given or given[name].shape != shape:
                has = f"shape {given[name].shape}" if name in given else "no such array"
                raise click.UsageError(
                    f"{path} does not fit {problem.id}: {name} must have shape {shape}, it has {has}"
                )
    return problems


def usable_out(out: Path) -> Path:
    """The folder, made; refuses one that holds a run or can't be written to."""
    made: list[Path] = []
    try:
        if (out / "run.json").exists():
            raise click.UsageError(f"{out} already holds a run; go on with --resume {out}, or give another --out")
        made = [parent for parent in (out, *out.parents) if not parent.exists()]
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise click.UsageError(f"{out} is not an empty folder; give a new one")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        for parent in made:
            if parent.exists():
                parent.rmdir()
        raise click.UsageError(f"{out} can't be written to: {error.strerror}; give another --out") from None
    return out


workload_option = click.option(
    "--workload", "workloads", multiple=True, type=click.Choice(WORKLOADS), help="Repeatable."
)
mode_option = click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), help="Repeatable.")
device_option = click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
weights_option = click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE.npz", help="Instead of made-up weights."
)
seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
timeout_option = click.option(
    "--timeout",
    type=Finite(min=0.1),
    default=120.0,
    show_default=True,
    help="Seconds in which a worker must answer: opening a benchmark is two calls, checking it about fifteen.",
)
memory_option = click.option(
    "--memory-limit", type=Finite(min=0.1, max=2**20), help="GiB for a worker.  [default: half of what there is]"
)


def file_digest(path: Path) -> str:
    """A short hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def shared_digest() -> str:
    """A short hash of every file of impls/ that implementations import."""
    return digest(contract.shared_files())


def choose_cores(threads: int | None) -> tuple[int, ...]:
    """The processors that every arm runs on: the last of those that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if threads is not None and threads > len(usable):
        raise click.UsageError(f"--threads is {threads}; this process may use {len(usable)} processors")
    return tuple(usable[-(threads or len(usable)) :])


def interrupt(*_: object) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def heed_signals() -> None:
    """Have a terminal that closes, and a polite kill, end the command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)


def memory_bytes(limit: float | None) -> int:
    """--memory-limit in bytes."""
    return int((limit or psutil.virtual_memory().total / 2 / 2**30) * 2**30)
