"""How an implementation stores the LSTM's parameters where they are not torch.nn.LSTM's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.core.weights import Array, Weights

Params = Any
"""A tree of arrays in the implementation's own layout."""


@dataclass(frozen=True)
class Layout:
    """How an implementation stores the LSTM's parameters, and how to read them back.

    encode  canonical weights → own parameters
    decode  own parameters, or gradients in their layout → canonical names; a single bias that stands for two
            gets the name of bias_ih
    rates   where a single bias stands for two: own parameters → the factor on each parameter's learning rate. It
            is 2 for that bias, since a step moves both biases
    """

    encode: Callable[[Weights], Params]
    decode: Callable[[Params], dict[str, Array]]
    rates: Callable[[Params], Params] | None = None

    def gradients(self, grads: Params) -> dict[str, Array]:
        """Return the gradients by canonical name; that of a single bias is reported for both."""
        named = self.decode(grads)
        return named | {n.replace("bias_ih", "bias_hh"): v for n, v in named.items() if self.rates and "bias_ih" in n}

    def params(self, params: Params, start: Weights) -> dict[str, Array]:
        """Return the parameters by canonical name. A single bias is split: both biases moved equally from `start`."""
        named = self.decode(params)
        for name in [name for name in named if self.rates and "bias_ih" in name]:
            other = name.replace("bias_ih", "bias_hh")
            moved = (np.asarray(named[name], np.float64) - start[name] - start[other]) / 2
            named[name], named[other] = start[name] + moved, start[other] + moved
        return named


CANONICAL = Layout(encode=dict, decode=dict)
"""Parameters as they are: names, shapes and both biases of torch.nn.LSTM."""


def _turned(params: Any) -> dict[str, Array]:
    return {name: np.asarray(value).T if name.startswith("weight") else value for name, value in params.items()}


KERNELS = Layout(encode=_turned, decode=_turned)
"""Names and both biases of torch.nn.LSTM, but kernels (I, 4H) and (H, 4H), as JAX's own layers have them."""
