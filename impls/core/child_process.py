"""Run a command that ends, with everything it has started, when this process does, however this process dies.

A death signal (prctl) would reach the command alone: pip and venv start processes of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_SECONDS = 0.2


def run(
    command: Sequence[str | Path],
    variables: Mapping[str, str] | None = None,
    waiting: Callable[[float], None] = lambda _: None,
) -> subprocess.CompletedProcess[str]:
    """Wait for a command and keep its output. Where that is interrupted, the command is ended first.

    Args:
        command: the program and its arguments.
        variables: environment variables beside this process's own.
        waiting: is told about once a second how many seconds the command has taken.
    """
    guarded = [sys.executable, __file__, str(os.getpid()), *map(str, command)]
    start = time.monotonic()
    with subprocess.Popen(
        guarded,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(variables or {})},
    ) as process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=1.0)
                    break
                except subprocess.TimeoutExpired:
                    waiting(time.monotonic() - start)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def guard(parent: int, command: Sequence[str]) -> int:
    """Run a command in a group of its own until it ends or the parent is gone.

    Returns:
        The exit code of the command, as a shell gives it.
    """
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
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
