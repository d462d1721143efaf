"""Adam in NumPy float64, on gradients that are clipped: the reference of the workload `train`."""

import math
from collections.abc import Mapping

import numpy as np

from impls.core.contract import ADAM_RATE, BETAS, EPSILON, MAX_NORM
from impls.core.weights import Array, Weights


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1) on gradients whose global norm is clipped to MAX_NORM.

    sizes: by how much each number of the parameters would be off, to first order and at most, if in every step all
        gradients of its tensor were off by as much as the largest of them is: docs/decisions/0012.
    """

    def __init__(self, weights: Weights) -> None:
        zeros = {name: np.zeros_like(value) for name, value in weights.items()}
        self.steps = 0
        self.m = dict(zeros)
        self.v = dict(zeros)
        self.sizes = dict(zeros)
        self.largest = dict.fromkeys(weights, 0.0)

    def moves(self, grads: Mapping[str, Array]) -> dict[str, Array]:
        """Return by how much the next step makes each parameter smaller."""
        self.steps += 1
        moves = {}
        for name, grad in clipped(grads).items():
            self.m[name] = BETAS[0] * self.m[name] + (1 - BETAS[0]) * grad
            self.v[name] = BETAS[1] * self.v[name] + (1 - BETAS[1]) * grad**2
            root = root_of(self.v[name] / correction(BETAS[1], self.steps))
            share = self.m[name] / correction(BETAS[0], self.steps) / root
            self.largest[name] = max(self.largest[name], np.abs(grad).max())
            growth = ADAM_RATE * (1 + np.abs(share)) * self.largest[name] / root
            self.sizes[name] = self.sizes[name] + growth
            moves[name] = ADAM_RATE * share
        return moves


def clipped(grads: Mapping[str, Array]) -> dict[str, Array]:
    """Return gradients whose norm, as that of a single vector, is at most MAX_NORM."""
    norm = math.sqrt(sum(np.square(grad).sum() for grad in grads.values()))
    return {name: grad * MAX_NORM / max(MAX_NORM, norm) for name, grad in grads.items()}


def correction(beta: float, steps: int) -> float:
    """Return by what a mean of so many steps, which began at zero, is divided."""
    return 1 - beta**steps


def root_of(v: Array) -> Array:
    """Return by what Adam divides, from its mean of squared gradients."""
    root: Array = np.sqrt(v) + EPSILON
    return root
