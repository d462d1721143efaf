"""The two sides of a regression from the command's options: implementations, files and environments.

Where a side cannot be made, it is a ValueError of one line.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
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
from benchmarks.words import count
from benchmarks.worker.used_files import Origin
from impls.core import environments, registry
from impls.core.files import check_name
from impls.core.registry import Implementation
from impls.core.text import one_line

MOST_NAMED = 5
"""The most names in a line."""


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
        built = all(version.failure is None for version in self.base.versions.values())
        return built and self.base.versions == self.head.versions


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
        found, broken = registry.survey(root / "impls")
        self.lstms = {name: (each, root, None) for name, each in found.items() if each.is_lstm}
        self.broken = {name: reason.replace(f"{root}/", "") for name, reason in broken.items()}
        return root

    def add(
        self, path: Path, root: Path, place: tuple[Path, Path], missing: tuple[str, ...]
    ) -> bool:
        """Find a file from elsewhere, which imports a snapshot's impls/. Return whether there is one.

        The path is looked up in this side's own snapshot: a link in it may lead elsewhere than on the other side.

        Args:
            path, root: of the file, and of the snapshot.
            place, missing: of the file and its repository: see snapshots.
        """
        for known in (self.lstms, self.broken):
            known.pop(path.stem, None)  # of this repository's file of the same name
        top, name = place  # it may import what lies anywhere in its repository
        folder = self.files(top, "given") / "given"
        file = folder / name
        if self.revision and not os.path.lexists(file):
            snapshots.check_absent(top, self.revision, name)
        try:
            if file.is_file():
                read = registry.read_foreign(file)
                named = msgspec.structs.replace(
                    read, name=path.stem
                )  # a link may lead to a file of another name
                origin = Origin(str(folder), str(top), missing)
                self.lstms[path.stem] = named, root, origin
        except ValueError as error:
            self.broken[path.stem] = str(error).replace(str(file), path.name)
        return file.is_file()

    def side(self, label: str, names: Iterable[str]) -> Side:
        """Return the side with these implementations, where it has them."""
        versions = {
            name: version_of(*self.lstms[name], self.python) for name in names if name in self.lstms
        }
        return Side(
            label, versions, {name: self.broken[name] for name in names if name in self.broken}
        )

    def core(self) -> list[str]:
        """Return the requirements of the core environment."""
        path = ROOT / "pyproject.toml"
        content = (
            snapshots.git(ROOT, "show", f"{self.revision}:./{path.name}")
            if self.revision
            else path.read_text()
        )
        return requirements.of_pyproject(content)


def code_of(side: Side) -> str:
    """Return a hash of a side's files: the implementations, and the snapshots that they are in."""
    parts = [
        f"{name} {version.implementation.digest} {version.root.name}"
        for name, version in side.versions.items()
    ]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def is_foreign(name: str) -> bool:
    """Whether this is a file from elsewhere, and not an implementation of this repository."""
    return name.endswith(".py") and Path(os.path.realpath(name)).parent != ROOT / "impls"


def _chosen(wanted: Sequence[str], base: Source, head: Source, shared: bool) -> list[str]:
    """Return the names of this repository's implementations to compare: by default GATED, and those that may differ.

    `shared` is whether a file that implementations import differs: then every implementation may.
    """
    known = sorted({*base.lstms, *head.lstms, *base.broken, *head.broken})
    names = [Path(text).stem for text in wanted if text not in SETS]
    for name in names:
        if name not in known:
            registry.resolve(name)  # raises, with the nearest name
            raise Unusable(f"{name} is not an LSTM")
    found = {
        name: [side.lstms[name][0] for side in (base, head) if name in side.lstms] for name in known
    }
    for of in (
        SETS[text] for text in wanted if text in SETS
    ):  # what neither side can read may be of any set
        names += [name for name in known if any(map(of, found[name])) or not found[name]]
    if wanted:
        return list(dict.fromkeys(names))
    core = [name for name in known if shared and all(each.by_default for each in found[name])]
    differ = [
        name
        for name in known
        if len(found[name]) == 1 or len({each.digest for each in found[name]}) == 2
    ]
    return list(dict.fromkeys([*(name for name in GATED if name in known), *core, *differ]))


