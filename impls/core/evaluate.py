"""One implementation on one case: what `python -m impls evaluate` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impls.core import contract
from impls.core.contract import Implementation
from impls.core.files import write_whole
from impls.core.weights import Array, Case


def evaluate_case(implementation: Implementation, case: Case, device: str = "cpu") -> dict[str, Array]:
    """output (T, B, D·H), h_n and c_n (L·D, B, H) and, with cotangents, grad_NAME for every array of the case.

    Raises Unsupported where the implementation does not do the case, ImportError where its framework is missing.
    """
    if implementation.is_floor:
        raise contract.Unsupported(f"{implementation.name}: it computes no LSTM, only the products that one needs")
    if reason := implementation.lacks(device, case.problem.dtype, "sequence"):
        raise contract.Unsupported(f"{implementation.name}: {reason}")
    prepared = contract.load(implementation).prepare(case.problem, case.weights, device, "sequence")
    mode = "train_step" if case.has_cotangents else "forward"
    results = prepared.to_numpy(mode, prepared.call(mode)(prepared.load(case.inputs)))
    wanted = {"output", "h_n", "c_n"}
    if case.has_cotangents:
        arrays = case.given - {"d_output", "d_h_n", "d_c_n"}
        wanted |= {f"grad_{name}" for name in arrays}
    return {name: np.asarray(value) for name, value in results.items() if name in wanted}


def write_results(path: Path, results: dict[str, Array]) -> None:
    """An .npz, whole or not at all."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **results)  # type: ignore[arg-type]

    write_whole(path, write)
