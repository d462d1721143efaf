"""What the values of options stand for, checked before anything is written.

What cannot be used is a UsageError, and a name or file of an implementation that cannot be read a ValueError.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

import click
import psutil

from benchmarks import ROOT, machine
from benchmarks.options import GIB
from impls.core import command_line, reference, registry
from impls.core.case_files import check_range, most_bytes, read_weights
from impls.core.files import check_name, read_regular
from impls.core.precision import IEEE, VARIABLE
from impls.core.problem import Problem
from impls.core.registry import Implementation
from impls.core.weights import shapes

LONG_MINUTES = 10
"""What compiles so long is not in the set `common`."""

SETS: Mapping[str, Callable[[Implementation], bool]] = {
    "all": bool,
    "common": lambda each: not each.requires and each.compile_minutes < LONG_MINUTES,
    "others": lambda each: bool(each.requires),
}
"""Sets of LSTMs: every one, those that run in the common environment and do not compile long, and those with an
environment of their own."""


def implementations(names: tuple[str, ...], peak: bool = False) -> list[Implementation]:
    """Return the implementations that --impl names.

    Without names: every LSTM that is not optional and needs no environment of its own. A name of SETS: all of the set.
    With `peak`, the peak comes last.
    """
    chosen = [registry.resolve(name) for name in names if name not in SETS]
    wanted = [SETS[name] for name in names if name in SETS] if names else [attrgetter("by_default")]
    named = {(each.name, each.path) for each in chosen}
    others = (
        each
        for each in registry.catalogue().values()
        if each.is_lstm and (each.name, each.path) not in named
    )
    chosen += [each for each in others if any(of(each) for of in wanted)]
    if peak and not any(implementation.is_peak for implementation in chosen):
        chosen.append(registry.resolve("peak"))
    for first, second in itertools.combinations(chosen, 2):
        if first.name == second.name and first.path == second.path:
            raise click.UsageError(f"{first.name} is named twice ({first.path}); name it once")
        if first.name == second.name:
            raise click.UsageError(
                f"two implementations are called {first.name} ({first.path}, {second.path}); rename one"
            )
    for implementation in chosen:
        if implementation.track == "reference":
            raise click.UsageError(
                f"{implementation.name} is what the others are compared with; it is never timed"
            )
    return chosen


def fit_weights(path: Path, problems: list[Problem]) -> list[Problem]:
    """Return the problems that a weights file is timed on; it must fit each of them."""
    try:
        check_name(os.path.realpath(path))
        implied, given = read_weights(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    has_x = (implied.seq_len, implied.batch) != (1, 1)
    if has_x and not problems:
        command_line.say(
            f"note: only the sizes of x in {path} are used; the inputs are random", err=True
        )
    problems = problems or [implied if has_x else implied.replace(seq_len=64, batch=16)]
    for problem in problems:
        try:
            check_range(path, given, problem.dtype)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        for name, shape in shapes(problem).items():
            if name not in given or given[name].shape != shape:
                has = f"shape {given[name].shape}" if name in given else "no such array"
                raise click.UsageError(
                    f"{path} does not fit {problem.id}: {name} must have shape {shape}, it has {has}"
                )
    return problems


def choose_problems(
    given: Sequence[str], weights: Path | None, default: Iterable[str]
) -> list[Problem]:
    """Return the given problems, or that of the weights, or the default ones, each once. They must fit into memory."""
    try:
        problems = [Problem.parse(text) for text in given or ([] if weights else default)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    available = psutil.virtual_memory().total / GIB
    for problem in problems:
        needed = reference.bytes_needed(problem) / GIB
        if needed > available:
            raise click.UsageError(
                f"{problem.id} is too large: its reference needs about {needed:.0f} GiB of memory, "
                f"this machine has {available:.0f}"
            )
    return list(dict.fromkeys(fit_weights(weights, problems) if weights is not None else problems))


def usable_out(given: str | Path | None, kind: str) -> Path:
    """Make a folder, by default one of this date and kind, and return it. While this process lives, no other gets it.

    A folder that is given must be new or empty, and writable.
    """
    out = Path(given or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{kind}")
    try:
        check_name(os.path.realpath(out))
        if given:
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = make_new(out)
        claim(out)
        if (out / "run.json").exists():
            raise click.UsageError(
                f"{out} already holds a run; continue it with --resume {out}, or give another --out"
            )
        if any(out.iterdir()):
            raise click.UsageError(f"{out} is not an empty folder; give a new one")
        with tempfile.TemporaryFile(dir=out):
            pass
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except FileExistsError:
        raise click.UsageError(f"{out} is not a folder; give a new one") from None
    except OSError as error:
        raise click.UsageError(
            f"{out} can't be written to: {error.strerror}; give another --out"
        ) from None
    return out


def make_new(usual: Path) -> Path:
    """Make a folder that was not there, with a number after its name where another process was first, and return it."""
    usual.parent.mkdir(parents=True, exist_ok=True)
    folder, number = usual, 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = usual.with_name(f"{usual.name}-{number}")
        else:
            return folder


def claim(folder: Path) -> None:
    """Lock a folder until this process ends. A UsageError where another has done so."""
    file = os.open(folder, os.O_RDONLY)  # never closed: that would end the lock
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise click.UsageError(
            f"{folder} is being used by another process; give another --out"
        ) from None
    except OSError:  # NFS cannot lock a folder
        pass


def set_precision(precision: str, device: str) -> None:
    """Make a precision that of this process, where the device has it."""
    if precision != IEEE and device != "cuda":
        raise click.UsageError(f"--precision {precision} is for a GPU; add --device cuda")
    os.environ[VARIABLE] = precision


def file_digest(path: Path) -> str:
    """Return a short hash of the bytes of a file.

    Raises:
        ValueError: where it can't be read.
    """
    return hashlib.sha256(read_regular(path, most_bytes())).hexdigest()[:16]


def choose_cores(threads: int | None = None, device: str = "cpu") -> tuple[int, ...]:
    """Return the processors of every arm: the last of those that this process may use, near the GPU if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    if threads and threads > len(usable):
        raise click.UsageError(
            f"--threads is {threads}; this process may use {len(usable)} processors"
        )
    near = [core for core in usable if core in machine.near_gpu()] if device == "cuda" else []
    chosen = near if len(near) >= (threads or 1) else usable
    return tuple(chosen[-(threads or len(chosen)) :])


def heed_signals() -> None:
    """Let SIGTERM and a closing terminal end the command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
