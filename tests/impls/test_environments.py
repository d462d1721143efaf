"""Environments: built once, whole or not at all; listed and removed."""

import contextlib
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import cli
from impls.core import environments, installing, pythons, registry
from impls.core.installing import NotBuilt, NothingFits
from tests.helpers.wheels import wheel


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """What is started instead of virtualenv and pip: a list of commands and their variables, and a cache of its own.

    The first of the two makes the Python, as if it were virtualenv.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commands = []

    def run_installer(command, **variables):
        assert Path(variables["TMPDIR"]).is_dir()
        commands.append(([*map(str, command)], variables))
        if "virtualenv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
            (Path(command[-1]) / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(installing, "run_installer", run_installer)
    monkeypatch.setattr(installing, "find_uv", lambda: None)
    yield commands
    for lock in environments._IN_USE.values():
        lock.close()
    environments._IN_USE.clear()


def test_an_environment_is_built_once_and_again_where_its_python_is_gone(pip):
    python = Path(environments.build(["b", "a"]))
    assert environments.build(["a", "b"]) == str(python)
    assert len({str(python), environments.build(["b"]), environments.build(["b"], ["c==1"])}) == 3
    assert len(pip) == 6
    python.unlink()
    environments._IN_USE.pop(python.parents[1]).close()  # as in another process
    assert environments.build(["a", "b"]) == str(python)
    assert len(pip) == 8


def test_pip_is_told_what_to_install_and_where_to_write(pip):
    """What PYTHONPATH leads to does not count as installed. A killed build leaves nothing but in its own folder."""
    python = environments.build(["a", "b", "a[x]==1.*"], ["c==1"])
    folder = Path(python).parents[1]
    install, variables = pip[-1]
    assert install[:5] == [python, "-I", "-m", "pip", "install"]
    assert install[-4:] == ["-c", str(folder / "constraints.txt"), "a[x]==1.*", "b"]
    assert (folder / "constraints.txt").read_text() == "c==1\n"
    assert variables["TMPDIR"] == str(folder / "tmp")
    assert not (folder / "tmp").exists()


def test_what_pip_could_not_finish_is_no_environment_and_is_swept(pip, monkeypatch):
    def fail(command, **_):
        raise NotBuilt("no network")

    with monkeypatch.context() as broken:
        broken.setattr(installing, "run_installer", fail)
        with pytest.raises(NotBuilt):
            environments.build(["a"])
    assert environments.environments() == []
    assert [path.suffix for path in environments._parent().iterdir()] == [".lock"]
    environments.build(["a"])
    assert len(environments.environments()) == 1


def test_an_environment_that_is_being_built_or_is_finished_is_not_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parent = tmp_path / "lstm-bench" / "environments"
    for name in ("building", "finished", "left"):
        (parent / name).mkdir(parents=True)
        (parent / f"{name}.lock").touch()
    (parent / "finished" / "finished").write_text('{"purpose": "mine", "requirements": ["a"], "seconds": 1}')
    with (parent / "building.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = environments.environments()
    assert {path.name for path in parent.iterdir() if path.is_dir()} == {"building", "finished"}
    assert [(environment.id, environment.purpose) for environment in known] == [("finished", "mine")]


def test_environments_are_listed_and_removed_but_not_while_one_is_in_use(pip):
    """A lock of another open file is as good as another process's."""
    command = ["environments"]
    python = environments.build(["keras>=3"], purpose="keras_jax")
    name = Path(python).parents[1].name
    assert name in CliRunner().invoke(cli, command).output
    refused = CliRunner().invoke(cli, [*command, "--remove", name])
    assert (refused.exit_code, f"{name} is in use" in refused.output) == (2, True)
    assert "no environment is called x" in CliRunner().invoke(cli, [*command, "--remove", "x"]).output
    environments._IN_USE.popitem()[1].close()  # as if this process had ended
    listed = CliRunner().invoke(cli, command).output
    assert "keras_jax" in listed
    assert "keras>=3" in listed
    assert f"removed {name}" in CliRunner().invoke(cli, [*command, "--remove", "all"]).output
    assert environments.environments() == []
    assert environments.build(["keras>=3"]) == python  # it can be built anew, under the same lock


OF_UV = """error: No solution found when resolving dependencies
  cause: {}
         and more of it"""
CONFLICT = "Because you require a==1 and a==2, we can conclude that your requirements are unsatisfiable."
NEWER = "Because the current Python version (3.11.7) does not satisfy Python>=3.12, a cannot be used."
NO_WHEEL = "Because a==2 has no wheels with a matching Python ABI tag (e.g., `cp311`), it cannot be used."
OFFLINE = """error: Request failed after 3 retries
  cause: Failed to fetch: https://registry/
  cause: no answer"""
READ_ONLY = """error: Failed to initialize cache at `/cache`
  cause: Read-only file system (os error 30)"""
VERSIONS = """ERROR: Ignored the following versions that require a different python version: 1 Requires-Python >=3.12
ERROR: Could not find a version that satisfies the requirement a (from versions: 0.1, 0.2)
ERROR: No matching distribution found for a"""
NONE = "Could not find a version that satisfies the requirement a"


