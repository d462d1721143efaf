"""Which commit made it slower: `git bisect run`, with the gate as the test.

Every commit is compared with the same good one, and only at the benchmarks at which the bad one is slower. A commit
that has the good one's implementations is good without being measured. One that cannot be measured is skipped, and one
at which what is sought stays unclear.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.regression.outcome import Result
from benchmarks.regression.snapshots import Unusable, git, resolve
from impls.core.files import temporary_folder

SKIP = 125
"""The exit code by which `git bisect run` skips a commit."""


@dataclass(frozen=True)
class Range:
    """A good commit, a bad one, and a folder of their repository."""

    folder: Path
    good: str
    bad: str

    @classmethod
    def parse(cls, text: str, folder: Path) -> Range:
        """Read such as `v1.2..HEAD`.

        Raises:
            Unusable: where it names no commits, or the good one is no ancestor of the bad one. One line.
        """
        good, dots, bad = text.partition("..")
        if not (good and dots and bad) or bad.startswith("."):
            raise Unusable(f"{text!r} is not a range; write GOOD..BAD")
        found = cls(folder, resolve(folder, good), resolve(folder, bad))
        if found.good == found.bad:
            raise Unusable(f"{good} and {bad} are the same commit")
        if git(folder, "merge-base", "--all", found.good, found.bad).decode().split() != [found.good]:
            raise Unusable(f"{good} is not an ancestor of {bad}")
        return found


@dataclass(frozen=True)
class Found:
    """The first bad commit; several where commits between them were skipped."""

    commits: list[str]
    subject: str

    def __str__(self) -> str:
        if len(self.commits) > 1:
            return f"one of {', '.join(commit[:12] for commit in self.commits)}"
        return f"{self.commits[0][:12]} ({self.subject})"


def worse_at(result: Result) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the implementations, problems, workloads and modes at which head is worse."""
    names, _, benchmarks = zip(*(key.rpartition(" ") for key, _ in result.worse), strict=True)
    columns = zip(*(benchmark.split("/") for benchmark in benchmarks), strict=True)
    problems, workloads, modes = (list(dict.fromkeys(column)) for column in columns)
    return list(dict.fromkeys(names)), problems, workloads, modes


def step(commits: Range, arguments: Sequence[str], out: Path) -> str:
    """Return the shell command that tells `git bisect run` whether a commit is good, without checking it out."""
    command = [sys.executable, "-m", "benchmarks", "regression", "--base", commits.good, *arguments]
    return (
        f"head=$(git rev-parse BISECT_HEAD); unset GIT_DIR GIT_WORK_TREE GIT_PREFIX; "  # git sets them for what it runs
        f"cd {shlex.quote(str(ROOT))} || exit 255; "
        f'{shlex.join(command)} --head "$head" --out {shlex.quote(str(out))}/"$head"; code=$?; '
        f"case $code in 0|1) exit $code;; 2|3) exit {SKIP};; *) exit 255;; esac"
    )


def bisect(commits: Range, arguments: Sequence[str], out: Path) -> Found:
    """Find the first bad commit.

    Args:
        commits: the range.
        arguments: the options of the gate that is run at each commit.
        out: a folder for the reports, one for each commit.

    Raises:
        Unusable: where git ends without an answer.
    """
    with temporary_folder(Path(os.path.realpath(out)).parent, ".bisecting-") as temporary:
        tree = temporary / "tree"
        try:
            git(commits.folder, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(tree), commits.bad)
            git(tree, "bisect", "start", "--no-checkout", commits.bad, commits.good)
            run(["git", "-C", str(tree), "bisect", "run", "sh", "-c", step(commits, arguments, out)])
            left = git(tree, "rev-list", "refs/bisect/bad", "--not", "--glob=refs/bisect/good-*").decode().split()
            subject = git(tree, "log", "-1", "--format=%s", left[0]).decode().strip()
            return Found(left, subject)
        finally:
            if tree.exists():
                git(commits.folder, "worktree", "remove", "--force", str(tree))


def run(command: Sequence[str]) -> None:
    """Run git bisect. Where this process is interrupted, the gate that runs is interrupted, and waited for.

    Raises:
        Unusable: where git ends without an answer.
    """
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise
    if code not in (0, 2):  # 2 where only skipped commits are left
        raise Unusable(f"git bisect ended with {code}")
