"""The two sides of a regression from the command's options: implementations, files and environments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from benchmarks import ROOT
from benchmarks.choices import ALL
from benchmarks.regression import requirements
from benchmarks.regression.snapshots import (
    NoFolder,
    Unusable,
    check_contract,
    git,
    of_revision,
    of_working_tree,
    resolve,
)
from benchmarks.runner.arm import ArmFailed
from benchmarks.runner.sides import Side, Version, version_of
from impls.core import environments, registry
from impls.core.registry import Implementation
from impls.core.text import one_line

GATED = ("torch_cell", "torch_cell_autograd", "torch_lstm", "jax_scan", "jax_scan_vjp", "flax_nnx")
"""The implementations that are compared by default: eager loops, a hand-written backward, a fused kernel, scans."""


@dataclass(frozen=True)
class Comparison:
    """Base, head, and a title that says what they are."""

    base: Side
    head: Side
    title: str

    @property
    def alike(self) -> bool:
        """Whether nothing differs: both sides have the same implementations, in the same environments."""
        if self.base.unreadable or self.head.unreadable or not self.base.versions:
            return False
        built = all(version.failure is None for version in self.base.versions.values())
        return built and self.base.versions == self.head.versions


def _lstms(folder: Path) -> tuple[dict[str, Implementation], dict[str, str]]:
    """Return a snapshot's LSTMs by name, and why others cannot be read, without the paths of the snapshot."""
    implementations, broken = registry.survey(folder)
    return (
        {name: implementation for name, implementation in implementations.items() if implementation.is_lstm},
        {name: reason.replace(f"{folder.parent}/", "") for name, reason in broken.items()},
    )


def is_foreign(name: str) -> bool:
    """Whether this is a file from elsewhere, and not an implementation of this repository."""
    return name.endswith(".py") and Path(os.path.realpath(name)).parent != ROOT / "impls"


def _chosen(
    wanted: Sequence[str],
    base: dict[str, Implementation],
    head: dict[str, Implementation],
    shared: bool,
    broken: Iterable[str] = (),
) -> list[str]:
    """Return the names of this repository's implementations to compare.

    These are the wanted ones, or by default those in GATED and those that differ between the sides.

    Args:
        wanted: names, paths of this repository's files, or `all`.
        base: the implementations of base.
        head: the implementations of head.
        shared: whether a file that implementations import differs; then every implementation may differ.
        broken: names that cannot be read on at least one side.
    """
    known = sorted({*base, *head, *broken})
    names = [Path(text).stem for text in wanted if text != ALL]
    for name in names:
        if name not in known:
            registry.resolve(name)  # raises, with the nearest name
            raise Unusable(f"{name} is not an LSTM")
    if ALL in wanted:
        return known
    if wanted:
        return names
    core = [name for name in known if all(name not in side or side[name].by_default for side in (base, head))]
    differ = [name for name in core if shared] + [name for name in known if _digest(base, name) != _digest(head, name)]
    return list(dict.fromkeys([*(name for name in GATED if name in known), *differ]))


def _digest(implementations: dict[str, Implementation], name: str) -> str | None:
    """Return the hash of an implementation's file; None where there is none."""
    return implementations[name].digest if name in implementations else None


