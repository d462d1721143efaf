"""A fleet's nodes together: does a ratio hold on all of them, which nodes are odd, and which jobs have no rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors, tables
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import TWIN
from benchmarks.metadata import Machine, name_and_driver
from benchmarks.record import harmless
from benchmarks.statistics import nodes as statistics
from benchmarks.statistics.intervals import means, p_values
from benchmarks.statistics.multiplicity import holm
from benchmarks.tables import Column
from benchmarks.words import count, listed
from impls.core.text import one_line
from reports import frames
from reports.estimates import UNSTEADY, Blocks, grouped, median_sd, sound
from reports.frames import ARM, BENCHMARK, Run
from reports.tracks import LIMITS

TWINS = 0.01
"""The level at which a node's twins differ, after Holm's correction over its benchmarks."""
TWINS_APART = 0.02
"""Twins that differ by less make no node odd: a ratio of interest is larger."""
SLOWER = 1.1
"""A node that takes this many times as long as the quickest of its kind is odd."""


LogRatios = dict[tuple[str, ...], np.ndarray]
"""By ARM, the logs of the ratio to the run's baseline, one for each replicate."""


@dataclass(frozen=True)
class Node:
    """A node that has a run: the member's name, the node's own, its kind, its run, and that run's log ratios."""

    member: str
    name: str
    kind: str
    run: Run
    log_ratios: LogRatios

    @property
    def words(self) -> str:
        """What the node is called in a sentence: two runs may be on nodes of the same name."""
        return f"{self.name} (run {self.member})"


@dataclass(frozen=True)
class Row:
    """A ratio over nodes. `each` has, by the member's name, the ratio there."""

    problem: str
    workload: str
    mode: str
    device: str
    implementation: str
    combined: statistics.Combined
    nodes: int
    verdict: str
    each: dict[str, float]


@dataclass(frozen=True)
class Together:
    """What a fleet says.

    Attributes:
        nodes: those that have a run.
        odd: by the member's name, why a node is left out.
        missing, failed: in words, the members without a run, and what has failed on a node.
        rows: the ratios.
    """

    nodes: Sequence[Node]
    odd: dict[str, str]
    missing: Sequence[str]
    failed: Sequence[str]
    rows: Sequence[Row]

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
        return [node for node in self.good if not any(node.member in row.each for row in self.rows)]


def read(folder: Path) -> tuple[list[Node], list[str]]:
    """Return the nodes of a fleet that have a run, and in words the members that have none.

    Raises:
        ValueError: where the folder holds no fleet. One line.
    """
    kept = fleets.read(folder)
    found: list[tuple[str, str, Run]] = []
    missing = []
    for member in kept.members:
        over = fleets.ended(folder, member.name)
        try:
            run = frames.read_run(fleets.run_of(folder, member.name))
            found.append((member.name, over.node if over else member.asked, run))
        except frames.Unreadable as error:
            done, of_all = fleets.replicates_done(folder, member.name)
            if over is not None and over.code in (0, 1):  # the run has ended well, and its files are damaged
                why = str(error).replace(f"{folder}/", "")
            else:
                why = f"{fleets.why_missing(folder, member)}; {done} of {of_all} replicates"
            missing.append(f"no rows: run {member.name}, asked for {member.asked}: {one_line(why, 200)}")
    kinds = kinds_of([run.metadata.machine for _, _, run in found])
    nodes = [
        Node(member, name, kind, run, log_ratios(run)) for (member, name, run), kind in zip(found, kinds, strict=True)
    ]
    return nodes, missing


def kinds_of(machines: Sequence[Machine]) -> list[str]:
    """Return what kind each machine is: its processor and its GPU, and the number of cores where that differs."""
    differ = len({machine.cores for machine in machines}) > 1
    parts = [
        (
            processors.words(machine),
            count(machine.cores, "core") if differ and machine.cores else "",
            name_and_driver(machine.gpu)[0],
        )
        for machine in machines
    ]
    return [", ".join(filter(None, each)) for each in parts]


def together(found: Sequence[Node], missing: Sequence[str]) -> Together:
    """Return what the nodes say together.

    A node is left out where its twins differ, or where the baseline takes much longer than on the quickest node of the
    same kind. Neither looks at what the comparison is about.
    """
    odd = {node.member: reason for node in found if (reason := twins_differ(node))}
    odd |= {name: reason for name, reason in slow(found).items() if name not in odd}
    good = [node for node in found if node.member not in odd]
    return Together(found, odd, missing, failures(found), list(rows(good)))


