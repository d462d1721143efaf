"""What a row says whose worker raised something."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

from benchmarks.judge.agreement import Disagrees
from benchmarks.judge.sanity import Suspicious
from benchmarks.worker import protocol
from benchmarks.worker.protocol import Failed, failure_of, failure_to_import
from impls.core import registry
from impls.core.contract import NoDevice, NotInstalled, Unsupported


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unsupported("no bias"), "unsupported", "no bias"),
        (NotInstalled("no g++"), "not_installed", "no g++"),
        (NoDevice("PyTorch sees no CUDA device"), "no_device", "PyTorch sees no CUDA device"),
        (Disagrees("h_n\nis nan"), "disagrees", "h_n is nan"),
        (Disagrees("x" * 400), "disagrees", "x" * 299 + "…"),
        (Suspicious("it remembers"), "error", "it remembers"),
        (MemoryError("so\nmuch"), "out_of_memory", "MemoryError: so much"),
        (ZeroDivisionError("x" * 400), "error", "ZeroDivisionError: " + "x" * 280 + "…"),
    ],
)
def test_the_status_and_the_reason_of_an_exception(error, status, reason):
    assert failure_of(error) == Failed(status, reason)


@pytest.mark.parametrize(
    ("text", "status", "ends"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", "out_of_memory", False),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", "out_of_memory", False),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate", "out_of_memory", False),
        ("CUDNN_STATUS_NOT_SUPPORTED", "error", False),
        ("CUDA error: an illegal memory access was encountered", "error", True),
        ("INTERNAL: Failed to synchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access", "error", True),
        ("CUDA error: unspecified launch failure", "error", True),
        ("Failed to find C compiler. Please specify via CC environment variable", "not_installed", False),
        ("No working C++ compiler found in torch._inductor.config.cpp.cxx: g++", "not_installed", False),
    ],
)
def test_errors_of_frameworks_are_told_apart_and_after_some_nothing_works_in_that_process(text, status, ends):
    said = text if status == "not_installed" else f"RuntimeError: {text}"
    assert failure_of(RuntimeError(text)) == Failed(status, said, ends)


def test_triton_without_the_header_of_python_is_not_installed(tmp_path, monkeypatch):
    """A program that a compiler refuses for another reason is an error."""
    assert Path(sysconfig.get_paths("posix_prefix")["include"], "Python.h") == protocol.PYTHON_H  # as Triton asks
    refused = subprocess.CalledProcessError(1, "gcc")
    monkeypatch.setattr(protocol, "PYTHON_H", Path(__file__))
    assert failure_of(refused) == Failed("error", f"CalledProcessError: {refused}")
    monkeypatch.setattr(protocol, "PYTHON_H", tmp_path / "Python.h")
    reason = f"{tmp_path / 'Python.h'} is missing, which a compiler needs: {refused}"
    assert failure_of(refused) == Failed("not_installed", reason)
    assert failure_of(RuntimeError("no header")).status == "error"


@pytest.mark.parametrize(
    ("error", "name", "status", "said"),
    [
        (ModuleNotFoundError("no numpy", name="numpy.linalg"), "numpy_lstm", "not_installed", "no numpy"),
        (ModuleNotFoundError("no nunpy", name="nunpy"), "numpy_lstm", "error", "ModuleNotFoundError: no nunpy"),
        (ImportError("no x in it", name="numpy"), "numpy_lstm", "error", "ImportError: no x in it"),
        (ImportError("no x in it"), "tinygrad_lstm", "not_installed", "no x in it"),  # which is not here
        *(
            (ImportError("no X", name=name), "numpy_lstm", "error", "no X: impls/core is that of the working tree")
            for name in ("impls.api", "impls.core.contract")
        ),
        (Unsupported("no bias"), "numpy_lstm", "unsupported", "no bias"),
    ],
)
def test_what_is_not_there_is_told_from_a_mistyped_import(error, name, status, said):
    assert failure_to_import(error, registry.resolve(name).path) == Failed(status, said)


def test_what_a_compiler_found_is_said_before_its_long_command():
    found = "/usr/include/pyconfig.h:3:12: fatal error: x86_64/pyconfig.h: No such file or directory"
    command = f"C++ compile error\n\nCommand:\ng++ {'-O3 ' * 200}"
    output = f"In file included from a.cpp:1,\n{found}\n    3 | #include"
    assert failure_of(RuntimeError(f"{command}\n\nOutput:\n{output}")).reason.startswith(f"RuntimeError: {found};")
