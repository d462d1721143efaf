"""A fleet's nodes together: does a ratio hold on all of them, which nodes are odd, and which jobs have no rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors, tables
from benchmarks.columns import Column
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import TWIN
from benchmarks.metadata import Machine, name_and_driver
from benchmarks.record import harmless
from benchmarks.statistics import nodes as statistics
from benchmarks.statistics.intervals import means, p_values
from benchmarks.statistics.multiplicity import holm
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

    @property
    def code(self) -> tuple[object, ...]:
        """The digests of what the run compared."""
        options = self.run.metadata.run
        return options.shared_digest, *sorted(zip(options.implementations, options.digests, strict=False))


@dataclass(frozen=True)
class Missing:
    """A member without a run: what is known of why."""

    member: str
    asked: str
    reason: str


@dataclass(frozen=True)
class Failed:
    """An implementation that failed at some benchmarks on some nodes, in the same way; the reason of the first."""

    implementation: str
    status: str
    reason: str
    benchmarks: int
    where: Sequence[Node]


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
    """What a fleet says: its nodes, those that are left out with the reason, what is missing, what failed, the rows."""

    baseline: str
    nodes: Sequence[Node]
    odd: dict[str, str]
    missing: Sequence[Missing]
    failed: Sequence[Failed]
    rows: Sequence[Row]

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


def read(folder: Path) -> tuple[list[Node], list[Missing]]:
    """Read what a fleet's jobs have left.

    Raises:
        ValueError: where the folder holds no fleet. One line.
    """
    kept = fleets.read(folder)
    found: list[tuple[str, str, Run]] = []
    missing: list[Missing] = []
    of_id: dict[str, str] = {}
    runs = frames.read_each(fleets.run_of(folder, member.name) for member in kept.members)
    for member, run in zip(kept.members, runs, strict=True):
        over = fleets.ended(folder, member.name)
        if isinstance(run, frames.Unreadable):
            done, of_all = fleets.replicates_done(folder, member.name)
            unreadable = one_line(str(run).replace(f"{folder}/", ""), 200)
            whole = over is not None and over.code in (0, 1)  # the run has ended well, and its files are damaged
            why = unreadable if whole else fleets.why_missing(folder, over)
            if not whole:
                why += f"; {done} of {of_all} replicates" if of_all else f"; {unreadable}"
            missing.append(Missing(member.name, member.asked, why))
            continue
        if run.run_id in of_id:
            missing.append(Missing(member.name, member.asked, f"its run is that of run {of_id[run.run_id]}: a copy"))
            continue
        of_id[run.run_id] = member.name
        name = over.node if over else member.asked
        found.append((member.name, name, run))
    missing += [Missing(name, "a node", fleets.NOT_SUBMITTED) for name in kept.not_submitted]
    ratios = log_ratios([run for _, _, run in found])
    kinds = kinds_of([run.metadata.machine for _, _, run in found])
    nodes = [
        Node(member, name, kind, run, mine)
        for (member, name, run), kind, mine in zip(found, kinds, ratios, strict=True)
    ]
    return nodes, missing


def kinds_of(machines: Sequence[Machine]) -> list[str]:
    """Return what kind each machine is: its processor and its GPU, and the number of cores where that differs."""
    cores = [machine.cores for machine in machines]
    told = len(set(cores)) > 1
    return [
        ", ".join(
            filter(
                None,
                (
                    processors.words(machine),
                    count(machine.cores, "core") if told and machine.cores else "",
                    name_and_driver(machine.gpu)[0],
                ),
            )
        )
        for machine in machines
    ]


def together(found: Sequence[Node], missing: Sequence[Missing]) -> Together:
    """Return what the nodes say together.

    A node is left out where it compared other code than the others, where its twins differ, or where the baseline takes
    much longer than on the quickest node of the same kind. None of these looks at what the comparison is about.
    """
    baseline = found[0].run.baseline if found else ""
    odd = {node.member: f"its baseline is {node.run.baseline}" for node in found if node.run.baseline != baseline}
    odd |= {name: reason for name, reason in other_code(found).items() if name not in odd}
    odd |= {node.member: reason for node in found if node.member not in odd and (reason := twins_differ(node))}
    odd |= {name: reason for name, reason in slow(found).items() if name not in odd}
    good = [node for node in found if node.member not in odd]
    return Together(baseline, found, odd, missing, failures(found), list(rows(good)) if good else [])


def other_code(found: Sequence[Node]) -> dict[str, str]:
    """Return the nodes that compared other code than most do: the files of the checkout changed meanwhile."""
    if not found:
        return {}
    code = Counter(node.code for node in found).most_common(1)[0][0]
    like = next(node.member for node in found if node.code == code)
    reason = f"it compared other code than run {like}: files of the checkout changed meanwhile"
    return {node.member: reason for node in found if node.code != code}


def failures(found: Sequence[Node]) -> list[Failed]:
    """Return what has failed on any node, where that is not harmless."""
    same: dict[tuple[str, str], list[tuple[Node, int, str]]] = {}
    for node in found:
        records = node.run.records
        bad = records[~records["status"].isin(harmless(node.run.metadata.machine.gpu))]
        for (name, status), mine in bad.groupby(["implementation", "status"], observed=True):
            at = len(mine[BENCHMARK].drop_duplicates())
            same.setdefault((str(name), str(status)), []).append((node, at, str(mine["reason"].iloc[0])))
    return [
        Failed(name, status, mine[0][2], max(at for _, at, _ in mine), [node for node, _, _ in mine])
        for (name, status), mine in same.items()
    ]


def log_ratios(runs: Sequence[Run]) -> list[LogRatios]:
    """Return for each run, by ARM, the logs of the ratio to its baseline, one for each replicate.

    All runs are taken at once, which is much faster than one by one. The number of the run is put before the problem,
    so that nothing of one run is compared with another.
    """
    found: list[LogRatios] = [{} for _ in runs]
    if not runs:
        return found
    records, turns, first = [], [], 0
    for k, run in enumerate(runs):
        rows = run.records[[*ARM, "replicate", "status"]].astype(dict.fromkeys((*ARM, "status"), str))
        records.append(rows.assign(problem=f"{k} " + rows["problem"], run_id=k).set_index(rows.index + first))
        turns.append(run.turns[["seconds", "block", "record"]].assign(record=run.turns["record"] + first))
        first += len(rows)
    chosen = sound(pd.concat(records))
    blocks = Blocks(pd.concat(turns, ignore_index=True), chosen)
    number = chosen.drop_duplicates(ARM)["run_id"].reset_index(drop=True)  # in the order of blocks.arms
    baseline = number.map(dict(enumerate(run.baseline for run in runs)))
    is_other = blocks.arms["implementation"] != baseline
    others, numbers = blocks.arms[is_other].reset_index(drop=True), number[is_other].tolist()
    logs = blocks.replicate_log_ratios(others, others.assign(implementation=baseline[is_other].to_numpy()))
    keys = list(others[ARM].itertuples(index=False, name=None))
    values = grouped(logs["log_ratio"].to_numpy(), logs["pair"].to_numpy(), len(others))
    for (problem, *rest), number_of_run, mine in zip(keys, numbers, values, strict=True):
        if len(mine):
            found[number_of_run][problem.partition(" ")[2], *rest] = mine
    return found


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
    adjusted = dict(zip(combined, holm(np.array([one.p for one in combined.values()])), strict=True))
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
    lines += [f"no rows: run {one.member}, asked for {one.asked}: {one.reason}" for one in said.missing]
    for node in good:
        spread = median_sd(list(node.log_ratios.values()))
        if spread > UNSTEADY:
            told = (
                f"its ratios differ by {100 * spread:.0f} % between replicates: measure again before you believe them"
            )
            lines.append(f"THE MACHINE WAS BUSY OR UNSTEADY: {node.words}: {told}")
    for node in said.without:
        lines.append(f"no ratio: {node.words}: {said.baseline} has no times there, or there is a single replicate")
    for one in said.failed:
        where = f"on {listed([node.words for node in one.where])}, at {count(one.benchmarks, 'benchmark')}"
        lines.append(f"{one.status}: {one.implementation} {where}: {one.reason}")
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
        Column("problem", "problem", lambda row: row.problem, words=True),
        Column("mode", "mode", lambda row: f"{row.workload}, {row.mode}", words=True),
        Column("implementation", "implementation", lambda row: row.implementation, words=True),
        Column("ratio", f"× {said.baseline} over all nodes [95 %]", _ratio),
        Column("spread", "nodes differ by", _spread),
        Column("verdict", "verdict", lambda row: row.verdict, words=True),
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
