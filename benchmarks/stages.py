"""The stages of a command: what it does one after the other, and about which share of its time each takes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Stage(StrEnum):
    """What a command is doing. Its value is the word for it."""

    CHECKING = "checking"
    REPLICATE = "replicate"
    COMPARING = "comparing, replicate"
    MEASURING = "measuring, replicate"
    COLLECTING = "collecting, replicate"
    PROFILING = "profiling"


Advance = Callable[[Stage, str, float, float], None]
"""Gets the stage, what of it is being done, how much of it is done, and how much there is in all."""

RUN = {Stage.CHECKING: 0.35, Stage.REPLICATE: 0.65}
AGREEMENT = {Stage.CHECKING: 1.0}
REGRESSION = {Stage.CHECKING: 0.2, Stage.COMPARING: 0.6, Stage.MEASURING: 0.2, Stage.PROFILING: 0.0}
COLLECTING = {Stage.CHECKING: 0.05, Stage.COLLECTING: 0.95}

OPEN = (Stage.MEASURING, Stage.PROFILING)
"""The stages of a gate whose time nobody knows before they end: its replicates decide how many it takes."""


def done_before(stages: dict[Stage, float], stage: Stage) -> float:
    """Return the share of a command's time that the stages before this one take."""
    names = list(stages)
    return sum(stages[name] for name in names[: names.index(stage)]) if stage in stages else 0.0
