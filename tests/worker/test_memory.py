"""The allocator of a worker keeps what is freed: see docs/decisions/0006-blocks-spread.md."""

import os

import pytest

from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from impls.core import registry
from tests.helpers.processes import python
from tests.helpers.sessions import arm_of

GLIBC = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
pytestmark = [pytest.mark.process, pytest.mark.skipif(not GLIBC, reason="only glibc has mallopt")]

MIB = 64 if GLIBC and tuple(map(int, GLIBC.split()[1].split(".")[:2])) >= (2, 35) else 16
"""Older versions keep no array above 32 MiB."""

LEFT = f"""
import numpy as np
from benchmarks.worker import devices
from impls.core.contract import Unsupported

FRAMEWORK = "numpy"
TRACK = "default"


def left():
    before = devices.Cpu().used()
    held = np.ones({MIB} * 2**17)
    assert devices.Cpu().used() - before > {MIB - 2} * 2**20
    del held
    return (devices.Cpu().used() - before) / 2**20


def prepare(problem, weights, device, workload):
    raise Unsupported(f"{{left()}} MiB are left")
"""


def test_a_worker_keeps_what_its_implementation_has_freed_and_another_process_does_not(tmp_path):
    assert float(python("-c", f"{LEFT}\nprint(left())").stdout) < 2
    path = tmp_path / "mine.py"
    path.write_text(LEFT)
    arm = arm_of(registry.resolve(str(path)), tmp_path)
    try:
        arm.ensure_running()
        with pytest.raises(ArmFailed, match="unsupported") as caught:
            arm.ask(requests.Open("t1-b1-i1-h1/sequence/forward", 0, None, 0))
        assert float(caught.value.reason.split()[0]) > MIB - 2
    finally:
        arm.kill()
