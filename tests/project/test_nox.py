"""The noxfile: sessions share environments, run without nox too, and keep the exit codes of what they run."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.helpers import processes
from tests.helpers.processes import ROOT
from tests.helpers.wheels import wheel

pytestmark = pytest.mark.process

TOLD = "import os, sys; print('RAN', sys.prefix, *sys.argv[1:]); sys.exit(int(os.environ.get('CODE', '0')))\n"


@pytest.fixture
def made_up(tmp_path):
    """A checkout with the true noxfile, whose modules only tell where they ran and whose groups need no download."""
    shutil.copyfile(ROOT / "noxfile.py", tmp_path / "noxfile.py")
    (tmp_path / "impls" / "core").mkdir(parents=True)
    for name in ("system.py", "torch_build.py"):
        shutil.copyfile(ROOT / "impls" / "core" / name, tmp_path / "impls" / "core" / name)
    names = ("core", "calibrate", "report", "tests", "nightly", "lint")
    groups = (f'{name} = ["of-{name}"]\n' for name in names)
    (tmp_path / "pyproject.toml").write_text("[dependency-groups]\n" + "".join(groups))
    for name in names:
        wheel(tmp_path, f"of_{name}", "1")
    for module in ("benchmarks", "reports", "pytest"):
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").touch()  # or else a package that some other project installed comes first
        (tmp_path / module / "__main__.py").write_text(TOLD)
    return tmp_path


def nox(folder, *arguments, **variables):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    packages = {"UV_FIND_LINKS": str(folder), "UV_OFFLINE": "1"}
    return processes.python("-m", "nox", *arguments, cwd=folder, PATH=path, **packages, **variables)


def test_sessions_share_one_environment_and_tests_add_their_packages_to_it(made_up):
    sessions = ("bench", "agree", "regression")
    for asked, groups in ((sessions, ["core"]), (("tests",), ["core", "tests"])):
        done = nox(made_up, "--session", *asked, "--", "mine")
        assert done.returncode == 0, done.stderr
        ran = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RAN")]
        core = made_up / ".nox" / "core"
        assert ran == [[str(core), *([] if asked == ("tests",) else [command]), "mine"] for command in asked]
        installed = sorted(path.stem for path in core.glob("lib/*/site-packages/of_*.py"))
        assert installed == [f"of_{name}" for name in groups]
    assert [path.name for path in (made_up / ".nox").iterdir() if path.is_dir()] == ["core"]


def test_without_environments_the_present_one_gets_the_arguments_and_its_exit_code_is_kept(made_up):
    for code, command in ((1, "bench"), (2, "report")):
        done = nox(made_up, "--no-venv", "--session", command, "--", "--one", "two", CODE=str(code))
        assert done.returncode == code, done.stderr
        assert f"RAN {sys.prefix} {command} --one two" in done.stdout.splitlines()
    assert not (made_up / ".nox" / "core").exists()


def test_packages_that_cannot_be_installed_are_no_regression(made_up):
    path = made_up / "pyproject.toml"
    path.write_text(path.read_text().replace('core = ["of-core"]', 'core = ["of-core==2"]'))
    done = nox(made_up, "--session", "regression")
    assert done.returncode == 3, done.stderr
    assert "RAN" not in done.stdout


ELSEWHERE = """
import sys
import nox.__main__
sys.platform = "darwin"
nox.__main__.main()
"""


def test_on_another_system_only_reports_are_made(made_up):
    for session, code in (("report", 0), ("regression", 2), ("tests", 2)):
        done = processes.python("-c", ELSEWHERE, "--no-venv", "--session", session, cwd=made_up)
        assert done.returncode == code, done.stderr
        assert ("RAN" in done.stdout, "runs on Linux" in done.stderr) == (code == 0, code == 2)
