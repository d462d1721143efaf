"""Resident memory of this process, in bytes, from /proc."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path


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
