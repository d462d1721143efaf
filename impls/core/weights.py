"""Canonical arrays: the weights and inputs that every implementation loads.

Names and shapes are those of torch.nn.LSTM's state_dict, rows in gate order i, f, g, o; x is
time-major. All arrays are float64 and read-only: an implementation converts, and copies.
"""

from __future__ import annotations

import math
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impls.core.files import check_regular
from impls.core.problem import FORMATS, Problem, rounded, stored
from impls.core.workloads import WORKLOADS

OUTPUT_SIZE = 10
"""Width O of the linear layer of MODELS."""

LOUD = 16.0
"""By how much every second target is larger where gradients are clipped: one of two is clipped, so that they differ."""

HALF_STEPS = 32
"""In half precision, weights remember at most so many steps: a sum of 64 gradients in bfloat16 is off by 0.09."""

CONVERT = "np.savez(FILE, **{k: v.numpy() for k, v in state.items()})"
"""How weights of PyTorch are written to a file that can be read here."""

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
    h, c = (*rows, problem.state_size), (*rows, problem.hidden_size)
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
    made = {
        name: rng.uniform(-bound, bound, shape) for name, shape in shapes(problem, workload).items()
    }
    remembered = min(
        problem.seq_len, math.inf if problem.dtype in ("float32", "float64") else HALF_STEPS
    )
    for _, suffix, _ in layers(problem) if problem.bias else ():
        gates = made[f"bias_hh_{suffix}"].reshape(4, -1)
        gates[:2, ::2] += [[-math.log(remembered) / 2], [math.log(remembered)]]
        made[f"weight_hh_{suffix}"].reshape(4, problem.hidden_size, -1)[:, ::2] *= remembered**-0.5
    return {name: _fixed(rounded(array, problem.dtype)) for name, array in made.items()}


