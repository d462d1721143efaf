"""What decides how a session measures."""

from __future__ import annotations

import msgspec

from benchmarks.cases import Benchmark
from benchmarks.worker import requests
from impls.core.precision import IEEE


class Configuration(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What decides how a session measures: its benchmarks, device, seed and limits."""

    run_id: str
    benchmarks: tuple[str, ...]
    device: str
    precision: str = IEEE
    cold_cache: bool = False  # whether a GPU's L2 cache is emptied before each timed call
    threads: int
    turn_seconds: float
    seed: int
    weights: str | None  # the path of an .npz file; None for random weights
    call_seconds: float
    memory_bytes: int

    def opening(self, benchmark: Benchmark, inputs: int) -> requests.Open:
        """Return the request that opens a benchmark; `inputs` is the seed of its inputs."""
        return requests.Open(benchmark.id, self.seed, self.weights, inputs)
