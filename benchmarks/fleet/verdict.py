"""One verdict over the nodes of a fleet of gates: each node ran its own, and they share the chance of a false alarm.

A fleet of N gates gives each an N-th of that chance, before it measures. So what is slower on any node is slower, and
a slowdown that only one kind of processor has is not lost in a mean.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec

from benchmarks.fleet import folder as fleets
from benchmarks.regression import outcome
from benchmarks.regression.decision import GateKey
from benchmarks.regression.outcome import Result, Standing, Written
from benchmarks.words import count

NOTE = (
    "Each node ran a gate of its own, with the chance of a false alarm divided by their number. What is slower on any"
    " node is slower."
)


def together(folder: Path) -> tuple[Result, str, bool]:
    """Return the gates of a fleet as one gate, whose implementations are named with their node.

    Returns:
        The result, its title, and whether the gates are strict.
    """
    members = fleets.read(folder).members
    ends = [fleets.ended(folder, member.name) for member in members]
    nodes = [end.node if end else member.asked for member, end in zip(members, ends, strict=True)]
    gates: dict[str, Written] = {}
    result, strict = Result(0.0), False
    for member, node in zip(members, nodes, strict=True):
        try:
            gate = outcome.read(fleets.run_of(folder, member.name))
        except ValueError:
            why = fleets.why_missing(folder, member)
            result.standings.append(
                Standing(GateKey(f"run {member.name}, {node}"), "unmeasured", why)
            )
        else:
            gates[node if nodes.count(node) == 1 else f"{node} ({member.name})"] = gate
    for node, gate in gates.items():
        alone = Result(gate.margin, list(gate.findings), list(gate.standings))
        strict = strict or gate.exit_code != alone.exit_code(strict=False)
        result.findings += [
            msgspec.structs.replace(finding, benchmark=_on(node, finding.benchmark))
            for finding in gate.findings
        ]
        result.standings += [
            dataclasses.replace(standing, benchmark=_on(node, standing.benchmark))
            for standing in gate.standings
        ]
        if not gate.findings and any(other.findings for other in gates.values()):
            result.standings.append(
                Standing(GateKey(node), "unmeasured", "nothing could be compared")
            )
    if len({tuple(sorted(gate.code.items())) for gate in gates.values()}) > 1:
        said = "they compared different code: the files changed meanwhile"
        result.standings.append(Standing(GateKey("the nodes"), "unmeasured", said))
    result.findings.sort(key=lambda finding: finding.benchmark)
    titles = dict.fromkeys(gate.title.partition(outcome.ONE_OF)[0] for gate in gates.values())
    return result, "; ".join([*titles, f"on {count(len(members), 'node')}"]), strict


def _on(node: str, key: GateKey) -> GateKey:
    implementation, _, benchmark = key.rpartition(" ")
    return GateKey(f"{implementation} on {node} {benchmark}")
