"""Run commands. A guarded command ends with this process, however this process dies."""

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 20.0
"""How long a guarded command may take to end after it gets SIGTERM."""


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
        lines = error.stderr.strip().splitlines()
        fatal = [line for line in lines if line.startswith("fatal:")]  # git's advice may follow
        raise CommandFailed((fatal or lines or [f"{name} failed"])[-1]) from None


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the one that started it dies, however that dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the call took effect
        os._exit(1)


def guarded(command: Sequence[str | Path]) -> list[str]:
    """Return a command that does the same in a guard (see `guard`), which ends with this process."""
    return [sys.executable, __file__, str(os.getpid()), *map(str, command)]


def run_guarded(
    command: Sequence[str | Path], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a guarded command, wait for it and return its output. An interruption ends the command first.

    The environment variables are in addition to this process's own.
    """
    with subprocess.Popen(
        guarded(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _mask_signals(how: int) -> None:
    """Block what ends a guard, or unblock it: `how` is signal.SIG_BLOCK or SIG_UNBLOCK."""
    signal.pthread_sigmask(how, {signal.SIGINT, signal.SIGTERM})


def guard(parent: int, command: Sequence[str]) -> int:
    """Run a command in its own process group until it ends, or until the parent is gone or sends SIGTERM.

    The command then gets SIGTERM, and GRACE_SECONDS to end. What it has started and left is killed: pip and venv start
    processes of their own, which a death signal would not reach.

    Returns:
        The exit code of the command, as a shell gives it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # A signal waits until the command is known: it would leave Popen with a process that nobody ends.
    _mask_signals(signal.SIG_BLOCK)
    die_with_parent(parent, signal.SIGTERM)
    child = subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=functools.partial(_mask_signals, signal.SIG_UNBLOCK),  # noqa: PLW1509 - there is one thread
    )
    try:
        _mask_signals(signal.SIG_UNBLOCK)
        code = child.wait()
    except BaseException:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
