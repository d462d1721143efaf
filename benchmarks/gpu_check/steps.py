"""The steps of gpu-check, in their order."""

from __future__ import annotations

import functools

from benchmarks.gpu_check.checks import DTYPES, NEEDED_SECONDS, agrees, refused, stops, times, twins
from benchmarks.gpu_check.probe import FRAMEWORKS
from benchmarks.gpu_check.seen import full_precision, sees_card, traces, waits
from benchmarks.gpu_check.setting import Step


def of(framework: str) -> list[Step]:
    """Return the steps on what a framework sees."""
    return [
        Step(f"{framework} sees the GPU", functools.partial(sees_card, framework), 10),
        Step(f"{framework} computes in float32", functools.partial(full_precision, framework), 10),
        Step(f"the suite waits for {framework}'s work", functools.partial(waits, framework), 10),
        Step(f"CUPTI sees {framework}'s work", functools.partial(traces, framework), 10),
    ]


def planted(what: str, name: str, status: str, word: str, survivor: bool = False) -> Step:
    """Return the step of a planted file."""
    return Step(what, functools.partial(refused, name, status, word, survivor=survivor), 15)


STEPS = (
    *(step for framework in FRAMEWORKS for step in of(framework)),
    *(Step(f"agreement in {dtype}", functools.partial(agrees, dtype), 20) for dtype in DTYPES),
    planted("refused: it does not wait", "no_wait", "error", "returns before its"),  # work, or device, is done
    planted("refused: it leaves work on another stream", "side_stream", "error", "returns before its device is done"),
    planted("refused: TF32", "tf32", "disagrees", "tolerance"),
    planted("named: out of memory", "out_of_memory", "out_of_memory", ""),
    planted(
        "named: illegal access, and its other row is there", "illegal_access", "error", "CUDA error", survivor=True
    ),
    Step("all arms are timed", times, NEEDED_SECONDS),
    Step("a worker is stopped when its device is done", stops, 20),
    Step("twins, and a slower copy", twins, 30),
)
