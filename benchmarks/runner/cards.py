"""The GPU as its driver sees it, by NVML: its clock and temperature, and whether it holds itself back.

NVML is the module pynvml of the package nvidia-ml-py. Where it is not installed, none of this is known.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from benchmarks.worker.timing import Turn

THROTTLED = {
    0x04: "power limit",
    0x08: "hardware slowdown",
    0x20: "temperature",
    0x40: "hardware temperature",
    0x80: "power brake",
}
"""Why a card runs slower than it could, by NVML's bit (nvmlClocksEventReason). Idle and chosen clocks are no fault."""


@dataclass(frozen=True)
class Reading:
    """What a card says of this moment. What it doesn't say is None."""

    hertz: float | None
    celsius: float | None
    throttled: int | None  # NVML's bits that are in THROTTLED
    others: int | None  # processes that use it, beyond the suite's own


class Card:
    """The first GPU that CUDA_VISIBLE_DEVICES leaves.

    Args:
        nvml: the module pynvml.

    Raises:
        NVMLError, ValueError: where NVML sees no such card.
    """

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
        nvml.nvmlInit()
        if visible.lower().startswith("gpu-"):
            self.handle = nvml.nvmlDeviceGetHandleByUUID(visible)
        else:
            self.handle = nvml.nvmlDeviceGetHandleByIndex(int(visible or 0))

    def reading(self, own: Collection[int] = ()) -> Reading:
        """Read the card. `own` are the process ids of the suite, which are no others."""
        nvml, handle = self.nvml, self.handle
        megahertz = self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM)
        bits = self._ask(nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
        users = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
        users = None if users is None else {user.pid for user in users}
        if own and users and not users & set(own):
            users = None  # in a container, these may be the host's process ids
        return Reading(
            hertz=None if megahertz is None else 1e6 * megahertz,
            celsius=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            throttled=None if bits is None else bits & sum(THROTTLED),
            others=None if users is None else len(users - set(own)),
        )

    def _ask(self, function: Any, *arguments: Any) -> Any:
        """Return what NVML says; None where this card or driver does not support the question."""
        try:
            return function(*arguments)
        except self.nvml.NVMLError:
            return None


def card(device: str) -> Card | None:
    """Return the card of a device; None on the CPU, and where NVML is not there or sees none."""
    if device != "cuda":
        return None
    try:
        return Card(importlib.import_module("pynvml"))
    except Exception:  # such as ImportError, or pynvml's own
        return None


def note(turn: Turn, before: Reading, after: Reading) -> None:
    """Write to a turn what its card did meanwhile."""
    turn.gpu_hertz, turn.gpu_celsius = after.hertz, after.celsius
    if before.throttled is not None and after.throttled is not None:
        turn.gpu_throttled = before.throttled | after.throttled
    turn.gpu_others = after.others


def words(bits: int) -> str:
    """Return why a card was throttled, such as `power limit, temperature`."""
    return ", ".join(word for bit, word in THROTTLED.items() if bits & bit)
