"""The two sides of a regression from the command's options: implementations, files and environments.

Where a side cannot be made, it is a ValueError of one line.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from benchmarks import ROOT
from benchmarks.cases import GATED
from benchmarks.choices import SETS
from benchmarks.regression import requirements, snapshots
from benchmarks.regression.snapshots import Unusable
from benchmarks.runner.sides import ArmFailed, Side, Version, version_of
from benchmarks.worker.used_files import Origin
from impls.core import environments, registry
from impls.core.files import check_name, digest
from impls.core.installing import NotBuilt
from impls.core.registry import Implementation
from impls.core.text import one_line


@dataclass(frozen=True)
class Comparison:
    """Base, head, and a title that says what they are. left_out are lines on what lies beside them, and neither has."""

    base: Side
    head: Side
    title: str
    left_out: tuple[str, ...] = ()

    @property
    def alike(self) -> bool:
        """Whether nothing differs: both sides have the same implementations, in the same environments."""
        if self.base.unreadable or self.head.unreadable or not self.base.versions:
            return False
        if any(version.failure for version in self.base.versions.values()):
            return False
        return self.base.versions == self.head.versions


class Source:
    """Where a side comes from: the files of a revision, or of the working tree where there is no revision.

    Attributes:
        lstms: by name, what can be compared, the snapshot with the impls/ that it imports, and the origin of a file
            from elsewhere.
        broken: by name, why others cannot be read.
        python: what runs implementations without an environment of their own.
    """

    def __init__(self, revision: str | None = None) -> None:
        self.revision = revision
        self.lstms: dict[str, tuple[Implementation, Path, Origin | None]] = {}
        self.broken: dict[str, str] = {}
        self.python = sys.executable

    def files(self, folder: Path, name: str) -> Path:
        """Return a snapshot of a folder, under `name`."""
        if self.revision:
            return snapshots.of_revision(folder, self.revision, name)
        return snapshots.of_working_tree(folder, name)

    def add_own(self) -> Path:
        """Find the LSTMs of this repository, and return the snapshot that they are in."""
        root = self.files(ROOT / "impls", "impls")
        if self.revision:
            snapshots.check_contract(ROOT / "impls", self.revision)
        implementations, broken = registry.survey(root / "impls")
        for name, implementation in implementations.items():
            if implementation.is_lstm:
                self.lstms[name] = implementation, root, None
        for name, reason in broken.items():
            self.broken[name] = reason.replace(f"{root}/", "")
        return root

    def add(self, path: Path, root: Path, top: Path, name: Path) -> bool:
        """Find a file from elsewhere, which imports a snapshot's impls/. Return whether there is one.

        The path is looked up in this side's own snapshot: a link in it may lead elsewhere than on the other side.

        Args:
            path, root: of the file, and of the snapshot.
            top, name: of the file's repository, and of the file in it: see snapshots.place_of.
        """
        self.lstms.pop(path.stem, None)  # this repository's own of that name
        self.broken.pop(path.stem, None)
        folder = (
            self.files(top, "given") / "given"
        )  # it may import what lies anywhere in its repository
        file = folder / name
        if self.revision and not os.path.lexists(file):
            snapshots.check_absent(top, self.revision, name)
        if not file.is_file():
            return False
        try:
            implementation = registry.read_foreign(file)
        except ValueError as error:
            self.broken[path.stem] = str(error).replace(str(file), path.name)
        else:
            # a link may lead to a file of another name
            implementation = msgspec.structs.replace(implementation, name=path.stem)
            origin = Origin(str(folder), str(top), snapshots.missing(top))
            self.lstms[path.stem] = implementation, root, origin
        return True

    def side(self, label: str, names: Iterable[str]) -> Side:
        """Return the side with these implementations, where it has them."""
        versions = {}
        unreadable = {}
        for name in names:
            if name in self.lstms:
                versions[name] = version_of(*self.lstms[name], self.python)
            elif name in self.broken:
                unreadable[name] = self.broken[name]
        return Side(label, versions, unreadable)

    def core(self) -> list[str]:
        """Return the requirements of the core environment."""
        if self.revision:
            content = snapshots.git(ROOT, "show", f"{self.revision}:./pyproject.toml")
        else:
            content = (ROOT / "pyproject.toml").read_text()
        return requirements.of_pyproject(content)


def code_of(side: Side) -> str:
    """Return a hash of a side's files: the implementations, and the snapshots that they are in."""
    parts = {}
    for name, version in side.versions.items():
        parts[name] = f"{version.implementation.digest} {version.root.name}".encode()
    return digest(parts)


def is_foreign(name: str) -> bool:
    """Whether this is a file from elsewhere, and not an implementation of this repository."""
    return name.endswith(".py") and Path(os.path.realpath(name)).parent != ROOT / "impls"


