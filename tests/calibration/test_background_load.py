"""A load that comes and goes."""

import os

import psutil

from benchmarks.calibration.background_load import background_load
from tests.helpers.processes import wait_for


def test_the_load_works_on_its_processor_and_goes_with_the_block():
    core, module = min(os.sched_getaffinity(0)), "benchmarks.calibration.background_load"
    with background_load(core):
        (found,) = [child for child in psutil.Process().children() if module in child.cmdline()]
        wait_for(lambda: found.cpu_affinity() == [core] and sum(found.cpu_times()[:2]) > 0.2, 20)
    assert not psutil.pid_exists(found.pid)
