"""Write a file whole or not at all; read only regular files, up to a bound; temporary folders; hashes of contents."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

MOST_BYTES = 2**26
"""The largest text file that is read: 64 MiB."""
UNFINISHED = re.compile(r"\.arriving-[0-9a-f]{16}(\.\w+)?")
"""The name of a file that write_whole has not finished."""
MARKER, MARK = ".lstm-bench", b"A temporary folder of lstm-bench. Its process holds a lock on this file.\n"
"""The file in a temporary folder that proves whose it is, and what it holds."""


def _kind(mode: int) -> str:
    """Return what a path is, in words."""
    words = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return words.get(stat.S_IFMT(mode), "a device")


def check_writable(path: Path) -> Path:
    """Return the path that a file is written to, after symbolic links: a regular file, or a name that is new.

    Raises:
        OSError: for a folder, a device, a pipe, a socket, a file that is write-protected, or links in a circle.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {_kind(mode)}, not a regular file", str(path))
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return Path(os.path.realpath(path))


def check_place(path: Path) -> None:
    """Check that a file can be written, before it takes long to compute what is in it.

    Raises:
        ValueError: where it can't. One line.
    """
    try:
        folder = check_writable(path).parent
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror}") from None
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{path} can't be written: {folder} is not a folder that can be written to")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then rename it to `path`. A process that dies leaves no half file.

    A new file has the mode that the umask leaves; one that is replaced keeps its own.

    Raises:
        OSError: where `path` is neither a regular file nor new, or can't be written to.
    """
    target = check_writable(path)
    temporary = target.with_name(f".arriving-{secrets.token_hex(8)}{target.suffix if target.suffix.isascii() else ''}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:  # about the file that was asked for, not the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove the files of a folder that a killed process has not finished writing."""
    for path in folder.iterdir():
        if UNFINISHED.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def open_regular(path: Path, most_bytes: int = MOST_BYTES) -> BinaryIO:
    """Open a regular file for reading. It never waits, as a pipe would.

    Raises:
        ValueError: where there is no such file, it can't be read, or has more than `most_bytes`. One line.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
    status = os.fstat(descriptor)
    reason = ""
    if not stat.S_ISREG(status.st_mode):
        reason = f"is {_kind(status.st_mode)}, not a regular file"
    elif status.st_size > most_bytes:
        reason = f"has {status.st_size / 2**20:.0f} MiB; at most {most_bytes / 2**20:.0f} MiB are read"
    if reason:
        os.close(descriptor)
        raise ValueError(f"{path} {reason}")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        ValueError: as open_regular.
    """
    with open_regular(path, most_bytes) as file:
        try:
            content = file.read(most_bytes + 1)  # a file of /proc has a size of 0
        except OSError as error:
            raise ValueError(f"{path} can't be read: {error.strerror}") from None
    if len(content or b"") > most_bytes:
        raise ValueError(f"{path} has more than {most_bytes / 2**20:.0f} MiB")
    return content or b""


@contextlib.contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that is removed at the end. Those that killed processes left beside it are removed first.

    A folder is only removed if it is provably one of these: it holds our marker, and no process has locked that.

    Args:
        parent: the folder in which it is made.
        prefix: what its name starts with.
    """
    for path in parent.glob(f"{prefix}*"):
        if not re.fullmatch(f"{re.escape(prefix)}[0-9a-f]{{16}}", path.name):
            continue
        with _abandoned(path) as ours:
            if ours:
                _remove(path)
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        with (folder / MARKER).open("xb") as marker:
            fcntl.flock(marker, fcntl.LOCK_EX)  # before the mark is there
            marker.write(MARK)
            marker.flush()
            yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a temporary folder, its marker last: what can't be removed now is still known to be ours later."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)  # not where a worker still writes, or no descriptor is free
            elif path.name != MARKER:
                path.unlink()
        if all(path.name == MARKER for path in folder.iterdir()):
            shutil.rmtree(folder)


@contextlib.contextmanager
def _abandoned(folder: Path) -> Iterator[bool]:
    """Yield whether a folder is a temporary one whose process is gone; nobody else removes it meanwhile."""
    if folder.is_symlink() or (folder / MARKER).is_symlink():
        yield False
        return
    try:
        marker = open_regular(folder / MARKER, len(MARK))
    except ValueError:
        yield False
        return
    with marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield marker.read() == MARK


def digest(files: Mapping[str, bytes]) -> str:
    """Return a short hash of names and contents, the same in any order."""
    hashed = hashlib.sha256()
    for name, content in sorted(files.items()):
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()[:16]
