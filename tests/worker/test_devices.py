"""What a worker does with its device. No GPU is needed: the driver and the frameworks are made up."""

import ctypes
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from benchmarks.judge.agreement import Disagrees
from benchmarks.worker import devices, profiles, requests, timing
from benchmarks.worker.devices import Cuda, Gpu
from benchmarks.worker.protocol import failure_of
from benchmarks.worker.worker import Worker
from impls.core.problem import Problem
from tests.helpers.processes import python

FUNCTIONS = """
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CUcontext context = (CUcontext)0x123456789abcdef0;  // of more than 32 bits

static CUresult told(const char *name) {
  FILE *file = fopen(getenv("STUB_TOLD"), "a");
  fprintf(file, "%s ", name);
  fclose(file);
  const char *fails = getenv("STUB_FAILS");
  if (!fails || strcmp(fails, name)) return CUDA_SUCCESS;
  return strcmp(name, "cuInit") ? CUDA_ERROR_ILLEGAL_ADDRESS : (CUresult)998;
}
CUresult CUDAAPI cuInit(unsigned int flags) { return told(__func__); }
CUresult CUDAAPI cuDeviceGet(CUdevice *device, int ordinal) { *device = 40 + ordinal; return told(__func__); }
CUresult CUDAAPI cuDeviceGetName(char *name, int length, CUdevice device) {
  snprintf(name, length, "NVIDIA H100 80GB HBM3 MIG 1g.10gb");
  return device == 40 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
CUresult CUDAAPI cuDeviceGetPCIBusId(char *id, int length, CUdevice device) {
  snprintf(id, length, "0000:1A:00.0");
  return device == 40 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
CUresult CUDAAPI cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_MODE ? CU_COMPUTEMODE_EXCLUSIVE_PROCESS : CU_COMPUTEMODE_DEFAULT;
  return device == 40 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext *found, CUdevice device) {
  *found = context;
  return told(__func__);
}
CUresult CUDAAPI cuCtxPushCurrent(CUcontext given) {
  return given == context ? told(__func__) : CUDA_ERROR_INVALID_CONTEXT;
}
CUresult CUDAAPI cuCtxSynchronize(void) { return told(__func__); }
CUresult CUDAAPI cuMemGetInfo(size_t *free, size_t *total) {
  *free = 3ull << 33;
  *total = 1ull << 35;
  return told(__func__);
}
CUresult CUDAAPI cuCtxPopCurrent(CUcontext *before) { *before = 0; return told(__func__); }
CUresult CUDAAPI cuGetErrorName(CUresult error, const char **name) {
  *name = error == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : 0;
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
"""

MENDS = """
import os, sys
if "benchmarks.worker.devices" in sys.orig_argv:
    os.environ.pop("STUB_FAILS")
"""
"""What makes the process that asks the driver succeed, if it is on its PYTHONPATH."""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A libcuda.so.1 without a GPU. NVIDIA's own header, which Triton has, says how its functions are called."""
    triton = pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA, or with -- --all")
    folder = tmp_path_factory.mktemp("cuda")
    (folder / "stub.c").write_text(FUNCTIONS)
    include = Path(triton.__file__).parent / "backends" / "nvidia" / "include"
    built = ["gcc", "-shared", "-fPIC", f"-I{include}", folder / "stub.c", "-o", folder / "libcuda.so.1"]
    subprocess.run(built, check=True)
    return folder / "libcuda.so.1"


@pytest.fixture
def driver(library, tmp_path, monkeypatch):
    """That library, and a function that returns which of its functions have been called."""
    monkeypatch.setenv("STUB_TOLD", str(tmp_path / "told"))
    return ctypes.CDLL(str(library)), lambda: Path(tmp_path / "told").read_text().split()


def torch(used=0, peak=0, initialized=True, order=None):
    """A PyTorch whose allocator has given out so many bytes; `order` gets what is called."""
    called = [] if order is None else order
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: initialized,
            memory_allocated=lambda: used,
            max_memory_allocated=lambda: peak,
            is_available=lambda: order is not None,
            empty_cache=lambda: called.append("empty_cache"),
            reset_peak_memory_stats=lambda: called.append("reset_peak_memory_stats"),
        )
    )


def jax(stats, platform="gpu"):
    """A JAX with one device, whose allocator says this."""
    return SimpleNamespace(local_devices=lambda: [SimpleNamespace(platform=platform, memory_stats=lambda: stats)])


