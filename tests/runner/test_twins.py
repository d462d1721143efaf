"""The measurement, measured: a copy of an implementation is unclear, a copy that does 5 % more work is slower.

A whole run of some minutes, on a machine that does nothing else:

    python -m pytest -m alone -s tests/runner/test_twins.py
"""

import numpy as np
import pytest

from benchmarks.calibration.injection import inject
from reports import estimates, frames
from reports.summary import summarise
from tests.helpers.processes import ROOT

COLUMNS = ["ratio", "ratio_low", "ratio_high", "verdict"]


@pytest.mark.alone
def test_a_copy_is_unclear_and_five_percent_more_work_is_slower(tmp_path, monkeypatch, python):
    monkeypatch.setattr(estimates, "lasting", lambda run: estimates.NOT_KNOWN)  # what is asked here is about one run
    copy, heavier = tmp_path / "copy.py", tmp_path / "heavier.py"
    copy.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    heavier.write_text(inject(copy.read_text(), 0.05))
    done = python(
        "benchmarks", "bench", "--impl", "impls/torch_lstm.py", "--impl", copy, "--impl", heavier,
        "--no-floor", "--replicates", 8, "--blocks", 20, "--out", tmp_path / "out", timeout=1100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = summarise(frames.read_run(tmp_path / "out")).set_index(["implementation", "problem", "workload", "mode"])
    copies, heavies = found.loc["copy"], found.loc["heavier"]
    print(copies[COLUMNS].to_string(), heavies[COLUMNS].to_string(), done.stdout.splitlines()[-2], sep="\n")
    assert set(copies["verdict"]) == {"unclear"}
    assert ((copies["ratio_low"] <= 1) & (copies["ratio_high"] >= 1)).mean() >= 0.9
    assert (np.log(copies["ratio_high"] / copies["ratio_low"]) / 2).max() <= 0.03
    assert set(heavies["verdict"]) == {"slower"}
