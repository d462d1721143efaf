"""The files of a worker: what it has imported, mapped and opened, what it wrote, and what it looked for in vain.

Only implementations from elsewhere are watched: an audit hook of Python sees what they open. It makes each event of the
audit 0.6 µs longer, of which a timed call has none or a few. What a child process opens is not seen, nor what compiled
code opens by itself.
"""

import functools
import hashlib
import os
import re
import site
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import ROOT
from benchmarks.judge.sanity import Suspicious

MAKES = os.O_CREAT | os.O_TRUNC
SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/opt",
    "/etc",
    "/nix",
    "/snap",
    "/proc",
    "/sys",
)
"""The folders of the system. What this user can't write counts as the system's, too."""
MAPPED = re.compile(r"^\S+ ..x\S* \S+ \S+ \d+\s+(/(?!memfd:).*?)( \(deleted\))?$", re.MULTILINE)
"""A file that is mapped to be executed, in /proc/self/maps: a library. Memory that a compiler has filled is none."""
SOURCE = re.compile(r".*\.(c|cc|cpp|cxx|cu|cuh|h|hh|hpp|inl|pyx|pxd|pxi|rs)")
"""What compilers read. A header is opened by the compiler's own process: so all beside an opened source count."""
MODULES = (".py", ".pyx", ".so")
"""The ends of a module's file."""
OPENING = {"ctypes.dlopen": 0, "sqlite3.connect": 0, "import": 1}
"""Events of the audit beside `open`, and which of their arguments is the path of a file that is opened."""
EDITABLE = "__editable__"
"""How the modules begin by which pip has installed other projects in place."""
CLOCK_SECONDS = 0.01
"""By so much the time of a file's change may be early."""
LARGE = 2**26
"""Of a larger file the size and the time of its last change count, in place of its content."""
VERSION = re.compile(r"_*version_*")
"""A module of this name holds a version: packages write it as they are built, and git ignores it."""


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the file of an implementation from elsewhere comes from, and what belongs to it.

    Attributes:
        folder: what belongs to it. In a gate that is a snapshot of `tree`, otherwise see project_of.
        tree: the folder of which a gate has made the snapshot; nothing may be used from there. Empty outside a gate.
        missing: in a gate, paths in the tree of what no snapshot has, since git ignores it or it is another repository.
            Those of folders end with `/`.
    """

    folder: str
    tree: str = ""
    missing: tuple[str, ...] = ()


class Used(msgspec.Struct, forbid_unknown_fields=True):
    """The user's files that a worker has used: of each a hash, and the code among them that was made meanwhile.

    What was made while the worker ran has no hash: it may be another in each process.
    """

    hashes: dict[str, str]
    made: list[str]


class Watch:
    """What this process has opened and written since this was made, and the modules that nobody could find.

    It is the last finder on sys.meta_path: it is asked for modules that no other has found.
    """

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.written: set[str] = set()
        self.absent: set[str] = set()
        sys.addaudithook(self._note_event)
        sys.meta_path.append(self)  # type: ignore[arg-type]

    def _note_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            name, _, flags = arguments
            writes = flags & os.O_WRONLY or flags & MAKES
            self._note(self.written if writes else self.opened, name)
        elif event == "os.rename":
            self._note(self.written, arguments[1])
        elif event in OPENING:
            self._note(self.opened, arguments[OPENING[event]])

    @staticmethod
    def _note(paths: set[str], name: object) -> None:
        if isinstance(name, str | bytes | os.PathLike):
            paths.add(os.path.abspath(os.fsdecode(name)))  # noqa: PTH100 - a Path takes ten times as long

    def find_spec(self, name: str, path: Sequence[str] | None = None, _: object = None) -> None:
        """Note where a module was looked for in vain, and find nothing."""
        for folder in sys.path if path is None else path:
            self.absent.add(f"{folder}/{name.rpartition('.')[2]}")


def project_of(path: Path) -> Path:
    """Return the folder whose files belong to an implementation: that of its repository, or that of its file."""
    return next((folder for folder in path.parents if (folder / ".git").exists()), path.parent)


def libraries() -> set[str]:
    """Return the path of each library that is mapped into this process."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return {path for path, _ in MAPPED.findall(maps)}


def modules() -> set[str]:
    """Return the path of each module that has been imported."""
    files = [getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()]]
    return {os.path.abspath(file) for file in files if isinstance(file, str)}  # noqa: PTH100 - as above


@functools.cache
def forms_of(path: str) -> tuple[str, ...]:
    """Return a path as it is written and where its links lead. It is kept: to follow links takes long."""
    return tuple({path, os.path.realpath(path)})


