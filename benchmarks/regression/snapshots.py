"""Snapshots of a git revision or of the working tree, in a cache, each under the hash of its content.

Where a side cannot be made, every function raises Unusable.
"""

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
IMPLS = "impls"
CONTRACT = ("core", "api.py")
"""What of impls/ is in no snapshot: the contract of the working tree checks and times both sides."""
SUBMODULE = "160000 "
"""The mode of a submodule in git's index."""
OTHERS = ("--others", "--exclude-standard")
"""How `git ls-files` lists what is not tracked, without what it ignores."""
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
            target = path.readlink()
            end = Path(os.path.realpath(path))
            if target.is_absolute():
                leaves = end.is_relative_to(os.path.realpath(tree))
            else:
                leaves = not end.is_relative_to(os.path.realpath(folder / Path(name).parts[0]))
            if leaves:  # what it leads to may change, and no hash would
                raise Incomplete(f"{name} is a link that leads out of its folder: {target}")
            content[name] = b"-> " + os.fsencode(target)
            continue
        changes_no_lstm = path.suffix == ".md" or not {*SKIPPED}.isdisjoint(path.parts)
        if path.is_file() and not changes_no_lstm:
            with path.open("rb") as file:
                content[name] = hashlib.file_digest(file, "sha256").digest()
            if path.stat().st_mode & 0o100:
                content[name] += b"x"
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
    environment = {**os.environ, "LC_ALL": "C", **variables}
    try:
        return run(["git", "-C", str(folder), *arguments], env=environment)
    except CommandFailed as error:
        raise Unusable(str(error)) from None


def resolve(folder: Path, revision: str) -> str:
    """Return the commit of a revision in a folder's repository."""
    commit = f"{revision}^{{commit}}"
    try:
        return git(folder, "rev-parse", "--verify", "--end-of-options", commit).strip()
    except Unusable as error:
        where = f"the repository that {folder} is in"
        raise Unusable(f"{revision} names no commit of {where} ({error})") from None


def top(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in."""
    return Path(git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))


def place_of(path: Path) -> tuple[Path, Path]:
    """Return the top folder of the repository that a file is in, and the file's path there, as it is written.

    A link on the way that the repository holds is not followed: on the other side it may lead elsewhere.
    """
    for folder in path.parents:
        if (folder / ".git").exists():
            name = path.relative_to(folder)
            links = [parent for parent in name.parents if (folder / parent).is_symlink()]
            if all(_listed(folder, "--cached", "--others", "--", str(link)) for link in links):
                return folder, name
    existing = next(folder for folder in path.parents if folder.is_dir())
    repository = top(existing)
    return repository, Path(os.path.realpath(path)).relative_to(repository)


def check_absent(repository: Path, revision: str, name: Path) -> None:
    """Check that a revision has no such file, where its snapshot has none.

    Raises:
        Incomplete: it has one.
    """
    try:
        git(repository, "cat-file", "-e", f"{revision}:{name}")
    except Unusable:
        return
    raise Incomplete(f"{revision} has {name}, and git has not written it to the snapshot")


def _listed(folder: Path, *options: str) -> list[str]:
    """Return the paths that `git ls-files` lists, from a folder on."""
    return git(folder, "ls-files", "-z", *options).split("\0")[:-1]


def ignored(repository: Path) -> list[str]:
    """Return what git ignores in a repository, by its path there: files, and folders with a / of which it ignores all.

    Bytecode is left out: Python makes it anew.
    """
    names = _listed(repository, *OTHERS, "--ignored", "--directory")
    return [name for name in names if "__pycache__" not in name and not name.endswith(".pyc")]


def missing(repository: Path) -> tuple[str, ...]:
    """Return what of a repository's files is in no snapshot: what git ignores, and repositories in it, with a /."""
    names = ignored(repository)
    for line in _listed(repository, "--stage"):
        if line.startswith(SUBMODULE):
            names.append(line.partition("\t")[2] + "/")
    names += [name for name in _listed(repository, *OTHERS) if name.endswith("/")]
    return tuple(names)


def ignored_beside(repository: Path, name: Path) -> list[str]:
    """Return the names of the files and packages in the folder of a file that git ignores, but for hidden ones."""
    names = []
    for ignored_name in ignored(repository):
        path = repository / ignored_name
        beside = path.parent == repository / name.parent and not path.name.startswith(".")
        if beside and (path.is_file() or (path / "__init__.py").exists()):
            names.append(path.name)
    return names


def of_revision(folder: Path, revision: str, name: str) -> Path:
    """Return a snapshot with a revision's files of `folder`, under `name`; that of impls/ is without CONTRACT."""
    commit = resolve(folder, revision)
    try:
        tree = git(folder, "rev-parse", "--verify", f"{commit}:./").strip()
    except Unusable:
        raise Unusable(f"{revision} has no {folder.name}/") from None

    repository = top(folder)

    def check_out(target: Path) -> None:
        def run_git(*words: str) -> str:
            index = str(target.with_name("index"))
            return git(repository, *WHOLE, *words, GIT_INDEX_FILE=index)

        run_git("read-tree", f"--prefix={name}/", tree)
        if name == IMPLS:
            paths = [f"{name}/{path}" for path in CONTRACT]
            run_git("rm", "-rqf", "--cached", "--ignore-unmatch", "--", *paths)
        run_git("checkout-index", "--all", f"--prefix={target}/")
        for line in run_git("ls-files", "-z", "--stage").split("\0"):
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
        names = _listed(folder, "--cached", *OTHERS)
        # with a slash at its end, it is a repository of its own
        paths = [Path(listed) for listed in names if not listed.endswith("/")]
    except Unusable:  # in no repository
        paths = [path.relative_to(folder) for path in folder.rglob("*")]

    def copy(target: Path) -> None:
        for path in paths:
            of_contract = name == IMPLS and path.parts[0] in CONTRACT
            of_cache = (real / path).is_relative_to(own)
            if of_contract or of_cache or not {*SKIPPED}.isdisjoint(path.parts):
                continue
            if any((folder / parent).is_symlink() for parent in path.parents[:-1]):
                continue  # git still lists what was below it when it was a folder
            source = folder / path
            if source.is_file() or source.is_symlink():
                (target / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name / path, follow_symlinks=False)
            elif (source / ".git").exists():
                version = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
                _mark(target / name / path, git(source, *version).strip())

    return _snapshot(copy, folder)


def check_contract(folder: Path, revision: str) -> None:
    """Check that a revision's impls/ and this tree's core and benchmarks/ have the same contract."""
    try:
        source = git(folder, "show", f"{revision}:./core/contract.py")
    except Unusable:
        source = ""
    number = re.search(r"^CONTRACT = (\d+)", source, re.MULTILINE)
    if number is None or int(number[1]) != contract.CONTRACT:
        has = f"has contract {number[1]}" if number else "has no contract with a number"
        raise Unusable(
            f"{revision}'s impls/ {has}; this tree's benchmarks/ needs contract {contract.CONTRACT}"
        )
