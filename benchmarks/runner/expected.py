"""The reference's results, computed once in the runner for each problem and workload, in files that workers read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.cases import Benchmark
from benchmarks.worker import agreement
from impls.core import weights

Expected = dict[tuple[str, str], Path]
"""Files with the reference's results, by problem id and workload."""


def write_expected(
    benchmarks: Iterable[Benchmark],
    seed: int,
    weights_path: str | None,
    folder: Path,
    inputs: int,
    zero_states: Sequence[bool] = agreement.ADMISSION,
    steps: Mapping[str, Collection[int]] | None = None,
) -> Expected:
    """Write the reference's results of every problem and workload to files.

    Args:
        benchmarks: those of the same problem and workload share a file.
        seed: of the weights.
        weights_path: a file with weights; None for random weights.
        folder: where the files are written. Those of an earlier call are replaced.
        inputs: the seed of the inputs.
        zero_states: of each set of inputs, whether its h0 and c0 are zero.
        steps: by the id of a problem, the numbers of SGD steps to compute for `model`; None for those of the admission.
    """
    expected: Expected = {}
    given = weights.read_weights(Path(weights_path))[1] if weights_path else {}
    for benchmark in benchmarks:
        problem, workload = benchmark.timed_problem, benchmark.workload
        key = benchmark.problem.id, workload
        if key not in expected:
            expected[key] = folder / f"expected-{len(expected)}.float64"
            arrays = weights.complete(given, problem, workload, seed)
            wanted = agreement.STEPS if steps is None else steps.get(benchmark.problem.id, ())
            results = agreement.expected(problem, workload, arrays, inputs, zero_states, wanted)
            agreement.save_expected(expected[key], results)
    return expected


def write_expected_of_turns(
    calls: Mapping[tuple[str, Benchmark], int], seed: int, weights_path: str | None, folder: Path, inputs: int
) -> Expected:
    """Write the reference's results for a replicate: those of `model` after as many steps as a turn has calls.

    Args:
        calls: by an implementation and a benchmark, how many calls a turn has.
        seed, weights_path, folder, inputs: as for write_expected.
    """
    steps: dict[str, set[int]] = {}
    for (_, benchmark), count in calls.items():
        if agreement.updates(benchmark.workload, benchmark.mode):
            steps.setdefault(benchmark.problem.id, set()).add(count)
    benchmarks = dict.fromkeys(benchmark for _, benchmark in calls)
    return write_expected(benchmarks, seed, weights_path, folder, inputs, agreement.REPLICATE, steps)
