"""Memory of this process: how the allocator treats what is freed, and what is resident, in bytes, from /proc."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEEP_BYTES = 1 << 30
OLD_GLIBC_MOST = 1 << 25
"""The largest mmap threshold that a glibc before 2.35 takes."""


def keep_freed() -> bool:
    """Have the allocator keep what is freed for the next call; whether it could be told so.

    Left alone, glibc gives large arrays back to the kernel and faults their pages in again at the next call, in some
    processes and not in others: nn.LSTM's train step is then a quarter slower in four processes of ten.
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
    """What is resident now."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Give back what is free, and let the peak start again from here.

    ru_maxrss can't serve: it can't be reset, and starts from what the parent had at fork.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most that was resident since reset_peak."""
    return _status("VmHWM")
