"""A load that comes and goes."""

import multiprocessing
import os

import psutil
import pytest

from benchmarks.calibration.measuring import background_load
from tests.helpers.processes import wait_for


@pytest.mark.process
def test_the_load_works_on_its_processor_and_goes_with_the_block():
    core = min(os.sched_getaffinity(0))
    with background_load(core):
        (child,) = multiprocessing.active_children()
        found = psutil.Process(child.pid)
        wait_for(lambda: found.cpu_affinity() == [core] and sum(found.cpu_times()[:2]) > 0.5, 60)
    assert not psutil.pid_exists(found.pid)
