"""Compiles the Triton kernels for GPUs that are not here, and prints what they became, as JSON.

In a process of its own: Triton's interpreter, once used, stays in a process.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

FLOATS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
NUMBERS = dict.fromkeys(("first", "last", "batch", "hidden"), "i32")
FORWARD = {"z": "", "weight": "", "h": "", "c": "*fp32", "counter": "*i32", **NUMBERS}
BACKWARD = {"gates": "", "weight": "", "c": "*fp32", "d_output": "", "d_c": "*fp32", "d_z": "", "counter": "*i32"}
KERNELS = {"forward_kernel": FORWARD, "backward_kernel": {**BACKWARD, "steps": "i32", **NUMBERS}}
"""By kernel, the types of its arguments; "" stands for a pointer to the dtype."""
SETTINGS = (
    ("float32", "ieee", 80, True, 16),
    ("float32", "ieee", 90, False, 16),
    ("float32", "tf32", 90, True, 16),
    ("bfloat16", "ieee", 90, True, 16),
    ("float16", "ieee", 90, True, 16),
    ("float32", "ieee", 90, True, 32),
    ("float32", "ieee", 90, True, 64),
    ("bfloat16", "ieee", 90, True, 64),
)
"""dtype, precision, compute capability, whether programs meet, and the rows and units of a program."""


def stack_bytes(cubin: bytes) -> int:
    """Return the bytes of memory that a thread of a kernel needs beside its registers."""
    from triton import backends

    tool = Path(backends.__file__).parent / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        told = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"STACK:(\d+)", told)[-1])


def main() -> None:
    """Print of each kernel in each setting its PTX, the bytes of its machine code, and those of a thread's stack."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from impls.families import triton_recurrence

    found = []
    for dtype, precision, capability, meets, size in SETTINGS:
        depth = triton_recurrence.DEPTHS[dtype]
        sizes = {"PRECISION": precision, "ROWS": size, "UNITS": size, "DEPTH": depth, "MEET": meets}
        options = {"num_warps": triton_recurrence.Programs((1, 1), size, size).warps}
        for kernel, kinds in KERNELS.items():
            signature = {argument: kind or f"*{FLOATS[dtype]}" for argument, kind in kinds.items()}
            signature |= dict.fromkeys(sizes, "constexpr")
            source = ASTSource(getattr(triton_recurrence, kernel), signature, constexprs=sizes)
            made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options).asm
            setting = (dtype, precision, capability, meets, size)
            found.append((kernel, setting, made["ptx"], len(made["cubin"]), stack_bytes(made["cubin"])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
