"""Quantities as text: seconds, bytes and shares."""

from __future__ import annotations

import math
from collections.abc import Callable

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time reads best: its size in seconds, and its sign."""
    return next((unit for unit in UNITS if abs(seconds) >= unit[0]), UNITS[-1])


def two_digits(value: float) -> str:
    """Return a number with two digits, such as `0.62`."""
    return f"{float(f'{value:.2g}'):g}"


def duration(seconds: float) -> str:
    """Return such as `18.2 ms`, with three digits."""
    if math.isnan(seconds):
        return "–"
    seconds = float(f"{seconds:.3g}")  # first, so that 999.9 µs is 1 ms
    scale, sign = unit_of(seconds)
    return f"{seconds / scale:.3g} {sign}"


def size(count: float) -> str:
    """Return a number of bytes in MiB."""
    return "–" if math.isnan(count) else f"{count / 2**20:.0f} MiB"


def share(value: float) -> str:
    """Return a share of 1 in per cent, with two digits, such as `41 %` or `0.62 %`."""
    return "–" if math.isnan(value) else f"{two_digits(100 * value)} %"


def signed(value: float, text: Callable[[float], str] = duration) -> str:
    """Return a difference such as `+240 µs` or `−3 µs`; `text` gives its absolute value."""
    return text(value) if math.isnan(value) else ("−" if value < 0 else "+") + text(abs(value))
