"""Numbers as text, cut to the digits that their interval bears out."""

from __future__ import annotations

import math

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
WIDE = 4.0
"""Where an interval spans more than this factor, each number has digits of its own: its width is no guide to them."""


def digits_for(low: float, high: float) -> int:
    """Decimals at which an interval's half-width has one or two digits."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return max(0, min(4, 1 - math.floor(math.log10(half))))


def unit_of(seconds: float) -> tuple[float, str]:
    """The unit in which a time reads best: its size in seconds, and its sign."""
    return next((unit for unit in UNITS if abs(seconds) >= unit[0]), UNITS[-1])


def _short(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def interval(value: float, low: float, high: float, scale: float = 1.0) -> str:
    """Such as `6.82 [6.61, 7.05]`; without an interval where it is not finite."""
    if not math.isfinite(high) or low <= 0:
        return f"{value / scale:.3g} [one replicate]"
    if high > WIDE * low:
        return f"{_short(value / scale)} [{_short(low / scale)}, {_short(high / scale)}]"
    digits = digits_for(low / scale, high / scale)
    return f"{value / scale:.{digits}f} [{low / scale:.{digits}f}, {high / scale:.{digits}f}]"


def time_with_interval(value: float, low: float, high: float) -> str:
    """Such as `6.82 [6.61, 7.05] ms`."""
    scale, sign = unit_of(value)
    return f"{interval(value, low, high, scale)} {sign}"


def duration(seconds: float) -> str:
    """Such as `18.2 ms`, three digits."""
    if math.isnan(seconds):
        return "–"
    seconds = float(f"{seconds:.3g}")  # first, so that 999.9 µs is 1 ms
    scale, sign = unit_of(seconds)
    return f"{seconds / scale:.3g} {sign}"


def size(count: float) -> str:
    """Bytes in MiB."""
    return "–" if math.isnan(count) else f"{count / 2**20:.0f} MiB"


def error(value: float) -> str:
    """A relative error, such as `7e-07`."""
    return "–" if math.isnan(value) else f"{value:.0e}"


def count(number: int, word: str) -> str:
    """Such as `1 block` or `3 blocks`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def share(value: float) -> str:
    """A share in per cent, two digits, such as `41 %` or `0.62 %`."""
    return "–" if math.isnan(value) else f"{_short(100 * value)} %"
