"""What each node of a fleet does: options that are checked once, and written to its folder before any job is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from benchmarks import ROOT, choices
from benchmarks.fleet.folder import TWIN, folder_of, gate_of, run_of
from benchmarks.options import parsed
from benchmarks.record import new_run_id
from benchmarks.regression.command import regression
from benchmarks.regression.comparison import is_foreign
from benchmarks.regression.gate_options import GateOptions, choose_benchmarks
from benchmarks.regression.snapshots import resolve
from benchmarks.run import bench
from benchmarks.run_options import RunOptions, compared, planned
from impls.core import registry
from impls.core.files import write_text
from impls.core.text import json_text


def run_options(words: Sequence[str]) -> RunOptions:
    """Return the options of each node's run, from those of `bench`, with each implementation named.

    Raises:
        click.UsageError: where `bench` would refuse them.
    """
    options = parsed(bench, RunOptions, words)
    for given, name in ((options.out, "out"), (options.resume, "resume")):
        if given:
            raise click.UsageError(f"--{name} is given by the fleet to each node; name the fleet's folder with --fleet")
    if options.replicates == 1:
        raise click.UsageError("nodes are compared by their replicates: --replicates must be at least 2")
    implementations, _ = compared(options)
    if any(implementation.name == TWIN for implementation in implementations):
        raise click.UsageError(f"the fleet adds a copy of the baseline that is called {TWIN}; rename yours")
    return planned(options)


def write_runs(folder: Path, members: Sequence[str], options: RunOptions) -> None:
    """Write the run.json of each member, with a copy of the baseline among its implementations."""
    twin = folder / f"{TWIN}.py"
    (baseline,) = (each for each in map(registry.resolve, options.implementations) if each.name == options.baseline)
    shutil.copyfile(baseline.path, twin)
    whole = planned(msgspec.structs.replace(options, implementations=(*options.implementations, str(twin))))
    for member in members:
        place = run_of(folder, member)
        place.mkdir(parents=True)
        write_text(place / "run.json", json_text(msgspec.structs.replace(whole, run_id=new_run_id())))


def gate_options(words: Sequence[str]) -> GateOptions:
    """Return the options of each node's gate, from those of `regression`. All compare the commits of this moment.

    Raises:
        click.UsageError: where `regression` would refuse them.
    """
    options = parsed(regression, GateOptions, words)
    for given, name in ((options.out, "--out"), (options.commits, "--bisect")):
        if given:
            raise click.UsageError(f"{name} does not go with a fleet of gates")
    if (options.base is None) == (not options.base_requirements) or (options.head and not options.base):
        raise click.UsageError("a fleet of gates takes either --base REV (and --head REV) or --base-requirement SPEC")
    implementations = tuple(os.path.realpath(name) if is_foreign(name) else name for name in options.implementations)
    foreign = [Path(name) for name in implementations if is_foreign(name)]
    folders = {path.parent for path in foreign}
    folders |= {ROOT} if len(foreign) < len(implementations) or not foreign else set()

    def commit(revision: str | None) -> str | None:
        found = {resolve(folder, revision) for folder in folders} if revision else set()
        return found.pop()[:12] if len(found) == 1 else revision

    try:
        choose_benchmarks(options)
        for name in implementations:
            if name != choices.ALL and not is_foreign(name):
                registry.resolve(name)
        base, head = commit(options.base), commit(options.head)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return msgspec.structs.replace(options, implementations=implementations, base=base, head=head)


def write_gates(folder: Path, members: Sequence[str], options: GateOptions) -> None:
    """Write the options of each member's gate: they share the chance of a false alarm."""
    for member in members:
        folder_of(folder, member).mkdir(parents=True)
        mine = msgspec.structs.replace(
            options, run_id=new_run_id(), gates=len(members), out=str(run_of(folder, member))
        )
        write_text(gate_of(folder, member), json_text(mine))
