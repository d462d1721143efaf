"""How much time each part of a run took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by purpose. The rest of the time was waiting."""

    PURPOSES = ("agreement", "cold first calls", "cold starts", "kernels", "warm starts", "measuring", "report")

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds = dict.fromkeys(self.PURPOSES, 0.0)

    @contextmanager
    def spent(self, purpose: str) -> Iterator[None]:
        """Count the time of the block for a purpose."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[purpose] += time.perf_counter() - start

    def line(self) -> str:
        """Return such as `5 min 12 s, of which agreement 4%, …, waiting 3%`."""
        total = time.perf_counter() - self.start
        waiting = total - sum(self.seconds.values())
        shares = ", ".join(f"{name} {s / total:.0%}" for name, s in {**self.seconds, "waiting": waiting}.items())
        return f"{int(total // 60)} min {total % 60:.0f} s, of which {shares}"
