"""A fleet's nodes together: does a ratio hold on all of them, which nodes are odd, and which jobs have no rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors, tables
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import TWIN
from benchmarks.processors import name_and_driver
from benchmarks.record import harmless
from benchmarks.statistics import nodes as statistics
from benchmarks.statistics.intervals import holm, means, p_values
from benchmarks.tables import Column
from benchmarks.words import count, listed
from impls.core.text import one_line
from reports import frames
from reports.estimates import log_ratios, noise, sound
from reports.frames import ARM, BENCHMARK, Run
from reports.tracks import LIMITS

TWINS = 0.01
"""The level at which a node's twins differ, after Holm's correction over its benchmarks."""
TWINS_APART = 0.02
"""Twins that differ by less make no node odd: a ratio of interest is larger."""
SLOWER = 1.1
"""A node that takes this many times as long as the quickest of its kind is odd."""


@dataclass(frozen=True)
class Node:
    """A node that has a run: the member's name, the node's own, and the run."""

    member: str
    name: str
    run: Run

    @cached_property
    def kind(self) -> str:
        """What kind a machine it is: its processor, how many cores it has, and its GPU."""
        machine = self.run.metadata.machine
        has = count(machine.cores, "core") if machine.cores else ""
        return ", ".join(
            filter(None, (processors.words(machine), has, name_and_driver(machine.gpu)[0]))
        )

    @property
    def words(self) -> str:
        """What the node is called in a sentence: two runs may be on nodes of the same name."""
        return f"{self.name} (run {self.member})"

    @cached_property
    def log_ratios(self) -> dict[tuple[str, ...], np.ndarray]:
        """By ARM, the logs of the ratio to the run's baseline, one for each replicate."""
        groups = log_ratios(self.run).groupby(ARM, sort=False)["log"]
        return {tuple(map(str, arm)): logs.to_numpy() for arm, logs in groups}


@dataclass(frozen=True)
class Together:
    """What a fleet says.

    Attributes:
        nodes: those that have a run.
        odd: by the member's name, why a node is left out.
        missing, failed: in words, the members without a run, and what has failed on a node.
        rows: the rows of fleet.csv: a ratio over nodes, its verdict, and the ratio on each node.
    """

    nodes: Sequence[Node]
    odd: dict[str, str]
    missing: Sequence[str]
    failed: Sequence[str]
    rows: Sequence[dict[str, Any]]

    @property
    def baseline(self) -> str:
        """The implementation by whose time the others are divided: all runs have the same."""
        return self.nodes[0].run.baseline if self.nodes else ""

    @property
    def good(self) -> list[Node]:
        """The nodes that are not left out."""
        return [node for node in self.nodes if node.member not in self.odd]

    @property
    def whole(self) -> bool:
        """Whether every node has rows, nothing has failed, and there is something to say."""
        return bool(self.rows) and not self.missing and not self.failed and not self.without

    @property
    def without(self) -> list[Node]:
        """The nodes that are not left out, and have no ratio: their baseline failed, or they have one replicate."""
        return [
            node
            for node in self.good
            if not any(f"ratio_{node.member}" in row for row in self.rows)
        ]


def read(folder: Path) -> Together:
    """Return what the nodes of a fleet say together.

    A node is left out where its twins differ, or where the baseline takes much longer than on the quickest node of the
    same kind. Neither looks at what the comparison is about.
    """
    nodes, missing = [], []
    for member in fleets.read(folder).members:
        over = fleets.ended(folder, member.name)
        try:
            run = frames.read_run(fleets.run_of(folder, member.name))
            nodes.append(Node(member.name, over.node if over else member.asked, run))
        except frames.Unreadable as error:
            done, of_all = fleets.replicates_done(folder, member.name)
            damaged = str(error).replace(f"{folder}/", "")
            why = f"{fleets.why_missing(folder, member)}; {done} of {of_all} replicates; {damaged}"
            missing.append(
                f"no rows: run {member.name}, asked for {member.asked}: {one_line(why, 300)}"
            )
    odd = slow(nodes) | {node.member: reason for node in nodes if (reason := twins_differ(node))}
    good = [node for node in nodes if node.member not in odd]
    return Together(nodes, odd, missing, failures(nodes), list(rows(good)))


