"""Compute a case with an implementation: the process behind `python -m impls evaluate`.

`python -m impls.core.evaluate IMPLEMENTATION CASE OUT DTYPE DEVICE` starts it; the first three are paths. It runs in
the implementation's own environment, so it imports no command line library.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from impls.core import command_line

with command_line.starting():
    import numpy as np

    from impls.core import registry
    from impls.core.case_files import Case, read_case
    from impls.core.contract import NoDevice, NotInstalled, Unsupported
    from impls.core.files import write_whole
    from impls.core.registry import Implementation
    from impls.core.weights import Array, input_shapes, shapes


def evaluate_case(
    implementation: Implementation, case: Case, device: str = "cpu"
) -> dict[str, Array]:
    """Compute a case.

    Returns:
        As float64, output (T, B, D·H), h_n and c_n (L·D, B, H); with cotangents also grad_NAME for every other array of
        the case.

    Raises:
        Unsupported: where the implementation cannot do the case.
        ImportError: where its framework is missing.
        ValueError: where a result is missing, has another shape, holds no real numbers, or has overflowed.
    """
    if implementation.is_peak:
        raise Unsupported(f"{implementation.name}: it computes no LSTM, only multiply-adds")
    if reason := implementation.lacks(device, case.problem, "sequence"):
        raise Unsupported(f"{implementation.name}: {reason}")
    prepared = registry.load(implementation).prepare(case.problem, case.weights, device, "sequence")
    mode = "train_step" if case.has_cotangents else "forward"
    with np.errstate(all="ignore"):  # a result that overflowed is refused below
        results = prepared.to_numpy(mode, prepared.call(mode)(prepared.load(case.inputs)))
    kept = {}
    for name, shape in result_shapes(case).items():
        if name not in results:
            raise ValueError(f"{implementation.name}: its results lack {name}")
        found = np.asarray(results[name])
        if found.shape != shape or not np.can_cast(found.dtype, np.float64, "same_kind"):
            is_one = f"is {found.dtype} of shape {found.shape}"
            raise ValueError(
                f"{implementation.name}: {name} {is_one}; it must be real numbers of shape {shape}"
            )
        kept[name] = found.astype(np.float64)
        if not np.isfinite(kept[name]).all():
            raise ValueError(
                f"{implementation.name}: {name} holds NaN or infinity: {case.problem.dtype} overflows here"
            )
    return kept


def result_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Return the shape of every result of a case by its name."""
    known = {**shapes(case.problem), **input_shapes(case.problem)}
    found = {"output": known["d_output"], "h_n": known["d_h_n"], "c_n": known["d_c_n"]}
    if case.has_cotangents:
        for name in sorted(case.given - {"d_output", "d_h_n", "d_c_n", "lengths", "resets"}):
            found[f"grad_{name}"] = known[name]
    return found


def main(path: str, case_path: str, out: str, dtype: str, device: str) -> int:
    """Compute a case, write the results, and return the exit code. An error is one line on stderr and exit code 2."""
    try:
        with command_line.starting():  # most of the time goes into imports
            case = read_case(Path(case_path), dtype)
            content = io.BytesIO()
            np.savez(content, **evaluate_case(registry.read(Path(path)), case, device))  # type: ignore[arg-type]
        write_whole(Path(out), lambda temporary: temporary.write_bytes(content.getbuffer()))
    except (
        ValueError,
        ImportError,
        Unsupported,
        NotInstalled,
        NoDevice,
        MemoryError,
        OSError,
    ) as error:
        command_line.say(f"error: {command_line.describe(error)}", err=True)
        return 2
    except KeyboardInterrupt:
        command_line.say("interrupted", err=True)
        return command_line.INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
