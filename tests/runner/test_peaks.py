"""The peak memory that a worker tells is that of the benchmark, which gives it back."""

import psutil
import pytest

from benchmarks.worker import requests
from impls.core import registry
from tests.helpers.sessions import arm_of

HELD = 2**26
"""Bytes."""

FILE = f"""
import dataclasses
import numpy as np
from impls import numpy_lstm

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)


def prepare(problem, weights, device, workload):
    right = numpy_lstm.prepare(problem, weights, device, workload)
    held = np.ones({HELD} // 8 if problem.seq_len == 2 else 1)
    return dataclasses.replace(right, forward=lambda state: (held, right.forward(state))[1])
"""
LARGE, SMALL = "t2-b1-i1-h1/sequence/forward", "t1-b1-i1-h1/sequence/forward"


@pytest.mark.process
def test_the_peak_of_a_benchmark_is_its_own(tmp_path):
    """Neither what the process held before counts, nor what another benchmark has held. Closed, it holds no more."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    arm = arm_of(registry.resolve(str(path)), tmp_path)

    def seen(benchmark):
        """Its peak, and by how much the process shrinks when it is closed."""
        opened = arm.ask(requests.Open(benchmark, 0, None, 0))
        process = psutil.Process(arm.process.pid)
        before = process.memory_info().rss
        arm.ask(requests.Close(benchmark))
        return opened.peak_bytes, before - process.memory_info().rss

    try:
        arm.ensure_running()
        for _ in range(2):
            peak, given_back = seen(LARGE)
            assert 0.9 * HELD < peak < 1.5 * HELD
            assert given_back > 0.9 * HELD
            peak, _ = seen(SMALL)
            assert peak < 2**24
    finally:
        arm.kill()
