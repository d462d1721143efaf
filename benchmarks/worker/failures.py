"""What a worker says of an exception: the status of the row, and the reason in one line."""

from __future__ import annotations

from pathlib import Path

from benchmarks.worker.protocol import Failed

STICKY = (
    "illegal memory access",
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "device-side assert",
    "CUDA_ERROR_ASSERT",
    "unspecified launch failure",
    "CUDA_ERROR_LAUNCH_FAILED",
    "misaligned address",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "illegal instruction",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "uncorrectable ECC error",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
)
"""What an error says after which every further call to CUDA fails in that process (the driver's documentation of
CUresult: "the process must be terminated and relaunched")."""

NO_COMPILER = ("Failed to find C compiler", "No working C++ compiler found")
"""What Triton and torch.compile say where there is no compiler."""


def one_line(text: str, limit: int = 300) -> str:
    """Return text on a single line of at most `limit` characters.

    A worker of a gate's base has the base's impls/, which may be older than impls/core/text.py.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def failure_of(error: BaseException) -> Failed:
    """Return the status and the reason of a row that failed with this exception."""
    from benchmarks.worker.agreement import Disagrees
    from benchmarks.worker.sanity import Suspicious
    from impls.core import contract
    from impls.core.contract import Unsupported

    text = str(error)
    if isinstance(error, getattr(contract, "NotInstalled", ())):  # a gate's base may be older
        return Failed("not_installed", one_line(text))
    if isinstance(error, getattr(contract, "NoDevice", ())):
        return Failed("no_device", one_line(text))
    if isinstance(error, Unsupported):
        return Failed("unsupported", one_line(text))
    if isinstance(error, Disagrees):
        return Failed("disagrees", one_line(text))
    if isinstance(error, Suspicious):
        return Failed("error", one_line(text))
    if any(sign in text for sign in NO_COMPILER):
        return Failed("not_installed", one_line(text))
    starved = (
        "out of memory",
        "not enough memory",
        "can't allocate memory",
        "RESOURCE_EXHAUSTED",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUDA_ERROR_OUT_OF_MEMORY",
    )
    no_memory = isinstance(error, MemoryError) or any(sign in text for sign in starved)
    status = "out_of_memory" if no_memory else "error"
    return Failed(status, one_line(f"{type(error).__name__}: {text}"), any(sign in text for sign in STICKY))


def failure_to_import(error: Exception, path: Path) -> Failed:
    """Return the status and the reason of an implementation that could not be imported."""
    from impls.core import registry, versions

    if isinstance(error, ImportError):
        distributions = versions.distributions(registry.read(path))
        absent = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in distributions
        if absent or any(versions.version(name) is None for name in distributions):
            return Failed("not_installed", one_line(str(error)))
    return failure_of(error)  # such as a mistyped import