def lengths(problem: Problem) -> Array:
    """Return the lengths (B,) of a problem's rows, the shortest first: evenly spread up to T, or with `even` all T."""
    rows = np.arange(1, problem.batch + 1)
    spread: Array = -(-problem.seq_len * rows // problem.batch)
    return np.full_like(rows, problem.seq_len) if problem.even else spread


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
    made = {name: rng.standard_normal(shape) for name, shape in input_shapes(problem).items()}
    for name in ("h0", "c0"):
        made[name] *= 0.0 if zero_state else 0.5
    made = {name: rounded(array, problem.dtype) for name, array in made.items()}
    rows = np.arange(1, problem.batch + 1)
    if problem.lengths:
        made["lengths"] = rng.permutation(lengths(problem))
    if problem.resets:
        at = rng.permutation(problem.seq_len * rows // (problem.batch + 1))
        made["resets"] = np.arange(problem.seq_len)[:, None] == at
    dropout = 0.5 if problem.dropout and timed else 0.0
    return Inputs(**{name: _fixed(array) for name, array in made.items()}, dropout=dropout)


def swapped(problem: Problem, name: str, array: Any) -> Any:
    """Return x, output, or one of their gradients with T and B swapped where batch_first; anything else as it is."""
    has_steps = problem.batch_first and name in ("x", "output", "d_output", "grad_x")
    return array.swapaxes(0, 1) if has_steps else array


def _fixed(array: Array) -> Array:
    """Make an array read-only that nobody else has, without a copy."""
    array.setflags(write=False)
    return array


def frozen(array: Array) -> Array:
    """Return a read-only float64 copy."""
    return _fixed(np.array(array, dtype=np.float64, order="C"))


def most_bytes() -> int:
    """Return how much memory a file's arrays may take, as float64: a quarter of this machine's."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def read_npz(path: Path) -> dict[str, Array]:
    """Read every array of an .npz file as finite float64; a pickle is never loaded.

    Raises:
        ValueError: for anything but an .npz file of finite real numbers, of at most a quarter of the memory.
    """
    check_regular(path, most_bytes())
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a readable .npz file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            unpacked = sum(member.file_size for member in archive.zip.infolist())
            if unpacked > most_bytes():
                raise MemoryError(f"it unpacks to {unpacked / 2**20:.0f} MiB, more than is read")
            held = {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile, zlib and NumPy's parser of headers raise a dozen kinds
        raise ValueError(f"{path} is not a readable .npz file of plain arrays ({error})") from None
    arrays: dict[str, Array] = {}
    for name, array in held.items():
        if (
            not isinstance(array, np.ndarray) or array.dtype.kind not in "bfiu"
        ):  # such as a part of torch.save's file
            raise ValueError(f"{path}: {name} holds no real numbers; use {CONVERT}")
        with np.errstate(over="ignore"):
            arrays[name] = frozen(array)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; every value must be finite")
    return arrays


@dataclass(frozen=True)
class Case:
    """What a case.npz holds: the problem, the weights, the inputs, and the names of the arrays in the file."""

    problem: Problem
    weights: Weights
    inputs: Inputs
    given: frozenset[str]

    @property
    def has_cotangents(self) -> bool:
        """Whether at least one of d_output, d_h_n, d_c_n was in the file; the others are zero."""
        return bool(self.given & {"d_output", "d_h_n", "d_c_n"})


Shapes = Mapping[str, tuple[int, ...]]


def _check(path: Path, arrays: Mapping[str, Array], needed: Shapes, optional: Shapes) -> None:
    known = {**needed, **optional}
    if unknown := sorted(set(arrays) - set(known)):
        raise ValueError(
            f"{path}: {unknown[0]} is not an array of a case; known here: {', '.join(sorted(known))}"
        )
    for name, shape in known.items():
        if name in arrays and arrays[name].shape != shape:
            raise ValueError(f"{path}: {name} has shape {arrays[name].shape}; it must be {shape}")
        if name in needed and name not in arrays:
            raise ValueError(f"{path}: {name} is missing; it must have shape {shape}")


def _given_shapes(problem: Problem) -> Shapes:
    """Return the shape of each array that a case may have besides weights."""
    named = {name: shape for name, shape in input_shapes(problem).items() if name != "target"}
    return {**named, "lengths": (problem.batch,), "resets": (problem.seq_len, problem.batch)}


def _implied_problem(path: Path, arrays: Mapping[str, Array], dtype: str) -> Problem:
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in arrays:
            prefixed = next((other for other in arrays if other.endswith(f".{name}")), None)
            hint = f"; {prefixed} is there: take its prefix away" if prefixed else ""
            raise ValueError(
                f"{path}: {name} is missing; weights go by their names in torch.nn.LSTM's state_dict{hint}"
            )
        if arrays[name].ndim != 2 or 0 in arrays[name].shape:
            raise ValueError(
                f"{path}: {name} has shape {arrays[name].shape}; it must be a matrix with 4·H rows"
            )
    x_shape = (1, 1, arrays["weight_ih_l0"].shape[1])
    if "x" in arrays:
        x_shape = arrays["x"].shape
        if len(x_shape) != 3 or 0 in x_shape:
            raise ValueError(
                f"{path}: x has shape {x_shape}; it must be (seq_len, batch, input_size), none of them 0"
            )
    try:
        return Problem(
            seq_len=x_shape[0],
            batch=x_shape[1],
            input_size=x_shape[2],
            hidden_size=max(1, arrays["weight_hh_l0"].shape[0] // 4),
            num_layers=sum(
                name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in arrays
            ),
            bidirectional="weight_ih_l0_reverse" in arrays,
            bias="bias_ih_l0" in arrays or "bias_hh_l0" in arrays,
            dtype=dtype,
            lengths="lengths" in arrays,
            proj_size=arrays["weight_hh_l0"].shape[1] if "weight_hr_l0" in arrays else 0,
            resets="resets" in arrays,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_case(path: Path, dtype: str = "float32") -> Case:
    """Read a case.npz: x, optional lengths or resets, h0 and c0, the weights, optional cotangents.

    h0, c0 and cotangents that are absent are zero.

    Raises:
        ValueError: where the arrays are no case; the message names the array.
    """
    arrays = dict(read_npz(path))
    if "x" not in arrays:
        raise ValueError(f"{path}: x is missing; it must have shape (seq_len, batch, input_size)")
    problem, given = _implied_problem(path, arrays, dtype), frozenset(arrays)
    _check(path, arrays, shapes(problem), _given_shapes(problem))
    extra: dict[str, Array] = {}
    for name, allowed, kind in (
        ("lengths", range(1, problem.seq_len + 1), np.int64),
        ("resets", range(2), np.bool_),
    ):
        if name in arrays and not np.isin(arrays[name], allowed).all():
            raise ValueError(
                f"{path}: {name} must be whole numbers from {allowed[0]} to {allowed[-1]}"
            )
        if name in arrays:
            extra[name] = _fixed(arrays.pop(name).astype(kind))
    check_range(path, arrays, dtype)
    filled = {
        name: arrays.pop(name, frozen(np.zeros(shape)))
        for name, shape in input_shapes(problem).items()
    }
    inputs = Inputs(**filled, **extra)  # type: ignore[arg-type]
    return Case(problem, {name: arrays[name] for name in shapes(problem)}, inputs, given)


def check_range(path: Path, arrays: Mapping[str, Array], dtype: str) -> None:
    """Raise ValueError where a dtype can't hold an array of a file, or rounds all of it to zero."""
    for name, array in arrays.items():
        largest = np.abs(array).max()
        if largest > FORMATS[stored(dtype)].largest:
            raise ValueError(f"{path}: {name} holds {largest:g}, which {dtype} can't hold")
        if largest > 0 and not rounded(largest, dtype):
            raise ValueError(
                f"{path}: {name} holds at most {largest:g}, which {dtype} rounds to zero"
            )


def read_weights(path: Path) -> tuple[Problem, Weights]:
    """Read the weights of a case.npz or checkpoint, and the problem that they fit. T and B are those of x, else 1.

    The file may also hold fc.weight and fc.bias.

    Raises:
        ValueError: where the arrays do not fit together; the message names the array.
    """
    arrays = read_npz(path)
    problem = _implied_problem(path, arrays, "float32")
    found = {name: array for name, array in arrays.items() if name not in _given_shapes(problem)}
    wanted = shapes(problem, "model" if {"fc.weight", "fc.bias"} & set(found) else "sequence")
    _check(path, found, wanted, {})
    return problem, {name: found[name] for name in wanted}


def complete(weights: Weights, problem: Problem, workload: str, seed: int) -> Weights:
    """Return the given weights in the order of `shapes`; what is missing is drawn as `make_weights` draws it.

    All are rounded to the problem's dtype.
    """
    made = make_weights(problem, workload, seed)
    given = {name: frozen(rounded(value, problem.dtype)) for name, value in weights.items()}
    return {name: given.get(name, made[name]) for name in shapes(problem, workload)}
