"""Where the suite does not run, a command says so, before it imports what is missing there."""

import pytest

from tests.helpers.processes import python
from tests.helpers.records import SMALL, save

pytestmark = pytest.mark.process

ELSEWHERE = """
import os, platform, runpy, sys

sys.platform, machine, *sys.argv = sys.argv[1:]
platform.machine = lambda: machine
sys.modules["fcntl"] = None  # Windows has none
del os.sched_getaffinity, os.sysconf
"""
COMMAND = ELSEWHERE + 'runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)'
IMPORT = ELSEWHERE + "import impls.numpy_lstm"


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (("darwin", "arm64"), ("benchmarks", "bench", "--impl", "numpy_lstm")),
        (("win32", "AMD64"), ("benchmarks", "--help")),
        (("linux", "riscv64"), ("impls", "list")),
    ],
)
def test_a_command_that_measures_ends_in_one_line(here, words):
    done = python("-c", COMMAND, *here, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"this is {here[0]} on {here[1]}" in done.stderr


def test_reports_are_made_there_and_programs_import_implementations(tmp_path):
    here, run = ("linux", "riscv64"), save(tmp_path / "run", SMALL).folder
    done = python("-c", COMMAND, *here, "reports", "report", run)
    assert done.returncode == 0, done.stderr
    assert python("-c", IMPORT, *here).returncode == 0
