"""However a command ends, it says so in one line and exits with the right code."""

import os
import signal
import subprocess
import sys

import pytest

from tests.helpers.processes import ROOT, start

pytestmark = pytest.mark.process

COMMAND = """
import os, sys
from impls.core import command_line
with command_line.starting():
    import click

@click.command()
def main():
    {body}

command_line.run(main)
"""


def shell(body, redirections="", before="", **variables):
    """Run a command, whose body is one line of Python, in a shell."""
    code = COMMAND.format(body=body)
    line = f'{before} "$@" {redirections}'
    return subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}", "bash", sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **variables},
    )  # fmt: skip


WRITE = "[click.echo('line') for _ in range(5)]; return 3"
MUCH = "[print('line', flush=True) for _ in range(20_000)]; return 3"
FULL = "error: No space left on device\n"


@pytest.mark.parametrize(
    ("body", "redirections", "code", "said"),
    [
        (WRITE, "", 3, ""),
        (WRITE, "> /dev/full", 2, FULL),
        (MUCH, "> /dev/full", 2, FULL),
        (MUCH, "| head -1", 1, ""),
        (WRITE, ">&-", 3, ""),
        ("raise click.UsageError('two\\n lines \\x1b[31m')", "", 2, "error: two lines \\x1b[31m\n"),
        ("open('/nowhere/x')", "", 2, "error: /nowhere/x: No such file or directory\n"),
        ("raise OSError(24, 'Too many open files')", "", 2, "error: Too many open files\n"),
        ("raise MemoryError", "", 2, "error: there is not enough memory\n"),
        ("raise KeyboardInterrupt", "", 130, "\ninterrupted\n"),
        ("raise click.Abort", "", 130, "interrupted\n"),
    ],
)
def test_output_and_errors_end_in_one_line_and_the_right_code(body, redirections, code, said):
    done = shell(body, redirections)
    assert (done.returncode, done.stderr) == (code, said)
    assert "line\n" in done.stdout or "head" not in redirections


def test_an_error_of_the_program_itself_keeps_its_traceback():
    """The control: the wrapper hides no bug."""
    done = shell("raise KeyError('bug')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("body", ["print('→ \\\\udcff')", "print('→ \\\\udcff', file=sys.stderr)"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_knows_few_characters_gets_escapes(body, encoding):
    done = shell(body, "2>&1", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert done.returncode == 0, done.stdout
    assert "\\udcff" in done.stdout


IMPORTING = """
import sys
from impls.core import command_line
with command_line.starting():
    print("importing", flush=True)
    {body}
"""


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(60)",
        "while True:\n        try: import time; time.sleep(60)\n        except BaseException: raise ImportError",
    ],
)
def test_ctrl_c_while_a_command_is_imported_is_one_line(body):
    process = start("-c", IMPORTING.format(body=body))
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ImportError('lib.so: cannot open')", "error: Python can't import what it needs: lib.so: cannot open\n"),
        (
            "OSError(24, 'Too many open files', 'a')",
            "error: Python can't import what it needs: a: Too many open files\n",
        ),
        ("MemoryError()", "error: Python can't import what it needs: there is not enough memory\n"),
    ],
)
def test_an_import_that_fails_is_one_line(error, said):
    process = start("-c", IMPORTING.format(body=f"raise {error}"))
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, f"importing\n{said}")


@pytest.mark.parametrize("module", ["impls", "benchmarks", "reports"])
def test_every_command_line_has_the_wrapper(module):
    line = f"{sys.executable} -m {module} --help > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (2, FULL)