def below(path: str, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of some folders, as it is written or where its links lead."""
    starts = tuple(f"{str(folder).rstrip('/')}/" for folder in folders)
    return any(f"{form}/".startswith(starts) for form in forms_of(path))


class Files:
    """The files of the worker of an implementation from elsewhere.

    Args:
        origin: where the implementation comes from.
        shared: the suite's own folders that all workers use: its caches, and that of this run.
    """

    def __init__(self, origin: Origin, shared: Sequence[str]) -> None:
        self.began = time.time() - CLOCK_SECONDS
        self.missing = set(origin.missing)
        self.folder = Path(os.path.realpath(origin.folder))
        self.tree = Path(os.path.realpath(origin.tree)) if origin.tree else None
        suite = [*shared, str(ROOT / "benchmarks"), str(ROOT / "impls")]
        self.suite = self._outside_tree([*suite, sys.prefix, sys.base_prefix, sys.exec_prefix])
        installed = [site.getusersitepackages()]
        for variable in ("LD_LIBRARY_PATH", "LD_PRELOAD"):
            installed += re.split("[: ]+", os.environ.get(variable, ""))
        self.system = [*self._outside_tree(filter(None, installed)), *map(Path, SYSTEM)]
        searched = [place for place in sys.path if Path(place) != ROOT]
        for name, module in sys.modules.items():
            if name.startswith(EDITABLE):
                searched += vars(module).get("MAPPING", {}).values()
        self.python_path = self._outside_tree(searched)
        if self.tree:
            self.python_path = [
                place for place in self.python_path if not place.is_relative_to(self.tree)
            ]
        self.watch = Watch()

    def _outside_tree(self, places: Iterable[str]) -> list[Path]:
        """Return folders, as they are written and where their links lead, without those that hold the tree."""
        folders = set()
        for place in places:
            folders.add(Path(os.path.abspath(place)))  # noqa: PTH100
            folders.add(Path(os.path.realpath(place)))
        if self.tree is None:
            return list(folders)
        return [folder for folder in folders if not self.tree.is_relative_to(folder)]

    def _is_users(self, path: str) -> bool:
        """Whether a file is the user's: it belongs to neither the suite, an environment, nor the system."""
        if below(path, self.suite):
            return False
        if below(path, [self.folder]) or (self.tree and below(path, [self.tree])):
            return True
        if below(path, self.system):
            return False
        if path.startswith("/dev/") and not path.startswith("/dev/shm/"):  # noqa: S108
            return False
        return os.getuid() == 0 or os.access(path, os.W_OK)

    def code(self) -> list[str]:
        """Return each library, and each module whether it was imported or run, that is the user's."""
        code = modules() | libraries()
        for path in self.watch.opened:
            if path.endswith(MODULES) and Path(path).is_file():
                code.add(path)
        return sorted(filter(self._is_users, code))

    def check(self) -> None:
        """In a gate, see that this side uses its own files only.

        Raises:
            Suspicious: it uses a file that the other side uses too, or one that neither side has.
        """
        if self.tree is None:
            return
        for path in self.code():
            if not below(path, [self.folder, *self.python_path]):
                raise Suspicious(self._shared(path))
        for path in sorted(self.watch.opened):
            own = below(path, [self.folder, *self.suite])
            if below(path, [self.tree]) and not own and Path(path).is_file():
                raise Suspicious(self._shared(path))
        for path in sorted((self.watch.opened | self.watch.absent) - self.watch.written):
            missed = self._missed(path)
            if missed:
                raise Suspicious(
                    f"it looks for {missed}, which neither side has, since git ignores it or it is"
                    " another repository: commit it, or build it on import"
                )

    def _shared(self, path: str) -> str:
        if self.tree and below(path, [self.tree]):
            return f"it uses {path}, as the other side does: build that path from __file__"
        return f"it uses {path}, which the other side may use too: install it, or put its folder on PYTHONPATH"

    def _missed(self, path: str) -> str:
        """Return the file of the tree that no snapshot has, where this side has looked for that in its own."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self.folder) or real.exists() or VERSION.fullmatch(real.stem):
            return ""
        if path in self.watch.absent:
            imported = {name.rpartition(".")[2] for name in sys.modules}
            if real.name in imported:  # it was built then
                return ""
        name = real.relative_to(self.folder)
        own = {str(name), *(f"{folder}/" for folder in name.parents)}
        if Path(self.tree or "", name, "__init__.py").exists():
            own.add(f"{name}/")  # a package
        if own & self.missing:
            return str(name)
        for missing in self.missing:
            if missing.startswith(f"{name}.") and missing.endswith(MODULES):
                return missing
        return ""

    def used(self) -> Used:
        """Return the files that a result may depend on: code from anywhere, and data of its folder.

        What this process has written itself is left out, and what belongs to the suite: in a gate, all snapshots.
        """
        code = set(self.code())
        paths = set(code)
        for path in self.watch.opened:
            own = below(path, [self.folder]) and not below(path, self.suite)
            if own and not path.endswith(".pyc"):
                paths.add(path)
        for folder in {Path(path).parent for path in paths if SOURCE.fullmatch(path)}:
            paths.update(str(path) for path in folder.glob("*") if SOURCE.fullmatch(path.name))
        made = set(filter(self._was_made, paths))
        hashes = {}
        for path in paths - self.watch.written - made:
            hashed = digest(path)
            if hashed:
                hashes[path] = hashed
        return Used(hashes, sorted(made & code))

    def _was_made(self, path: str) -> bool:
        """Whether a file was made or changed while this process ran, by itself or by another."""
        with suppress(OSError):
            return Path(path).stat().st_mtime > self.began
        return False


def digest(path: str) -> str:
    """Return a short hash of a file, of a large one its size and time; nothing where there is no such file."""
    with suppress(OSError):
        if Path(path).is_file():
            status = Path(path).stat()
            if status.st_size > LARGE:
                return f"{status.st_size} bytes of {status.st_mtime_ns}"
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    return ""
