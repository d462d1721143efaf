"""The machine, the versions and the settings that a run's numbers depend on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from benchmarks.metadata import Commit, Machine, Metadata, RunOptions
from impls.core.versions import version

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ("numpy", "scipy", "torch", "jax", "jaxlib", "flax", "pytest-benchmark", "pandas")
MEASURING = ("impls", "benchmarks", "reports", "pyproject.toml")
"""The paths whose changes are told beside the commit."""
PREFIXES = ("OMP_", "MKL_", "KMP_", "OPENBLAS_", "XLA_", "JAX_", "TORCH", "CUDA_", "NPROC", "LD_PRELOAD", "MALLOC_")


def cpu_model() -> str:
    """Return the processor's name, from /proc/cpuinfo or from Python."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def gpu_model() -> str | None:
    """Return the first GPU's name and driver, from nvidia-smi; None where there is no GPU."""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return output.splitlines()[0] if output else None


def commit() -> Commit:
    """Return the commit of this checkout, and whether files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        return Commit(id=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--", *MEASURING)))
    except (OSError, subprocess.SubprocessError):
        return Commit()


def machine() -> Machine:
    """Return what this machine is."""
    return Machine(
        cpu=cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu_model(),
        system=f"{platform.system()} {platform.release()}",
    )


def describe(run: RunOptions) -> Metadata:
    """Return the content of environment.json for a run."""
    return Metadata(
        machine=machine(),
        versions={"python": platform.python_version(), **{name: version(name) for name in RECORDED}},
        python=sys.version,
        variables={name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)},
        commit=commit(),
        allocator=" ".join(platform.libc_ver()) + ", keeps what is freed where it can be told to",
        matmul_precision="full float32: no TF32, no bfloat16 products",
        run=run,
    )
