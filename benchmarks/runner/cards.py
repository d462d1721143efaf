"""The GPU as its driver sees it, by NVML: its clock and temperature, and whether it holds itself back.

NVML is the module pynvml of the package nvidia-ml-py. Where it is not installed, none of this is known.
"""

import importlib
from typing import Any

from benchmarks.worker.devices import Gpu
from benchmarks.worker.timing import Turn

THROTTLED = {
    0x04: "power limit",
    0x08: "hardware slowdown",
    0x20: "temperature",
    0x40: "hardware temperature",
    0x80: "power brake",
}
"""Why a card runs slower than it could, by NVML's bit (nvmlClocksEventReason). Idle and chosen clocks are no fault."""


class Card:
    """The GPU at a PCI address, asked by the module pynvml."""

    def __init__(self, nvml: Any, address: str) -> None:
        self.nvml = nvml
        nvml.nvmlInit()
        self.handle = nvml.nvmlDeviceGetHandleByPciBusId(address)

    def throttled(self) -> int | None:
        """Return the bits of THROTTLED that hold at this moment; None where the card does not say."""
        bits = self._ask(self.nvml.nvmlDeviceGetCurrentClocksEventReasons, self.handle)
        return None if bits is None else bits & sum(THROTTLED)

    def note(self, turn: Turn, before: int | None, own: set[int]) -> None:
        """Write to a turn that has just ended what the card did meanwhile.

        `before` is what `throttled` returned before it, and `own` has the process ids of the suite.
        """
        nvml = self.nvml
        megahertz = self._ask(nvml.nvmlDeviceGetClockInfo, self.handle, nvml.NVML_CLOCK_SM)
        if megahertz is not None:
            turn.gpu_hertz = 1e6 * megahertz
        sensor = nvml.NVML_TEMPERATURE_GPU
        turn.gpu_celsius = self._ask(nvml.nvmlDeviceGetTemperature, self.handle, sensor)
        after = self.throttled()
        if before is not None and after is not None:
            turn.gpu_throttled = before | after
        processes = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses, self.handle)
        users = {process.pid for process in processes or ()}
        # without its own, the suite knows of no others: in a container, these may be the host's process ids
        if users & own:
            turn.gpu_others = len(users - own)

    def _ask(self, function: Any, *arguments: Any) -> Any:
        """Return what NVML says; None where this card or driver does not support the question."""
        try:
            return function(*arguments)
        except self.nvml.NVMLError:
            return None


def card(gpu: Gpu | None) -> Card | None:
    """Return the card of a GPU; None where there is none, and where NVML is not there or does not see it."""
    if gpu is None:
        return None
    try:
        return Card(importlib.import_module("pynvml"), gpu.address)
    except Exception:  # such as ImportError, or pynvml's own
        return None


def words(bits: int) -> str:
    """Return why a card was throttled, such as `power limit, temperature`."""
    return ", ".join(word for bit, word in THROTTLED.items() if bits & bit)
