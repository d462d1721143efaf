"""A neighbour that comes and goes."""

import os

import psutil

from benchmarks.calibration.hog import hogging
from tests.helpers.processes import wait_for


def test_the_hog_works_on_its_processor_and_goes_with_the_block():
    core = min(os.sched_getaffinity(0))
    with hogging(core):
        found = [one for one in psutil.Process().children() if "benchmarks.calibration.hog" in one.cmdline()]
        assert len(found) == 1
        wait_for(lambda: found[0].cpu_affinity() == [core] and sum(found[0].cpu_times()[:2]) > 0.2, 20)
    assert not psutil.pid_exists(found[0].pid)
