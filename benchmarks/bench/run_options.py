"""The options of a run. run.json keeps them, and --resume reads them back.

Where they cannot be used, every function raises a UsageError.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import click
import msgspec

from benchmarks import ROOT, choices, hardware, json_files, machine, out_folder, processors
from benchmarks.cases import PRESETS, Benchmark, pairs_of
from benchmarks.metadata import Commit
from benchmarks.options import Flag, Options, given
from benchmarks.runner.files_seen import difference
from benchmarks.runner.sides import own_variables
from benchmarks.worker.devices import LEAST_TURN
from benchmarks.worker.used_files import digest
from impls.core import command_line, registry
from impls.core.environments import versions_of
from impls.core.files import check_name
from impls.core.operations import operations
from impls.core.precision import DROPPED
from impls.core.registry import Implementation

TURN_SECONDS = 0.015
"""Of a turn, at least."""
LONGEST = 720 * 3600.0
"""Seconds from one round to the next."""
FILES = "raw/files.json"
"""In a run's folder: a hash of each file that its workers have used, by path."""


class Interval(click.ParamType):  # type: ignore[type-arg]
    """A time such as 25m, 1h or 90s, in seconds."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or fail."""
        try:
            seconds = msgspec.convert(f"PT{value}", timedelta).total_seconds()  # as ISO 8601 has it
        except msgspec.ValidationError:
            seconds = 0.0
        if not 0 < seconds <= LONGEST:
            self.fail(f"{value!r} is not a time from 1s to 720h, such as 25m or 1h", param, ctx)
        return seconds


class RunOptions(Options, frozen=True, kw_only=True):
    """The options of a run, and what it measures with, as it was when it began.

    Attributes:
        used: by name, a hash of each file, the versions of each implementation, the processor and the GPU.
    """

    preset: Annotated[
        str, Flag("--preset", "What is measured.", click.Choice(list(PRESETS)), "NAME")
    ] = "quick"
    scans: Annotated[
        tuple[str, ...],
        Flag(
            "--scan",
            "Sizes to combine with those of each other --scan and --problem: steps, batch, input, hidden or layers. "
            "16..1024 doubles 16 until it is 1024. Without --problem, input is as hidden. Repeatable.",
            metavar="hidden=16..1024|batch=1,16",
        ),
    ] = ()
    rounds: Annotated[
        int,
        Flag(
            "--rounds",
            "Whole runs, one after another: intervals are then about one more run.",
            click.IntRange(1, 1000),
        ),
    ] = 1
    every: Annotated[
        float,
        Flag(
            "--every",
            "With --rounds: each starts so long after the last one started, such as 25m or 1h.",
            Interval(),
        ),
    ] = 0.0
    out: Annotated[
        str | None, Flag("--out", "A new folder.  [default: runs/DATE-PRESET]", click.Path(), "DIR")
    ] = None
    resume: Annotated[
        str | None,
        Flag("--resume", "Continue the interrupted run of this folder.", click.Path(), "DIR"),
    ] = None
    baseline: Annotated[
        str,
        Flag(
            "--baseline", "By whose time others are divided.  [default: torch_lstm, or else the first]", None, "NAME",
            advanced=True,
        ),
    ] = ""  # fmt: skip
    peak: Annotated[bool, Flag("--floor/--no-floor", "Also time the peak.", hidden=True)] = True
    used: dict[str, str] = msgspec.field(default_factory=dict)
    commit: Commit = Commit()


def compared(options: RunOptions) -> tuple[list[Implementation], str]:
    """Return the implementations that a run's options name, and the name of the baseline."""
    names = options.implementations or PRESETS[options.preset].implementations
    with command_line.usage_errors():
        implementations = choices.implementations(names, options.peak)
    lstms = [implementation.name for implementation in implementations if implementation.is_lstm]
    if not lstms:
        raise click.UsageError("nothing to time: the peak is no LSTM")
    baseline = options.baseline or ("torch_lstm" if "torch_lstm" in lstms else lstms[0])
    if baseline not in lstms:
        raise click.UsageError(
            f"--baseline {baseline} is not among {', '.join(lstms)}; add --impl {baseline}"
        )
    return implementations, baseline


def code_used(implementations: list[Implementation], weights: str | None) -> dict[str, str]:
    """Return a hash of each file that every run reads, by path, and the versions of each implementation.

    Files are those of this suite, the implementations, and the weights. What else a file from elsewhere reads, its
    worker tells.
    """
    paths = [ROOT / "impls" / name for name in registry.shared_files()]
    paths += (ROOT / "benchmarks").rglob("*.py")
    if weights:
        paths.append(Path(weights))
    used = {}
    for implementation in implementations:
        paths.append(implementation.path)
        if not implementation.requires:
            used[f"the version of {implementation.name}"] = versions_of(implementation)
    for path in paths:
        if path.is_file() and os.access(path, os.R_OK):  # an editor's lock is none
            name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            used[str(name)] = digest(str(path))
    return used


