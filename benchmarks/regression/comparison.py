"""From what was asked to the two sides: which implementations, whose files, which environments."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.regression.snapshots import (
    ROOT,
    Side,
    Unusable,
    Version,
    check_contract,
    git,
    of_revision,
    of_working_tree,
    resolve,
)
from impls.core import contract, environments
from impls.core.contract import Implementation

GATED = ("torch_cell", "torch_cell_autograd", "torch_lstm", "jax_scan", "jax_scan_vjp", "flax_nnx")
"""What is compared where nobody says what: eager loops, a hand-written backward, a fused kernel, scans."""


@dataclass(frozen=True)
class Comparison:
    """Base, head, and in words what they are."""

    base: Side
    head: Side
    title: str


def _lstms(folder: Path) -> tuple[dict[str, Implementation], dict[str, str]]:
    """A snapshot's LSTMs by name, and why others can't be read, without the paths of the snapshot."""
    found, broken = contract.survey(folder)
    return (
        {name: one for name, one in found.items() if one.track in ("default", "tuned")},
        {name: reason.replace(f"{folder.parent}/", "") for name, reason in broken.items()},
    )


def _own(name: str) -> bool:
    return not name.endswith(".py") or Path(name).resolve().parent == ROOT / "impls"


def _chosen(
    wanted: Sequence[str],
    base: dict[str, Implementation],
    head: dict[str, Implementation],
    shared: bool,
    broken: Iterable[str] = (),
) -> list[str]:
    """Names in this repository to compare: those wanted, or the gated ones and whatever differs between the sides.

    `shared` says whether a file that implementations import differs: then all of them may. `broken` are those that
    can't be read on one side at least.
    """
    known = sorted({*base, *head, *broken})
    if wanted:
        names = [Path(one).stem for one in wanted]
        for name in names:
            if name not in known:
                contract.resolve(name)  # raises, with the nearest name
                raise Unusable(f"{name} is no LSTM to compare")
        return names
    differ = [name for name in known if shared or digest_of(base, name) != digest_of(head, name)]
    return list(dict.fromkeys([*(name for name in GATED if name in known), *differ]))


def digest_of(found: dict[str, Implementation], name: str) -> str | None:
    """The hash of an implementation's file; None where there is none."""
    return found[name].digest if name in found else None


def _split(wanted: Sequence[str]) -> tuple[list[str], list[Path]]:
    """This repository's names, and others' files. Raises Unusable where two would have one name."""
    stems = [Path(one).stem for one in wanted]
    for stem in stems:
        if stems.count(stem) > 1:
            raise Unusable(f"two implementations are called {stem}; rename one")
    return [one for one in wanted if _own(one)], [Path(one).resolve() for one in wanted if not _own(one)]


def by_revision(wanted: Sequence[str], revision: str) -> Comparison:
    """The files of a revision against those of the working tree. Raises Unusable or ValueError, in one line."""
    own, others = _split(wanted)
    base: dict[str, Version] = {}
    head: dict[str, Version] = {}
    broken: dict[str, dict[str, str]] = {"base": {}, "head": {}}
    pythons, differ = (sys.executable, sys.executable), ""
    root = of_working_tree(ROOT / "impls", "impls")
    commits = []
    if own or not others:
        commits.append(resolve(ROOT, revision))
        old = of_revision(ROOT / "impls", revision, "impls")
        check_contract(old, revision)
        (before, unread), (now, unreadable) = _lstms(old / "impls"), _lstms(root / "impls")
        differ_too = contract.shared_files(old / "impls") != contract.shared_files(root / "impls")
        for name in _chosen(own, before, now, differ_too, {*unread, *unreadable}):
            for side, found, place in ((base, before, old), (head, now, root)):
                if name in found:
                    side[name] = Version(found[name], place)
            broken["base"] |= {name: unread[name]} if name in unread else {}
            broken["head"] |= {name: unreadable[name]} if name in unreadable else {}
        pythons, differ = _environments(commits[0])
    for path in others:
        commits.append(resolve(path.parent, revision))
        for label, side, place in (
            ("base", base, of_revision(path.parent, revision, "given")),
            ("head", head, of_working_tree(path.parent, "given")),
        ):
            file = place / "given" / path.name
            if file.is_file():
                try:
                    side[path.stem] = Version(contract.read_foreign(file), root, place / "given")
                except ValueError as error:
                    broken[label][path.stem] = str(error).replace(str(file), path.name)
        if path.stem not in {*base, *head, *broken["base"], *broken["head"]}:
            raise Unusable(f"{path} exists neither in {revision} nor now")
    title = (
        f"{revision} ({', '.join(dict.fromkeys(commit[:12] for commit in commits))}) against the working tree{differ}"
    )
    sides = Side("base", base, pythons[0], broken["base"]), Side("head", head, pythons[1], broken["head"])
    return Comparison(*sides, title)


def _environments(commit: str) -> tuple[tuple[str, str], str]:
    """Base's and head's Python, and in words how they differ: this Python for both where their groups are the same."""
    now = environments.requirements((ROOT / "pyproject.toml").read_bytes())
    before = environments.requirements(git(ROOT, "show", f"{commit}:./pyproject.toml"))
    if now == before:
        return (sys.executable, sys.executable), ""
    base, head, differ = environments.apart(before, now)
    return (base, head), f", with {environments.short(differ)}" if differ else ""


def by_requirement(wanted: Sequence[str], specs: Sequence[str]) -> Comparison:
    """The working tree's files in two environments that differ in these requirements alone. Raises Unusable."""
    root = of_working_tree(ROOT / "impls", "impls")
    found, broken = _lstms(root / "impls")
    for reason in broken.values():
        raise Unusable(reason)
    own, others = _split(wanted)
    names = _chosen(own, found, found, shared=False) if own or not others else []
    versions = {name: Version(found[name], root) for name in names}
    versions |= {path.stem: Version(contract.read_foreign(path), root, path.parent) for path in others}
    wanted_there = environments.requirements((ROOT / "pyproject.toml").read_bytes())
    base, head, differ = environments.pair(wanted_there, specs)
    return Comparison(Side("base", versions, base), Side("head", versions, head), environments.short(differ))
