"""Which processors implementations get."""

import os

from benchmarks import hardware, machine
from benchmarks.worker.devices import Gpu


def test_an_arm_gets_the_last_processors_that_may_be_used_near_its_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 3, 5})
    assert hardware.choose_cores(2) == (5, 7)
    assert hardware.choose_cores() == (3, 5, 7)
    (tmp_path / "0000:1a:00.0").mkdir()
    near = tmp_path / "0000:1a:00.0" / "local_cpulist"
    near.write_text("0-3,5\n")
    monkeypatch.setattr(machine, "PCI", tmp_path)
    monkeypatch.setattr(machine, "gpu", lambda: Gpu("NVIDIA H100", "0000:1a:00.0", True))
    assert hardware.choose_cores() == (3, 5, 7)
    assert hardware.choose_cores(device="cuda") == (3, 5), "near the GPU"
    assert hardware.choose_cores(1, "cuda") == (5,)
    assert hardware.choose_cores(3, "cuda") == (3, 5, 7), "so many are not near"
    for unlink in (near.unlink, lambda: monkeypatch.setattr(machine, "gpu", lambda: None)):
        unlink()
        assert hardware.choose_cores(device="cuda") == (3, 5, 7)