def machine_used(device: str) -> dict[str, str]:
    """Return the processor and the GPU that a run on a device has, and the variables that libraries read.

    Not those that no worker gets as they are, and not which GPU of a machine it is: its model counts.
    """
    used = {"the processor": processors.words(machine.machine())}
    if device == "cuda":
        used["the GPU"] = machine.machine_with_gpu().gpu_with_driver or "none"
    set_anyway = own_variables(Options(device=device), 1, "float32", Path())
    for name, value in machine.variables().items():
        if name not in (*set_anyway, *DROPPED, "CUDA_VISIBLE_DEVICES"):
            used[f"the variable {name}"] = value
    return used


def files_used(folder: Path) -> dict[str, str]:
    """Return a hash of each file that the workers of a run have used, by path."""
    path = folder / FILES
    return json_files.read(path, dict[str, str]) if path.exists() else {}


def changed(options: RunOptions, files: Mapping[str, str] = {}) -> str:
    """Return what is no longer as it was when a run began; nothing where all is. `files`: see files_used."""
    try:
        implementations = [registry.resolve(path) for path in options.implementations]
        here = code_used(implementations, options.weights) | machine_used(options.device)
    except ValueError as error:  # such as a file that is gone
        return str(error)
    for path in files:
        here[path] = digest(path) or "missing"
    before = {**options.used, **files}
    for name in sorted({*before, *here}):
        was = before.get(name, "missing")
        now = here.get(name, "missing")
        if was != now:
            return difference(name, was, now)
    return ""


def planned(options: RunOptions) -> RunOptions:
    """Return the options with nothing left open but what depends on the machine: a fleet's run.json at first."""
    preset = PRESETS[options.preset]
    if options.every and options.rounds == 1:
        raise click.UsageError(
            "--every is the time from one round to the next: add --rounds 5, or another number from 2 on"
        )
    implementations, baseline = compared(options)
    weights = Path(options.weights) if options.weights else None
    problems = choices.choose_problems(options.problems, weights, preset.problems, options.scans)
    real = os.path.realpath(weights) if weights else None
    pairs = preset.pairs
    if options.workloads or options.modes:
        pairs = pairs_of(options.workloads, options.modes)
    if options.scans:
        problems.sort(key=lambda problem: sum(operations(problem, *pair) for pair in pairs))
    benchmarks = [Benchmark(problem, *pair).id for problem in problems for pair in pairs]
    hardware.set_precision(options.precision, options.device)
    return msgspec.structs.replace(
        options,
        implementations=tuple(implementation.text for implementation in implementations),
        benchmarks=tuple(benchmarks),
        replicates=options.replicates or preset.replicates,
        blocks=options.blocks or preset.blocks,
        turn_seconds=max(TURN_SECONDS, LEAST_TURN[options.device]),
        weights=real,
        baseline=baseline,
        used=code_used(implementations, real),
        commit=machine.commit(),
        out=None,
    )


def of_machine(options: RunOptions) -> RunOptions:
    """Return the options with what they leave to the machine, as this one has it."""
    return msgspec.structs.replace(
        options,
        threads=len(hardware.choose_cores(options.threads, options.device)),
        used=options.used | machine_used(options.device),
    )


def resolved(options: RunOptions) -> tuple[RunOptions, Path]:
    """Check all options before anything is written, then write run.json.

    Returns:
        The options with nothing left open, and the folder of the run.
    """
    whole = of_machine(planned(options))
    folder = out_folder.usable_out(options.out, options.preset)
    (folder / "raw").mkdir()  # of two processes at once, only one can
    json_files.write(folder / "run.json", whole)
    return whole, folder


def resumed(options: RunOptions) -> tuple[RunOptions, Path]:
    """Return the options of a run to resume, and its folder."""
    folder = Path(options.resume or "")
    for name in given(options):
        if name != "--resume":
            raise click.UsageError(
                f"--resume continues a run with its own options; leave out {name}"
            )
    try:
        check_name(os.path.realpath(folder))
        began = json_files.read(folder / "run.json", RunOptions)
        if not (folder / "raw").exists():  # a fleet's, which begins now
            began = of_machine(began)
            json_files.write(folder / "run.json", began)
    except (ValueError, OSError) as error:
        raise click.UsageError(
            f"{folder} holds no run to resume (no readable run.json: {error})"
        ) from None
    change = changed(began, files_used(folder))
    if change:
        raise click.UsageError(f"{change}; start a new run")
    hardware.set_precision(began.precision, began.device)
    return began, folder
