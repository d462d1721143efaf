"""A fleet of regression gates: one verdict over the nodes, and one chance of a false alarm."""

from __future__ import annotations

import io

import pytest

from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import Ended, Fleet, Member
from benchmarks.fleet.verdict import Verdict
from benchmarks.regression import decision, outcome
from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import Result, Standing
from benchmarks.tables import CleanConsole
from impls.core.files import write_text
from impls.core.text import json_text
from tests.helpers import processes
from tests.helpers.poison import POISON, live
from tests.helpers.processes import FEW, impls

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
        write_text(fleets.run_of(self.folder, member) / outcome.FILE, json_text(told))

    def without(self, node, code=-9, said="killed"):
        """Add a gate that has left no result."""
        member = f"{len(self.members) + 1:03}"
        self.members.append(Member(member, f"all/{node}", "1"))
        place = fleets.folder_of(self.folder, member)
        (place / "run").mkdir(parents=True)
        write_text(place / fleets.ENDED, json_text(Ended(node, code, said, 1)))
        kept = Fleet("slurm", tuple(self.members), fleets.REGRESSION)
        fleets.write(self.folder, kept)
        return member

    def verdict(self):
        return Verdict.read(self.folder)

    def said(self):
        return self.verdict().exit_code, self.verdict().line


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def test_what_is_slower_on_one_node_is_slower_and_names_it(made):
    made.add("n1", {LSTM: "same", CELL: "same"})
    made.add("n2", {LSTM: "slower", CELL: "same"})
    assert made.said() == (1, f"1 regression found: {LSTM} time, on n2")
    rows = {row.benchmark: row.verdict for row in made.verdict().rows}
    assert rows == {LSTM: "slower", CELL: "same"}


def test_what_is_slower_everywhere_says_so(made):
    made.add("n1", {LSTM: "slower"})
    made.add("n2", {LSTM: "slower"})
    assert made.said() == (1, f"1 regression found: {LSTM} time, on all 2 nodes")


def test_nothing_found_on_any_node_is_exit_0(made):
    made.add("n1", {LSTM: "same", CELL: "unclear"})
    made.add("n2", {LSTM: "faster", CELL: "same"})
    code, line = made.said()
    assert code == 0
    assert line.startswith("no regression found on 2 nodes; a slowdown of +")
    rows = {row.benchmark: row.verdict for row in made.verdict().rows}
    assert rows == {LSTM: "faster", CELL: "unclear"}


def test_nodes_whose_sides_are_alike_pass_and_say_that_nothing_was_measured(made):
    made.add("n1", {}, [Standing(LSTM, "alike", "the same")])
    made.add("n2", {}, [Standing(LSTM, "alike", "the same")])
    assert made.said() == (0, f"{outcome.ALIKE}, on 2 nodes")


def test_a_node_without_a_result_could_not_measure_but_hides_no_regression(made):
    made.add("n1", {LSTM: "same"})
    made.without("n2")
    code, line = made.said()
    assert code == 3
    assert line == "could not measure: no result: run 002, n2: exit code -9: killed"
    made.add("n3", {LSTM: "slower"})
    code, line = made.said()
    assert code == 1
    assert line == f"1 regression found: {LSTM} time, on n3"
    made.add("n4", {LSTM: "slower"})
    assert made.said()[1] == f"1 regression found: {LSTM} time, on n3 and n4"  # and nobody knows of n2


def test_strict_gates_with_an_unclear_verdict_are_exit_3(made):
    made.add("n1", {LSTM: "same"}, strict=True)
    made.add("n2", {LSTM: "unclear"}, strict=True)
    code, line = made.said()
    assert code == 3
    assert line.startswith("could not measure: n2: no regression found;")
    assert line.endswith(f"but unclear: {LSTM} time")


def test_a_gate_that_compared_nothing_says_so(made):
    made.add("n1", {LSTM: "same", CELL: "unclear"})
    made.add("n2", {}, [Standing(LSTM, "new", "base: not there")])
    assert made.said() == (3, "could not measure: nothing could be compared on n2")


def test_what_is_new_on_every_node_is_no_failure(made):
    for node in ("n1", "n2"):
        made.add(node, {}, [Standing(LSTM, "new", "base: not there")])
    assert made.said() == (0, "no regression found on 2 nodes; there was nothing to compare")


def test_nodes_that_compared_different_code_are_told(made):
    made.add("n1", {LSTM: "same"})
    made.add("n2", {LSTM: "same"}, code="changed")
    code, line = made.said()
    assert code == 3
    assert "nodes compared different code" in line


def test_a_job_that_was_not_submitted_is_missing(made):
    made.add("n1", {LSTM: "same"})
    fleets.write(made.folder, Fleet("slurm", (*made.members, Member("002", "all/n2")), fleets.REGRESSION))
    assert made.said() == (3, "could not measure: no result: run 002, all/n2: its job was not submitted")


def test_nodes_of_the_same_name_are_told_apart(made):
    for verdict in ("slower", "same", "slower"):
        made.add("here", {LSTM: verdict})
    assert made.said()[1].endswith("on here (001) and here (003)")


def test_what_disagrees_on_a_node_is_a_regression_with_its_reason(made):
    made.add("n1", {CELL: "same"}, [Standing(LSTM, "disagrees", "grad_h0 is wrong"), Standing(CELL, "new", "")])
    made.add("n2", {CELL: "same"})
    assert made.said() == (1, f"1 regression found: disagrees: {LSTM}, on n1: grad_h0 is wrong")


def test_a_damaged_result_is_no_result(made):
    made.add("n1", {LSTM: "slower"})
    path = fleets.run_of(made.folder, "001") / outcome.FILE
    path.write_text(path.read_text()[:-20])
    assert made.said()[0] == 3


def test_no_escape_and_no_markup_leaves(made):
    made.add(f"[/x] {POISON}".replace("\n", ""), {f"a {POISON}": "slower"}, [Standing(POISON, "lost", POISON)])
    said, stream = made.verdict(), io.StringIO()
    said.show(CleanConsole(file=stream, width=900))
    for text in (said.markdown(), stream.getvalue()):
        assert not live(text)
        assert not any(line.startswith("error") for line in text.splitlines())
    assert "[red]a[/red]" in stream.getvalue()
    assert "[/x]" in stream.getvalue()


def test_a_gate_divides_its_level_by_the_gates_of_the_fleet(monkeypatch):
    seen = []

    class Enough(Exception):
        pass

    def sampling(benchmarks, most):
        seen.append(benchmarks)
        raise Enough

    class Session:
        names, benchmarks, sides = ("a",), (), ()

        def admit(self):
            pass

        close = admit

    monkeypatch.setattr(outcome, "Sampling", sampling)
    for share in (1, 3):
        with pytest.raises(Enough):
            outcome.measure_and_decide(Session(), decision.rules(0.02), decision.MOST, 24, share)
    assert seen == [1, 3]
    levels = [decision.Rule("time", 0.02).level(benchmarks) for benchmarks in seen]
    assert levels[0] == pytest.approx(3 * levels[1])


@pytest.mark.process
@pytest.mark.timeout(300)
def test_two_gates_on_this_machine_end_in_one_verdict(tmp_path):
    folder, summary = tmp_path / "fleet", tmp_path / "summary.md"
    done = processes.python(
        "-m", "benchmarks", "fleet", "--local", "2", "--fleet", folder,
        "regression", "--base", "HEAD", *impls("torch_lstm"), *FEW, timeout=280,
        XDG_CACHE_HOME=str(tmp_path / "cache"), GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no regression found on 2 nodes" in done.stdout
    assert (folder / "regression.md").read_text().startswith("## no regression found on 2 nodes")
    for member in ("001", "002"):
        run = fleets.run_of(folder, member)
        assert {"regression.md", "regression.json", "regression.parquet"} <= {path.name for path in run.iterdir()}
        told = outcome.read(run)
        assert "one of a fleet's 2 gates" in told.title
        compared = {found.benchmark for found in told.findings}
        assert {found.tests for found in told.findings} == {2 * len(compared)}
    assert summary.read_text().count("no regression found") == 1
    assert "no regression found" in processes.python("-m", "benchmarks", "fleet", "status", folder).stdout
    again = processes.python("-m", "benchmarks", "fleet", "collect", folder)
    assert (again.returncode, again.stdout) == (0, done.stdout[done.stdout.index(again.stdout[:40]) :])
