"""python -m benchmarks run | agree | regression | calibrate: time, check, find regressions, test the gate."""

from __future__ import annotations

import click

from benchmarks.calibration.command import calibrate
from benchmarks.correctness.command import agree
from benchmarks.regression.command import regression
from benchmarks.run import run
from impls.__main__ import run as run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check LSTM implementations against the reference, and time those that agree."""


for command in (run, agree, regression, calibrate):
    cli.add_command(command)

if __name__ == "__main__":
    run_command(cli)