def split(wanted: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Split what is wanted into names of this repository and files from elsewhere.

    Raises:
        Unusable: where two would have the same name.
    """
    stems = [Path(text).stem for text in wanted]
    for stem in stems:
        if stems.count(stem) > 1:
            raise Unusable(f"two implementations are called {stem}; rename one")
    return [text for text in wanted if not is_foreign(text)], [
        Path(os.path.realpath(text)) for text in wanted if is_foreign(text)
    ]


def by_revision(wanted: Sequence[str], revision: str, head_revision: str | None = None) -> Comparison:
    """Compare the files of a revision with those of another, by default of the working tree.

    Raises:
        ValueError: where a side cannot be made; the message has one line.
    """
    own, foreign = split(wanted)
    revisions: dict[str, str | None] = {"base": revision, "head": head_revision}
    versions: dict[str, dict[str, Version]] = {label: {} for label in revisions}
    unreadable: dict[str, dict[str, str]] = {label: {} for label in revisions}
    pythons, differ = dict.fromkeys(revisions, sys.executable), ""
    ours = bool(own or not foreign)
    folders = [ROOT] * ours + [path.parent for path in foreign]
    commits = [resolve(folder, revision)[:12] for folder in folders]
    if ours:
        roots = {label: _snapshot(ROOT / "impls", "impls", each) for label, each in revisions.items()}
        for named in filter(None, revisions.values()):
            check_contract(ROOT / "impls", named)
        lstms = {label: _lstms(root / "impls") for label, root in roots.items()}
        (before, broken_before), (now, broken_now) = lstms.values()
        shared = [registry.shared_files(root / "impls") for root in roots.values()]
        names = _chosen(own, before, now, shared[0] != shared[1], {*broken_before, *broken_now})
        pythons, differ = _environments(revision, head_revision)
        for label, (implementations, broken) in lstms.items():
            for name in names:
                if name in implementations:
                    versions[label][name] = version_of(implementations[name], roots[label], pythons[label])
                elif name in broken:
                    unreadable[label][name] = broken[name]
    else:
        roots = {"head": of_working_tree(ROOT / "impls", "impls")}
    for path in foreign:
        for label, each in revisions.items():
            try:
                file = _snapshot(path.parent, "given", each) / "given" / path.name
            except NoFolder:
                continue
            if file.is_file():
                try:
                    version = version_of(registry.read_foreign(file), roots["head"], pythons[label])
                    versions[label][path.stem] = version
                except ValueError as error:
                    unreadable[label][path.stem] = str(error).replace(str(file), path.name)
        if not any(path.stem in {*versions[label], *unreadable[label]} for label in revisions):
            later = f"in {head_revision}" if head_revision else "now"
            raise Unusable(f"{path} exists neither in {revision} nor {later}")
    against = head_revision or "the working tree"
    title = f"{revision} ({', '.join(dict.fromkeys(commits))}) against {against}{differ}"
    base, head = (Side(label, versions[label], unreadable[label]) for label in revisions)
    return Comparison(base, head, title)


def _snapshot(folder: Path, name: str, revision: str | None) -> Path:
    """Return a snapshot of a folder as a revision has it; None for the working tree."""
    return of_working_tree(folder, name) if revision is None else of_revision(folder, revision, name)


def _environments(revision: str, head: str | None) -> tuple[dict[str, str], str]:
    """Return base's and head's Python, and in words how they differ. With equal groups, both are this Python."""
    here = (ROOT / "pyproject.toml").read_bytes()
    now = requirements.of_pyproject(here if head is None else git(ROOT, "show", f"{head}:./pyproject.toml"))
    before = requirements.of_pyproject(git(ROOT, "show", f"{revision}:./pyproject.toml"))
    if now == before:
        return {"base": sys.executable, "head": sys.executable}, ""
    *pythons, differ = requirements.apart(before, now)
    words = f", with {requirements.short(differ)}" if differ else ""
    return dict(zip(("base", "head"), pythons, strict=True)), words


def by_requirement(wanted: Sequence[str], specs: Sequence[str]) -> Comparison:
    """Compare the working tree's files in two environments that differ only in these requirements.

    An implementation is compared where its environment, its own or the core one, holds one of the packages.

    Raises:
        Unusable: where a side cannot be made; the message has one line.
    """
    root = of_working_tree(ROOT / "impls", "impls")
    implementations, broken = _lstms(root / "impls")
    for reason in broken.values():
        raise Unusable(reason)
    own, foreign = split(wanted)
    names = _chosen(own, implementations, implementations, shared=False) if own or not foreign else []
    chosen = [implementations[name] for name in names] + [registry.read_foreign(path) for path in foreign]
    explicit = bool(wanted) and ALL not in wanted
    pairs = _pairs(chosen, requirements.parse(specs), explicit)
    sides: tuple[dict[str, Version], dict[str, Version]] = ({}, {})
    titles = []
    for implementation in chosen:
        pair = pairs[implementation.name]
        if isinstance(pair, Unusable):
            failure = ArmFailed("not_installed", one_line(str(pair), 300))
            for side in sides:
                side[implementation.name] = Version(implementation, root, failure=failure)
        elif pair is not None:
            *pythons, differ = pair
            titles.append(requirements.short(differ))
            for side, python in zip(sides, pythons, strict=True):
                side[implementation.name] = Version(implementation, root, python)
        elif explicit:
            raise Unusable(f"the environment of {implementation.name} has none of {', '.join(specs)}")
    return Comparison(Side("base", sides[0]), Side("head", sides[1]), ", ".join(dict.fromkeys(titles)))


def _pairs(
    chosen: Sequence[Implementation], named: Mapping[str, str], explicit: bool
) -> dict[str, requirements.Pair | Unusable | None]:
    """Return base's and head's environment of each implementation; None where it has none of the named packages.

    A package that no environment has goes into the core one.

    Args:
        chosen: the implementations.
        named: what is asked of base, by the name of the package.
        explicit: whether an own environment that cannot be built is an error; otherwise its implementation gets it.
    """
    here: set[str] = {canonicalize_name(found.name) for found in metadata.distributions() if found.name}
    own: dict[str, set[str]] = {}
    pairs: dict[str, requirements.Pair | Unusable | None] = {}
    apart = [implementation for implementation in chosen if implementation.requires]

    def specs_in(holding: set[str]) -> list[str]:
        return [spec for name, spec in named.items() if name in holding]

    for implementation in apart:
        name, needs = implementation.name, (*environments.WORKER_NEEDS, *implementation.requires)
        try:
            own[name] = {*requirements.build(needs, purpose=name)[1]}
            mine = specs_in(own[name])
            pairs[name] = requirements.pair(needs, mine, purpose=name) if mine else None
        except Unusable as error:
            if explicit:
                raise
            pairs[name] = error
    mine = specs_in(here | ({*named} - set().union(*own.values())))
    if mine and len(apart) < len(chosen):
        core = requirements.pair(requirements.of_pyproject((ROOT / "pyproject.toml").read_bytes()), mine)
    else:
        core = None
    return pairs | {implementation.name: core for implementation in chosen if not implementation.requires}
