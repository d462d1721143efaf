"""Every session is one command that also runs without nox: `nox --no-venv -s bench`, or the command itself."""

import sys

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["bench"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
TWO_FILES_AT_A_TIME = ("--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def install(session: nox.Session, *groups: str) -> None:
    if session.virtualenv.is_sandboxed:
        session.install("--quiet", *nox.project.dependency_groups(PYPROJECT, *groups))


def run(session: nox.Session, *command: str) -> None:
    """Run python with this command line; exit codes beyond 1 mean something, and nox would flatten them to 1."""
    try:
        session.run("python", *command, external=True)
    except CommandFailed as failed:
        if failed.return_code in (None, 1):
            raise
        sys.exit(failed.return_code)


@nox.session
def bench(session: nox.Session) -> None:
    """Prove the implementations equal, time them, and write one table. Options: -- --help"""
    install(session, "core")
    run(session, "-m", "benchmarks", "run", *session.posargs)


@nox.session
def agree(session: nox.Session) -> None:
    """Only prove them equal, on many more problems, in float32 and float64."""
    install(session, "core")
    run(session, "-m", "benchmarks", "agree", *session.posargs)


@nox.session
def regression(session: nox.Session) -> None:
    """Did it get slower? -- --base REV, or -- --base-requirement SPEC"""
    install(session, "core")
    run(session, "-m", "benchmarks", "regression", *session.posargs)


@nox.session
def calibrate(session: nox.Session) -> None:
    """The regression gate, measured on this machine: its false alarms, and what it finds."""
    install(session, "core")
    run(session, "-m", "benchmarks", "calibrate", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Rebuild tables, figures and the page from raw files alone. -- DIR... --out DIR"""
    install(session, "report")
    run(session, "-m", "reports", "build", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of the suite itself: two files at a time, then what measures. With arguments: one pytest of those."""
    install(session, "tests")
    if session.posargs:
        run(session, "-m", "pytest", *session.posargs)
        return
    run(session, "-m", "pytest", *TWO_FILES_AT_A_TIME, "-m", "not alone")
    run(session, "-m", "pytest", "-m", "alone")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    install(session, "lint")
    run(session, "-m", "ruff", "check", ".")
    run(session, "-m", "ruff", "format", "--check", ".")
    run(session, "-m", "mypy")
