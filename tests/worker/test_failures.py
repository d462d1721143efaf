"""The status of a row whose worker raised something, and which statuses end a run with 1."""

import shutil
import subprocess

import pytest

from benchmarks.worker import failures
from benchmarks.worker.agreement import Disagrees
from benchmarks.worker.failures import failure_of, failure_to_import
from benchmarks.worker.sanity import Suspicious
from impls.core import registry
from impls.core.contract import NoDevice, NotInstalled, Unsupported


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unsupported("no bias"), "unsupported"),
        (NotInstalled("no g++"), "not_installed"),
        (RuntimeError("Failed to find C compiler. Please specify via CC environment variable"), "not_installed"),
        (RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx: g++"), "not_installed"),
        (NoDevice("PyTorch sees no CUDA device"), "no_device"),
        (Disagrees("h_n is nan"), "disagrees"),
        (Suspicious("it remembers"), "error"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), "out_of_memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), "out_of_memory"),
        (RuntimeError("CUDNN_STATUS_NOT_SUPPORTED"), "error"),
        (ZeroDivisionError("division by zero"), "error"),
    ],
)
def test_the_status_of_an_exception(error, status):
    assert failure_of(error).status == status


@pytest.mark.process
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_triton_without_the_header_of_python_is_not_installed(tmp_path, monkeypatch):
    """By Triton's own build. A program that gcc refuses for another reason is an error."""
    build = pytest.importorskip("triton.runtime.build", reason="Triton has wheels for Linux only")
    monkeypatch.setattr(build.sysconfig, "get_paths", lambda scheme: {"include": str(tmp_path)})
    source = tmp_path / "main.c"
    source.write_text("#include <Python.h>\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        build._build("main", str(source), str(tmp_path), [], [], [], [])
    assert failure_of(caught.value).status == "error"
    monkeypatch.setattr(failures, "PYTHON_H", tmp_path / "Python.h")
    failed = failure_of(caught.value)
    assert (failed.status, "Python.h is missing" in failed.reason) == ("not_installed", True)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: an illegal memory access was encountered",
        "INTERNAL: Failed to synchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
        "CUDA error: unspecified launch failure",
    ],
)
def test_after_some_errors_nothing_works_in_that_process(text):
    assert failure_of(RuntimeError(text)).ends
    assert not failure_of(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")).ends
    assert not failure_of(Unsupported("no bias")).ends


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModuleNotFoundError("No module named 'numpy'", name="numpy.linalg"), "not_installed"),
        (ModuleNotFoundError("No module named 'nunpy'", name="nunpy"), "error"),
        (ImportError("cannot import name 'Preparde'", name="impls.api"), "error"),
        (Unsupported("no bias"), "unsupported"),
    ],
)
def test_what_is_not_there_is_told_from_a_mistyped_import(error, status):
    assert failure_to_import(error, registry.resolve("numpy_lstm").path).status == status