def failures(found: Sequence[Node]) -> list[str]:
    """Return in words what has failed on any node, where that is not harmless; with the reason of the first."""
    same: dict[tuple[str, str], list[tuple[Node, int, str]]] = {}
    for node in found:
        records = node.run.records
        bad = records[~records["status"].isin(harmless(node.run.metadata.machine.gpu))]
        for (name, status), mine in bad.groupby(["implementation", "status"], observed=True):
            at = len(mine[BENCHMARK].drop_duplicates())
            same.setdefault((str(name), str(status)), []).append((node, at, str(mine["reason"].iloc[0])))
    return [
        f"{status}: {name} on {listed([node.words for node, _, _ in where])},"
        f" at {count(max(at for _, at, _ in where), 'benchmark')}: {where[0][2]}"
        for (name, status), where in same.items()
    ]


def log_ratios(run: Run) -> LogRatios:
    """Return by ARM the logs of the ratio to the run's baseline, one for each replicate."""
    blocks = Blocks(run.turns, sound(run.records))
    others = blocks.arms[blocks.arms["implementation"] != run.baseline].reset_index(drop=True)
    logs = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    values = grouped(logs["log_ratio"].to_numpy(), logs["pair"].to_numpy(), len(others))
    arms = others[ARM].itertuples(index=False, name=None)
    return {arm: mine for arm, mine in zip(arms, values, strict=True) if len(mine)}


def twins_differ(node: Node) -> str | None:
    """Return why a node's twins can't be the same code on a sound machine; None where they can."""
    twins = {arm: logs for arm, logs in node.log_ratios.items() if arm[ARM.index("implementation")] == TWIN}
    if not twins:
        return None
    groups = means(list(twins.values()))
    p = holm(p_values(groups))
    bad = [k for k in range(len(p)) if p[k] < TWINS and abs(groups.mean[k]) > TWINS_APART]
    if not bad:
        return None
    worst = max(bad, key=lambda k: abs(groups.mean[k]))
    arm = dict(zip(ARM, list(twins)[worst], strict=True))
    return f"its twins differ: {math.exp(groups.mean[worst]):.2f} × at {arm['problem']}, {arm['mode']}"


def slow(found: Sequence[Node]) -> dict[str, str]:
    """Return the nodes on which the baseline takes much longer than on the quickest node of the same kind."""
    times: dict[str, pd.Series] = {}
    for node in found:
        mine = sound(node.run.records)
        mine = mine[mine["implementation"] == node.run.baseline]
        if len(mine):
            times[node.member] = np.log(mine.groupby(BENCHMARK, observed=True)["seconds"].median())
    reasons = {}
    for kind in dict.fromkeys(node.kind for node in found):
        members = [node.member for node in found if node.kind == kind and node.member in times]
        if not members:
            continue
        logs = pd.DataFrame([times[member].to_dict() for member in members], index=members)
        for member in members:
            ratio = math.exp((logs.loc[member] - logs).mean(axis=1).max())  # over the benchmarks that both have
            if ratio > SLOWER:
                reasons[member] = f"the baseline takes {ratio:.2f} × as long as on the quickest node of the same kind"
    return reasons


def rows(found: Sequence[Node]) -> Iterator[Row]:
    """Yield each ratio that some nodes have, with its verdict."""
    values: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for node in found:
        for arm, logs in node.log_ratios.items():
            if arm[ARM.index("implementation")] not in (*LIMITS, TWIN) and len(logs) > 1:
                values.setdefault(arm, {})[node.member] = logs
    kinds = {node.member: node.kind for node in found}
    names = {node.member: node.name for node in found}
    combined = {arm: statistics.combined(list(mine.values())) for arm, mine in values.items()}
    adjusted = dict(zip(combined, holm(np.array([each.p for each in combined.values()])), strict=True))
    for arm, mine in values.items():
        where = dict(zip(ARM, arm, strict=True))
        each = {name: math.exp(float(logs.mean())) for name, logs in mine.items()}
        differs = adjusted[arm] < statistics.DIFFERS
        said = _difference(mine, kinds, names) if differs else _holds(len(mine), len(found))
        yield Row(
            **{name: str(where[name]) for name in (*BENCHMARK, "implementation")},
            combined=combined[arm], nodes=len(mine), verdict=said, each=each,
        )  # fmt: skip


def _holds(nodes: int, of_all: int) -> str:
    if nodes == 1:
        return "one node only"
    return f"holds on all {nodes} nodes" if nodes == of_all else f"holds on {nodes} of {of_all} nodes"


