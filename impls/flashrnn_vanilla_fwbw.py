"""FlashRNN's backend "vanilla_fwbw": a Python loop forward, and one backward that is written by hand."""

import functools

from impls.families.flashrnn import FlashRNN
from impls.families.torch import of_module

FRAMEWORK = "flashrnn"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "bfloat16", "float16")
# it imports torch.utils.cpp_extension, which imports the last two
REQUIRES = ("flashrnn>=1.0.8", "torch>=2.9", "packaging>=24", "setuptools>=77")

prepare = of_module(functools.partial(FlashRNN, backend="vanilla_fwbw"))
