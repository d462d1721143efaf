"""What a GPU does in a call, by CUPTI, NVIDIA's profiling library: how long it is busy, and how many kernels it runs.

CUPTI is the module cupti of the package cupti-python. Where it is not installed, none of this is known. Tracing slows
down the calls that it watches, so it is done apart from the turns.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

KERNEL = "CONCURRENT_KERNEL"
WORK = (KERNEL, "MEMCPY", "MEMSET")
"""The kinds of activity that are work of the GPU, by CUPTI's names."""
BUFFER_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Traced:
    """What the GPU did in a number of calls: the seconds in which it worked, and how many kernels it ran."""

    seconds: float
    kernels: int


def library() -> Any:
    """Return CUPTI's module; None where it is not installed or cannot be loaded."""
    try:
        return importlib.import_module("cupti.cupti")
    except (ImportError, OSError, RuntimeError):
        return None


def traced(cupti: Any, work: Callable[[], None]) -> Traced | None:
    """Return what the GPU does for some work; None where CUPTI cannot watch, such as beside another profiler.

    Args:
        cupti: its module.
        work: submits the work, and waits for it.
    """
    activities: list[tuple[int, int, int]] = []

    def completed(buffer: Iterable[Any]) -> None:
        activities.extend((int(one.kind), int(one.start), int(one.end)) for one in buffer)

    kinds = {name: getattr(cupti.ActivityKind, name) for name in WORK}
    enabled: list[Any] = []
    try:
        cupti.activity_register_callbacks(lambda: (BUFFER_BYTES, 0), completed)
        for kind in kinds.values():
            cupti.activity_enable(kind)
            enabled.append(kind)
    except Exception:  # cuptiError, or what this version of the binding raises in its place
        _end(cupti, enabled)
        return None
    try:
        work()
    finally:
        whole = _end(cupti, enabled, flush=True)
    seen = [(start, end) for kind, start, end in activities if kind in map(int, kinds.values())]
    if not (whole and seen):
        return None
    return Traced(1e-9 * busy(seen), sum(kind == int(kinds[KERNEL]) for kind, *_ in activities))


def _end(cupti: Any, enabled: list[Any], flush: bool = False) -> bool:
    """End what was begun, if anything was. Return whether all of that went well: a fault of CUPTI costs no row."""
    steps: list[tuple[Any, ...]] = [(cupti.activity_flush_all, 1)] if flush else []
    steps += [(cupti.activity_disable, kind) for kind in enabled]
    steps += [(cupti.finalize,)] if enabled else []  # otherwise it would end another profiler that may be at work
    faults = 0
    for function, *arguments in steps:
        try:
            function(*arguments)
        except Exception:
            faults += 1
    return not faults


def busy(intervals: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of some intervals lasts: kernels on several streams may overlap."""
    total, until = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total
