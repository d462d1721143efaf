"""The implementations and the problems that options name, checked before anything is written.

What cannot be used is a UsageError, and a name or file of an implementation that cannot be read a ValueError.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

import click
import psutil

from benchmarks import scan
from benchmarks.options import GIB
from impls.core import command_line, reference, registry
from impls.core.case_files import check_range, read_weights
from impls.core.files import check_name
from impls.core.problem import Problem
from impls.core.registry import Implementation
from impls.core.weights import shapes

LONG_MINUTES = 10
"""What compiles so long is not in the set `common`."""

SETS: Mapping[str, Callable[[Implementation], bool]] = {
    "all": lambda each: not each.is_exported,
    "common": lambda each: (
        not each.is_exported and not each.requires and each.compile_minutes < LONG_MINUTES
    ),
    "others": lambda each: not each.is_exported and bool(each.requires),
    "exported": lambda each: each.is_exported,
}
"""Sets of LSTMs. What a framework exports is in none but the last.

all: every one. common: those that run in the common environment and do not compile long. others: those with an
environment of their own.
"""


def implementations(names: tuple[str, ...], peak: bool = False) -> list[Implementation]:
    """Return the implementations that --impl names.

    Without names: every LSTM that is not optional and needs no environment of its own. A name of SETS: all of the set.
    With `peak`, the peak comes last.
    """
    chosen = [registry.resolve(name) for name in names if name not in SETS]
    sets = [SETS[name] for name in names if name in SETS]
    if not names:
        sets = [attrgetter("by_default")]
    named = {(implementation.name, implementation.path) for implementation in chosen}
    for implementation in registry.catalogue().values():
        is_named = (implementation.name, implementation.path) in named
        in_a_set = implementation.is_lstm and any(holds(implementation) for holds in sets)
        if in_a_set and not is_named:
            chosen.append(implementation)
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
    with command_line.usage_errors():
        check_name(os.path.realpath(path))
        implied, arrays = read_weights(path)
        has_x = (implied.seq_len, implied.batch) != (1, 1)
        if has_x and not problems:
            command_line.say(
                f"note: only the sizes of x in {path} are used; the inputs are random", err=True
            )
        problems = problems or [implied if has_x else implied.replace(seq_len=64, batch=16)]
        for problem in problems:
            check_range(path, arrays, problem.dtype)
    for problem in problems:
        for name, shape in shapes(problem).items():
            if name not in arrays or arrays[name].shape != shape:
                has = f"shape {arrays[name].shape}" if name in arrays else "no such array"
                raise click.UsageError(
                    f"{path} does not fit {problem.id}: {name} must have shape {shape}, it has {has}"
                )
    return problems


def choose_problems(
    given: Sequence[str], weights: Path | None, default: Iterable[str], scans: Sequence[str] = ()
) -> list[Problem]:
    """Return the given problems, or that of the weights, or the default ones, each once. They must fit into memory.

    With `scans`, each of them with every combination of the scanned sizes; by default of scan.BASE.
    """
    is_default = not given and not weights
    if is_default:
        given = (scan.BASE,) if scans else tuple(default)
    with command_line.usage_errors():
        problems = [Problem.parse(text) for text in given]
    if weights:
        problems = fit_weights(weights, problems)
    if scans:
        with command_line.usage_errors():
            problems = scan.scanned(problems, scans, input_follows_hidden=is_default)
        if weights:
            fit_weights(weights, problems)
    available = psutil.virtual_memory().total / GIB
    for problem in problems:
        needed = reference.bytes_needed(problem) / GIB
        if needed > available:
            raise click.UsageError(
                f"{problem.id} is too large: its reference needs about {needed:.0f} GiB of memory, "
                f"this machine has {available:.0f}"
            )
    return list(dict.fromkeys(problems))
