"""What the nodes of a fleet say together. The runs are made up; their truth is known."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import ENDED, TWIN, Ended, Fleet, Member
from impls.core.files import write_text
from impls.core.text import json_text
from reports import fleet as report
from tests.helpers.records import ENVIRONMENT, failed, record, write

AMD, INTEL = "AMD EPYC", "Intel Xeon"
REPLICATES = 5


class Made:
    """A fleet's folder, to which made-up nodes are added."""

    def __init__(self, folder, seed=1):
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.members = []

    def add(self, name, cpu=AMD, slow=1.0, twin=1.0, machine=(), run=(), more=(), versions=(), **ratios):
        """Add a node on which the baseline takes `slow` times a millisecond, and others these ratios to it.

        `machine`, `run` and `versions` change what environment.json says, and `more` are further records.
        """
        member = f"{len(self.members) + 1:03}"
        place = fleets.folder_of(self.folder, member) / "run"
        place.mkdir(parents=True)
        rows = []
        for replicate in range(REPLICATES):
            for arm, ratio in {"base": 1.0, TWIN: twin, **ratios}.items():
                seconds = 1e-3 * slow * ratio * np.exp(self.rng.normal(0, 0.005))
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
        known["run"] = {**ENVIRONMENT["run"], "run_id": f"r{member}", **dict(run)}
        (place / "environment.json").write_text(json.dumps(known))
        self.end(member, name)
        return member

    def end(self, member, name, code=0, said="fine"):
        self.members.append(Member(member, f"all/{name}", str(len(self.members))))
        fleets.folder_of(self.folder, member).mkdir(parents=True, exist_ok=True)
        write_text(fleets.folder_of(self.folder, member) / ENDED, json_text(Ended(name, code, said, 1)))

    def together(self):
        fleets.write(self.folder, Fleet("slurm", tuple(self.members)))
        return report.together(*report.read(self.folder))


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def verdicts(said):
    return {row.implementation: row.verdict for row in said.rows}


def test_what_is_alike_holds_on_all_nodes_with_its_ratio(made):
    for name in ("n1", "n2", "n3"):
        made.add(name, other=1.5)
    said = made.together()
    assert verdicts(said) == {"other": "holds on all 3 nodes"}
    (row,) = said.rows
    assert np.exp(row.combined.mean) == pytest.approx(1.5, rel=0.01)
    assert np.exp(row.combined.low) < 1.5 < np.exp(row.combined.high)
    assert set(row.each) == {"001", "002", "003"}
    assert said.odd == {}
    lines = report.sentences(said)
    assert lines == ["3 nodes: 3 × AMD EPYC", "1 of 1 ratio to base hold on all nodes that have them"]


def test_one_implementation_that_is_slower_on_a_node_turns_holds_into_differs(made):
    made.add("n1", other=1.5, same=2.0)
    made.add("n2", other=1.65, same=2.0)
    assert verdicts(made.together()) == {"other": "differs between 2 nodes", "same": "holds on all 2 nodes"}


def test_kinds_of_processors_are_named(made):
    for name, cpu, ratio in (("a", AMD, 1.0), ("b", AMD, 1.0), ("c", INTEL, 1.4), ("d", INTEL, 1.4)):
        made.add(name, cpu, other=ratio)
    assert verdicts(made.together()) == {"other": "differs between AMD EPYC and Intel Xeon"}


