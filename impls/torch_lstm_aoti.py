"""torch.nn.LSTM compiled ahead of time by AOTInductor, for inference: a package, which is loaded and called."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from impls.api import Problem
from impls.families.torch_programs import Program, Tensors, exported, of_maker

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("sequence",)
VARIANTS = ("proj_size", "batch_first", "dropout")
FAILS = ("lengths", "int8")
COMPILE_MINUTES = 10


def make(problem: Problem, module: nn.Module, example: Tensors) -> Program:
    """Return the package that AOTInductor makes; the parameters are its constants."""
    folder = Path(tempfile.mkdtemp())
    package = torch._inductor.aoti_compile_and_package(
        exported(problem, module, example), package_path=str(folder / "lstm.pt2")
    )
    runs = torch._inductor.aoti_load_package(package)
    return lambda _, inputs: tuple(runs(*inputs))


prepare = of_maker(make, trains=False)
