"""The custom cell under torch.jit.script, the loop over time steps inside, as PyTorch's benchmark fastrnns has it.

forward runs under no_grad: under inference_mode, TorchScript's autodiff fails with "Inference tensors cannot be saved
for backward".
"""

import warnings

import torch

from impls.families.torch import LoopedLSTM, of_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True

with warnings.catch_warnings():
    # torch.jit.script is deprecated, by a FutureWarning in torch 2.15; people still use it
    warnings.simplefilter("ignore")
    scripted = torch.jit.script(LoopedLSTM.loop)


class ScriptLSTM(LoopedLSTM):
    """Each direction of each layer is a scripted loop."""

    loop = staticmethod(scripted)


prepare = of_module(ScriptLSTM, inference=torch.no_grad)
