"""Two nodes of a real Slurm, each with a processor of its own, and one of them really disturbed or different.

The processors of one machine may share a core, or the limit of its power. So the nodes measure one after the other,
and whatever disturbs one of them is there only while that one measures: as if they were two machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from benchmarks.calibration.injection import inject
from impls.core import registry
from reports import fleet as report
from tests.helpers.processes import impls
from tests.helpers.slurm import Fleet, Slurm, present, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.nightly,
    pytest.mark.skipif(not present(), reason="needs slurm-wlm and munge"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors"),
    pytest.mark.timeout(1200),
]

MEASURED = (
    "--problem", "t64-b16-i128-h128", "--mode", "forward", "--no-floor", "--threads", "1", "--blocks", "12",
    *impls("torch_lstm"),
)  # fmt: skip
BUSY = """
import os, sys, time

os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
while True:
    end = time.perf_counter() + 2e-4
    while time.perf_counter() < end:
        pass
    time.sleep(2e-4)
"""
"""Takes a processor for 0.2 ms, again and again. A hog of ordinary priority would have to wait: whoever has slept, as a
worker does between its turns, comes first. And calls that are shorter than a hog's pauses would fit between."""


@pytest.fixture
def cluster(tmp_path_factory):
    slurm = Slurm(tmp_path_factory.mktemp("slurm"), bound=True)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def slower_on(core, folder):
    """Write torch_lstmcell so that a call takes 10 % longer on one processor, and return the file's path."""
    source = registry.resolve("torch_lstmcell").path.read_text()
    path = folder / "mine.py"
    only_there = f"\n\nimport os\n\nif os.sched_getaffinity(0) != {{{core}}}:\n    prepare = _original\n"
    path.write_text(inject(source, 0.1) + only_there)
    return path


def one_after_the_other(cluster: Slurm, fleet: Fleet, replicates: int, between: Callable[[], None] = lambda: None):
    """Run a fleet of two nodes: first n1 measures, then n2. `between` is called when n1 is done."""

    def jobs(state):
        return cluster.command("squeue", "-h", "-t", state, "-o", "%A").split()

    def occupy(node):
        """Give a node a job that only waits, and return its number."""
        words = ("sbatch", "--parsable", "-w", node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1800")
        job = cluster.command(*words).strip()
        until(lambda: job in jobs("RUNNING"), f"the job that occupies {node}")
        return job

    waiting = occupy("n2")
    fleet.start("--nodes", "2", replicates=replicates)
    until(lambda: len(jobs("RUNNING")) == 2, "the first job")
    (second,) = jobs("PENDING")
    cluster.command("scontrol", "hold", second)
    until(lambda: jobs("RUNNING") == [waiting], "the end of the first job", 900)
    between()
    other = occupy("n1")
    cluster.command("scancel", waiting)
    cluster.command("scontrol", "release", second)
    until(lambda: second in jobs("RUNNING"), "the second job")
    cluster.command("scancel", other)
    fleet.wait(900)


def test_a_node_with_a_hog_is_odd_and_left_out(cluster, tmp_path):
    fleet = Fleet(cluster, tmp_path / "fleet", (*MEASURED, *impls("torch_lstmcell")))
    hog = subprocess.Popen([sys.executable, "-c", BUSY, str(cluster.core_of["n1"])], stderr=subprocess.DEVNULL)
    time.sleep(1)
    if hog.poll() is not None:
        pytest.skip("no right to a higher priority")

    def end():
        hog.kill()
        hog.wait()

    try:
        one_after_the_other(cluster, fleet, 8, between=end)
    finally:
        end()
    code, said, table = fleet.collect()
    print(table)
    assert code == 0, said
    assert "left out: n1 (run 001): the baseline takes " in table or "left out: n1 (run 001): its twins differ" in table
    assert "left out: n2" not in table


@pytest.mark.parametrize("slowed", [True, False], ids=["slower on a node", "the same on both"])
def test_an_implementation_that_is_slower_on_one_node_differs(slowed, cluster, tmp_path, monkeypatch):
    """Processors of a shared machine may differ by more than a tenth, which would leave one out; that is not asked."""
    monkeypatch.setattr(report, "SLOWER", 2.0)
    path = slower_on(cluster.core_of["n2"] if slowed else 10**6, tmp_path)
    fleet = Fleet(cluster, tmp_path / "fleet", (*MEASURED, "--impl", str(path)))
    one_after_the_other(cluster, fleet, 10)
    said = report.together(*report.read(fleet.folder))
    print(report.document(said))
    (row,) = said.rows
    assert row.nodes == 2
    assert row.verdict == ("differs between 2 nodes" if slowed else "holds on all 2 nodes")
