"""The same cases and callables as a plain pytest-benchmark suite: `pytest benchmarks -k torch_lstm`.

Here all frameworks share a process, and benchmarks run one after another. Use it to look at an implementation while you
work on it. To compare implementations, use `nox -s bench`: each has its own process, and they take turns.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import choices
from benchmarks.cases import PRESETS, Benchmark
from benchmarks.judge import agreement
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

NAMES = [each.name for each in choices.implementations(())]
CASES = [
    Benchmark(Problem.parse(p), *pair).id
    for p in PRESETS["quick"].problems
    for pair in PRESETS["quick"].pairs
]


@pytest.mark.parametrize("implementation", NAMES)
@pytest.mark.parametrize("case", CASES)
def bench_lstm(benchmark: Any, implementation: str, case: str, pytestconfig: pytest.Config) -> None:
    """Compare an implementation with the reference, then time it as pytest-benchmark does, with all its options."""
    resolved, parsed = registry.resolve(implementation), Benchmark.parse(case)
    problem, workload, mode = parsed.timed_problem, parsed.workload, parsed.mode
    device = pytestconfig.getoption("--device")
    if reason := resolved.lacks(device, problem, workload):
        pytest.skip(reason)
    weights = make_weights(problem, workload)
    prepared = registry.load(resolved).prepare(problem, weights, device, workload)
    agreement.check(
        prepared, problem, workload, mode, agreement.expected(problem, workload, weights)
    )
    benchmark.group = case
    benchmark.extra_info["device"] = device
    benchmark(prepared.call(mode), prepared.start(mode, make_inputs(problem)))
