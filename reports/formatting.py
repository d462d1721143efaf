"""Numbers as text, with as many digits as their interval supports."""

from __future__ import annotations

import math

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
WIDE = 4.0
"""An interval wider than this factor says nothing of digits: each of its numbers then has two."""


def digits_for(low: float, high: float) -> int:
    """Return the number of decimals at which the half-width of an interval has one or two digits."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return max(0, min(4, 1 - math.floor(math.log10(half))))


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time reads best: its size in seconds, and its sign."""
    return next((unit for unit in UNITS if abs(seconds) >= unit[0]), UNITS[-1])


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def interval(value: float, low: float, high: float, scale: float = 1.0) -> str:
    """Return such as `6.82 [6.61, 7.05]`; an interval that is not finite comes from one replicate."""
    if not math.isfinite(high) or low <= 0:
        return f"{value / scale:.3g} [one replicate]"
    if high > WIDE * low:
        return f"{_two_digits(value / scale)} [{_two_digits(low / scale)}, {_two_digits(high / scale)}]"
    digits = digits_for(low / scale, high / scale)
    return f"{value / scale:.{digits}f} [{low / scale:.{digits}f}, {high / scale:.{digits}f}]"


def time_with_interval(value: float, low: float, high: float) -> str:
    """Return such as `6.82 [6.61, 7.05] ms` for a time in seconds."""
    scale, sign = unit_of(value)
    return f"{interval(value, low, high, scale)} {sign}"


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


def error(value: float) -> str:
    """Return a relative error, such as `7e-07`."""
    return "–" if math.isnan(value) else f"{value:.0e}"


def share(value: float) -> str:
    """Return a share of 1 in per cent, with two digits, such as `41 %` or `0.62 %`."""
    return "–" if math.isnan(value) else f"{_two_digits(100 * value)} %"
