"""Two nodes of a real Slurm, each with a processor of its own, and one of them really disturbed or different."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.calibration.injection import inject
from impls.core import registry
from tests.helpers.processes import impls
from tests.helpers.slurm import Fleet, Slurm, present

pytestmark = [
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.skipif(not present(), reason="needs slurm-wlm and munge"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors"),
    pytest.mark.timeout(600),
]

REPLICATES = 8
MEASURED = ("--problem", "t16-b4-i32-h64", "--mode", "forward", "--no-floor", "--threads", "1", *impls("torch_lstm"))
BUSY = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


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


def test_a_node_with_a_hog_is_odd_and_left_out(cluster, tmp_path):
    fleet = Fleet(cluster, tmp_path / "fleet", (*MEASURED, *impls("torch_lstmcell")))
    hog = subprocess.Popen([sys.executable, "-c", BUSY, str(cluster.core_of["n1"])])
    try:
        fleet.start("--nodes", "2", replicates=REPLICATES)
        fleet.wait(500)
    finally:
        hog.kill()
        hog.wait()
    code, said, table = fleet.collect()
    print(table)
    assert code == 0, said
    assert "left out: n1 (run 001): it takes " in table or "left out: n1 (run 001): its twins differ" in table
    assert "left out: n2" not in table


@pytest.mark.parametrize("slowed", [True, False], ids=["slower on a node", "the same on both"])
def test_an_implementation_that_is_slower_on_one_node_differs(slowed, cluster, tmp_path):
    path = slower_on(cluster.core_of["n2"] if slowed else 10**6, tmp_path)
    fleet = Fleet(cluster, tmp_path / "fleet", (*MEASURED, "--impl", str(path)))
    fleet.start("--nodes", "2", replicates=REPLICATES)
    fleet.wait(500)
    code, said, table = fleet.collect()
    print(table)
    assert code == 0, said
    assert "left out" not in table
    assert ("differs between 2 nodes" if slowed else "holds on all 2 nodes") in table
