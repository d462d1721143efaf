"""The share of the peak: operations counted by hand, the peak's own time, and rows that can't be true."""

import numpy as np
import pytest
from click.testing import CliRunner

from impls.core.operations import operations, peak_operations
from impls.core.problem import Problem
from reports import tables
from reports.__main__ import cli
from reports.peak import above, reached
from reports.preamble import notes
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import described, failed, record, save

WHERE = {"problem": "t3-b2-i5-h7", "workload": "sequence", "mode": "forward"}
DONE = 2 * 3 * 2 * 28 * 12
"""The operations of that benchmark."""
OF_PEAK = peak_operations("cpu", "float32", 2)


def test_operations_counted_by_hand():
    """T·B rows, 4H columns, I and H deep; twice that backward, without dx for `model`."""
    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    forward = 2 * 3 * 2 * 28 * (5 + 7)
    assert operations(problem, "sequence", "forward") == forward
    assert operations(problem, "sequence", "forward_train") == forward
    assert operations(problem, "sequence", "backward") == 2 * forward
    assert operations(problem, "sequence", "train_step") == 3 * forward
    assert operations(problem, "model", "train_step") == 3 * forward - 2 * 3 * 2 * 28 * 5
    assert operations(problem, "cell", "forward") == forward // 3
    deep = problem.replace(num_layers=2, bidirectional=True)
    assert operations(deep, "sequence", "forward") == 2 * forward + 2 * (2 * 3 * 2 * 28 * (14 + 7))
    with pytest.raises(ValueError, match="is not known; known are forward, forward_train, backward, train_step"):
        operations(problem, "sequence", "training")


def measured(folder, share, spread, replicates=4, seconds=1e-3, **changes):
    """A run in which `quick` reaches this share of the peak; its time has a spread between replicates."""
    quick = DONE / OF_PEAK * seconds / share
    middle = (replicates - 1) / 2
    rows = [record("base", r, 100 * quick, **WHERE) for r in range(replicates)]
    rows += [record("peak", r, seconds, track="peak", **WHERE, **changes) for r in range(replicates)]
    rows += [record("quick", r, quick * (1 + spread * (r - middle)), **WHERE) for r in range(replicates)]
    return save(folder, rows)


@pytest.mark.parametrize(
    ("share", "spread", "replicates", "wrong"),
    [
        (0.75, 0.001, 4, False),
        (1.02, 0.001, 4, True),
        (1.02, 0.1, 4, False),  # above the peak, but not by more than its interval
        (2.0, 0.0, 1, False),  # one replicate has no interval
    ],
)
def test_a_row_above_the_peak_by_more_than_its_interval_is_warned_of(share, spread, replicates, wrong, tmp_path):
    run = measured(tmp_path, share, spread, replicates)
    summary = summarise(run)
    found = summary.set_index("implementation")
    assert found.loc["quick", "peak_share"] == pytest.approx(share, rel=0.01)
    assert found.loc["base", "peak_share"] == pytest.approx(share / 100, rel=0.01)
    assert list(found.index) == ["quick", "base"]
    done = CliRunner().invoke(cli, ["report", str(tmp_path)], standalone_mode=False)
    assert done.return_value == 0
    line = above(summary)
    assert ("% of the peak by more than the interval, such as quick at t3-b2-i5-h7" in done.stderr) == wrong
    assert done.stderr == (f"warning: {line}\n" if wrong else "")


def test_the_peak_is_said_and_is_no_row(tmp_path):
    run = measured(tmp_path, 0.5, 0.001)
    assert list(reached(run)) == [f"multiply-adds in registers reached {OF_PEAK / 1e-3 / 1e9:.0f} GFLOP/s in float32"]
    text = tables.markdown(Report(run, summarise(run)))
    assert "no LSTM can be faster" in text
    assert "| peak" not in text


def test_on_a_gpu_a_library_is_the_peak(tmp_path):
    rows = [record("base", r, 1e-3, device="cuda", **WHERE) for r in (0, 1)]
    rows += [record("peak", r, 1e-3, track="peak", device="cuda", **WHERE) for r in (0, 1)]
    run = save(tmp_path, rows)
    assert summarise(run)["peak_share"].item() == pytest.approx(DONE / (2 * 4096**3))
    assert "matrices reached" in next(reached(run))
    assert any("by PyTorch" in line for line in notes(run))


def test_without_a_compiler_the_column_is_empty_and_a_line_says_why(tmp_path):
    why = "there is no C++ compiler g++: install g++, or set CXX"
    rows = [record("base", r, 1e-3, **WHERE) for r in (0, 1)]
    rows += [failed("peak", r, "not_installed", why, track="peak", **WHERE) for r in (0, 1)]
    run = save(tmp_path, rows)
    assert np.isnan(summarise(run)["peak_share"]).all()
    assert list(reached(run)) == [f"% of peak is not known: {why}"]


def test_a_run_from_before_the_peak_has_a_share_of_what_a_library_reached(tmp_path):
    rows = [record("base", r, 3e-3, **WHERE) for r in (0, 1)] + [
        record("base", r, 1e-3, problem="mine") for r in (0, 1)
    ]
    rows += [record("floor", r, 1e-3, track="floor", **WHERE) for r in (0, 1)]
    run = described(save(tmp_path / "run", rows), matmul_flops_per_second={"float32": 1e9})
    found = summarise(run)
    assert set(found["implementation"]) == {"base"}
    assert found.set_index("problem")["peak_share"].to_dict() == pytest.approx(
        {WHERE["problem"]: DONE / 3e-3 / 1e9, "mine": np.nan}, nan_ok=True
    )
    assert list(reached(run)) == ["a library's float32 matrix product reached 1 GFLOP/s"]
    assert above(found) is None