def _chosen(wanted: Sequence[str], base: Source, head: Source, shared: bool) -> list[str]:
    """Return the names of this repository's implementations to compare: by default GATED, and those that may differ.

    `shared` is whether a file that implementations import differs: then every implementation may.
    """
    sides: dict[str, list[Implementation]] = {}
    for name in sorted({*base.lstms, *head.lstms, *base.broken, *head.broken}):
        sides[name] = [side.lstms[name][0] for side in (base, head) if name in side.lstms]
    names = []
    for text in wanted:
        stem = Path(text).stem
        if stem in sides:
            names.append(stem)
        elif text not in SETS:
            registry.resolve(stem)  # raises, with the nearest name
            raise Unusable(f"{stem} is not an LSTM")
        else:
            for name, implementations in sides.items():
                # what neither side can read may be of any set
                if not implementations or any(map(SETS[text], implementations)):
                    names.append(name)
    if not wanted:
        names += [name for name in GATED if name in sides]
        for name, implementations in sides.items():
            digests = {implementation.digest for implementation in implementations}
            by_default = all(implementation.by_default for implementation in implementations)
            if len(implementations) == 1 or len(digests) == 2 or (shared and by_default):
                names.append(name)
    return list(dict.fromkeys(names))


def split(wanted: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Split what is wanted into names of this repository and files from elsewhere; no two may have the same name."""
    own: list[str] = []
    foreign: list[Path] = []
    for text in wanted:
        if registry.VERSION.fullmatch(text):
            raise Unusable(
                f"{text}: a gate compares two releases by --base-requirement; `bench` measures several"
            )
        path = Path(os.path.abspath(text))  # noqa: PTH100 - without ..
        if not is_foreign(text):
            own.append(text)
        elif path not in foreign:
            check_name(str(path))
            foreign.append(path)
    stems = Counter(path.stem for path in (*map(Path, own), *foreign))
    for stem, number in stems.items():
        if number > 1:
            raise Unusable(f"{stem} is named twice; where these are two files, rename one")
    return own, foreign


def by_revision(
    wanted: Sequence[str], revision: str, head_revision: str | None = None
) -> Comparison:
    """Compare the files of a revision with those of another, by default of the working tree."""
    own, foreign = split(wanted)
    places = {path: snapshots.place_of(path) for path in foreign}
    folders = [top for top, _ in places.values()]
    if own or not foreign:
        folders.insert(0, ROOT)
    commits = dict.fromkeys(snapshots.resolve(folder, revision)[:12] for folder in folders)
    other = head_revision or "the working tree"
    title = f"{revision} ({', '.join(commits)}) against {other}"
    base = Source(revision)
    head = Source(head_revision)
    names = []
    if own or not foreign:
        base_root = base.add_own()
        root = head.add_own()
        before = registry.shared_files(base_root / "impls")
        shared = registry.shared_files(root / "impls") != before
        names = _chosen(own, base, head, shared)
        if base.core() != head.core():
            base.python, head.python, differ = requirements.apart(base.core(), head.core())
            if differ:
                title += f", with {requirements.short(differ)}"
    else:
        root = snapshots.of_working_tree(ROOT / "impls", "impls")
    left_out = []
    for path, place in places.items():
        in_base = base.add(path, root, *place)
        in_head = head.add(path, root, *place)
        if not in_base and not in_head:
            hint = "; git ignores it" if path.is_file() and not head_revision else ""
            raise Unusable(f"{path} exists neither in {revision} nor in {other}{hint}")
        names.append(path.stem)
        ignored = ", ".join(snapshots.ignored_beside(*place))
        if ignored:
            line = f"{path.stem}: beside it, git ignores {one_line(ignored, 200)}"
            left_out.append(f"{line}: neither side has that")
    sides = base.side("base", names), head.side("head", names)
    return Comparison(*sides, title, tuple(left_out))


def by_requirement(wanted: Sequence[str], specs: Sequence[str]) -> Comparison:
    """Compare the working tree's files in two environments that differ only in these requirements.

    An implementation is compared where its environment, its own or the core one, holds one of the packages.
    """
    own, foreign = split(wanted)
    tree = Source()
    root = tree.add_own()
    for reason in tree.broken.values():
        raise Unusable(reason)
    names = _chosen(own, tree, tree, shared=False) if own or not foreign else []
    chosen = [tree.lstms[name][0] for name in names]
    chosen += map(registry.read_foreign, foreign)
    named = requirements.parse(specs)
    unknown = set(named)
    core = tree.core()
    here = {canonicalize_name(package.name) for package in metadata.distributions() if package.name}
    base: dict[str, Version] = {}
    head: dict[str, Version] = {}
    titles: dict[str, None] = {}
    for implementation in chosen:
        name = implementation.name
        try:
            if implementation.requires:
                needs = (*environments.WORKER_NEEDS, *implementation.requires)
                held = requirements.freeze(environments.build(needs, purpose=name))
                pair = requirements.pair(needs, held, named, name)
            else:
                pair = requirements.pair(core, here, named, "a regression")
        except NotBuilt as error:
            if not implementation.requires:
                raise
            unknown.clear()  # nobody knows what it would hold
            failure = ArmFailed("not_installed", one_line(str(error), 300))
            base[name] = head[name] = Version(implementation, root, failure=failure)
            continue
        if pair:
            before, now, differ = pair
            base[name] = Version(implementation, root, before)
            head[name] = Version(implementation, root, now)
            titles[requirements.short(differ)] = None
            unknown.difference_update(differ)
        elif wanted and not SETS.keys() & wanted:
            raise Unusable(f"the environment of {name} has none of {', '.join(specs)}")
    if unknown:  # such as a mistyped one
        raise Unusable(f"no environment has {', '.join(sorted(unknown))}")
    return Comparison(Side("base", base), Side("head", head), ", ".join(titles))
