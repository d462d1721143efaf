"""The gate before any timing: the timed callables' own results against the oracle.

Error = max|got − want| / max|want| of a tensor (absolute where want is all zero). NaN never passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impls.core import reference
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Array, Inputs, Weights, make_inputs

TOLERANCES = {"float32": 2e-5, "float64": 1e-12}
"""Largest error that passes.

A dot product of K terms in random order is off by about √K·u of its size (u, half a unit in the last place, is
6e-8 in float32 and 1e-16 in float64); T steps of a recurrence that does not amplify add up to √T of that. With
K = 256 + 512 and T = 64 that is 220·u: 1.3e-5 and 2.5e-14. The float64 limit leaves a factor of 40 above that. In
float32 the largest error seen is about 1e-6, and the smallest planted fault, one weight off by 1e-3, makes 1e-4.
"""

SEEDS = (11, 12)
"""Of the two sets of inputs; the second has h0 = c0 = 0."""

STEPS = (1, 3)
"""After how many SGD steps the `model` workload's parameters are compared."""

Results = Mapping[str, Array]


class Disagrees(Exception):
    """A result is not what the oracle says; the message names tensor, index, both values, error and tolerance."""


@dataclass(frozen=True)
class Largest:
    """The largest error found, and the tensor that has it."""

    error: float
    tensor: str


def error_of(got: Array, want: Array) -> float:
    """max|got − want| / max|want|, absolute where want is all zero; NaN or infinity where got holds any."""
    scale = float(np.abs(want).max(initial=0.0))
    return float(np.abs(got - want).max(initial=0.0)) / (scale or 1.0)


def compare(got: Results, want: Results, dtype: str, where: str = "") -> Largest:
    """Every tensor of `want` must be in `got`, with its shape, within the tolerance. Raises Disagrees."""
    largest = Largest(0.0, "")
    prefix = f"{where}: " if where else ""
    if missing := sorted(set(want) - set(got)):
        raise Disagrees(f"{prefix}{missing[0]} is missing from the results")
    for name, wanted in want.items():
        found = np.asarray(got[name], np.float64)
        if found.shape != wanted.shape:
            raise Disagrees(f"{prefix}{name} has shape {found.shape}, want {wanted.shape}")
        error = error_of(found, wanted)
        if not error <= TOLERANCES[dtype]:  # so that NaN does not pass
            off = np.abs(found - wanted)
            index = np.unravel_index(int(np.argmax(np.where(np.isfinite(off), off, np.inf))), wanted.shape)
            place = f"{name}[{', '.join(map(str, index))}]" if index else name
            raise Disagrees(
                f"{prefix}{place} is {found[index]:.6g}, want {wanted[index]:.6g}"
                f" (error {error:.2g}, tolerance {TOLERANCES[dtype]:.0e})"
            )
        if error >= largest.error:
            largest = Largest(error, name)
    return largest


def input_sets(job: Problem) -> list[Inputs]:
    """The two sets of inputs that every callable is checked on."""
    return [make_inputs(job, seed, zero_state=seed == SEEDS[-1]) for seed in SEEDS]


def expected(job: Problem, workload: str, weights: Weights) -> dict[str, Array]:
    """What the oracle says, as `SET/STEPS/NAME`: per set of inputs, after so many SGD steps (1 but for `model`)."""
    found: dict[str, Array] = {}
    for k, inputs in enumerate(input_sets(job)):
        if workload == "model":
            found |= {f"{k}/1/{name}": value for name, value in reference.run_model(job, weights, inputs).items()}
            for steps in STEPS:
                after = reference.run_model_steps(job, weights, inputs, steps)
                found |= {f"{k}/{steps}/{name}": value for name, value in after.items()}
        else:
            found |= {f"{k}/1/{name}": value for name, value in reference.run_sequence(job, weights, inputs).items()}
    return found


def save_expected(path: Path, job: Problem, workload: str, weights: Weights) -> None:
    """Work `expected` out once, for all the workers that will compare with it."""
    np.savez(path, **expected(job, workload, weights))  # type: ignore[arg-type]


def load_expected(path: Path) -> dict[str, Array]:
    """What save_expected wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def belongs(name: str, workload: str, mode: str) -> bool:
    """Whether a mode must give the tensor of that name."""
    if name.startswith("grad_"):
        return mode == "backward" or (mode == "train_step" and workload != "model")
    if name.startswith("param_"):
        return mode == "train_step"
    if name == "loss":
        return mode in ("forward_train", "train_step")
    if name == "prediction":
        return mode in ("forward", "forward_train")
    return mode != "backward"


def check(prepared: Prepared, job: Problem, workload: str, mode: str, want: Mapping[str, Array]) -> Largest:
    """Compare one timed callable with the oracle on two sets of inputs, and on the first one again.

    Returns the largest error. Raises Disagrees, or Unsupported where there is no such callable.
    """
    call = prepared.call(mode)
    sets = input_sets(job)
    states = [prepared.load(inputs) for inputs in sets]
    updates = (workload, mode) == ("model", "train_step")
    found = []
    # the first set again, after the second has been loaded and run: nothing may be left over from it
    for turn, k in enumerate((0, 1, 0)):
        prepared.make_ready(mode, states[k])
        # a step that changes the parameters is compared from a fresh state, after one and after three
        state = prepared.load(sets[k]) if updates else states[k]
        for steps in range(1, max(STEPS) + 1 if updates else 2):
            got = prepared.to_numpy(mode, call(state))
            part = {
                name.removeprefix(f"{k}/{steps}/"): value
                for name, value in want.items()
                if name.startswith(f"{k}/{steps}/") and belongs(name.split("/")[2], workload, mode)
            }
            where = f"{workload}/{mode}, inputs {k}{' again' if turn == 2 else ''}"
            where += f", after {steps} steps" if updates else ""
            if part:
                found.append(compare(got, part, job.dtype, where))
    return max(found, key=lambda largest: largest.error)
