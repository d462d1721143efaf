"""Installs packages into an environment with virtualenv and pip, and says in one line why it can't."""

import contextlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from impls.core import command_line, pythons
from impls.core.processes import run_guarded

NOTHING_FITS = ("No matching distribution found", "different Python")
"""What pip says where a distribution is missing for its Python."""


class NotBuilt(ValueError):
    """An environment that could not be built; the message says why, in one line."""


class NothingFits(NotBuilt):
    """A Python for which there is no distribution of what is required, or of what that requires."""


def install(folder: Path, requirements: Sequence[str], constraints: Sequence[str]) -> None:
    """Build an environment with the present Python, or where nothing fits that, with the nearest that something fits.

    For another Python only wheels count: nothing is compiled for it.
    """
    requirements = _merged(requirements)
    try:
        _install_with(sys.executable, folder, requirements, constraints)
        return
    except NothingFits as error:
        reason = str(error)
    versions = [platform.python_version()]
    for version, python in pythons.others().items():
        command_line.say(f"nothing fits Python {versions[-1]}; trying {version}", err=True)
        versions.append(version)
        shutil.rmtree(folder)
        with contextlib.suppress(NothingFits):
            _install_with(python, folder, ["--only-binary=:all:", *requirements], constraints)
            return
    raise NotBuilt(f"{reason}; this machine has Python {', '.join(versions)}")


def _merged(requirements: Sequence[str]) -> list[str]:
    """Return requirements without a second one of the same package: pip would say of both only that they conflict."""
    from packaging.requirements import Requirement

    merged: dict[tuple[str, str], Requirement] = {}
    for requirement in map(Requirement, requirements):
        first = merged.setdefault((requirement.name, str(requirement.marker)), requirement)
        first.specifier &= requirement.specifier
        first.extras |= requirement.extras
    return [str(requirement) for requirement in merged.values()]


def _install_with(
    python: str, folder: Path, requirements: Sequence[str], constraints: Sequence[str]
) -> None:
    # so that a killed build leaves nothing elsewhere
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    # unlike venv, it needs no ensurepip, which Debian has in another package
    virtualenv = (sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update")
    own = ("--app-data", temporary / "virtualenv")
    run_pip([*virtualenv, *own, "--python", python, folder], TMPDIR=str(temporary))
    limits = folder / "constraints.txt"
    limits.write_text("".join(f"{line}\n" for line in constraints))
    # -I: what PYTHONPATH leads to must not count as installed
    pip = (str(folder / "bin" / "python"), "-I", "-m", "pip", "install")
    quiet = ("--progress-bar=off", "--disable-pip-version-check", "--retries=2")
    run_pip([*pip, *quiet, "-c", limits, *requirements], TMPDIR=str(temporary))
    shutil.rmtree(temporary, ignore_errors=True)


def run_pip(command: Sequence[str | Path], **variables: str) -> str:
    """Run pip or virtualenv and return what it prints.

    Raises:
        NotBuilt: with the first error that pip prints, and the requirements that it says are in conflict.
        NothingFits: where another Python may do.
    """
    done = run_guarded(command, variables)
    if done.returncode:
        kind = NothingFits if _nothing_fits(done) else NotBuilt
        raise kind(f"pip could not build an environment: {_reason(done)}")
    return done.stdout


def _nothing_fits(failed: subprocess.CompletedProcess[str]) -> bool:
    if "Retrying" in failed.stderr:  # without a network pip finds no distribution either
        return False
    if any(text in failed.stderr for text in NOTHING_FITS):
        return True
    # versions of one package that all require what has no distribution
    conflict = _conflict(failed)
    requiring = {line.split()[0] for line in conflict}
    return len(requiring) == 1 and all(" depends on " in line for line in conflict)


def _conflict(failed: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines in which pip says what is in conflict, such as `torch 2 depends on setuptools<82`."""
    found = re.search(r"The conflict is caused by:\n(.*?)(\n\n|$)", failed.stdout, re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else []


def _reason(failed: subprocess.CompletedProcess[str]) -> str:
    lines = failed.stderr.splitlines() or [f"exit code {failed.returncode}"]
    errors = [line for line in lines if re.match("ERROR: (?!Ignored the following)", line)]
    error = (errors or lines)[0].removeprefix("ERROR: ")
    wanted = _wanted(failed)
    if wanted:
        error += f"; it wants Python {' or '.join(wanted)}"
    elif "(from versions: none)" in error:
        return f"{error} (is there a network?)"
    error = re.sub(r" \(from versions: .*?\)", "", error)  # a long list
    conflict = _conflict(failed)
    if conflict:
        error += f" ({'; '.join(conflict)})"
    return error


def _wanted(failed: subprocess.CompletedProcess[str]) -> list[str]:
    """Return which Pythons the versions want that would do, such as `>=3.12`; empty where pip does not say so."""
    from packaging.requirements import Requirement

    asked = re.search(r"satisfies the requirement (.+?) \(from", failed.stderr)
    if asked is None:
        return []
    versions = Requirement(asked[1]).specifier
    wanted: dict[str, None] = {}
    for version, python in re.findall(r"(\S+) Requires-Python ([^;\n]+)", failed.stderr):
        if versions.contains(version, prereleases=True):
            wanted[python] = None
    return list(wanted)
