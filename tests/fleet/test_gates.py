"""A fleet of regression gates: one verdict over the nodes, and one chance of a false alarm."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks import json_files
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.command import fleet
from benchmarks.fleet.folder import Ended, Fleet, Member
from benchmarks.fleet.verdict import together
from benchmarks.regression import outcome
from benchmarks.regression.findings import Finding
from benchmarks.regression.outcome import Result, Standing

LSTM = "torch_lstm t4-b2-i8-h8/sequence/train_step"
CELL = "torch_cell t4-b2-i8-h8/sequence/train_step"


class Made:
    """The folder of a fleet of gates."""

    def __init__(self, folder):
        self.folder = folder
        self.members = []

    def add(self, node, verdicts, standings=(), strict=False, code="same"):
        """Add a gate that has ended on a node, with a verdict for each benchmark."""
        findings = [
            Finding(key, "time", verdict, 1.05, 1.04, 1.06, 0.021, replicates=8, tests=2)
            for key, verdict in verdicts.items()
        ]
        result = Result(0.02, findings, list(standings))
        member = self.without(node, result.exit_code(strict))
        told = result.written("base against head", strict, {"base": "b", "head": code})
        json_files.write(fleets.run_of(self.folder, member) / outcome.FILE, told)

    def without(self, node, code=-9, said="killed"):
        """Add a gate that has left no result."""
        member = f"{len(self.members) + 1:03}"
        self.members.append(Member(member, f"all/{node}", "1"))
        place = fleets.folder_of(self.folder, member)
        (place / "run").mkdir(parents=True)
        json_files.write(place / fleets.ENDED, Ended(node, code, said, 1))
        kept = Fleet("slurm", tuple(self.members), fleets.REGRESSION)
        fleets.write(self.folder, kept)
        return member

    def said(self):
        result, _, strict = together(self.folder)
        return result.exit_code(strict), result.last_line(strict)


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


NEW = Standing(LSTM, "new", "base: not there")


@pytest.mark.parametrize(
    ("nodes", "code", "told"),
    [
        ([{LSTM: "same", CELL: "same"}, {LSTM: "slower", CELL: "same"}], 1, "1 regression found: torch_lstm on n2 "),
        ([{LSTM: "slower"}, {LSTM: "slower"}], 1, "2 regressions found: torch_lstm on n1 "),
        ([{LSTM: "same", CELL: "unclear"}, {LSTM: "faster", CELL: "same"}], 0, "a slowdown of +2.1%"),
        ([Standing(LSTM, "alike", "the same")] * 2, 0, outcome.ALIKE),
        ([{LSTM: "same"}, None], 3, "could not measure: run 002, n2: exit code -9: killed"),
        ([None, None], 3, "run 001, n1: exit code -9: killed; run 002, n2: exit code -9: killed"),
        ([{LSTM: "same", CELL: "unclear"}, NEW], 3, "n2: nothing could be compared"),
        ([{CELL: "same"}, Standing(LSTM, "disagrees", "grad_h0 is wrong")], 1, "torch_lstm on n2 "),
        ([{LSTM: "same"}, Standing(LSTM, "lost", "crashed")], 3, "sequence/train_step: crashed"),
    ],
)
def test_one_verdict_over_the_nodes(made, nodes, code, told):
    for number, found in enumerate(nodes, 1):
        if found is None:
            made.without(f"n{number}")
        elif isinstance(found, Standing):
            made.add(f"n{number}", {}, [found])
        else:
            made.add(f"n{number}", found)
    assert made.said()[0] == code
    assert told in made.said()[1]


def test_strict_gates_with_an_unclear_verdict_are_exit_3(made):
    made.add("n1", {LSTM: "same"}, strict=True)
    made.add("n2", {LSTM: "unclear"}, strict=True)
    code, line = made.said()
    assert code == 3
    assert "unclear: torch_lstm on n2" in line


def test_nodes_that_compared_different_code_are_told(made):
    made.add("n1", {LSTM: "same"})
    made.add("n2", {LSTM: "same"}, code="changed")
    assert made.said()[0] == 3
    assert "different code" in made.said()[1]


def test_nodes_of_the_same_name_are_told_apart(made):
    for verdict in ("slower", "same", "slower"):
        made.add("here", {LSTM: verdict})
    assert "on here (001) " in made.said()[1]
    assert "on here (003) " in made.said()[1]


def test_the_command_writes_a_table_with_a_row_for_each_node(made):
    made.add("n1", {LSTM: "same", CELL: "unclear"})
    made.add("n2", {LSTM: "slower"})
    done = CliRunner().invoke(fleet, ["collect", str(made.folder)], standalone_mode=False)
    assert done.return_value == 1, done.output
    text = (made.folder / "regression.md").read_text()
    assert text.startswith("## 1 regression found: torch_lstm on n2 ")
    assert "base against head; on 2 nodes" in text
    rows = [line for line in text.splitlines() if line.startswith("| torch")]
    for row, words in zip(rows, ("cell on n1 unclear", "lstm on n1 same", "lstm on n2 slower"), strict=True):
        assert all(word in row for word in words.split())
