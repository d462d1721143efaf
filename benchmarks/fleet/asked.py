"""What a fleet is asked to do: on which nodes, and with which options of `run` or `regression`."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import ROOT, choices
from benchmarks.fleet import scheduler
from benchmarks.fleet.folder import REGRESSION, TWIN
from benchmarks.fleet.scheduler import SchedulerFailed
from benchmarks.regression.command import regression as gate_command
from benchmarks.regression.comparison import is_foreign
from benchmarks.regression.gate_options import GateOptions, choose_benchmarks
from benchmarks.regression.snapshots import resolve
from benchmarks.run import run as run_command
from benchmarks.run_options import RunOptions, compared
from benchmarks.words import listed
from impls.core import registry

OWN = ("time", "partition", "nodelist", "nodes", "exclusive", "requeue", "signal", "open-mode", "job-name")
"""The options of sbatch that the fleet gives itself."""


def sbatch_options(given: Sequence[str]) -> dict[str, str]:
    """Return options of sbatch that were given as KEY=VALUE.

    Raises:
        click.UsageError: where one is not written so, or is the fleet's own.
    """
    found = {}
    for text in given:
        name, _, value = text.partition("=")
        name = name.lstrip("-").replace("_", "-")
        if not value:
            raise click.UsageError(f"--slurm {text} is not KEY=VALUE")
        if name in OWN:
            raise click.UsageError(
                f"--slurm {text}: the fleet gives {name} itself (see --minutes, --partition, --nodes)"
            )
        found[name.replace("-", "_")] = value
    return found


def slurm_nodes(partition: str | None, count: int | None, per_kind: int | None) -> list[str]:
    """Return such as `a/node1` for each job: distinct nodes, from each partition in turn."""
    try:
        partitions = partition.split(",") if partition else [scheduler.default_partition()]
        usable = {name: scheduler.nodes(name) for name in partitions}
    except SchedulerFailed as error:
        raise click.UsageError(f"Slurm: {error}") from None
    if per_kind:
        for name, found in usable.items():
            if len(found) < per_kind:
                raise click.UsageError(f"--per-kind is {per_kind}; partition {name} has {len(found)} usable nodes")
        usable = {name: found[:per_kind] for name, found in usable.items()}
        shared = [node for node, n in Counter(itertools.chain.from_iterable(usable.values())).items() if n > 1]
        if shared:
            raise click.UsageError(f"--per-kind: {listed(shared)} is in several of the partitions; use --nodes")
    rounds = itertools.zip_longest(*([f"{name}/{node}" for node in found] for name, found in usable.items()))
    by_node: dict[str, str] = {}  # a node may be in several partitions
    for where in filter(None, itertools.chain.from_iterable(rounds)):
        by_node.setdefault(where.partition("/")[2], where)
    if count and count > len(by_node):
        raise click.UsageError(f"--nodes is {count}; {len(by_node)} are usable")
    return list(by_node.values())[: count or len(by_node)]


def run_options(given: list[str]) -> tuple[list[str], str]:
    """Return options of `run` with each implementation named, and the baseline.

    Raises:
        click.UsageError: where `run` would refuse them.
    """
    with run_command.make_context("run", list(given), resilient_parsing=False) as context:
        asked = RunOptions(**{name: value for name, value in context.params.items() if value is not None})
    for name in ("out", "resume"):
        if getattr(asked, name):
            raise click.UsageError(f"--{name} is given by the fleet to each node; name the fleet's folder with --fleet")
    if asked.replicates == 1:
        raise click.UsageError("nodes are compared by their replicates: --replicates must be at least 2")
    implementations, baseline = compared(asked)
    if any(implementation.name == TWIN for implementation in implementations):
        raise click.UsageError(f"the fleet adds a copy of the baseline that is called {TWIN}; rename yours")
    rest = []
    words = iter(given)
    for word in words:
        if word == "--impl":
            next(words)
        elif not word.startswith("--impl="):
            rest.append(word)
    named = [
        part for one in implementations if one.is_lstm for part in ("--impl", one.name if one.own else str(one.path))
    ]
    return [*rest, *named], baseline


def gate_options(given: Sequence[str], gates: int) -> list[str]:
    """Return options of `regression`, for one of so many gates. All of them compare the commits of this moment.

    Raises:
        click.UsageError: where `regression` would refuse them.
    """
    with gate_command.make_context(REGRESSION, list(given), resilient_parsing=False) as context:
        asked = GateOptions(**{name: value for name, value in context.params.items() if value is not None})
    for value, option in ((asked.out, "--out"), (asked.commits, "--bisect")):
        if value:
            raise click.UsageError(f"{option} does not go with a fleet of gates")
    if (asked.base is None) == (not asked.base_requirements) or (asked.head and not asked.base):
        raise click.UsageError("a fleet of gates takes either --base REV (and --head REV) or --base-requirement SPEC")
    revisions = {name: revision for name in ("base", "head") if (revision := getattr(asked, name))}
    impls = [os.path.realpath(name) if is_foreign(name) else name for name in asked.implementations]
    try:
        choose_benchmarks(asked)
        for name in impls:
            if name != choices.ALL and not is_foreign(name):
                registry.resolve(name)
        foreign = [name for name in impls if is_foreign(name)]
        folders = {Path(name).parent for name in foreign}
        folders |= {ROOT} if len(foreign) < len(impls) or not foreign else set()
        for name, revision in revisions.items():
            commits = {resolve(folder, revision) for folder in folders}
            revisions[name] = commits.pop()[:12] if len(commits) == 1 else revision
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    words = [f"--{name}={revision}" for name, revision in revisions.items()]
    words += ["--strict"] * asked.strict + ["--even-if-same"] * asked.even_if_same
    words += [f"--margin={asked.margin}", f"--threads={asked.threads}", f"--device={asked.device}"]
    words += [f"--replicates={asked.replicates}", f"--blocks={asked.blocks}", f"--gates={gates}"]
    repeated = {"base-requirement": asked.base_requirements, "impl": impls, "problem": asked.problems}
    repeated |= {"workload": asked.workloads, "mode": asked.modes}
    return words + [f"--{name}={value}" for name, values in repeated.items() for value in values]
