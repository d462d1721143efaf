"""How much work makes a call longer by a share of itself: injected slowdowns are measured before they are used.

A call and the same call with the work take turns in one process, where nothing differs but the work. After each batch
of blocks the work is set anew, until the interval of the size is narrow enough.

`python -m benchmarks.calibration.sizing REQUEST` does this for one mode of an implementation, in a process like a
worker's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import ROOT
from benchmarks.measurement import timing
from benchmarks.measurement.home import Home, worker_variables
from benchmarks.statistics.intervals import means, t_interval
from impls.core import child_process, registry
from impls.core.files import read_regular, write_text
from impls.core.text import json_text

SHARE = 0.05
"""The slowdown at which the work is sized; how much longer a call takes is in proportion to the work."""
HALF = 0.001
"""Sizing ends when the 95 % interval of the size is at most this far from it: 0.1 points."""
BLOCKS, FEWEST, MOST = 50, 8, 160
"""Blocks in a batch; the fewest and the most batches."""
LEAST_FACTOR = 0.5
"""So that a disturbed batch cannot ask for endless work."""


class Request(msgspec.Struct, frozen=True):
    """What is sized: a file with an injected slowdown, and a benchmark."""

    path: str
    benchmark: str
    device: str
    cores: tuple[int, ...]
    turn_seconds: float
    seed: int


class Size(msgspec.Struct, frozen=True):
    """How much longer a call takes in all, for each second of work.

    half: the 95 % interval of the size at SHARE, from its middle.
    batches: how many batches of BLOCKS blocks are behind it.
    """

    factor: float
    half: float
    batches: int


Sizes = Mapping[str, Mapping[str, Size]]
"""By kind of work, then by implementation and mode, such as `jax_scan forward`."""


def stored(path: Path) -> dict[str, dict[str, Size]]:
    """Return the sizes that a file holds; none where there is no such file.

    Raises:
        ValueError: where it is damaged.
    """
    return msgspec.json.decode(read_regular(path), type=dict[str, dict[str, Size]]) if path.exists() else {}


def store(path: Path, sizes: Sizes) -> None:
    """Write sizes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json_text(sizes))


def size(take: Callable[[float], float], half: float = HALF) -> Size:
    """Find how much work makes a call longer by SHARE.

    Args:
        take: gets the share of a call that the work takes; measures a batch, and returns how much longer the call
            takes, as a share of itself.
        half: how narrow the interval must be.
    """
    factors: list[float] = []
    factor, width = 1.0, np.inf
    while len(factors) < FEWEST or (width > half and len(factors) < MOST):
        work = SHARE / max(factor, LEAST_FACTOR)
        factors.append(take(work) / work)
        factor = float(np.mean(factors))
        if len(factors) > 1:
            low, high = t_interval(means([np.array(factors)]))
            width = SHARE * float(high[0] - low[0]) / 2 / max(factor, LEAST_FACTOR)
    return Size(factor, float(width), len(factors))


def batches(slowed: Any, state: Any, turn_seconds: float, rng: np.random.Generator) -> Callable[[float], float]:
    """Return what measures a batch of mirrored blocks of a call with injected work and the same call without."""
    how = timing.plan(timing.estimate(slowed.call, state, 0.2), turn_seconds)

    def shorter(order: Sequence[Any], calls: Any) -> list[float]:
        taken = [(call, timing.turn(call, state, how)[0].seconds) for call in order]
        return [min(seconds for call, seconds in taken if call is one) for one in calls]

    def take(work: float) -> float:
        slowed.share = work
        calls = [slowed.call, slowed]
        logs = []
        for _ in range(BLOCKS):
            order = calls if rng.random() < 0.5 else calls[::-1]
            before, after = shorter([*order, *order[::-1]], calls)
            logs.append(np.log(after / before))
        return float(np.expm1(np.median(logs)))

    return take


def size_apart(
    implementation: registry.Implementation, root: Path, request: Request, cache: Path, waiting: Callable[[float], None]
) -> Size:
    """Size in a process of its own.

    Args:
        implementation: with the injected slowdown.
        root: the snapshot that its file is in.
        request: what is sized.
        cache: a folder for what is compiled.
        waiting: called about once a second with the seconds so far.

    Raises:
        RuntimeError: with the last line that the process has written.
    """
    home = Home(path=(root, ROOT))
    variables = worker_variables(implementation, request.device, len(request.cores), "float32", cache, home)
    text = msgspec.json.encode(request).decode()
    done = child_process.run([home.python, "-P", "-m", __spec__.name, text], variables, waiting)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Size)


def main(text: str) -> None:
    """Do a request and print its Size."""
    from benchmarks.cases import Benchmark
    from benchmarks.measurement import memory
    from impls.core import weights

    request = msgspec.json.decode(text, type=Request)
    os.sched_setaffinity(0, request.cores)  # before a framework makes its threads
    memory.keep_freed()
    module = registry.load(registry.read(Path(request.path)))
    benchmark = Benchmark.parse(request.benchmark)
    problem, workload = benchmark.timed_problem, benchmark.workload
    given = weights.make_weights(problem, workload, request.seed)
    prepared = module.prepare(problem, given, request.device, workload)
    state = prepared.start(benchmark.mode, weights.make_inputs(problem, request.seed))
    slowed = prepared.call(benchmark.mode)
    slowed(state)
    rng = np.random.default_rng(request.seed)
    print(msgspec.json.encode(size(batches(slowed, state, request.turn_seconds, rng))).decode())


if __name__ == "__main__":
    main(sys.argv[1])
