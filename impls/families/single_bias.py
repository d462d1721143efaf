"""Parameters of frameworks with transposed kernels and a single bias in place of bias_ih and bias_hh.

Gates stay in the order i, f, g, o. The single bias is the sum of the two, and its gradient is the gradient of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.core.weights import Array, Weights

Params = dict[str, dict[str, Any]]
"""By suffix: the input kernel (I, 4H), the recurrent kernel (H, 4H) and, where the problem has it, bias (4H,).

The kernels are (4H, I) and (4H, H) where they are not transposed.
"""


@dataclass(frozen=True)
class SingleBias:
    """A framework's names of its input kernel and its recurrent kernel, and whether they are transposed."""

    kernel: str
    recurrent: str
    transposed: bool = True

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

    def rates(self, params: Params) -> Params:
        """Return the factors on the learning rate: 2 for the single bias, since a step moves both biases."""
        return {suffix: {name: 2.0 if name == "bias" else 1.0 for name in own} for suffix, own in params.items()}
