"""Snapshots of a revision and of the working tree."""

import os
import shutil
import time

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import cli
from benchmarks.regression import snapshots
from impls.core import contract
from tests.helpers.processes import git

pytestmark = pytest.mark.process


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The impls/ of a repository: a.py says `old` in the commit and `new` in the working tree, which also has b.py."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "r" / "deep" / "impls"
    (folder / "core").mkdir(parents=True)
    git(tmp_path / "r", "init", "-q")
    (tmp_path / "r" / ".gitignore").write_text("ignored.py\n")
    (folder / "core" / "contract.py").write_text(f"CONTRACT = {contract.CONTRACT}\n")
    (folder / "a.py").write_text("old")
    git(tmp_path / "r", "add", "-A")
    git(tmp_path / "r", "commit", "-qm", "1")
    for name in ("a.py", "b.py", "ignored.py"):
        (folder / name).write_text("new")
    return folder


def held(root):
    return {path.name: path.read_text() for path in (root / "impls").iterdir()}


def test_a_revision_is_its_files_whatever_the_working_tree_holds(folder, tmp_path):
    """Neither has the contract, which is the working tree's on both sides."""
    assert held(snapshots.of_revision(folder, "HEAD", "impls")) == {"a.py": "old"}
    now = snapshots.of_working_tree(folder, "impls")
    assert held(now) == {"a.py": "new", "b.py": "new"}
    nearly = time.time() - 0.9 * snapshots.KEPT_SECONDS
    os.utime(now, (nearly, nearly))
    assert snapshots.of_working_tree(folder, "impls") == now
    assert now.stat().st_mtime > nearly + 1
    (folder / "a.py").write_text("newer")
    assert held(snapshots.of_working_tree(folder, "impls"))["a.py"] == "newer"
    assert held(now)["a.py"] == "new"
    os.utime(now, (1, 1))  # it was not asked for since 1970
    snapshots.of_revision(folder, "HEAD", "impls")
    assert not now.exists()
    assert not list((tmp_path / "cache" / "lstm-bench" / "files").glob(".*"))


def test_links_are_part_of_what_is_compared(folder):
    """A folder by another name, as in `helpers -> v1`: what is imported by that name may change."""
    for name in ("v1", "v2"):
        (folder / name).mkdir()
        (folder / name / "step.py").write_text(name)
    (folder / "helpers").symlink_to("v1")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "links")
    base = snapshots.of_revision(folder, "HEAD", "impls")
    assert (base / "impls" / "helpers" / "step.py").read_text() == "v1"
    assert snapshots.of_working_tree(folder, "impls") == base
    (folder / "helpers").unlink()
    (folder / "helpers").symlink_to("v2")
    assert snapshots.of_working_tree(folder, "impls") != base
    (folder / "helpers").unlink()
    shutil.rmtree(folder / "v1")
    (folder / "v1").symlink_to("v2")  # git still lists what was in it
    assert (snapshots.of_working_tree(folder, "impls") / "impls" / "v1" / "step.py").read_text() == "v2"
    (folder / "helpers").symlink_to("../core")
    with pytest.raises(snapshots.Incomplete, match="leads out"):
        snapshots.of_working_tree(folder, "impls")
    (folder / "helpers").unlink()
    (folder / "helpers").symlink_to(folder / "v2")  # the snapshots of both sides would lead to it
    with pytest.raises(snapshots.Incomplete, match="leads out"):
        snapshots.of_working_tree(folder, "impls")


def test_whatever_the_implementation_can_read_makes_two_sides_differ(folder, tmp_path):
    """No gate says that nothing was measured, since both sides are the same, where one of these differs."""
    module = tmp_path / "module"
    module.mkdir()
    git(module, "init", "-q")
    git(module, "commit", "-q", "--allow-empty", "-m", "1")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(module), "cell")
    for name in ("data.bin", "requirements.txt", "step.py"):
        (folder / name).write_text("1")
    (folder / "build.sh").write_text("exit 0")
    (folder / "weights.bin").write_text("oid sha256:1")  # as Git LFS keeps it
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "2")

    def differ():
        return snapshots.of_working_tree(folder, "impls") != snapshots.of_revision(folder, "HEAD", "impls")

    assert not differ()
    (folder / "ignored.py").write_text("newer")
    assert not differ(), "neither side can read it"
    for name in ("data.bin", "requirements.txt", "step.py", "weights.bin"):
        (folder / name).write_text("2")
        assert differ(), name
        git(folder, "checkout", "-q", "--", name)
    (folder / "build.sh").chmod(0o755)
    assert differ()
    assert os.access(snapshots.of_working_tree(folder, "impls") / "impls" / "build.sh", os.X_OK)
    git(folder, "checkout", "-q", "--", "build.sh")
    (folder / "untracked").touch()
    assert differ()
    (folder / "untracked").unlink()
    assert not differ()
    (folder / "cell" / "step.h").touch()
    git(folder / "cell", "add", "-A")
    assert differ()
    git(folder / "cell", "commit", "-qm", "2")
    assert differ()
    git(folder, "commit", "-qam", "3")
    assert not differ()
    assert snapshots.of_revision(folder, "HEAD~1", "impls") != snapshots.of_revision(folder, "HEAD", "impls")


def test_a_command_in_a_hook_of_git_finds_other_repositories_than_the_hooks(folder, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    CliRunner().invoke(cli, ["regression", "--help"])
    assert snapshots.resolve(folder, "HEAD")


def test_a_revision_has_all_its_files_and_a_snapshot_that_somebody_changed_is_made_again(folder):
    (folder / ".gitattributes").write_text("a.py export-ignore\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "2")
    root = snapshots.of_revision(folder, "HEAD", "impls")
    (root / "impls" / "a.py").write_text("changed")
    assert held(snapshots.of_revision(folder, "HEAD", "impls"))["a.py"] == "new"


def test_a_base_that_cannot_be_used_is_one_line(folder):
    snapshots.check_contract(folder, "HEAD")
    with pytest.raises(snapshots.Unusable, match="names no commit"):
        snapshots.of_revision(folder, "no-such-revision", "impls")
    for text, words in (("CONTRACT = 0\n", "has contract 0"), ("\n", "has no contract")):
        (folder / "core" / "contract.py").write_text(text)
        git(folder, "commit", "-qam", "other")
        with pytest.raises(snapshots.Unusable, match=words):
            snapshots.check_contract(folder, "HEAD")
    git(folder, "rm", "-rq", "--cached", ".")
    git(folder, "commit", "-qm", "none")
    with pytest.raises(snapshots.Unusable, match="has no impls/"):
        snapshots.of_revision(folder, "HEAD", "impls")


def test_without_git_it_is_git_that_is_missing_and_no_repository(tmp_path, monkeypatch):
    with pytest.raises(snapshots.Unusable, match="not a git repository"):
        snapshots.resolve(tmp_path, "HEAD")
    odd = tmp_path / "bin" / "git"
    odd.parent.mkdir()
    odd.write_text("no program")
    for path, said in ((tmp_path / "nowhere", "git is not on PATH"), (odd.parent, "git can't be started")):
        monkeypatch.setenv("PATH", str(path))
        with pytest.raises(snapshots.Unusable, match=said):
            snapshots.resolve(tmp_path, "HEAD")
    odd.write_text("#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\necho 'some advice' >&2\nexit 128\n")
    odd.chmod(0o755)
    with pytest.raises(snapshots.Unusable, match="dubious ownership"):
        snapshots.resolve(tmp_path, "HEAD")
