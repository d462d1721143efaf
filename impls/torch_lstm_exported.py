"""torch.nn.LSTM through torch.export: its ExportedProgram's module, for inference and for training."""

from torch import nn
from torch.func import functional_call

from impls.api import Problem
from impls.families.torch_programs import Program, Tensors, exported, of_maker

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("sequence",)
VARIANTS = ("proj_size", "batch_first", "dropout")
FAILS = ("lengths", "int8")


def make(problem: Problem, module: nn.Module, example: Tensors) -> Program:
    """Return the program that torch.export makes; the parameters are those of each call."""
    runs = exported(problem, module, example).module()
    return lambda parameters, inputs: functional_call(runs, parameters, inputs)


prepare = of_maker(make, trains=True)
