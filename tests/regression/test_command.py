"""The files that a gate writes."""

import os

import pytest

from benchmarks.measurement.configuration import Configuration
from benchmarks.regression import command, written
from benchmarks.regression.outcome import Result

WRITTEN = {"environment.json", "regression.parquet", "regression.md", "regression.xml", "regression.json"}


@pytest.mark.parametrize("writable", [True, False], ids=["beside it too", "only in it"])
def test_the_files_of_a_gate_are_written_where_the_folder_beside_is_not_writable(writable, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: writable)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    configuration = Configuration(
        run_id="r", benchmarks=(), device="cpu", threads=1, turn_seconds=0.01, seed=0, weights=None, call_seconds=1.0,
        memory_bytes=2**30,
    )  # fmt: skip
    folder = tmp_path / "out"
    folder.mkdir()
    told = written.of(Result(0.02), "title", "line", strict=False, code={})
    command.write_files(folder, Result(0.02), told, configuration, {})
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert list(tmp_path.iterdir()) == [folder]
