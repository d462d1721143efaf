"""The same cases and callables as a plain pytest-benchmark suite: `pytest benchmarks -k torch_lstm`.

Here all frameworks share a process, and benchmarks run one after another. Use it to look at an implementation while you
work on it. To compare implementations, use `nox -s bench`: each has its own process, and they take turns.
"""

from typing import Any

import pytest

from benchmarks import choices
from benchmarks.cases import PRESETS, Benchmark
from benchmarks.judge import agreement
from impls.core import registry
from impls.core.weights import make_inputs, make_weights

NAMES = [implementation.name for implementation in choices.implementations(())]
QUICK = PRESETS["quick"]
CASES = [
    f"{problem}/{workload}/{mode}" for problem in QUICK.problems for workload, mode in QUICK.pairs
]


@pytest.mark.parametrize("implementation", NAMES)
@pytest.mark.parametrize("case", CASES)
def bench_lstm(benchmark: Any, implementation: str, case: str, pytestconfig: pytest.Config) -> None:
    """Compare an implementation with the reference, then time it as pytest-benchmark does, with all its options."""
    file = registry.resolve(implementation)
    parsed = Benchmark.parse(case)
    problem = parsed.timed_problem
    workload = parsed.workload
    device = pytestconfig.getoption("--device")
    reason = file.lacks(device, problem, workload)
    if reason is not None:
        pytest.skip(reason)
    weights = make_weights(problem, workload)
    prepared = registry.load(file).prepare(problem, weights, device, workload)
    expected = agreement.expected(problem, workload, weights)
    agreement.check(prepared, problem, workload, parsed.mode, expected)
    benchmark.group = case
    benchmark.extra_info["device"] = device
    benchmark(prepared.call(parsed.mode), prepared.start(parsed.mode, make_inputs(problem)))
