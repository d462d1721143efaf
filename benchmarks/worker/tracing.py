"""What a GPU does in a call, by CUPTI, NVIDIA's profiling library: how long it is busy, and how many kernels it runs.

CUPTI is the module cupti of the package cupti-python. Where it is not installed, none of this is known. Tracing slows
down the calls that it watches, so it is done apart from the turns.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

WORK = ("CONCURRENT_KERNEL", "MEMCPY", "MEMSET")
"""The kinds of activity that are work of the GPU, by CUPTI's names."""
BUFFER_BYTES = 8 * 2**20


def traced(work: Callable[[], None], calls: int) -> tuple[float | None, float | None]:
    """Return for how many seconds the GPU works for a call, and how many kernels it runs; None where that is not known.

    `work` makes the calls, and waits for them.
    """
    try:
        cupti = importlib.import_module("cupti.cupti")
    except (ImportError, OSError, RuntimeError):  # not installed, or it cannot be loaded
        return None, None
    activities: list[tuple[int, int, int]] = []

    def completed(buffer: Iterable[Any]) -> None:
        activities.extend((int(activity.kind), int(activity.start), int(activity.end)) for activity in buffer)

    kernel, *others = (getattr(cupti.ActivityKind, name) for name in WORK)
    try:
        with ExitStack() as ends:
            cupti.activity_register_callbacks(lambda: (BUFFER_BYTES, 0), completed)
            cupti.activity_enable(kernel)
            ends.callback(cupti.finalize)  # only now: it would end another profiler that may be at work
            ends.callback(cupti.activity_disable, kernel)
            for kind in others:
                cupti.activity_enable(kind)
                ends.callback(cupti.activity_disable, kind)
            work()
            cupti.activity_flush_all(1)
    except Exception:  # cuptiError, or what this version of the binding raises in its place: it costs no row
        return None, None  # as beside another profiler
    seen = [(start, end) for kind, start, end in activities if kind in map(int, (kernel, *others))]
    if not seen:
        return None, None
    return 1e-9 * busy(seen) / calls, sum(kind == int(kernel) for kind, *_ in activities) / calls


def busy(intervals: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of some intervals lasts: kernels on several streams may overlap."""
    total, until = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total
