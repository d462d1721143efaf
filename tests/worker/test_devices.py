"""What a worker does with its device. No GPU is needed: the driver and the frameworks are made up."""

from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from benchmarks.worker import devices, requests, timing, tracing
from benchmarks.worker.agreement import Disagrees
from benchmarks.worker.devices import Cuda
from benchmarks.worker.failures import failure_of
from benchmarks.worker.worker import Worker
from impls.core.problem import Problem


class Driver:
    """The functions of the CUDA driver that the suite calls; `codes` has what one returns, by its name."""

    def __init__(self, **codes):
        self.asked = []
        self.codes = codes

    def __getattr__(self, name):
        def function(*_):
            self.asked.append(name)
            return self.codes.get(name, 0)

        return function

    def cuGetErrorName(self, code, word):
        """Say the name of an error that is known."""
        names = {700: b"CUDA_ERROR_ILLEGAL_ADDRESS"}
        word._obj.value = names.get(code)
        return 0 if code in names else 1


def torch(used=0, peak=0, initialized=True):
    """A PyTorch whose allocator has given out so many bytes."""
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: initialized,
            memory_allocated=lambda: used,
            max_memory_allocated=lambda: peak,
            reset_peak_memory_stats=lambda: None,
        )
    )


def jax(stats, platform="gpu"):
    """A JAX with one device, whose allocator says this."""
    return SimpleNamespace(local_devices=lambda: [SimpleNamespace(platform=platform, memory_stats=lambda: stats)])


SYNCHRONIZED = ["cuCtxPushCurrent_v2", "cuCtxSynchronize", "cuCtxPopCurrent_v2"]
IDLE = SimpleNamespace(drain=lambda: None)
STARTED = ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain"]


def test_a_cpu_has_the_memory_of_its_process_and_its_peak_can_be_started_again():
    assert isinstance(devices.device("cuda"), Cuda)
    cpu = devices.device("cpu")
    cpu.drain()
    cpu.reset_peak()
    before = cpu.used()
    held = bytearray(2**26)
    assert cpu.peak() >= before + 2**25
    assert cpu.used() == pytest.approx(psutil.Process().memory_info().rss, abs=2**24)
    del held
    cpu.reset_peak()
    assert cpu.peak() - cpu.used() < 2**24


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
    with pytest.raises(RuntimeError, match="cuInit: CUDA error 999"):
        Cuda(Driver(cuInit=999), {"torch": torch()}).drain()


def test_the_memory_is_what_both_allocators_say_and_what_jax_does_not_say_is_not_known():
    stats = {"bytes_in_use": 30, "peak_bytes_in_use": 50}
    cuda = Cuda(Driver(), {"torch": torch(used=5, peak=7), "jax": jax(stats)})
    assert cuda.used() == 35
    assert cuda.peak() == 57
    cuda.reset_peak()
    assert cuda.peak() is None  # of before: JAX's peak can't be started again
    stats["peak_bytes_in_use"] = 60
    assert cuda.peak() == 67
    assert Cuda(Driver(), {"jax": jax(None)}).peak() is None
    assert Cuda(Driver(), {"torch": torch(peak=7)}).peak() == 7


def worker_of(device, submit, call=None):
    """A worker with an open benchmark, whose mode and its submit are these."""
    worker = object.__new__(Worker)
    worker.hardware, worker.seed, worker.made = device, 0, None
    problem = Problem.parse("t1-b1-i1-h1")
    opened = SimpleNamespace(
        benchmark=SimpleNamespace(timed_problem=problem, problem=problem, mode="forward"),
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
    monkeypatch.setattr(tracing, "traced", lambda *_: (None, None))
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
    monkeypatch.setattr(tracing, "traced", lambda work, calls: work() or (0.01 * len(called), calls))
    found = requests.Pipeline("b", 3, 3).do(worker_of(IDLE, None, called.append))
    assert (found.gpu_seconds, found.gpu_kernels) == (pytest.approx(0.03), 3)


def test_new_inputs_are_loaded_after_warming_up_and_waited_for_where_calls_on_them_are_timed():
    """The first call of a turn is timed on inputs that are new: warming up on them would hide what is remembered."""
    order = []
    device = SimpleNamespace(drain=lambda: order.append("wait"))
    worker = worker_of(device, None, lambda state: order.append("call"))
    worker.opened["b"].fresh = lambda _: order.append("load")
    requests.GetReady("b", 3, 0).do(worker)
    requests.GetReady("b", 1, None).do(worker)
    assert order == ["call", "call", "call", "load", "call"]
    requests.Inspect("b", 1e-4).do(worker)
    loads = [at for at, what in enumerate(order) if what == "load"][1:]
    assert loads
    assert {order[at + 1] for at in loads} == {"wait"}
