"""One verdict over the nodes of a fleet of gates: each node ran its own, and they share the chance of a false alarm.

A fleet of N gates gives each an N-th of that chance, before it measures. So what is slower on any node is slower, and
a slowdown that only one kind of processor has is not lost in a mean.
"""

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
    nodes = [fleets.node_of(folder, member) for member in members]
    result = Result(0.0)
    gates: dict[str, Written] = {}
    for member, node in zip(members, nodes, strict=True):
        name = node if nodes.count(node) == 1 else f"{node} ({member.name})"
        try:
            gates[name] = outcome.read(fleets.run_of(folder, member.name))
        except ValueError:
            why = fleets.why_missing(folder, member)
            result.standings.append(_unmeasured(f"run {member.name}, {node}", why))
    for node, gate in gates.items():
        for finding in gate.findings:
            key = _on(node, finding.benchmark)
            result.findings.append(msgspec.structs.replace(finding, benchmark=key))
        for standing in gate.standings:
            key = _on(node, standing.benchmark)
            result.standings.append(dataclasses.replace(standing, benchmark=key))
    if result.findings:
        for node, gate in gates.items():
            if not gate.findings:
                result.standings.append(_unmeasured(node, "nothing could be compared"))
    if any(gate.code != other.code for gate in gates.values() for other in gates.values()):
        why = "they compared different code: the files changed meanwhile"
        result.standings.append(_unmeasured("the nodes", why))
    result.findings.sort(key=lambda finding: finding.benchmark)
    titles = dict.fromkeys(gate.title for gate in gates.values())
    title = "; ".join([*titles, f"on {count(len(members), 'node')}"])
    return result, title, any(gate.strict for gate in gates.values())


def _unmeasured(name: str, reason: str) -> Standing:
    return Standing(GateKey(name), "unmeasured", reason)


def _on(node: str, key: GateKey) -> GateKey:
    return GateKey(f"{key.implementation} on {node} {key.benchmark}")
