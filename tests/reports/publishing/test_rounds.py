"""The record of rounds: it only grows."""

import numpy as np
import pandas as pd
import pytest

from reports.publishing import rounds
from tests.helpers.records import record, save


def test_the_rounds_of_a_run_are_added_once_and_stay(tmp_path):
    times = {
        ("base", "a"): [1.0, 1.0, 1.0],
        ("other", "a"): [2.0, 2.2, 9.0],
        ("base", "b"): [1.0],
        ("other", "b"): [3.0],
    }
    versions = {"a": "torch 2", "b": "torch 2, Python 3.13.5"}
    rows = [
        record(name, replicate, 1e-3 * seconds, run_id=run_id, versions=versions[run_id])
        for (name, run_id), values in times.items()
        for replicate, seconds in enumerate(values)
    ]
    first = save(tmp_path / "first", [row for row in rows if row["run_id"] == "a"], run_id="a")
    second = save(tmp_path / "second", [row for row in rows if row["run_id"] == "b"], run_id="b")
    rounds.record([first], tmp_path)
    rounds.record([second], tmp_path)
    rounds.record([first], tmp_path)
    table = pd.read_parquet(tmp_path / "rounds.parquet").set_index(["round", "implementation"])
    assert len(table) == 4
    other = table.loc["a", "other"]
    assert np.exp(other["ratio"]) == pytest.approx(2.2)  # the median
    assert np.exp(other["time"]) == pytest.approx(2.2e-3)
    assert other["ratio_replicates"] == 3
    assert other["versions"] == "torch 2, Python 3.11", "that of the run, where a row does not name its own"
    assert table.loc[("b", "other"), "versions"] == "torch 2, Python 3.13.5"
    assert np.isnan(table.loc[("a", "base"), "ratio"])
    assert np.isnan(table.loc[("b", "other"), "ratio_explained"])
