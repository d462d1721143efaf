"""Installs packages into an environment with uv, or where it is not there with virtualenv and pip.

Where that fails, one line says why.
"""

import contextlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from impls.core import command_line, pythons, torch_build
from impls.core.processes import run_guarded

OF_PYTHON = re.compile(
    "does not satisfy Python|requires? Python|Python ABI tag|Python implementation tag"  # uv
    "|No matching distribution found|different Python|conflicting dependencies"  # pip
)
"""What uv and pip say where a distribution is missing for the Python of an environment."""
OFFLINE = re.compile("network was disabled|Failed to fetch|Retrying")
"""What they say without a network, where pip finds no distribution either."""


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
    limits = folder / "constraints.txt"
    limits.write_text("".join(f"{line}\n" for line in constraints))
    built = str(folder / "bin" / "python")
    uv = find_uv()
    if uv:
        make = [uv, "venv", "--quiet", "--no-project", "--allow-existing", "--python", python]
        install = [uv, "pip", "install", "--quiet", "--python", built]
    else:
        # unlike venv, it needs no ensurepip, which Debian has in another package
        make = [sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update"]
        make += ["--app-data", str(temporary / "virtualenv"), "--python", python]
        # -I: what PYTHONPATH leads to must not count as installed
        install = [built, "-I", "-m", "pip", "install", "--progress-bar=off", "--retries=2"]
        install += ["--disable-pip-version-check"]
    variables = {"TMPDIR": str(temporary), "UV_COMPILE_BYTECODE": "1"}
    if uv and any("torch" in requirement for requirement in requirements):
        chosen = torch_build.variables()
        variables |= chosen
        if chosen:
            command_line.say(torch_build.SAID, err=True)
    run_installer([*make, folder], **variables)
    run_installer([*install, "-c", limits, *requirements], **variables)
    shutil.rmtree(temporary, ignore_errors=True)


def find_uv() -> str | None:
    """Return the path of uv: that of this environment, or the one on PATH; None where there is none that runs."""
    own = Path(sys.executable).with_name("uv")
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        return None
    try:
        done = subprocess.run([found, "--version"], check=False, capture_output=True)
    except OSError:
        return None
    return found if done.returncode == 0 else None


def run_installer(command: Sequence[str | Path], **variables: str) -> str:
    """Run a command of uv, virtualenv or pip and return what it prints.

    Raises:
        NotBuilt: with the error that it prints.
        NothingFits: where another Python may do.
    """
    done = run_guarded(command, variables)
    if done.returncode:
        text = done.stdout + done.stderr
        of_python = OF_PYTHON.search(text) and not OFFLINE.search(text)
        kind = NothingFits if of_python else NotBuilt
        raise kind(f"the environment could not be built: {_reason(done)}")
    return done.stdout


def _reason(failed: subprocess.CompletedProcess[str]) -> str:
    """Return what uv says after `error:` and `cause:`, or the first error of pip."""
    lines = failed.stderr.splitlines() or [f"exit code {failed.returncode}"]
    causes = [line.partition(": ")[2] for line in lines if line.startswith("  cause: ")]
    errors = [line for line in lines if re.match("error: |ERROR: (?!Ignored the following)", line)]
    first = (errors or lines)[0]
    error = re.sub("^error: ", "", first, flags=re.IGNORECASE)
    error = re.sub(r" \(from versions: .*?\)", "", error)  # a long list
    if OFFLINE.search(failed.stderr):
        error += " (is there a network?)"
    return ": ".join([error, *causes[:2]])
