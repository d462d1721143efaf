"""How much work makes a call longer by a share of itself: injected slowdowns are measured before they are used.

A call with the work takes turns with the same call without it, in one process, where nothing differs but the amount of
work. That is done in fresh processes, until the interval over them is narrow enough. In each, two amounts of work are
measured: what the work leaves behind, such as caches without the call's data, does not grow in proportion to it. What
the function around the call costs is not in it.

`python -m benchmarks.calibration.sizing REQUEST` does this for one mode of an implementation, in a process like a
worker's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from benchmarks import ROOT
from benchmarks.calibration import kept
from benchmarks.runner.home import Home, worker_variables
from benchmarks.worker import timing
from impls.core import child_process, registry
from impls.core.files import write_text
from impls.core.text import json_text

if TYPE_CHECKING:  # its process may have only what a worker has
    from benchmarks.runner.sides import Version

ENDS = (0.02, 0.05)
"""The slowdowns at which the work is sized. Between them, how much longer a call takes is taken to be a line."""
HALF = 0.001
"""Sizing ends when the 95 % interval of both is at most this far from its middle: 0.1 points."""
BLOCKS = 40
"""The blocks in a process. Few, since processes differ too: the same time in shorter processes says more."""
FEWEST, MOST = 8, 120
"""The fewest processes, and the most that are added at a time."""
LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
"""So that a disturbed process cannot ask for endless work, or for none."""


class Request(msgspec.Struct, frozen=True):
    """What is sized: a file with an injected slowdown, a benchmark, and amounts of work, as shares of a call."""

    path: str
    benchmark: str
    device: str
    cores: tuple[int, ...]
    turn_seconds: float
    seed: int
    amounts: tuple[float, ...] = ENDS


Taken = tuple[tuple[float, ...], tuple[float, ...]]
"""What a process has measured: amounts of work, and how much longer a call takes with each; as shares of the call."""


class Size(msgspec.Struct, frozen=True, dict=True):
    """How much longer a call takes: offset + factor · work, all as shares of the call.

    taken: what each fresh process has measured, so that a later sizing can go on.
    """

    taken: tuple[Taken, ...] = ()

    @property
    def processes(self) -> int:
        """How many fresh processes are behind it."""
        return len(self.taken)

    @property
    def usable(self) -> bool:
        """Whether it has enough processes. One that was stopped may have too few."""
        return self.processes >= FEWEST

    @property
    def _columns(self) -> np.ndarray:
        """Work, and how much longer the call takes: each with a row for a process, and a column for each of ENDS."""
        return np.array(self.taken).transpose(1, 0, 2)

    @cached_property
    def line(self) -> tuple[float, float]:
        """The offset and the factor; as if only the work took time, where nothing is measured."""
        if not self.taken:
            return 0.0, 1.0
        work, longer = self._columns
        factor, offset = np.polyfit(work.ravel(), longer.ravel(), 1)
        return float(offset), float(factor)

    @cached_property
    def half(self) -> float:
        """The 95 % interval of a slowdown, from its middle; the wider one of ENDS; infinite with one process.

        It is nominal, since sizing ends as soon as it is narrow.
        """
        from benchmarks.statistics.intervals import means, t_interval

        if self.processes < 2:
            return np.inf
        work, longer = self._columns
        offset, factor = self.line
        low, high = t_interval(means(list((longer - offset - factor * work).T), most_freedom=0))
        return float((high - low).max()) / 2

    def within(self, half: float) -> bool:
        """Whether a slowdown is known to within this."""
        return self.usable and self.half <= half

    def longer(self, work: float) -> float:
        """Return how much longer a call takes with this work."""
        offset, factor = self.line
        return offset + factor * work

    def amount(self, share: float) -> float:
        """Return the work that makes a call longer by this share of itself."""
        offset, factor = self.line
        wanted = (share - offset) / factor if factor > 0 else np.inf
        return float(np.clip(wanted, share / MOST_FACTOR, share / LEAST_FACTOR))

    @property
    def uncertain(self) -> float:
        """How far a slowdown of ENDS may be from what it is called: half, and what the limits of the work cut off."""
        return self.half + max(abs(self.longer(self.amount(share)) - share) for share in ENDS)


NOTHING = Size()

Sizes = Mapping[str, Mapping[str, Size]]
"""By kind of work, then by implementation and mode, such as `jax_scan forward`."""


def stored(path: Path) -> dict[str, dict[str, Size]]:
    """Return the sizes that a file holds; none where there is no such file.

    Raises:
        ValueError: where it is damaged. One line, with its path.
    """
    if not path.exists():
        return {}
    sizes = kept.read(path, dict[str, dict[str, Size]])
    taken = [both for known in sizes.values() for size in known.values() for both in size.taken]
    if any(len(values) != len(ENDS) for both in taken for values in both):
        raise ValueError(f"{path} is damaged: a process measures {len(ENDS)} amounts of work")
    return sizes


def store(path: Path, sizes: Sizes) -> None:
    """Write sizes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json_text(sizes))


