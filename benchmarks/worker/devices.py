"""The device of an arm: waiting for everything that was submitted to it, and its memory.

A framework's own wait is part of what is timed. `drain` is the suite's. On a GPU the CUDA driver does it: it waits for
the work of every framework, thread and stream of the process.
"""

import ctypes
import gc
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

LEAST_TURN = {"cpu": 0.0, "cuda": 0.05}
"""Seconds that a turn takes at least on a device. A GPU's clock goes up and down within tens of milliseconds."""
WARM_UP = {"cpu": 0.0, "cuda": 0.02}
"""Seconds of untimed calls before a turn on a device: while its worker waited, a GPU has lowered its clock."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEEP_BYTES = 1 << 30
OLD_GLIBC_MOST = 1 << 25
"""The largest mmap threshold that a glibc before 2.35 takes."""


def keep_freed() -> None:
    """Make glibc's allocator keep freed memory for the next call.

    By default, it returns large arrays to the kernel and faults their pages in again at the next call, but only in
    some processes: nn.LSTM's train step is then a quarter slower in four processes of ten.
    """
    libc = ctypes.CDLL(None)
    if not libc.mallopt(M_MMAP_THRESHOLD, KEEP_BYTES):
        libc.mallopt(M_MMAP_THRESHOLD, OLD_GLIBC_MOST)
    libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


class Cpu:
    """The processors of this process, and its resident memory. Nothing is submitted: a call returns when it is done."""

    def drain(self) -> None:
        """Return at once."""

    def used(self) -> int:
        """Return the bytes that are resident now."""
        return _status("VmRSS")

    def free(self) -> None:
        """Return nothing: the runner looks at the machine's memory itself."""

    def reset_peak(self) -> None:
        """Return freed memory to the kernel, and start the peak again from what is resident now.

        ru_maxrss is no alternative: it can't be reset, and starts from the parent's value at fork.
        """
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> int | None:
        """Return the most bytes that were resident since reset_peak."""
        return _status("VmHWM")


COMPUTE_MODE = 20  # cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_MODE


class Gpu(msgspec.Struct, forbid_unknown_fields=True):
    """A GPU, as CUDA's driver tells it: its name, its PCI address, and whether several processes may share it."""

    name: str
    address: str
    shared: bool


