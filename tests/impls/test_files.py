"""Files: written whole or not at all, onto nothing but files; read up to a bound; temporary folders that are ours."""

import os
import subprocess
import sys

import pytest

from impls.core import files
from impls.core.files import check_place, read_regular, temporary_folder, write_text


def test_what_is_no_regular_file_is_neither_read_nor_promised_a_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        for check in (read_regular, check_place):
            with pytest.raises(ValueError, match="not a regular file"):
                check(path)
    with pytest.raises(ValueError, match="is not a folder"):
        check_place(tmp_path / "gone" / "a.txt")
    check_place(tmp_path / "new.txt")


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    for name, target in (("new", "there/new.txt"), ("old", "there/old.txt"), ("chain", "old")):
        (tmp_path / name).symlink_to(target)
        write_text(tmp_path / name, name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == name
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["new.txt", "old.txt"]


def test_what_fails_leaves_the_old_file_and_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device", str(temporary))

    with pytest.raises(OSError, match="No space left") as caught:
        files.write_whole(path, write)
    assert caught.value.filename == str(path)
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_no_more_is_read_than_the_bound(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_regular(path, 100) == b"x" * 100
    with pytest.raises(ValueError, match="at most"):
        read_regular(path, 99)
    with pytest.raises(ValueError, match="does not exist"):
        read_regular(tmp_path / "b")


KEEP = """
import sys, pathlib
from impls.core.files import temporary_folder
with temporary_folder(pathlib.Path(sys.argv[1]), "lstm-bench-") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.process
def test_only_the_folders_of_dead_processes_are_removed(tmp_path):
    mine = tmp_path / "lstm-bench-results-20261125"  # a user's
    mine.mkdir()
    command = [sys.executable, "-c", KEEP, tmp_path]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, living = (files.Path(process.stdout.readline().strip()) for process in processes)
    processes[0].kill()
    processes[0].communicate()
    assert killed.is_dir()
    with temporary_folder(tmp_path, "lstm-bench-") as folder:
        assert set(tmp_path.iterdir()) == {mine, living, folder}
    processes[1].communicate("")
    assert set(tmp_path.iterdir()) == {mine}
