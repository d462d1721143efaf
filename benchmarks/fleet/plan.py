"""What each node of a fleet does: options that are checked once, and written to its folder before any job is."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec

from benchmarks import ROOT, json_files
from benchmarks.bench.command import bench
from benchmarks.bench.run_options import RunOptions, compared, planned
from benchmarks.choices import SETS
from benchmarks.fleet.folder import TWIN, folder_of, gate_of, run_of
from benchmarks.options import new_run_id, parsed
from benchmarks.regression import gate_options
from benchmarks.regression.command import regression
from benchmarks.regression.comparison import split
from benchmarks.regression.gate_options import GateOptions
from benchmarks.regression.snapshots import resolve
from impls.core import command_line, registry
from impls.core.constants import Constants
from impls.core.files import write_text
from impls.core.registry import Implementation

Write = Callable[[Path, Sequence[str]], None]
"""Writes what each of these members of a fleet is to do, into the fleet's folder."""


def runs(words: Sequence[str]) -> Write:
    """Return what writes the run.json of each member, with a copy of the baseline; UsageError as `bench` would say."""
    options = parsed(bench, RunOptions, words)
    for name in ("out", "resume"):
        if getattr(options, name):
            raise click.UsageError(
                f"--{name} is given by the fleet to each node; name the fleet's folder with --fleet"
            )
    if options.replicates == 1:
        raise click.UsageError(
            "nodes are compared by their replicates: --replicates must be at least 2"
        )
    chosen, baseline = compared(options)
    implementations = {implementation.name: implementation for implementation in chosen}
    if TWIN in implementations:
        raise click.UsageError(
            f"the fleet adds a copy of the baseline that is called {TWIN}; rename yours"
        )
    if sum(implementation.is_lstm for implementation in chosen) < 2:
        raise click.UsageError("a fleet compares implementations: name at least two with --impl")
    return partial(_write_runs, planned(options), implementations[baseline])


def _write_runs(
    options: RunOptions, baseline: Implementation, folder: Path, members: Sequence[str]
) -> None:
    twin = folder / f"{TWIN}.py"
    write_text(twin, _copy_of(baseline))
    names = (*options.implementations, str(twin))
    whole = planned(msgspec.structs.replace(options, implementations=names))
    for member in members:
        run_of(folder, member).mkdir(parents=True)
        mine = msgspec.structs.replace(whole, run_id=new_run_id())
        json_files.write(run_of(folder, member) / "run.json", mine)


def _copy_of(implementation: Implementation) -> str:
    """Return a file that is the same implementation: it loads the other from its place, with what that imports."""
    constants = [
        f"{name.upper()} = {getattr(implementation, name)!a}\n"
        for name in Constants.__struct_fields__
    ]
    load = f"registry.load(registry.resolve({str(implementation.path)!a}))"
    return "".join([*constants, f"from impls.core import registry\nprepare = {load}.prepare\n"])


def gates(words: Sequence[str]) -> Write:
    """Return what writes the options of each gate, all of the present commits; UsageError as `regression` would say."""
    options = parsed(regression, GateOptions, words)
    if options.out:
        raise click.UsageError("--out does not go with a fleet of gates")
    with command_line.usage_errors():
        options = gate_options.planned(options)
        own, foreign = split(options.implementations)
        for name in own:
            if name not in SETS:
                registry.resolve(name)
        folders = {path.parent for path in foreign}
        if own or not foreign:
            folders.add(ROOT)
        options = msgspec.structs.replace(
            options,
            implementations=(*own, *map(str, foreign)),
            base=_commit(folders, options.base),
            head=_commit(folders, options.head),
        )
    return partial(_write_gates, options)


def _commit(folders: set[Path], revision: str | None) -> str | None:
    """Return the commit of a revision, where it is the same in the repositories of all folders."""
    if revision is None:
        return None
    commits = {resolve(folder, revision)[:12] for folder in folders}
    return commits.pop() if len(commits) == 1 else revision


def _write_gates(options: GateOptions, folder: Path, members: Sequence[str]) -> None:
    for member in members:
        folder_of(folder, member).mkdir(parents=True)
        mine = msgspec.structs.replace(
            options, run_id=new_run_id(), gates=len(members), out=str(run_of(folder, member))
        )
        json_files.write(gate_of(folder, member), mine)
