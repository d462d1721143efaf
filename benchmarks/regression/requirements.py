"""The Python environments of a regression's two sides whose requirements differ."""

import functools
import json
import tomllib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchmarks.regression.snapshots import Unusable
from impls.core import environments
from impls.core.installing import NotBuilt, run_installer

Differences = dict[str, tuple[str, str]]
"""By distribution: base's version and head's."""
Pair = tuple[str, str, Differences]
"""Base's Python, head's Python, and the distributions that differ."""
LISTING = """
import json, platform
from importlib.metadata import distributions
installed = [(each.name, each.version) for each in distributions() if each.name]
print(json.dumps({"python": platform.python_version(), "installed": installed}))
"""
"""Prints what an environment holds. It may have no pip of its own."""
PYTHON = "Python"
"""Its name beside those of distributions, none of which has a capital."""


def of_pyproject(content: str) -> list[str]:
    """Return the core dependency group of a pyproject.toml, sorted; Unusable where it has none."""
    try:
        groups = tomllib.loads(content)["dependency-groups"]
        return sorted(str(Requirement(text)) for text in _of_group(groups, "core"))
    except (ValueError, LookupError) as error:
        raise Unusable(f"pyproject.toml has no usable dependency group core: {error}") from None


def _of_group(groups: Mapping[str, Sequence[Any]], name: str) -> Iterator[str]:
    """Yield the requirements of a group, and of the groups that it includes."""
    for entry in groups[name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _of_group(groups, entry["include-group"])


def parse(specs: Sequence[str]) -> dict[str, str]:
    """Return the requirements of --base-requirement by canonical name; Unusable for a text that is none."""
    requirements: dict[str, str] = {}
    for spec in specs:
        try:
            requirement = Requirement(spec)
        except InvalidRequirement as error:
            raise Unusable(
                f"{spec!r} is not a requirement ({str(error).splitlines()[0]})"
            ) from None
        requirements[canonicalize_name(requirement.name)] = str(requirement)
    return requirements


def names_of(requirements: Sequence[str]) -> set[str]:
    """Return the canonical names in some requirements."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@functools.cache
def freeze(python: str) -> dict[str, str]:
    """Return what an environment holds: versions by canonical name, without their local part (`+cpu`), and PYTHON's."""
    found = json.loads(run_installer([python, "-I", "-c", LISTING]))
    versions = {PYTHON: found["python"]}
    for name, version in found["installed"]:
        versions[canonicalize_name(name)] = version.partition("+")[0]
    return versions


def apart(before: Sequence[str], now: Sequence[str], purpose: str = "a regression") -> Pair:
    """Build base's and head's environments from two lists of requirements.

    A package that both lists require in the same words has the same version in both.

    Returns:
        Base's Python, head's Python, and the distributions that differ.
    """
    head = environments.build(now, purpose=purpose)
    in_head = freeze(head)
    moved = {PYTHON, *names_of([*{*before} ^ {*now}])}
    held = [f"{name}=={version}" for name, version in in_head.items() if name not in moved]
    try:
        base = environments.build(before, held, purpose)
    except NotBuilt as error:
        hint = "all other packages are held at head's versions; name those that must move"
        raise NotBuilt(f"{error} ({hint})") from None
    in_base = freeze(base)
    differ = {}
    for name in sorted(dict(in_base.items() ^ in_head.items())):
        differ[name] = in_base.get(name, "none"), in_head.get(name, "none")
    return base, head, differ


def pair(
    wanted: Sequence[str], held: Container[str], named: Mapping[str, str], purpose: str
) -> Pair | None:
    """Return the same as `apart`, with the named requirements, by package, in place of base's.

    Only those of packages that the present environment holds: each must change something. None where it holds none.
    """
    mine = {name: spec for name, spec in named.items() if name in held}
    if not mine:
        return None
    rest = [text for text in wanted if not names_of([text]) & mine.keys()]
    base, head, differ = apart([*rest, *mine.values()], [*wanted], purpose)
    for name, spec in mine.items():
        if name not in differ:
            raise Unusable(f"--base-requirement {spec}: head's environment holds the same")
    return base, head, differ


def short(differ: Differences) -> str:
    """Return such as `jax 0.9.0 → 0.10.2`."""
    return ", ".join(f"{name} {old} → {new}" for name, (old, new) in differ.items())
