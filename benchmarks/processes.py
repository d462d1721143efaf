"""Processes that end with the one that has started them, and commands whose errors are told in a line."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1


class CommandFailed(OSError):
    """A command failed; the message is the last line of its errors."""


def run(
    command: Sequence[str], seconds: float | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a command, which must end within some seconds, and return its output. `env`: its variables.

    Raises:
        CommandFailed: where it is not there, does not end in time, or fails. One line.
    """
    name = command[0]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=seconds,
            check=True,
            env=env,
        ).stdout
    except FileNotFoundError:
        raise CommandFailed(f"{name} is not on PATH") from None
    except OSError as error:
        raise CommandFailed(f"{name} can't be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{name} did not answer within {seconds:g} s") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        fatal = [line for line in said if line.startswith("fatal:")]  # git's advice may follow
        raise CommandFailed((fatal or said or [f"{name} failed"])[-1]) from None


def die_with_parent(parent: int, how: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the one that started it dies, however that dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:  # it died before the call took effect
        os._exit(1)


def told_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that does the same, and is told to end (SIGTERM) when this process dies."""
    return [sys.executable, __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
