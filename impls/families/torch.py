"""What every PyTorch implementation shares: loading, and the four modes.

An implementation brings an nn.Module whose forward takes x (T, B, I), h0 and c0 (L·D, B, H) and returns
output (T, B, D·H), h_n and c_n (L·D, B, H).
"""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch._dynamo  # otherwise the first backward or an optimizer imports it, and its first call takes a second more
from torch import Tensor, nn
from torch.nn import functional

from impls.api import (
    ADAM_RATE,
    BETAS,
    EPSILON,
    LEARNING_RATE,
    MAX_NORM,
    MODELS,
    MODES_OF,
    TF32,
    Array,
    Inputs,
    NoDevice,
    Prepare,
    Prepared,
    Problem,
    Unsupported,
    Weights,
    current,
    result_names,
    swapped,
)
from impls.families.torch_modules import CanonicalLSTM, CellLSTM, FlatLSTM, HoistedLSTM, LoopedLSTM, Model

__all__ = ["CanonicalLSTM", "CellLSTM", "FlatLSTM", "HoistedLSTM", "LoopedLSTM", "Model", "of_module", "prepare_module"]


@dataclass
class State:
    """A copy of the module, what it is called with, on the device, and what forward_train kept.

    `plain` is what inference gets: the same tensors without requires_grad. Of a stream, x comes from `steps`, again and
    again, and h and c are those of the last call. nn.LSTM under torch.compile is
    unrolled over all time steps where one is asked, and calls oneDNN's LSTM where none is.
    """

    module: nn.Module
    given: tuple[Tensor, ...]
    plain: tuple[Tensor, ...]
    cotangents: tuple[Tensor, ...]
    targets: Iterator[Tensor]
    leaves: list[Tensor]
    steps: Iterator[Tensor]
    optimizer: torch.optim.Optimizer | None = None
    kept: tuple[Tensor, ...] = field(default_factory=tuple)
    computing: Callable[[], Any] = contextlib.nullcontext

    def call(self, given: tuple[Tensor, ...], training: bool) -> Any:
        """Call the module in training or evaluation mode, under autocast where the problem says so."""
        if self.module.training != training:  # to set it takes time
            self.module.train(training)
        with self.computing():
            return self.module(*given)


def device_of(device: str) -> torch.device:
    """Return the device of a name.

    Raises:
        NoDevice: where PyTorch does not see it.
    """
    if device == "cuda" and not torch.cuda.is_available():
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]
        except (AssertionError, RuntimeError) as error:
            raise NoDevice(f"PyTorch sees no CUDA device: {error}") from None
        raise NoDevice("PyTorch sees no CUDA device")
    if device == "cuda":
        set_precision(current())
    return torch.device(device)


def check_quantizes(problem: Problem, device: torch.device) -> None:
    """See that PyTorch can compute a problem in int8.

    Raises:
        Unsupported: where it can't.
    """
    if problem.proj_size or device.type != "cpu":
        raise Unsupported("PyTorch quantizes an LSTM for the CPU only, and none that projects h")
    if not hasattr(torch.ao, "quantization") or not hasattr(torch.ao.quantization, "quantize_dynamic"):
        raise Unsupported(f"torch {torch.__version__} has no torch.ao.quantization.quantize_dynamic")


def set_precision(precision: str) -> None:
    """Have CUDA's products and cuDNN's LSTM compute in a precision, and read it back.

    By default cuDNN's LSTM takes TF32, and the setting for all of PyTorch does not reach it (pytorch#179445).

    Raises:
        RuntimeError: where PyTorch did not take the setting.
    """
    torch.set_float32_matmul_precision(
        "high" if precision == TF32 else "highest"
    )  # else torch.compile sees two settings
    backends = torch.backends
    parts: dict[str, Any] = {"cuda.matmul": backends.cuda.matmul, "cudnn.rnn": backends.cudnn.rnn}
    for name, part in parts.items():
        if part.fp32_precision != precision:
            part.fp32_precision = precision
        if part.fp32_precision != precision:
            raise RuntimeError(f"torch.backends.{name}.fp32_precision stays {part.fp32_precision}")


def settle_compiler() -> None:
    """Let torch.compile recompile for each problem, and never fall back to eager silently."""
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1024
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # a silent fallback to eager would be timed
    torch._functorch.config.donated_buffer = False  # `backward` is called again on the same graph. All modes get it


