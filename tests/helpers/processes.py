"""Commands that tests start: small runs, with nothing of the tests' own environment, and waiting for what they do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]

SMALL = (
    "--problem", "t4-b2-i8-h8", "--mode", "train_step", "--replicates", "2", "--blocks", "2", "--no-floor",
    "--threads", "1",
)  # fmt: skip
"""Options of a run."""
FEW = ("--problem", "t4-b2-i8-h8", "--mode", "train_step", "--replicates", "2", "--blocks", "2", "--margin", "100%",
       "--even-if-same")  # fmt: skip
"""Options of a gate, which measures equal copies too."""

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that. Not a preexec_fn: that
# forks this process, in which JAX's threads may be running.
HEED_INTERRUPTS = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def impls(*names: object) -> list[str]:
    """The options that name implementations."""
    return [word for name in names for word in ("--impl", str(name))]


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what tests set for JAX in it and what tells pytest that it is a worker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PYTEST_"))}
    return {**kept, **changes}


def python(*arguments: object, cwd: Path = ROOT, timeout: float = 500, **env: str) -> subprocess.CompletedProcess[str]:
    """Run python with these arguments; the result, not judged."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**env),
        check=False,
    )


def start(*arguments: object, cwd: Path = ROOT, **env: str) -> subprocess.Popen[str]:
    """Start python with these arguments, so that it heeds Ctrl-C, whatever has started the tests."""
    whole = [sys.executable, "-c", HEED_INTERRUPTS, sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        whole, cwd=cwd, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(what: Callable[[], object], seconds: float = 240) -> None:
    """Until it is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def runs(pid: int, word: str) -> bool:
    """Whether that process lives and its command line has this word; a zombie's can't be read, and it is gone."""
    try:
        return word in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def children(parent: subprocess.Popen[str], word: str) -> list[int]:
    """The processes that it and its children have started, that live and whose command line has this word."""
    return [child.pid for child in psutil.Process(parent.pid).children(recursive=True) if runs(child.pid, word)]


def git(folder: Path, *arguments: str) -> str:
    """What git prints, in that folder; as a committer of its own."""
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def copy_of_tree(folder: Path) -> Path:
    """Make a repository that holds this working tree's files."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    return folder
