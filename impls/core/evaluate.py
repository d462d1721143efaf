"""Compute a case with an implementation: the process behind `python -m impls evaluate`.

`python -m impls.core.evaluate TASK` starts it; TASK is a Task in JSON. It runs in the implementation's own
environment, so it imports no command line library.
"""

from __future__ import annotations

import sys
from pathlib import Path

from impls.core import command_line

with command_line.starting():
    import msgspec
    import numpy as np

    from impls.core import registry
    from impls.core.contract import Unsupported
    from impls.core.files import write_whole
    from impls.core.registry import Implementation
    from impls.core.text import one_line
    from impls.core.weights import Array, Case, read_case


class Task(msgspec.Struct, forbid_unknown_fields=True):
    """What is computed, and where the results go: the paths of the implementation, the case and the results."""

    path: str
    case: str
    out: str
    dtype: str
    device: str


def evaluate_case(implementation: Implementation, case: Case, device: str = "cpu") -> dict[str, Array]:
    """Compute a case.

    Returns:
        output (T, B, D·H), h_n and c_n (L·D, B, H); with cotangents also grad_NAME for every other array of the case.

    Raises:
        Unsupported: where the implementation cannot do the case.
        ImportError: where its framework is missing.
    """
    if implementation.is_floor:
        raise Unsupported(f"{implementation.name}: it computes no LSTM, only the matrix products that an LSTM needs")
    if reason := implementation.lacks(device, case.problem.dtype, "sequence"):
        raise Unsupported(f"{implementation.name}: {reason}")
    prepared = registry.load(implementation).prepare(case.problem, case.weights, device, "sequence")
    mode = "train_step" if case.has_cotangents else "forward"
    results = prepared.to_numpy(mode, prepared.call(mode)(prepared.load(case.inputs)))
    wanted = {"output", "h_n", "c_n"}
    if case.has_cotangents:
        arrays = case.given - {"d_output", "d_h_n", "d_c_n"}
        wanted |= {f"grad_{name}" for name in arrays}
    return {name: np.asarray(value) for name, value in results.items() if name in wanted}


def write_results(path: Path, results: dict[str, Array]) -> None:
    """Write an .npz file whole or not at all."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **results)  # type: ignore[arg-type]

    write_whole(path, write)


def main(task: Task) -> int:
    """Do a task and return the exit code. An error is one line on stderr and exit code 2."""
    try:
        with command_line.starting():  # most of the time goes into imports
            results = evaluate_case(registry.read(Path(task.path)), read_case(Path(task.case), task.dtype), task.device)
        write_results(Path(task.out), results)
    except (ValueError, ImportError, Unsupported) as error:
        message = str(error)
    except OSError as error:
        message = f"{task.out} can't be written: {error.strerror}"
    except MemoryError as error:
        message = command_line.describe(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return command_line.INTERRUPTED
    else:
        return 0
    print(f"error: {one_line(message)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=Task)))
