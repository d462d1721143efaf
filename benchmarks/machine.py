"""The machine, the versions and the settings that a run's numbers depend on."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from benchmarks import ROOT, processors
from benchmarks.metadata import Commit, Metadata
from benchmarks.options import Options
from benchmarks.processors import Machine
from benchmarks.worker.devices import Gpu
from impls.core.environments import import_path, version
from impls.core.precision import IEEE, TF32, framework_variables
from impls.core.processes import CommandFailed, run

SECONDS = 20.0
"""The time in which git must answer."""
GPU_SECONDS = 60.0
"""The time in which CUDA must start: with eight GPUs and no persistence daemon it takes long."""
RECORDED = ("numpy", "scipy", "torch", "jax", "jaxlib", "flax", "pytest-benchmark", "pandas")
MEASURING = ("impls", "benchmarks", "reports", "pyproject.toml", ":(exclude)reports/published")
"""The paths whose changes are told beside the commit. What was measured before changes nothing."""
PREFIXES = ("OMP_", "MKL_", "KMP_", "OPENBLAS_", "XLA_", "JAX_", "TORCH", "PYTORCH_", "CUDA_", "NPROC", "LD_PRELOAD",
            "MALLOC_", "ATEN_", "DNNL_", "ONEDNN_", "NPY_", "NVIDIA_", "CUBLAS_", "CUDNN_", "TRITON_")  # fmt: skip
"""How the recorded environment variables begin."""
PRODUCTS = {
    IEEE: "full float32: no TF32, no bfloat16 products",
    TF32: "TF32: products of float32 with 10 bits, no bfloat16 products",
}
"""How products of float32 are computed, in words."""
CPUINFO = Path("/proc/cpuinfo")
CPUS = Path("/sys/devices/system/cpu")
DRIVER = Path("/sys/module/nvidia/version")
PCI = Path("/sys/bus/pci/devices")


def text_of(path: Path) -> str:
    """Return the text of a file of the kernel; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def cpuinfo() -> dict[str, str]:
    """Return what /proc/cpuinfo says of the first processor."""
    first = text_of(CPUINFO).partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def number(text: str | None) -> int | None:
    """Return a whole number, decimal or with 0x; None for anything else."""
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def caches() -> dict[str, int]:
    """Return the bytes of the first processor's caches, by names such as L1d, L2 and L3."""
    found, units = {}, {"K": 2**10, "M": 2**20}
    for folder in sorted(CPUS.glob("cpu0/cache/index*")):
        level, kind, size = (text_of(folder / name) for name in ("level", "type", "size"))
        count = number(size.rstrip("".join(units)))
        if level and count is not None:
            found[f"L{level}{ {'Data': 'd', 'Instruction': 'i'}.get(kind, '') }"] = (
                count * units.get(size[-1:], 1)
            )
    return found


@functools.cache
def gpu() -> Gpu | None:
    """Return the GPU that a worker gets; None where CUDA sees none.

    A process with a worker's variables asks CUDA's driver. nvidia-smi counts otherwise, and not every container has it.
    """
    variables = {
        **os.environ,
        **framework_variables("cuda", "float32"),
        "PYTHONPATH": import_path(sys.executable),
    }
    try:
        ctypes.CDLL("libcuda.so.1")  # without it, no process need be started
        told = run(
            [sys.executable, "-P", "-m", "benchmarks.worker.devices"], GPU_SECONDS, env=variables
        )
    except OSError:
        return None
    return msgspec.json.decode(told, type=Gpu)


def near_gpu() -> set[int]:
    """Return the processors near that GPU, as the kernel tells; none where it does not."""
    found = gpu()
    text = text_of(PCI / found.address / "local_cpulist") if found else ""
    ends = [part.partition("-") for part in text.split(",") if part]
    return {core for first, _, last in ends for core in range(int(first), int(last or first) + 1)}


def gpu_model() -> str | None:
    """Return the GPU's name and its driver's version; None where there is no GPU."""
    found = gpu()
    if found is None and not any(Path("/dev").glob("nvidia[0-9]*")):
        return None
    return f"{found.name if found else 'a GPU that CUDA does not see'}, {text_of(DRIVER)}".removesuffix(
        ", "
    )


def commit() -> Commit:
    """Return the commit of this checkout, and whether files differ from it."""

    def git(*arguments: str) -> str:
        return run(["git", "-C", str(ROOT), *arguments], SECONDS).strip()

    try:
        return Commit(
            id=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--", *MEASURING))
        )
    except CommandFailed:
        return Commit()


def machine() -> Machine:
    """Return what this machine is, without its GPU: to ask for that starts a program."""
    said = cpuinfo()
    flags = set(said.get("flags", said.get("Features", "")).split())
    return Machine(
        cpu=said.get("model name") or platform.machine(),
        vendor=said.get("vendor_id", said.get("CPU implementer")),
        family=number(said.get("cpu family", said.get("CPU architecture"))),
        model=number(said.get("model", said.get("CPU part"))),
        stepping=number(said.get("stepping", said.get("CPU revision"))),
        instructions=tuple(name for flag, name in processors.NAMES.items() if flag in flags),
        caches=caches(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
    )


def variables() -> dict[str, str]:
    """Return the environment variables that libraries heed, by name."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)}


def describe(run: Options, at: Commit | None = None) -> Metadata:
    """Return the content of environment.json for a run that was measured at a commit; None for the present one."""
    return Metadata(
        machine=msgspec.structs.replace(machine(), gpu=gpu_model()),
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in RECORDED},
        },
        variables=variables(),
        commit=at or commit(),
        matmul_precision=PRODUCTS[run.precision or IEEE],
        run=run,
    )


def provenance(described: Metadata) -> list[str]:
    """Return in words where and from which commit this was measured."""
    commit = (described.commit.id or "unknown")[:12] + (
        ", with changes" if described.commit.dirty else ""
    )
    where = described.machine
    return [
        f"{processors.words(where)}, {where.cores} cores, {where.system}; Python {described.versions.get('python')}",
        f"{datetime.now(UTC):%Y-%m-%d}; lstm-bench {commit}",
    ]
