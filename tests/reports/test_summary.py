"""The summary: one row for each arm, the fastest first, and never a time of what went wrong."""

import re

import pytest
from click.testing import CliRunner

from benchmarks.record import UNTRUE
from reports import frames
from reports.__main__ import cli
from reports.summary import summarise
from tests.helpers.records import failed, record, save

SEQUENCE = {"workload": "sequence", "mode": "train_step"}
WRITTEN = ("table.md", "table.tex", "summary.csv", "rows.html")


def test_rows_are_sorted_and_failures_last_with_their_reason(tmp_path):
    times = {"slow": 3e-3, "base": 1e-3, "quick": 5e-4}
    rows = [record(name, r, s * (1 + 0.001 * r)) for name, s in times.items() for r in (0, 1)]
    rows += [failed("bad", r, "crashed", "killed by SIGSEGV", cores_used=None) for r in (0, 1)]
    found = summarise(save(tmp_path / "run", rows))
    assert list(found["implementation"]) == ["quick", "base", "slow", "bad"]
    assert found["ratio"][0] == pytest.approx(0.5)
    assert found["verdict"][1] == "baseline"
    assert (found["status"][3], found["reason"][3]) == ("crashed", "killed by SIGSEGV")


def test_memory_is_the_least_and_processors_the_median_of_the_replicates(tmp_path):
    rows = [
        record("base", r, 1e-3, peak_bytes=peak, cores_used=c) for r, (peak, c) in enumerate([(5, 1), (3, 9), (4, 2)])
    ]
    found = summarise(save(tmp_path, rows))
    assert (found["peak_bytes"][0], found["cores_used"][0]) == (3, 2)


@pytest.mark.parametrize(("status", "which"), [*((status, "odd") for status in UNTRUE), (UNTRUE[0], "base")])
def test_where_a_replicate_went_wrong_no_output_has_a_time(status, which, tmp_path):
    """Not even that of the replicates before, of the first call or of another failure."""
    other = "base" if which == "odd" else "odd"
    rows = [
        record(name, r, 1e-3 * (k + 1) * (1 + r / 100), **SEQUENCE)
        for k, name in enumerate((other, "x"))
        for r in range(3)
    ]
    rows += [record(which, 0, 0.7777, first_call_seconds=0.7777, **SEQUENCE)]
    rows += [failed(which, 1, "crashed", "killed", first_call_seconds=0.7777, **SEQUENCE)]
    rows += [failed(which, 2, status, "block 3: grad_x", first_call_seconds=0.7777, **SEQUENCE)]
    save(tmp_path / "run", rows)
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run")], standalone_mode=False)
    assert done.return_value == 0
    found = summarise(frames.read_run(tmp_path / "run")).set_index("implementation").loc[which]
    assert (found["status"], found["reason"]) == (status, "block 3: grad_x")
    assert found[[name for name in found.index if "seconds" in name and not name.endswith("_n")]].isna().all()
    assert found[["ratio", "cores_used", "peak_bytes"]].isna().all()
    texts = {name: (tmp_path / "run" / name).read_text() for name in WRITTEN}
    for name, text in {**texts, "stdout": done.stdout}.items():
        assert re.search(r"0?\.7777|77[78](\.\d+)? ms", text) is None, name
        assert "block 3: grad" in text, name
    figures = [path.read_text() for path in (tmp_path / "run" / "figures").glob("*.svg")]
    assert not [figure for figure in figures if which in figure]
    assert f"{which} failed" in done.stdout


def test_an_arm_that_crashed_keeps_what_is_known_of_its_first_call(tmp_path):
    """The negative control."""
    rows = [record("base", 0, 1e-3), failed("odd", 0, "crashed", "killed", first_call_seconds=0.7777)]
    found = summarise(save(tmp_path, rows)).set_index("implementation")
    assert found.loc["odd", "first_call_seconds"] == 0.7777
