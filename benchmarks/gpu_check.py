"""python -m benchmarks gpu_check: the tests of tests/gpu, which check on a GPU that the suite measures correctly."""

import subprocess
import sys

import click

from benchmarks import ROOT
from impls.core import command_line

FILE = "gpu-check.xml"
"""The results (JUnit), beside the raw files of the run that timed all arms."""


@click.command(
    "gpu_check",
    context_settings={"ignore_unknown_options": True},
    epilog=command_line.examples(
        "benchmarks gpu_check --out DIR", "benchmarks gpu_check --impl torch_lstm"
    ),
)
@click.argument(
    "given", metavar="[--out DIR] [--impl NAME]... [--limit SECONDS] [PYTEST]...", nargs=-1
)
def gpu_check(given: tuple[str, ...]) -> int:
    """Check that the suite measures correctly on this GPU.

    DIR keeps what was measured. PYTEST: options of pytest. Exit code: 0 all passed, 1 one failed, 3 some not reached.
    """
    command = [
        "pytest",
        "-m",
        "gpu",
        str(ROOT / "tests" / "gpu"),
        "-c",
        str(ROOT / "pyproject.toml"),
        *given,
    ]
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode
