"""Run a command, and end it when this process ends, however this process dies.

All that the command has started ends with it: pip and venv start processes of their own, which a death signal (prctl)
would not reach.
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
    """Run a command, wait for it and return its output. An interruption ends the command first.

    Args:
        command: the program and its arguments.
        variables: environment variables, in addition to this process's own.
        waiting: called about once a second with the seconds that the command has taken so far.
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
    """Run a command in its own process group until it ends or the parent is gone.

    Returns:
        The exit code of the command, as a shell gives it; 1 where the parent is gone.
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
