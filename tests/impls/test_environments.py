"""Environments: built once, whole or not at all; listed and removed."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import cli
from impls.core import environments, registry
from impls.core.environments import NotBuilt


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """What is started instead of pip and venv: a list of commands and their variables, and a cache of its own.

    The second of the two makes the Python, as if it were venv.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commands = []

    def run_pip(command, **variables):
        assert Path(variables["TMPDIR"]).is_dir()
        commands.append(([*map(str, command)], variables))
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
            (Path(command[-1]) / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(environments, "run_pip", run_pip)
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
    python = environments.build(["a"], ["c==1"])
    folder = Path(python).parents[1]
    install, variables = pip[-1]
    assert install[:5] == [python, "-I", "-m", "pip", "install"]
    assert install[-3:] == ["-c", str(folder / "constraints.txt"), "a"]
    assert (folder / "constraints.txt").read_text() == "c==1\n"
    assert variables["TMPDIR"] == str(folder / "tmp")
    assert not (folder / "tmp").exists()


def test_what_pip_could_not_finish_is_no_environment_and_is_swept(pip, monkeypatch):
    def fail(command, **_):
        raise NotBuilt("no network")

    with monkeypatch.context() as broken:
        broken.setattr(environments, "run_pip", fail)
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


CONFLICT = """Collecting torch

The conflict is caused by:
    torch 2 depends on setuptools<82
    The user requested (constraint) setuptools==84

To fix this"""
VERSIONS = """ERROR: Ignored the following versions that require a different python version: 0.11.0
ERROR: Could not find a version that satisfies the requirement jax==99 (from versions: 0.1, 0.2)
ERROR: No matching distribution found for jax==99"""


@pytest.mark.parametrize(
    ("output", "errors", "said"),
    [
        (CONFLICT, "ERROR: Cannot install torch.\nERROR: more",
         "Cannot install torch. (torch 2 depends on setuptools<82; The user requested (constraint) setuptools==84)"),
        ("", VERSIONS, "Could not find a version that satisfies the requirement jax==99"),
        ("", "ERROR: No version of jax (from versions: none)",
         "No version of jax (from versions: none) (is there a network?)"),
        ("", "", "exit code 1"),
    ],
)  # fmt: skip
def test_what_pip_cannot_install_is_said_in_one_line(output, errors, said, monkeypatch):
    done = subprocess.CompletedProcess([], 1, output, errors)
    monkeypatch.setattr(environments, "run_guarded", lambda *_: done)
    with pytest.raises(NotBuilt) as caught:
        environments.run_pip(["pip"])
    assert str(caught.value) == f"pip could not build an environment: {said}"


def test_where_no_environment_can_be_built_the_user_reads_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.CompletedProcess([], 1, "", "")
    monkeypatch.setattr(environments, "run_guarded", lambda *_: done)
    with pytest.raises(NotBuilt, match=r"pip install 'equinox>=0\.11' 'jax>=0\.8'$"):
        environments.python_for(registry.resolve("equinox_lstm"))
