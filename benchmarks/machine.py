"""The machine, the versions and the settings that a run's numbers depend on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "flax": ("flax", "jax", "jaxlib")}
"""Which distributions stand behind a FRAMEWORK; any other is its own."""
RECORDED = ("numpy", "scipy", "torch", "jax", "jaxlib", "flax", "pytest-benchmark", "pandas")
PREFIXES = ("OMP_", "MKL_", "KMP_", "OPENBLAS_", "XLA_", "JAX_", "TORCH", "CUDA_", "NPROC", "LD_PRELOAD", "MALLOC_")


def version(distribution: str) -> str | None:
    """Its version, or None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def distributions(framework: str) -> tuple[str, ...]:
    """What must be installed for a FRAMEWORK."""
    return DISTRIBUTIONS.get(framework, (framework,))


def versions_of(framework: str) -> str:
    """Such as `torch 2.13.0`, or `flax 0.12.8, jax 0.10.2, jaxlib 0.10.2`."""
    return ", ".join(f"{name} {version(name) or 'not installed'}" for name in distributions(framework))


def cpu_model() -> str:
    """The processor's name, where /proc/cpuinfo tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def gpu_model() -> str | None:
    """The first GPU's name and driver, as nvidia-smi tells them."""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return found.splitlines()[0] if found else None


def commit() -> dict[str, Any]:
    """The commit that this checkout is at, and whether files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        return {"id": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {"id": None, "dirty": None}


def describe() -> dict[str, Any]:
    """Everything, as environment.json keeps it."""
    return {
        "machine": {
            "cpu": cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": psutil.virtual_memory().total,
            "gpu": gpu_model(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED}},
        "python": sys.version,
        "variables": {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)},
        "commit": commit(),
        "allocator": " ".join(platform.libc_ver()) + ", keeps what is freed where it can be told to",
        "matmul_precision": "full float32: no TF32, no bfloat16 products",
    }
