"""A fleet's nodes together: does a ratio hold on all of them, which nodes are odd, and which jobs have no rows."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors, tables
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import TWIN
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
        cores = count(machine.cores, "core") if machine.cores else ""
        parts = (processors.words(machine), cores, machine.gpu)
        return ", ".join(filter(None, parts))

    @property
    def words(self) -> str:
        """What the node is called in a sentence: two runs may be on nodes of the same name."""
        return f"{self.name} (run {self.member})"

    @property
    def column(self) -> str:
        """The column of fleet.csv that has its ratios."""
        return f"ratio_{self.member}"

    @cached_property
    def log_ratios(self) -> dict[tuple[str, ...], np.ndarray]:
        """By ARM, the logs of the ratio to the run's baseline, one for each replicate."""
        groups = log_ratios(self.run).groupby(ARM, sort=False)["log"]
        return {tuple(map(str, arm)): logs.to_numpy() for arm, logs in groups}


@dataclass(frozen=True)
class Together:
    """What a fleet says.

    Attributes:
        baseline: the implementation by whose time the others are divided: all runs have the same.
        odd: the nodes that are left out, by the member's name, and why.
        good: the nodes that are not left out.
        missing, failed: in words, the members without a run, and what has failed on a node.
        rows: the rows of fleet.csv: a ratio over nodes, its verdict, and the ratio on each node.
    """

    baseline: str
    odd: Mapping[str, str]
    good: Sequence[Node]
    missing: Sequence[str]
    failed: Sequence[str]
    rows: Sequence[dict[str, Any]]

    @property
    def whole(self) -> bool:
        """Whether every node has rows, nothing has failed, and there is something to say."""
        return bool(self.rows) and not self.missing and not self.failed and not self.without

    @property
    def without(self) -> list[Node]:
        """The nodes that are not left out, and have no ratio: their baseline failed, or they have one replicate."""
        return [node for node in self.good if all(node.column not in row for row in self.rows)]


def read(folder: Path) -> Together:
    """Return what the nodes of a fleet say together.

    A node is left out where its twins differ, or where the baseline takes much longer than on the quickest node of the
    same kind. Neither looks at what the comparison is about.
    """
    nodes = []
    missing = []
    for member in fleets.read(folder).members:
        try:
            run = frames.read_run(fleets.run_of(folder, member.name))
        except frames.Unreadable as error:
            done, of_all = fleets.replicates_done(folder, member.name)
            damage = str(error).replace(f"{folder}/", "")
            why = f"{fleets.why_missing(folder, member)}; {done} of {of_all} replicates; {damage}"
            run_words = f"run {member.name}, asked for {member.asked}"
            missing.append(f"no rows: {run_words}: {one_line(why, 300)}")
        else:
            nodes.append(Node(member.name, fleets.node_of(folder, member), run))
    odd = slow(nodes)
    for node in nodes:
        if reason := twins_differ(node):
            odd[node.member] = f"{node.words}: {reason}"
    good = [node for node in nodes if node.member not in odd]
    baseline = nodes[0].run.baseline if nodes else ""
    return Together(baseline, odd, good, missing, failures(nodes), ratios(good))


def failures(nodes: Sequence[Node]) -> list[str]:
    """Return in words what has failed on any node, where that is not harmless; with the reason of the first."""
    failed = [node.run.failures(node.run.records).assign(node=node.words) for node in nodes]
    if not failed:
        return []
    lines = []
    for (name, status), rows in pd.concat(failed).groupby(["implementation", "status"], sort=False):
        benchmarks = rows.drop_duplicates([*BENCHMARK, "node"])["node"].value_counts(sort=False)
        where = f"{listed(list(benchmarks.index))}, at {count(int(benchmarks.max()), 'benchmark')}"
        lines.append(f"{status}: {name} on {where}: {rows['reason'].iloc[0]}")
    return lines


def twins_differ(node: Node) -> str | None:
    """Return why a node's twins can't be the same code on a sound machine; None where they can."""
    twins = {arm: logs for arm, logs in node.log_ratios.items() if arm[-1] == TWIN}
    if not twins:
        return None
    groups = means(list(twins.values()))
    apart = np.where(holm(p_values(groups)) < TWINS, np.abs(groups.mean), 0.0)
    worst = int(apart.argmax())
    if apart[worst] <= TWINS_APART:
        return None
    problem, _, mode, *_ = list(twins)[worst]
    return f"its twins differ: {math.exp(groups.mean[worst]):.2f} × at {problem}, {mode}"


def slow(nodes: Sequence[Node]) -> dict[str, str]:
    """Return the nodes on which the baseline takes much longer than on the quickest node of the same kind."""
    times = {}
    for node in nodes:
        records = sound(node.run.records)
        records = records[records["implementation"] == node.run.baseline]
        times[node.member] = np.log(records.groupby(BENCHMARK)["seconds"].median())
    logs = pd.DataFrame(times)
    reasons = {}
    for node in nodes:
        alike = [other.member for other in nodes if other.kind == node.kind]
        # the mean is over the benchmarks that both have
        ratio = math.exp(logs[alike].rsub(logs[node.member], axis=0).mean().max())
        if ratio > SLOWER:
            why = (
                f"the baseline takes {ratio:.2f} × as long as on the quickest node of the same kind"
            )
            reasons[node.member] = f"{node.words}: {why}"
    return reasons


