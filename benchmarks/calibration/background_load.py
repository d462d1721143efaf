"""A process that disturbs the measurement: it keeps a processor busy now and then."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import die_with_parent

LONGEST_SECONDS = 3.0


@contextmanager
def background_load(core: int) -> Iterator[None]:
    """Keep a processor busy now and then while the block runs."""
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(core, os.getpid()))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _work(core: int, parent: int) -> None:
    """Work for a random time, sleep for a random time, and so on."""
    die_with_parent(parent)
    os.sched_setaffinity(0, {core})
    rng = random.Random()
    while True:
        end = time.perf_counter() + rng.uniform(0.1, LONGEST_SECONDS)
        while time.perf_counter() < end:
            pass
        time.sleep(rng.uniform(0.1, LONGEST_SECONDS))
