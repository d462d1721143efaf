"""FlashRNN's backend "vanilla": a Python loop, whose gradients are PyTorch's own."""

import functools

from impls.families.flashrnn import FlashRNN
from impls.families.torch import of_module

FRAMEWORK = "flashrnn"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
# it imports torch.utils.cpp_extension, which imports the last two
REQUIRES = ("flashrnn>=1.0.8", "torch>=2.9", "packaging>=24", "setuptools>=77")

prepare = of_module(functools.partial(FlashRNN, backend="vanilla"))
