"""The environment variables that set precision and device before a framework starts."""

import os

IEEE = "ieee"
TF32 = "tf32"
PRECISIONS = (IEEE, TF32)
"""Products of float32: in full, or on a GPU with the 10 bits of TF32, as some libraries compute by default."""
VARIABLE = "LSTM_BENCH_PRECISION"
"""An environment variable of a process that computes: one of PRECISIONS."""

OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""An environment variable by which cuBLAS and cuDNN never use TF32, whatever a framework asks for."""
DROPPED = (OVERRIDE, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUDA_LAUNCH_BLOCKING")
"""Variables of the user that a process that computes does not get: they change the precision, or each launch waits."""


def framework_variables(device: str, dtype: str, precision: str = IEEE) -> dict[str, str]:
    """Return the variables for a process that computes on `device` in `dtype`: no bfloat16, no other device.

    JAX and cuBLAS read them when they start, so they must be set before Python starts. DROPPED must not be set else.
    On a GPU it is the first that is visible: JAX takes memory on each that it sees.

    With TF32, JAX's products get the precision `default`: XLA's Triton kernels take TF32 at no other, and cuBLAS takes
    it there too. Products of other types stay as they are. It is not proven on a card, and a product too small for a
    library may be in full float32.
    """
    variables = {
        VARIABLE: precision,
        "JAX_ENABLE_X64": "1" if dtype == "float64" else "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "default",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    if precision == IEEE:
        variables["JAX_DEFAULT_MATMUL_PRECISION"] = "float32"  # a word that JAX 0.4 has too
        variables[OVERRIDE] = "0"
    if device == "cuda":
        # without the CPU, a plugin that does not start leaves JAX silently on it
        variables["JAX_PLATFORMS"] = "cuda,cpu"
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        variables["CUDA_VISIBLE_DEVICES"] = visible.partition(",")[0]
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts
    return variables


def current() -> str:
    """Return the precision of this process."""
    return os.environ.get(VARIABLE) or IEEE
