"""The custom cell as a torch.autograd.Function: a hand-written backward, weight gradients batched over time."""

from impls.families.torch import of_module
from impls.families.torch_recurrence import RecurrentLSTM

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")

prepare = of_module(RecurrentLSTM)
