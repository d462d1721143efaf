"""torch.nn.LSTM through torch.jit.trace, for inference and for training."""

import warnings

import torch
from torch import nn

from impls.api import Problem
from impls.families.torch_programs import Program, Tensors, of_maker

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast", "int8")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout")


def make(problem: Problem, module: nn.Module, example: Tensors) -> Program:
    """Return the trace of a module, which gets the parameters of each call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.jit is deprecated, and of numbers that a trace keeps
        traced = torch.jit.trace(module, example, check_trace=False)

    def run(parameters: dict[str, torch.Tensor], inputs: Tensors) -> Tensors:
        for name, parameter in parameters.items():
            setattr(traced, name, parameter)
        result: Tensors = traced(*inputs)
        return result

    return run


prepare = of_maker(make, trains=True)