def _difference(mine: dict[str, np.ndarray], kinds: dict[str, str], names: dict[str, str]) -> str:
    """Return how nodes differ: between kinds of nodes, by one node that stands apart, or otherwise."""
    of_kind: dict[str, list[np.ndarray]] = {}
    for member, logs in mine.items():
        of_kind.setdefault(kinds[member], []).append(logs)
    alike = all(statistics.differ(group) >= statistics.DIFFERS for group in of_kind.values())
    if len(mine) > len(of_kind) > 1 and alike:  # with one node of each kind, the cause may be the node
        return f"differs between {listed(list(of_kind))}"
    apart = statistics.odd(list(mine.values()))
    if apart is not None:
        return f"one node is odd: {names[list(mine)[apart]]}"
    return f"differs between {count(len(mine), 'node')}"


def sentences(said: Together) -> list[str]:
    """Return what the fleet says in some lines: how many nodes, what is left out or missing, on how much they agree."""
    good = said.good
    kinds = [
        f"{sum(node.kind == kind for node in good)} × {kind}" for kind in dict.fromkeys(node.kind for node in good)
    ]
    lines = [f"{count(len(good), 'node')}" + (f": {listed(kinds)}" if kinds else "")]
    by_member = {node.member: node.words for node in said.nodes}
    lines += [f"left out: {by_member[member]}: {reason}" for member, reason in said.odd.items()]
    lines += said.missing
    for node in good:
        spread = median_sd(list(node.log_ratios.values()))
        if spread > UNSTEADY:
            told = (
                f"its ratios differ by {100 * spread:.0f} % between replicates: measure again before you believe them"
            )
            lines.append(f"THE MACHINE WAS BUSY OR UNSTEADY: {node.words}: {told}")
    for node in said.without:
        lines.append(f"no ratio: {node.words}: {said.baseline} has no times there, or there is a single replicate")
    lines += said.failed
    lines += versions_that_differ(good)
    if said.rows and len(good) > 1:
        holding = sum(row.verdict.startswith("holds") for row in said.rows)
        lines.append(
            f"{holding} of {count(len(said.rows), 'ratio')} to {said.baseline} hold on all nodes that have them"
        )
    return [one_line(line, 400) for line in lines]


def versions_that_differ(found: Sequence[Node]) -> list[str]:
    """Return a line for each package of which nodes have different versions."""
    where: dict[str, dict[str, list[str]]] = {}
    for node in found:
        for name, version in node.run.metadata.versions.items():
            where.setdefault(name, {}).setdefault(str(version), []).append(node.words)
    return [
        f"{name} differs: {listed([f'{version} on {listed(names)}' for version, names in each.items()])}"
        for name, each in where.items()
        if len(each) > 1
    ]


def _ratio(row: Row) -> str:
    value, low, high = (math.exp(getattr(row.combined, name)) for name in ("mean", "low", "high"))
    return f"{value:.2f}" if not math.isfinite(high) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _spread(row: Row) -> str:
    return f"{100 * math.expm1(row.combined.spread):.1f} %" if row.nodes > 1 else "–"


def columns(said: Together) -> list[Column]:
    """Return the columns of a fleet's table: the combined ratio first, then a column for each node."""

    def of(member: str) -> Any:
        return lambda row: f"{row.each[member]:.2f}" if member in row.each else "–"

    return [
        Column("problem", "problem", attrgetter("problem"), words=True),
        Column("mode", "mode", lambda row: f"{row.workload}, {row.mode}", words=True),
        Column("implementation", "implementation", attrgetter("implementation"), words=True),
        Column("ratio", f"× {said.baseline} over all nodes [95 %]", _ratio),
        Column("spread", "nodes differ by", _spread),
        Column("verdict", "verdict", attrgetter("verdict"), words=True),
        *(
            Column(node.member, f"{node.name} ({node.member})", of(node.member), priority=k)
            for k, node in enumerate(said.good)
        ),
    ]


def table(said: Together) -> pd.DataFrame:
    """Return the rows of fleet.csv."""
    return pd.DataFrame(
        [
            {
                **{name: getattr(row, name) for name in (*BENCHMARK, "implementation")},
                "baseline": said.baseline,
                "ratio": math.exp(row.combined.mean),
                "ratio_low": math.exp(row.combined.low) if row.nodes > 1 else None,
                "ratio_high": math.exp(row.combined.high) if row.nodes > 1 else None,
                "spread": row.combined.spread if row.nodes > 1 else None,
                "p_same": row.combined.p if row.nodes > 1 else None,
                "nodes": row.nodes,
                "verdict": row.verdict,
                **{f"ratio_{member}": ratio for member, ratio in row.each.items()},
            }
            for row in said.rows
        ]
    )


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
