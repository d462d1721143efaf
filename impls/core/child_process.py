"""Run a command, and end it when this process ends, however this process dies.

All that the command has started ends with it: pip and venv start processes of their own, which a death signal (prctl)
would not reach.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def run(
    command: Sequence[str | Path], variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, wait for it and return its output. An interruption ends the command first.

    The environment variables are in addition to this process's own.
    """
    guarded = [sys.executable, __file__, str(os.getpid()), *map(str, command)]
    pipe, environment = subprocess.PIPE, {**os.environ, **(variables or {})}
    with subprocess.Popen(
        guarded, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def guard(parent: int, command: Sequence[str]) -> int:
    """Run a command in its own process group until it ends, or until the parent is gone or sends SIGTERM.

    Returns:
        The exit code of the command, as a shell gives it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the call took effect
        return 1
    child = subprocess.Popen(command, start_new_session=True)
    try:
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
