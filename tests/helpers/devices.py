"""Devices for tests: one that works on after a call has returned, and a CUDA driver that notes what it is asked."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any


class Asynchronous:
    """A device that does one thing after another while the caller goes on."""

    def __init__(self) -> None:
        self.due = 0.0

    def submit(self, seconds: float) -> None:
        """Have it work for so many seconds, after what it was given before."""
        self.due = max(self.due, time.perf_counter()) + seconds

    def drain(self) -> None:
        """Wait for everything."""
        while time.perf_counter() < self.due:
            pass


class Driver:
    """The functions of the CUDA driver that the suite calls; `codes` has what one returns, by its name."""

    def __init__(self, **codes: int) -> None:
        self.asked: list[str] = []
        self.codes = codes

    def __getattr__(self, name: str) -> Any:
        def function(*_: Any) -> int:
            self.asked.append(name)
            return self.codes.get(name, 0)

        return function

    def cuGetErrorName(self, code: int, word: Any) -> int:
        """Say the name of an error that is known."""
        names = {700: b"CUDA_ERROR_ILLEGAL_ADDRESS"}
        word._obj.value = names.get(code)
        return 0 if code in names else 1


def torch(used: int = 0, peak: int = 0, initialized: bool = True) -> Any:
    """A PyTorch whose allocator has given out so many bytes."""
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: initialized,
            memory_allocated=lambda: used,
            max_memory_allocated=lambda: peak,
            reset_peak_memory_stats=lambda: None,
        )
    )


def jax(stats: dict[str, int] | None, platform: str = "gpu") -> Any:
    """A JAX with one device, whose allocator says this."""
    return SimpleNamespace(local_devices=lambda: [SimpleNamespace(platform=platform, memory_stats=lambda: stats)])
