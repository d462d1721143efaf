"""What the steps of gpu-check work with, and what a step says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from impls.core.registry import Implementation

PLANTED = Path(__file__).with_name("planted")
FILE = "gpu-check.json"
"""The file of a Check, beside the raw files of the run that timed all arms."""
PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"


class Missed(Exception):
    """A step has failed; the message says what was seen, on one line."""


class Unreached(Exception):
    """A step could not be tried; the message says why, on one line."""


class OutOfTime(KeyboardInterrupt):
    """The time of all steps is up. It ends what runs as Ctrl-C does."""


@dataclass(frozen=True)
class Setting:
    """What is checked, and with what.

    Attributes:
        device: the device of the arms: cuda, or cpu for the simulated device.
        card: the name and the driver of the card, as the driver says them; None where it sees none.
        implementations: those that are checked and timed.
        cores: the processors of an arm.
        folder: for caches and logs.
        out: for the files that are kept.
        planted: the folder of the files that must be refused.
        share: by how much the slowed copy of the twins' step is slower.
        within: how far its measured size, and that of the equal copy, may be off.
        arguments: what is added to the command that times all arms.
        deadline: when all steps must have ended, by time.monotonic.
        kept: what steps share, such as the answers of probes.
    """

    device: str
    card: str | None
    implementations: Sequence[Implementation]
    cores: tuple[int, ...]
    folder: Path
    out: Path
    planted: Path = PLANTED
    share: float = 0.05
    within: float = 0.015
    arguments: Sequence[str] = ("--replicates", "2", "--blocks", "2")
    deadline: float = math.inf
    kept: dict[Any, Any] = field(default_factory=dict)

    def left(self, most: float) -> float:
        """Return the seconds that are left, at most so many."""
        return max(1.0, min(most, self.deadline - time.monotonic()))


@dataclass(frozen=True)
class Step:
    """A step: its name in words, what does it, and how many seconds it needs at least.

    `run` returns what it saw, on one line, and raises Missed or Unreached.
    """

    name: str
    run: Callable[[Setting], str]
    seconds: float


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a step: passed, failed or not reached, with a few words."""

    step: str
    result: str
    said: str
    seconds: float


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of gpu-check.json. `simulated` says that there was no GPU: the check was itself under test."""

    date: str
    gpu: str | None
    simulated: bool
    lines: tuple[Line, ...]
