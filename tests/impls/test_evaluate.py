"""`evaluate` on the variants of a case file, against torch.nn.LSTM called directly, in float64."""

import dataclasses

import numpy as np
import pytest

from benchmarks.worker.agreement import compare
from impls.core import evaluate, registry
from tests.helpers.judges import given, torch_judge

CASES = [
    *("t5-b3-i4-h6-p3", "t4-b3-i3-h5-l2-bi-p2", "t5-b3-i3-h5-l2-nobias-p2-var"),
    *("t6-b3-i4-h5-resets", "t5-b4-i3-h4-l2-nobias-resets", "t6-b2-i3-h5-l3-p2-resets"),
    *("t5-b3-i3-h4-var", "t5-b3-i3-h4-l2-bi-var", "t4-b3-i2-h5-l2-even"),
]


@pytest.mark.parametrize("name", ["reference", "torch_lstm", pytest.param("jax_scan", marks=pytest.mark.process)])
@pytest.mark.parametrize("text", CASES)
def test_a_variant_agrees_with_torch(name, text, tmp_path):
    """Rows start anew at any steps: the first, the last, none, several."""
    problem, weights, inputs = given(text)
    if problem.resets:
        at = np.random.default_rng(3).random((problem.seq_len, problem.batch)) < 0.4
        at[:, 0] = [True, *[False] * (problem.seq_len - 2), True]
        at[:, 1] = False
        inputs = dataclasses.replace(inputs, resets=at)
    arrays = inputs.arrays()
    del arrays["target"]
    case, out = tmp_path / "case.npz", tmp_path / "out.npz"
    np.savez(case, **weights, **arrays)
    assert evaluate.main(str(registry.resolve(name).path), str(case), str(out), "float64", "cpu") == 0
    with np.load(out) as got:
        compare(got, torch_judge(problem, weights, inputs), "float64", name)
