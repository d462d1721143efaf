"""torch.nn.LSTM in another form, as it is deployed: made into a program at its first call, which then does the work.

A program is what a maker such as torch.export gives: a function of the parameters and the inputs. It is made from the
sizes of the first call. Where the problem says so, the batch and the number of steps are marked as dynamic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from impls.api import Prepare, Prepared, Problem, Weights
from impls.families.torch import FlatLSTM, prepare_module

Tensors = tuple[Tensor, ...]
Program = Callable[[dict[str, Tensor], Tensors], Any]
"""(the parameters by name, the inputs) → output, h_n, c_n."""
Maker = Callable[[Problem, nn.Module, Tensors], Program]
"""Makes the program of a module, in its present mode, from example inputs."""


class Shared(dict[Any, Any]):
    """A dictionary that all copies of a module share."""

    def __deepcopy__(self, _: Any) -> Shared:
        return self


class Quantized(nn.Module):
    """A module that has the quantized nn.LSTM of a FlatLSTM, as a user's has."""

    def __init__(self, lstm: FlatLSTM) -> None:
        super().__init__()
        self.lstm = lstm.run.__self__  # type: ignore[attr-defined]

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> Tensors:
        output, (h_n, c_n) = self.lstm(x, (h0, c0))
        return output, h_n, c_n


class Unquantized(FlatLSTM):
    """A FlatLSTM that keeps its numbers in int8 too, since the runtime quantizes them."""

    def quantize(self) -> None:
        pass


class ProgramLSTM(nn.Module):
    """An nn.LSTM of which a maker makes a program for training and one for inference, each at the first call."""

    def __init__(self, problem: Problem, make: Maker, lstm: FlatLSTM) -> None:
        super().__init__()
        self.problem = problem
        self.make = make
        self.lstm = lstm
        self.programs = Shared()

    def forward(self, *given: Tensor) -> Any:
        module: nn.Module = self.lstm
        if self.problem.dtype == "int8" and not isinstance(module, Unquantized):
            module = Quantized(self.lstm)
        mode = (self.training, self.lstm.dropout)
        if mode not in self.programs:
            example = tuple(tensor.detach() for tensor in given)
            self.programs[mode] = self.make(self.problem, module, example)
        return self.programs[mode](dict(module.named_parameters()), given)


def of_maker(make: Maker, trains: bool, lstm: type[FlatLSTM] = FlatLSTM) -> Prepare:
    """Return the `prepare` of an implementation whose programs a maker makes of a kind of FlatLSTM.

    Without `trains` it has inference alone.
    """

    def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
        prepared = prepare_module(
            problem,
            weights,
            device,
            workload,
            build=lambda problem: ProgramLSTM(problem, make, lstm(problem)),
            names=lambda name: f"lstm.{name}",
            inference=torch.no_grad,
        )
        if trains:
            return prepared
        return dataclasses.replace(prepared, forward_train=None, backward=None, train_step=None)

    return prepare


def dynamic_axes(problem: Problem, given: Tensors) -> list[dict[int, str]]:
    """Return for each input the names of its axes that vary, by axis: `batch`, `seq_len`."""
    time, batch = (1, 0) if problem.batch_first else (0, 1)
    of_x = {}
    of_state = {}
    if problem.any_length:
        of_x[time] = "seq_len"
    if problem.any_batch:
        of_x[batch] = "batch"
        of_state[1] = "batch"
    of_lengths = {0: "batch"} if problem.any_batch else {}
    return [of_x, of_state, of_state, of_lengths][: len(given)]


def dynamic_shapes(problem: Problem, given: Tensors) -> Any:
    """Return what torch.export calls `dynamic_shapes` of FlatLSTM's arguments; None where nothing varies."""
    if not (problem.any_batch or problem.any_length):
        return None
    x, h0, c0, *extra = (dict.fromkeys(axes, Dim.DYNAMIC) for axes in dynamic_axes(problem, given))
    named: dict[str, Any] = {"x": x, "h0": h0, "c0": c0}
    if extra:
        named["extra"] = tuple(extra)
    return named


def exported(problem: Problem, module: nn.Module, example: Tensors) -> torch.export.ExportedProgram:
    """Return torch.export's program of a module in its present mode."""
    return torch.export.export(module, example, dynamic_shapes=dynamic_shapes(problem, example))
