"""What every PyTorch implementation shares: loading, the four modes, and the model around the LSTM.

An implementation brings an nn.Module whose forward takes x (T, B, I), h0 and c0 (L·D, B, H) and returns
output (T, B, D·H), h_n and c_n (L·D, B, H), and gives the names of its parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch._dynamo  # otherwise the first backward or an optimizer imports it, and its first call takes a second more
from torch import Tensor, nn
from torch.nn import functional

from impls.core.contract import LEARNING_RATE, Prepared, Unsupported
from impls.core.problem import Problem
from impls.core.weights import OUTPUT_SIZE, Array, Inputs, Weights, layers

Names = Mapping[str, str]
"""Canonical name → the module's own name of that parameter."""

Layer = Callable[[str, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""(suffix, x (T, B, ·), h (B, H), c (B, H)) → output (T, B, H), h, c: one direction of one layer."""


def stack(problem: Problem, layer: Layer, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run every layer and direction, and join their outputs as torch.nn.LSTM does."""
    last_h, last_c, outputs = [], [], []
    for k, (_, suffix, _) in enumerate(layers(problem)):
        reverse = suffix.endswith("_reverse")
        output, h, c = layer(suffix, x.flip(0) if reverse else x, h0[k], c0[k])
        outputs.append(output.flip(0) if reverse else output)
        last_h.append(h)
        last_c.append(c)
        if len(outputs) == problem.directions:
            x = torch.cat(outputs, dim=2) if problem.bidirectional else outputs[0]
            outputs = []
    return x, torch.stack(last_h), torch.stack(last_c)


class CanonicalLSTM(nn.Module):
    """An LSTM whose parameters have torch.nn.LSTM's names and shapes; a subclass computes one layer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        gates = 4 * problem.hidden_size
        for _, suffix, width in layers(problem):
            self.register_parameter(f"weight_ih_{suffix}", nn.Parameter(torch.empty(gates, width)))
            self.register_parameter(f"weight_hh_{suffix}", nn.Parameter(torch.empty(gates, problem.hidden_size)))
            if problem.bias:
                self.register_parameter(f"bias_ih_{suffix}", nn.Parameter(torch.empty(gates)))
                self.register_parameter(f"bias_hh_{suffix}", nn.Parameter(torch.empty(gates)))

    def weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return weight_ih, weight_hh, bias_ih, bias_hh of one direction of one layer; biases may be None."""
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple(getattr(self, f"{kind}_{suffix}", None) for kind in kinds)  # type: ignore[return-value]

    def summed_bias(self, suffix: str) -> Tensor | None:
        """Return bias_ih + bias_hh (4H,) of one direction of one layer; None without a bias."""
        _, _, bias_ih, bias_hh = self.weights(suffix)
        return None if bias_ih is None or bias_hh is None else bias_ih + bias_hh

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One direction of one layer: x (T, B, ·), h and c (B, H) → output (T, B, H), h, c."""
        raise NotImplementedError

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0)


class CellLSTM(nn.Module):
    """A module for one step, such as nn.LSTMCell, in a Python loop: x (T, B, I) → output (T, B, D·H), h_n, c_n."""

    def __init__(self, problem: Problem, make_cell: Callable[[int], nn.Module]) -> None:
        """`make_cell` gets the width of a layer's input."""
        super().__init__()
        self.problem = problem
        self.cells = nn.ModuleDict({suffix: make_cell(width) for _, suffix, width in layers(problem)})

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cell, outputs = self.cells[suffix], []
        for x_t in x.unbind(0):
            h, c = cell(x_t, (h, c))
            outputs.append(h)
        return torch.stack(outputs), h, c

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0)


class Model(nn.Module):
    """The notebook's model around any LSTM: a linear layer on the last hidden state, zero initial states."""

    def __init__(self, problem: Problem, lstm: nn.Module) -> None:
        super().__init__()
        self.problem = problem
        self.lstm = lstm
        self.fc = nn.Linear(problem.directions * problem.hidden_size, OUTPUT_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """x (T, B, I) → prediction (B, O)."""
        states = self.problem.num_layers * self.problem.directions, x.shape[1], self.problem.hidden_size
        zeros = x.new_zeros(states)
        h_n = self.lstm(x, zeros, zeros)[1]
        return self.fc(torch.cat(tuple(h_n[-self.problem.directions :]), dim=1))  # type: ignore[no-any-return]


@dataclass
class State:
    """Inputs on the device, a copy of the module, and what forward_train kept."""

    module: nn.Module
    x: Tensor
    h0: Tensor
    c0: Tensor
    cotangents: tuple[Tensor, ...]
    target: Tensor
    leaves: list[Tensor]
    optimizer: torch.optim.Optimizer | None = None
    kept: tuple[Tensor, ...] = field(default_factory=tuple)


def device_of(device: str) -> torch.device:
    """Return the device of a name.

    Raises:
        Unsupported: where there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise Unsupported("no CUDA device")
    return torch.device(device)


def wait_for(device: torch.device) -> Callable[[], None]:
    """Return a function that blocks until the device is done; on a CPU it returns at once."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def prepare_module(
    problem: Problem,
    weights: Weights,
    device: str,
    workload: str,
    build: Callable[[Problem], nn.Module],
    names: Names | None = None,
    build_model: Callable[[Problem], nn.Module] | None = None,
) -> Prepared:
    """Return the Prepared of the nn.Module that `build(problem)` gives.

    Args:
        problem, weights, device, workload: as the contract has them.
        build: makes the module.
        names: canonical names → the module's own, where they differ.
        build_model: makes the whole model of the `model` workload, where that is not `Model` around the LSTM. Its names
            then start at its root.

    Raises:
        Unsupported: where there is no such device.
    """
    target, dtype = device_of(device), getattr(torch, problem.dtype)
    is_model = workload == "model"
    with torch.device("meta"):
        module = build(problem) if not is_model else (build_model or (lambda p: Model(p, build(p))))(problem)
    prefix = "lstm." if is_model and build_model is None else ""
    own = {
        name: name if name.startswith("fc.") else prefix + (names[name] if names is not None else name)
        for name in weights
    }
    module.load_state_dict({own[name]: _tensor(value, dtype, target) for name, value in weights.items()}, assign=True)
    module.to(target)
    wait = wait_for(target)
    modes = _model_modes(wait) if is_model else _sequence_modes(wait)

    def load(inputs: Inputs) -> State:
        copied = copy.deepcopy(module)
        for part in copied.modules():
            if isinstance(part, nn.RNNBase):
                part.flatten_parameters()
        params = dict(copied.named_parameters())
        for parameter in params.values():
            parameter.requires_grad_(True)
        ordered: list[Tensor] = [params[own[name]] for name in weights]
        x, h0, c0 = (_tensor(getattr(inputs, name), dtype, target) for name in ("x", "h0", "c0"))
        if is_model:
            optimizer = torch.optim.SGD(copied.parameters(), lr=LEARNING_RATE)
            leaves = ordered
        else:
            optimizer = None
            leaves = ordered + [tensor.requires_grad_(True) for tensor in (x, h0, c0)]
        cotangents = tuple(_tensor(getattr(inputs, name), dtype, target) for name in ("d_output", "d_h_n", "d_c_n"))
        return State(copied, x, h0, c0, cotangents, _tensor(inputs.target, dtype, target), leaves, optimizer)

    grad_names = [f"grad_{name}" for name in (weights if is_model else (*weights, "x", "h0", "c0"))]

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        return _named(result_names(workload, mode, list(weights), grad_names), result)

    return Prepared(load=load, to_numpy=to_numpy, **modes)


def result_names(workload: str, mode: str, weights: list[str], grads: list[str]) -> list[str]:
    """Return the canonical names of a mode's results, in the order in which the mode returns them."""
    if workload == "model":
        return {
            "forward": ["prediction"],
            "forward_train": ["loss", "prediction"],
            "backward": grads,
            "train_step": ["loss", *(f"param_{name}" for name in weights)],
        }[mode]
    outputs = ["output", "h_n", "c_n"]
    return {"forward": outputs, "forward_train": outputs, "backward": grads, "train_step": outputs + grads}[mode]


def _named(names: list[str], result: tuple[Tensor, ...]) -> dict[str, Array]:
    if len(names) != len(result):
        raise ValueError(f"{len(result)} results; wanted: {', '.join(names)}")
    # copied: a train_step returns the live parameters, which the next step changes
    return {
        name: np.array(tensor.detach().cpu().numpy(), np.float64) for name, tensor in zip(names, result, strict=True)
    }


def _tensor(array: Array, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=dtype, device=device)


def set_training(module: nn.Module, training: bool) -> None:
    """Put a module into training or evaluation mode, where it is not in it already: the call takes time."""
    if module.training != training:
        module.train(training)


def _sequence_modes(wait: Callable[[], None]) -> dict[str, Callable[[State], Any]]:
    def forward(state: State) -> tuple[Tensor, ...]:
        set_training(state.module, False)
        with torch.inference_mode():
            result = state.module(state.x, state.h0, state.c0)
        wait()
        return result  # type: ignore[no-any-return]

    def forward_train(state: State) -> tuple[Tensor, ...]:
        set_training(state.module, True)
        state.kept = state.module(state.x, state.h0, state.c0)
        wait()
        return state.kept

    def backward(state: State) -> tuple[Tensor, ...]:
        grads = torch.autograd.grad(state.kept, state.leaves, state.cotangents, retain_graph=True)
        wait()
        return grads

    def train_step(state: State) -> tuple[Tensor, ...]:
        set_training(state.module, True)
        result = state.module(state.x, state.h0, state.c0)
        grads = torch.autograd.grad(result, state.leaves, state.cotangents)
        wait()
        return (*result, *grads)

    return {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}


def _model_modes(wait: Callable[[], None]) -> dict[str, Callable[[State], Any]]:
    def forward(state: State) -> tuple[Tensor, ...]:
        set_training(state.module, False)
        with torch.inference_mode():
            result = state.module(state.x)
        wait()
        return (result,)

    def forward_train(state: State) -> tuple[Tensor, ...]:
        set_training(state.module, True)
        prediction = state.module(state.x)
        state.kept = (functional.mse_loss(prediction, state.target), prediction)
        wait()
        return state.kept

    def backward(state: State) -> tuple[Tensor, ...]:
        grads = torch.autograd.grad(state.kept[0], state.leaves, retain_graph=True)
        wait()
        return grads

    def train_step(state: State) -> tuple[Tensor, ...]:
        assert state.optimizer is not None
        set_training(state.module, True)
        state.optimizer.zero_grad()
        loss = functional.mse_loss(state.module(state.x), state.target)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        wait()
        return (loss, *state.leaves)

    return {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}
