"""What each node of a fleet does: options that are checked once, and written to its folder before any job is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from benchmarks import ROOT, choices, json_files
from benchmarks.bench.command import bench
from benchmarks.bench.run_options import RunOptions, compared, planned
from benchmarks.fleet.folder import TWIN, folder_of, gate_of, run_of
from benchmarks.options import new_run_id, parsed
from benchmarks.regression.command import regression
from benchmarks.regression.comparison import is_foreign, split
from benchmarks.regression.gate_options import GateOptions, choose_benchmarks
from benchmarks.regression.snapshots import resolve
from impls.core import registry
from impls.core.constants import Constants
from impls.core.files import write_text

Write = Callable[[Path, Sequence[str]], None]
"""Writes what each of these members of a fleet is to do, into the fleet's folder."""


def runs(words: Sequence[str]) -> Write:
    """Return what writes the run.json of each member, with a copy of the baseline; UsageError as `bench` would say."""
    options = parsed(bench, RunOptions, words)
    for given, name in ((options.out, "out"), (options.resume, "resume")):
        if given:
            raise click.UsageError(
                f"--{name} is given by the fleet to each node; name the fleet's folder with --fleet"
            )
    if options.replicates == 1:
        raise click.UsageError(
            "nodes are compared by their replicates: --replicates must be at least 2"
        )
    implementations, name = compared(options)
    if any(implementation.name == TWIN for implementation in implementations):
        raise click.UsageError(
            f"the fleet adds a copy of the baseline that is called {TWIN}; rename yours"
        )
    if sum(implementation.is_lstm for implementation in implementations) < 2:
        raise click.UsageError("a fleet compares implementations: name at least two with --impl")
    options = planned(options)
    baseline = next(
        implementation for implementation in implementations if implementation.name == name
    )

    def write(folder: Path, members: Sequence[str]) -> None:
        twin = folder / f"{TWIN}.py"
        lines = [
            f"{name.upper()} = {getattr(baseline, name)!a}" for name in Constants.__struct_fields__
        ]
        load = f"registry.load(registry.resolve({str(baseline.path)!a}))"  # from its place: with what it imports
        write_text(
            twin,
            "\n".join([*lines, "from impls.core import registry", f"prepare = {load}.prepare\n"]),
        )
        whole = planned(
            msgspec.structs.replace(options, implementations=(*options.implementations, str(twin)))
        )
        for member in members:
            run_of(folder, member).mkdir(parents=True)
            mine = msgspec.structs.replace(whole, run_id=new_run_id())
            json_files.write(run_of(folder, member) / "run.json", mine)

    return write


def gates(words: Sequence[str]) -> Write:
    """Return what writes the options of each gate, all of the present commits; UsageError as `regression` would say."""
    options = parsed(regression, GateOptions, words)
    if options.out:
        raise click.UsageError("--out does not go with a fleet of gates")
    if (options.base is None) == (not options.base_requirements) or (
        options.head and not options.base
    ):
        raise click.UsageError(
            "a fleet of gates takes either --base REV (and --head REV) or --base-requirement SPEC"
        )
    implementations = tuple(
        os.path.realpath(name) if is_foreign(name) else name for name in options.implementations
    )
    foreign = [Path(name) for name in implementations if is_foreign(name)]
    folders = {path.parent for path in foreign}
    folders |= {ROOT} if len(foreign) < len(implementations) or not foreign else set()

    def commit(revision: str | None) -> str | None:
        found = {resolve(folder, revision) for folder in folders} if revision else set()
        return found.pop()[:12] if len(found) == 1 else revision

    try:
        choose_benchmarks(options)
        split(implementations)
        for name in implementations:
            if name not in choices.SETS and not is_foreign(name):
                registry.resolve(name)
        base, head = commit(options.base), commit(options.head)
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def write(folder: Path, members: Sequence[str]) -> None:
        for member in members:
            folder_of(folder, member).mkdir(parents=True)
            mine = msgspec.structs.replace(
                options, implementations=implementations, base=base, head=head, run_id=new_run_id(),
                gates=len(members), out=str(run_of(folder, member)),
            )  # fmt: skip
            json_files.write(gate_of(folder, member), mine)

    return write
