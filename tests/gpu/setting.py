"""What is checked, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import choices
from benchmarks.options import Options
from benchmarks.worker.devices import LEAST_TURN
from impls.core.registry import Implementation

SEED = 0
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Setting:
    """What is checked, and with what.

    Attributes:
        device: the device of the arms: cuda, or cpu where the tests are tested without a GPU.
        card: the name and the driver of the card, as the driver says them.
        implementations: those that are checked and timed.
        cores: the processors of an arm.
        folder: for caches and logs.
        out: for the files that are kept.
        share: by how much the slowed copy of the A/A test is slower.
        within: how far its measured size, and that of the equal copy, may be off.
        arguments: what is added to the command that times all arms.
    """

    device: str
    card: str
    implementations: Sequence[Implementation]
    cores: tuple[int, ...]
    folder: Path
    out: Path
    share: float = 0.05
    within: float = 0.015
    arguments: Sequence[str] = ("--replicates", "2", "--blocks", "2")

    def options(self, *benchmarks: str) -> Options:
        """Return what decides how a session measures."""
        return Options(
            benchmarks=benchmarks,
            device=self.device,
            threads=len(self.cores),
            turn_seconds=LEAST_TURN["cuda"],
            seed=SEED,
            call_seconds=CALL_SECONDS,
            memory_bytes=choices.half_memory(),
        )
