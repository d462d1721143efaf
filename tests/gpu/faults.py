"""What the planted files do: each is torch_cell with a fault, which the suite must refuse for the right reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from impls import torch_cell
from impls.core import registry
from impls.core.contract import Prepared
from impls.core.workloads import MODES
from impls.families.torch import device_of
from tests.helpers import simulated

FILE = """
from tests.gpu import faults

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)

def prepare(*given):
    return faults.{fault}(*given)
"""
SECONDS = 0.01
"""The work that a call leaves."""
USUAL_KILOHERTZ = 2.0e6
"""The clock of a GPU whose driver doesn't tell it."""


def plant(folder: Path, fault: str) -> registry.Implementation:
    """Write an implementation with a fault of this module to a folder."""
    path = folder / f"{fault}.py"
    path.write_text(FILE.format(fault=fault))
    return registry.read(path)


def no_wait(*given) -> Prepared:
    """It leaves work on the stream that its result is read from."""
    return leaving(given, SECONDS, before_reading=simulated.drain if given[2] == "cpu" else lambda: None)


def side_stream(*given) -> Prepared:
    """It leaves work on another stream: its result can be read before."""
    return leaving(given, SECONDS, beside=True)


def queued(*given) -> Prepared:
    """It leaves a second of work at each call. It takes turns, but is never admitted."""
    return leaving(given, 1.0)


def leaving(given, seconds: float, *, beside: bool = False, before_reading=lambda: None) -> Prepared:
    """Return torch_cell, which submits more work after each call, and waits for something before it is read."""
    prepared, submit = torch_cell.prepare(*given), submits(given[2], seconds, beside=beside)

    def later(call):
        def run(state):
            result = call(state)
            submit()
            return result

        return run

    def to_numpy(mode, result):
        before_reading()
        return prepared.to_numpy(mode, result)

    calls = {mode: later(call) for mode in MODES if (call := getattr(prepared, mode)) is not None}
    return dataclasses.replace(prepared, **calls, to_numpy=to_numpy)


def out_of_memory(*given) -> Prepared:
    """It asks for more memory than any device has."""
    torch.empty(2**50, dtype=torch.uint8, device=device_of(given[2]))
    raise AssertionError("a petabyte was given out")


def illegal_access(problem, weights, device, workload) -> Prepared:
    """It breaks CUDA for its process where the batch is 1. Its other rows must survive."""
    if problem.batch == 1:
        if device == "cpu":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        target = device_of(device)
        torch.zeros(1, device=target)[torch.full((1,), 2**30, device=target)].sum().item()
    return torch_cell.prepare(problem, weights, device, workload)


def tf32(*given) -> Prepared:
    """Its products get inputs with TF32's 10 bits, rounded by hand: the suite's variables forbid TF32 to cuBLAS."""
    with mock.patch.object(nn, "Linear", RoundedLinear):
        return torch_cell.prepare(*given)


class RoundedLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(rounded(x), rounded(self.weight), self.bias)


def rounded(tensor: Tensor) -> Tensor:
    """Return float32 numbers with 10 bits after the first; their gradient goes through unchanged."""
    bits = tensor.detach().contiguous().view(torch.int32)
    short = ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    return tensor + (short - tensor.detach())


def submits(device: str, seconds: float, *, beside: bool = False) -> Callable[[], None]:
    """Return what submits so many seconds of work, on the usual stream or on another, and returns at once."""
    if device == "cpu":
        simulated.install()
        return lambda: simulated.submit(seconds, stream=int(beside))
    stream = torch.cuda.Stream() if beside else torch.cuda.default_stream()
    kilohertz = getattr(torch.cuda.get_device_properties(0), "clock_rate", USUAL_KILOHERTZ)

    def submit() -> None:
        with torch.cuda.stream(stream):
            torch.cuda._sleep(int(seconds * 1e3 * kilohertz))

    return submit
