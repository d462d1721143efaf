"""How README and docs write a ratio, and a run with its machine."""

import math
import re
from typing import Any

from benchmarks import processors
from benchmarks.words import count, span, time_with_interval
from reports import frames, peak, tables
from reports.frames import Run
from reports.preamble import torch_and_jax
from reports.verdict import BASELINE, FASTER, UNCLEAR

RATIO = re.compile(r"[\d.]+(?= \[)")
"""The number before its interval."""


def ratio(row: Any) -> str:
    """Return a ratio to the baseline: bold where it is clearly faster; the baseline has its time."""
    if row.verdict == BASELINE:
        return f"1 ({time_with_interval(row.seconds, row.seconds_low, row.seconds_high)})"
    text = tables.by_state(row)
    if row.verdict == UNCLEAR:
        return f"{text} {UNCLEAR}"
    if row.verdict == FASTER:
        return RATIO.sub(r"**\g<0>**", text)
    return text


def with_cores(processor: str, run: Run) -> str:
    """Return such as `AMD EPYC, family 26 (Zen 5), AVX-512, 2 cores, peak 582 GFLOP/s`."""
    words = f"{processor}, {count(run.metadata.machine.cores or 0, 'core')}"
    speed = peak.speed(run.records)
    return words if math.isnan(speed) else f"{words}, peak {speed / 1e9:.0f} GFLOP/s"


def rounds_and_days(run: Run) -> str:
    """Return such as `5 rounds, 2026-11-29`."""
    days = span(sorted(map(frames.began, run.rounds)))
    rounds = len(run.rounds)
    return f"{count(rounds, 'round')}, {days}" if rounds > 1 else days


def machine_and_day(run: Run) -> str:
    """Return such as `AMD EPYC, family 26 (Zen 5), AVX-512, 2 cores; torch 2.13.0, jax 0.10.2; 2026-11-29`."""
    machine = with_cores(processors.words(run.metadata.machine), run)
    return f"{machine}; {torch_and_jax(run)}; {rounds_and_days(run)}"
