"""Compiles the Triton kernels for GPUs that are not here, and prints what they became, as JSON.

In a process of its own: Triton's interpreter, once used, stays in a process.
"""

from __future__ import annotations

import json

FLOATS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
NUMBERS = dict.fromkeys(("first", "last", "batch", "hidden"), "i32")
FORWARD = {"z": "", "weight": "", "h": "", "c": "*fp32", "counter": "*i32", **NUMBERS}
BACKWARD = {"gates": "", "weight": "", "c": "*fp32", "d_output": "", "d_c": "*fp32", "d_z": "", "counter": "*i32"}
KERNELS = {"forward_kernel": FORWARD, "backward_kernel": {**BACKWARD, "steps": "i32", **NUMBERS}}
"""By kernel, the types of its arguments; "" stands for a pointer to the dtype."""
SETTINGS = (
    ("float32", "ieee", 80, True),
    ("float32", "ieee", 90, False),
    ("float32", "tf32", 90, True),
    ("bfloat16", "ieee", 90, True),
    ("float16", "ieee", 90, True),
)
"""dtype, precision, compute capability, and whether programs meet."""


def main() -> None:
    """Print the PTX and the bytes of machine code of each kernel in each setting."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from impls.families import triton_recurrence

    found = []
    for dtype, precision, capability, meets in SETTINGS:
        depth = triton_recurrence.DEPTHS[dtype]
        sizes = {"PRECISION": precision, "ROWS": 16, "UNITS": 16, "DEPTH": depth, "MEET": meets}
        for kernel, kinds in KERNELS.items():
            signature = {argument: kind or f"*{FLOATS[dtype]}" for argument, kind in kinds.items()}
            signature |= dict.fromkeys(sizes, "constexpr")
            source = ASTSource(getattr(triton_recurrence, kernel), signature, constexprs=sizes)
            made = triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm
            found.append((kernel, (dtype, precision, capability, meets), made["ptx"], len(made["cubin"])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
