"""The files that a gate writes."""

import pytest

from benchmarks.options import Options
from benchmarks.regression import command, written
from benchmarks.regression.outcome import Result

BESIDE = {"environment.json", "regression.parquet", "regression.md", "regression.xml"}


def write(folder):
    configuration = Options(
        run_id="r", benchmarks=(), device="cpu", threads=1, turn_seconds=0.01, seed=0, weights=None, call_seconds=1.0,
        memory_bytes=2**30,
    )  # fmt: skip
    folder.mkdir()
    told = written.of(Result(0.02), "title", "line", strict=False, code={})
    command.write_files(folder, Result(0.02), told, configuration, {})


def test_the_verdict_is_the_last_file_of_a_gate(tmp_path, monkeypatch):
    """A gate that dies while it writes has no verdict."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "whole").iterdir()} == {*BESIDE, written.FILE}

    def write_text(path, text):
        if path.name == written.FILE:
            raise KeyboardInterrupt
        path.write_text(text)

    monkeypatch.setattr(command, "write_text", write_text)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "killed")
    assert {path.name for path in (tmp_path / "killed").iterdir()} == BESIDE
