"""What the nodes of a fleet say together. The runs are made up; their truth is known."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import json_files
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import ENDED, TWIN, Ended, Fleet, Member
from reports import fleet as report
from reports.__main__ import cli
from tests.helpers.records import ENVIRONMENT, failed, record, write

AMD, INTEL = "AMD EPYC", "Intel Xeon"
REPLICATES = 5


class Made:
    """A fleet's folder, to which made-up nodes are added."""

    def __init__(self, folder, seed=1):
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.members = []

    def add(self, name, cpu=AMD, slow=1.0, twin=1.0, machine=(), more=(), versions=(), **ratios):
        """Add a node on which the baseline takes `slow` times a millisecond, and others these ratios to it.

        `machine` and `versions` change what environment.json says, and `more` are further records. A ratio may be a
        list, of one for each replicate.
        """
        member = f"{len(self.members) + 1:03}"
        place = fleets.folder_of(self.folder, member) / "run"
        place.mkdir(parents=True)
        rows = []
        for replicate in range(REPLICATES):
            for arm, ratio in {"base": 1.0, TWIN: twin, **ratios}.items():
                mean = 1e-3 * slow * np.broadcast_to(ratio, REPLICATES)[replicate]
                seconds = mean * np.exp(self.rng.normal(0, 0.005))
                rows.append(record(arm, replicate, seconds, problem="t4-b2-i8-h8", workload="sequence", mode="forward"))
                for turn in rows[-1]["turns"]:
                    turn["started"] = float(len(rows) + 1000 * len(self.members))
                    turn["seconds"] = seconds * float(np.exp(self.rng.normal(0, 0.001)))
        rows += more
        for row in rows:
            row["run_id"] = f"r{member}"
        write(place / "results.parquet", rows)
        known = {**ENVIRONMENT, "machine": {**ENVIRONMENT["machine"], "cpu": cpu, **dict(machine)}}
        known["versions"] = {**ENVIRONMENT["versions"], **dict(versions)}
        known["run"] = {**ENVIRONMENT["run"], "run_id": f"r{member}"}
        (place / "environment.json").write_text(json.dumps(known))
        self.end(member, name)

    def end(self, member, name, code=0, said="fine"):
        self.members.append(Member(member, f"all/{name}", str(len(self.members))))
        fleets.folder_of(self.folder, member).mkdir(parents=True, exist_ok=True)
        json_files.write(fleets.folder_of(self.folder, member) / ENDED, Ended(name, code, said, 1))

    def together(self):
        fleets.write(self.folder, Fleet("slurm", tuple(self.members)))
        return report.read(self.folder)


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def verdicts(said):
    return {row["implementation"]: row["verdict"] for row in said.rows}


def test_what_is_alike_holds_on_all_nodes_with_its_ratio(made):
    for name in ("n1", "n2", "n3"):
        made.add(name, other=1.5)
    said = made.together()
    assert verdicts(said) == {"other": "holds on all 3 nodes"}
    (row,) = said.rows
    assert row["ratio"] == pytest.approx(1.5, rel=0.01)
    assert row["ratio_low"] < 1.5 < row["ratio_high"]
    assert {name for name in row if name.startswith("ratio_0")} == {"ratio_001", "ratio_002", "ratio_003"}
    assert said.odd == {}
    assert said.whole
    assert report.sentences(said)[0] == "3 nodes: 3 × AMD EPYC, 2 cores"
    shown = [column.cell(row) for column in report.columns(said)]
    assert shown[3] == f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
    assert shown[-1] == f"{row['ratio_003']:.2f}"


@pytest.mark.parametrize(
    ("nodes", "verdict"),
    [
        ([("a", AMD, 1.5), ("b", AMD, 1.65)], "differs between 2 nodes"),
        (
            [("a", AMD, 1.0), ("b", AMD, 1.0), ("c", INTEL, 1.4), ("d", INTEL, 1.4)],
            f"differs between {AMD}, 2 cores and {INTEL}, 2 cores",
        ),
        ([(name, AMD, 1.0) for name in "abcd"] + [("bad", AMD, 1.6)], "differs between 5 nodes"),
        ([("a", AMD, 1.5)], "one node only"),
    ],
)
def test_how_nodes_differ_is_told_for_each_implementation(made, nodes, verdict):
    for name, cpu, ratio in nodes:
        made.add(name, cpu, other=ratio, same=2.0)
    holds = f"holds on all {len(nodes)} nodes" if len(nodes) > 1 else verdict
    assert verdicts(made.together()) == {"other": verdict, "same": holds}


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_a_node_whose_twins_differ_is_left_out_whoever_gains(made, ratio):
    made.add("a", other=1.0)
    made.add("b", other=1.0)
    made.add("bad", twin=1.08, other=ratio)
    said = made.together()
    assert list(said.odd) == ["003"]
    assert "its twins differ: 1.08 × at t4-b2-i8-h8, forward" in report.sentences(said)[1]
    assert verdicts(said) == {"other": "holds on all 2 nodes"}


@pytest.mark.parametrize(
    ("logs", "differ"),
    [([0.08, 0.081, 0.079, 0.08], True), ([0.015, 0.0151, 0.0149, 0.015], False), ([0.3, -0.2, 0.25, -0.1], False)],
)
def test_twins_differ_by_more_than_chance_and_more_than_2_percent(logs, differ):
    node = SimpleNamespace(log_ratios={("p", "sequence", "forward", "cpu", TWIN): np.array(logs)})
    assert bool(report.twins_differ(node)) is differ


