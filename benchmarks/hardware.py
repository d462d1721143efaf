"""What implementations compute on: their processors, and the precision of a GPU, as the options say."""

import os

import click

from benchmarks import machine
from impls.core.precision import IEEE, VARIABLE


def choose_cores(threads: int | None = None, device: str = "cpu") -> tuple[int, ...]:
    """Return the processors of every arm: the last of those that this process may use, near the GPU if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    if threads and threads > len(usable):
        raise click.UsageError(
            f"--threads is {threads}; this process may use {len(usable)} processors"
        )
    near = [core for core in usable if core in machine.near_gpu()] if device == "cuda" else []
    chosen = near if len(near) >= (threads or 1) else usable
    return tuple(chosen[-(threads or len(chosen)) :])


def set_precision(precision: str, device: str) -> None:
    """Make a precision that of this process, where the device has it."""
    if precision != IEEE and device != "cuda":
        raise click.UsageError(f"--precision {precision} is for a GPU; add --device cuda")
    os.environ[VARIABLE] = precision
