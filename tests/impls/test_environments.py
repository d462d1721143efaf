"""Environments: built once, whole or not at all; listed and removed."""

import fcntl
import functools
import sys
from pathlib import Path

import pytest

from impls.core import environments
from tests.helpers import processes


def test_an_environment_that_is_being_built_or_is_finished_is_not_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parent = tmp_path / "lstm-bench" / "environments"
    for name in ("building", "finished", "left"):
        (parent / name).mkdir(parents=True)
        (parent / f"{name}.lock").touch()
    (parent / "finished" / "finished").write_text("[1, 2]")  # damaged: it is still an environment
    with (parent / "building.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = environments.environments()
    assert {path.name for path in parent.iterdir() if path.is_dir()} == {"building", "finished"}
    assert [(environment.id, environment.purpose) for environment in known] == [("finished", "unknown")]


def test_venv_and_pip_write_their_temporary_files_into_the_environment(tmp_path, monkeypatch):
    """So that a killed build leaves them where the next start sweeps."""
    folders = []

    def run_pip(command, **variables):
        folders.append(Path(variables["TMPDIR"]))
        assert folders[-1].is_dir()
        (tmp_path / "e" / "bin").mkdir(exist_ok=True)

    monkeypatch.setattr(environments, "run_pip", run_pip)
    environments._install(tmp_path / "e", ["a"], [])
    assert folders == [tmp_path / "e" / "tmp"] * 2
    assert not folders[0].exists()


@pytest.fixture
def built(tmp_path, monkeypatch):
    """What is built instead of by pip: a folder with a Python, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    builds = []

    def install(folder, requirements, constraints):
        builds.append(requirements)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(environments, "_install", install)
    yield builds
    for lock in environments._IN_USE.values():
        lock.close()
    environments._IN_USE.clear()


def test_an_environment_is_built_once_and_again_where_its_python_is_gone(built):
    python = Path(environments.build(["a"]))
    assert environments.build(["a"]) == str(python)
    assert environments.build(["b"]) != str(python)
    assert built == [["a"], ["b"]]
    python.unlink()
    assert environments.build(["a"]) == str(python)
    assert built == [["a"], ["b"], ["a"]]


REMOVE = """
import sys
from impls.core import environments
for environment in environments.environments():
    environments.remove(environment)
"""


@pytest.mark.process
def test_an_environment_in_use_is_not_removed(built, tmp_path):
    python = Path(environments.build(["a"]))
    remove = functools.partial(processes.python, "-c", REMOVE, XDG_CACHE_HOME=str(tmp_path))
    refused = remove()
    assert refused.returncode == 1
    assert "is in use" in refused.stderr
    assert python.exists()
    environments._IN_USE.popitem()[1].close()  # as if this process had ended
    assert remove().returncode == 0
    assert not python.exists()
    assert environments.build(["a"]) == str(python)  # it can be built anew, under the same lock


def test_what_pythonpath_leads_to_does_not_count_as_installed(tmp_path, monkeypatch):
    """pip runs isolated from it."""
    commands = []
    monkeypatch.setattr(environments, "run_pip", lambda command, *_, **__: commands.append([*map(str, command)]) or "")
    (tmp_path / "e").mkdir()
    environments._install(tmp_path / "e", ["a"], [])
    install = commands[-1]
    assert install[1:4] == ["-I", "-m", "pip"]


@pytest.mark.process
def test_what_pip_cannot_install_together_is_named():
    program = """
import sys
print("Collecting torch\\n\\nThe conflict is caused by:")
print("    torch 2.12.1 depends on setuptools<82")
print("    The user requested (constraint) setuptools==84.2.1\\n\\nTo fix this")
print("ERROR: Cannot install torch==2.12.1 because they conflict.\\nERROR: more", file=sys.stderr)
sys.exit(1)
"""
    with pytest.raises(environments.NotBuilt) as caught:
        environments.run_pip([sys.executable, "-c", program])
    assert str(caught.value) == (
        "pip could not build an environment: Cannot install torch==2.12.1 because they conflict."
        " (torch 2.12.1 depends on setuptools<82; The user requested (constraint) setuptools==84.2.1)"
    )


@pytest.mark.process
def test_a_version_that_does_not_exist_is_named():
    """Pip's first error is a list of what needs another Python, and its second has every version that there is."""
    program = """
import sys
for line in (
    "Ignored the following versions that require a different python version: 0.11.0 Requires-Python >=3.12",
    "Could not find a version that satisfies the requirement jax==99 (from versions: 0.1, 0.2)",
    "No matching distribution found for jax==99",
):
    print(f"ERROR: {line}", file=sys.stderr)
sys.exit(1)
"""
    with pytest.raises(environments.NotBuilt) as caught:
        environments.run_pip([sys.executable, "-c", program])
    want = "pip could not build an environment: Could not find a version that satisfies the requirement jax==99"
    assert str(caught.value) == want


@pytest.mark.process
def test_another_failure_of_pip_names_no_conflict():
    with pytest.raises(environments.NotBuilt, match=r"an environment: no such package$"):
        environments.run_pip([sys.executable, "-c", "import sys; sys.exit('ERROR: no such package')"])
