"""Python environments of the two sides, built once and kept under the hash of what they were asked to hold."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import dependency_groups
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchmarks.regression.snapshots import Unusable, cache
from impls.core import child_process

GROUP = "core"


def requirements(pyproject: bytes) -> list[str]:
    """The core dependency group of a pyproject.toml, sorted. Raises Unusable."""
    try:
        groups = tomllib.loads(pyproject.decode())["dependency-groups"]
        return sorted(dependency_groups.resolve(groups, GROUP))
    except (ValueError, LookupError) as error:
        raise Unusable(f"pyproject.toml has no usable dependency group {GROUP}: {error}") from None


def parse(specs: Sequence[str]) -> list[Requirement]:
    """What --base-requirement names. Raises Unusable."""
    found = []
    for spec in specs:
        try:
            found.append(Requirement(spec))
        except InvalidRequirement as error:
            raise Unusable(f"{spec!r} is no requirement ({str(error).splitlines()[0]})") from None
    return found


def _run(command: Sequence[str | Path]) -> str:
    done = child_process.run(command)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
        raise Unusable(f"pip could not build an environment: {told[0] if told else f'exit code {done.returncode}'}")
    return done.stdout


def freeze(python: str) -> dict[str, str]:
    """What an environment holds: versions by canonical name, without their local part (`+cpu`)."""
    lines = _run([python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]).splitlines()
    pairs = (line.partition("==")[::2] for line in lines if "==" in line)
    return {canonicalize_name(name): version.partition("+")[0] for name, version in pairs}


def build(wanted: Sequence[str], constraints: Sequence[str] = ()) -> str:
    """The Python of an environment that holds these requirements; built where it is not there yet. Raises Unusable."""
    parts = [sys.version, *sorted(wanted), "--", *sorted(constraints)]
    folder = cache() / "environments" / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    python, finished = folder / "bin" / "python", folder / "finished"
    sweep(folder.parent)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            try:
                _run([sys.executable, "-m", "venv", folder])
                limits = folder / "constraints.txt"
                limits.write_text("".join(f"{line}\n" for line in constraints))
                _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", limits, *wanted])
                finished.touch()
            finally:
                if not finished.exists():
                    shutil.rmtree(folder, ignore_errors=True)
    return str(python)


def sweep(parent: Path) -> None:
    """Remove what a process left half built that was killed: no lock is held on it."""
    for path in parent.glob("*.lock"):
        folder = path.with_suffix("")
        if folder.exists() and not (folder / "finished").exists():
            with path.open("w") as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def apart(before: Sequence[str], now: Sequence[str]) -> tuple[str, str, dict[str, tuple[str, str]]]:
    """Base's and head's environments of two lists of requirements: their Pythons, and what differs, by name.

    What both ask for in the same words has the same version in both. Raises Unusable.
    """
    head = build(now)
    held = freeze(head)
    moved = {canonicalize_name(Requirement(one).name) for one in {*before} ^ {*now}}
    kept = [f"{name}=={version}" for name, version in held.items() if name not in moved]
    try:
        base = build(before, kept)
    except Unusable as error:
        raise Unusable(f"{error} (all other packages are held at head's versions; name those that must move)") from None
    old = freeze(base)
    names = sorted({*old, *held})
    differ = {name: (old.get(name, "none"), held.get(name, "none")) for name in names}
    return base, head, {name: versions for name, versions in differ.items() if versions[0] != versions[1]}


def pair(wanted: Sequence[str], specs: Sequence[str]) -> tuple[str, str, dict[str, tuple[str, str]]]:
    """As `apart`, where base holds these requirements instead. Raises Unusable where they change nothing."""
    named = {canonicalize_name(one.name): str(one) for one in parse(specs)}
    rest = [one for one in wanted if canonicalize_name(Requirement(one).name) not in named]
    base, head, differ = apart([*rest, *named.values()], [*wanted])
    for name, spec in named.items():
        if name not in differ:
            raise Unusable(f"--base-requirement {spec}: head's environment holds the same")
    return base, head, differ


def short(differ: dict[str, tuple[str, str]]) -> str:
    """Such as `jax 0.9.0 → 0.10.2`."""
    return ", ".join(f"{name} {old} → {new}" for name, (old, new) in differ.items())
