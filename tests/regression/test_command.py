"""The files that a gate writes."""

import os

import pytest

from benchmarks.regression import command, written
from benchmarks.regression.outcome import Result
from benchmarks.runner.configuration import Configuration

WRITTEN = {"environment.json", "regression.parquet", "regression.md", "regression.xml", "regression.json"}


@pytest.mark.parametrize("writable", [True, False], ids=["beside it too", "only in it"])
def test_the_files_of_a_gate_are_written_where_the_folder_beside_is_not_writable(writable, tmp_path, monkeypatch):
    access, temporary_folder, made_in = os.access, command.temporary_folder, []
    monkeypatch.setattr(os, "access", lambda path, mode: writable if path == tmp_path else access(path, mode))
    monkeypatch.setattr(
        command, "temporary_folder", lambda parent, prefix: made_in.append(parent) or temporary_folder(parent, prefix)
    )
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    configuration = Configuration(
        run_id="r", benchmarks=(), device="cpu", threads=1, turn_seconds=0.01, seed=0, weights=None, call_seconds=1.0,
        memory_bytes=2**30,
    )  # fmt: skip
    folder = tmp_path / "out"
    folder.mkdir()
    told = written.of(Result(0.02), "title", "line", strict=False, code={})
    command.write_files(folder, Result(0.02), told, configuration, {})
    assert made_in == [tmp_path if writable else folder]
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert list(tmp_path.iterdir()) == [folder]
