"""Processors in words: the microarchitecture behind family and model, and what can slow a library on them.

The names of AMD's are those by which Linux tells them apart (bsp_init_amd in arch/x86/kernel/cpu/amd.c), those of
Intel's are in arch/x86/include/asm/intel-family.h, those of Arm's in arch/arm64/include/asm/cputype.h.
"""

from collections.abc import Mapping

import msgspec

UNKNOWN = "unknown"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that a run was measured on.

    Family, model and stepping are Linux's; on Arm, its architecture, part and revision. `caches` has bytes, by names
    such as L2. Older files have more fields, which nobody reads.
    """

    cpu: str = UNKNOWN
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    instructions: tuple[str, ...] = ()
    caches: dict[str, int] = {}
    cores: int | None = None
    memory_bytes: int | None = None
    gpu: str | None = None
    gpu_driver: str | None = None
    system: str = UNKNOWN

    @property
    def gpu_with_driver(self) -> str:
        """The GPU and its driver's version, such as `NVIDIA H100, 580.95`; empty where there is no GPU."""
        return ", ".join(filter(None, (self.gpu, self.gpu_driver)))


AMD = "AuthenticAMD"
INTEL = "GenuineIntel"
ARM = "0x41"
RANGES: dict[tuple[str | None, int | None], list[tuple[int, int, str]]] = {
    (AMD, 23): [(0x00, 0x2F, "Zen"), (0x50, 0x5F, "Zen"), (0x30, 0x4F, "Zen 2"), (0x60, 0x7F, "Zen 2"),
                (0x90, 0xAF, "Zen 2")],
    (AMD, 25): [(0x00, 0x0F, "Zen 3"), (0x20, 0x5F, "Zen 3"), (0x10, 0x1F, "Zen 4"), (0x60, 0xAF, "Zen 4")],
    (AMD, 26): [(0x00, 0x2F, "Zen 5"), (0x40, 0x4F, "Zen 5"), (0x60, 0x7F, "Zen 5")],
    (INTEL, 6): [(85, 85, "Skylake-X or Cascade Lake"), (106, 106, "Ice Lake"), (108, 108, "Ice Lake"),
                 (143, 143, "Sapphire Rapids"), (173, 174, "Granite Rapids"), (207, 207, "Emerald Rapids")],
    (ARM, 8): [(0xD0C, 0xD0C, "Neoverse N1"), (0xD40, 0xD40, "Neoverse V1"), (0xD49, 0xD49, "Neoverse N2"),
               (0xD4F, 0xD4F, "Neoverse V2")],
}  # fmt: skip
"""By vendor and family: the first and the last model, and their microarchitecture."""
NAMES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX512_BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
    "sve2": "SVE2",
}
"""The vector instructions that are recorded, wider ones later: Linux's flag, and the name that is shown."""
NARROW = ("FMA", "AVX512_BF16")
"""The instructions that go with others of the same width."""
SLOWS = {
    **dict.fromkeys(("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES"), "NumPy"),
    **dict.fromkeys(("MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"), "PyTorch"),
    **dict.fromkeys(("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"), "PyTorch"),
    **dict.fromkeys(
        ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_NO_CUDA_MEMORY_CACHING"),
        "PyTorch",
    ),
    "CUDA_MODULE_LOADING": "the first call on a GPU",
}
"""Variables by which a library takes other instructions, blocks or memory than it would, and who uses it."""


def model_in_words(machine: Machine) -> str:
    """Return a processor's microarchitecture in brackets, or the number of its model; empty where there is none."""
    if machine.model is None:
        return ""
    for first, last, name in RANGES.get((machine.vendor, machine.family), ()):
        if first <= machine.model <= last:
            return f" ({name})"
    return f" model {machine.model}"


def words(machine: Machine) -> str:
    """Return a processor in words, such as `AMD EPYC, family 26 (Zen 5), AVX-512`; what is unknown is left out."""
    if machine.family is None:
        return machine.cpu
    parts = [machine.cpu, f"family {machine.family}{model_in_words(machine)}"]
    parts += [name for name in machine.instructions if name not in NARROW][-1:]
    return ", ".join(parts)


def key(machine: Machine) -> str:
    """Return what tells processors apart whose times must not be compared: all their fields, in words."""
    parts = [words(machine)]
    if machine.model is not None:
        parts.append(f"model {machine.model}")
    if machine.stepping is not None:
        parts.append(f"stepping {machine.stepping}")
    parts += machine.instructions
    parts += [f"{name} {value}" for name, value in sorted(machine.caches.items())]
    return ", ".join(parts)


def slowed(variables: Mapping[str, str]) -> list[str]:
    """Return a line for each of these environment variables that can make a library slower."""
    names = sorted(variables.keys() & SLOWS.keys())
    lines = [f"{name} is set: it can make {SLOWS[name]} slower" for name in names]
    if "xla_cpu_max_isa" in variables.get("XLA_FLAGS", ""):
        lines.append("XLA_FLAGS sets xla_cpu_max_isa: it can make JAX slower")
    return lines
