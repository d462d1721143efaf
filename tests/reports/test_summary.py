"""The summary: one row for each arm, sorted, with its distance from the floor and the peak."""

import pytest

from reports import markdown
from reports.summary import summarise
from tests.helpers.records import described, failed, record, save


def test_rows_are_sorted_and_failures_last_with_their_reason(tmp_path):
    rows = [
        record(n, r, s * (1 + 0.001 * r)) for n, s in (("slow", 3e-3), ("base", 1e-3), ("quick", 5e-4)) for r in (0, 1)
    ]
    rows += [failed("bad", r, "crashed", "killed by SIGSEGV", cores_used=None) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    found = summarise(run)
    assert list(found["implementation"]) == ["quick", "base", "slow", "bad"]
    assert found["ratio"][0] == pytest.approx(0.5)
    assert found["verdict"][1] == "baseline"
    assert (found["status"][3], found["reason"][3]) == ("crashed", "killed by SIGSEGV")
    assert "killed by SIGSEGV" in markdown.document(run, found)


def test_an_arm_that_failed_once_has_no_time(tmp_path):
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record("odd", 0, 1e-3), failed("odd", 1, "disagrees", "grad_x")]
    found = summarise(save(tmp_path / "run", rows)).set_index("implementation")
    assert found.loc["odd", "status"] == "disagrees"
    assert found.loc["odd", "seconds"] != found.loc["odd", "seconds"]


def test_the_distance_from_the_floor_and_the_peak(tmp_path):
    where = {"problem": "t3-b2-i5-h7", "workload": "sequence", "mode": "forward"}
    rows = [record("base", r, 3e-3, **where) for r in (0, 1)]
    rows += [record("floor", r, 1e-3, track="floor", **where) for r in (0, 1)]
    run = described(save(tmp_path / "run", rows), matmul_flops_per_second={"float32": 1e9})
    found = summarise(run).set_index("implementation")
    assert found.loc["base", "floor_ratio"] == pytest.approx(3)
    assert found.loc["base", "peak_share"] == pytest.approx(2 * 3 * 2 * 28 * 12 / 3e-3 / 1e9)
