"""A process that disturbs the measurement.

`python -m benchmarks.calibration.background_load CORE` keeps a processor busy now and then.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_SECONDS = 3.0


@contextmanager
def background_load(core: int) -> Iterator[None]:
    """Keep a processor busy now and then while the block runs."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.calibration.background_load", str(core)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def work(core: int) -> None:
    """Work for a random time, sleep for a random time, and so on until the parent is gone."""
    os.sched_setaffinity(0, {core})
    parent, rng = os.getppid(), random.Random()
    while os.getppid() == parent:
        end = time.perf_counter() + rng.uniform(0.1, LONGEST_SECONDS)
        while time.perf_counter() < end:
            pass
        time.sleep(rng.uniform(0.1, LONGEST_SECONDS))


if __name__ == "__main__":
    work(int(sys.argv[1]))
