"""python -m benchmarks gpu_check: the tests of tests/gpu, which check on a GPU that the suite measures correctly."""

from __future__ import annotations

import subprocess
import sys

import click

from benchmarks import ROOT

FILE = "gpu-check.xml"
"""The results (JUnit), beside the raw files of the run that timed all arms."""


@click.command("gpu_check", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("given", nargs=-1, type=click.UNPROCESSED)
def gpu_check(given: tuple[str, ...]) -> int:
    """Check on a GPU that the suite measures correctly there."""
    command = ["pytest", "-m", "gpu", str(ROOT / "tests" / "gpu"), "-c", str(ROOT / "pyproject.toml"), *given]
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode
