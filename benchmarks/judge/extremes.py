"""Extreme numbers: gates that are shut or open, and huge, tiny and denormal inputs. New kernels often fail there first.

All of them are one small problem with its own weights, so that an implementation is prepared only once. The tolerances
are agreement's, with one exception: docs/decisions/0012-extreme-numbers.md says why.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.judge import agreement
from benchmarks.judge.agreement import Largest
from impls.core import reference
from impls.core.contract import Prepared
from impls.core.problem import FORMATS, Problem
from impls.core.weights import Array, Inputs, Weights, frozen, make_inputs, make_weights

PROBLEM = Problem.parse("t5-b4-i8-h8")
"""I = H, and it is a problem of `agree` too: what was compiled for it is in the caches."""
SWITCH = {"float32": 12.0, "float64": 30.0}
"""The weight by which the first input opens the gates i, f and o, or shuts them."""
DENORMAL = {"float32": 3e-40, "float64": 3e-310}

TOLERANCES = {("gates-shut", "float32"): 5e-2}
"""The tolerances that are not agreement's, by extreme and dtype."""

EXTREMES = {
    "gates-shut": "all gates i, f, o have pre-activations of about -12 (tolerance 5e-2), in float64 -30",
    "gates-open": "all gates i, f, o have pre-activations of about 12, in float64 30",
    "x-huge": "x × 1e30 in one row of the batch",
    "x-tiny": "x × 1e-30",
    "x-denormal": "x × 3e-40 in float32, 3e-310 in float64: below the smallest normal number",
}


def weights_of(dtype: str, seed: int) -> Weights:
    """Return random weights in which the first input is the switch of the gates i, f and o."""
    made = make_weights(PROBLEM, seed=seed)
    matrix = made["weight_ih_l0"].copy()
    matrix[:, 0] = np.repeat(np.array([1.0, 1.0, 0.0, 1.0]) * SWITCH[dtype], PROBLEM.hidden_size)
    return {**made, "weight_ih_l0": frozen(matrix)}


def inputs_of(extreme: str, dtype: str, seed: int) -> Inputs:
    """Return random inputs with the numbers of an extreme, rounded to the dtype: few digits are left of a denormal."""
    arrays = make_inputs(PROBLEM, seed).arrays()
    x = arrays["x"].copy()
    x[:, :, 0] = {"gates-shut": -1.0, "gates-open": 1.0}.get(extreme, 0.0)
    if extreme == "x-huge":
        x[:, 0] *= 1e30
    x *= {"x-tiny": 1e-30, "x-denormal": DENORMAL[dtype]}.get(extreme, 1.0)
    arrays["x"] = x
    return Inputs(**{name: frozen(array.astype(dtype)) for name, array in arrays.items()})  # type: ignore[arg-type]


def expected(dtype: str, seed: int, inputs: int) -> dict[str, Array]:
    """Return the reference's results by EXTREME/NAME, for the seeds of the weights and of the inputs."""
    weights = weights_of(dtype, seed)
    results: dict[str, Array] = {}
    for extreme in EXTREMES:
        arrays = inputs_of(extreme, dtype, inputs)
        for name, value in reference.run_sequence(PROBLEM, weights, arrays).items():
            results[f"{extreme}/{name}"] = value
    return results


def check(
    prepared: Prepared,
    extreme: str,
    dtype: str,
    modes: Iterable[str],
    want: Mapping[str, Array],
    inputs: int,
) -> tuple[Largest, bool]:
    """Compare modes of an implementation with the reference on an extreme; `want` is what `expected` returned.

    Return the largest error, and whether results below the smallest normal number are zero.
    """
    arrays = inputs_of(extreme, dtype, inputs)
    tolerance = TOLERANCES.get((extreme, dtype))
    errors = [Largest(0.0, "")]
    flushes = False
    for mode in modes:
        state = prepared.start(mode, arrays)
        got = prepared.to_numpy(mode, prepared.call(mode)(state))
        part = agreement.part_of(want, extreme, "sequence", mode)
        where = f"sequence/{mode}"
        try:
            errors.append(agreement.compare(got, part, dtype, where, tolerance))
        except agreement.Disagrees as disagreement:
            flushes = True
            unflushed = _unflushed(got, part, dtype)
            try:
                errors.append(agreement.compare(unflushed, part, dtype, where, tolerance))
            except agreement.Disagrees:
                raise disagreement from None
    return max(errors, key=lambda largest: largest.error), flushes


def _unflushed(got: agreement.Results, want: agreement.Results, dtype: str) -> agreement.Results:
    """Return the results with what is wanted in place of each zero where that is below the smallest normal number."""
    restored = dict(got)
    for name, wanted in want.items():
        if name in got and got[name].shape == wanted.shape:
            flushed = (got[name] == 0) & (np.abs(wanted) < FORMATS[dtype].smallest)
            restored[name] = np.where(flushed, wanted, got[name])
    return restored
