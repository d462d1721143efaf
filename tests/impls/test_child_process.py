"""A command that ends with its parent."""

import sys

import pytest

from impls.core import child_process


@pytest.mark.process
def test_a_command_tells_its_output_and_its_exit_code():
    done = child_process.run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    died = child_process.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert died.returncode == 128 + 9
