"""Negative controls of the variants of a problem: projection, batch first, dropout, resets. See controls.py."""

from __future__ import annotations

import numpy as np

from benchmarks.correctness.case import Case, Fault
from impls.core.problem import Problem
from impls.core.reference import Results


def dropped_anyway(case: Case) -> Results:
    """Something is dropped in inference too."""
    kept = np.arange(case.problem.hidden_size) % 2 / (1 - case.inputs.dropout)
    return case.run({"weight_ih_l1": case.weights["weight_ih_l1"] * kept} if case.inputs.dropout else {})


RESETS: dict[str, Fault] = {
    "reset_ignored": lambda case: case.run(resets=None),
    "reset_late": lambda case: case.run(resets=np.roll(case.resets, 1, axis=0)),
    # where a row starts anew, all do: as where a sequence is split for all at once
    "reset_of_all_rows": lambda case: case.run(resets=case.resets | case.resets.any(axis=1, keepdims=True)),
    # gradients go through a reset
    "reset_not_in_backward": lambda case: case.gradients_of(case.run(resets=None)),
}
VARIANTS: dict[Problem, dict[str, Fault]] = {
    # the first numbers of h in place of its projection
    Problem.parse("t5-b4-i8-h8-p4"): {
        "not_projected": lambda case: case.run({"weight_hr_l0": np.eye(*case.weights["weight_hr_l0"].shape)})
    },
    # the output is time-major still; T = B, so that swapped axes fit
    Problem.parse("t4-b4-i8-h8-first"): {
        "output_not_swapped": lambda case: case.changed("output", lambda output: output.swapaxes(0, 1))
    },
    Problem.parse("t5-b4-i8-h8-l2-drop"): {"dropped_in_inference": dropped_anyway, "nothing_dropped": Case.run},
    Problem.parse("t6-b3-i8-h8-resets"): RESETS,
}
"""What must be refused at the problem of each variant."""
