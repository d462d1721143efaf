"""The memory of this process in bytes, from /proc, and how the allocator treats memory that is freed."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEEP_BYTES = 1 << 30
OLD_GLIBC_MOST = 1 << 25
"""The largest mmap threshold that a glibc before 2.35 takes."""


def keep_freed() -> bool:
    """Make the allocator keep freed memory for the next call. Return whether it can.

    By default, glibc returns large arrays to the kernel and faults their pages in again at the next call, but only in
    some processes: nn.LSTM's train step is then a quarter slower in four processes of ten.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return False
    mapped = mallopt(M_MMAP_THRESHOLD, KEEP_BYTES) or mallopt(M_MMAP_THRESHOLD, OLD_GLIBC_MOST)
    return bool(mapped and mallopt(M_TRIM_THRESHOLD, KEEP_BYTES))


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def resident() -> int:
    """Return the bytes that are resident now."""
    return _status("VmRSS")


def reset_peak_rss() -> None:
    """Return freed memory to the kernel, and start the peak RSS again from what is resident now.

    ru_maxrss is no alternative: it can't be reset, and starts from the parent's value at fork.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_rss() -> int:
    """Return the most bytes that were resident since reset_peak_rss."""
    return _status("VmHWM")
