"""A device whose work goes on after a call has returned, as a GPU's does: the CPU, and two threads as its streams."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from benchmarks.worker import devices

STREAMS = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
submitted: list[Future[None]] = []


def submit(seconds: float, stream: int) -> None:
    """Have a stream work for so many seconds after what it was given before, and return at once."""
    submitted[:] = [future for future in submitted if not future.done()]
    submitted.append(STREAMS[stream].submit(time.sleep, seconds))


def drain(_: object = None) -> None:
    """Wait for both streams. Where nothing is left it must cost as little as on a real device."""
    if left := [future for future in submitted if not future.done()]:
        wait(left)


def install() -> None:
    """Let the suite's wait for the CPU, in this process, be that for the simulated device."""
    devices.Cpu.drain = drain  # type: ignore[method-assign]
