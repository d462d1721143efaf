"""A fleet on a real Slurm of two nodes, which this test starts on this machine; and what becomes of it when things die.

Each fault costs its own rows only: the fleet ends with all rows there, or with the missing ones named.
"""

from __future__ import annotations

import pytest

from benchmarks.fleet import folder as fleets
from tests.helpers.pools import MINE
from tests.helpers.processes import FEW, impls, wait_for
from tests.helpers.slurm import Fleet, Slurm, present

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not present(), reason="needs slurm-wlm and munge")]


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
    (tmp_path / "other.py").write_text(MINE)
    measured = ("--problem", "t4-b2-i8-h8", "--mode", "forward", "--blocks", "2", "--no-floor", "--threads", "1")
    yield Fleet(cluster, tmp_path / "fleet", (*measured, *impls("numpy_lstm", tmp_path / "other.py")))
    cluster.end_jobs()


def test_a_preempted_job_goes_on_with_what_it_has(fleet):
    (member,) = fleet.start("--nodes", "1", replicates=9)
    fleet.measuring("001")
    first = min((fleets.run_of(fleet.folder, "001") / "raw").glob("replicate-*"))
    began = first.stat().st_mtime_ns
    node = f"--nodelist={member.asked.partition('/')[2]}"
    fleet.cluster.command("sbatch", "--partition=urgent", node, "--exclusive", "--output=/dev/null", "--wrap=sleep 5")
    fleet.wait()
    code, said, table = fleet.collect()
    assert code == 0, said + table
    assert fleets.ended(fleet.folder, "001").attempts == 2
    assert first.stat().st_mtime_ns == began


def test_gates_on_two_nodes_end_in_one_verdict_also_where_one_is_requeued(cluster, tmp_path):
    fleet = Fleet(cluster, tmp_path / "fleet", ("regression", "--base", "HEAD", *impls("numpy_lstm"), *FEW))
    started = fleet.run("--fleet", fleet.folder, "--nodes", "2", *fleet.measured)
    assert started.returncode == 0, started.stderr
    first = fleets.read(fleet.folder).members[0]
    wait_for((fleets.folder_of(fleet.folder, "001") / "log.txt").exists)
    cluster.command("scontrol", "requeue", first.job)
    fleet.wait()
    assert fleets.ended(fleet.folder, "001").attempts == 2
    done = fleet.run("collect", fleet.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no regression found" in done.stdout
