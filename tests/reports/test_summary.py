"""The summary: one row for each arm, sorted, the fastest first."""

import re

import pytest
from click.testing import CliRunner

from benchmarks.record import UNTRUE
from reports import frames, tables
from reports.__main__ import cli
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import failed, record, save


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
    assert "killed by SIGSEGV" in tables.markdown(Report(run, found))


def test_an_arm_that_failed_once_has_no_time(tmp_path):
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record("odd", 0, 1e-3), failed("odd", 1, "disagrees", "grad_x")]
    found = summarise(save(tmp_path / "run", rows)).set_index("implementation")
    assert found.loc["odd", "status"] == "disagrees"
    assert found.loc["odd", "seconds"] != found.loc["odd", "seconds"]


SEQUENCE = {"workload": "sequence", "mode": "train_step"}


@pytest.mark.parametrize("status", UNTRUE)
@pytest.mark.parametrize("which", ["odd", "base"])
def test_where_a_replicate_went_wrong_no_output_has_a_time(status, which, tmp_path):
    """Not even that of the replicates before, of the first call or of another failure."""
    rows = [
        record(name, r, 1e-3 * (k + 1) * (1 + r / 100), **SEQUENCE)
        for k, name in enumerate(("base", "x"))
        for r in (0, 1, 2)
    ]
    rows += [record("odd", 0, 0.7777, first_call_seconds=0.7777, **SEQUENCE)]
    rows += [failed("odd", 1, "crashed", "killed", first_call_seconds=0.7777, **SEQUENCE)]
    rows += [failed("odd", 2, status, "block 3: grad_x", first_call_seconds=0.7777, **SEQUENCE)]
    for row in rows:
        for turn in row["turns"] or []:
            turn["started"] = 1e9 + 60 * row["replicate"] + turn["block"] + turn["position"] / 7
    if which == "base":
        rows = [
            row | {"implementation": {"odd": "base", "base": "odd"}.get(row["implementation"], "x")} for row in rows
        ]
    save(tmp_path / "run", rows)
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run")], standalone_mode=False)
    assert done.return_value == 0
    found = summarise(frames.read_run(tmp_path / "run")).set_index("implementation").loc[which]
    assert (found["status"], found["reason"]) == (status, "block 3: grad_x")
    assert found[[name for name in found.index if "seconds" in name and not name.endswith("_n")]].isna().all()
    assert found[["ratio", "cores_used", "peak_bytes"]].isna().all()
    texts = {
        path.name: path.read_text()
        for path in (tmp_path / "run").rglob("*.*")
        if path.suffix in (".md", ".html", ".tex", ".csv")
    }
    texts["stdout"] = done.stdout
    for name, text in texts.items():
        assert re.search(r"0?\.7777|77[78](\.\d+)? ms", text) is None, name
        assert "block 3: grad" in text, name
    figures = [path.read_text() for path in (tmp_path / "run" / "figures").glob("*.svg")]
    assert not [figure for figure in figures if which in figure]
    assert f"{which} failed" in done.stdout


def test_an_arm_that_crashed_keeps_what_is_known_of_its_first_call(tmp_path):
    """The negative control."""
    rows = [record("base", r, 1e-3, **SEQUENCE) for r in (0, 1)]
    rows += [failed("odd", 0, "crashed", "killed", first_call_seconds=0.7777, **SEQUENCE)]
    run = save(tmp_path / "run", rows)
    assert "778 ms" in tables.markdown(Report(run, summarise(run)))
