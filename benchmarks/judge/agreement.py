"""Agreement: the results of the timed callables are compared with the reference. NaN never passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impls.core import reference
from impls.core.contract import Prepared, result_names
from impls.core.precision import TF32, current
from impls.core.problem import Problem
from impls.core.weights import Array, Weights, make_inputs
from impls.core.workloads import WORKLOADS

TOLERANCES = {
    "float32": 4e-5, "float64": 1e-12, "bfloat16": 6e-2, "float16": 8e-3, TF32: 8e-3, "autocast": 6e-2, "int8": 1e-1,
}  # fmt: skip
"""The largest error that passes; docs/decisions/0012-extreme-numbers.md says why.

In runs of float32 the largest error is 2.1e-5, of Flax in a step of `model`. The smallest injected fault makes 1e-4.
"""


PRECISION: str | None = None
"""Of a worker: its precision before it has imported an implementation, which could set the variable."""


def tolerance_of(dtype: str, workload: str = "sequence") -> float:
    """Return the tolerance of a dtype in the precision of this process."""
    tolerance = TOLERANCES[
        TF32 if dtype == "float32" and (PRECISION or current()) == TF32 else dtype
    ]
    return max(tolerance, WORKLOADS[workload].least_tolerance)


ADMISSION = (False, True)
"""At the admission a callable is checked on two sets of inputs. The second has h0 = c0 = 0."""
REPLICATE = (False, False)
"""In a replicate, turns use two sets of inputs, and a result of either is checked."""

Results = Mapping[str, Array]


class Disagrees(Exception):
    """A result differs from the reference; the message has tensor, index, both values, error and tolerance."""


@dataclass(frozen=True)
class Largest:
    """The largest error, and the tensor that has it."""

    error: float
    tensor: str


def error_of(got: Array, want: Array, least: float | Array = 0.0) -> float:
    """Return max|got − want| / max|want|, or max|got − want| where want is all zero; not finite where got is not.

    max|want| counts as at least `least`: where a problem has very few numbers, that is what `usual` says. Where `least`
    is an array, each difference is divided by its own number of that.
    """
    if np.ndim(least):
        return _largest((got - want) / least)
    return _largest(got - want) / (max(_largest(want), float(least)) or 1.0)


def _largest(values: Array) -> float:
    """Return max|values|, without a copy; NaN where one is."""
    return (
        float(np.maximum(values.max(initial=0.0), -values.min(initial=0.0))) + 0.0
    )  # -0.0 becomes 0.0


def compare(
    got: Results,
    want: Results,
    dtype: str,
    where: str = "",
    tolerance: float | None = None,
    least: Mapping[str, float | Array] | None = None,
) -> Largest:
    """Compare every tensor of `want` with the tensor of that name in `got`, and return the largest error.

    `least` has what max|want| counts as at least, by tensor, or what each difference is divided by.

    Raises:
        Disagrees: where a tensor is missing, has another shape, or differs by more than the tolerance: by default that
            of the dtype.
    """
    tolerance = tolerance or tolerance_of(dtype)
    largest = Largest(0.0, "")
    prefix = f"{where}: " if where else ""
    if missing := sorted(set(want) - set(got)):
        raise Disagrees(f"{prefix}{missing[0]} is missing from the results")
    for name, wanted in want.items():
        result = np.asarray(got[name], np.float64)
        if result.shape != wanted.shape:
            raise Disagrees(f"{prefix}{name} has shape {result.shape}, want {wanted.shape}")
        size = (least or {}).get(name, 0.0)
        error = error_of(result, wanted, size)
        if not error <= tolerance:  # so that NaN does not pass
            off = np.abs(result - wanted) / (size if np.ndim(size) else 1.0)
            index = np.unravel_index(
                int(np.argmax(np.where(np.isfinite(off), off, np.inf))), wanted.shape
            )
            element = f"{name}[{', '.join(map(str, index))}]" if index else name
            of_usual = (
                f" of a usual {size:.2g}" if not np.ndim(size) and size > _largest(wanted) else ""
            )
            raise Disagrees(
                f"{prefix}{element} is {result[index]:.6g}, want {wanted[index]:.6g}"
                f" (error {error:.2g}{of_usual}, tolerance {tolerance:.0e})"
            )
        if error >= largest.error:
            largest = Largest(error, name)
    return largest


FEW = 8
"""With fewer numbers in a tensor, all of them may be small by chance."""
OTHERS, FIRST_OTHER = 32, 2**20
"""How many other sets of inputs say how large a tensor usually is. Their seeds begin so far after the others."""
USUAL = "usual"
"""What stands before the name of a tensor in place of SET/STEPS, where its usual size is kept."""
SIZE = "size_"
"""What stands before the name of a tensor after SET/STEPS, where what its differences are divided by is kept."""
ROUNDING = 1 / 512
"""A step may round a parameter off by 6e-8 of it in float32: so large a part of the tolerance."""


def usual(problem: Problem, workload: str, weights: Weights, seed: int) -> dict[str, Array]:
    """Return the usual size of each tensor of few numbers, by `usual/NAME`: half of its largest value for OTHERS.

    It is empty unless a state, a bias, the inputs or the outputs have fewer than FEW numbers. Terms that cancel can
    leave all of them small, and rounding is a large share of what is left: docs/decisions/0012-extreme-numbers.md. It
    is never that of the loss: in a sum of squares nothing cancels.
    """
    steps, directions = problem.seq_len * problem.batch, problem.directions
    states = problem.num_layers * directions * problem.batch * problem.hidden_size
    outputs = steps * directions * problem.hidden_size
    few = min(states, 4 * problem.hidden_size, steps * problem.input_size, outputs) < FEW
    kind = WORKLOADS[workload]
    if not few or kind.clipped_adam:  # whose results have sizes of their own
        return {}
    run = reference.run_model if kind.is_model else reference.run_sequence
    sizes: dict[str, float] = {}
    for k in range(OTHERS):
        results = run(problem, weights, make_inputs(problem, seed + FIRST_OTHER + k))
        for name in results:
            if name != "loss" and results[name].size < 2 * FEW:
                sizes[name] = max(sizes.get(name, 0.0), _largest(results[name]) / 2)
    return {f"{USUAL}/{name}": np.array(size) for name, size in sizes.items()}


def least_of(want: Mapping[str, Array], prefix: str = "") -> dict[str, float | Array]:
    """Return what max|want| counts as at least, by tensor, from what `expected` has returned.

    With what the differences of some tensors are divided by under the prefix SET/STEPS.
    """
    usual = {
        name.rpartition("/")[2]: float(want[name]) for name in want if name.startswith(f"{USUAL}/")
    }
    own = f"{prefix}/{SIZE}"
    return usual | {name.removeprefix(own): want[name] for name in want if name.startswith(own)}


def expected(
    problem: Problem,
    workload: str,
    weights: Weights,
    seed: int = 11,
    zero_states: Sequence[bool] = ADMISSION,
    steps: Iterable[int] | None = None,
) -> dict[str, Array]:
    """Return the reference's results by `SET/STEPS/NAME`: set of inputs, calls (1 if each call is the same), tensor.

    With what `usual` returns. `steps` are the numbers of calls; None for those of the admission.
    """
    results = usual(problem, workload, weights, seed)
    wanted = sorted(WORKLOADS[workload].compared_after if steps is None else steps)
    for k, zero in enumerate(zero_states):
        inputs = make_inputs(problem, seed + k, zero)
        for calls, tensors in reference.run(problem, weights, inputs, workload, wanted):
            for name, value in with_rounding(tensors, calls).items():
                results[f"{k}/{calls}/{name}"] = value
    return results


def with_rounding(results: Results, steps: int) -> dict[str, Array]:
    """Return results of `training` whose sizes also hold what rounding adds in so many steps: none is 0."""
    more = {
        f"{SIZE}{name}": steps * ROUNDING * np.abs(results[name]) + np.finfo(float).tiny
        for name in results
    }
    return {name: value + more[name] if name in more else value for name, value in results.items()}


def part_of(want: Mapping[str, Array], prefix: str, workload: str, mode: str) -> dict[str, Array]:
    """Return the tensors under SET/STEPS that a mode must return, by their names."""
    names = [name.rpartition("/")[2] for name in want if name.startswith(f"{prefix}/")]
    weights = {name.partition("_")[2] for name in names if name.startswith(("grad_", "param_"))}
    wanted = result_names(workload, mode, weights)
    return {name: want[f"{prefix}/{name}"] for name in names if name in wanted}


def check(
    prepared: Prepared,
    problem: Problem,
    workload: str,
    mode: str,
    want: Mapping[str, Array],
    seed: int = 11,
) -> Largest:
    """Compare a timed callable with the reference on two sets of inputs, then on the first set again.

    `want` is what `expected` returned for the same seed. Returns the largest error of all tensors, or raises Disagrees.
    """
    call = prepared.call(mode)
    inference = mode == "forward"  # in which nothing may be dropped
    sets = [
        make_inputs(problem, seed + k, zero, timed=inference) for k, zero in enumerate(ADMISSION)
    ]
    states = [prepared.load(inputs) for inputs in sets]
    compared_after = WORKLOADS[workload].compared_after
    stepping = WORKLOADS[workload].changes_state(mode)
    errors = []
    # the first set again, after the second has been loaded and run: no result of the second may be left over
    for turn, k in enumerate((0, 1, 0)):
        prepared.make_ready(mode, states[k])
        # what changes its state is compared from a fresh one, after some numbers of calls
        state = prepared.load(sets[k]) if stepping else states[k]
        most = compared_after[1 if turn else -1] if stepping else 1
        for steps in range(1, most + 1):
            result = call(state)
            where = f"{workload}/{mode}, inputs {k}{' again' if turn == 2 else ''}"
            where += f", after {steps} steps" if stepping else ""
            if part := part_of(want, f"{k}/{steps}", workload, mode):
                got = prepared.to_numpy(mode, result)
                tolerance, least = (
                    tolerance_of(problem.dtype, workload),
                    least_of(want, f"{k}/{steps}"),
                )
                errors.append(compare(got, part, problem.dtype, where, tolerance, least))
    if problem.dropout and not inference:
        check_drops(prepared, problem, mode, seed)
    return max(errors, key=lambda largest: largest.error)


def check_drops(prepared: Prepared, problem: Problem, mode: str, seed: int) -> None:
    """See that a training mode drops something: two calls on the same inputs must differ.

    Raises:
        Disagrees: where they don't.
    """
    inputs = make_inputs(problem, seed, timed=True)
    first, again = (
        prepared.to_numpy(mode, prepared.call(mode)(prepared.start(mode, inputs))) for _ in range(2)
    )
    if all(np.array_equal(first[name], again[name]) for name in first):
        raise Disagrees(f"{mode} drops nothing: two calls with dropout 0.5 have the same results")
