"""The other Pythons of this machine: what the present one cannot run, another may."""

import functools
import logging
import os
import sys
from pathlib import Path

OLDEST = (3, 11)
"""The oldest Python that this suite runs on."""


@functools.cache
def others() -> dict[str, str]:
    """Return the paths of the Pythons of other minor versions by version, the nearest to the present one first.

    They are on PATH, or pyenv or uv installed them. Of each minor version it is the newest.
    """
    from python_discovery import iter_interpreters

    # it warns of each Python that it is too new to ask
    logging.getLogger("python_discovery").setLevel(logging.ERROR)
    present = sys.version_info.minor
    found = []
    for info in iter_interpreters("cpython", env=_variables()):
        version = info.version_info[:3]
        if version >= OLDEST and version[1] != present and not info.free_threaded:
            found.append((version, info.system_executable or info.executable))
    newest = {version[1]: (version, path) for version, path in sorted(found)}
    nearest = sorted(newest, key=lambda minor: abs(minor - present))
    pythons = {}
    for minor in nearest:
        version, path = newest[minor]
        pythons[".".join(map(str, version))] = path
    return pythons


def _variables() -> dict[str, str]:
    """Return the environment variables, with every version of pyenv on PATH: otherwise only the chosen one is found."""
    folders = [os.environ.get("PATH", os.defpath)]
    root = os.environ.get("PYENV_ROOT")
    if root:
        folders += map(str, Path(root).glob("versions/*/bin"))
    return {**os.environ, "PATH": os.pathsep.join(folders)}
