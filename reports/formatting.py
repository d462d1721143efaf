"""Numbers as text, with as many digits as their interval supports."""

from __future__ import annotations

import math

from benchmarks.words import duration, share, size, two_digits, unit_of

__all__ = ["duration", "error", "interval", "share", "size", "time_with_interval"]

WIDE = 4.0
"""An interval wider than this factor says nothing of digits: each of its numbers then has two."""


def interval(value: float, low: float, high: float, scale: float = 1.0) -> str:
    """Return such as `6.82 [6.61, 7.05]`: at as many decimals, up to 4, that half of the interval has two digits.

    An interval that is not finite comes from one replicate.
    """
    if not math.isfinite(high) or low <= 0:
        return f"{value / scale:.3g} [one replicate]"
    if high > WIDE * low:
        return f"{two_digits(value / scale)} [{two_digits(low / scale)}, {two_digits(high / scale)}]"
    half = (high - low) / 2 / scale
    digits = max(0, min(4, 1 - math.floor(math.log10(half)))) if half > 0 else 3
    return f"{value / scale:.{digits}f} [{low / scale:.{digits}f}, {high / scale:.{digits}f}]"


def time_with_interval(value: float, low: float, high: float) -> str:
    """Return such as `6.82 [6.61, 7.05] ms` for a time in seconds."""
    scale, sign = unit_of(value)
    return f"{interval(value, low, high, scale)} {sign}"


def error(value: float) -> str:
    """Return a relative error, such as `7e-07`."""
    return "–" if math.isnan(value) else f"{value:.0e}"
