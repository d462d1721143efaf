"""Write a file whole or not at all; read regular files, up to a bound; temporary folders; hashes of contents."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_BYTES = 2**26
"""The largest text file that is read: 64 MiB."""
LOCK = ".lstm-bench"
"""The file in a temporary folder on which its process holds a lock."""


def check_place(path: Path) -> None:
    """Check that a file can be written, before it takes long to compute what is in it.

    Raises:
        ValueError: where it can't. One line.
    """
    folder = Path(os.path.realpath(path)).parent
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise ValueError(
            f"{path} can't be written: it is not a regular file that can be written to"
        )
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(
            f"{path} can't be written: {folder} is not a folder that can be written to"
        )


def check_name(path: str) -> None:
    """Raise ValueError where a path is not UTF-8, since no JSON can hold it."""
    if any("\ud800" <= sign <= "\udfff" for sign in path):
        raise ValueError(f"{path} is not UTF-8; rename it")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then rename it to `path`. A process that dies leaves no half file.

    Raises:
        OSError: where `path` can't be written to.
    """
    target = Path(os.path.realpath(path))  # a link stays, and what it leads to is replaced
    temporary = target.with_name(
        f".arriving-{secrets.token_hex(8)}{target.suffix if target.suffix.isascii() else ''}"
    )
    try:
        write(temporary)
        with temporary.open("r+b") as file:  # Windows syncs no other
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:  # about the file that was meant, not the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_regular(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Check that a path is a file that can be read; a pipe or a device, which may never end, is none.

    Raises:
        ValueError: where there is no such file, or it has more than `most_bytes`. One line.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist")
    if not path.is_file():
        raise ValueError(f"{path} is not a regular file")
    if (size := path.stat().st_size) > most_bytes:
        raise ValueError(
            f"{path} has {size / 2**20:.0f} MiB; at most {most_bytes / 2**20:.0f} MiB are read"
        )


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        ValueError: where it can't be read. One line.
    """
    try:
        check_regular(path, most_bytes)
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None


@contextlib.contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that is removed at the end. Those that killed processes left beside it are removed first."""
    import fcntl  # which Windows, where reports can be made, does not have

    for path in parent.glob(f"{prefix}*/{LOCK}"):
        with contextlib.suppress(OSError), path.open("rb") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # its process is gone, since nobody holds it
            shutil.rmtree(path.parent, ignore_errors=True)
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    arriving = parent / f".{folder.name}"
    arriving.mkdir(mode=0o700)
    try:
        with (arriving / LOCK).open("xb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            arriving.rename(folder)  # now that it is locked, others may find it
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(files: Mapping[str, bytes]) -> str:
    """Return a short hash of names and contents, the same in any order."""
    hashed = hashlib.sha256()
    for name, content in sorted(files.items()):
        hashed.update(os.fsencode(f"{name}\0{len(content)}\0") + content)
    return hashed.hexdigest()[:16]
