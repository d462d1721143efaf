"""The share of the peak: operations counted by hand, the peak's own time, and rows that can't be true."""

import numpy as np
import pytest

from impls.core.operations import operations, peak_operations
from impls.core.problem import Problem
from reports import tables
from reports.peak import reached
from reports.summary import summarise
from tests.helpers.answers import report_of
from tests.helpers.records import failed, record, save

WHERE = {"problem": "t3-b2-i5-h7", "workload": "sequence", "mode": "forward"}
DONE = 2 * 3 * 2 * 28 * 12
"""The operations of that benchmark."""
OF_PEAK = peak_operations("cpu", "float32", 2)


def test_operations_counted_by_hand():
    """T·B rows, 4H columns, I and H deep; twice that backward, without dx for `model`."""
    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    counted = {mode: operations(problem, "sequence", mode) / DONE for mode in ("forward", "forward_train", "backward")}
    assert counted == {"forward": 1, "forward_train": 1, "backward": 2}
    assert operations(problem, "sequence", "train_step") == 3 * DONE
    assert operations(problem, "model", "train_step") == 3 * DONE - 2 * 3 * 2 * 28 * 5
    assert operations(problem, "cell", "forward") == DONE // 3
    deep = problem.replace(num_layers=2, bidirectional=True)
    forward = 2 * DONE + 2 * (2 * 3 * 2 * 28 * (14 + 7))
    assert operations(deep, "sequence", "forward") == forward
    assert operations(deep, "model", "train_step") == 3 * forward - 2 * (2 * 3 * 2 * 28 * 5)  # the first layer's alone


def measured(share, spread, replicates=4, **changes):
    """Records in which `quick` reaches this share of the peak; its time has a spread between replicates."""
    quick = DONE / OF_PEAK * 1e-3 / share
    rows = [record("base", r, 100 * quick, **WHERE | changes) for r in range(replicates)]
    rows += [record("peak", r, 1e-3, track="peak", **WHERE | changes) for r in range(replicates)]
    steps = [quick * (1 + spread * (r - (replicates - 1) / 2)) for r in range(replicates)]
    return rows + [record("quick", r, seconds, **WHERE | changes) for r, seconds in enumerate(steps)]


def test_the_share_of_the_peak_is_that_of_its_operations(tmp_path):
    summary = summarise(save(tmp_path, measured(0.75, 0.001)))
    shares = summary.set_index("implementation")["peak_share"].to_dict()
    assert shares == pytest.approx({"quick": 0.75, "base": 0.0075}, rel=0.01)


def test_the_peak_is_said_and_is_no_row(tmp_path):
    run = save(tmp_path, measured(0.5, 0.001))
    assert list(reached(run)) == [f"peak {OF_PEAK / 1e-3 / 1e9:.0f} GFLOP/s in float32 (multiply-adds in registers)"]
    text = tables.markdown(report_of(run))
    assert "| peak" not in text


def test_on_a_gpu_a_library_is_the_peak(tmp_path):
    run = save(tmp_path, measured(1, 0, 2, device="cuda"))
    found = summarise(run).set_index("implementation")["peak_share"]
    assert found["base"] == pytest.approx(OF_PEAK / 100 / (2 * 4096**3))
    assert "matrices)" in next(reached(run))
    faster = summarise(save(tmp_path / "faster", measured(1e4, 0.001, device="cuda")))
    assert faster["peak_share_low"].max() > 1


def test_without_a_compiler_the_column_is_empty_and_a_line_says_why(tmp_path):
    why = "there is no C++ compiler g++: install g++, or set CXX"
    rows = [record("base", r, 1e-3, **WHERE) for r in (0, 1)]
    rows += [failed("peak", r, "not_installed", why, track="peak", **WHERE) for r in (0, 1)]
    run = save(tmp_path, rows)
    assert np.isnan(summarise(run)["peak_share"]).all()
    assert list(reached(run)) == [f"% of peak is not known: {why}"]
    for threads in (None, 0):  # as in a file without the column
        run = save(tmp_path, measured(0.5, 0.001, threads=threads))
        assert np.isnan(summarise(run)["peak_share"]).all()
        assert list(reached(run)) == []