def size(
    take: Callable[[tuple[float, ...]], Sequence[float]],
    half: float = HALF,
    found: Size = NOTHING,
    keep: Callable[[Size], None] = lambda _: None,
) -> Size:
    """Find how much work makes a call longer by ENDS.

    Args:
        take: gets amounts of work; measures them in a fresh process, and returns how much longer the call takes with
            each, as a share of itself.
        half: how narrow the intervals must be.
        found: what earlier processes have found; it goes on from there.
        keep: gets what is found so far, after each process.
    """
    most = found.processes + MOST
    while not found.within(half) and (found.processes < most or not found.usable):
        amounts = tuple(found.amount(share) for share in ENDS)
        found = Size((*found.taken, (amounts, tuple(take(amounts)))))
        keep(found)
    return found


def middle(values: Sequence[float]) -> float:
    """Return Hodges and Lehmann's: the median of the means of all pairs.

    Disturbed values hardly move it, and it varies less than the median of the values themselves.
    """
    rows, columns = np.triu_indices(len(values))
    given = np.asarray(values)
    return float(np.median((given[rows] + given[columns]) / 2))


def longer_by(
    slowed: Any, state: Any, amounts: Sequence[float], turn_seconds: float, rng: np.random.Generator
) -> list[float]:
    """Return how much longer a call takes with each amount of injected work, as a share of the call without.

    All amounts and the call without are in the same mirrored blocks. In a block, the shorter of two turns counts. The
    call without work goes through the same function, with 0 as the amount. A direct call differed from it by up to
    0.6 % within a process, and by 0.07 ± 0.29 % over eight processes (2026-11-28, nn.LSTM's train step).
    """
    how = timing.plan(timing.estimate(slowed.call, state, 0.2), turn_seconds)

    def seconds(work: float) -> float:
        slowed.share = work
        return timing.turn(slowed, state, how)[0].seconds

    works = [0.0, *amounts]
    logs = []
    for _ in range(BLOCKS):
        order = [*rng.permutation(len(works))]
        taken = np.full((2, len(works)), np.inf)
        for half, turns in enumerate((order, order[::-1])):
            for k in turns:
                taken[half, k] = seconds(works[k])
        shorter = taken.min(axis=0)
        logs.append(np.log(shorter[1:] / shorter[0]))
    return [float(np.expm1(middle(of_amount))) for of_amount in np.transpose(logs)]


def size_apart(
    version: Version,
    request: Request,
    cache: Path,
    half: float = HALF,
    found: Size = NOTHING,
    keep: Callable[[Size], None] = lambda _: None,
) -> Size:
    """Size in fresh processes.

    Args:
        version: has the injected slowdown.
        request: what is sized.
        cache: a folder for what is compiled.
        half, found, keep: see `size`.

    Raises:
        RuntimeError: with the last line that a process has written.
    """
    from benchmarks.cases import Benchmark
    from benchmarks.runner.sides import worker_dtype

    home = Home(version.python, (version.root, ROOT))
    dtype = worker_dtype([Benchmark.parse(request.benchmark).problem.dtype])
    variables = worker_variables(version.implementation, request.device, len(request.cores), dtype, cache, home)
    seeds = np.random.default_rng(request.seed)

    def take(amounts: tuple[float, ...]) -> list[float]:
        asked = msgspec.structs.replace(request, amounts=amounts, seed=int(seeds.integers(2**31)))
        command = [home.python, "-P", "-m", __spec__.name, msgspec.json.encode(asked).decode()]
        done = child_process.run(command, variables)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[float])

    return size(take, half, found, keep)


def main(text: str) -> None:
    """Do a request, and print how much longer a call takes with each amount of work."""
    from benchmarks.cases import Benchmark
    from benchmarks.worker import memory
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
    print(msgspec.json.encode(longer_by(slowed, state, request.amounts, request.turn_seconds, rng)).decode())


if __name__ == "__main__":
    main(sys.argv[1])
