"""Snapshots of a git revision or of the working tree, in a cache, each under the hash of its content.

Where a side cannot be made, every function raises Unusable.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from impls.core import contract
from impls.core.environments import cache
from impls.core.files import digest, temporary_folder
from impls.core.processes import CommandFailed, run

SKIPPED = ("__pycache__", ".git")
IMPLS, CONTRACT = "impls", ("core", "api.py")
"""What of impls/ is in no snapshot: the contract of the working tree checks and times both sides."""
SUBMODULE = "160000 "
"""The mode of a submodule in git's index."""
KEPT_SECONDS = 7 * 24 * 3600
"""A snapshot that was not asked for in a week is removed: it may be of a large repository."""


class Unusable(ValueError):
    """A side that cannot be made; the message says why, in one line."""


class Incomplete(RuntimeError):
    """A snapshot that would not hold what its side runs: nothing can be measured. The message says why, in one line."""


def content_of(folder: Path, tree: Path) -> dict[str, bytes]:
    """Return what a snapshot of `tree` holds, by path: a hash of each file, with whether it can be run; links' targets.

    Raises:
        Incomplete: a link leads out of the snapshot, or into the tree: both sides would have what it leads to.
    """
    content = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            to = path.readlink()
            end = Path(os.path.realpath(path))
            source = os.path.realpath(folder / name.partition("/")[0])
            leaves = (
                end.is_relative_to(os.path.realpath(tree))
                if to.is_absolute()
                else not end.is_relative_to(source)
            )
            if leaves:  # who sees it change?
                raise Incomplete(f"{name} is a link that leads out of its folder: {to}")
            content[name] = b"-> " + os.fsencode(to)
        elif (
            path.is_file() and path.suffix != ".md" and not {*path.parts} & {*SKIPPED}
        ):  # which changes no LSTM
            with path.open("rb") as file:
                content[name] = hashlib.file_digest(file, "sha256").digest() + b"x" * bool(
                    path.stat().st_mode & 0o100
                )
    return content


def _snapshot(fill: Callable[[Path], object], tree: Path) -> Path:
    """Let `fill` write files of `tree` into a folder, keep that under the hash of its content, and return its path."""
    parent = cache() / "files"
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):  # another process removes it, too
            if old.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    with temporary_folder(parent, ".arriving-") as temporary:
        folder = temporary / "content"
        folder.mkdir()
        fill(folder)
        content = content_of(folder, tree)
        target = parent / digest(content)
        if target.exists() and content_of(target, tree) != content:  # somebody has changed it
            target.rename(temporary / "changed")
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # it was there, or another process was faster
                raise
            target.touch()
    return target


