"""Canonical arrays: the weights and inputs that every implementation loads.

Names and shapes are as in torch.nn.LSTM's state_dict, rows in gate order i, f, g, o; x is
time-major. All arrays are float64 and read-only: an implementation converts, and copies.
"""

import math
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.core.problem import Problem, rounded
from impls.core.workloads import WORKLOADS

OUTPUT_SIZE = 10
"""Width O of the linear layer of MODELS."""

LOUD = 16.0
"""By how much every second target is larger where gradients are clipped: one of two is clipped, so that they differ."""

HALF_STEPS = 32
"""In half precision, weights remember at most so many steps: a sum of 64 gradients in bfloat16 is off by 0.09."""

Array = np.ndarray
Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a call: data, initial states, and the cotangents of the outputs.

    x (T, B, I); h0 and c0 (L·D, B, H); d_output (T, B, D·H); d_h_n and d_c_n (L·D, B, H); with proj_size, P stands in
    place of H for all but c; target (B, O), which only MODELS use.

    None unless the problem has them: lengths (B,), whole numbers from 1 to T; resets (T, B), true where a row starts
    anew before a step. dropout is the share that is dropped in training: 0.5 where a problem with dropout is timed, and
    0 where it is checked.
    """

    x: Array
    h0: Array
    c0: Array
    d_output: Array
    d_h_n: Array
    d_c_n: Array
    target: Array
    lengths: Array | None = None
    resets: Array | None = None
    dropout: float = 0.0

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that there are, by name."""
        return {name: array for name, array in vars(self).items() if isinstance(array, np.ndarray)}

    def targets(self, workload: str) -> tuple[Array, ...]:
        """Return the targets (B, O) that the steps of a workload take in turn."""
        if WORKLOADS[workload].clipped_adam:
            return self.target, LOUD * self.target
        return (self.target,)

    @property
    def extra(self) -> Array | None:
        """Lengths or resets, where the problem has either."""
        return self.lengths if self.resets is None else self.resets


def layers(problem: Problem) -> Iterator[tuple[int, str, int]]:
    """Yield (number, suffix, width of its input) of every layer and direction, in the order of h_n's first axis."""
    for layer in range(problem.num_layers):
        width = problem.input_size if layer == 0 else problem.directions * problem.state_size
        for direction in ("", "_reverse")[: problem.directions]:
            yield layer, f"l{layer}{direction}", width


def shapes(problem: Problem, workload: str = "sequence") -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a problem by its name; for MODELS also of fc.weight and fc.bias."""
    gates = 4 * problem.hidden_size
    named: dict[str, tuple[int, ...]] = {}
    for _, suffix, width in layers(problem):
        named[f"weight_ih_{suffix}"] = (gates, width)
        named[f"weight_hh_{suffix}"] = (gates, problem.state_size)
        if problem.bias:
            named[f"bias_ih_{suffix}"] = (gates,)
            named[f"bias_hh_{suffix}"] = (gates,)
        if problem.proj_size:
            named[f"weight_hr_{suffix}"] = (problem.proj_size, problem.hidden_size)
    if WORKLOADS[workload].is_model:
        named["fc.weight"] = (OUTPUT_SIZE, problem.directions * problem.state_size)
        named["fc.bias"] = (OUTPUT_SIZE,)
    return named


def input_shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    """Return the shape of every field of Inputs by its name, but for lengths and resets."""
    rows = (problem.num_layers * problem.directions, problem.batch)
    h = (*rows, problem.state_size)
    c = (*rows, problem.hidden_size)
    return {
        "x": (problem.seq_len, problem.batch, problem.input_size),
        "h0": h,
        "c0": c,
        "d_output": (problem.seq_len, problem.batch, problem.directions * problem.state_size),
        "d_h_n": h,
        "d_c_n": c,
        "target": (problem.batch, OUTPUT_SIZE),
    }


def make_weights(problem: Problem, workload: str = "sequence", seed: int = 0) -> Weights:
    """Draw weights uniformly from ±1/√H, the initialisation of torch.nn.LSTM; then every second unit remembers.

    An LSTM of ±1/√H forgets in 24 steps: nobody could see that a result ignores what came before. Where there is a
    bias, every second unit now remembers M steps: the whole sequence, in half precision at most 32. Its
    forget gate's bias is larger by log M (Tallec & Ollivier, arXiv 1804.11188). Its input gate's is smaller by half of
    that, and its rows of weight_hh by a factor of √M: so a sum over M steps has the usual size, and what a unit's
    output does to itself does not grow. Rounding errors are then as large as without (docs/decisions/0012).

    All arrays are rounded to the problem's dtype.
    """
    rng = np.random.default_rng([seed, 1])
    bound = problem.hidden_size**-0.5
    made = {}
    for name, shape in shapes(problem, workload).items():
        made[name] = rng.uniform(-bound, bound, shape)
    remembered = problem.seq_len
    if problem.dtype not in ("float32", "float64"):
        remembered = min(remembered, HALF_STEPS)
    for name, array in made.items():
        if name.startswith("bias_hh"):
            i, f, _, _ = array.reshape(4, -1)
            i[::2] -= math.log(remembered) / 2
            f[::2] += math.log(remembered)
        if name.startswith("weight_hh") and problem.bias:
            array.reshape(4, problem.hidden_size, -1)[:, ::2] *= remembered**-0.5
    return {name: frozen(rounded(array, problem.dtype)) for name, array in made.items()}


def lengths(problem: Problem) -> Array:
    """Return the lengths (B,) of a problem's rows, the shortest first: evenly spread up to T, or with `even` all T."""
    rows = np.arange(1, problem.batch + 1)
    if problem.even:
        return np.full_like(rows, problem.seq_len)
    spread: Array = -(-problem.seq_len * rows // problem.batch)
    return spread


def draw_seed() -> int:
    """Return a seed of inputs that no file could have foreseen."""
    return secrets.randbits(48)


def make_inputs(
    problem: Problem, seed: int = 0, zero_state: bool = False, timed: bool = False
) -> Inputs:
    """Draw standard normal data and cotangents; h0 and c0 are half as large, or zero.

    Lengths are T/B, 2T/B, … T, rounded up, in a random order: whatever the seed, they have the same sum. A row starts
    anew at one step of T/(B+1), 2T/(B+1), …, rounded down: so too the same number of steps, whatever the seed. Where
    they are `timed`, a problem with dropout drops half.
    """
    rng = np.random.default_rng([seed, 2])
    made = {}
    for name, shape in input_shapes(problem).items():
        array = rng.standard_normal(shape)
        if name in ("h0", "c0"):
            array *= 0.0 if zero_state else 0.5
        made[name] = rounded(array, problem.dtype)
    if problem.lengths:
        made["lengths"] = rng.permutation(lengths(problem))
    if problem.resets:
        rows = np.arange(1, problem.batch + 1)
        at = rng.permutation(problem.seq_len * rows // (problem.batch + 1))
        made["resets"] = np.arange(problem.seq_len)[:, None] == at
    for array in made.values():
        array.setflags(write=False)
    return Inputs(**made, dropout=0.5 if problem.dropout and timed else 0.0)


def swapped(problem: Problem, name: str, array: Any) -> Any:
    """Return x, output, or one of their gradients with T and B swapped where batch_first; anything else as it is."""
    if problem.batch_first and name in ("x", "output", "d_output", "grad_x"):
        return array.swapaxes(0, 1)
    return array


def frozen(array: Array) -> Array:
    """Return a read-only float64 copy."""
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy
