"""Snapshots of a revision and of the working tree."""

import pytest

from benchmarks.regression import snapshots
from tests.helpers.processes import git


@pytest.mark.process
def test_snapshots_are_named_after_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "impls"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("x")
    first = snapshots.of_working_tree(folder, "impls")
    assert [path.name for path in (first / "impls").iterdir()] == ["a.py"]
    assert snapshots.of_working_tree(folder, "impls") == first
    (folder / "a.py").write_text("2")
    second = snapshots.of_working_tree(folder, "impls")
    assert second != first
    assert (first / "impls" / "a.py").read_text() == "1"
    assert not list((tmp_path / "cache" / "lstm-bench" / "files").glob(".*"))


@pytest.mark.process
def test_without_git_it_is_git_that_is_missing_and_no_repository(tmp_path, monkeypatch):
    with pytest.raises(snapshots.Unusable, match="not a git repository"):
        snapshots.resolve(tmp_path, "HEAD")
    odd = tmp_path / "bin" / "git"
    odd.parent.mkdir()
    odd.write_text("no program")
    for path in (tmp_path / "nowhere", odd.parent):
        monkeypatch.setenv("PATH", str(path))
        with pytest.raises(snapshots.Unusable, match="git can't be started") as caught:
            snapshots.resolve(tmp_path, "HEAD")
        assert "not a git repository" not in str(caught.value)
    odd.write_text("#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\necho 'some advice' >&2\nexit 128\n")
    odd.chmod(0o755)
    with pytest.raises(snapshots.Unusable, match="dubious ownership"):
        snapshots.resolve(tmp_path, "HEAD")


@pytest.mark.process
def test_a_revision_is_its_files_whatever_the_working_tree_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = tmp_path / "r"
    folder = repository / "deep" / "impls"
    folder.mkdir(parents=True)
    git(repository, "init", "-q")
    (folder / "a.py").write_text("old")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    (folder / "a.py").write_text("new")
    (folder / "b.py").write_text("new")
    old = snapshots.of_revision(folder, "HEAD", "impls") / "impls"
    assert {path.name: path.read_text() for path in old.iterdir()} == {"a.py": "old"}
    new = snapshots.of_working_tree(folder, "impls") / "impls"
    assert {path.name for path in new.iterdir()} == {"a.py", "b.py"}
