"""The device of an arm: waiting for everything that was submitted to it, and how much of its memory is in use.

A framework's own wait is part of what is timed. `drain` is the suite's. On a GPU the CUDA driver does it: it waits for
the work of every framework, thread and stream of the process. It also empties the GPU's L2 cache, where that is asked.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from benchmarks.worker import memory

LEAST_TURN = {"cpu": 0.0, "cuda": 0.05}
"""Seconds that a turn takes at least on a device. A GPU's clock goes up and down within tens of milliseconds."""
WARM_UP = {"cpu": 0.0, "cuda": 0.02}
"""Seconds of untimed calls before a turn on a device: while its worker waited, a GPU has lowered its clock."""
L2_CACHE_SIZE = 38
"""The driver's number of the attribute: bytes of the L2 cache."""


class Device(Protocol):
    """What a worker needs of its device."""

    def drain(self) -> None:
        """Wait until everything that this process has submitted is done."""

    def flush(self) -> None:
        """Empty the cache, so that the next call reads its arrays from memory, and wait until that is done."""

    def used(self) -> int:
        """Return the bytes that this process uses now."""

    def reset_peak(self) -> None:
        """Start the peak again from what is in use now."""

    def peak(self) -> int | None:
        """Return the most bytes that were in use since reset_peak; None where that can't be known."""


class Cpu:
    """The processors of this process, and its resident memory. Nothing is submitted: a call returns when it is done."""

    def drain(self) -> None:
        """Return at once."""

    def flush(self) -> None:
        """Do nothing: `run` refuses --cold-cache on a CPU."""

    def used(self) -> int:
        """Return the bytes that are resident now."""
        return memory.resident()

    def reset_peak(self) -> None:
        """Return freed memory to the kernel, and start the peak again."""
        memory.reset_peak_rss()

    def peak(self) -> int | None:
        """Return the most bytes that were resident since reset_peak."""
        return memory.peak_rss()


class Cuda:
    """The first CUDA device that this process sees.

    PyTorch and JAX share its primary context, so waiting for that context waits for both. The memory is what the
    frameworks' own allocators say.

    Args:
        driver: the CUDA driver's library; None loads it. Where there is none, the framework will say no_device.
        modules: where to look for frameworks that are loaded.
    """

    def __init__(self, driver: Any = None, modules: Mapping[str, Any] = sys.modules) -> None:
        self.modules = modules
        self.context: ctypes.c_void_p | None = None
        self.scratch: tuple[ctypes.c_void_p, int] | None = None  # what flush writes to, and its bytes
        self.jax_peak = 0
        try:
            self.driver = driver or ctypes.CDLL("libcuda.so.1")
        except OSError:
            self.driver = None

    def drain(self) -> None:
        """Wait for the primary context.

        Raises:
            RuntimeError: where the driver reports an error, such as one of a kernel that ran before.
        """
        if self._started():
            self._in_context("cuCtxSynchronize")

    def flush(self) -> None:
        """Write twice the L2 cache's size of memory.

        Raises:
            RuntimeError: where the driver reports an error.
        """
        if not self._started():
            return
        if self.scratch is None:
            size, memory_of = ctypes.c_int(), ctypes.c_void_p()
            self._do("cuDeviceGetAttribute", ctypes.byref(size), L2_CACHE_SIZE, self.number)
            if not size.value:
                raise RuntimeError("the driver names no L2 cache, so it can't be emptied")
            self._in_context("cuMemAlloc_v2", ctypes.byref(memory_of), ctypes.c_size_t(2 * size.value))
            self.scratch = memory_of, 2 * size.value
        place, count = self.scratch
        self._in_context("cuMemsetD8_v2", place, ctypes.c_ubyte(0), ctypes.c_size_t(count))
        self._in_context("cuCtxSynchronize")

    def _started(self) -> bool:
        """Return whether a framework has started CUDA; the suite must not start it first. Then hold its context."""
        if self.driver is None:
            return False
        if self.context is None:
            if not (self._torch() or self._jax()):
                return False
            self.number, context = ctypes.c_int(), ctypes.c_void_p()
            self._do("cuInit", 0)
            self._do("cuDeviceGet", ctypes.byref(self.number), 0)
            self._do("cuDevicePrimaryCtxRetain", ctypes.byref(context), self.number)
            self.context = context
        return True

    def _in_context(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver in the context that the frameworks share."""
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
            self.driver.cuGetErrorName(code, ctypes.byref(word))  # leaves the word empty where it knows no name
            raise RuntimeError(f"{name}: {word.value.decode() if word.value else f'CUDA error {code}'}")

    def used(self) -> int:
        """Return the bytes that the allocators have given out."""
        torch = self._torch()
        return (torch.cuda.memory_allocated() if torch else 0) + (self._jax_stats() or {}).get("bytes_in_use", 0)

    def reset_peak(self) -> None:
        """Start PyTorch's peak again. JAX's can't be: it is remembered."""
        torch = self._torch()
        if torch:
            torch.cuda.reset_peak_memory_stats()
        self.jax_peak = (self._jax_stats() or {}).get("peak_bytes_in_use", 0)

    def peak(self) -> int | None:
        """Return the most bytes since reset_peak; None where JAX had used as much before, or doesn't say."""
        torch = self._torch()
        total = torch.cuda.max_memory_allocated() if torch else 0
        if self._jax():
            found = (self._jax_stats() or {}).get("peak_bytes_in_use")
            if found is None or found <= self.jax_peak:
                return None
            total += found
        return int(total)

    def _torch(self) -> Any:
        torch = self.modules.get("torch")
        return torch if torch is not None and torch.cuda.is_initialized() else None

    def _jax(self) -> Any:
        """Return JAX's first GPU, if JAX is loaded and sees one."""
        jax = self.modules.get("jax")
        if jax is None:
            return None
        try:
            return next((device for device in jax.local_devices() if device.platform == "gpu"), None)
        except RuntimeError:  # no backend: the implementation says no_device
            return None

    def _jax_stats(self) -> dict[str, int] | None:
        device = self._jax()
        return device.memory_stats() if device is not None else None


def device(name: str) -> Device:
    """Return the device of a name: cpu or cuda."""
    return Cuda() if name == "cuda" else Cpu()