def wait_for(device: torch.device) -> Callable[[], None]:
    """Return a function that blocks until the device is done; on a CPU it returns at once."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def prepare_module(
    problem: Problem,
    weights: Weights,
    device: str,
    workload: str,
    build: Callable[[Problem], nn.Module],
    names: Callable[[str], str] = str,
    inference: Callable[[], Any] = torch.inference_mode,
) -> Prepared:
    """Return the Prepared of the nn.Module that `build(problem)` gives.

    Args:
        build: makes the module.
        names: a parameter's canonical name → the module's own.
        inference: the context in which `forward` runs.

    Raises:
        NoDevice: where PyTorch does not see the device.
    """
    target, dtype = device_of(device), getattr(torch, problem.stored)
    is_model = workload in MODELS
    with torch.device("meta"):
        module = Model(problem, build(problem)) if is_model else build(problem)
    prefix = "lstm." if is_model else ""
    own = {name: name if name.startswith("fc.") else prefix + names(name) for name in weights}
    module.load_state_dict({own[name]: _tensor(value, dtype, target) for name, value in weights.items()}, assign=True)
    module.to(target)
    if problem.dtype == "int8":
        check_quantizes(problem, target)
    modes_of = _stream if workload == "stream" else functools.partial(_modes, workload)
    by_step = workload == "stream" and isinstance(module, CellLSTM)
    modes, submitted = (modes_of(waits, inference) for waits in (wait_for(target), lambda: None))
    if problem.dtype == "int8":
        modes = {"forward": modes["forward"]}

    def load(inputs: Inputs) -> State:
        copied = copy.deepcopy(module)
        for part in copied.modules():
            if isinstance(part, nn.RNNBase):
                part.flatten_parameters()
            if isinstance(part, nn.RNNBase | CellLSTM):
                part.dropout = inputs.dropout
            if isinstance(part, FlatLSTM) and problem.dtype == "int8":
                part.quantize()
        params = dict(copied.named_parameters())
        for parameter in params.values():
            parameter.requires_grad_(True)
        ordered: list[Tensor] = [params[own[name]] for name in weights]
        x, h0, c0, *cotangents = (
            _tensor(swapped(problem, name, getattr(inputs, name)), dtype, target)
            for name in ("x", "h0", "c0", "d_output", "d_h_n", "d_c_n")
        )
        leaves = ordered if is_model else ordered + [tensor.requires_grad_(True) for tensor in (x, h0, c0)]
        optimizer: torch.optim.Optimizer | None = None
        if workload == "model":
            optimizer = torch.optim.SGD(copied.parameters(), lr=LEARNING_RATE)
        elif workload == "train":
            optimizer = torch.optim.Adam(copied.parameters(), lr=ADAM_RATE, betas=BETAS, eps=EPSILON)
        given: tuple[Tensor, ...] = (x,) if is_model else (x, h0, c0)
        if inputs.extra is not None:
            given += (torch.tensor(inputs.extra),)  # on the CPU, where pack_padded_sequence wants lengths
        plain = tuple(tensor.detach() for tensor in given)
        targets = itertools.cycle([_tensor(each, dtype, target) for each in inputs.targets(workload)])
        steps = itertools.cycle(plain[0].split(1))
        if by_step:
            copied.forward, steps = copied.step, itertools.cycle(plain[0])  # type: ignore[assignment]
            plain = tuple(tensor.unbind(0) for tensor in plain)  # type: ignore[misc]
        state = State(copied, given, plain, tuple(cotangents), targets, leaves, steps, optimizer)
        if problem.dtype == "autocast":
            state.computing = functools.partial(torch.autocast, target.type, torch.bfloat16)
        return state

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        if by_step:
            result = map(torch.stack, ([result[0]], *result[1:]))
        named = zip(result_names(workload, mode, weights), result, strict=True)
        # copied: a train_step returns the live parameters, which the next step changes
        return {
            name: np.array(swapped(problem, name, tensor.detach().cpu().to(torch.float64).numpy()))
            for name, tensor in named
        }

    return Prepared(load=load, to_numpy=to_numpy, submit=submitted.__getitem__, **modes)


def of_module(build: Callable[[Problem], nn.Module], **options: Any) -> Prepare:
    """Return the `prepare` of an nn.Module that `build(problem)` gives; the options are those of prepare_module."""
    return functools.partial(prepare_module, build=build, **options)


def _tensor(array: Array, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=dtype, device=device)


def _stream(wait: Callable[[], None], inference: Callable[[], Any]) -> dict[str, Callable[[State], Any]]:
    def forward(state: State) -> tuple[Tensor, ...]:
        with inference():
            state.plain = state.call((next(state.steps), *state.plain[1:]), training=False)
        wait()
        return state.plain

    return {"forward": forward}


def _modes(workload: str, wait: Callable[[], None], inference: Callable[[], Any]) -> dict[str, Callable[[State], Any]]:
    is_model = workload in MODELS

    def forward(state: State) -> tuple[Tensor, ...]:
        with inference():
            result = state.call(state.plain, training=False)
        wait()
        return (result,) if is_model else result

    def forward_train(state: State) -> tuple[Tensor, ...]:
        state.kept = ()  # its memory can be used again
        result = state.call(state.given, training=True)
        state.kept = (functional.mse_loss(result, next(state.targets)), result) if is_model else result
        wait()
        return state.kept

    def backward(state: State) -> tuple[Tensor, ...]:
        outputs, cotangents = (state.kept[0], None) if is_model else (state.kept, state.cotangents)
        grads = torch.autograd.grad(outputs, state.leaves, cotangents, retain_graph=True)
        wait()
        return grads

    def train_sequence(state: State) -> tuple[Tensor, ...]:
        result = state.call(state.given, training=True)
        grads = torch.autograd.grad(result, state.leaves, state.cotangents)
        wait()
        return (*result, *grads)

    def train_model(state: State) -> tuple[Tensor, ...]:
        assert state.optimizer is not None
        state.optimizer.zero_grad()
        loss = functional.mse_loss(state.call(state.given, training=True), next(state.targets))
        loss.backward()  # type: ignore[no-untyped-call]
        if workload == "train":
            nn.utils.clip_grad_norm_(state.module.parameters(), MAX_NORM)
        state.optimizer.step()
        wait()
        return (loss, *state.leaves)

    train_step = train_model if is_model else train_sequence
    modes = {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}
    return {mode: modes[mode] for mode in MODES_OF[workload]}
