"""Agreement: the results of the timed callables are compared with the reference. NaN never passes."""

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
    in_tf32 = dtype == "float32" and (PRECISION or current()) == TF32
    tolerance = TOLERANCES[TF32 if in_tf32 else dtype]
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


def size_of(want: Array, usual: float = 0.0) -> float:
    """Return what an error is relative to: max|want|, or its usual size where that is larger; 1 where both are 0."""
    return max(_largest(want), usual) or 1.0


def error_of(got: Array, want: Array, size: float | Array | None = None) -> float:
    """Return max(|got − want| / size), by default of size_of(want); not finite where got is not."""
    return _largest((got - want) / (size_of(want) if size is None else size))


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
    sizes: Results | None = None,
) -> Largest:
    """Compare every tensor of `want` with the tensor of that name in `got`, and return the largest error.

    `sizes` has what differences are relative to, by tensor, where that is not max|want|.

    Raises:
        Disagrees: where a tensor is missing, has another shape, or differs by more than the tolerance: by default that
            of the dtype.
    """
    tolerance = tolerance or tolerance_of(dtype)
    prefix = f"{where}: " if where else ""
    largest = Largest(0.0, "")
    for name, wanted in want.items():
        if name not in got:
            raise Disagrees(f"{prefix}{name} is missing from the results")
        result = np.asarray(got[name], np.float64)
        if result.shape != wanted.shape:
            raise Disagrees(f"{prefix}{name} has shape {result.shape}, want {wanted.shape}")
        size = (sizes or {}).get(name)
        error = error_of(result, wanted, size)
        if not error <= tolerance:  # so that NaN does not pass
            is_usual = size is not None and np.ndim(size) == 0
            relative = f" of a usual {size:.2g}" if is_usual else ""
            raise Disagrees(
                f"{prefix}{name}{difference(result, wanted, size)}"
                f" (error {error:.2g}{relative}, tolerance {tolerance:.0e})"
            )
        if error >= largest.error:
            largest = Largest(error, name)
    return largest


def difference(result: Array, wanted: Array, size: Array | None) -> str:
    """Return the index where a result is off by most, and both numbers there, such as `[0, 1] is 0.5, want 1`."""
    off = np.abs(result - wanted) / (1.0 if size is None else size)
    index = np.unravel_index(int(np.argmax(off)), wanted.shape)  # a NaN counts as the largest
    numbers = f" is {result[index]:.6g}, want {wanted[index]:.6g}"
    return f"[{', '.join(map(str, index))}]{numbers}" if index else numbers


FEW = 8
"""With fewer numbers in a tensor, all of them may be small by chance."""
OTHERS = 32
"""How many other sets of inputs say how large a tensor usually is."""
FIRST_OTHER = 2**20
"""How far their seeds are after the others."""
SIZE = "size_"
"""What stands before the name of a tensor after SET/STEPS, for what its differences are relative to."""
ROUNDING = 1 / 512
"""A step may round a parameter off by 6e-8 of it in float32: so large a part of the tolerance."""


def usual(problem: Problem, workload: str, weights: Weights, seed: int) -> dict[str, float]:
    """Return the usual size of each tensor of few numbers, by its name: half of its largest value for OTHERS.

    It is empty unless a state, a bias, the inputs or the outputs have fewer than FEW numbers. Terms that cancel can
    leave all of them small, and rounding is a large share of what is left: docs/decisions/0012-extreme-numbers.md. It
    is never that of the loss: in a sum of squares nothing cancels.
    """
    hidden = problem.hidden_size
    states = problem.num_layers * problem.directions * problem.batch * hidden
    inputs = problem.seq_len * problem.batch * problem.input_size
    outputs = problem.seq_len * problem.batch * problem.directions * hidden
    few = min(states, 4 * hidden, inputs, outputs) < FEW
    kind = WORKLOADS[workload]
    if not few or kind.clipped_adam:  # whose results have sizes of their own
        return {}
    run = reference.run_model if kind.is_model else reference.run_sequence
    sizes: dict[str, float] = {}
    for k in range(OTHERS):
        results = run(problem, weights, make_inputs(problem, seed + FIRST_OTHER + k))
        for name, value in results.items():
            if name != "loss" and value.size < 2 * FEW:
                sizes[name] = max(sizes.get(name, 0.0), _largest(value) / 2)
    return sizes