def failures(found: Sequence[Node]) -> list[str]:
    """Return in words what has failed on any node, where that is not harmless; with the reason of the first."""
    bad, said = [], []
    for node in found:
        known = node.run.records["status"].isin(harmless(node.run.metadata.machine.gpu))
        bad.append(node.run.records[~known].assign(node=node.words))
    if not bad:
        return []
    for (name, status), mine in pd.concat(bad).groupby(["implementation", "status"], sort=False):
        nodes = mine.drop_duplicates([*BENCHMARK, "node"])["node"].value_counts(sort=False)
        most = count(int(nodes.max()), "benchmark")
        said.append(
            f"{status}: {name} on {listed(list(nodes.index))}, at {most}: {mine['reason'].iloc[0]}"
        )
    return said


def twins_differ(node: Node) -> str | None:
    """Return why a node's twins can't be the same code on a sound machine; None where they can."""
    twins = {
        arm: logs
        for arm, logs in node.log_ratios.items()
        if arm[ARM.index("implementation")] == TWIN
    }
    if not twins:
        return None
    groups = means(list(twins.values()))
    apart = np.where(holm(p_values(groups)) < TWINS, np.abs(groups.mean), 0.0)
    worst = int(apart.argmax())
    if apart[worst] <= TWINS_APART:
        return None
    arm = dict(zip(ARM, list(twins)[worst], strict=True))
    return (
        f"its twins differ: {math.exp(groups.mean[worst]):.2f} × at {arm['problem']}, {arm['mode']}"
    )


def slow(found: Sequence[Node]) -> dict[str, str]:
    """Return the nodes on which the baseline takes much longer than on the quickest node of the same kind."""
    times: dict[str, dict[Any, float]] = {}
    for node in found:
        mine = sound(node.run.records)
        mine = mine[mine["implementation"] == node.run.baseline]
        times[node.member] = np.log(mine.groupby(BENCHMARK)["seconds"].median()).to_dict()
    logs, reasons = pd.DataFrame(times), {}
    for node in found:
        alike = logs[[other.member for other in found if other.kind == node.kind]]
        ratio = math.exp(
            alike.rsub(logs[node.member], axis=0).mean().max()
        )  # over the benchmarks that both have
        if ratio > SLOWER:
            reasons[node.member] = (
                f"the baseline takes {ratio:.2f} × as long as on the quickest node of the same kind"
            )
    return reasons


def rows(found: Sequence[Node]) -> Iterator[dict[str, Any]]:
    """Yield each ratio that some nodes have, with its verdict; without an interval where it is of one node."""
    values: dict[tuple[str, ...], dict[Node, np.ndarray]] = {}
    for node in found:
        for arm, logs in node.log_ratios.items():
            if arm[ARM.index("implementation")] not in (*LIMITS, TWIN) and len(logs) > 1:
                values.setdefault(arm, {})[node] = logs
    combined = {arm: statistics.combined(list(mine.values())) for arm, mine in values.items()}
    adjusted = dict(
        zip(combined, holm(np.array([each.p for each in combined.values()])), strict=True)
    )
    for arm, mine in values.items():
        whole, several = combined[arm], len(mine) > 1
        differs = adjusted[arm] < statistics.DIFFERS
        yield {
            **dict(zip(ARM, arm, strict=True)),
            "baseline": found[0].run.baseline,
            "ratio": math.exp(whole.mean),
            "ratio_low": math.exp(whole.low) if several else None,
            "ratio_high": math.exp(whole.high) if several else None,
            "spread": whole.spread if several else None,
            "p_same": whole.p if several else None,
            "nodes": len(mine),
            "verdict": _difference(mine) if differs else _holds(len(mine), len(found)),
            **{f"ratio_{node.member}": math.exp(float(logs.mean())) for node, logs in mine.items()},
        }


def _holds(nodes: int, of_all: int) -> str:
    if nodes == 1:
        return "one node only"
    return (
        f"holds on all {nodes} nodes" if nodes == of_all else f"holds on {nodes} of {of_all} nodes"
    )