class Cuda:
    """The first CUDA device that this process sees.

    PyTorch and JAX share its primary context, so waiting for that context waits for both. The memory is what the
    frameworks' own allocators say. Where there is no library of the driver, the framework will say no_device.
    """

    def __init__(self, driver: Any = None, modules: Mapping[str, Any] = sys.modules) -> None:
        self.modules = modules
        self.context: ctypes.c_void_p | None = None
        self.jax_peak = 0
        self.begun = False
        try:
            self.driver = driver or ctypes.CDLL("libcuda.so.1")
        except OSError:
            self.driver = None

    def describe(self) -> Gpu:
        """Return what the driver says of the device."""
        number = ctypes.c_int()
        mode = ctypes.c_int()
        name = ctypes.create_string_buffer(256)
        address = ctypes.create_string_buffer(32)
        self._do("cuInit", 0)
        self._do("cuDeviceGet", ctypes.byref(number), 0)
        self._do("cuDeviceGetName", name, len(name), number)
        self._do("cuDeviceGetPCIBusId", address, len(address), number)
        self._do("cuDeviceGetAttribute", ctypes.byref(mode), COMPUTE_MODE, number)
        return Gpu(name.value.decode(), address.value.decode().lower(), mode.value == 0)

    def drain(self) -> None:
        """Wait until all that this process has submitted is done; RuntimeError where a kernel has failed."""
        self._in_context("cuCtxSynchronize")

    def free(self) -> float | None:
        """Return the share of the device's memory that no process has; None where CUDA has not started."""
        free = ctypes.c_size_t()
        total = ctypes.c_size_t()
        self._in_context("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value / total.value if total.value else None

    def _in_context(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver in the primary context.

        It does nothing until a framework has started CUDA: the suite must not start it first.
        """
        if self.driver is None or (self.context is None and not (self._torch() or self._jax())):
            return
        if self.context is None:
            number = ctypes.c_int()
            context = ctypes.c_void_p()
            self._do("cuInit", 0)
            self._do("cuDeviceGet", ctypes.byref(number), 0)
            self._do("cuDevicePrimaryCtxRetain", ctypes.byref(context), number)
            self.context = context
        before = ctypes.c_void_p()
        self._do("cuCtxPushCurrent_v2", self.context)
        try:
            self._do(name, *arguments)
        finally:
            self._do("cuCtxPopCurrent_v2", ctypes.byref(before))

    def _do(self, name: str, *arguments: Any) -> None:
        code = getattr(self.driver, name)(*arguments)
        if code != 0:
            word = ctypes.c_char_p()
            # leaves the word empty where it knows no name
            self.driver.cuGetErrorName(code, ctypes.byref(word))
            what = (word.value or f"CUDA error {code}".encode()).decode()
            raise RuntimeError(f"{name}: {what}")

    def used(self) -> int:
        """Return the bytes that the allocators have given out."""
        torch = self._torch()
        of_jax = self._of_jax("bytes_in_use")
        return torch.cuda.memory_allocated() + of_jax if torch else of_jax

    def reset_peak(self) -> None:
        """Return freed memory to the driver, and start PyTorch's peak again. JAX's can't be: it is remembered.

        Before the first peak of a process, the frameworks make what their first product makes, such as a workspace.
        Otherwise it would be in the memory, and in the first call, of the benchmark that is opened first.
        """
        if not self.begun:
            self.begun = True
            if "torch" in self.modules and self.modules["torch"].cuda.is_available():
                products_of_torch("cuda")
            gpu = self._jax()
            if gpu:
                product_of_jax(gpu)
        torch = self._torch()
        if torch:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self.jax_peak = self._of_jax("peak_bytes_in_use")

    def peak(self) -> int | None:
        """Return the most bytes since reset_peak.

        None where JAX had used as much before or doesn't say, and where another framework has the device.
        """
        torch = self._torch()
        jax = self._jax()
        of_jax = self._of_jax("peak_bytes_in_use")
        if (jax and of_jax <= self.jax_peak) or not (torch or jax):
            return None
        return int(torch.cuda.max_memory_allocated() + of_jax) if torch else of_jax

    def _torch(self) -> Any:
        torch = self.modules.get("torch")
        return torch if torch is not None and torch.cuda.is_initialized() else None

    def _jax(self) -> Any:
        """Return JAX's first GPU, if JAX is loaded and sees one."""
        jax = self.modules.get("jax")
        if jax is None:
            return None
        try:
            devices = jax.local_devices()
        except RuntimeError:  # no backend: the implementation says no_device
            return None
        return next((device for device in devices if device.platform == "gpu"), None)

    def _of_jax(self, name: str) -> int:
        """Return a number of JAX's allocator; 0 where it has none or doesn't say."""
        device = self._jax()
        numbers = device.memory_stats() if device else None
        return int((numbers or {}).get(name, 0))


def products_of_torch(device: str) -> None:
    """Make a product and a step of nn.LSTM, with gradients: the thread of backward has a workspace of its own."""
    import torch

    x = torch.ones(1, 16, 16, device=device, requires_grad=True)
    ((x @ x).sum() + torch.nn.LSTM(16, 16, device=device)(x)[0].sum()).backward()


def product_of_jax(device: Any) -> None:
    """Make a product on a device of JAX."""
    import jax

    jax.jit(lambda x: x @ x)(jax.device_put(jax.numpy.ones((16, 16)), device)).block_until_ready()


if __name__ == "__main__":  # of benchmarks/machine.py
    sys.stdout.buffer.write(msgspec.json.encode(Cuda().describe()))
