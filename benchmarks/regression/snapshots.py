"""Snapshots of a git revision or of the working tree, in a cache, each under the hash of its content.

Where a side cannot be made, every function raises Unusable.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from impls.core import contract
from impls.core.environments import cache
from impls.core.files import digest, temporary_folder

SKIPPED = ("__pycache__", ".git")
IMPLS, CONTRACT = "impls", ("core", "api.py")
"""What of impls/ is in no snapshot: the contract of the working tree checks and times both sides."""


class Unusable(ValueError):
    """A side that cannot be made; the message says why, in one line."""


class NoFolder(Unusable):
    """A revision that has no such folder."""


def _snapshot(fill: Callable[[Path], object]) -> Path:
    """Let `fill` write into a folder, keep that under the hash of its content, and return its path."""
    parent = cache() / "files"
    parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(parent, ".arriving-") as temporary:
        folder = temporary / "content"
        folder.mkdir()
        fill(folder)
        content = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        target = parent / digest(content)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # it was there, or another process was faster
                raise
    return target


def git(folder: Path, *arguments: str) -> bytes:
    """Run git in a folder and return its output. Where that fails, Unusable has git's error."""
    command, english = ["git", "-C", str(folder), *arguments], {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(command, capture_output=True, check=True, env=english).stdout
    except OSError as error:
        raise Unusable(f"git can't be started ({error.strerror}); is it installed, and on PATH?") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        fatal = [line for line in said if line.startswith("fatal:")]  # advice may follow
        raise Unusable((fatal or said or [f"git {arguments[0]} failed"])[-1]) from None


def resolve(folder: Path, revision: str) -> str:
    """Return the commit of a revision in a folder's repository."""
    try:
        return git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except Unusable as error:
        raise Unusable(f"{revision} names no commit of the repository that {folder} is in ({error})") from None


def of_revision(folder: Path, revision: str, name: str) -> Path:
    """Return a snapshot with the files that a revision has in `folder`, under `name`; that of impls/ without CONTRACT.

    Raises:
        NoFolder: where the revision does not have the folder.
    """
    commit = resolve(folder, revision)
    if not git(folder, "ls-tree", commit):
        raise NoFolder(f"{revision} has no {folder.name}/")
    without = [f":(exclude){path}" for path in CONTRACT] if name == IMPLS else []
    archive = git(folder, "archive", "--format=tar", f"--prefix={name}/", commit, "--", ".", *without)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return _snapshot(partial(tar.extractall, filter="data"))
    except tarfile.TarError as error:  # such as a link that leads out of the folder
        raise Unusable(f"{folder.name}/ of {revision} can't be unpacked: {error}") from None


def of_working_tree(folder: Path, name: str) -> Path:
    """Return a snapshot with the files of `folder` as they are now, under `name`.

    That of impls/ is without CONTRACT. The files that git ignores are left out.
    """
    try:
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0")
        files = [Path(line) for line in listed if line]
    except Unusable:  # in no repository
        files = [path.relative_to(folder) for path in folder.rglob("*")]

    def copy(target: Path) -> None:
        for path in files:
            left_out = {*path.parts} & {*SKIPPED} or (name == IMPLS and path.parts[0] in CONTRACT)
            if (folder / path).is_file() and not left_out:
                (target / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / path, target / name / path)

    return _snapshot(copy)


def joined(*roots: Path) -> Path:
    """Return a snapshot with the files of several."""
    return _snapshot(lambda target: [shutil.copytree(root, target, dirs_exist_ok=True) for root in roots])


def changed(root: Path, changes: Mapping[str, Callable[[str], str]]) -> Path:
    """Return a copy of a snapshot in which some files are changed, such as `impls/torch_lstm.py`."""

    def fill(target: Path) -> None:
        shutil.copytree(root, target, dirs_exist_ok=True)
        for name, change in changes.items():
            text = (target / name).read_text(encoding="utf-8")
            (target / name).write_text(change(text), encoding="utf-8")

    return _snapshot(fill)


def check_contract(folder: Path, revision: str) -> None:
    """Check that a revision's impls/ and this tree's core and benchmarks/ have the same contract."""
    try:
        source = git(folder, "show", f"{revision}:./core/contract.py")
    except Unusable:
        source = b""
    found = re.search(rb"^CONTRACT = (\d+)", source, re.MULTILINE)
    if found is None or int(found[1]) != contract.CONTRACT:
        has = f"has contract {int(found[1])}" if found else "has no contract with a number"
        raise Unusable(f"{revision}'s impls/ {has}; this tree's benchmarks/ needs contract {contract.CONTRACT}")