def sizes_of(want: Results, prefix: str) -> dict[str, Array]:
    """Return what the differences of some tensors are relative to under the prefix SET/STEPS, by their names."""
    own = f"{prefix}/{SIZE}"
    return {path.removeprefix(own): want[path] for path in want if path.startswith(own)}


def expected(
    problem: Problem,
    workload: str,
    weights: Weights,
    seed: int = 11,
    zero_states: Sequence[bool] = ADMISSION,
    steps: Iterable[int] | None = None,
) -> dict[str, Array]:
    """Return the reference's results by `SET/STEPS/NAME`: set of inputs, calls (1 if each call is the same), tensor.

    With sizes for `compare`, by `SET/STEPS/size_NAME`. `steps` are the numbers of calls; None for the admission's.
    """
    results: dict[str, Array] = {}
    usual_sizes = usual(problem, workload, weights, seed)
    wanted = WORKLOADS[workload].compared_after if steps is None else tuple(steps)
    for k, zero in enumerate(zero_states):
        inputs = make_inputs(problem, seed + k, zero)
        for calls, tensors in reference.run(problem, weights, inputs, workload, wanted):
            for name, value in with_sizes(tensors, usual_sizes, calls).items():
                results[f"{k}/{calls}/{name}"] = value
    return results


def with_sizes(results: Results, usual_sizes: Mapping[str, float], steps: int) -> dict[str, Array]:
    """Return results with usual sizes that are above max|want|; Adam's hold what rounding adds in so many steps too."""
    sized = dict(results)
    for name, value in results.items():
        size = usual_sizes.get(name, 0.0)
        if size > _largest(value):
            sized[f"{SIZE}{name}"] = np.array(size)
        if f"{SIZE}{name}" in results:
            rounding = steps * ROUNDING * np.abs(value) + np.finfo(float).tiny
            sized[f"{SIZE}{name}"] = results[f"{SIZE}{name}"] + rounding
    return sized


def part_of(want: Results, prefix: str, workload: str, mode: str) -> dict[str, Array]:
    """Return the tensors under SET/STEPS that a mode must return, by their names."""
    tensors: dict[str, Array] = {}
    for path, value in want.items():
        folder, _, name = path.rpartition("/")
        if folder == prefix:
            tensors[name] = value
    weights = {name.partition("_")[2] for name in tensors if name.startswith(("grad_", "param_"))}
    wanted = result_names(workload, mode, weights)
    return {name: value for name, value in tensors.items() if name in wanted}


def check(
    prepared: Prepared,
    problem: Problem,
    workload: str,
    mode: str,
    want: Results,
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
    tolerance = tolerance_of(problem.dtype, workload)
    changes = WORKLOADS[workload].changes_state(mode)
    numbers = WORKLOADS[workload].compared_after if changes else (1,)
    few = numbers[:2]
    errors = []
    # the first set again, after the second has been loaded and run: no result of the second may be left over
    for k, again, compared in ((0, "", numbers), (1, "", few), (0, " again", few)):
        prepared.make_ready(mode, states[k])
        # what changes its state is compared from a fresh one
        state = prepared.load(sets[k]) if changes else states[k]
        for calls in range(1, compared[-1] + 1):
            result = call(state)
            if calls not in compared:
                continue
            where = f"{workload}/{mode}, inputs {k}{again}"
            if changes:
                where += f", after {calls} steps"
            part = part_of(want, f"{k}/{calls}", workload, mode)
            sizes = sizes_of(want, f"{k}/{calls}")
            got = prepared.to_numpy(mode, result)
            errors.append(compare(got, part, problem.dtype, where, tolerance, sizes))
    if problem.dropout and not inference:
        check_drops(prepared, problem, mode, seed)
    return max(errors, key=lambda largest: largest.error)


def check_drops(prepared: Prepared, problem: Problem, mode: str, seed: int) -> None:
    """See that a training mode drops something: two calls on the same inputs must differ.

    Raises:
        Disagrees: where they don't.
    """
    results = []
    for _ in range(2):
        state = prepared.start(mode, make_inputs(problem, seed, timed=True))
        results.append(prepared.to_numpy(mode, prepared.call(mode)(state)))
    first, again = results
    if all(np.array_equal(first[name], again[name]) for name in first):
        raise Disagrees(f"{mode} drops nothing: two calls with dropout 0.5 have the same results")
