"""Commands that end with the process that started them."""

import subprocess
import sys

import psutil
import pytest

from impls.core import processes
from tests.helpers.processes import wait_for

pytestmark = pytest.mark.process


def test_a_guarded_command_tells_its_output_and_its_exit_code():
    done = processes.run_guarded(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], {}
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    died = processes.run_guarded([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {})
    assert died.returncode == 128 + 9


SLOW_START = """
import runpy, subprocess, sys, time

seconds, *sys.argv = sys.argv[1:]

class Slow(subprocess.Popen):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        time.sleep(float(seconds))

subprocess.Popen = Slow
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""A guarded command whose start takes some seconds more."""


@pytest.mark.parametrize("started_in", [0, 1], ids=["at once", "while it starts"])
def test_a_guarded_command_may_write_what_it_has_and_leaves_no_process(tmp_path, started_in):
    """test_kills.py kills the parent of pip, which gets no SIGTERM."""
    saved = tmp_path / "saved"
    line = f"trap 'echo $child > {saved}; exit' TERM; sleep 1000 & child=$!; echo ready; wait"
    python, *script = processes.guarded(["bash", "-c", line])
    guard = subprocess.Popen([python, "-c", SLOW_START, str(started_in), *script], stdout=subprocess.PIPE, text=True)
    assert guard.stdout.readline() == "ready\n"
    guard.terminate()
    guard.communicate(timeout=60)
    wait_for(lambda: not psutil.pid_exists(int(saved.read_text())))
