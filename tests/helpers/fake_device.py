"""PyTorch's implementations on a device that computes nothing, and what went wrong, as JSON.

PyTorch refuses an operator whose tensors are on two devices. In a process of its own: the device, once made, stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.utils import _pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.core.workloads import MODES
from impls.families import torch as family
from impls.families.torch import LoopedLSTM

COMPILED = ("torch_cell_compiled", "torch_lstm_compiled", "torch_lstm_dynamic", "torch_scan", "torch_triton")
GRAPHED = ("torch_cell_graphed", "torch_lstm_graphed")
"""They need a real device; what is under the graph is that of torch_cell and torch_lstm."""
CASES = (
    ("t3-b2-i5-h4", "sequence"),
    ("t3-b2-i5-h4-l2-bi", "sequence"),
    ("t4-b3-i5-h4-l2-bi-var", "sequence"),
    ("t4-b3-i5-h4-resets", "sequence"),
    ("t4-b3-i5-h4-l2-drop", "sequence"),
    ("t4-b3-i5-h4-first", "sequence"),
    ("t4-b3-i5-h4-p2", "sequence"),
    ("t3-b2-i5-h4", "cell"),
    ("t3-b2-i5-h4", "model"),
    ("t3-b2-i5-h4", "train"),
    ("t3-b2-i5-h4", "stream"),
    ("t3-b2-i5-h4-bfloat16", "sequence"),
)


class Astray(LoopedLSTM):
    """It makes a tensor on the CPU: the negative control."""

    def layer(self, suffix: str, x: Any, h: Any, c: Any) -> Any:
        output, h, c = super().layer(suffix, x, h, c)
        return output + torch.zeros(output.shape), h, c


def fault(prepare: Callable[..., Any], problem: Problem, workload: str, device: torch.device) -> str | None:
    """Return why a mode can't run there, or what of its result is elsewhere; None where PyTorch can't tell."""
    weights = make_weights(problem, workload)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            prepared = prepare(problem, weights, "cuda", workload)
            for mode in MODES:
                if getattr(prepared, mode) is None:
                    continue
                state = prepared.start(mode, make_inputs(problem, 1, timed=True))
                for leaf in _pytree.tree_leaves(prepared.call(mode)(state)):
                    if isinstance(leaf, torch.Tensor) and leaf.device != device:
                        return f"{mode} returns a tensor on {leaf.device}"
    except DynamicOutputShapeException:  # rows are packed, or resets looked for: not without numbers
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    """Print of each implementation and case what `fault` returns."""
    _setup_privateuseone_for_python_backend("card")
    device = torch.device("card:0")
    known = registry.catalogue().values()
    there = [each for each in known if each.framework == "torch" and "cuda" in each.devices]
    found = []
    with (
        mock.patch.object(family, "device_of", return_value=device),
        mock.patch.object(nn.Module, "to", lambda module, _: module),  # its parameters are there already
    ):
        text, workload = CASES[0]
        found.append(("astray", text, workload, fault(family.of_module(Astray), Problem.parse(text), workload, device)))
        for each in there:
            if each.name in (*COMPILED, *GRAPHED):
                continue
            for text, workload in CASES:
                problem = Problem.parse(text)
                if not each.lacks("cuda", problem, workload):
                    seen = fault(registry.load(each).prepare, problem, workload, device)
                    found.append((each.name, text, workload, seen))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
