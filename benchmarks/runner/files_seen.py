"""The files that the workers of a session have used, and which of them two implementations must not share."""

import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.record import Record
from benchmarks.runner.arm import Arm
from benchmarks.worker import requests


def difference(what: str, before: str, now: str) -> str:
    """Return what to say of something that is not as it was when a run began."""
    return f"{what} has changed since this run began: it was {before} and is {now}"


class FilesSeen:
    """The files that workers have used since this was made.

    Attributes:
        hashes: by path, the hash that the first worker has seen of a file.
        change: which file was not always the same; empty where all were.
        users: by code that was made meanwhile, the names of the implementations that use it.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.hashes: dict[str, str] = {}
        self.change = ""
        self.users: dict[str, set[str]] = {}

    def note(self, arm: Arm) -> None:
        """Note the files that an arm has used; ArmFailed where it used one that is not its own."""
        used = arm.ask(requests.UsedFiles())
        for path, digest in used.hashes.items():
            first = self.hashes.setdefault(path, digest)
            if digest != first:
                self.change = difference(path, first, digest)
        for file in map(Path, (*used.hashes, *used.made)):
            is_code = file.suffix == ".py" or ".so" in file.suffixes
            if is_code and file.exists() and file.stat().st_mtime > self.began:
                self.users.setdefault(str(file), set()).add(arm.name)

    def refuse_shared(self, rows: Iterable[Record]) -> None:
        """Refuse implementations that use a library or module which was made meanwhile: it has the code of one."""
        shared = {path: names for path, names in self.users.items() if len(names) > 1}
        for row in rows:
            for path, names in shared.items():
                if row.implementation in names and row.status == "ok":
                    others = ", ".join(sorted(names - {row.implementation}))
                    made = f"it uses {path}, which was made meanwhile, as {others} does"
                    row.fail("error", f"{made}: whose code is in it?")
