"""Every session is one command that also runs without nox: `nox --no-venv -s bench`, or the command itself."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

nox.needs_version = ">=2026.7.11"  # CommandFailed has the return code
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["bench"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
TWO_FILES = ["--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
COVERAGE = ["--cov"] if sys.version_info >= (3, 12) else []  # costs too much time before
EVERY_TEST = [["-m", "alone"], [*TWO_FILES, "-m", "not alone and not gpu", *COVERAGE]]
"""Two runs of pytest: what measures, then everything else, two files at a time."""
BUILT: dict[str, nox.Session] = {}
"""The session that has built each environment, by its name: others run in it, and add packages to it."""


def lowest_version(text: str) -> str:
    """The same requirement with `>=X` turned into `==X.*`."""
    requirement = Requirement(text)
    pinned = [
        f"=={part.version}.*" if part.operator == ">=" else str(part)
        for part in requirement.specifier
    ]
    requirement.specifier = SpecifierSet(",".join(pinned))
    return str(requirement)


def install(session: nox.Session, *groups: str, at: Callable[[str], str] = str) -> None:
    """Install groups of pyproject.toml. With --no-venv the session has no environment: it runs in the present one."""
    has_torch = groups != ("report",)
    if has_torch:  # a report is made anywhere
        runpy.run_path("impls/core/system.py")["check"]()
    BUILT.setdefault(session.name, session)
    if session.virtualenv.is_sandboxed:
        variables = {"UV_COMPILE_BYTECODE": "1"}  # as pip does: workers import and write none
        packages_folders = Path(session.virtualenv.location).glob("lib/*/site-packages")
        if has_torch and not any((folder / "torch").exists() for folder in packages_folders):
            build = runpy.run_path("impls/core/torch_build.py")
            chosen = build["variables"]()
            variables |= chosen
            if chosen:
                session.log(build["SAID"])
        packages = dict.fromkeys(map(at, nox.project.dependency_groups(PYPROJECT, *groups)))
        try:
            session.install("--quiet", *packages, env=variables)
        except CommandFailed:
            sys.exit(3)  # nox's own 1 would say that there is a regression


def run(session: nox.Session, environment: str, module: str, *arguments: str) -> None:
    """Run `python -m module`. Exit codes beyond 1 mean something, and nox would flatten them to 1.

    After Ctrl-C it has a minute to write what it has.
    """
    built = BUILT[environment]
    python = str(Path(built.bin, "python")) if built.virtualenv.is_sandboxed else "python"
    try:
        session.run(python, "-m", module, *arguments, external=True, interrupt_timeout=60)
    except CommandFailed as failed:
        if failed.return_code in (None, 1):
            raise
        sys.exit(failed.return_code)


def run_suite(session: nox.Session, environment: str) -> None:
    """Run the command of the suite that has the session's name."""
    run(session, environment, "benchmarks", session.name, *session.posargs)


@nox.session(default=False)
def core(session: nox.Session) -> None:
    """The environment of bench, agree and regression; tests and lint add their packages to it."""
    install(session, "core")


in_core = nox.session(venv_backend="none", requires=["core"])
"""A session that runs in the environment of another."""


@in_core
def bench(session: nox.Session) -> None:
    """Prove the implementations equal, time them, and write one table. Options: -- --help"""
    run_suite(session, "core")


@in_core
def agree(session: nox.Session) -> None:
    """Only prove them equal, on many more problems and in every dtype."""
    run_suite(session, "core")


@in_core
def regression(session: nox.Session) -> None:
    """Did it get slower? -- --base REV, or -- --base-requirement SPEC"""
    run_suite(session, "core")


@nox.session(default=False)
def calibrate(session: nox.Session) -> None:
    """The regression gate, measured on this machine: its false alarms, and what it finds."""
    install(session, "calibrate")
    run_suite(session, session.name)


@nox.session(default=False)
def fleet(session: nox.Session) -> None:
    """The same run or gate on many nodes, by Slurm or here: one table of all. -- --local 2, or -- --nodes 4"""
    install(session, "fleet")
    run_suite(session, session.name)


@nox.session(default=False)
def gpu_check(session: nox.Session) -> None:
    """Does the suite measure correctly on this GPU? -- --out DIR"""
    install(session, "gpu")
    run_suite(session, session.name)


@nox.session
def report(session: nox.Session, command: str = "report") -> None:
    """Rebuild tables, charts and the page from raw files alone. -- DIR... --out DIR"""
    install(session, "report")
    run(session, session.name, "reports", command, *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the site of the published runs. -- --out DIR"""
    report(session, "site")


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """File runs under reports/published, and write README's and docs' tables anew. -- RUN..."""
    report(session, "publish")


@in_core
def tests(session: nox.Session) -> None:
    """The tests of the suite itself. -- --all: also what takes minutes. Other arguments: one pytest of those."""
    install(BUILT["core"], "nightly" if session.posargs == ["--all"] else "tests")
    run_tests(session, "core")


@in_core
def lint(session: nox.Session) -> None:
    """Style, types, and what documents and published data say."""
    install(BUILT["core"], "lint")
    texts = ["pytest", *TWO_FILES, "-m", "texts"]
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], texts):
        run(session, "core", *command)


@nox.session(venv_backend="none", requires=["core"], default=False)
def mutants(session: nox.Session) -> None:
    """Change what verdicts are made of, a line at a time: a quick test should fail. Then list what none has found."""
    install(BUILT["core"], "lint")
    run(session, "core", "mutmut", "run", *session.posargs)
    run(session, "core", "mutmut", "results")


@nox.session(python="3.11", default=False)
def lowest(session: nox.Session) -> None:
    """The tests on the lowest versions that pyproject.toml admits, on the lowest Python."""
    install(session, "nightly", at=lowest_version)
    run_tests(session, "lowest")


def run_tests(session: nox.Session, environment: str) -> None:
    """One pytest of what is asked for; of `--all`, two."""
    asked = EVERY_TEST if session.posargs == ["--all"] else [session.posargs or TWO_FILES]
    for arguments in asked:
        run(session, environment, "pytest", *arguments)
