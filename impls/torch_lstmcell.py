"""torch.nn.LSTMCell in a Python loop over time steps."""

from torch import nn

from impls.api import Problem
from impls.families.torch import CellLSTM, of_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
WORKLOADS = ("cell", "sequence", "model", "stream")
VARIANTS = ("lengths", "batch_first", "dropout", "resets")


def build(problem: Problem) -> CellLSTM:
    """Return an nn.LSTMCell for each layer and direction."""
    return CellLSTM(problem, lambda width: nn.LSTMCell(width, problem.hidden_size, bias=problem.bias))


def own_name(name: str) -> str:
    """Return this module's name of a parameter: weight_ih_l0 is cells.l0.weight_ih."""
    kind, _, suffix = name.partition("_l")
    return f"cells.l{suffix}.{kind}"


prepare = of_module(build, names=own_name)
