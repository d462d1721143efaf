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


PROJECTION: dict[str, Fault] = {
    # the first numbers of h in place of its projection
    "not_projected": lambda case: case.run({"weight_hr_l0": np.eye(*case.weights["weight_hr_l0"].shape)}),
}
ORDER: dict[str, Fault] = {
    # the output is time-major still
    "output_not_swapped": lambda case: case.changed("output", lambda output: output.swapaxes(0, 1)),
}
DROPOUT: dict[str, Fault] = {"dropped_in_inference": dropped_anyway, "nothing_dropped": Case.run}
RESETS: dict[str, Fault] = {
    "reset_ignored": lambda case: case.run(resets=None),
    "reset_late": lambda case: case.run(resets=np.roll(case.resets, 1, axis=0)),
    # where a row starts anew, all do: as where a sequence is split for all at once
    "reset_of_all_rows": lambda case: case.run(resets=case.resets | case.resets.any(axis=1, keepdims=True)),
    # gradients go through a reset
    "reset_not_in_backward": lambda case: case.gradients_of(case.run(resets=None)),
}
VARIANTS = {
    Problem.parse("t5-b4-i8-h8-p4"): PROJECTION,
    Problem.parse("t4-b4-i8-h8-first"): ORDER,  # T = B, so that swapped axes still fit
    Problem.parse("t5-b4-i8-h8-l2-drop"): DROPOUT,
    Problem.parse("t6-b3-i8-h8-resets"): RESETS,
}
"""What must be refused at the problem of each variant."""
