"""One wrapper for commands: however a command ends, it says so in one line and exits with the right code."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from impls.core.text import one_line

if TYPE_CHECKING:
    import click
    from _typeshed import ReadableBuffer

HELP = {"help_option_names": ["-h", "--help"]}
"""The settings of a click group whose commands have -h too."""
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
INTERRUPTED = 130
"""The exit code of a command that Ctrl-C has ended."""
NOT_INSTALLED = 4
"""The exit code of a command that lacks a package."""


class Output(io.FileIO):
    """Standard output or error. Once something can't be written, that and all that follows goes to /dev/null."""

    def write(self, content: ReadableBuffer, /) -> int:
        """Write bytes, and return how many."""
        written: int | None = None
        with contextlib.suppress(OSError):  # such as a full disk, or a pipe that nobody reads
            written = super().write(content)
        if written is None:  # also where a pipe is full, and does not block
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            written = super().write(content)
        return written


def open_streams() -> None:
    """Let no command fail because its output can't be written.

    A standard stream that is closed is opened on /dev/null. Otherwise the next file to be opened would take its place.
    """
    number = os.open(os.devnull, os.O_RDWR)  # the lowest that is free
    while number < 3:
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    if sys.stdout is sys.__stdout__:  # not again, and not in a test
        sys.stdout = _stream(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(2, sys.stderr)


def _stream(number: int, before: TextIO | None) -> TextIO:
    encoding = before.encoding if before else None
    buffer = io.BufferedWriter(Output(number, "w", closefd=False))
    # a terminal may know few characters
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True)


def _end(*_: object) -> None:
    """End at once. This is for times at which there is nothing to clean up."""
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Let Ctrl-C end the process with one line while the block imports what a command needs.

    An import that is interrupted may raise anything. From here on, output that can't be written is no error.
    """
    open_streams()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where Ctrl-C is ignored, nor in a test
        signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def describe(error: BaseException) -> str:
    """Return what an error says, with the name of the file that it is about."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.filename is None:
        return error.strerror
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def near(path: str | os.PathLike[str]) -> str:
    """Return a path as a user can copy it: a path below the present folder is from there."""
    return str(path).removeprefix(f"{Path.cwd()}/")


def again(module: str, *words: object) -> str:
    """Return a command line of this suite that a user can copy: `python -m module`, with the present Python."""
    return shlex.join([near(sys.executable), "-m", module, *map(str, words)])


def examples(*commands: str, more: str = "") -> str:
    """Return the end of a command's help."""
    lines = "".join(f"  python -m {command}\n" for command in commands)
    return f"\b\nExamples:\n{lines}{more}"


def version_option(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the option --version."""
    import click

    def show(context: click.Context, _: click.Parameter, chosen: bool) -> None:
        if chosen:
            say(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"])
            context.exit()

    return click.option(
        "--version", is_flag=True, is_eager=True, expose_value=False, callback=show
    )(command)


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Say what is wrong with what a user has given: a ValueError becomes a line and exit code 2."""
    import click

    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def heed_signals() -> None:
    """Let SIGTERM and a closing terminal end the command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)


def say(text: str, *, err: bool = False) -> None:
    """Print text on one line of standard output or standard error, with nothing in it that acts on a terminal."""
    print(one_line(text), file=sys.stderr if err else sys.stdout, flush=True)


def run(command: click.Command) -> NoReturn:
    """Run a command and exit with its code.

    Wrong arguments, and files that can't be read or written, give one line on stderr and exit code 2. Ctrl-C gives 130.
    """
    import click

    code = 2
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
    except click.ClickException as error:
        say(f"error: {error.format_message()}", err=True)
    except (OSError, MemoryError) as error:
        say(f"error: {describe(error)}", err=True)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        code = INTERRUPTED
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)  # while Python ends
    sys.exit(code if isinstance(code, int) else 0)
