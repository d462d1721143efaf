"""What this machine is, from the kernel's files: on x86, on Arm, and where they are missing."""

import os

import pytest

from benchmarks import machine, processors
from benchmarks.metadata import Commit
from benchmarks.options import Options
from impls.core.processes import CommandFailed
from tests.helpers.processes import git

X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu avx2 fma avx512f avx512_bf16
power management:

processor\t: 1
vendor_id\t: Other
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd sve
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 1
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """An empty folder in the place of the kernel's files, and a function that writes one of them."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "CPUS", tmp_path / "cpu")
    monkeypatch.setattr(machine, "gpu_name", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})

    def write(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


def test_an_x86_processor(files):
    files("cpuinfo", X86)
    for k, words in enumerate([("1", "Data", "32K"), ("1", "Instruction", "64K"), ("3", "Unified", "2M")]):
        for name, text in zip(("level", "type", "size"), words, strict=True):
            files(f"cpu/cpu0/cache/index{k}/{name}", f"{text}\n")
    found = machine.machine()
    assert processors.words(found) == "AMD EPYC, family 25 (Zen 4), AVX-512"
    assert (found.model, found.stepping, found.cores) == (17, 1, 3)
    assert found.instructions == ("AVX2", "FMA", "AVX-512", "AVX512_BF16")
    assert found.caches == {"L1d": 2**15, "L1i": 2**16, "L3": 2**21}


def test_an_arm_processor(files):
    files("cpuinfo", ARM)
    found = machine.machine()
    assert processors.words(found).endswith("family 8 (Neoverse V1), SVE")
    assert (found.vendor, found.model, found.stepping) == ("0x41", 0xD40, 1)


@pytest.mark.parametrize("text", [None, "", "no colon", "cpu family: many\nmodel:\nflags:", "a: b: c\n"])
def test_what_the_kernel_does_not_say_is_not_known(text, files):
    if text is not None:
        files("cpuinfo", text)
    files("cpu/cpu0/cache/index0/level", "1")
    files("cpu/cpu0/cache/index0/size", "large")
    found = machine.machine()
    assert (found.family, found.model, found.caches) == (None, None, {})
    assert found.cpu


def test_a_run_says_its_precision_its_commit_and_the_variables_that_libraries_read(files, monkeypatch):
    git = {"rev-parse": "abc\n", "status": " M impls/api.py\n"}
    monkeypatch.setattr(machine, "run", lambda command, _: git[command[3]])
    names = {
        "NVIDIA_TF32_OVERRIDE",
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDNN_LOGDEST_DBG",
        "TRITON_CACHE_DIR",
        "PYTORCH_ALLOC_CONF",
    }
    for name in (*names, "HOME_OF_MINE"):
        monkeypatch.setenv(name, "x")
    described = machine.describe(Options(precision="tf32"))
    assert described.variables.keys() & {*names, "HOME_OF_MINE"} == names
    assert described.matmul_precision.startswith("TF32")
    assert machine.describe(Options()).matmul_precision.startswith("full float32")
    assert described.commit == Commit(id="abc", dirty=True)
    git["status"] = ""
    assert machine.commit().dirty is False

    def no_program(command, _):
        raise CommandFailed(f"{command[0]} is not on PATH")

    monkeypatch.setattr(machine, "run", no_program)
    assert machine.commit() == Commit()


@pytest.mark.process
def test_what_was_measured_before_is_no_change_of_the_checkout(tmp_path, monkeypatch):
    """A pool grows beside the code that collects it."""
    for name in ("impls/lstm.py", "reports/published/run"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    (tmp_path / "reports" / "published" / "other").touch()
    assert machine.commit() == Commit(id=git(tmp_path, "rev-parse", "HEAD"), dirty=False)
    (tmp_path / "impls" / "other.py").touch()
    assert machine.commit().dirty is True
