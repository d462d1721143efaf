"""The reference's results in files: the runner computes them once for each problem and workload; workers read them."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.cases import Benchmark
from benchmarks.judge import agreement, extremes
from impls.core.case_files import complete, read_weights
from impls.core.weights import Array, Weights

Key = tuple[str, str, bool]
"""The id of a problem, a workload, and whether it is about extreme numbers."""
Expected = dict[Key, Path]
"""Files with the reference's results."""


def key_of(benchmark: Benchmark) -> Key:
    """Return the key of a benchmark's results: all modes share them, and all extremes."""
    return benchmark.problem.id, benchmark.workload, bool(benchmark.extreme)


def weights_of(benchmark: Benchmark, seed: int, path: str | None) -> Weights:
    """Return a benchmark's weights: random ones of a seed, but for what a file has."""
    if benchmark.extreme:
        return extremes.weights_of(benchmark.problem.dtype, seed)
    given: Weights = {}
    if path:
        _, given = read_weights(Path(path))
    return complete(given, benchmark.timed_problem, benchmark.workload, seed)


def write_expected(
    benchmarks: Iterable[Benchmark],
    seed: int,
    weights_path: str | None,
    folder: Path,
    inputs: int,
    zero_states: Sequence[bool] = agreement.ADMISSION,
    steps: Mapping[Key, Collection[int]] | None = None,
) -> Expected:
    """Write the reference's results of every problem and workload to files.

    Args:
        benchmarks: with the same key, they share a file.
        seed, weights_path: of the weights: see `weights_of`.
        folder: where the files are written. Those of an earlier call are replaced.
        inputs, zero_states: the seed of the inputs, and of each set of them, whether its h0 and c0 are zero.
        steps: by key, the numbers of calls to compute where each changes the state; None for the admission's.
    """
    files: Expected = {}
    for benchmark in benchmarks:
        key = key_of(benchmark)
        if key in files:
            continue
        problem = benchmark.timed_problem
        if benchmark.extreme:
            results = extremes.expected(problem.dtype, seed, inputs)
        else:
            arrays = weights_of(benchmark, seed, weights_path)
            calls = None if steps is None else steps.get(key, ())
            results = agreement.expected(
                problem, benchmark.workload, arrays, inputs, zero_states, calls
            )
        files[key] = folder / f"expected-{len(files)}.float64"
        save(files[key], results)
    return files


def save(path: Path, results: agreement.Results) -> None:
    """Write results to a file, one after the other, which every worker reads. A file beside it has their shapes."""
    path.unlink(missing_ok=True)  # a worker may still have the file before mapped
    with path.open("wb") as file:
        for value in results.values():
            file.write(np.asarray(value, np.float64).tobytes())
    shapes = {name: value.shape for name, value in results.items()}
    path.with_suffix(".json").write_text(json.dumps(shapes))


def saved(path: str) -> dict[str, Array]:
    """Return what `save` wrote. It is mapped into memory, and nothing is copied: workers read it again and again."""
    content = np.memmap(path, np.float64, mode="r").view(np.ndarray)
    shapes = json.loads(Path(path).with_suffix(".json").read_text())
    results = {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        results[name] = content[:size].reshape(shape)
        content = content[size:]
    return results
