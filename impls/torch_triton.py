"""The recurrence as a Triton kernel: one launch for all time steps, forward and backward. It needs a CUDA device.

The products that do not depend on the recurrence are PyTorch's, over all T·B rows. Triton comes with PyTorch for CUDA.
"""

import torch

from impls.api import IEEE, TF32, NotInstalled, Prepared, Problem, Unsupported, Weights, current
from impls.families.torch import device_of, prepare_module
from impls.families.torch_recurrence import Loops, RecurrentLSTM

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
DTYPES = ("float32", "bfloat16", "float16")
OPTIONAL = True


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    target = device_of(device)
    if problem.seq_len * problem.batch * 4 * problem.hidden_size >= 2**31:
        raise Unsupported("its kernels count numbers in 32 bits")
    try:
        from impls.families.triton_recurrence import Launcher, divide
    except ImportError as error:
        raise NotInstalled(f"Triton, which comes with PyTorch for CUDA: {error}") from None
    # Triton's interpreter, which tests use, runs one program after the other
    together = target.type == "cuda"
    most = torch.cuda.get_device_properties(target).multi_processor_count if together else problem.batch * 1024
    programs = divide(problem.batch, problem.hidden_size, most)
    if programs is None:
        raise Unsupported(f"its programs wait for each other, and this GPU can only run {most} at a time")
    launcher = Launcher(programs, TF32 if current() == TF32 else IEEE, together)
    loops = Loops(launcher.forward, launcher.backward)
    return prepare_module(problem, weights, device, workload, lambda sizes: RecurrentLSTM(sizes, loops))
