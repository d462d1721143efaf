"""Whether the same input gives the same bits: a fact to know, on which no verdict depends."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.bits import Bits
from benchmarks.worker.protocol import Request
from benchmarks.worker.worker import Worker
from impls.core.problem import Problem
from impls.core.weights import Array, Inputs, Weights, make_inputs, make_weights

PROBLEM = Problem.parse("t16-b16-i128-h128")
"""Large enough that a library may choose another way to multiply for a single row."""
THREADS = 2


class CompareBits(Request[Bits]):
    """Run inference on the same rows in some ways, and compare the outputs."""

    dtype: str

    def do(self, worker: Worker) -> Bits:
        problem = PROBLEM.replace(dtype=self.dtype)
        weights = make_weights(problem)
        inputs = make_inputs(problem)
        first, second = outputs(worker, problem, weights, inputs, calls=2)
        alone = problem.replace(batch=1)
        (row,) = outputs(worker, alone, weights, first_row(inputs))
        threads = None
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            before = torch.get_num_threads()
            torch.set_num_threads(THREADS)
            (with_threads,) = outputs(worker, problem, weights, inputs)
            torch.set_num_threads(before)
            threads = largest_difference(with_threads, first)
        return Bits(
            largest_difference(second, first), largest_difference(row, first[:, :1]), threads
        )


def outputs(
    worker: Worker, problem: Problem, weights: Weights, inputs: Inputs, calls: int = 1
) -> list[Array]:
    """Return the output (T, B, H) of some calls on the same inputs."""
    prepared = worker.prepare(problem, weights, "sequence")
    state = prepared.load(inputs)
    results = []
    for _ in range(calls):
        result = prepared.call("forward")(state)
        results.append(prepared.to_numpy("forward", result)["output"])
    return results


def first_row(inputs: Inputs) -> Inputs:
    """Return inputs with the first row of the batch alone."""
    of_row: dict[str, Any] = {
        name: array[:, :1] for name, array in inputs.arrays().items() if name != "target"
    }
    return replace(inputs, **of_row, target=inputs.target[:1])


def largest_difference(got: Array, want: Array) -> float:
    """Return max|got - want|."""
    return float(np.max(np.abs(got - want)))
