"""The machine, the versions and the settings that a run's numbers depend on."""

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

GIT_SECONDS = 20.0
"""The time in which git must answer."""
GPU_SECONDS = 60.0
"""The time in which CUDA must start: with eight GPUs and no persistence daemon it takes long."""
RECORDED = ("numpy", "scipy", "torch", "jax", "jaxlib", "flax", "pytest-benchmark", "pandas")
MEASURING = ("impls", "benchmarks", "reports", "pyproject.toml", ":(exclude)reports/published")
"""The paths whose changes make a commit dirty. What was measured before changes nothing."""
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
NAMES_ON_ARM = {
    "CPU implementer": "vendor_id",
    "CPU architecture": "cpu family",
    "CPU part": "model",
    "CPU revision": "stepping",
    "Features": "flags",
}
"""The names in /proc/cpuinfo on Arm, and on x86."""
KINDS = {"Data": "d", "Instruction": "i"}
UNITS = {"K": 2**10, "M": 2**20}


def text_of(path: Path) -> str:
    """Return the text of a file of the kernel; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def cpuinfo() -> dict[str, str]:
    """Return what /proc/cpuinfo says of the first processor, by its names on x86."""
    fields = {}
    for line in text_of(CPUINFO).partition("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        name = name.strip()
        fields[NAMES_ON_ARM.get(name, name)] = value.strip()
    return fields


def number(text: str | None) -> int | None:
    """Return a whole number, decimal or with 0x; None for anything else."""
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def caches() -> dict[str, int]:
    """Return the bytes of the first processor's caches, by names such as L1d, L2 and L3."""
    sizes = {}
    for folder in sorted(CPUS.glob("cpu0/cache/index*")):
        level = text_of(folder / "level")
        kind = text_of(folder / "type")
        size = text_of(folder / "size")
        count = number(size.rstrip("KM"))
        if level and count is not None:
            sizes[f"L{level}{KINDS.get(kind, '')}"] = count * UNITS.get(size[-1:], 1)
    return sizes


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
    command = [sys.executable, "-P", "-m", "benchmarks.worker.devices"]
    try:
        ctypes.CDLL("libcuda.so.1")  # without it, no process need be started
        return msgspec.json.decode(run(command, GPU_SECONDS, env=variables), type=Gpu)
    except OSError:
        return None


def near_gpu() -> set[int]:
    """Return the processors near that GPU, by the kernel's list such as `0-3,8`; none where it has no list."""
    card = gpu()
    if card is None:
        return set()
    cores: set[int] = set()
    for part in filter(None, text_of(PCI / card.address / "local_cpulist").split(",")):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return cores


def gpu_name() -> str | None:
    """Return the GPU's name; None where there is no GPU."""
    card = gpu()
    if card is not None:
        return card.name
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return "a GPU that CUDA does not see"
    return None


def commit() -> Commit:
    """Return the commit of this checkout, and whether files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = run([*git, "rev-parse", "HEAD"], GIT_SECONDS)
        changes = run([*git, "status", "--porcelain", "--", *MEASURING], GIT_SECONDS)
    except CommandFailed:
        return Commit()
    return Commit(id=head.strip(), dirty=bool(changes.strip()))


def machine() -> Machine:
    """Return what this machine is, without its GPU: to ask for that starts a program."""
    fields = cpuinfo()
    flags = fields.get("flags", "").split()
    return Machine(
        cpu=fields.get("model name") or platform.machine(),
        vendor=fields.get("vendor_id"),
        family=number(fields.get("cpu family")),
        model=number(fields.get("model")),
        stepping=number(fields.get("stepping")),
        instructions=tuple(name for flag, name in processors.NAMES.items() if flag in flags),
        caches=caches(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
    )


def machine_with_gpu() -> Machine:
    """Return what this machine is, with its GPU."""
    name = gpu_name()
    if name is None:
        return machine()
    return msgspec.structs.replace(machine(), gpu=name, gpu_driver=text_of(DRIVER) or None)


def variables() -> dict[str, str]:
    """Return the environment variables that libraries heed, by name."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIXES)}


def describe(run: Options, at: Commit | None = None) -> Metadata:
    """Return the content of environment.json for a run that was measured at a commit; None for the present one."""
    versions = {name: version(name) for name in RECORDED}
    return Metadata(
        machine=machine_with_gpu(),
        versions={"python": platform.python_version(), **versions},
        variables=variables(),
        commit=at or commit(),
        matmul_precision=PRODUCTS[run.precision],
        run=run,
    )


def provenance(described: Metadata) -> list[str]:
    """Return in words where and from which commit this was measured."""
    where = described.machine
    python = described.versions.get("python")
    commit = (described.commit.id or "unknown")[:12]
    changes = ", with changes" if described.commit.dirty else ""
    return [
        f"{processors.words(where)}, {where.cores} cores, {where.system}; Python {python}",
        f"{datetime.now(UTC):%Y-%m-%d}; lstm-bench {commit}{changes}",
    ]
