"""Numbers as text, with as many digits as their interval supports."""

from __future__ import annotations

import math

from benchmarks.words import duration, share, size, two_digits, unit_of

__all__ = ["digits_for", "duration", "error", "interval", "share", "size", "time_with_interval"]

WIDE = 4.0
"""An interval wider than this factor says nothing of digits: each of its numbers then has two."""


def digits_for(low: float, high: float) -> int:
    """Return the number of decimals at which the half-width of an interval has one or two digits."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return max(0, min(4, 1 - math.floor(math.log10(half))))


def interval(value: float, low: float, high: float, scale: float = 1.0) -> str:
    """Return such as `6.82 [6.61, 7.05]`; an interval that is not finite comes from one replicate."""
    if not math.isfinite(high) or low <= 0:
        return f"{value / scale:.3g} [one replicate]"
    if high > WIDE * low:
        return f"{two_digits(value / scale)} [{two_digits(low / scale)}, {two_digits(high / scale)}]"
    digits = digits_for(low / scale, high / scale)
    return f"{value / scale:.{digits}f} [{low / scale:.{digits}f}, {high / scale:.{digits}f}]"


def time_with_interval(value: float, low: float, high: float) -> str:
    """Return such as `6.82 [6.61, 7.05] ms` for a time in seconds."""
    scale, sign = unit_of(value)
    return f"{interval(value, low, high, scale)} {sign}"


def error(value: float) -> str:
    """Return a relative error, such as `7e-07`."""
    return "–" if math.isnan(value) else f"{value:.0e}"
