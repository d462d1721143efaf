"""What a negative control is given: a problem, weights and inputs, and the reference to compute them wrongly with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.judge import agreement
from impls.core import reference
from impls.core.problem import Problem
from impls.core.reference import Results
from impls.core.weights import Array, Inputs, Weights


@dataclass(frozen=True)
class Case:
    """What a control computes wrongly."""

    problem: Problem
    weights: Weights
    inputs: Inputs

    def run(self, weights: Weights | None = None, **inputs: Array | None) -> Results:
        """Return the reference's results, with some other weights or inputs."""
        changed = dataclasses.replace(self.inputs, **inputs)  # type: ignore[arg-type]
        return reference.run_sequence(self.problem, {**self.weights, **(weights or {})}, changed)

    def patched(self, **functions: Any) -> Results:
        """Return the results of a reference some of whose functions are others."""
        with np.errstate(all="ignore"), patch.multiple(reference, **functions):
            return self.run()

    def changed(self, name: str, change: Callable[[Array], Array]) -> Results:
        """Return the right results, but for a change of one tensor."""
        right = self.run()
        return {**right, name: change(right[name])}

    def scaled_below(self, limit: float, by: float) -> Results:
        """Return the right results, but for a factor of what is below a limit."""
        return {
            name: np.where(np.abs(value) < limit, by * value, value)
            for name, value in self.run().items()
        }

    def gradients_of(self, other: Results, part: str = "") -> Results:
        """Return the right results, but for the gradients that have this part in their names: those are of others."""
        return self.run() | {
            name: other[name] for name in other if name.startswith("grad_") and part in name
        }

    def alone(self, start: int) -> Results:
        """Return the results of the steps from `start` on alone, with zero states before them."""
        zero = np.zeros_like(self.inputs.h0)
        return self.run(x=self.inputs.x[start:], h0=zero, c0=zero)

    @property
    def inside(self) -> Array:
        """Where in x and output a row of the batch has not ended."""
        return reference.inside_of(self.inputs.x, self.inputs.lengths)

    @property
    def resets(self) -> Array:
        """Where a row starts anew."""
        assert self.inputs.resets is not None
        return self.inputs.resets

    @property
    def tolerance(self) -> float:
        """That of the problem's dtype."""
        return agreement.tolerance_of(self.problem.dtype)


Fault = Callable[[Case], Results]
"""What computes a case wrongly."""
