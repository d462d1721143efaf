"""What a worker uses is known: a side of a gate may use its own files only, and a resumed run must find all again."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.runner.sides import ArmFailed, Version
from benchmarks.worker import requests
from benchmarks.worker.used_files import Origin
from impls.core import registry
from tests.helpers.sessions import BENCHMARK, arm_of

pytestmark = pytest.mark.process
NUMPY_LSTM = (registry.FOLDER / "numpy_lstm.py").read_text()
MISSING = ("built.py", "weights.bin", "_version.py", "cache/", "wandb/", "later.py", "lock")


def library(path: Path) -> Path:
    """Compile a library that holds nothing."""
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=b"int one(void) { return 1; }", check=True)
    return path


@pytest.fixture
def places(tmp_path):
    """A working tree, its snapshot with the same files, and a folder elsewhere."""
    for name in ("tree", "snapshot", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text("ONE = 1\n")
        (tmp_path / name / "data.txt").write_text("1")
    for name in ("built.py", "weights.bin", "_version.py"):  # git ignores them
        (tmp_path / "tree" / name).write_text("ONE = 1\n")
    return tmp_path


@contextmanager
def opened(places: Path, code: str, origin: Origin | None, run: str = "run"):
    """Open a benchmark of numpy_lstm with more code at its top level. `run`: the folder of the run."""
    path = places / "snapshot" / "mine.py"
    names = {name: str(places / name) for name in ("tree", "snapshot", "elsewhere")}
    path.write_text(f"{NUMPY_LSTM}\nimport sys\n{code.format(**names)}\n")
    arm = arm_of(Version(registry.read_foreign(path), origin=origin), places / run / "base")
    try:
        arm.ensure_running()
        arm.ask(requests.Open(BENCHMARK, 0, None, 1))
        yield arm
    finally:
        arm.kill()


def side_of(places: Path) -> Origin:
    """Return the origin of a file of the snapshot."""
    return Origin(str(places / "snapshot"), str(places / "tree"), MISSING)


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("sys.path.insert(0, '{tree}'); import helper", "tree/helper.py"),
        ("open('{tree}/data.txt').read()", "tree/data.txt"),
        ("import numpy; numpy.memmap('{tree}/data.txt')", "tree/data.txt"),
        ("sys.path.insert(0, '{elsewhere}'); import helper", "elsewhere/helper.py"),
        ("import ctypes; ctypes.CDLL('{tree}/library.so')", "tree/library.so"),
        ("import ctypes; ctypes.CDLL('{elsewhere}/library.so')", "elsewhere/library.so"),
        ("try:\n    import built\nexcept ImportError:\n    pass", "built.py"),
        ("try:\n    open('{snapshot}/weights.bin')\nexcept OSError:\n    pass", "weights.bin"),
        ("try:\n    open('{snapshot}/cache/deep/1')\nexcept OSError:\n    pass", "cache/deep/1"),
        ("import pathlib, runpy; runpy.run_path(pathlib.Path('{elsewhere}/helper.py'))", "elsewhere/helper.py"),
        ("import sqlite3; sqlite3.connect('{tree}/data.txt')", "tree/data.txt"),
    ],
)
def test_a_side_that_uses_what_is_not_its_own_is_refused(places, code, named):
    if "library.so" in named:
        library(places / named)
    said = rf"it (uses|looks for) \S*{re.escape(named)},"
    with pytest.raises(ArmFailed, match=said) as failed, opened(places, code, side_of(places)):
        pass
    assert failed.value.status == "error"


def test_a_folder_on_the_path_is_the_environment_unless_it_lies_in_the_tree(places, monkeypatch):
    for folder in ("tree", "elsewhere"):
        (places / folder / "lib").mkdir()
        (places / folder / "lib" / f"of_{folder}.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(places / "elsewhere/lib"), str(places / "tree/lib")]))
    with opened(places, "import of_elsewhere", side_of(places)):
        pass
    with pytest.raises(ArmFailed, match=r"it uses \S*of_tree\.py"), opened(places, "import of_tree", side_of(places)):
        pass


def test_a_side_may_use_its_own_files_the_environment_and_data_from_elsewhere(places):
    library(places / "snapshot" / "library.so")
    code = """
import ctypes, os, pathlib, pandas, tempfile, helper
ctypes.CDLL('{snapshot}/library.so')
for path in ('{snapshot}/data.txt', '{elsewhere}/data.txt'):
    open(path).read()
for name in ('_version', 'missing', 'absent.module', 'wandb', 'later'):  # wandb/ holds logs
    try:
        __import__(name)
    except ImportError:
        pass
os.close(os.open('{snapshot}/lock', os.O_CREAT | os.O_EXCL))
os.unlink('{snapshot}/lock')
built = pathlib.Path.home() / 'built'
built.mkdir()
(built / 'kernel.py').write_text('ONE = 1')
(built / 'later.py').write_text('ONE = 1')  # what was not there is built
sys.path.insert(0, str(built))
import kernel, later
"""
    with opened(places, code, side_of(places)) as arm:
        assert arm.ask(requests.UsedFiles()).hashes


def test_what_results_depend_on_is_told_and_nothing_else(places):
    folder = places / "snapshot"
    (folder / "package").mkdir()
    for name in ("package/__init__.py", "package/step.py", "package/unrelated.h", "kernel.cpp", "kernel.h", "one.py"):
        (folder / name).write_text("")
    code = """
import numpy, package.step, pathlib
sys.path.insert(0, '{elsewhere}')
sys.modules.pop('helper', None)
import helper
for path in ('{snapshot}/data.txt', '{snapshot}/kernel.cpp', '{tree}/data.txt'):
    open(path).read()
pathlib.Path('{snapshot}/generated.py').write_text('ONE = 1')
import generated
import tempfile
import subprocess
subprocess.run(['sh', '-c', 'date > {snapshot}/stamp.txt'], check=True)  # a child makes it anew in each process
open('{snapshot}/stamp.txt').read()
for folder in (tempfile.gettempdir(), str(pathlib.Path.home())):
    (pathlib.Path(folder) / 'kept.txt').touch()
    open(folder + '/kept.txt').read()
"""
    with opened(places, code, None, run="snapshot/tmp/run") as arm:
        used = arm.ask(requests.UsedFiles())
    named = {Path(path).relative_to(places).as_posix() for path in used.hashes}
    assert [Path(path).name for path in used.made] == ["generated.py"]
    own = {"mine.py", "package/__init__.py", "package/step.py", "data.txt", "kernel.cpp", "kernel.h"}
    assert named == {f"snapshot/{name}" for name in own} | {"elsewhere/helper.py"}