@pytest.mark.parametrize(
    ("errors", "kind", "said"),
    [
        (OF_UV.format(CONFLICT), NotBuilt, f"No solution found when resolving dependencies: {CONFLICT}"),
        (OF_UV.format(NEWER), NothingFits, f"No solution found when resolving dependencies: {NEWER}"),
        (OF_UV.format(NO_WHEEL), NothingFits, f"No solution found when resolving dependencies: {NO_WHEEL}"),
        (OFFLINE, NotBuilt,
         "Request failed after 3 retries (is there a network?): Failed to fetch: https://registry/: no answer"),
        (READ_ONLY, NotBuilt,
         "Failed to initialize cache at `/cache`: Read-only file system (os error 30)"),
        (VERSIONS, NothingFits, NONE),
        (f"WARNING: Retrying (Retry(total=1)) after connection broken by 'x'\n{VERSIONS}", NotBuilt,
         f"{NONE} (is there a network?)"),
        ("", NotBuilt, "exit code 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_installed_is_said_in_one_line_and_whether_another_python_may(errors, kind, said, monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", errors)
    monkeypatch.setattr(installing, "run_guarded", lambda *_: done)
    with pytest.raises(NotBuilt) as caught:
        installing.run_installer(["uv"])
    assert type(caught.value) is kind
    assert str(caught.value) == f"the environment could not be built: {said}"


@pytest.mark.parametrize(
    ("fitting", "error", "tried", "said"),
    [
        ("/b", NothingFits, ["/a", "/b"], ""),
        (
            "",
            NothingFits,
            ["/a", "/b", "/c"],
            r"^why; this machine has Python 3\.\d+\.\d+, 3\.98\.0, 3\.99\.1, 3\.97\.0$",
        ),
        ("/b", NotBuilt, [], "^why$"),
    ],
)
def test_other_pythons_are_tried_in_turn_only_where_nothing_fits_the_present_one(
    fitting, error, tried, said, pip, monkeypatch
):
    """Wheels only, and in an empty folder each."""

    def run_installer(command, **variables):
        virtualenv(command, **variables)
        if "install" in command and used() != fitting:
            raise error("why")

    def used():
        making = [command for command, _ in pip if "virtualenv" in command]
        return making[-1][making[-1].index("--python") + 1]

    virtualenv = installing.run_installer
    monkeypatch.setattr(installing, "run_installer", run_installer)
    monkeypatch.setattr(pythons, "others", lambda: {"3.98.0": "/a", "3.99.1": "/b", "3.97.0": "/c"})
    with pytest.raises(NotBuilt, match=said) if said else contextlib.nullcontext():
        environments.build(["a"])
    making = [command[command.index("--python") + 1] for command, _ in pip if "virtualenv" in command]
    assert making == [sys.executable, *tried]
    wheels_only = ["--only-binary=:all:" in command for command, _ in pip if "install" in command]
    assert wheels_only == [False, *(True for _ in tried)]


@pytest.mark.process
def test_the_pythons_of_this_machine_are_of_other_minor_versions_the_nearest_first():
    """Those of pyenv too, whichever it has chosen."""
    distances = []
    for version, path in pythons.others().items():
        code = "import platform; print(platform.python_version())"
        assert subprocess.check_output([path, "-c", code], text=True).strip().startswith(version)
        distances.append(abs(int(version.split(".")[1]) - sys.version_info.minor))
    assert distances == sorted(distances)
    assert 0 not in distances
    of_pyenv = Path(os.environ.get("PYENV_ROOT", "/nowhere"), "versions").glob("3.1[1-9].*")
    minors = {path.name.split(".")[1] for path in of_pyenv} - {str(sys.version_info.minor)}
    assert minors <= {version.split(".")[1] for version in pythons.others()}


@pytest.mark.process
@pytest.mark.parametrize(("does", "runs"), [("exit 0", True), ("kill -SEGV $$", False)])
def test_pip_is_asked_where_uv_does_not_run(does, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\n{does}\n")
    uv.chmod(0o755)
    assert installing.find_uv() == (str(uv) if runs else None)


@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.parametrize("without_uv", [False, True], ids=["uv", "pip"])
@pytest.mark.parametrize("what", ["its metadata", "a wheel of what all its versions require"])
def test_what_wants_another_python_gets_it(what, without_uv, tmp_path, monkeypatch):
    if not pythons.others():
        pytest.skip("there is no other Python")
    version = next(iter(pythons.others()))
    minor = version.split(".")[1]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    if without_uv:
        monkeypatch.setattr(installing, "find_uv", lambda: None)
    for number in ("1", "2"):
        if what == "its metadata":
            wheel(tmp_path, "of_whole", number, about=f"Requires-Python: ==3.{minor}.*")
        else:
            wheel(tmp_path, "of_whole", number, about=f"Requires-Dist: of_part=={number}")
            wheel(tmp_path, "of_part", number, tag=f"cp3{minor}-none-any")
    wheel(tmp_path, "of_part", "3")
    python = environments.build(["of_whole"])
    code = "import platform, of_whole; print(platform.python_version())"
    assert subprocess.check_output([python, "-I", "-c", code], text=True).strip() == version
    environments._IN_USE.popitem()[1].close()
    assert environments.build(["of_whole"]) == python, "found again, by another process"
    environments._IN_USE.popitem()[1].close()


def test_where_no_environment_can_be_built_the_user_reads_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.CompletedProcess([], 1, "", "")
    monkeypatch.setattr(installing, "find_uv", lambda: None)
    monkeypatch.setattr(installing, "run_guarded", lambda *_: done)
    with pytest.raises(NotBuilt, match=r"pip install 'equinox>=0\.11' 'jax>=0\.8'$"):
        environments.python_for(registry.resolve("equinox_lstm"))
