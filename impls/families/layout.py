"""How an implementation stores the LSTM's parameters where they are not torch.nn.LSTM's."""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.api import MODELS, Array, Weights, result_names

Params = Any
"""A tree of arrays in the implementation's own layout: dictionaries in dictionaries."""


class Layout:
    """Names, shapes and both biases of torch.nn.LSTM. A subclass says how own parameters differ."""

    single_bias: str | None = None
    """Where a single bias stands for torch's two: the name that it has in own parameters."""

    def encode(self, weights: Weights) -> Params:
        """Turn canonical weights into own parameters."""
        return dict(weights)

    def decode(self, params: Params) -> dict[str, Array]:
        """Turn own parameters, or gradients in their layout, into canonical arrays; a single bias is named bias_ih."""
        return dict(params)

    def rates(self, params: Params) -> Params:
        """Return the factors on the learning rate: 2 for a single bias, since a step of SGD moves both biases."""
        return {
            name: self.rates(own) if isinstance(own, dict) else 2.0 if name == self.single_bias else 1.0
            for name, own in params.items()
        }

    def gradients(self, grads: Params) -> dict[str, Array]:
        """Return the gradients by canonical name; that of a single bias is the gradient of both."""
        named = self.decode(grads)
        biases = [name for name in named if self.single_bias and "bias_ih" in name]
        return named | {name.replace("bias_ih", "bias_hh"): named[name] for name in biases}

    def params(self, params: Params, start: Weights) -> dict[str, Array]:
        """Return the parameters by canonical name. A single bias is split: both biases moved equally from `start`."""
        named = self.decode(params)
        for name in [name for name in named if self.single_bias and "bias_ih" in name]:
            other = name.replace("bias_ih", "bias_hh")
            moved = (np.asarray(named[name], np.float64) - start[name] - start[other]) / 2
            named[name], named[other] = start[name] + moved, start[other] + moved
        return named

    def results(self, workload: str, mode: str, result: Any, start: Weights) -> dict[str, Any]:
        """Return by canonical name what a mode returned.

        That is (outputs,), (gradients,) or both. Outputs are output, h_n and c_n; gradients are a tree in this layout,
        then those of x, h0 and c0. For MODELS it is (prediction,), (loss, prediction), (gradients,) or (loss,
        parameters): the trees have this layout under `lstm`, and fc.weight and fc.bias under `fc`.
        """
        if workload in MODELS:
            *values, last = result
            if mode == "backward":
                named = {**self.gradients(last["lstm"]), **last["fc"]}
            elif mode == "train_step":
                named = {**self.params(last["lstm"], start), **last["fc"]}
            values += [named[name] for name in start] if mode in ("backward", "train_step") else [last]
        else:
            values = [] if mode == "backward" else [*result[0]]
            if mode in ("backward", "train_step"):
                of_params, *of_inputs = result[-1]
                named = self.gradients(of_params)
                values += [*(named[name] for name in start), *of_inputs]
        return dict(zip(result_names(workload, mode, start), values, strict=True))


class Kernels(Layout):
    """Names and both biases of torch.nn.LSTM, but kernels (I, 4H) and (H, 4H), as JAX's own layers have them."""

    def encode(self, weights: Weights) -> Params:
        """Turn the weights round."""
        return {name: np.asarray(value).T if name.startswith("weight") else value for name, value in weights.items()}

    decode = encode  # type: ignore[assignment]


class SingleBias(Layout):
    """By suffix: the input kernel (I, 4H), the recurrent kernel (H, 4H) and, where there is one, a bias (4H,).

    Gates stay in the order i, f, g, o. The bias is the sum of the two.

    Args:
        kernel, recurrent: the names of the kernels.
        transposed: false where they are (4H, I) and (4H, H), as torch.nn.LSTM has them.
    """

    single_bias = "bias"

    def __init__(self, kernel: str, recurrent: str, transposed: bool = True) -> None:
        self.kernel, self.recurrent, self.transposed = kernel, recurrent, transposed

    def encode(self, weights: Weights) -> Params:
        """Turn canonical weights into own parameters."""
        params: Params = {}
        for name, value in weights.items():
            kind, suffix = name.split("_l", 1)
            own = params.setdefault(f"l{suffix}", {})
            if kind.startswith("weight"):
                own[self.kernel if kind == "weight_ih" else self.recurrent] = self._turned(value)
            else:
                own["bias"] = own.get("bias", 0.0) + value
        return params

    def decode(self, params: Params) -> dict[str, Array]:
        """Turn own parameters, or gradients in their layout, into canonical arrays; the bias is named bias_ih."""
        arrays = {}
        for suffix, own in params.items():
            arrays[f"weight_ih_{suffix}"] = self._turned(np.asarray(own[self.kernel]))
            arrays[f"weight_hh_{suffix}"] = self._turned(np.asarray(own[self.recurrent]))
            if "bias" in own:
                arrays[f"bias_ih_{suffix}"] = np.asarray(own["bias"])
        return arrays

    def _turned(self, array: Array) -> Array:
        return array.T if self.transposed else array


CANONICAL = Layout()
KERNELS = Kernels()
