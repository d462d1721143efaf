"""What a worker does with its device. No GPU is needed: the driver and the frameworks are made up."""

import pytest

from benchmarks.measurement import devices, memory
from benchmarks.measurement.devices import Cpu, Cuda
from benchmarks.measurement.failures import failure_of
from tests.helpers.devices import Driver, jax, torch

SYNCHRONIZED = ["cuCtxPushCurrent_v2", "cuCtxSynchronize", "cuCtxPopCurrent_v2"]
STARTED = ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain"]


def test_a_name_gives_its_device():
    assert isinstance(devices.device("cpu"), Cpu)
    assert isinstance(devices.device("cuda"), Cuda)


def test_a_cpu_has_the_memory_of_its_process():
    cpu = Cpu()
    cpu.drain()
    cpu.reset_peak()
    before = cpu.used()
    held = bytearray(2**26)
    assert cpu.peak() >= before + 2**25
    assert cpu.used() == pytest.approx(memory.resident(), rel=0.5)
    del held


@pytest.mark.parametrize("modules", [{"torch": torch()}, {"jax": jax({})}, {"torch": torch(), "jax": jax({})}])
def test_waiting_is_for_the_context_that_the_frameworks_share(modules):
    driver = Driver()
    cuda = Cuda(driver, modules)
    cuda.drain()
    cuda.drain()
    assert driver.asked == [*STARTED, *SYNCHRONIZED, *SYNCHRONIZED]


@pytest.mark.parametrize("modules", [{}, {"torch": torch(initialized=False)}, {"jax": jax(None, platform="cpu")}])
def test_waiting_does_not_start_cuda_before_a_framework_has(modules):
    driver = Driver()
    Cuda(driver, modules).drain()
    assert driver.asked == []


def test_an_error_of_a_kernel_that_ran_before_ends_the_process():
    driver = Driver(cuCtxSynchronize=700)
    with pytest.raises(RuntimeError, match="cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS") as caught:
        Cuda(driver, {"torch": torch()}).drain()
    assert driver.asked[-1] == "cuCtxPopCurrent_v2"
    assert failure_of(caught.value).ends


def test_an_error_without_a_name_is_told_by_its_number():
    with pytest.raises(RuntimeError, match="cuInit: CUDA error 999"):
        Cuda(Driver(cuInit=999), {"torch": torch()}).drain()


def test_the_memory_is_what_both_allocators_say():
    stats = {"bytes_in_use": 30, "peak_bytes_in_use": 50}
    cuda = Cuda(Driver(), {"torch": torch(used=5, peak=7), "jax": jax(stats)})
    assert cuda.used() == 35
    assert cuda.peak() == 57
    cuda.reset_peak()
    assert cuda.peak() is None  # of before: JAX's peak can't be started again
    stats["peak_bytes_in_use"] = 60
    assert cuda.peak() == 67


def test_memory_that_jax_does_not_tell_is_not_known():
    assert Cuda(Driver(), {"jax": jax(None)}).peak() is None
    assert Cuda(Driver(), {"torch": torch(peak=7)}).peak() == 7
