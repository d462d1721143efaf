"""For the planted files: calls that leave work on their device after they have returned."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.worker import devices
from impls.core.contract import MODES, Prepared
from impls.core.weights import Array

SECONDS = 0.01
"""The work that a call leaves."""
USUAL_KILOHERTZ = 2.0e6
"""The clock of a GPU whose driver doesn't tell it."""


def leaving_work(prepared: Prepared, seconds: float, *, beside: bool = False) -> Prepared:
    """Return an implementation that leaves so many seconds of work on its device at each call.

    Args:
        prepared: an honest implementation.
        seconds: how long the device goes on.
        beside: whether on another stream, so that a result can be read before the work is done.
    """
    if simulated := devices.simulated():
        return leaving(
            prepared,
            lambda: simulated.submit(time.sleep, seconds, stream=int(beside)),
            (lambda: None) if beside else simulated.drain,
        )
    stream = torch.cuda.Stream() if beside else torch.cuda.default_stream()  # type: ignore[no-untyped-call]
    kilohertz = getattr(torch.cuda.get_device_properties(0), "clock_rate", USUAL_KILOHERTZ)

    def leave() -> None:
        with torch.cuda.stream(stream):
            torch.cuda._sleep(int(seconds * 1e3 * kilohertz))

    return leaving(prepared, leave)


def leaving(prepared: Prepared, leave: Callable[[], Any], before_reading: Callable[[], Any] = lambda: None) -> Prepared:
    """Return an implementation that does more work after each call, for which the call does not wait.

    Args:
        prepared: an honest implementation.
        leave: submits the work, and returns at once.
        before_reading: what reading a result waits for.
    """

    def later(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(state: Any) -> Any:
            result = call(state)
            leave()
            return result

        return run

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        before_reading()
        return prepared.to_numpy(mode, result)

    calls = {mode: later(call) for mode in MODES if (call := getattr(prepared, mode)) is not None}
    changed: dict[str, Any] = {**calls, "to_numpy": to_numpy}
    return dataclasses.replace(prepared, **changed)