def ratios(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Return a row for each ratio that some nodes have, with its verdict; no interval where it is of one node."""
    logs_of: dict[tuple[str, ...], dict[Node, np.ndarray]] = {}
    for node in nodes:
        for arm, logs in node.log_ratios.items():
            if arm[-1] not in (*LIMITS, TWIN) and len(logs) > 1:
                logs_of.setdefault(arm, {})[node] = logs
    combined = [statistics.combined(list(by_node.values())) for by_node in logs_of.values()]
    adjusted = holm(np.array([mean.p for mean in combined]))
    rows = []
    for (arm, by_node), mean, p in zip(logs_of.items(), combined, adjusted, strict=True):
        differs = bool(p < statistics.DIFFERS)
        row: dict[str, Any] = {
            **dict(zip(ARM, arm, strict=True)),
            "baseline": nodes[0].run.baseline,
            "ratio": math.exp(mean.mean),
            "ratio_low": math.exp(mean.low),
            "ratio_high": math.exp(mean.high),
            "spread": mean.spread,
            "p_same": mean.p,
            "nodes": len(by_node),
            "differs": differs,
            "verdict": _difference(by_node) if differs else _holds(len(by_node), len(nodes)),
        }
        if len(by_node) == 1:
            row |= dict.fromkeys(("ratio_low", "ratio_high", "spread", "p_same"))
        for node, logs in by_node.items():
            row[node.column] = math.exp(float(logs.mean()))
        rows.append(row)
    return rows


def _holds(number: int, of_all: int) -> str:
    if number == 1:
        return "one node only"
    where = f"all {number}" if number == of_all else f"{number} of {of_all}"
    return f"holds on {where} nodes"


def _difference(by_node: Mapping[Node, np.ndarray]) -> str:
    """Return how nodes differ: between kinds of nodes, or otherwise."""
    kinds: dict[str, list[np.ndarray]] = {}
    for node, logs in by_node.items():
        kinds.setdefault(node.kind, []).append(logs)
    alike = all(statistics.differ(group) >= statistics.DIFFERS for group in kinds.values())
    # with one node of each kind, the cause may be the node
    if len(by_node) > len(kinds) > 1 and alike:
        return f"differs between {listed(list(kinds))}"
    return f"differs between {count(len(by_node), 'node')}"


def sentences(fleet: Together) -> list[str]:
    """Return what the fleet says in some lines: how many nodes, what is left out or missing, on how much they agree."""
    kinds = Counter(node.kind for node in fleet.good)
    parts = [f"{number} × {kind}" for kind, number in kinds.items()]
    lines = [f"{count(len(fleet.good), 'node')}: {listed(parts)}".removesuffix(": ")]
    lines += [f"left out: {reason}" for reason in fleet.odd.values()]
    lines += fleet.missing
    for node in fleet.good:
        if noise(node.run).warning:
            lines.append(f"{node.words}: {noise(node.run).words}: {noise(node.run).warning}")
    for node in fleet.without:
        why = f"{fleet.baseline} has no times there, or there is a single replicate"
        lines.append(f"no ratio: {node.words}: {why}")
    lines += fleet.failed
    lines += versions_that_differ(fleet.good)
    if fleet.rows and len(fleet.good) > 1:
        holding = sum(row["nodes"] > 1 and not row["differs"] for row in fleet.rows)
        number = count(len(fleet.rows), "ratio")
        lines.append(f"{holding} of {number} to {fleet.baseline} hold on all nodes that have them")
    return [one_line(line, 400) for line in lines]


def versions_that_differ(nodes: Sequence[Node]) -> list[str]:
    """Return a line for each package of which nodes have different versions."""
    table = pd.DataFrame({node.words: node.run.metadata.versions for node in nodes})
    lines = []
    for package, versions in table.iterrows():
        groups = versions.groupby(versions.astype(str), sort=False).groups
        if len(groups) > 1:
            parts = [f"{version} on {listed([*names])}" for version, names in groups.items()]
            lines.append(f"{package} differs: {listed(parts)}")
    return lines


def _ratio(row: dict[str, Any]) -> str:
    ratio = f"{row['ratio']:.2f}"
    if row["nodes"] > 1:
        ratio += f" [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
    return ratio


def _spread(row: dict[str, Any]) -> str:
    return f"{100 * math.expm1(row['spread']):.1f} %" if row["nodes"] > 1 else "–"


def _ratio_on(node: Node, row: dict[str, Any]) -> str:
    return f"{row[node.column]:.2f}" if node.column in row else "–"


def columns(fleet: Together) -> list[Column]:
    """Return the columns of a fleet's table: the combined ratio first, then a column for each node."""
    columns = [
        Column("problem", "problem", itemgetter("problem"), words=True),
        Column("mode", "mode", lambda row: f"{row['workload']}, {row['mode']}", words=True),
        Column("implementation", "implementation", itemgetter("implementation"), words=True),
        Column("ratio", f"× {fleet.baseline} over all nodes [95 %]", _ratio),
        Column("spread", "nodes differ by", _spread),
        Column("verdict", "verdict", itemgetter("verdict"), words=True),
    ]
    for k, node in enumerate(fleet.good):
        header = f"{node.name} ({node.member})"
        columns.append(Column(node.member, header, partial(_ratio_on, node), priority=k))
    return columns


def document(fleet: Together) -> str:
    """Return fleet.md."""
    table = "Every node was left out." if fleet.odd and not fleet.good else "No node has a ratio."
    if fleet.rows:
        table = tables.markdown(columns(fleet), fleet.rows)
    notes = (
        "× is the time over the baseline's, each node's mean, combined with random effects; *nodes differ by* is the"
        " standard deviation between nodes beyond what replicates explain. A verdict is about that difference, and not"
        " about which implementation is faster."
    )
    return f"# A fleet\n\n{tables.items(sentences(fleet))}\n\n{table}\n\n{notes}\n"
