"""Files of arrays (.npz) from users: a case, which is weights with inputs, or the weights of a checkpoint."""

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impls.core.files import check_regular
from impls.core.problem import FORMATS, Problem, rounded, stored
from impls.core.weights import Array, Inputs, Weights, frozen, input_shapes, make_weights, shapes

CONVERT = "np.savez(FILE, **{k: v.numpy() for k, v in state.items()})"
"""How weights of PyTorch are written to a file that can be read here."""
COTANGENTS = ("d_output", "d_h_n", "d_c_n")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """What a case.npz holds: the problem, the weights, the inputs, and the names of the arrays in the file."""

    problem: Problem
    weights: Weights
    inputs: Inputs
    given: frozenset[str]

    @property
    def has_cotangents(self) -> bool:
        """Whether at least one of COTANGENTS was in the file; the others are zero."""
        return not self.given.isdisjoint(COTANGENTS)


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
            arrays = dict(archive)
    except Exception as error:  # zipfile, zlib and NumPy's parser of headers raise a dozen kinds
        raise ValueError(f"{path} is not a readable .npz file of plain arrays ({error})") from None
    for name, array in arrays.items():
        is_array = isinstance(array, np.ndarray)  # a part of torch.save's file is none
        if not is_array or array.dtype.kind not in "bfiu":
            raise ValueError(f"{path}: {name} holds no real numbers; use {CONVERT}")
        with np.errstate(over="ignore"):
            arrays[name] = frozen(array)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; every value must be finite")
    return arrays


def _check_shapes(path: Path, arrays: Shapes, needed: Shapes, optional: Shapes) -> None:
    """Check the names and shapes of arrays."""
    allowed = {**needed, **optional}
    for name in arrays:
        if name not in allowed:
            names = ", ".join(sorted(allowed))
            raise ValueError(f"{path}: {name} is not an array of a case, which has {names}")
    for name, shape in allowed.items():
        if name not in arrays and name in needed:
            raise ValueError(f"{path}: {name} is missing; it must have shape {shape}")
        if arrays.get(name, shape) != shape:
            raise ValueError(f"{path}: {name} has shape {arrays[name]}; it must be {shape}")


def _optional_shapes(problem: Problem) -> Shapes:
    """Return the shape of each array that a case may have besides weights."""
    named = {**input_shapes(problem)}
    del named["target"]
    named["lengths"] = (problem.batch,)
    named["resets"] = (problem.seq_len, problem.batch)
    return named


def _implied_problem(path: Path, sizes: Shapes, dtype: str) -> Problem:
    """Return the problem that arrays of some shapes are for."""
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in sizes:
            hint = ""
            for other in sizes:
                if other.endswith(f".{name}"):
                    hint = f"; {other} is there: take its prefix away"
            raise ValueError(
                f"{path}: {name} is missing; weights go by their names in torch.nn.LSTM's state_dict{hint}"
            )
        if len(sizes[name]) != 2 or 0 in sizes[name]:
            raise ValueError(
                f"{path}: {name} has shape {sizes[name]}; it must be a matrix with 4·H rows"
            )
    rows, width = sizes["weight_hh_l0"]
    x = sizes.get("x", (1, 1, sizes["weight_ih_l0"][1]))
    if len(x) != 3 or 0 in x:
        raise ValueError(
            f"{path}: x has shape {x}; it must be (seq_len, batch, input_size), none of them 0"
        )
    forward = [name for name in sizes if name.startswith("weight_ih_l") and "_reverse" not in name]
    try:
        return Problem(
            *x,
            hidden_size=max(1, rows // 4),
            num_layers=len(forward),
            bidirectional="weight_ih_l0_reverse" in sizes,
            bias="bias_ih_l0" in sizes or "bias_hh_l0" in sizes,
            dtype=dtype,
            lengths="lengths" in sizes,
            proj_size=width if "weight_hr_l0" in sizes else 0,
            resets="resets" in sizes,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_case(path: Path, dtype: str = "float32") -> Case:
    """Read a case.npz: x, optional lengths or resets, h0 and c0, the weights, optional cotangents.

    h0, c0 and cotangents that are absent are zero.

    Raises:
        ValueError: where the arrays are no case; the message names the array.
    """
    arrays = read_npz(path)
    if "x" not in arrays:
        raise ValueError(f"{path}: x is missing; it must have shape (seq_len, batch, input_size)")
    sizes = {name: array.shape for name, array in arrays.items()}
    problem = _implied_problem(path, sizes, dtype)
    _check_shapes(path, sizes, shapes(problem), _optional_shapes(problem))
    whole: dict[str, Array] = {}
    for name, least, most, kind in (
        ("lengths", 1, problem.seq_len, np.int64),
        ("resets", 0, 1, np.bool_),
    ):
        if name not in arrays:
            continue
        array = arrays.pop(name)
        if not np.isin(array, range(least, most + 1)).all():
            raise ValueError(f"{path}: {name} must be whole numbers from {least} to {most}")
        whole[name] = array.astype(kind)
    check_range(path, arrays, dtype)
    weights = {name: arrays.pop(name) for name in shapes(problem)}
    zeros = {name: frozen(np.zeros(shape)) for name, shape in input_shapes(problem).items()}
    inputs = Inputs(**{**zeros, **arrays, **whole})  # type: ignore[arg-type]
    return Case(problem, weights, inputs, frozenset(sizes))


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
    """Read the weights of a case.npz or checkpoint, and the problem that they fit. T and B are as in x, else 1.

    The file may also hold fc.weight and fc.bias.

    Raises:
        ValueError: where the arrays do not fit together; the message names the array.
    """
    arrays = read_npz(path)
    sizes = {name: array.shape for name, array in arrays.items()}
    problem = _implied_problem(path, sizes, "float32")
    for name in _optional_shapes(problem):
        sizes.pop(name, None)
    has_layer = "fc.weight" in sizes or "fc.bias" in sizes
    needed = shapes(problem, "model" if has_layer else "sequence")
    _check_shapes(path, sizes, needed, {})
    return problem, {name: arrays[name] for name in needed}


def complete(weights: Weights, problem: Problem, workload: str, seed: int) -> Weights:
    """Return the given weights in the order of `shapes`; what is missing is drawn as `make_weights` draws it.

    All are rounded to the problem's dtype.
    """
    completed = dict(make_weights(problem, workload, seed))
    for name in completed:
        if name in weights:
            completed[name] = frozen(rounded(weights[name], problem.dtype))
    return completed
