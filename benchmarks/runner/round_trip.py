"""The round trip of a cache line between processors: what threads that wait for each other pay at every step.

On a virtual machine the host moves the processors, and a round trip takes twice or four times as long for seconds to
minutes. See docs/decisions/0035-beyond-the-hour.md.
"""

import ctypes
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from impls.core.contract import NotInstalled
from impls.families import compiled

MOST_SECONDS = 5e-3
"""Where processors are taken away, a measurement ends after this time. It takes 0.3 to 0.8 ms otherwise."""


def seconds(cores: Sequence[int]) -> float | None:
    """Return the seconds of a round trip between the first and the last of some processors.

    None where there is only one, where it cannot be measured, or where other processes have the processors.
    """
    if len(cores) < 2:
        return None
    measure = _measure()
    if measure is None:
        return None
    return measure(cores[0], cores[-1], MOST_SECONDS) or None


@functools.cache
def _measure() -> Callable[[int, int, float], float] | None:
    """Return the compiled function; None where there is no compiler."""
    try:
        function = compiled.library(Path(__file__).with_suffix(".cpp")).round_trip
    except (NotInstalled, OSError, RuntimeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_double]
    function.restype = ctypes.c_double
    return function