def _difference(mine: dict[Node, np.ndarray]) -> str:
    """Return how nodes differ: between kinds of nodes, or otherwise."""
    of_kind: dict[str, list[np.ndarray]] = {}
    for node, logs in mine.items():
        of_kind.setdefault(node.kind, []).append(logs)
    alike = all(statistics.differ(group) >= statistics.DIFFERS for group in of_kind.values())
    if (
        len(mine) > len(of_kind) > 1 and alike
    ):  # with one node of each kind, the cause may be the node
        return f"differs between {listed(list(of_kind))}"
    return f"differs between {count(len(mine), 'node')}"


def sentences(said: Together) -> list[str]:
    """Return what the fleet says in some lines: how many nodes, what is left out or missing, on how much they agree."""
    good = said.good
    kinds = Counter(node.kind for node in good)
    lines = [
        count(len(good), "node")
        + (f": {listed([f'{n} × {kind}' for kind, n in kinds.items()])}" * bool(kinds))
    ]
    lines += [
        f"left out: {node.words}: {said.odd[node.member]}"
        for node in said.nodes
        if node.member in said.odd
    ]
    lines += said.missing
    for node in good:
        if noise(node.run).warning:
            lines.append(f"{node.words}: {noise(node.run).words}: {noise(node.run).warning}")
    for node in said.without:
        lines.append(
            f"no ratio: {node.words}: {said.baseline} has no times there, or there is a single replicate"
        )
    lines += said.failed
    lines += versions_that_differ(good)
    if said.rows and len(good) > 1:
        holding = sum(row["verdict"].startswith("holds") for row in said.rows)
        lines.append(
            f"{holding} of {count(len(said.rows), 'ratio')} to {said.baseline} hold on all nodes that have them"
        )
    return [one_line(line, 400) for line in lines]


def versions_that_differ(found: Sequence[Node]) -> list[str]:
    """Return a line for each package of which nodes have different versions."""
    lines = []
    for name, versions in pd.DataFrame(
        {node.words: node.run.metadata.versions for node in found}
    ).iterrows():
        nodes = versions.groupby(versions.astype(str), sort=False).groups
        if len(nodes) > 1:
            lines.append(
                f"{name} differs: {listed([f'{version} on {listed([*of])}' for version, of in nodes.items()])}"
            )
    return lines


def _ratio(row: dict[str, Any]) -> str:
    interval = f" [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]" if row["nodes"] > 1 else ""
    return f"{row['ratio']:.2f}{interval}"


def columns(said: Together) -> list[Column]:
    """Return the columns of a fleet's table: the combined ratio first, then a column for each node."""

    def of(member: str) -> Any:
        return lambda row: f"{row[f'ratio_{member}']:.2f}" if f"ratio_{member}" in row else "–"

    return [
        Column("problem", "problem", itemgetter("problem"), words=True),
        Column("mode", "mode", lambda row: f"{row['workload']}, {row['mode']}", words=True),
        Column("implementation", "implementation", itemgetter("implementation"), words=True),
        Column("ratio", f"× {said.baseline} over all nodes [95 %]", _ratio),
        Column(
            "spread", "nodes differ by",
            lambda row: f"{100 * math.expm1(row['spread']):.1f} %" if row["nodes"] > 1 else "–",
        ),
        Column("verdict", "verdict", itemgetter("verdict"), words=True),
        *(
            Column(node.member, f"{node.name} ({node.member})", of(node.member), priority=k)
            for k, node in enumerate(said.good)
        ),
    ]  # fmt: skip


def document(said: Together) -> str:
    """Return fleet.md."""
    nothing = "Every node was left out." if said.nodes and not said.good else "No node has a ratio."
    table = tables.markdown(columns(said), said.rows) if said.rows else nothing
    notes = (
        "× is the time over the baseline's, each node's mean, combined with random effects; *nodes differ by* is the"
        " standard deviation between nodes beyond what replicates explain. A verdict is about that difference, and not"
        " about which implementation is faster."
    )
    return f"# A fleet\n\n{tables.items(sentences(said))}\n\n{table}\n\n{notes}\n"
