"""Operations of the matrix products, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.metadata import dumps
from impls.core.problem import Problem
from reports import __main__ as command
from reports import markdown, site
from reports.across_runs import across_runs
from reports.report import Report
from reports.roofline import beyond, faults, operations, peak_share
from reports.summary import summarise
from tests.helpers.records import described, record, save

WHERE = {"problem": "t3-b2-i5-h7", "workload": "sequence", "mode": "forward"}
DONE = 2 * 3 * 2 * 28 * 12
"""The operations of that benchmark."""
RATES = {"float32": {"one large product": {"oneDNN": 1e9}}}


def test_operations_are_those_of_the_floors_products():
    """Counted by hand: T·B rows, 4H columns, I and H deep; twice that backward, without dx for `model`."""
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


@pytest.mark.parametrize("mode", ["", "training", "FORWARD", "forward_backward"])
def test_a_mode_that_is_not_known_is_no_training_step(mode):
    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    with pytest.raises(ValueError, match="is not known; known are forward, forward_train, backward, train_step"):
        operations(problem, "sequence", mode)


def test_the_share_of_the_peak_is_nan_where_mode_problem_or_peak_are_not_known():
    rows = [
        ("t3-b2-i5-h7", "forward"),
        ("t3-b2-i5-h7", "training"),
        ("mine", "forward"),
        ("t3-b2-i5-h7-float64", "forward"),
    ]
    summary = pd.DataFrame(rows, columns=["problem", "mode"]).assign(workload="sequence", seconds=1e-3)
    records = pd.DataFrame({"problem": ["t3-b2-i5-h7", "mine", "t3-b2-i5-h7-float64"]})
    records["dtype"] = ["float32", "float32", "float64"]
    shares = peak_share(summary, records, {"float32": 1e9})
    assert shares[0] == pytest.approx(2 * 3 * 2 * 28 * 12 / 1e-3 / 1e9)
    assert np.isnan(shares[1:]).all()


def measured(folder, seconds, spread, rates=RATES, peak=1e9, replicates=4):
    """A run in which `quick` takes so long, with a spread between replicates; the floor takes one millisecond."""
    rows = [record("base", r, 3e-3, **WHERE) for r in range(replicates)]
    rows += [record("floor", r, 1e-3, track="floor", **WHERE) for r in range(replicates)]
    middle = (replicates - 1) / 2
    rows += [record("quick", r, seconds * (1 + spread * (r - middle)), **WHERE) for r in range(replicates)]
    return described(save(folder, rows), matmul_flops_per_second={"float32": peak}, rates=rates)


@pytest.mark.parametrize(
    ("seconds", "spread", "peak", "fault"),
    [
        (5e-4, 0.001, 1e9, "floor"),
        (9.8e-4, 0.001, 1e9, "floor"),
        (5e-4, 0.001, DONE / 7e-4, "floor, peak"),
        (1.1e-3, 0.001, 1e9, ""),
        (9.8e-4, 0.1, 1e9, ""),  # below the floor, but not by more than its interval
        (1.1e-3, 0.001, DONE / 9e-4, ""),
    ],
)
def test_a_row_that_breaks_a_limit_is_a_fault_of_the_limit(seconds, spread, peak, fault, tmp_path):
    summary = summarise(run := measured(tmp_path, seconds, spread, peak=peak))
    assert dict(zip(summary["implementation"], summary["limit_fault"], strict=True)) == {
        "quick": fault, "base": "", "floor": "",
    }  # fmt: skip
    line = next(line for line in markdown.document(run, summary).splitlines() if line.startswith("| quick"))
    assert line.count(" !") == len(fault.split())
    assert (beyond(summary) is None) == (fault == "")


def test_any_row_above_the_peak_is_one_the_floor_too(tmp_path):
    summary = summarise(measured(tmp_path, 1.1e-3, 0.001, peak=DONE / 1.05e-3)).set_index("implementation")
    assert summary["limit_fault"].to_dict() == {"floor": "peak", "quick": "", "base": ""}
    assert "1 row beyond the floor or the peak, such as floor at" in beyond(summary.reset_index())


def test_one_replicate_shows_no_fault_of_the_floor(tmp_path):
    assert set(summarise(measured(tmp_path, 5e-4, 0, replicates=1))["limit_fault"]) == {""}


def test_before_rates_were_recorded_the_floor_was_no_limit(tmp_path):
    """The published runs are of that time: their tables stay as they are."""
    run = measured(tmp_path, 5e-4, 0.001, rates=None, peak=DONE / 1e-3)
    summary = summarise(run)
    assert set(summary["limit_fault"]) == {""}
    assert " !" not in markdown.document(run, summary)


def test_the_page_marks_it_and_says_what_the_mark_means(tmp_path):
    run = measured(tmp_path, 5e-4, 0.001)
    reported = Report(run, summarise(run), "a run")
    page = site.page([reported], across_runs([reported]))
    assert "0.50 !</b>" in page
    assert "! marks a fault of the limit" in page


def test_an_empty_summary_has_no_fault(tmp_path):
    run = measured(tmp_path, 2e-3, 0.001)
    none = summarise(run).iloc[:0]
    assert beyond(none) is None
    assert faults(none, run.metadata).empty


@pytest.mark.parametrize(("seconds", "limits", "code"), [(5e-4, True, 1), (5e-4, False, 0), (2e-3, True, 0)])
def test_a_published_run_ends_with_1_and_a_line(seconds, limits, code, tmp_path, monkeypatch, capsys):
    run = measured(tmp_path / "run", seconds, 0.001)
    (tmp_path / "run" / "environment.json").write_text(dumps(run.metadata))
    monkeypatch.setattr(command.run_folder.parts, "drawn", lambda *_: [])
    assert command.build.callback((str(tmp_path / "run"),), None, limits) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert lines == code * [
        (
            "error: a fault of the limit: 1 row beyond the floor or the peak, such as quick at"
            " t3-b2-i5-h7/sequence/forward: 0.50 × floor"
        )
    ]
