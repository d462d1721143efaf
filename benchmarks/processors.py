"""Processors in words: the microarchitecture behind family and model, and what it multiplies in a cycle.

The names of AMD's are those by which Linux tells them apart (bsp_init_amd in arch/x86/kernel/cpu/amd.c), those of
Intel's are in arch/x86/include/asm/intel-family.h, those of Arm's in arch/arm64/include/asm/cputype.h. The operations
per cycle are 2 (a multiplication and an addition) x vectors a cycle x floats in a vector, from the vendors'
optimization guides (AMD 56305, 56665, 57647 and 58455; Intel 248966; Arm's of each core). Where a model number stands
for processors that differ, such as Intel's 85 with one or two units for AVX-512, they are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.metadata import Machine


class Core(NamedTuple):
    """A microarchitecture, and its float32 operations per cycle; None where they are not known."""

    name: str
    operations: int | None = None


AMD, INTEL, ARM = "AuthenticAMD", "GenuineIntel", "0x41"
ZEN, ZEN2, ZEN3 = Core("Zen", 16), Core("Zen 2", 32), Core("Zen 3", 32)
ZEN4 = Core("Zen 4", 32)  # AVX-512 in two halves of 256 bits
ZEN5, ZEN5_MOBILE = Core("Zen 5", 64), Core("Zen 5")  # some of the mobile ones halve AVX-512, as Zen 4 does
RANGES = {
    (AMD, 23): [(0x00, 0x2F, ZEN), (0x50, 0x5F, ZEN), (0x30, 0x4F, ZEN2), (0x60, 0x7F, ZEN2), (0x90, 0xAF, ZEN2)],
    (AMD, 25): [(0x00, 0x0F, ZEN3), (0x20, 0x5F, ZEN3), (0x10, 0x1F, ZEN4), (0x60, 0xAF, ZEN4)],
    (AMD, 26): [(0x00, 0x1F, ZEN5), (0x40, 0x4F, ZEN5), (0x20, 0x2F, ZEN5_MOBILE), (0x60, 0x7F, ZEN5_MOBILE)],
}
"""By vendor and family: the first and the last model, and what they are."""
HASWELL, BROADWELL, SKYLAKE = Core("Haswell", 32), Core("Broadwell", 32), Core("Skylake", 32)
CORES = {
    (INTEL, 6, (60, 63, 69, 70)): HASWELL,
    (INTEL, 6, (61, 71, 79, 86)): BROADWELL,
    (INTEL, 6, (78, 94, 142, 158)): SKYLAKE,
    (INTEL, 6, (85,)): Core("Skylake-X or Cascade Lake"),
    (INTEL, 6, (106, 108)): Core("Ice Lake", 64),
    (INTEL, 6, (143,)): Core("Sapphire Rapids", 64),
    (INTEL, 6, (207,)): Core("Emerald Rapids", 64),
    (INTEL, 6, (173, 174)): Core("Granite Rapids", 64),
    (ARM, 8, (0xD0C,)): Core("Neoverse N1", 16),
    (ARM, 8, (0xD40,)): Core("Neoverse V1", 32),
    (ARM, 8, (0xD49,)): Core("Neoverse N2", 16),
    (ARM, 8, (0xD4F,)): Core("Neoverse V2", 32),
}
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
"""The vector instructions that are recorded: Linux's flag, and the name that is shown."""
WIDEST = ("AMX", "AVX-512", "AVX2", "SVE2", "SVE", "NEON")
"""The first of these that a processor has stands for all of them."""
SLOWS = {
    "OPENBLAS_CORETYPE": "NumPy",
    "OPENBLAS_L2_SIZE": "NumPy",
    "NPY_DISABLE_CPU_FEATURES": "NumPy",
    "MKL_DEBUG_CPU_TYPE": "PyTorch",
    "MKL_ENABLE_INSTRUCTIONS": "PyTorch",
    "MKL_CBWR": "PyTorch",
    "ATEN_CPU_CAPABILITY": "PyTorch",
    "ONEDNN_MAX_CPU_ISA": "PyTorch",
    "DNNL_MAX_CPU_ISA": "PyTorch",
}
"""Variables by which a library takes other instructions or blocks than it would, and who uses that library."""
XLA_FLAGS, MAX_ISA = "XLA_FLAGS", "xla_cpu_max_isa"


def core(machine: Machine) -> Core | None:
    """Return the microarchitecture of a machine's processor; None where it is not known."""
    vendor, family, model = machine.vendor, machine.family, machine.model
    if vendor is None or family is None or model is None:
        return None
    for first, last, known in RANGES.get((vendor, family), ()):
        if first <= model <= last:
            return known
    return next((known for (*of, models), known in CORES.items() if of == [vendor, family] and model in models), None)


def words(machine: Machine) -> str:
    """Return a processor in words, such as `AMD EPYC, family 26 (Zen 5), AVX-512`; what is not known is left out."""
    if machine.family is None:
        return machine.cpu
    known = core(machine)
    number = f" ({known.name})" if known else f" model {machine.model}" if machine.model is not None else ""
    widest = [name for name in WIDEST if name in machine.instructions][:1]
    return ", ".join([machine.cpu, f"family {machine.family}{number}", *widest])


def key(machine: Machine) -> str:
    """Return what tells processors apart whose times must not be compared: all that is known of them, in words."""
    parts = [words(machine)]
    for name in ("model", "stepping"):
        value = getattr(machine, name)
        parts += [f"{name} {value}"] if value is not None else []
    parts += machine.instructions
    for known in (machine.caches, machine.dispatch):
        parts += [f"{name} {value}" for name, value in sorted(known.items())]
    return ", ".join(parts)


def theoretical(machine: Machine, threads: int, dtype: str) -> float | None:
    """Return the most operations per second that threads, each on a core of its own, could do; None where not known."""
    known = core(machine)
    if known is None or known.operations is None or not machine.max_hertz or not machine.physical_cores:
        return None
    return min(threads, machine.physical_cores) * machine.max_hertz * known.operations / (1 + (dtype == "float64"))


def slowed(variables: Mapping[str, str]) -> list[str]:
    """Return a line for each of these environment variables that can make a library slower."""
    found = [f"{name} is set: it can make {SLOWS[name]} slower" for name in sorted(variables) if name in SLOWS]
    if MAX_ISA in variables.get(XLA_FLAGS, ""):
        found.append(f"{XLA_FLAGS} sets {MAX_ISA}: it can make JAX slower")
    return found