def test_a_single_node_that_stands_apart_is_named(made):
    for name, ratio in (("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("bad", 1.6)):
        made.add(name, other=ratio)
    assert verdicts(made.together()) == {"other": "one node is odd: bad"}


def test_a_node_whose_twins_differ_is_left_out_whoever_gains(made):
    for ratio in (0.5, 2.0):
        made.members.clear()
        made.folder = made.folder / "again"
        made.folder.mkdir()
        for name in ("a", "b"):
            made.add(name, other=1.0)
        made.add("bad", twin=1.08, other=ratio)
        said = made.together()
        assert list(said.odd) == ["003"]
        assert "its twins differ: 1.08 × at t4-b2-i8-h8, forward" in report.sentences(said)[1]
        assert verdicts(said) == {"other": "holds on all 2 nodes"}


def test_a_slower_node_of_the_same_processor_is_odd_and_one_of_another_is_not(made):
    made.add("a", other=1.5)
    made.add("hogged", slow=1.4, other=1.5)
    made.add("other-kind", INTEL, slow=3.0, other=1.5)
    said = made.together()
    assert list(said.odd) == ["002"]
    assert "the baseline takes 1.4" in said.odd["002"]
    assert [node.name for node in said.nodes] == ["a", "hogged", "other-kind"]


@pytest.mark.parametrize(
    ("slow", "machine", "words"),
    [
        (3.0, {"gpu": "NVIDIA A100, 580.1"}, "NVIDIA A100"),
        (3.0, {"cores": 64}, "64 cores"),
        (1.0, {"gpu": "NVIDIA A100, 580.1"}, "NVIDIA A100"),
    ],
)
def test_nodes_with_other_gpus_or_cores_are_another_kind(made, slow, machine, words):
    """A slower card is no fault of its node."""
    made.add("a", machine={"gpu": "NVIDIA H100, 580.1"}, other=1.5)
    made.add("b", slow=slow, machine={"gpu": "NVIDIA H100, 999.9", **machine}, other=1.5)
    said = made.together()
    assert said.odd == {}
    kinds = report.sentences(said)[0]
    assert "NVIDIA H100" in kinds
    assert words in kinds
    assert "580" not in kinds


@pytest.mark.process
def test_an_implementation_that_fails_on_a_node_is_named_and_does_not_hold_on_all(made, python):
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
    done = python("reports", "fleet", made.folder)
    assert done.returncode == 1
    assert "h_n is wrong" in (made.folder / "fleet.md").read_text()


@pytest.mark.process
def test_a_node_without_a_ratio_is_told(made, python):
    made.add("a", other=1.5)
    made.add("b", other=1.5)
    made.add("c")
    rows = [failed("base", r, "unsupported", "no", problem="t4-b2-i8-h8", run_id="r003") for r in range(2)]
    write(fleets.run_of(made.folder, "003") / "results.parquet", rows)
    said = made.together()
    assert any(line.startswith("no ratio: c (run 003)") for line in report.sentences(said))
    assert verdicts(said) == {"other": "holds on 2 of 3 nodes"}
    assert python("reports", "fleet", made.folder).returncode == 1


def test_files_that_were_damaged_after_the_run_are_the_reason(made):
    made.add("a", other=1.5)
    made.add("b", other=1.5)
    path = fleets.run_of(made.folder, "002") / "results.parquet"
    path.write_bytes(path.read_bytes()[:100])
    (one,) = made.together().missing
    assert "is not a readable Parquet file" in one
    assert "exit code" not in one


def test_a_fleet_that_was_cancelled_says_so(made):
    made.add("a", other=1.5)
    made.members.append(Member("002", "all/gone", "9"))
    (made.folder / fleets.CANCELLED).touch()
    (one,) = made.together().missing
    assert "the fleet was cancelled" in one


def test_a_node_whose_replicates_are_far_apart_is_told(made):
    made.add("a", other=1.5)
    made.add("b", other=1.5)
    calm = report.sentences(made.together())
    run = fleets.run_of(made.folder, "002") / "results.parquet"
    table = pq.read_table(run).to_pylist()
    for row in table:
        for turn in row["turns"]:
            turn["seconds"] *= 3.0 ** (row["replicate"] if row["implementation"] == "other" else 0)
    write(run, table)
    busy = report.sentences(made.together())
    assert not any("UNSTEADY" in line for line in calm)
    assert sum("THE MACHINE WAS BUSY OR UNSTEADY: b (run 002)" in line for line in busy) == 1


def test_with_one_node_there_is_no_interval_and_no_spread(made):
    made.add("a", other=1.5)
    said = made.together()
    (row,) = report.table(said).to_dict("records")
    assert row["nodes"] == 1
    assert all(row[name] is None for name in ("ratio_low", "ratio_high", "spread", "p_same"))
    assert "0.0 %" not in report.document(said)


def test_versions_that_differ_between_nodes_are_told(made):
    made.add("a", versions={"torch": "2.13.0"}, other=1.5)
    made.add("b", versions={"torch": "2.12.1"}, other=1.5)
    said = report.sentences(made.together())
    assert "torch differs: 2.13.0 on a (run 001) and 2.12.1 on b (run 002)" in said
    assert not any("python" in line for line in said)


@pytest.mark.process
def test_where_every_node_is_left_out_it_says_so_and_fails(made, python):
    for name in ("a", "b"):
        made.add(name, twin=1.08, other=1.5)
    said = made.together()
    assert len(said.odd) == 2
    assert "Every node was left out." in report.document(said)
    assert python("reports", "fleet", made.folder).returncode == 1


def test_a_member_without_rows_is_named_and_costs_only_its_own(made):
    made.add("a", other=1.5)
    made.add("b", other=1.5)
    made.end("003", "dead", code=130, said="interrupted")
    made.members.append(Member("004", "all/gone", "9"))
    said = made.together()
    assert verdicts(said) == {"other": "holds on all 2 nodes"}
    assert [line.partition(";")[0] for line in said.missing] == [
        "no rows: run 003, asked for all/dead: exit code 130: interrupted",
        "no rows: run 004, asked for all/gone: it has not ended, or was killed",
    ]
    assert "no rows: run 003, asked for all/dead: exit code 130: interrupted" in report.document(said)


def test_an_arm_that_failed_on_a_node_has_no_ratio_there(made):
    for name in ("a", "b"):
        made.add(name, other=1.5)
    run = fleets.folder_of(made.folder, "002") / "run"
    rows = [record("base", r, 1e-3, run_id="r002") for r in range(2)] + [
        failed("other", r, "error", "broken", run_id="r002") for r in range(2)
    ]
    write(run / "results.parquet", rows)
    assert report.log_ratios(report.frames.read_run(run)) == {}


def test_nothing_at_all_is_told(made):
    made.end("001", "dead", code=2, said="error: no such option")
    said = made.together()
    assert said.rows == []
    assert "No node has a ratio." in report.document(said)
    assert report.table(said).empty


@pytest.mark.process
def test_the_command_writes_both_files_and_exits_with_1_where_a_node_is_missing(made, python):
    for name in ("a", "b"):
        made.add(name, other=1.5)
    made.together()
    done = python("reports", "fleet", made.folder)
    assert done.returncode == 0, done.stderr
    assert "holds on all 2 nodes" in done.stdout
    assert "other" in (made.folder / "fleet.csv").read_text()
    made.end("003", "dead", code=130, said="interrupted")
    made.together()
    again = python("reports", "fleet", made.folder)
    assert again.returncode == 1
    assert "interrupted" in (made.folder / "fleet.md").read_text()


@pytest.mark.process
def test_a_folder_without_a_fleet_is_one_line(tmp_path, python):
    done = python("reports", "fleet", tmp_path)
    assert done.returncode != 0
    assert "holds no fleet" in done.stderr
    assert "Traceback" not in done.stderr
