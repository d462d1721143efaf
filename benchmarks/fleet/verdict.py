"""One verdict over the nodes of a fleet of gates: each node ran its own, and they share the chance of a false alarm.

A fleet of N gates gives each an N-th of that chance, before it measures. So what is slower on any node is slower, and
a slowdown that only one kind of processor has is not lost in a mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from benchmarks import tables
from benchmarks.fleet import folder as fleets
from benchmarks.regression import outcome, report
from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import ALIKE, REGRESSIONS, UNMEASURED, Written, change
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import count, listed, markdown_cell
from impls.core.text import one_line

CANNOT_MEASURE = 3
"""The exit code of a gate that could not measure."""
ORDER = ("slower", "unclear", "faster", "same")
"""A benchmark's verdict over all nodes is the first of these that a node has."""


@dataclass(frozen=True)
class Node:
    """A node's gate: the member's name, the node's own, and the result, or why there is none."""

    member: str
    name: str
    gate: Written | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A benchmark and metric, with what each node found, by the member's name."""

    benchmark: str
    metric: str
    found: dict[str, Finding]

    @property
    def verdict(self) -> str:
        """The verdict over all nodes."""
        return next(word for word in ORDER if any(finding.verdict == word for finding in self.found.values()))


class Verdict:
    """What the gates of a fleet say together."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        names = Counter(node.name for node in nodes)
        self.nodes = nodes
        self.names = {
            node.member: node.name if names[node.name] == 1 else f"{node.name} ({node.member})" for node in nodes
        }
        self.gates = {node.member: node.gate for node in nodes if node.gate is not None}
        found: dict[tuple[str, str], dict[str, Finding]] = {}
        for member, gate in self.gates.items():
            for finding in gate.findings:
                found.setdefault((finding.benchmark, finding.metric), {})[member] = finding
        every = [Row(*key, each) for key, each in found.items()]
        self.rows = [row for row in every if row.metric == "time" or row.verdict != "same"]

    @classmethod
    def read(cls, folder: Path) -> Verdict:
        """Read what the gates of a fleet have left."""
        nodes = []
        for member in fleets.read(folder).members:
            over = fleets.ended(folder, member.name)
            name = over.node if over else member.asked
            try:
                nodes.append(Node(member.name, name, outcome.read(fleets.run_of(folder, member.name))))
            except ValueError:
                nodes.append(Node(member.name, name, None, fleets.why_missing(folder, member)))
        return cls(nodes)

    def slower_on(self, row: Row) -> list[str]:
        """Return the nodes on which a benchmark is slower."""
        return [self.names[member] for member, one in row.found.items() if one.verdict == "slower"]

    @property
    def differing(self) -> bool:
        """Whether nodes compared different code: the files of the checkout changed meanwhile."""
        return len({tuple(sorted(gate.code.items())) for gate in self.gates.values()}) > 1

    @property
    def idle(self) -> list[str]:
        """The nodes that compared nothing, where others did."""
        without = [self.names[member] for member, gate in self.gates.items() if not gate.findings]
        return without if len(without) < len(self.gates) else []

    def _of_kinds(self, kinds: Collection[str]) -> list[str]:
        """In words, what has one of these kinds of standings, and where."""
        where: dict[tuple[str, str, str], list[str]] = {}
        for member, gate in self.gates.items():
            for standing in gate.standings:
                if standing.kind in kinds:
                    key = standing.kind, standing.benchmark, standing.reason
                    where.setdefault(key, []).append(self.names[member])
        return [f"{kind}: {key}, on {listed(names)}: {reason}" for (kind, key, reason), names in where.items()]

    @property
    def standings(self) -> list[str]:
        """In words, what could not be compared and where, what disagrees, and which nodes have no result."""
        lines = self._of_kinds((*REGRESSIONS, *UNMEASURED))
        lines += [
            f"no result: run {node.member}, {node.name}: {node.reason}" for node in self.nodes if node.gate is None
        ]
        lines += [f"nothing could be compared on {listed(self.idle)}"] if self.idle else []
        return lines + (["nodes compared different code: the files changed meanwhile"] if self.differing else [])

    @property
    def exit_code(self) -> int:
        """1 where any node found a regression, otherwise 3 where any could not measure, otherwise 0."""
        codes = {gate.exit_code for gate in self.gates.values()}
        if 1 in codes:
            return 1
        missing = len(self.gates) < len(self.nodes) or self.idle or self.differing
        return CANNOT_MEASURE if missing else max(codes, default=CANNOT_MEASURE)

    @property
    def line(self) -> str:
        """The verdict in a sentence."""
        slower = [row for row in self.rows if row.verdict == "slower"]
        said = [f"{row.benchmark} {row.metric}, on {self._where(self.slower_on(row))}" for row in slower]
        said += self._of_kinds(REGRESSIONS)
        if said:
            return f"{count(len(said), 'regression')} found: {'; '.join(said)}"
        if self.exit_code:
            gates = [(self.names[member], gate) for member, gate in self.gates.items() if gate.exit_code]
            reasons = self.standings or [f"{name}: {gate.verdict}" for name, gate in gates]
            return f"could not measure: {'; '.join(reasons)}"
        kinds = {standing.kind for gate in self.gates.values() for standing in gate.standings}
        if not self.rows and kinds == {"alike"}:
            return f"{ALIKE}, on {count(len(self.nodes), 'node')}"
        if not self.rows:
            return f"no regression found on {count(len(self.nodes), 'node')}; there was nothing to compare"
        sizes = [finding.smallest for row in self.rows if row.metric == "time" for finding in row.found.values()]
        known = [size for size in sizes if size is not None]
        found = "there are too few replicates to say which slowdown would have been found"
        if known and len(known) == len(sizes):
            found = f"a slowdown of {max(known):+.1%} would have been found 9 times of 10, on each node and benchmark"
        return f"no regression found on {count(len(self.nodes), 'node')}; {found}"

    def _where(self, names: Sequence[str]) -> str:
        return f"all {count(len(names), 'node')}" if len(names) == len(self.nodes) > 1 else listed(names)

    @property
    def columns(self) -> list[Column]:
        """The columns of the table: what is compared, the verdict over all nodes, and a column for each node."""
        return [
            *(Column(name, name, attrgetter(name), words=True) for name in ("benchmark", "metric")),
            Column("verdict", "over all nodes", attrgetter("verdict"), words=True),
            *(
                Column(member, f"{self.names[member]}: change [95 %]", partial(_change, member=member))
                for member in self.gates
            ),
        ]

    def show(self, console: CleanConsole) -> None:
        """Print the table and the verdict."""
        console.print(tables.terminal(self.columns, self.rows, style=lambda row: report.STYLES.get(row.verdict, "")))
        for line in self.standings:
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
        style = {0: "bold green", 1: "bold red"}.get(self.exit_code, "bold yellow")
        console.print(self.line, style=style, markup=False, highlight=False, soft_wrap=True)

    def markdown(self) -> str:
        """Return the same for a pull request, the verdict first."""
        titles = list(dict.fromkeys(gate.title.partition(outcome.ONE_OF)[0] for gate in self.gates.values()))
        parts = [f"## {markdown_cell(self.line)}", *map(markdown_cell, titles)]
        parts += [tables.markdown(self.columns, self.rows)] if self.rows else []
        parts += [tables.items(self.standings)] if self.standings else []
        parts.append(
            f"Each node ran a gate of its own, with the chance of a false alarm divided by {len(self.nodes)}. What is"
            " slower on any node is slower. In brackets: 95 % intervals over the replicates of that node."
        )
        return "\n\n".join(parts) + "\n"


def _change(row: Row, member: str) -> str:
    if member not in row.found:
        return "–"
    one = row.found[member]
    return one_line(f"{one.verdict} {change(one)}")
