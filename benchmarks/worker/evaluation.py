"""What a worker does for `evaluate`: compute a case of the user, and check that the results are what was promised."""

import sys
import traceback
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.judge.agreement import Disagrees
from benchmarks.worker.protocol import STATUS, Request
from benchmarks.worker.worker import Worker
from impls.core.case_files import Case, read_case
from impls.core.weights import Array, input_shapes, shapes


def result_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Return the shape of every result of a case by its name."""
    shape_of = {**shapes(case.problem), **input_shapes(case.problem)}
    results = {name: shape_of[f"d_{name}"] for name in ("output", "h_n", "c_n")}
    if case.has_cotangents:
        for name in sorted(case.given - {"d_output", "d_h_n", "d_c_n", "lengths", "resets"}):
            results[f"grad_{name}"] = shape_of[name]
    return results


def compute(module: ModuleType, case: Case, device: str) -> dict[str, Array]:
    """Compute a case with the module of an implementation.

    Returns:
        As float64, output (T, B, D·H), h_n and c_n (L·D, B, H); with cotangents also grad_NAME for every other array of
        the case.

    Raises:
        Disagrees: where a result is missing, has another shape, holds no real numbers, or has overflowed.
    """
    prepared = module.prepare(case.problem, case.weights, device, "sequence")
    mode = "train_step" if case.has_cotangents else "forward"
    with np.errstate(all="ignore"):  # a result that overflowed is refused below
        results = prepared.to_numpy(mode, prepared.call(mode)(prepared.load(case.inputs)))
    numbers = {}
    for name, shape in result_shapes(case).items():
        if name not in results:
            raise Disagrees(f"its results lack {name}")
        result = np.asarray(results[name])
        if result.shape != shape or not np.can_cast(result.dtype, np.float64, "same_kind"):
            what = f"{name} is {result.dtype} of shape {result.shape}"
            raise Disagrees(f"{what}; it must be real numbers of shape {shape}")
        numbers[name] = result.astype(np.float64)
        if not np.isfinite(numbers[name]).all():
            raise Disagrees(f"{name} holds NaN or infinity: {case.problem.dtype} overflows here")
    return numbers


class Evaluate(Request[None]):
    """Compute a case file, and write the results to an .npz file."""

    case: str
    dtype: str
    out: str

    def do(self, worker: Worker) -> None:
        case = read_case(Path(self.case), self.dtype)
        try:
            results = compute(worker.module, case, worker.device)
        except Exception as error:
            if not isinstance(error, tuple(STATUS)):
                traceback.print_exc()  # of the user's file
            raise
        finally:
            sys.stdout.flush()
        np.savez(self.out, **results)  # type: ignore[arg-type]