SYNCHRONIZED = ["cuCtxPushCurrent_v2", "cuCtxSynchronize", "cuCtxPopCurrent_v2"]
IDLE = SimpleNamespace(drain=lambda: None)
STARTED = ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain"]


def test_a_cpu_has_the_memory_of_its_process_and_its_peak_can_be_started_again():
    cpu = devices.Cpu()
    cpu.drain()
    cpu.reset_peak()
    before = cpu.used()
    held = bytearray(2**26)
    assert cpu.peak() >= before + 2**25
    assert cpu.used() == pytest.approx(psutil.Process().memory_info().rss, abs=2**24)
    del held
    cpu.reset_peak()
    assert cpu.peak() - cpu.used() < 2**24


@pytest.mark.process
@pytest.mark.parametrize("modules", [{"torch": torch()}, {"jax": jax({})}, {"torch": torch(), "jax": jax({})}])
def test_waiting_is_for_the_context_that_the_frameworks_share(modules, driver):
    library, told = driver
    cuda = Cuda(library, modules)
    cuda.drain()
    cuda.drain()
    assert told() == [*STARTED, *SYNCHRONIZED, *SYNCHRONIZED]
    assert cuda.free() == 0.75


@pytest.mark.parametrize("modules", [{}, {"torch": torch(initialized=False)}, {"jax": jax(None, platform="cpu")}])
def test_waiting_does_not_start_cuda_before_a_framework_has(modules):
    cuda = Cuda(SimpleNamespace(), modules)
    cuda.drain()
    assert cuda.free() is None


@pytest.mark.process
def test_an_error_of_a_kernel_that_ran_before_ends_the_process(driver, monkeypatch):
    library, told = driver
    monkeypatch.setenv("STUB_FAILS", "cuCtxSynchronize")
    with pytest.raises(RuntimeError, match="cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS") as caught:
        Cuda(library, {"torch": torch()}).drain()
    assert told()[-1] == "cuCtxPopCurrent_v2"
    assert failure_of(caught.value).ends
    monkeypatch.setenv("STUB_FAILS", "cuInit")
    with pytest.raises(RuntimeError, match="cuInit: CUDA error 998"):
        Cuda(library, {"torch": torch()}).drain()


