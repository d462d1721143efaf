"""A fleet on a real Slurm of two nodes, which this test starts on this machine; and what becomes of it when things die.

Each fault costs its own rows only: the fleet ends with all rows there, or with the missing ones named.
"""

from __future__ import annotations

import concurrent.futures
import contextlib

import psutil
import pytest

from benchmarks.fleet import folder as fleets
from tests.helpers.processes import FEW, impls
from tests.helpers.slurm import Fleet, Slurm, present, until

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not present(), reason="needs slurm-wlm and munge"),
]

SMALL = (
    "--problem", "t4-b2-i8-h8", "--mode", "forward", "--blocks", "2", "--no-floor", "--threads", "1",
    *impls("torch_lstm", "torch_cell"),
)  # fmt: skip
"""Options of each node's run."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture
def fleet(cluster, tmp_path):
    yield Fleet(cluster, tmp_path / "fleet", SMALL)
    cluster.end_jobs()


def test_two_nodes_end_in_one_table(fleet):
    members = fleet.start("--nodes", "2")
    assert sorted(member.asked for member in members) == ["all/n1", "all/n2"]
    fleet.wait()
    code, said, table = fleet.collect()
    assert code == 0, said
    assert "torch_cell" in table
    for member, node in (("001", "n1"), ("002", "n2")):
        assert fleets.ended(fleet.folder, member).node == node
        assert f"{node} ({member})" in table or f"{node} (run {member})" in table  # two at once disturb each other
    assert "no rows" not in table
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # two at once
        again = list(pool.map(lambda _: fleet.collect(), range(2)))
    assert again == [(code, said, table)] * 2


def test_a_job_that_is_cancelled_costs_its_own_rows(fleet):
    first, _ = fleet.start("--nodes", "2", replicates=6)
    fleet.measuring("001")
    fleet.cluster.command("scancel", first.job)
    fleet.wait()
    code, _, table = fleet.collect()
    assert code == 1
    assert "no rows: run 001" in table
    assert "of 6 replicates" in table
    assert "torch_cell" in table


def test_a_preempted_job_goes_on_with_what_it_has(fleet):
    (member,) = fleet.start("--nodes", "1", replicates=4)
    fleet.measuring("001")
    before = sorted(path.name for path in (fleets.run_of(fleet.folder, "001") / "raw").glob("replicate-*"))
    began = (fleets.run_of(fleet.folder, "001") / "raw" / before[0]).stat().st_mtime_ns
    node = member.asked.partition("/")[2]
    fleet.cluster.command(
        "sbatch", "--partition=urgent", f"--nodelist={node}", "--exclusive", "--output=/dev/null", "--wrap=sleep 5"
    )
    fleet.wait()
    code, said, table = fleet.collect()
    assert code == 0, said + table
    assert fleets.ended(fleet.folder, "001").attempts == 2
    assert (fleets.run_of(fleet.folder, "001") / "raw" / before[0]).stat().st_mtime_ns == began


def test_gates_on_two_nodes_end_in_one_verdict_also_where_one_is_requeued(cluster, tmp_path):
    fleet = Fleet(cluster, tmp_path / "fleet", ("regression", "--base", "HEAD", *impls("torch_lstm"), *FEW))
    started = fleet.run("--fleet", fleet.folder, "--nodes", "2", *fleet.measured)
    assert started.returncode == 0, started.stderr
    first = fleets.read(fleet.folder).members[0]
    until((fleets.folder_of(fleet.folder, "001") / "log.txt").exists, "the first gate", 60)
    cluster.command("scontrol", "requeue", first.job)
    fleet.wait()
    assert fleets.ended(fleet.folder, "001").attempts == 2
    done = fleet.run("collect", fleet.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no regression found" in done.stdout


def test_a_job_that_is_told_of_its_time_limit_goes_on(fleet, monkeypatch):
    import submitit

    (member,) = fleet.start("--nodes", "1", replicates=4)
    fleet.measuring("001")
    for name, value in fleet.cluster.environment.items():
        monkeypatch.setenv(name, value)
    submitit.SlurmJob(fleet.folder / "logs" / "%j", member.job, [0])._interrupt(timeout=True)  # as Slurm does
    fleet.wait()
    code, said, _ = fleet.collect()
    assert code == 0, said
    assert fleets.ended(fleet.folder, "001").attempts == 2


def test_a_controller_that_is_killed_and_started_again_loses_nothing(fleet):
    fleet.start("--nodes", "2", replicates=3)
    fleet.measuring("001")
    fleet.cluster.kill("slurmctld")
    assert fleet.run("status", fleet.folder).returncode == 2
    fleet.cluster.start_controller()
    until(lambda: fleet.cluster.command("sinfo", "-h").strip(), "the controller", 60)
    fleet.wait()
    code, said, _ = fleet.collect()
    assert code == 0, said


def test_a_node_that_dies_goes_on_when_it_is_back(fleet):
    members = fleet.start("--nodes", "2", replicates=4)
    fleet.measuring("001")
    node = members[0].asked.partition("/")[2]
    fleet.cluster.kill(node)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SLURM_JOB_ID") == members[0].job:
                process.kill()
    until(lambda: fleets.ended(fleet.folder, "002"), "the other node", 120)
    assert fleets.ended(fleet.folder, "002").code == 0
    fleet.cluster.start_node(node)
    fleet.wait(250)
    code, said, table = fleet.collect()
    if code == 0:
        assert fleets.ended(fleet.folder, "001").attempts == 2, said
    else:
        assert "no rows: run 001" in table
        assert "no rows: run 002" not in table


def test_a_job_that_slurm_refuses_is_one_line_with_the_folder(fleet):
    done = fleet.run("--fleet", fleet.folder, "--nodes", "1", "--slurm", "constraint=nowhere", *SMALL)
    assert done.returncode == 2
    assert "001 could not be submitted to all/n" in done.stderr
    assert done.stderr.count("\n") <= 2  # sbatch says it too
    assert "Traceback" not in done.stderr
