"""Run a command that ends, with everything it has started, when this process does, however that dies.

A death signal (prctl) would reach the command alone: pip and venv start processes of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

POLL_SECONDS = 0.2


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Wait for a command, its output kept; where that is interrupted, the command is ended first."""
    leashed = [sys.executable, __file__, str(os.getpid()), *map(str, command)]
    with subprocess.Popen(
        leashed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def hold(parent: int, command: Sequence[str]) -> int:
    """Run a command in a group of its own, until it ends or the parent is gone; its exit code, as a shell gives it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    child = subprocess.Popen(command, start_new_session=True)
    try:
        while os.getppid() == parent:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = child.wait(POLL_SECONDS)
                return code if code >= 0 else 128 - code
        return 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(hold(int(sys.argv[1]), sys.argv[2:]))
