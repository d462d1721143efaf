"""Processors in words: the microarchitecture behind family and model, and what can slow a library on them.

The names of AMD's are those by which Linux tells them apart (bsp_init_amd in arch/x86/kernel/cpu/amd.c), those of
Intel's are in arch/x86/include/asm/intel-family.h, those of Arm's in arch/arm64/include/asm/cputype.h.
"""

from __future__ import annotations

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
    system: str = UNKNOWN


def name_and_driver(gpu: str | None) -> tuple[str, str]:
    """Return the two parts of a Machine's gpu, which have a comma between; "" for what it lacks."""
    name, comma, driver = (gpu or "").rpartition(", ")
    return (name, driver) if comma else (driver, "")


AMD, INTEL, ARM = "AuthenticAMD", "GenuineIntel", "0x41"
RANGES = {
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
"""Those that go with others of the same width."""
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
XLA_FLAGS, MAX_ISA = "XLA_FLAGS", "xla_cpu_max_isa"


def core(machine: Machine) -> str | None:
    """Return the microarchitecture of a machine's processor; None where it is not known."""
    model = -1 if machine.model is None else machine.model
    known = RANGES.get((machine.vendor or "", machine.family or 0), [])
    return next((name for first, last, name in known if first <= model <= last), None)


def words(machine: Machine) -> str:
    """Return a processor in words, such as `AMD EPYC, family 26 (Zen 5), AVX-512`; what is not known is left out."""
    if machine.family is None:
        return machine.cpu
    known = core(machine)
    number = (
        f" ({known})" if known else f" model {machine.model}" if machine.model is not None else ""
    )
    widest = [name for name in machine.instructions if name not in NARROW][-1:]
    return ", ".join([machine.cpu, f"family {machine.family}{number}", *widest])


def key(machine: Machine) -> str:
    """Return what tells processors apart whose times must not be compared: all that is known of them, in words."""
    parts = [words(machine)]
    for name in ("model", "stepping"):
        value = getattr(machine, name)
        parts += [f"{name} {value}"] if value is not None else []
    parts += machine.instructions
    parts += [f"{name} {value}" for name, value in sorted(machine.caches.items())]
    return ", ".join(parts)


def slowed(variables: Mapping[str, str]) -> list[str]:
    """Return a line for each of these environment variables that can make a library slower."""
    found = [
        f"{name} is set: it can make {SLOWS[name]} slower"
        for name in sorted(variables)
        if name in SLOWS
    ]
    if MAX_ISA in variables.get(XLA_FLAGS, ""):
        found.append(f"{XLA_FLAGS} sets {MAX_ISA}: it can make JAX slower")
    return found
