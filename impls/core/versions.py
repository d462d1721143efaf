"""The versions of a framework in the present environment."""

from __future__ import annotations

import re
from importlib import metadata

from impls.core.registry import Implementation

DISTRIBUTIONS = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "flax": ("flax", "jax", "jaxlib")}
"""The distributions behind a FRAMEWORK or a requirement. Any other name is that of a distribution."""


def version(distribution: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def distributions(implementation: Implementation) -> tuple[str, ...]:
    """The distributions that must be installed for an implementation."""
    # the name in a requirement: `keras` of `keras>=3.12`
    required = [re.sub(r"^\s*(\w[\w.-]*).*", r"\1", requirement) for requirement in implementation.requires]
    names = (implementation.framework, *required)
    return tuple(dict.fromkeys(part for name in names for part in DISTRIBUTIONS.get(name, (name,))))


def versions_of(implementation: Implementation) -> str:
    """The versions behind an implementation, such as `flax 0.12.8, jax 0.10.2, jaxlib 0.10.2`."""
    return ", ".join(f"{name} {version(name) or 'not installed'}" for name in distributions(implementation))
