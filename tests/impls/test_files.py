"""Files: written whole or not at all, onto nothing but files; read up to a bound; temporary folders that are ours."""

import fcntl
import os
import socket
import stat
import subprocess
import sys

import pytest

from impls.core import files
from impls.core.files import MARK, MARKER, read_regular, remove_unfinished, temporary_folder, write_text

NO_FILES = ("pipe", "device", "folder", "socket", "link to a device", "link to a pipe", "links in a circle")


@pytest.fixture
def no_file(tmp_path, request):
    """Something that is no regular file, by the name of its kind."""
    kind, path, target = request.param, tmp_path / "it", tmp_path / "target"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("only root makes devices")
        elif kind == "folder":
            path.mkdir()
        elif kind == "socket":
            listening.bind(str(path))
        elif kind == "link to a device":
            path.symlink_to(os.devnull)
        elif kind == "link to a pipe":
            os.mkfifo(target)
            path.symlink_to(target)
        else:
            path.symlink_to(target)
            target.symlink_to(path)
        yield path


@pytest.mark.parametrize("no_file", NO_FILES, indirect=True)
def test_what_is_no_regular_file_is_neither_replaced_nor_read(no_file):
    before = no_file.lstat().st_mode, {path.name for path in no_file.parent.iterdir()}
    with pytest.raises(OSError, match=r"not a regular file|symbolic links") as caught:
        write_text(no_file, "text")
    assert caught.value.filename == str(no_file)
    with pytest.raises(ValueError, match=r"not a regular file|can't be read"):
        read_regular(no_file)
    assert (no_file.lstat().st_mode, {path.name for path in no_file.parent.iterdir()}) == before


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    for name, target in (("new", "there/new.txt"), ("old", "there/old.txt"), ("chain", "old")):
        (tmp_path / name).symlink_to(target)
        write_text(tmp_path / name, name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == name
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["new.txt", "old.txt"]


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves_and_an_old_one_keeps_its_own(tmp_path, umask):
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o640)
    before = os.umask(umask)
    try:
        for name in ("new", "old"):
            write_text(tmp_path / name, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o640


def test_what_fails_leaves_the_old_file_and_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device", str(temporary))

    with pytest.raises(OSError, match="No space left") as caught:
        files.write_whole(path, write)
    assert caught.value.filename == str(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "gone" / "a.txt", "")
    assert caught.value.filename == str(tmp_path / "gone" / "a.txt")


def test_only_what_write_whole_left_is_removed(tmp_path):
    left = tmp_path / ".arriving-0123456789abcdef.parquet"
    others = [".arriving-mine", ".nfs0001", ".hidden", "arriving-0123456789abcdef"]
    for name in (left.name, *others):
        (tmp_path / name).touch()
    (tmp_path / ".arriving-fedcba9876543210").mkdir()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, ".arriving-fedcba9876543210"])


def test_no_more_is_read_than_the_bound(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_regular(path, 100) == b"x" * 100
    with pytest.raises(ValueError, match="at most"):
        read_regular(path, 99)
    with pytest.raises(ValueError, match="more than"):
        read_regular(files.Path("/proc/self/maps"), 10)  # whose size is 0
    with pytest.raises(ValueError, match="does not exist"):
        read_regular(tmp_path / "b")


KEEP = """
import sys, pathlib
from impls.core.files import temporary_folder
with temporary_folder(pathlib.Path(sys.argv[1]), "lstm-bench-") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_only_the_folders_of_dead_processes_are_removed(tmp_path):
    """A name proves nothing: a marker of ours, whose lock is free, does."""
    mine = {
        "lstm-bench-results-20261125": None,  # a user's, whose number is no process
        "lstm-bench-00000000000000aa": b"",
        "lstm-bench-00000000000000bb": b"another tool's marker",
        "lstm-bench-mycopy": MARK,  # a user's copy of such a folder
    }
    for name, content in mine.items():
        (tmp_path / name / "kept").mkdir(parents=True)
        if content is not None:
            (tmp_path / name / MARKER).write_bytes(content)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / MARKER).write_bytes(MARK)
    (tmp_path / "lstm-bench-00000000000000cc").symlink_to("elsewhere")
    (tmp_path / "lstm-bench-00000000000000dd").mkdir()
    os.mkfifo(tmp_path / "lstm-bench-00000000000000dd" / MARKER)
    (tmp_path / "lstm-bench-00000000000000ee").mkdir()
    (tmp_path / "lstm-bench-00000000000000ee" / MARKER).symlink_to("../elsewhere/" + MARKER)
    (tmp_path / "lstm-bench-00000000000000ff").touch()
    kept = {path.name for path in tmp_path.iterdir()}

    command = [sys.executable, "-c", KEEP, tmp_path]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, living = (files.Path(process.stdout.readline().strip()) for process in processes)
    processes[0].kill()
    processes[0].communicate()
    assert killed.is_dir()
    with temporary_folder(tmp_path, "lstm-bench-") as folder:
        assert {path.name for path in tmp_path.iterdir()} == kept | {living.name, folder.name}
        assert (folder / MARKER).read_bytes() == MARK
        with (folder / MARKER).open() as marker, pytest.raises(BlockingIOError):
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    processes[1].communicate("")
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_what_can_not_be_removed_is_removed_by_the_next(tmp_path, monkeypatch):
    """Its marker stays, so that it is still known whose it is."""
    with monkeypatch.context() as patched:
        patched.setattr(files.shutil, "rmtree", lambda path, ignore_errors: None)
        with temporary_folder(tmp_path, "lstm-bench-") as first:
            (first / "full").mkdir()
            (first / "full" / "full").mkdir()
            (first / "full" / "full" / "file").touch()
    assert (first / MARKER).read_bytes() == MARK
    with temporary_folder(tmp_path, "lstm-bench-") as second:
        assert list(tmp_path.iterdir()) == [second]
    assert not list(tmp_path.iterdir())
