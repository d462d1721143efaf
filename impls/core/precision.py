"""The environment variables that set precision and device before a framework starts."""

from __future__ import annotations


def framework_variables(device: str, dtype: str) -> dict[str, str]:
    """Return the variables for a process that computes on `device` in `dtype`: no TF32 or bfloat16, no other device.

    JAX and cuBLAS read them when they start, so they must be set before Python starts.
    """
    variables = {
        "JAX_ENABLE_X64": "1" if dtype == "float64" else "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "NVIDIA_TF32_OVERRIDE": "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if device == "cpu":
        return variables | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return variables | {"JAX_PLATFORMS": "cuda,cpu"}  # else a plugin that does not start leaves JAX silently on the CPU
