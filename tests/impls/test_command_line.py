"""However a command ends, it says so in one line and exits with the right code."""

import os
import signal
import subprocess
import sys

import pytest

from tests.helpers.processes import ROOT, start

pytestmark = pytest.mark.process

COMMAND = """
import sys
from impls.core import command_line
with command_line.starting():
    import click

@click.command()
def main():
    {body}

command_line.run(main)
"""


def shell(body, redirections="", **variables):
    """Run a command, whose body is one line of Python, in a shell."""
    line = ["bash", "-c", f'"$@" {redirections}; exit ${{PIPESTATUS[0]}}', "bash"]
    return subprocess.run(
        [*line, sys.executable, "-c", COMMAND.format(body=body)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **variables},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return 3", 3, ""),
        ("raise click.UsageError('two\\n lines \\x1b[31m')", 2, "error: two lines \\x1b[31m\n"),
        ("open('/nowhere/x')", 2, "error: /nowhere/x: No such file or directory\n"),
        ("raise MemoryError", 2, "error: there is not enough memory\n"),
        ("raise KeyboardInterrupt", 130, "\ninterrupted\n"),
    ],
)
def test_errors_end_in_one_line_and_the_right_code(body, code, said):
    done = shell(f"print('line'); {body}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "line\n", said)


@pytest.mark.parametrize(
    ("redirections", "lines"),
    [("> /dev/full", 0), ("2> /dev/full", 1000), ("| head -1", 1), (">&-", 0), ("2>&-", 1000), ("<&- >&- 2>&-", 0)],
)
def test_output_that_can_not_be_written_changes_no_exit_code(redirections, lines):
    """Nor does a file that is opened take the place of a closed stream: then a line would go there."""
    prints = "[print('line', file=file) for _ in range(1000) for file in (sys.stderr, sys.stdout)]"
    done = shell(f"files = [open('/dev/null') for _ in range(3)]; {prints}; return files[0].fileno()", redirections)
    assert done.returncode == 3
    assert done.stdout == "line\n" * lines
    assert "Traceback" not in done.stderr


def test_an_error_of_the_program_itself_keeps_its_traceback():
    """The control: the wrapper hides no bug."""
    done = shell("raise KeyError('bug')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_terminal_that_knows_few_characters_gets_escapes():
    done = shell("print('→'); print('→', file=sys.stderr)", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\u2192\n", "\\u2192\n")


IMPORTING = """
import time
from impls.core import command_line
with command_line.starting():
    print("importing", flush=True)
    while True:
        try: time.sleep(60)
        except BaseException: raise ImportError
"""


def test_ctrl_c_while_a_command_is_imported_is_one_line():
    process = start("-c", IMPORTING)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert (process.returncode, output) == (130, "interrupted\n")


@pytest.mark.parametrize("module", ["impls", "benchmarks", "reports"])
def test_every_command_line_has_the_wrapper(module):
    line = f"{sys.executable} -m {module} --help > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