def _mark(place: Path, commit: str) -> None:
    """Say which commit a submodule has: its files are in no snapshot, but what needs them must not count as alike."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "commit-of-a-submodule").write_text(commit)


WHOLE = (
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "index.sparse=false",
    "-c",
    "core.splitIndex=false",
)
"""How git takes all files, whatever part of them the repository is set to show, and leaves no file beside an index."""


def git(folder: Path, *arguments: str, **variables: str) -> str:
    """Run git in a folder, with more environment variables, and return its output; Unusable has its error."""
    try:
        return run(
            ["git", "-C", str(folder), *arguments], env={**os.environ, "LC_ALL": "C", **variables}
        )
    except CommandFailed as error:
        raise Unusable(str(error)) from None


def resolve(folder: Path, revision: str) -> str:
    """Return the commit of a revision in a folder's repository."""
    try:
        return git(
            folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
    except Unusable as error:
        raise Unusable(
            f"{revision} names no commit of the repository that {folder} is in ({error})"
        ) from None


def top(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in."""
    return Path(git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))


def place_of(path: Path) -> tuple[Path, Path]:
    """Return the top folder of the repository that a file is in, and the file's path there, as it is written.

    A link on the way that the repository holds is not followed: on the other side it may lead elsewhere.
    """
    there = next(folder for folder in path.parents if folder.is_dir())
    for folder in path.parents:
        if (folder / ".git").exists() and _holds(folder, path.relative_to(folder)):
            return folder, path.relative_to(folder)
    whole = top(there)
    return whole, Path(os.path.realpath(path)).relative_to(whole)


def _holds(folder: Path, name: Path) -> bool:
    """Whether each link on the way from a repository's top folder to a file is the repository's own."""
    links = [parent for parent in name.parents if (folder / parent).is_symlink()]
    return all(
        git(folder, "ls-files", "-z", "--cached", "--others", "--", str(link)) for link in links
    )


def check_absent(whole: Path, revision: str, name: Path) -> None:
    """Check that a revision has no such file, where its snapshot has none.

    Raises:
        Incomplete: it has one.
    """
    try:
        git(whole, "cat-file", "-e", f"{revision}:{name}")
    except Unusable:
        return
    raise Incomplete(f"{revision} has {name}, and git has not written it to the snapshot")


def ignored(whole: Path) -> list[str]:
    """Return what git ignores in a repository, by its path there: files, and folders with a / of which it ignores all.

    Bytecode is left out: Python makes it anew.
    """
    listed = git(
        whole, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
    ).split("\0")
    return [
        name for name in listed if name and "__pycache__" not in name and not name.endswith(".pyc")
    ]


def missing(whole: Path) -> tuple[str, ...]:
    """Return what of a repository's files is in no snapshot: what git ignores, and repositories in it, with a /."""
    nested = git(whole, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    tracked = git(whole, "ls-files", "-sz").split("\0")
    submodules = [f"{line.partition(chr(9))[2]}/" for line in tracked if line.startswith(SUBMODULE)]
    return (*ignored(whole), *submodules, *(name for name in nested if name.endswith("/")))


def ignored_beside(whole: Path, name: Path) -> list[str]:
    """Return the names of the files and packages in the folder of a file that git ignores, but for hidden ones."""
    names = []
    for each in map(Path, ignored(whole)):
        beside = each.parent == name.parent and not each.name.startswith(".")
        if beside and ((whole / each).is_file() or (whole / each / "__init__.py").exists()):
            names.append(each.name)
    return names


def of_revision(folder: Path, revision: str, name: str) -> Path:
    """Return a snapshot with a revision's files of `folder`, under `name`; that of impls/ is without CONTRACT."""
    commit = resolve(folder, revision)
    try:
        tree = git(folder, "rev-parse", "--verify", f"{commit}:./").strip()
    except Unusable:
        raise Unusable(f"{revision} has no {folder.name}/") from None
    whole = top(folder)

    def check_out(target: Path) -> None:
        index = {"GIT_INDEX_FILE": str(target.with_name("index"))}
        git(whole, *WHOLE, "read-tree", f"--prefix={name}/", tree, **index)
        if name == IMPLS:
            without = [f"{name}/{path}" for path in CONTRACT]
            git(
                whole, *WHOLE, "rm", "-rqf", "--cached", "--ignore-unmatch", "--", *without, **index
            )
        git(whole, *WHOLE, "checkout-index", "--all", f"--prefix={target}/", **index)
        for line in git(whole, *WHOLE, "ls-files", "-sz", **index).split("\0"):
            if line.startswith(SUBMODULE):
                _mark(target / line.partition("\t")[2], line.split()[1])

    return _snapshot(check_out, folder)


def of_working_tree(folder: Path, name: str) -> Path:
    """Return a snapshot with the files of `folder` as they are now, under `name`.

    That of impls/ is without CONTRACT. The files that git ignores are left out, and this suite's own cache.
    """
    own = Path(os.path.realpath(cache()))
    real = Path(os.path.realpath(folder))
    try:
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
            "\0"
        )
        files = [
            Path(line) for line in listed if line and not line.endswith("/")
        ]  # a repository of its own
    except Unusable:  # in no repository
        files = [path.relative_to(folder) for path in folder.rglob("*")]

    def copy(target: Path) -> None:
        for path in files:
            left_out = {*path.parts} & {*SKIPPED} or (name == IMPLS and path.parts[0] in CONTRACT)
            left_out = left_out or (real / path).is_relative_to(own)
            if left_out or any(
                (folder / parent).is_symlink() for parent in path.parents[:-1]
            ):  # a folder until now
                continue
            if (folder / path).is_file() or (folder / path).is_symlink():
                (target / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / path, target / name / path, follow_symlinks=False)
            elif (folder / path / ".git").exists():
                whole = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
                _mark(target / name / path, git(folder / path, *whole).strip())

    return _snapshot(copy, folder)


def check_contract(folder: Path, revision: str) -> None:
    """Check that a revision's impls/ and this tree's core and benchmarks/ have the same contract."""
    try:
        source = git(folder, "show", f"{revision}:./core/contract.py")
    except Unusable:
        source = ""
    found = re.search(r"^CONTRACT = (\d+)", source, re.MULTILINE)
    if found is None or int(found[1]) != contract.CONTRACT:
        has = f"has contract {int(found[1])}" if found else "has no contract with a number"
        raise Unusable(
            f"{revision}'s impls/ {has}; this tree's benchmarks/ needs contract {contract.CONTRACT}"
        )
