"""The folder that a command writes to: new or empty, and of no other process. What can't be used is a UsageError."""

import fcntl
import os
import tempfile
import time
from pathlib import Path

import click

from benchmarks import ROOT
from impls.core import environments
from impls.core.files import check_name


def usable_out(given: str | Path | None, kind: str) -> Path:
    """Make a folder, by default one of this date and kind, and return it. While this process lives, no other gets it.

    A folder that is given must be new or empty, and writable.
    """
    environments.cache()  # where there is none, that is the error before anything is made
    out = Path(given or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{kind}")
    try:
        check_name(os.path.realpath(out))
        if given:
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = make_new(out)
        claim(out)
        if (out / "run.json").exists():
            raise click.UsageError(
                f"{out} already holds a run; continue it with --resume {out}, or give another --out"
            )
        if any(out.iterdir()):
            raise click.UsageError(f"{out} is not an empty folder; give a new one")
        with tempfile.TemporaryFile(dir=out):
            pass
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except FileExistsError:
        raise click.UsageError(f"{out} is not a folder; give a new one") from None
    except OSError as error:
        raise click.UsageError(
            f"{out} can't be written to: {error.strerror}; give another --out"
        ) from None
    return out


def make_new(usual: Path) -> Path:
    """Make a folder that was not there, with a number after its name where another process was first, and return it."""
    usual.parent.mkdir(parents=True, exist_ok=True)
    folder = usual
    number = 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = usual.with_name(f"{usual.name}-{number}")
        else:
            return folder


def claim(path: Path) -> None:
    """Lock a folder or a file until this process ends. A UsageError where another has done so."""
    # never closed: that would end the lock. NFS locks no folder, and only files that can be written to
    file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise click.UsageError(f"{path} is being used by another process") from None
    except OSError:
        pass