@pytest.mark.process
def test_the_gpu_is_the_one_that_cuda_gives_a_worker(driver, library, tmp_path):
    """On a part of a card (MIG), and in a container without nvidia-smi, its name is CUDA's."""
    ask = "from benchmarks import machine; print(machine.gpu(), machine.gpu_name(), sep='|')"
    path = {"LD_LIBRARY_PATH": str(library.parent)}
    said, _, model = python("-c", ask, **path).stdout.strip().partition("|")
    assert eval(said, {"Gpu": Gpu}) == Gpu("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "0000:1a:00.0", False)
    assert model.startswith("NVIDIA H100 80GB HBM3 MIG 1g.10gb")
    assert python("-c", ask, STUB_FAILS="cuInit", **path).stdout.startswith("None|")
    (tmp_path / "sitecustomize.py").write_text(MENDS)
    by_path = python("-c", ask, STUB_FAILS="cuInit", PYTHONPATH=str(tmp_path), **path)
    assert by_path.stdout.startswith("Gpu("), "what PYTHONPATH leads to is missing in the process that asks"


def test_what_the_first_product_of_a_process_makes_is_made_before_its_first_peak(monkeypatch):
    order = []
    cuda = Cuda(SimpleNamespace(), {"torch": torch(order=order), "jax": jax({})})
    monkeypatch.setattr(devices, "products_of_torch", order.append)
    monkeypatch.setattr(devices, "product_of_jax", lambda device: order.append(device.platform))
    cuda.reset_peak()
    assert order == ["cuda", "gpu", "empty_cache", "reset_peak_memory_stats"]
    cuda.reset_peak()
    assert order[4:] == ["empty_cache", "reset_peak_memory_stats"]


def test_the_first_products_are_made_by_the_real_libraries():
    import jax

    devices.products_of_torch("cpu")
    devices.product_of_jax(jax.local_devices()[0])


def test_the_memory_is_what_both_allocators_say_and_what_jax_does_not_say_is_not_known(monkeypatch):
    monkeypatch.setattr(devices, "product_of_jax", lambda _: None)
    stats = {"bytes_in_use": 30, "peak_bytes_in_use": 50}
    cuda = Cuda(SimpleNamespace(), {"torch": torch(used=5, peak=7), "jax": jax(stats)})
    assert cuda.used() == 35
    assert cuda.peak() == 57
    cuda.reset_peak()
    assert cuda.peak() is None  # of before: JAX's peak can't be started again
    stats["peak_bytes_in_use"] = 60
    assert cuda.peak() == 67
    assert Cuda(SimpleNamespace(), {"jax": jax(None)}).peak() is None
    assert Cuda(SimpleNamespace(), {"torch": torch(peak=7)}).peak() == 7
    assert Cuda(SimpleNamespace(), {}).peak() is None, "of a third framework nothing is known"


def worker_of(device, submit, call=None):
    """A worker with an open benchmark, whose mode and its submit are these."""
    worker = object.__new__(Worker)
    worker.hardware, worker.seed, worker.made = device, 0, None
    worker.controller = SimpleNamespace(lib_controllers=[])
    worker.device = "cpu"
    problem = Problem.parse("t1-b1-i1-h1")
    opened = SimpleNamespace(
        benchmark=SimpleNamespace(timed_problem=problem, problem=problem, workload="sequence", mode="forward"),
        prepared=SimpleNamespace(submit=submit and (lambda mode: submit)),
        call=call or (lambda state: device.drain()),
        state=None,
        finish=lambda result: {"output": np.array([1.0 if result is None else result])},
        fresh=lambda _: None,
    )
    worker.opened = {"b": opened}
    return worker


def test_calls_without_a_wait_are_waited_for_once(monkeypatch):
    """On a clock that goes on only while somebody waits for the device."""
    monkeypatch.setattr(profiles, "traced", lambda *_: (None, None))
    device = SimpleNamespace(now=0.0, left=0.0, waits=0)
    monkeypatch.setattr(timing, "perf_counter", lambda: device.now)

    def submit(state):
        device.left += 0.002

    def drain():
        device.now, device.left, device.waits = device.now + device.left, 0.0, device.waits + 1

    device.drain = drain
    found = requests.Pipeline("b", 3, 10).do(worker_of(device, submit, lambda state: None))
    assert found.seconds == pytest.approx(0.002)
    assert device.waits == 3  # for the inputs, after the calls that warm up, and after those that are timed
    assert (found.gpu_seconds, found.gpu_kernels) == (None, None)


def test_calls_without_a_wait_whose_result_is_another_one_are_refused():
    worker = worker_of(IDLE, lambda state: 1.5)
    with pytest.raises(Disagrees, match="forward, without its wait"):
        requests.Pipeline("b", 3, 3).do(worker)


def test_an_implementation_that_always_waits_has_no_pipelined_time():
    assert requests.Pipeline("b", 3, 3).do(worker_of(IDLE, None)).seconds is None


def test_what_the_device_does_is_traced_for_as_many_calls(monkeypatch):
    called = []
    monkeypatch.setattr(profiles, "traced", lambda work, calls: work() or (0.01 * len(called), calls))
    found = requests.Pipeline("b", 3, 3).do(worker_of(IDLE, None, called.append))
    assert (found.gpu_seconds, found.gpu_kernels) == (pytest.approx(0.03), 3)


def test_new_inputs_are_loaded_after_warming_up_and_waited_for_where_calls_on_them_are_timed():
    """The first call of a turn is timed on inputs that are new: warming up on them would hide what is remembered."""
    order = []
    device = SimpleNamespace(drain=lambda: order.append("wait"))
    worker = worker_of(device, None, lambda state: order.append("call"))
    worker.opened["b"].fresh = lambda _: order.append("load")
    worker.opened["b"].prepared = SimpleNamespace(start=lambda *_: order.append("load"), train_step=None)
    requests.TakeTurn("b", timing.Plan(1, 1, 3), 0).do(worker)
    assert order == ["call", "call", "call", "load", "wait", "call", "call"]
    requests.TakeTurn("b", timing.Plan(1, 1, 1)).do(worker)
    assert order[7:] == ["call", "call", "call"]
    requests.Inspect("b", 1e-4).do(worker)
    loads = [at for at, what in enumerate(order) if what == "load"][1:]
    assert loads
    assert {order[at + 1] for at in loads} == {"wait"}
