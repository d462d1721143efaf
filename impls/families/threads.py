"""How many threads an arm may use, for libraries that have to be told."""

from __future__ import annotations

import os


def threads() -> int:
    """Return OMP_NUM_THREADS where it is set, otherwise the number of processors that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else len(os.sched_getaffinity(0))