def test_a_slower_node_of_the_same_hardware_is_odd_and_one_of_another_is_not(made):
    h100 = {"gpu": "NVIDIA H100, 580.1"}
    made.add("a", machine=h100, other=1.5)
    made.add("busy", slow=1.4, machine={"gpu": "NVIDIA H100, 999.9"}, other=1.5)
    made.add("other-processor", INTEL, slow=3.0, machine=h100, other=1.5)
    made.add("other-card", slow=3.0, machine={"gpu": "NVIDIA A100, 580.1"}, other=1.5)
    made.add("more-cores", slow=3.0, machine={**h100, "cores": 64}, other=1.5)
    said = made.together()
    assert list(said.odd) == ["002"]
    assert "the baseline takes 1.4" in said.odd["002"]
    kinds = report.sentences(said)[0]
    assert all(words in kinds for words in (INTEL, "NVIDIA A100", "64 cores"))
    assert "580" not in kinds


def test_an_implementation_that_fails_on_a_node_is_named_and_does_not_hold_on_all(made):
    def broken(name, status, reason, problem="t4-b2-i8-h8"):
        where = {"problem": problem, "workload": "sequence", "mode": "forward"}
        return [failed(name, r, status, reason, **where) for r in range(2)]

    made.add("a", good=1.5, other=1.5)
    made.add("b", good=1.5, other=1.5)
    more = [*broken("other", "disagrees", "h_n is wrong"), *broken("other", "disagrees", "so is this", "t8-b2-i8-h8")]
    made.add("c", good=1.5, more=[*more, *broken("third", "unsupported", "no cell")])
    said = made.together()
    assert verdicts(said) == {"good": "holds on all 3 nodes", "other": "holds on 2 of 3 nodes"}
    assert "disagrees: other on c (run 003), at 2 benchmarks: h_n is wrong" in report.sentences(said)
    assert not any("third" in line for line in report.sentences(said))  # that is no fault
    assert not said.whole


def test_a_node_without_a_ratio_is_told(made):
    made.add("a", other=1.5)
    made.add("b", other=1.5)
    made.add("c")
    rows = [failed("base", r, "unsupported", "no", problem="t4-b2-i8-h8", run_id="r003") for r in range(2)]
    rows += [record("other", r, 1e-3, problem="t4-b2-i8-h8", run_id="r003") for r in range(2)]
    write(fleets.run_of(made.folder, "003") / "results.parquet", rows)
    said = made.together()
    assert any(line.startswith("no ratio: c (run 003)") for line in report.sentences(said))
    assert verdicts(said) == {"other": "holds on 2 of 3 nodes"}
    assert not said.whole


def test_a_node_whose_replicates_are_far_apart_is_told(made):
    made.add("a", other=1.5)
    made.add("b", other=[1.0, 3.0, 9.0, 27.0, 81.0])
    lines = report.sentences(made.together())
    assert ["b (run 002)" in line for line in lines if "UNSTEADY" in line] == [True]


def test_versions_that_differ_between_nodes_are_told(made):
    made.add("a", versions={"torch": "2.13.0"}, other=1.5)
    made.add("b", versions={"torch": "2.12.1"}, other=1.5)
    said = report.sentences(made.together())
    assert "torch differs: 2.13.0 on a (run 001) and 2.12.1 on b (run 002)" in said
    assert not any("python" in line for line in said)


def test_a_member_without_rows_is_named_with_its_reason_and_costs_only_its_own(made):
    for name in ("a", "b", "damaged"):
        made.add(name, other=1.5)
    path = fleets.run_of(made.folder, "003") / "results.parquet"
    path.write_bytes(path.read_bytes()[:100])
    made.end("004", "dead", code=130, said="interrupted")
    made.members.append(Member("005", "all/gone", "9"))
    said = made.together()
    assert verdicts(said) == {"other": "holds on all 2 nodes"}
    for line, reason in zip(said.missing, ("is not a readable Parquet", "interrupted", "from outside"), strict=True):
        assert reason in line
    assert "0 of None replicates" in said.missing[1]
    assert "no rows: run 004, asked for all/dead: exit code 130: interrupted" in report.document(said)
    assert not said.whole


@pytest.mark.parametrize(
    ("twins", "code", "told"), [((1.0, 1.0), 0, "holds on all 2 nodes"), ((1.08, 1.08), 1, "Every node was left out.")]
)
def test_the_command_writes_both_files_and_exits_with_1_where_not_all_is_there(made, twins, code, told):
    for twin in twins:
        made.add("a", twin=twin, other=1.5)
    made.together()
    assert CliRunner().invoke(cli, ["fleet", str(made.folder)], standalone_mode=False).return_value == code
    assert told in (made.folder / "fleet.md").read_text()
    assert (made.folder / "fleet.csv").is_file()
    made.end("003", "dead", code=130, said="interrupted")
    made.together()
    assert CliRunner().invoke(cli, ["fleet", str(made.folder)], standalone_mode=False).return_value == 1
    assert "interrupted" in (made.folder / "fleet.md").read_text()
