"""The folder that a command writes to is its own."""

import fcntl
import os

import click
import pytest

from benchmarks import out_folder


def test_two_that_begin_in_the_same_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setattr(out_folder, "ROOT", tmp_path)
    monkeypatch.setattr(out_folder.time, "strftime", lambda _: "now")
    names = [out_folder.usable_out(None, "regression").name for _ in range(3)]
    assert names == ["now-regression", "now-regression-2", "now-regression-3"]


def test_a_folder_that_another_process_uses_is_refused_until_that_has_ended(tmp_path):
    """A lock of another open file is as good as another process's."""
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(click.UsageError, match="used by another process"):
        out_folder.usable_out(tmp_path, "quick")
    os.close(other)
    assert out_folder.usable_out(tmp_path, "quick") == tmp_path


def test_two_processes_do_not_work_on_one_run(tmp_path):
    (tmp_path / "run.json").touch()
    out_folder.claim(tmp_path / "run.json")
    with pytest.raises(click.UsageError, match="used by another process"):
        out_folder.claim(tmp_path / "run.json")


def test_a_folder_with_a_hidden_file_of_a_user_is_not_usable(tmp_path):
    (tmp_path / ".mine").touch()
    with pytest.raises(click.UsageError, match="not an empty folder"):
        out_folder.usable_out(tmp_path, "quick")