def split(wanted: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Split what is wanted into names of this repository and files from elsewhere; no two may have the same name."""
    for text in wanted:
        if registry.VERSION.fullmatch(text):
            raise Unusable(
                f"{text}: a gate compares two releases by --base-requirement; `bench` measures several"
            )
    foreign = list(
        dict.fromkeys(
            Path(os.path.abspath(text))  # noqa: PTH100 - without ..
            for text in wanted
            if is_foreign(text)
        )
    )
    own = [text for text in wanted if not is_foreign(text)]
    stems = [*(Path(text).stem for text in own), *(path.stem for path in foreign)]
    for stem in stems:
        if stems.count(stem) > 1:
            raise Unusable(f"{stem} is named twice; where these are two files, rename one")
    for path in foreign:
        check_name(str(path))
    return own, foreign


def left_out(places: Mapping[Path, tuple[Path, Path]]) -> tuple[str, ...]:
    """Return a line for each file from elsewhere that has ignored files beside it: neither side has these."""
    lines = []
    for file, place in places.items():
        names = snapshots.ignored_beside(*place)
        if names:
            several = (
                f" and {count(len(names) - MOST_NAMED, 'more file')}"
                if len(names) > MOST_NAMED
                else ""
            )
            said = ", ".join(names[:MOST_NAMED]) + several
            lines.append(f"{file.stem}: beside it, git ignores {said}: neither side has that")
    return tuple(lines)


def by_revision(
    wanted: Sequence[str], revision: str, head_revision: str | None = None
) -> Comparison:
    """Compare the files of a revision with those of another, by default of the working tree."""
    own, foreign = split(wanted)
    ours, differ = bool(own or not foreign), ""
    places = {path: snapshots.place_of(path) for path in foreign}
    folders = [ROOT] * ours + [top for top, _ in places.values()]
    commits = [snapshots.resolve(folder, revision)[:12] for folder in folders]
    sides = base, head = Source(revision), Source(head_revision)
    names = []
    if ours:
        roots = [side.add_own() for side in sides]
        root = roots[-1]
        before, now = (registry.shared_files(each / "impls") for each in roots)
        names = _chosen(own, base, head, before != now)
        core_before, core_now = base.core(), head.core()
        if core_before != core_now:
            base.python, head.python, different = requirements.apart(core_before, core_now)
            differ = f", with {requirements.short(different)}" if different else ""
    else:
        root = snapshots.of_working_tree(ROOT / "impls", "impls")
    against = head_revision or "the working tree"
    for path, place in places.items():
        missing = snapshots.missing(place[0])
        found = [side.add(path, root, place, missing) for side in sides]
        if not any(found):
            hint = "; git ignores it" if path.is_file() and not head_revision else ""
            raise Unusable(f"{path} exists neither in {revision} nor in {against}{hint}")
    names += [path.stem for path in foreign]
    title = f"{revision} ({', '.join(dict.fromkeys(commits))}) against {against}{differ}"
    return Comparison(base.side("base", names), head.side("head", names), title, left_out(places))


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
    chosen = [tree.lstms[name][0] for name in names] + [
        registry.read_foreign(path) for path in foreign
    ]
    named = requirements.parse(specs)
    here = {canonicalize_name(found.name) for found in metadata.distributions() if found.name}
    common = any(not implementation.requires for implementation in chosen)
    in_core = requirements.pair(tree.core(), here, named, "a regression") if common else None
    known = named.keys() & here if common else set[str]()
    base: dict[str, Version] = {}
    head: dict[str, Version] = {}
    titles = []
    for implementation in chosen:
        name, needs, pair = (
            implementation.name,
            (*environments.WORKER_NEEDS, *implementation.requires),
            in_core,
        )
        try:
            if implementation.requires:
                held = requirements.freeze(environments.build(needs, purpose=name))
                known |= named.keys() & held.keys()
                pair = requirements.pair(needs, held, named, name)
        except environments.NotBuilt as error:
            known |= named.keys()  # nobody knows what it would hold
            failure = ArmFailed("not_installed", one_line(str(error), 300))
            base[name] = head[name] = Version(implementation, root, failure=failure)
            continue
        if pair is not None:
            before, now, differ = pair
            base[name] = Version(implementation, root, before)
            head[name] = Version(implementation, root, now)
            titles.append(requirements.short(differ))
        elif wanted and not SETS.keys() & wanted:
            raise Unusable(f"the environment of {name} has none of {', '.join(specs)}")
    if unknown := named.keys() - known:  # such as a mistyped one
        raise Unusable(f"no environment has {', '.join(sorted(unknown))}")
    return Comparison(Side("base", base), Side("head", head), ", ".join(dict.fromkeys(titles)))
