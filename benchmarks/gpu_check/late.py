"""For the planted files: calls that leave work on their device after they have returned."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from impls.core.contract import MODES, Prepared
from impls.core.weights import Array

SECONDS = 0.01
"""The work that a call leaves."""
USUAL_KILOHERTZ = 2.0e6
"""The clock of a GPU whose driver doesn't tell it."""


def use_gpu(seconds: float) -> None:
    """Have the GPU work for some time, on the current stream, and return at once."""
    kilohertz = getattr(torch.cuda.get_device_properties(0), "clock_rate", USUAL_KILOHERTZ)
    torch.cuda._sleep(int(seconds * 1e3 * kilohertz))


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
